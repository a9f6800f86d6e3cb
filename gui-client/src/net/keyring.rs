//! The thread that works with the private key: it seals outgoing messages, opens those addressed to this client, and also
//! tries the key on those addressed to others, within a budget, so that the wire view shows what really happened.
//!
//! An RSA operation with 3072 bits takes milliseconds, too long for the network thread.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::{
    codec::encode_client,
    crypto::{CannotOpen, Envelope, KeyId, Message, SessionRecord, attempt, open, seal},
    limits::MAX_PEOPLE,
    message::{Blob, ClientMessage},
};

use super::{
    allowance::{Allowance, FailureBudget},
    key_inbox::{Arrived, KeyJob, KeySender, Seal, inbox},
    own_session::OwnSession,
};
use crate::{
    dictionary::Dictionary,
    event::{NetEvent, ReceivedMessage, WireEntry, WireOutcome},
};

/// How much of a ciphertext is kept for the wire view.
const SHOWN_CIPHERTEXT_BYTES: usize = 24;
/// Senders whose last sequence number is remembered. All people online fit several times over.
const MAX_REMEMBERED_SENDERS: usize = 2 * MAX_PEOPLE;

/// The result of a job.
pub(super) enum KeyOutput {
    /// For the window.
    Event(NetEvent),
    /// For the server.
    Frame(Bytes),
}

/// Sequence numbers of opened messages. They outlive a connection, so that an envelope that was opened once is not opened
/// again on the next one.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    opened: HashMap<KeyId, LastOpened>,
    /// Messages opened in all.
    opened_count: u64,
}

/// The message with the highest sequence number that a sender's key opened.
#[derive(Debug)]
struct LastOpened {
    /// A message with this number or a lower one is a replay.
    sequence: u64,
    /// Its place among all messages opened.
    opened_as: u64,
}

impl Sequences {
    fn is_replay(&self, sender: &KeyId, sequence: u64) -> bool {
        self.opened.get(sender).is_some_and(|last| sequence <= last.sequence)
    }

    /// Remembers an opened message. Beyond [`MAX_REMEMBERED_SENDERS`], the sender whose last message is oldest is forgotten,
    /// but none that is online: a server could otherwise fill the memory with keys, or replay a message of someone present.
    fn note_opened(&mut self, sender: KeyId, sequence: u64, is_online: impl Fn(&KeyId) -> bool) {
        self.opened_count += 1;
        self.opened.insert(sender, LastOpened { sequence, opened_as: self.opened_count });
        if self.opened.len() > MAX_REMEMBERED_SENDERS {
            let offline = self.opened.iter().filter(|(key, _)| !is_online(key));
            let oldest = offline.min_by_key(|(_, last)| last.opened_as).map(|(key, _)| *key);
            oldest.and_then(|key| self.opened.remove(&key));
        }
    }
}

/// Starts the thread; it ends when the returned sender is dropped. `deliver` is called on it.
pub(super) fn start(
    own: OwnSession,
    sequences: Arc<Mutex<Sequences>>,
    deliver: impl Fn(KeyOutput) + Send + 'static,
) -> io::Result<KeySender> {
    let (sender, jobs) = inbox();
    let mut keyring = Keyring::new(own, sequences, Instant::now());
    thread::Builder::new().name("triptych-keys".to_owned()).spawn(move || {
        while let Some(job) = jobs.next(keyring.own.next_deadline()) {
            keyring.work(job, Instant::now(), unix_micros()).into_iter().for_each(&deliver);
        }
    })?;
    Ok(sender)
}

struct Keyring {
    own: OwnSession,
    sequences: Arc<Mutex<Sequences>>,
    /// For trying the key on envelopes that are addressed to others.
    attempts: Allowance,
    /// For opening envelopes that are addressed to this client.
    failures: FailureBudget,
}

impl Keyring {
    fn new(own: OwnSession, sequences: Arc<Mutex<Sequences>>, now: Instant) -> Self {
        Self { own, sequences, attempts: Allowance::new(now), failures: FailureBudget::default() }
    }

    fn work(&mut self, job: KeyJob, now: Instant, unix_micros: u64) -> Vec<KeyOutput> {
        match job {
            KeyJob::Seal(message) => self.seal(message, unix_micros),
            KeyJob::Open(arrived) => self.receive(&arrived, now),
            KeyJob::NoteDropped(count) => vec![KeyOutput::Event(NetEvent::EnvelopesDropped(count))],
            KeyJob::Tick => self.own.renewed(now, unix_micros).into_iter().map(renewal).collect(),
        }
    }

    fn seal(&mut self, Seal { draft, recipients, text }: Seal, unix_micros: u64) -> Vec<KeyOutput> {
        let message = Message { sent_unix_millis: unix_micros / 1000, text };
        match seal(&message, self.own.next_number(unix_micros), self.own.identity(), &recipients) {
            Ok(envelope) => {
                let message_id = envelope.message_id;
                let say = ClientMessage::Say { envelope: Blob(envelope.as_bytes().to_vec()) };
                vec![KeyOutput::Event(NetEvent::Sent { draft, message_id }), KeyOutput::Frame(encode_client(&say))]
            }
            Err(error) => vec![KeyOutput::Event(NetEvent::SendFailed { draft, reason: error.to_string() })],
        }
    }

    fn receive(&mut self, Arrived { envelope, dictionary }: &Arrived, now: Instant) -> Vec<KeyOutput> {
        let me = self.own.identity().public_key().id();
        let mut message = None;
        let outcome = if envelope.recipients().any(|recipient| recipient == me) {
            match self.open(envelope, dictionary, now) {
                Ok(opened) => {
                    message = Some(opened);
                    WireOutcome::Opened
                }
                Err(outcome) => outcome,
            }
        } else if self.attempts.take(now) {
            match attempt(envelope, self.own.identity()) {
                Ok(()) => WireOutcome::Rejected,
                Err(CannotOpen) => WireOutcome::Foreign,
            }
        } else {
            WireOutcome::NotTried
        };
        let entry = NetEvent::Envelope(wire_entry(envelope, outcome));
        let message = message.map(NetEvent::Received);
        [Some(entry), message].into_iter().flatten().map(KeyOutput::Event).collect()
    }

    /// Checks cheap things before expensive ones, in the order of docs/PROTOCOL.md: the sender is in the dictionary, the
    /// sequence number is new, then the cryptography, if the sender has not caused too many failures lately.
    fn open(
        &mut self,
        envelope: &Envelope,
        dictionary: &Dictionary,
        now: Instant,
    ) -> Result<ReceivedMessage, WireOutcome> {
        let sender = dictionary.person(&envelope.sender).ok_or(WireOutcome::Rejected)?;
        if self.sequences().is_replay(&envelope.sender, envelope.sequence) {
            return Err(WireOutcome::Rejected);
        }
        if !self.failures.may_try(&envelope.sender, now) {
            return Err(WireOutcome::TooManyFailures);
        }
        let message = open(envelope, self.own.identity(), &sender.public_key).map_err(|CannotOpen| {
            self.failures.note_failure(envelope.sender, now);
            WireOutcome::Rejected
        })?;
        let is_online = |key: &KeyId| dictionary.person(key).is_some();
        self.sequences().note_opened(envelope.sender, envelope.sequence, is_online);
        Ok(ReceivedMessage {
            from: sender.name.clone(),
            sender: envelope.sender,
            recipients: envelope.recipients().collect(),
            message_id: envelope.message_id,
            sent_unix_millis: message.sent_unix_millis,
            text: message.text,
        })
    }

    fn sequences(&self) -> MutexGuard<'_, Sequences> {
        // Poisoning is ignored: each change is a single step, so a panic leaves nothing half done.
        self.sequences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be seen of an envelope without a key.
pub(super) fn wire_entry(envelope: &Envelope, outcome: WireOutcome) -> WireEntry {
    let body = envelope.body();
    WireEntry {
        message_id: envelope.message_id,
        sender: envelope.sender,
        recipients: envelope.recipients().collect(),
        envelope_bytes: envelope.as_bytes().len(),
        ciphertext_start: body[..body.len().min(SHOWN_CIPHERTEXT_BYTES)].to_vec(),
        outcome,
    }
}

/// Publishes a new session key.
fn renewal(session: SessionRecord) -> KeyOutput {
    KeyOutput::Frame(encode_client(&ClientMessage::Renew { session: Blob(session.as_bytes().to_vec()) }))
}

pub(super) fn unix_micros() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
