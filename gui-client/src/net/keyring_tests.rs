//! Opening, refusing and sealing, with fixed keys and without a thread.

use std::{sync::Arc, time::Duration};

use common::{
    codec::decode_client,
    crypto::{Identity, test_keys},
    message::Person,
    name::Name,
};
use tempfile::TempDir;

use super::*;
use crate::{event::DraftId, net::own_numbers::OwnNumbers};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn person(text: &str, identity: &Identity) -> Person {
    let (name, public_key) = (name(text), identity.public_key().clone());
    let session = test_keys::unsigned_record(&name, &public_key, 1);
    Person { name, public_key, session, since_unix_secs: 0 }
}

fn dictionary(people: Vec<Person>) -> Arc<Dictionary> {
    Arc::new(Dictionary::new(&people[0], 1, people.clone()).unwrap())
}

/// Bob is the first, so that this is the dictionary of Bob's client.
fn bob_and_ada() -> Arc<Dictionary> {
    dictionary(vec![person("bob", &test_keys::bob()), person("ada", &test_keys::ada())])
}

/// A keyring, and the folder with its numbers.
struct Bench {
    keyring: Keyring,
    folder: TempDir,
}

impl Bench {
    fn new(owner: Identity) -> Self {
        Self::with(owner, Arc::default(), tempfile::tempdir().unwrap())
    }

    fn with(owner: Identity, sequences: Arc<Mutex<Sequences>>, folder: TempDir) -> Self {
        std::fs::create_dir_all(folder.path().join("identities")).unwrap();
        let numbers = OwnNumbers::open(folder.path(), &name("ada"));
        let own = OwnSession::begin(Arc::new(owner), name("ada"), [0; 32], numbers, Instant::now());
        Self { keyring: Keyring::new(own, sequences, Instant::now()), folder }
    }

    fn receive(&mut self, dictionary: &Arc<Dictionary>, bytes: Vec<u8>, now: Instant) -> (WireOutcome, Option<String>) {
        let arrived = Arrived { envelope: Envelope::parse(bytes).unwrap(), dictionary: Arc::clone(dictionary) };
        let mut outputs = self.keyring.work(KeyJob::Open(arrived), now, 0).into_iter();
        let Some(KeyOutput::Event(NetEvent::Envelope(entry))) = outputs.next() else { panic!("no entry") };
        let text = outputs.next().map(|output| match output {
            KeyOutput::Event(NetEvent::Received(message)) => message.text,
            _ => panic!("no message"),
        });
        (entry.outcome, text)
    }

    /// Seals a message to Bob and returns what the server gets.
    fn say(&mut self, unix_micros: u64) -> Envelope {
        let recipients = vec![test_keys::bob().public_key().clone()];
        let seal = Seal { draft: DraftId(1), recipients, text: "x".to_owned() };
        let outputs = self.keyring.work(KeyJob::Seal(seal), Instant::now(), unix_micros);
        let Some(KeyOutput::Frame(frame)) = outputs.into_iter().nth(1) else { panic!("no frame") };
        let Ok(ClientMessage::Say { envelope }) = decode_client(&frame[4..]) else { panic!("no envelope") };
        Envelope::parse(envelope.0).unwrap()
    }
}

fn sealed_by(sender: &Identity, sequence: u64, text: &str) -> Vec<u8> {
    let message = Message { sent_unix_millis: 5, text: text.to_owned() };
    let to_bob = [test_keys::bob().public_key().clone()];
    seal(&message, sequence, sender, &to_bob).unwrap().as_bytes().to_vec()
}

fn sealed(sequence: u64, text: &str) -> Vec<u8> {
    sealed_by(&test_keys::ada(), sequence, text)
}

/// An envelope that Ada really sent to Bob, with its last byte changed on the way.
fn damaged(sequence: u64) -> Vec<u8> {
    let mut bytes = sealed(sequence, "x");
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn the_recipient_reads_and_a_replay_is_rejected() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    let envelope = sealed(7, "hello");
    let opened = |text: &str| (WireOutcome::Opened, Some(text.to_owned()));
    assert_eq!(bob.receive(&people, envelope.clone(), now), opened("hello"));
    assert_eq!(bob.receive(&people, envelope, now), (WireOutcome::Rejected, None));
    assert_eq!(bob.receive(&people, sealed(6, "older"), now), (WireOutcome::Rejected, None));
    assert_eq!(bob.receive(&people, sealed(8, "newer"), now), opened("newer"));
}

#[test]
fn a_replay_on_the_next_connection_is_rejected_too() {
    let sequences = Arc::default();
    let receive = |sequence| {
        let mut bob = Bench::with(test_keys::bob(), Arc::clone(&sequences), tempfile::tempdir().unwrap());
        bob.receive(&bob_and_ada(), sealed(sequence, "hello"), Instant::now()).0
    };
    assert_eq!([7, 7, 8].map(receive), [WireOutcome::Opened, WireOutcome::Rejected, WireOutcome::Opened]);
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
fn a_session_key_whose_time_is_over_is_replaced_and_published() {
    let mut ada = Bench::new(test_keys::ada());
    let deadline = ada.keyring.own.next_deadline();
    assert!(ada.keyring.work(KeyJob::Tick, Instant::now(), 5).is_empty());
    let outputs = ada.keyring.work(KeyJob::Tick, deadline, 5);
    let [KeyOutput::Frame(frame)] = &outputs[..] else { panic!("no frame") };
    let Ok(ClientMessage::Renew { session }) = decode_client(&frame[4..]) else { panic!("no renewal") };
    let session = SessionRecord::parse(&session.0).unwrap();
    assert!(session.verify(test_keys::ada().public_key(), &name("ada"), &[0; 32]));
    assert!(ada.keyring.own.next_deadline() > deadline);
}

#[test]
fn a_message_from_a_key_that_is_not_in_the_dictionary_is_rejected() {
    let (mut bob, now) = (Bench::new(test_keys::bob()), Instant::now());
    let alone = dictionary(vec![person("bob", &test_keys::bob())]);
    assert_eq!(bob.receive(&alone, sealed(1, "x"), now).0, WireOutcome::Rejected);
    assert_eq!(bob.receive(&bob_and_ada(), sealed(2, "x"), now).0, WireOutcome::Opened);
}

#[test]
fn others_try_and_cannot_within_their_budget() {
    let mut eve = Bench::new(test_keys::eve());
    let people = dictionary(vec![person("eve", &test_keys::eve()), person("ada", &test_keys::ada())]);
    let start = Instant::now();
    let outcomes: Vec<_> = (0..10).map(|n| eve.receive(&people, sealed(n, "secret"), start).0).collect();
    assert_eq!(outcomes[..8], [WireOutcome::Foreign; 8]);
    assert_eq!(outcomes[8..], [WireOutcome::NotTried; 2]);
    let later = start + Duration::from_millis(300);
    assert_eq!(eve.receive(&people, sealed(11, "x"), later).0, WireOutcome::Foreign);
}

#[test]
fn a_sender_of_junk_is_not_tried_for_long_and_no_one_else_suffers() {
    let mut bob = Bench::new(test_keys::bob());
    let people = dictionary(vec![
        person("bob", &test_keys::bob()),
        person("ada", &test_keys::ada()),
        person("eve", &test_keys::eve()),
    ]);
    let start = Instant::now();
    let outcomes: Vec<_> = (1..=20).map(|n| bob.receive(&people, damaged(n), start).0).collect();
    assert_eq!(outcomes[..8], [WireOutcome::Rejected; 8]);
    assert_eq!(outcomes[8..], [WireOutcome::TooManyFailures; 12], "no decryption is spent on them");
    assert_eq!(bob.receive(&people, sealed(21, "hello"), start).0, WireOutcome::TooManyFailures);
    for n in 0..20 {
        let honest = sealed_by(&test_keys::eve(), n, "hello");
        assert_eq!(bob.receive(&people, honest, start).0, WireOutcome::Opened, "letter {n}");
    }
    let later = start + Duration::from_millis(300);
    assert_eq!(bob.receive(&people, sealed(22, "hello"), later).0, WireOutcome::Opened, "tried again after a while");
}

#[test]
fn replays_do_not_use_up_the_budget_of_the_one_they_imitate() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    let envelope = sealed(7, "hello");
    assert_eq!(bob.receive(&people, envelope.clone(), now).0, WireOutcome::Opened);
    for _ in 0..50 {
        assert_eq!(bob.receive(&people, envelope.clone(), now).0, WireOutcome::Rejected);
    }
    assert_eq!(bob.receive(&people, sealed(8, "and again"), now).0, WireOutcome::Opened);
}

#[test]
fn a_clock_that_is_set_back_costs_no_message() {
    const NOON: u64 = 1_779_364_800_000_000;
    let mut ada = Bench::new(test_keys::ada());
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    let mut arrives = |envelope: &Envelope| bob.receive(&people, envelope.as_bytes().to_vec(), now).0;
    assert_eq!(arrives(&ada.say(NOON)), WireOutcome::Opened);
    assert_eq!(arrives(&ada.say(NOON)), WireOutcome::Opened, "within one microsecond");
    assert_eq!(arrives(&ada.say(NOON - 3_600_000_000)), WireOutcome::Opened, "an hour back");
    // The program is started anew, and the clock is set back further.
    let mut ada = Bench::with(test_keys::ada(), Arc::default(), ada.folder);
    assert_eq!(arrives(&ada.say(NOON - 7_200_000_000)), WireOutcome::Opened);
}
