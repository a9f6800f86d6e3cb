//! The private key at work, on a thread of its own: seals what goes out, opens what is for us, and really tries the
//! key on what is for others, as far as a budget allows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::{
    codec::encode_client,
    crypto::{CannotOpen, Envelope, Identity, KeyId, Message, PublicKey, attempt, open, seal},
    message::{Blob, ClientMessage, Person},
    name::Name,
};
use tokio::sync::mpsc;

use crate::event::{DraftId, NetEvent, ReceivedMessage, WireEntry, WireOutcome};

/// Jobs that may wait; when more come, the connection is read no further until some are done.
const QUEUE_LENGTH: usize = 256;
/// Attempts on other people's envelopes: this many at once, and this many more each second.
const ATTEMPTS_BURST: f64 = 8.0;
const ATTEMPTS_PER_SECOND: f64 = 4.0;
/// How much of a ciphertext the wire view shows.
const SHOWN_CIPHERTEXT_BYTES: usize = 24;

/// What the thread is asked to do, in order.
pub(super) enum KeyJob {
    /// The dictionary is this.
    Dictionary(Vec<Person>),
    /// Somebody came.
    Joined(Person),
    /// Somebody went.
    Left(Name),
    /// Seal a text and hand over the frame.
    Seal { draft: DraftId, recipients: Vec<PublicKey>, text: String },
    /// An envelope came by.
    Envelope(Vec<u8>),
}

/// What comes of it.
pub(super) enum KeyOutput {
    /// For the window.
    Event(NetEvent),
    /// For the server.
    Frame(Bytes),
}

/// Sequence numbers, for as long as the program runs: an envelope that was opened once is not opened again on the next
/// connection.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// The highest opened, by sender: whatever is not above it was seen before.
    opened: HashMap<KeyId, u64>,
    own: u64,
}

/// Starts the thread; it ends when the job sender is dropped. `deliver` is called on it.
pub(super) fn start(
    identity: Arc<Identity>,
    sequences: Arc<Mutex<Sequences>>,
    deliver: impl Fn(KeyOutput) + Send + 'static,
) -> mpsc::Sender<KeyJob> {
    let (job_sender, mut jobs) = mpsc::channel(QUEUE_LENGTH);
    let mut keyring = Keyring::new(identity, sequences);
    thread::Builder::new()
        .name("triptych-keys".to_owned())
        .spawn(move || {
            while let Some(job) = jobs.blocking_recv() {
                keyring.work(job, Instant::now(), unix_micros()).into_iter().for_each(&deliver);
            }
        })
        .expect("the system can start a thread");
    job_sender
}

struct Keyring {
    identity: Arc<Identity>,
    /// Who is online, by key.
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
                    tracing::warn!("the server relayed something that is no envelope: {error}");
                    Vec::new()
                }
            },
        }
    }

    fn seal(&mut self, draft: DraftId, recipients: &[PublicKey], text: String, unix_micros: u64) -> Vec<KeyOutput> {
        // The clock keeps numbers growing across restarts, the comparison keeps them growing within one.
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

    /// In the order of the design: addressed to me, sender known, not seen before, then the cryptography.
    fn open(&mut self, envelope: &Envelope) -> Result<ReceivedMessage, CannotOpen> {
        let sender = self.people.get(&envelope.sender).ok_or(CannotOpen)?;
        if self.sequences().opened.get(&envelope.sender).is_some_and(|&highest| envelope.sequence <= highest) {
            return Err(CannotOpen);
        }
        let message = open(envelope, &self.identity, &sender.public_key)?;
        self.sequences().opened.insert(envelope.sender, envelope.sequence);
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
        // Each change is a single step, so a panic elsewhere leaves nothing half done.
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
    fn a_message_from_somebody_who_is_not_in_the_dictionary_is_rejected() {
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
