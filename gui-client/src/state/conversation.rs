//! Conversations: messages with their delivery state, and the draft that is being written.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use common::{
    crypto::{KeyId, MessageId, TextNumber},
    name::Name,
};

use crate::event::{DraftId, ReceivedMessage, SealedAs};

use super::{
    action::Peer,
    delivery::{Awaited, Dispatch, Step},
    news::News,
    presence_note::PresenceNote,
    waiting_queue::Queue,
};

pub use super::{delivery::Delivery, news::Serial};

/// Messages kept in one conversation; beyond that the oldest is dropped.
pub const MAX_MESSAGES: usize = 10_000;

/// Bytes of text kept in one conversation, besides the last message.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The person at this client.
    Me,
    /// Someone else.
    Other {
        /// The sender's name when the message arrived.
        name: Name,
        /// The key that signed the message.
        key: KeyId,
    },
}

impl Author {
    /// The key that signed the message, unless it is one's own.
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Me => None,
            Self::Other { key, .. } => Some(*key),
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identifies it, whatever its place in the conversation.
    pub serial: Serial,
    /// The person who wrote it.
    pub author: Author,
    /// The time of writing by the author's clock, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
    /// The text as typed, with line breaks.
    pub text: String,
    /// Whether it has arrived.
    pub delivery: Delivery,
    /// Of an own message: how it was sent.
    pub dispatch: Option<Dispatch>,
    /// Of a received message: its id on the wire, by which one that is sent again is told.
    pub message_id: Option<MessageId>,
    /// Of a received message: its number among those of its author in this conversation.
    pub number: Option<TextNumber>,
    /// Messages of its author that are missing right before this one.
    pub missing_count: u32,
    /// Who came or went between this message and the next.
    pub note: Option<PresenceNote>,
    /// Of an own message that was written under another key than the present one: the name of that key.
    pub written_as: Option<Name>,
}

impl Message {
    /// The number of this message, if it comes after the one with this author and number, in the same count.
    fn number_after(&self, author: &Author, before: TextNumber) -> Option<u32> {
        let number = self.number.filter(|number| number.count == before.count && number.number > before.number)?;
        (self.author.key() == author.key()).then_some(number.number)
    }
}

/// The messages exchanged with one peer, and the draft of the next.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// In order of arrival, except that a message that was missing takes its place.
    pub messages: VecDeque<Message>,
    /// Messages from others that have not been read.
    pub unread_count: u32,
    /// The text in the composer.
    pub draft: String,
    /// Which messages are new to the person.
    pub(super) news: News,
    /// Counts the changes of which messages there are, and in which order.
    revision: u64,
    /// Bytes of the texts of all messages.
    kept_bytes: usize,
}

impl Conversation {
    /// The draft as it would be sent: without blank lines before it and white space after it.
    pub fn outgoing(&self) -> &str {
        self.draft.trim_end().trim_start_matches(['\n', '\r'])
    }

    /// Changes whenever a message comes or goes.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn push(&mut self, message: Message) {
        self.insert(self.messages.len(), message);
    }

    fn insert(&mut self, place: usize, message: Message) {
        self.revision += 1;
        self.kept_bytes += message.text.len();
        self.messages.insert(place, message);
        while self.messages.len() > MAX_MESSAGES || self.kept_bytes > MAX_KEPT_BYTES && self.messages.len() > 1 {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.kept_bytes -= oldest.text.len();
        }
    }

    /// Takes out the message at this place.
    pub(super) fn remove(&mut self, place: usize) -> Option<Message> {
        let message = self.messages.remove(place)?;
        self.revision += 1;
        self.kept_bytes -= message.text.len();
        Some(message)
    }

    /// Adds a received message: in the gap where it is missing, or at the end.
    fn receive(&mut self, number: TextNumber, mut message: Message) {
        let after = self.messages.iter().enumerate();
        let after = after.filter_map(|(place, other)| Some((other.number_after(&message.author, number)?, place)));
        // The gap that it may be in is before the next message of its author.
        let Some((next_number, place)) = after.min() else { return self.push(message) };
        let between_count = next_number - number.number - 1;
        let next = &mut self.messages[place];
        match next.missing_count.checked_sub(between_count + 1) {
            None => self.push(message),
            Some(before_count) => {
                message.missing_count = before_count;
                next.missing_count = between_count;
                self.insert(place, message);
            }
        }
    }
}

/// All conversations of this client.
#[derive(Debug, Clone, Default)]
pub struct Conversations {
    pub(super) by_peer: HashMap<Peer, Conversation>,
    last_draft: u64,
    last_serial: u64,
    pub(super) awaited: Awaited,
    /// The letters that were sealed and are not confirmed, with their recipients.
    pub(super) unconfirmed: HashMap<MessageId, (KeyId, DraftId)>,
    /// The messages that cannot be sent yet.
    pub(super) waiting: Queue,
}

impl Conversations {
    /// The conversation with `peer`, if there is one.
    pub fn get(&self, peer: Peer) -> Option<&Conversation> {
        self.by_peer.get(&peer)
    }

    /// The conversation with `peer`, created if there is none.
    pub fn entry(&mut self, peer: Peer) -> &mut Conversation {
        self.by_peer.entry(peer).or_default()
    }

    pub(super) fn get_mut(&mut self, peer: Peer) -> Option<&mut Conversation> {
        self.by_peer.get_mut(&peer)
    }

    /// The keys of people with whom there are messages or a draft.
    pub fn persons(&self) -> impl Iterator<Item = KeyId> {
        self.by_peer.iter().filter_map(|(peer, conversation)| match peer {
            Peer::Person(key) if !conversation.messages.is_empty() || !conversation.draft.is_empty() => Some(*key),
            _ => None,
        })
    }

    /// The conversation that a received message belongs to.
    pub(super) fn peer_of(message: &ReceivedMessage) -> Peer {
        if message.is_to_everyone { Peer::Everyone } else { Peer::Person(message.sender) }
    }

    /// Shows a message. Returns whether it was not shown already.
    pub(super) fn receive(&mut self, message: ReceivedMessage, is_read: bool) -> bool {
        let serial = self.next_serial();
        let conversation = self.entry(Self::peer_of(&message));
        let is_it = |shown: &Message| {
            shown.message_id == Some(message.message_id) && shown.author.key() == Some(message.sender)
        };
        if conversation.messages.iter().any(is_it) {
            return false;
        }
        if !is_read {
            conversation.note_unread(serial);
        }
        conversation.receive(
            message.number,
            Message {
                serial,
                author: Author::Other { name: message.from, key: message.sender },
                unix_millis: message.sent_unix_millis,
                text: message.text,
                delivery: Delivery::Received,
                dispatch: None,
                message_id: Some(message.message_id),
                number: Some(message.number),
                missing_count: message.missing_count,
                note: None,
                written_as: None,
            },
        );
        true
    }

    fn next_serial(&mut self) -> Serial {
        self.last_serial += 1;
        Serial(self.last_serial)
    }

    /// Moves what was said with the owner of one key to the conversation with another key of theirs.
    pub(super) fn carry_over(&mut self, from: KeyId, to: KeyId) {
        let Some(old) = self.by_peer.remove(&Peer::Person(from)) else { return };
        let conversation = self.entry(Peer::Person(to));
        let newer = std::mem::replace(&mut conversation.messages, old.messages);
        conversation.kept_bytes = old.kept_bytes;
        newer.into_iter().for_each(|message| conversation.push(message));
        conversation.news = old.news.followed_by(conversation.news);
        conversation.unread_count += old.unread_count;
        if conversation.draft.is_empty() {
            conversation.draft = old.draft;
        }
        self.waiting.redirect(Peer::Person(from), Peer::Person(to));
    }

    /// Unread messages of all conversations.
    pub(super) fn unread_count(&self) -> u32 {
        self.by_peer.values().map(|conversation| conversation.unread_count).sum()
    }

    /// Makes draft ids go on from those of `other`: a late answer about one of them must not name a message of this one.
    pub(super) fn continue_numbering(&mut self, other: &Self) {
        self.last_draft = self.last_draft.max(other.last_draft);
        self.last_serial = self.last_serial.max(other.last_serial);
    }

    pub(super) fn write(&mut self, peer: Peer, text: String, unix_millis: u64) -> DraftId {
        self.last_draft += 1;
        let draft = DraftId(self.last_draft);
        let serial = self.next_serial();
        let conversation = self.entry(peer);
        conversation.news = News::default();
        conversation.push(Message {
            serial,
            author: Author::Me,
            unix_millis,
            text,
            delivery: Delivery::Pending(draft),
            dispatch: Some(Dispatch { draft, to: peer, sealed: None }),
            message_id: None,
            number: None,
            missing_count: 0,
            note: None,
            written_as: None,
        });
        draft
    }

    /// Marks a failed message as pending again, under a new id. Returns how it was sealed before, if that was for `peer`: its
    /// recipient then takes it for the same message.
    pub(super) fn rewrite(&mut self, failed: DraftId, peer: Peer) -> Option<(DraftId, Option<SealedAs>)> {
        let draft = DraftId(self.last_draft + 1);
        let message = self.find(|delivery| matches!(delivery, Delivery::Failed(id, _) if *id == failed))?;
        message.delivery = Delivery::Pending(draft);
        let before = message.dispatch.take().filter(|before| before.to == peer);
        let sealed = before.and_then(|before| before.sealed);
        message.dispatch = Some(Dispatch { draft, to: peer, sealed: sealed.clone() });
        self.last_draft = draft.0;
        if let (Some(sealed), Peer::Person(key)) = (&sealed, peer) {
            self.unconfirmed.insert(sealed.message_id, (key, draft));
        }
        Some((draft, sealed))
    }

    /// The failed message with this id, and its conversation.
    pub(super) fn failed(&self, draft: DraftId) -> Option<(Peer, &Message)> {
        self.by_peer.iter().find_map(|(peer, conversation)| {
            let message = conversation
                .messages
                .iter()
                .rev()
                .find(|message| matches!(&message.delivery, Delivery::Failed(failed, _) if *failed == draft))?;
            Some((*peer, message))
        })
    }

    /// A message was sealed and is on its way to the server.
    pub(super) fn sent(&mut self, draft: DraftId, sealed: SealedAs, now: Instant) {
        let Some(message) = self.find(|delivery| *delivery == Delivery::Pending(draft)) else { return };
        message.delivery = Delivery::Sent(draft, sealed.message_id);
        let dispatch = message.dispatch.as_mut().expect("an own message has been dispatched");
        let (to, id) = (dispatch.to, sealed.message_id);
        dispatch.sealed = Some(sealed);
        self.awaited.begin(draft, Step::Relay, now);
        if let Peer::Person(key) = to {
            if self.unconfirmed.len() >= 2 * MAX_MESSAGES {
                let oldest = self.last_draft.saturating_sub(MAX_MESSAGES as u64);
                self.unconfirmed.retain(|_, (_, draft)| draft.0 > oldest);
            }
            self.unconfirmed.insert(id, (key, draft));
        }
    }

    pub(super) fn send_failed(&mut self, draft: DraftId, reason: String) {
        let is_it =
            |delivery: &Delivery| matches!(delivery, Delivery::Pending(d) | Delivery::Sent(d, _) if *d == draft);
        if let Some(message) = self.find(is_it) {
            message.delivery = Delivery::Failed(draft, reason);
        }
    }

    /// The server has relayed an own message, perhaps after the window had given up waiting for that.
    pub(super) fn relayed(&mut self, id: MessageId, now: Instant) {
        let is_it = |message: &Message| {
            let sealed = message.dispatch.as_ref().and_then(|dispatch| dispatch.sealed.as_ref());
            matches!(message.delivery, Delivery::Sent(..) | Delivery::Failed(..))
                && sealed.is_some_and(|sealed| sealed.message_id == id)
        };
        let Some(message) = self.find_message(is_it) else { return };
        message.delivery = Delivery::Relayed;
        let Some(Dispatch { draft, to, .. }) = message.dispatch else { return };
        match to {
            Peer::Person(_) => self.awaited.begin(draft, Step::Receipt, now),
            Peer::Everyone => self.awaited.end(draft),
        }
    }

    /// The owner of a key says that its client has opened a message. This counts for letters to that key only.
    pub(super) fn delivered(&mut self, by: KeyId, id: MessageId) {
        let Some((_, draft)) = self.unconfirmed.get(&id).copied().filter(|(to, _)| *to == by) else { return };
        self.unconfirmed.remove(&id);
        self.awaited.end(draft);
        let is_it = |message: &Message| message.dispatch.as_ref().is_some_and(|dispatch| dispatch.draft == draft);
        if let Some(message) = self.find_message(is_it) {
            message.delivery = Delivery::Delivered;
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.awaited.next_deadline()
    }

    /// Offers to send those messages once more that have waited too long; `reason` gives the sentence.
    pub(super) fn tick(&mut self, now: Instant, reason: impl Fn(Step, &Dispatch) -> String) {
        for (draft, step) in self.awaited.take_due(now) {
            let is_it = |message: &Message| message.dispatch.as_ref().is_some_and(|dispatch| dispatch.draft == draft);
            let Some(message) = self.find_message(is_it) else { continue };
            let Some(dispatch) = &message.dispatch else { continue };
            let is_waiting = match step {
                Step::Relay => matches!(message.delivery, Delivery::Sent(..)),
                Step::Receipt => message.delivery == Delivery::Relayed,
            };
            if is_waiting {
                message.delivery = Delivery::Failed(draft, reason(step, dispatch));
            }
        }
    }

    /// The connection is lost: messages that the server has not relayed back may not have arrived.
    pub(super) fn went_offline(&mut self) {
        for message in self.by_peer.values_mut().flat_map(|conversation| conversation.messages.iter_mut()) {
            match message.delivery {
                Delivery::Pending(draft) => {
                    message.delivery = Delivery::Failed(draft, "Not sent: the connection was lost.".into());
                }
                Delivery::Sent(draft, _) => {
                    let reason =
                        "The connection was lost before the server confirmed this message; it may not have arrived.";
                    message.delivery = Delivery::Failed(draft, reason.into());
                }
                Delivery::Received
                | Delivery::Waiting(_)
                | Delivery::Relayed
                | Delivery::Delivered
                | Delivery::Failed(..) => {}
            }
        }
    }

    fn find(&mut self, is_it: impl Fn(&Delivery) -> bool) -> Option<&mut Message> {
        self.find_message(|message| is_it(&message.delivery))
    }

    fn find_message(&mut self, is_it: impl Fn(&Message) -> bool) -> Option<&mut Message> {
        self.by_peer
            .values_mut()
            .flat_map(|conversation| conversation.messages.iter_mut().rev())
            .find(|message| is_it(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(number: u32) -> ReceivedMessage {
        ReceivedMessage {
            from: Name::parse("ada").unwrap(),
            sender: KeyId([1; 32]),
            is_to_everyone: false,
            message_id: MessageId([number as u8; 16]),
            sent_unix_millis: 0,
            number: TextNumber { count: 7, number },
            missing_count: 0,
            text: number.to_string(),
        }
    }

    proptest! {
        /// In whatever order messages arrive, and whatever is said in between: those of one author are shown in their order, each
        /// once, and what is missing between them is what has not arrived.
        #[test]
        fn late_messages_take_their_places_and_what_is_missing_is_said(
            numbers in prop::collection::hash_set(1u32..40, 0..30).prop_map(Vec::from_iter).prop_shuffle(),
            answers in prop::collection::vec(prop::bool::ANY, 30),
        ) {
            let mut conversations = Conversations::default();
            let peer = Peer::Person(KeyId([1; 32]));
            let mut highest = 0;
            for (number, is_answered) in numbers.iter().copied().zip(answers) {
                // As the keyring says, which knows what has arrived.
                let missing_count = u32::saturating_sub(number, highest + 1);
                highest = highest.max(number);
                conversations.receive(ReceivedMessage { missing_count, ..message(number) }, true);
                if is_answered {
                    conversations.write(peer, "an answer".into(), 0);
                }
                let shown = conversations.get(peer).unwrap();
                let mut expected = 0;
                for message in shown.messages.iter().filter(|message| message.author != Author::Me) {
                    expected += message.missing_count + 1;
                    prop_assert_eq!(message.number.map(|number| number.number), Some(expected));
                }
                prop_assert_eq!(expected, highest);
            }
            let shown = conversations.get(peer).map_or(0, |shown| shown.messages.iter().filter(|m| m.author != Author::Me).count());
            prop_assert_eq!(shown, numbers.len());
        }
    }

    #[test]
    fn what_no_gap_is_known_for_comes_at_the_end() {
        let mut conversations = Conversations::default();
        for (number, missing_count) in [(5, 0), (2, 0), (9, 2), (6, 0), (8, 0)] {
            conversations.receive(ReceivedMessage { missing_count, ..message(number) }, true);
        }
        let shown = &conversations.get(Peer::Person(KeyId([1; 32]))).unwrap().messages;
        let shown: Vec<_> = shown.iter().map(|message| (&*message.text, message.missing_count)).collect();
        assert_eq!(shown, [("5", 0), ("2", 0), ("8", 1), ("9", 0), ("6", 0)]);
    }
}
