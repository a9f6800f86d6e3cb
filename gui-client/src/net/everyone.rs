//! Messages to everyone, on the thread with the private keys: hands this client's sender key to each member who lacks it, in
//! slices as [`HandOver`] decides, and then seals under it.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use common::{
    codec::encode_client,
    crypto::{Envelope, KeyId, Message, MessageId, PublicKey, TextNumber, letter::Content, sender_key::Speaker},
    message::{Blob, ClientMessage, Person},
};

use super::{
    hand_over::{HandOver, Progress, Step},
    key_inbox::{People, Seal},
};
use crate::event::DraftId;

/// What can be sealed for one person, and the numbers of envelopes.
pub(super) trait Sealer {
    /// Seals a letter to a person, with the time of now.
    ///
    /// # Errors
    /// Why that is not possible, as a sentence for the window.
    fn letter(&mut self, to: &Person, content: Content) -> Result<Envelope, String>;

    /// The number of the next envelope.
    fn next_number(&mut self) -> u64;

    /// The number that the next text to this person, or to everyone, carries.
    fn text_number(&mut self, to: Option<KeyId>) -> TextNumber;

    /// Notes that the text with this number was sealed.
    fn note_said(&mut self, to: Option<KeyId>, number: TextNumber);
}

/// A sealed message, and its number.
pub(super) type Sealed = (Envelope, TextNumber);

/// What came of a step.
pub(super) enum Done {
    /// A slice of letters, to be written before the next one. Empty when those that it was for have left.
    Slice(Bytes),
    /// The message was sealed, or the reason why not. These members cannot read it.
    Sealed(DraftId, Result<Sealed, String>, Vec<KeyId>),
}

/// This client's sender key, and the messages that wait until everyone has it.
pub(super) struct Everyone {
    me: KeyId,
    speaker: Speaker,
    /// How often someone had left when the key was made or last found good.
    departures: u64,
    waiting: HandOver<Seal>,
    people: Option<People>,
    /// Members to whom the key could not be handed for the first message.
    left_out: Vec<KeyId>,
    /// The number of the first message, once it was prepared. Those who are handed the key learn it: they missed nothing before.
    number: Option<TextNumber>,
}

impl Everyone {
    pub(super) fn new(me: KeyId, now: Instant) -> Self {
        let (speaker, waiting) = (Speaker::default(), HandOver::new(now));
        Self { me, speaker, departures: 0, waiting, people: None, left_out: Vec::new(), number: None }
    }

    /// Takes in who is online, unless that is known already.
    pub(super) fn note_people(&mut self, people: &People) {
        let is_newer = |known: &People| {
            (people.dictionary.revision(), people.departures) > (known.dictionary.revision(), known.departures)
        };
        if self.people.as_ref().is_none_or(is_newer) {
            self.people = Some(people.clone());
        }
    }

    /// Adds a message, which [`Self::step`] says when it is its turn.
    pub(super) fn push(&mut self, message: Seal) -> Result<(), Seal> {
        self.note_people(&message.people);
        self.waiting.push(message)
    }

    /// Notes that the last slice was written.
    pub(super) fn slice_written(&mut self) {
        self.waiting.written();
    }

    /// When the next slice is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.next_deadline()
    }

    /// The message that waits, and how many have the key for it.
    pub(super) fn progress(&self) -> Option<(DraftId, Progress)> {
        Some((self.waiting.first()?.draft, self.waiting.progress()?))
    }

    /// Does the next thing that is due, if there is one.
    pub(super) fn step(&mut self, now: Instant, sealer: &mut impl Sealer) -> Option<Done> {
        loop {
            match self.waiting.step(now) {
                Step::Nothing => return None,
                Step::Prepare => self.prepare(now),
                Step::Hand(slice) => {
                    let frames = self.hand_over(&slice, sealer);
                    self.waiting.handed(frames.len(), now);
                    if !frames.is_empty() {
                        return Some(Done::Slice(frames));
                    }
                }
                Step::Say(message) => {
                    let next = self.number.take();
                    let (message_id, number) = match message.again {
                        Some(before) => (before.message_id, before.number),
                        None => (MessageId::random(), next.unwrap_or_else(|| sealer.text_number(None))),
                    };
                    let said = Message { sent_unix_millis: message.written_unix_millis, number, text: message.text };
                    let sealed = self.speaker.seal_as(&said, message_id, sealer.next_number(), self.me);
                    let sealed = sealed.map(|envelope| (envelope, number)).map_err(|error| error.to_string());
                    if sealed.is_ok() {
                        sealer.note_said(None, number);
                    }
                    return Some(Done::Sealed(message.draft, sealed, std::mem::take(&mut self.left_out)));
                }
            }
        }
    }

    /// Finds out who lacks the key for the first message. After a departure the key is a new one: also one who came back at once
    /// may be at another computer by now. Who leaves from here on has left after the message was written, and may have its key.
    fn prepare(&mut self, now: Instant) {
        let (Some(message), Some(people)) = (self.waiting.first(), &self.people) else { return };
        if people.departures != self.departures {
            (self.speaker, self.departures) = (Speaker::default(), people.departures);
        }
        let members: Vec<_> = message.recipients.iter().map(PublicKey::id).filter(|key| *key != self.me).collect();
        let lacking = self.speaker.prepare(&members, now);
        self.waiting.begin(lacking, members.len());
    }

    /// The letters with the key for these members, as far as they are still there.
    fn hand_over(&mut self, slice: &[KeyId], sealer: &mut impl Sealer) -> Bytes {
        let mut frames = BytesMut::new();
        let Some(people) = &self.people else { return frames.freeze() };
        let next = *self.number.get_or_insert_with(|| sealer.text_number(None));
        for person in slice.iter().filter_map(|key| people.dictionary.person(key)) {
            let key = person.public_key.id();
            let sender_key = self.speaker.hand_over(key).expect("the key was prepared");
            match sealer.letter(person, Content::SenderKey(next, sender_key)) {
                Ok(letter) => {
                    let envelope = Blob(letter.as_bytes().to_vec());
                    frames.extend_from_slice(&encode_client(&ClientMessage::Hand { to: key, envelope }));
                }
                Err(reason) => {
                    tracing::warn!("{} cannot read what this client says to everyone. {reason}", person.name);
                    // The key is offered again before the next message.
                    self.speaker.take_back(key);
                    self.left_out.push(key);
                }
            }
        }
        frames.freeze()
    }
}

#[cfg(test)]
#[path = "everyone_tests.rs"]
mod tests;
