//! The thread that works with the private keys: it seals outgoing messages, opens what is for this client, and also tries the
//! key on letters that are addressed to others, within a budget, so that the wire view shows what really happened.
//!
//! A message to one person is a letter. A message to everyone is sealed under this client's sender key, which each member is
//! handed in a letter before. An RSA operation with 3072 bits takes milliseconds, too long for the network thread.

use std::{
    collections::BTreeSet,
    io,
    sync::{MutexGuard, PoisonError},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::{
    codec::encode_client,
    crypto::{
        Addressed, CannotOpen, Envelope, KeyId, Message, MessageId, TextNumber,
        letter::{self, Content, Letter},
        sender_key_store::SenderKeyStore,
    },
    limits::MAX_TEXT_BYTES,
    message::{Blob, ClientMessage, Person},
};
use tokio::sync::oneshot;

use super::{
    allowance::{Allowance, FailureBudget},
    everyone::{Done, Everyone, Sealed, Sealer},
    hand_over::Progress,
    key_inbox::{Arrived, KeyJob, KeySender, Seal, Written, inbox},
    memories::{Memory, MessageMemory},
    own_session::OwnSession,
    receipt_queue::Receipt,
    sent_counts::Recipient,
    text_count::Place,
    verified_sessions::VerifiedSessions,
};
use crate::{
    dictionary::Dictionary,
    event::{DraftId, NetEvent, ReceivedMessage, SealedAs, WireEntry, WireOutcome},
};

/// The result of a job.
pub(super) enum KeyOutput {
    /// For the window.
    Event(NetEvent),
    /// For the server, which relays it to all.
    Say(Envelope),
    /// For the server.
    Frame(Bytes),
    /// For the server: letters that hand this client's sender key over. The next ones come when these are written.
    Slice(Bytes),
}

/// Starts the thread; it ends when the returned sender is dropped, and has written down what it has to when the returned
/// channel is closed. `deliver` is called on it and may block; what comes with a slice is dropped when it was written.
pub(super) fn start(
    own: OwnSession,
    memory: Memory,
    deliver: impl Fn(KeyOutput, Option<Written>) + Send + 'static,
) -> io::Result<(KeySender, oneshot::Receiver<()>)> {
    let (sender, jobs) = inbox();
    let (ends, ended) = oneshot::channel();
    thread::Builder::new().name("triptych-keys".to_owned()).spawn(move || {
        let _ends: oneshot::Sender<()> = ends;
        // Here, because it may have to wait for the thread of the connection before.
        let mut keyring = Keyring::new(own, memory, Instant::now());
        let deliver_with_written = |output| {
            let written = matches!(output, KeyOutput::Slice(_)).then(|| jobs.written());
            deliver(output, written);
        };
        while let Some(job) = jobs.next(keyring.next_deadline()) {
            keyring.work(job, Instant::now(), unix_micros(), &deliver_with_written);
        }
        // The writer of the socket ends with this: it does not wait for the disk.
        drop(deliver);
        keyring.memory().file.write();
    })?;
    Ok((sender, ended))
}

struct Keyring {
    own: OwnSession,
    verified: VerifiedSessions,
    everyone: Everyone,
    /// Those who could not read the last message to everyone.
    left_out: Vec<KeyId>,
    sender_keys: SenderKeyStore,
    /// Those of whom there are sender keys, and the revision of the dictionary in which they all are.
    speakers: BTreeSet<KeyId>,
    revision: u64,
    memory: Memory,
    /// For trying the key on envelopes that are addressed to others.
    attempts: Allowance,
    /// For opening envelopes that are addressed to this client.
    failures: FailureBudget,
}

/// What was inside an envelope, and what the wire view says about it.
type Opened = (Inside, WireOutcome);

/// What was inside an envelope, for the window.
enum Inside {
    /// Nothing that concerns it, or nothing that could be opened.
    Nothing,
    Text(Said),
    /// These letters have been opened.
    Receipt(Vec<MessageId>),
}

/// A text, and to whom it was said.
struct Said {
    sent_unix_millis: u64,
    number: TextNumber,
    /// Texts that are missing right before it.
    missing_count: u32,
    text: String,
    is_to_everyone: bool,
}

impl Keyring {
    fn new(own: OwnSession, memory: Memory, now: Instant) -> Self {
        lock(&memory).file.received.begin_connection();
        Self {
            verified: VerifiedSessions::new(own.certificate_hash()),
            everyone: Everyone::new(own.identity().public_key().id(), now),
            left_out: Vec::new(),
            own,
            sender_keys: SenderKeyStore::default(),
            speakers: BTreeSet::new(),
            revision: 0,
            memory,
            attempts: Allowance::new(now),
            failures: FailureBudget::default(),
        }
    }

    fn next_deadline(&self) -> Instant {
        let memory = self.memory().file.next_deadline();
        let others = [self.sender_keys.next_deadline(), memory, self.everyone.next_deadline()];
        others.into_iter().flatten().fold(self.own.next_deadline(), Instant::min)
    }

    fn work(&mut self, job: KeyJob, now: Instant, unix_micros: u64, deliver: &impl Fn(KeyOutput)) {
        match job {
            KeyJob::Seal(message) => self.seal(message, unix_micros, deliver),
            KeyJob::People(people) => self.everyone.note_people(&people),
            KeyJob::CaughtUp(dictionary) => self.forget_departed(&dictionary),
            KeyJob::SliceWritten => self.everyone.slice_written(),
            KeyJob::Open(arrived) => self.receive(&arrived, now, unix_micros, deliver),
            KeyJob::Confirm(receipt, dictionary) => self.confirm(receipt, &dictionary, unix_micros, deliver),
            KeyJob::NoteDropped(count) => deliver(KeyOutput::Event(NetEvent::EnvelopesDropped(count))),
            KeyJob::Tick => {
                self.sender_keys.wipe(now);
                self.memory().file.write_if_due(now);
                if let Some(session) = self.own.renewed(now, unix_micros) {
                    let session = Blob(session.as_bytes().to_vec());
                    deliver(KeyOutput::Frame(encode_client(&ClientMessage::Renew { session })));
                }
            }
        }
        self.say_to_everyone(now, unix_micros, deliver);
    }

    fn seal(&mut self, message: Seal, unix_micros: u64, deliver: &impl Fn(KeyOutput)) {
        let draft = message.draft;
        if message.text.len() > MAX_TEXT_BYTES {
            let reason = letter::SealError::LongText(message.text.len()).to_string();
            deliver(KeyOutput::Event(NetEvent::SendFailed { draft, reason }));
        } else if let [one] = &message.recipients[..] {
            let sealed = match message.people.dictionary.person(&one.id()) {
                Some(person) => self.seal_to_one(person, &message, unix_micros),
                None => Err("Not sent: this person has just left.".to_owned()),
            };
            say(draft, sealed, deliver);
        } else if self.everyone.push(message).is_err() {
            let reason = "Not sent: too many messages are waiting to be encrypted.".to_owned();
            deliver(KeyOutput::Event(NetEvent::SendFailed { draft, reason }));
        }
    }

    fn seal_to_one(&mut self, person: &Person, message: &Seal, unix_micros: u64) -> Result<Sealed, String> {
        let to = Some(person.public_key.id());
        let mut sealer = self.sealer(unix_micros);
        let (message_id, number) = match &message.again {
            Some(before) => (before.message_id, before.number),
            None => (MessageId::random(), sealer.text_number(to)),
        };
        let content = Content::Text(number, message.text.clone());
        let sealed = sealer.letter_as(message_id, message.written_unix_millis, person, content)?;
        sealer.note_said(to, number);
        Ok((sealed, number))
    }

    /// Tells a person that messages of theirs were opened and are shown. When that cannot be done, they may send them again.
    fn confirm(&mut self, receipt: Receipt, people: &Dictionary, unix_micros: u64, deliver: &impl Fn(KeyOutput)) {
        let Receipt { to, ids } = receipt;
        let Some(person) = people.person(&to) else { return };
        match self.sealer(unix_micros).letter(person, Content::Receipt(ids)) {
            Ok(envelope) => {
                let envelope = Blob(envelope.as_bytes().to_vec());
                deliver(KeyOutput::Frame(encode_client(&ClientMessage::Hand { to, envelope })));
            }
            Err(reason) => tracing::warn!("{} is not told what has arrived. {reason}", person.name),
        }
    }

    /// Goes on with the messages to everyone: at most one slice of letters, and each message whose turn it is.
    fn say_to_everyone(&mut self, now: Instant, unix_micros: u64, deliver: &impl Fn(KeyOutput)) {
        let Self { own, verified, memory, .. } = self;
        let mut sealer = LetterSealer { own, verified, memory, unix_micros };
        while let Some(done) = self.everyone.step(now, &mut sealer) {
            match done {
                Done::Slice(frames) => {
                    deliver(KeyOutput::Slice(frames));
                    if let Some((draft, Progress { handed, members })) = self.everyone.progress() {
                        deliver(KeyOutput::Event(NetEvent::HandingOver { draft, handed, members }));
                    }
                }
                Done::Sealed(draft, sealed, left_out) => {
                    say(draft, sealed, deliver);
                    if left_out != self.left_out {
                        self.left_out.clone_from(&left_out);
                        deliver(KeyOutput::Event(NetEvent::LeftOut(left_out)));
                    }
                }
            }
        }
    }

    fn sealer(&mut self, unix_micros: u64) -> LetterSealer<'_> {
        let Self { own, verified, memory, .. } = self;
        LetterSealer { own, verified, memory, unix_micros }
    }

    fn receive(&mut self, arrived: &Arrived, now: Instant, unix_micros: u64, deliver: &impl Fn(KeyOutput)) {
        let Arrived { envelope, dictionary, is_handed } = arrived;
        self.forget_departed(dictionary);
        let me = self.own.identity().public_key().id();
        let is_for_me = match &envelope.addressed {
            Addressed::Everyone { .. } => true,
            Addressed::Letter { slot, .. } => slot.recipient == me,
        };
        let (inside, outcome) = if is_for_me {
            self.open(arrived, now, unix_micros).unwrap_or_else(|outcome| (Inside::Nothing, outcome))
        } else if self.attempts.take(now) {
            match letter::attempt(envelope, self.own.identity()) {
                Ok(()) => (Inside::Nothing, WireOutcome::Rejected),
                Err(CannotOpen) => (Inside::Nothing, WireOutcome::Foreign),
            }
        } else {
            (Inside::Nothing, WireOutcome::NotTried)
        };
        let entry = WireEntry { envelope: envelope.clone(), is_handed: *is_handed, outcome };
        deliver(KeyOutput::Event(NetEvent::Envelope(entry)));
        let (sender, message_id) = (envelope.sender, envelope.message_id);
        let Said { sent_unix_millis, number, missing_count, text, is_to_everyone } = match inside {
            Inside::Nothing => return,
            Inside::Receipt(ids) => return deliver(KeyOutput::Event(NetEvent::Confirmed { by: sender, ids })),
            Inside::Text(said) => said,
        };
        let from = dictionary.person(&sender).expect("who is not listed is not heard").name.clone();
        let message =
            ReceivedMessage { from, sender, is_to_everyone, message_id, sent_unix_millis, number, missing_count, text };
        deliver(KeyOutput::Event(NetEvent::Received(message)));
    }

    /// Checks cheap things before expensive ones, in the order of docs/PROTOCOL.md: the sender is in the dictionary, the
    /// sequence number is new, then the sender's session record and the cryptography, if the sender has not caused too many
    /// failures lately.
    fn open(&mut self, arrived: &Arrived, now: Instant, unix_micros: u64) -> Result<Opened, WireOutcome> {
        let Arrived { envelope, dictionary, is_handed } = arrived;
        let sender = dictionary.person(&envelope.sender).ok_or(WireOutcome::UnknownSender)?;
        if self.memory().file.received.is_replay(&envelope.sender, envelope.sequence) {
            return Err(WireOutcome::Replay);
        }
        if let Addressed::Letter { session, .. } = envelope.addressed
            && self.own.keys().get(session).is_none()
        {
            // The sender may have missed a renewal: no fault of its own, and nothing to decrypt with.
            return Err(WireOutcome::SessionKeyGone);
        }
        if let Addressed::Everyone { sender_key } = envelope.addressed
            && self.sender_keys.accepted_at(envelope.sender, sender_key).is_none()
        {
            // What was said before this client came costs no decryption, and is no fault of its sender.
            return Err(WireOutcome::NoSenderKey);
        }
        if !self.failures.may_try(&envelope.sender, now) {
            return Err(WireOutcome::TooManyFailures);
        }
        if !self.verified.is_named_by_owner(sender) {
            // The server could list the key of one person under the name of another.
            self.failures.note_failure(envelope.sender, now);
            return Err(WireOutcome::UnsignedName);
        }
        let opened = match &envelope.addressed {
            Addressed::Everyone { sender_key } => {
                let accepted_at = self.sender_keys.accepted_at(envelope.sender, *sender_key);
                let age = now.saturating_duration_since(accepted_at.unwrap_or(now));
                let handed_unix_millis = (unix_micros / 1000).saturating_sub(age.as_millis() as u64);
                self.sender_keys.open(envelope, now).map(|Message { sent_unix_millis, number, text }| {
                    let said = Said { sent_unix_millis, number, missing_count: 0, text, is_to_everyone: true };
                    (Inside::Text(said), WireOutcome::OpenedWithSenderKey { handed_unix_millis })
                })
            }
            Addressed::Letter { .. } => {
                letter::open(envelope, self.own.identity(), self.own.keys(), &sender.public_key)
                    .and_then(|letter| self.read(envelope.sender, letter, *is_handed, now))
            }
        };
        let opened = opened.map_err(|CannotOpen| {
            self.failures.note_failure(envelope.sender, now);
            WireOutcome::Rejected
        })?;
        let is_online = |key: &KeyId| dictionary.person(key).is_some();
        let mut memory = self.memory();
        memory.file.note_change(now);
        let received = &mut memory.file.received;
        received.note_opened(envelope.sender, envelope.sequence, is_online);
        let (Inside::Text(said), outcome) = opened else { return Ok(opened) };
        // Whether a text is shown already is known to the window only, which may have missed it.
        Ok(match received.note_text(envelope.sender, said.is_to_everyone, said.number) {
            Place::Again => (Inside::Text(said), WireOutcome::SentAgain),
            Place::Next { missing_count } => (Inside::Text(Said { missing_count, ..said }), outcome),
            Place::Late | Place::Before => (Inside::Text(said), outcome),
        })
    }

    /// Takes in what a letter says. A text that was handed over is refused: texts go to all, so that all see that they cannot
    /// read them.
    fn read(&mut self, sender: KeyId, letter: Letter, is_handed: bool, now: Instant) -> Result<Opened, CannotOpen> {
        match letter.content {
            Content::Text(number, text) if !is_handed => {
                let sent_unix_millis = letter.sent_unix_millis;
                let said = Said { sent_unix_millis, number, missing_count: 0, text, is_to_everyone: false };
                Ok((Inside::Text(said), WireOutcome::Opened))
            }
            Content::SenderKey(next, key) => match self.sender_keys.accept(sender, &key, now) {
                Ok(_) => {
                    self.speakers.insert(sender);
                    self.memory().file.received.note_sender_key(sender, next);
                    Ok((Inside::Nothing, WireOutcome::SenderKey))
                }
                Err(_) => Err(CannotOpen),
            },
            Content::Text(..) => Err(CannotOpen),
            Content::Receipt(ids) => Ok((Inside::Receipt(ids), WireOutcome::Receipt)),
        }
    }

    /// Wipes the sender keys of those who have left. What they wrote before that has been opened.
    fn forget_departed(&mut self, dictionary: &Dictionary) {
        if std::mem::replace(&mut self.revision, dictionary.revision()) == dictionary.revision() {
            return;
        }
        let sender_keys = &mut self.sender_keys;
        self.speakers.retain(|key| {
            let is_online = dictionary.person(key).is_some();
            if !is_online {
                sender_keys.sender_left(*key);
            }
            is_online
        });
    }

    fn memory(&self) -> MutexGuard<'_, MessageMemory> {
        lock(&self.memory)
    }
}

fn lock(memory: &Memory) -> MutexGuard<'_, MessageMemory> {
    // Poisoning is ignored: each change is a single step, so a panic leaves nothing half done.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seals letters with this client's key, to session records that were verified.
struct LetterSealer<'a> {
    own: &'a mut OwnSession,
    verified: &'a mut VerifiedSessions,
    memory: &'a Memory,
    unix_micros: u64,
}

impl Sealer for LetterSealer<'_> {
    fn letter(&mut self, to: &Person, content: Content) -> Result<Envelope, String> {
        self.letter_as(MessageId::random(), self.unix_micros / 1000, to, content)
    }

    fn next_number(&mut self) -> u64 {
        self.own.next_number(self.unix_micros)
    }

    fn text_number(&mut self, to: Option<KeyId>) -> TextNumber {
        let begin = self.next_number();
        lock(self.memory).sent.next(self.recipient(to), begin)
    }

    fn note_said(&mut self, to: Option<KeyId>, number: TextNumber) {
        lock(self.memory).sent.note_sealed(self.recipient(to), number);
    }
}

impl LetterSealer<'_> {
    /// Seals a letter under this id, with this time in it.
    fn letter_as(
        &mut self,
        message_id: MessageId,
        sent_unix_millis: u64,
        to: &Person,
        content: Content,
    ) -> Result<Envelope, String> {
        let session = self.verified.verified(to).map_err(|error| error.to_string())?;
        let letter = Letter { sent_unix_millis, content };
        let number = self.own.next_number(self.unix_micros);
        letter::seal_as(&letter, message_id, number, self.own.identity(), &to.public_key, session)
            .map_err(|error| error.to_string())
    }

    fn recipient(&self, to: Option<KeyId>) -> Recipient {
        to.map_or_else(|| Recipient::Everyone(self.own.certificate_hash()), Recipient::Person)
    }
}

/// Sends a message that was sealed, or tells the window why there is none.
fn say(draft: DraftId, sealed: Result<Sealed, String>, deliver: &impl Fn(KeyOutput)) {
    match sealed {
        Ok((envelope, number)) => {
            let session = match envelope.addressed {
                Addressed::Letter { session, .. } => Some(session),
                Addressed::Everyone { .. } => None,
            };
            let sealed = SealedAs { message_id: envelope.message_id, number, session };
            deliver(KeyOutput::Event(NetEvent::Sent { draft, sealed }));
            deliver(KeyOutput::Say(envelope));
        }
        Err(reason) => deliver(KeyOutput::Event(NetEvent::SendFailed { draft, reason })),
    }
}

pub(super) fn unix_micros() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "keyring_end_tests.rs"]
mod end_tests;
