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
    crypto::{CannotOpen, Envelope, Identity, KeyId, Message, PublicKey, attempt, open, seal},
    limits::MAX_PEOPLE,
    message::{Blob, ClientMessage, Person},
    name::Name,
};
use tokio::sync::mpsc;

use crate::event::{DraftId, NetEvent, ReceivedMessage, WireEntry, WireOutcome};

/// Jobs that may wait. When the queue is full, the network task stops reading from the connection until there is room.
const QUEUE_LENGTH: usize = 256;
/// Attempts to open envelopes addressed to others: the burst, and the rate at which the allowance is refilled.
const ATTEMPTS_BURST: f64 = 8.0;
const ATTEMPTS_PER_SECOND: f64 = 4.0;
/// How much of a ciphertext is kept for the wire view.
const SHOWN_CIPHERTEXT_BYTES: usize = 24;
/// Senders whose last sequence number is remembered. All people online fit several times over.
const MAX_REMEMBERED_SENDERS: usize = 4 * MAX_PEOPLE;

/// A request to the thread. Requests are handled in order.
pub(super) enum KeyJob {
    /// Replaces the dictionary.
    Dictionary(Vec<Person>),
    /// Adds a person to the dictionary.
    Joined(Person),
    /// Removes a person from the dictionary.
    Left(Name),
    /// Seals a text and outputs the frame to be sent.
    Seal { draft: DraftId, recipients: Vec<PublicKey>, text: String },
    /// Opens an envelope that the server relayed, or tries to.
    Envelope(Vec<u8>),
}

/// The result of a job.
pub(super) enum KeyOutput {
    /// For the window.
    Event(NetEvent),
    /// For the server.
    Frame(Bytes),
}

/// Sequence numbers of opened and sent messages. They outlive a connection, so that an envelope that was opened once is not
/// opened again on the next one.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    opened: HashMap<KeyId, LastOpened>,
    /// Messages opened in all.
    opened_count: u64,
    /// Sequence number of the last message that this client sealed.
    own: u64,
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
    identity: Arc<Identity>,
    sequences: Arc<Mutex<Sequences>>,
    deliver: impl Fn(KeyOutput) + Send + 'static,
) -> io::Result<mpsc::Sender<KeyJob>> {
    let (job_sender, mut jobs) = mpsc::channel(QUEUE_LENGTH);
    let mut keyring = Keyring::new(identity, sequences);
    thread::Builder::new().name("triptych-keys".to_owned()).spawn(move || {
        while let Some(job) = jobs.blocking_recv() {
            keyring.work(job, Instant::now(), unix_micros()).into_iter().for_each(&deliver);
        }
    })?;
    Ok(job_sender)
}

struct Keyring {
    identity: Arc<Identity>,
    /// The dictionary, by key.
    people: HashMap<KeyId, Person>,
    sequences: Arc<Mutex<Sequences>>,
    attempts_left: f64,
    attempts_counted_at: Option<Instant>,
}

impl Keyring {
    fn new(identity: Arc<Identity>, sequences: Arc<Mutex<Sequences>>) -> Self {
        Self { identity, people: HashMap::new(), sequences, attempts_left: ATTEMPTS_BURST, attempts_counted_at: None }
    }

    fn work(&mut self, job: KeyJob, now: Instant, unix_micros: u64) -> Vec<KeyOutput> {
        match job {
            KeyJob::Dictionary(people) => {
                self.people = people.into_iter().map(|person| (person.public_key.id(), person)).collect();
                Vec::new()
            }
            KeyJob::Joined(person) => {
                self.people.insert(person.public_key.id(), person);
                Vec::new()
            }
            KeyJob::Left(name) => {
                self.people.retain(|_, person| person.name != name);
                Vec::new()
            }
            KeyJob::Seal { draft, recipients, text } => self.seal(draft, &recipients, text, unix_micros),
            KeyJob::Envelope(bytes) => match Envelope::parse(bytes) {
                Ok(envelope) => self.receive(&envelope, now),
                Err(error) => {
                    tracing::warn!("the server relayed bytes that are not an envelope: {error}");
                    Vec::new()
                }
            },
        }
    }

    fn seal(&mut self, draft: DraftId, recipients: &[PublicKey], text: String, unix_micros: u64) -> Vec<KeyOutput> {
        // Taken from the clock so that numbers grow across restarts; the comparison makes them grow within one run.
        let sequence = {
            let mut sequences = self.sequences();
            sequences.own = unix_micros.max(sequences.own + 1);
            sequences.own
        };
        let message = Message { sent_unix_millis: unix_micros / 1000, text };
        match seal(&message, sequence, &self.identity, recipients) {
            Ok(envelope) => {
                let message_id = envelope.message_id;
                let say = ClientMessage::Say { envelope: Blob(envelope.as_bytes().to_vec()) };
                vec![KeyOutput::Event(NetEvent::Sent { draft, message_id }), KeyOutput::Frame(encode_client(&say))]
            }
            Err(error) => vec![KeyOutput::Event(NetEvent::SendFailed { draft, reason: error.to_string() })],
        }
    }

    fn receive(&mut self, envelope: &Envelope, now: Instant) -> Vec<KeyOutput> {
        let me = self.identity.public_key().id();
        let mut message = None;
        let outcome = if envelope.sender == me {
            WireOutcome::Own
        } else if envelope.recipients().any(|recipient| recipient == me) {
            match self.open(envelope) {
                Ok(opened) => {
                    message = Some(opened);
                    WireOutcome::Opened
                }
                Err(CannotOpen) => WireOutcome::Rejected,
            }
        } else if self.may_attempt(now) {
            match attempt(envelope, &self.identity) {
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
    /// sequence number is new, then the cryptography.
    fn open(&mut self, envelope: &Envelope) -> Result<ReceivedMessage, CannotOpen> {
        let sender = self.people.get(&envelope.sender).ok_or(CannotOpen)?;
        if self.sequences().is_replay(&envelope.sender, envelope.sequence) {
            return Err(CannotOpen);
        }
        let message = open(envelope, &self.identity, &sender.public_key)?;
        self.sequences().note_opened(envelope.sender, envelope.sequence, |key| self.people.contains_key(key));
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

    fn may_attempt(&mut self, now: Instant) -> bool {
        let passed = self.attempts_counted_at.map_or(0.0, |then| now.duration_since(then).as_secs_f64());
        self.attempts_counted_at = Some(now);
        self.attempts_left = (self.attempts_left + passed * ATTEMPTS_PER_SECOND).min(ATTEMPTS_BURST);
        let may = self.attempts_left >= 1.0;
        if may {
            self.attempts_left -= 1.0;
        }
        may
    }
}

fn wire_entry(envelope: &Envelope, outcome: WireOutcome) -> WireEntry {
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

fn unix_micros() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::crypto::test_keys;

    use super::*;

    fn person(name: &str, identity: &Identity) -> Person {
        Person { name: Name::parse(name).unwrap(), public_key: identity.public_key().clone() }
    }

    /// A keyring whose owner knows Ada and Bob.
    fn keyring(owner: Identity) -> Keyring {
        keyring_with(owner, Arc::default())
    }

    fn keyring_with(owner: Identity, sequences: Arc<Mutex<Sequences>>) -> Keyring {
        let mut keyring = Keyring::new(Arc::new(owner), sequences);
        let people = vec![person("ada", &test_keys::ada()), person("bob", &test_keys::bob())];
        keyring.work(KeyJob::Dictionary(people), Instant::now(), 0);
        keyring
    }

    fn sealed(sequence: u64, text: &str) -> Vec<u8> {
        let message = Message { sent_unix_millis: 5, text: text.to_owned() };
        let to_bob = [test_keys::bob().public_key().clone()];
        seal(&message, sequence, &test_keys::ada(), &to_bob).unwrap().as_bytes().to_vec()
    }

    fn events(outcomes: Vec<KeyOutput>) -> (Vec<WireOutcome>, Vec<String>) {
        let (mut wire, mut texts) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                KeyOutput::Event(NetEvent::Envelope(entry)) => wire.push(entry.outcome),
                KeyOutput::Event(NetEvent::Received(message)) => texts.push(message.text),
                _ => panic!("neither envelope nor message"),
            }
        }
        (wire, texts)
    }

    #[test]
    fn the_recipient_reads_and_a_replay_is_rejected() {
        let mut bob = keyring(test_keys::bob());
        let envelope = sealed(7, "hello");
        let mut receive = |bytes: Vec<u8>| events(bob.work(KeyJob::Envelope(bytes), Instant::now(), 0));
        assert_eq!(receive(envelope.clone()), (vec![WireOutcome::Opened], vec!["hello".to_owned()]));
        assert_eq!(receive(envelope), (vec![WireOutcome::Rejected], vec![]));
        assert_eq!(receive(sealed(6, "older")), (vec![WireOutcome::Rejected], vec![]));
        assert_eq!(receive(sealed(8, "newer")), (vec![WireOutcome::Opened], vec!["newer".to_owned()]));
    }

    #[test]
    fn a_replay_on_the_next_connection_is_rejected_too() {
        let sequences = Arc::default();
        let receive = |sequence| {
            let mut bob = keyring_with(test_keys::bob(), Arc::clone(&sequences));
            events(bob.work(KeyJob::Envelope(sealed(sequence, "hello")), Instant::now(), 0)).0
        };
        assert_eq!(receive(7), [WireOutcome::Opened]);
        assert_eq!(receive(7), [WireOutcome::Rejected]);
        assert_eq!(receive(8), [WireOutcome::Opened]);
    }

    #[test]
    fn senders_are_forgotten_oldest_first_and_never_while_they_are_online() {
        let key = |number: usize| {
            let mut key = KeyId([0; 32]);
            key.0[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        let mut sequences = Sequences::default();
        let is_online = |online: &KeyId| *online == key(0);
        for number in 0..3 * MAX_REMEMBERED_SENDERS {
            sequences.note_opened(key(number), 7, is_online);
        }
        assert_eq!(sequences.opened.len(), MAX_REMEMBERED_SENDERS);
        assert!(sequences.is_replay(&key(0), 7), "online");
        assert!(sequences.is_replay(&key(3 * MAX_REMEMBERED_SENDERS - 1), 7), "recent");
        assert!(!sequences.is_replay(&key(1), 7), "left long ago");
        assert!(!sequences.is_replay(&key(0), 8), "a later message");
    }

    #[test]
    fn a_message_from_a_key_that_is_not_in_the_dictionary_is_rejected() {
        let mut bob = keyring(test_keys::bob());
        bob.work(KeyJob::Left(Name::parse("ada").unwrap()), Instant::now(), 0);
        assert_eq!(events(bob.work(KeyJob::Envelope(sealed(1, "x")), Instant::now(), 0)).0, [WireOutcome::Rejected]);
        bob.work(KeyJob::Joined(person("ada", &test_keys::ada())), Instant::now(), 0);
        assert_eq!(events(bob.work(KeyJob::Envelope(sealed(2, "x")), Instant::now(), 0)).0, [WireOutcome::Opened]);
    }

    #[test]
    fn others_try_and_cannot_within_their_budget() {
        let mut eve = keyring(test_keys::eve());
        let start = Instant::now();
        let mut outcomes = Vec::new();
        for n in 0..10 {
            outcomes.extend(events(eve.work(KeyJob::Envelope(sealed(n, "secret")), start, 0)).0);
        }
        assert_eq!(outcomes[..8], [WireOutcome::Foreign; 8]);
        assert_eq!(outcomes[8..], [WireOutcome::NotTried; 2]);
        let later = start + Duration::from_millis(300);
        assert_eq!(events(eve.work(KeyJob::Envelope(sealed(11, "x")), later, 0)).0, [WireOutcome::Foreign]);
    }

    #[test]
    fn own_envelopes_are_recognised_and_numbers_grow_even_when_the_clock_does_not() {
        let mut ada = keyring(test_keys::ada());
        let mut seal_one = |unix_micros| {
            let recipients = vec![test_keys::bob().public_key().clone()];
            let job = KeyJob::Seal { draft: DraftId(1), recipients, text: "x".to_owned() };
            let outcomes = ada.work(job, Instant::now(), unix_micros);
            let Some(KeyOutput::Frame(frame)) = outcomes.into_iter().nth(1) else { panic!("no frame") };
            let Ok(ClientMessage::Say { envelope }) = common::codec::decode_client(&frame[4..]) else { panic!() };
            Envelope::parse(envelope.0).unwrap()
        };
        let (first, second) = (seal_one(1_000_000), seal_one(1_000_000));
        assert!(second.sequence > first.sequence);
        let outcomes = ada.work(KeyJob::Envelope(first.as_bytes().to_vec()), Instant::now(), 0);
        assert_eq!(events(outcomes).0, [WireOutcome::Own]);
    }
}
