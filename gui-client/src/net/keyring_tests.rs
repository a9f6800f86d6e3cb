//! Opening, refusing and sealing, with fixed keys and without a thread.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use common::{
    codec::decode_client,
    crypto::{Identity, SessionRecord, test_keys},
    message::Person,
    name::Name,
};
use tempfile::TempDir;

use super::*;
use crate::net::{
    key_inbox::People, memories, own_numbers::OwnNumbers, received_file::ReceivedFile, test_online::ada_among,
};

const OPENED: WireOutcome = WireOutcome::Opened;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A person with the session key that everyone has in these tests.
fn person(text: &str, identity: &Identity) -> Person {
    let (name, public_key) = (name(text), identity.public_key().clone());
    let keys = test_keys::session_keys();
    let session = SessionRecord::sign(keys.current().public_key(), 1, identity, &name, &[0; 32]);
    Person { name, public_key, session, since_unix_secs: 0 }
}

/// The dictionary of the client that is the first of these.
fn dictionary(people: Vec<Person>) -> Arc<Dictionary> {
    Arc::new(Dictionary::new(&people[0], 1, people.clone()).unwrap())
}

fn bob_and_ada() -> Arc<Dictionary> {
    dictionary(vec![person("bob", &test_keys::bob()), person("ada", &test_keys::ada())])
}

/// Always the same, because two signatures of one record differ.
fn all_three() -> Arc<Dictionary> {
    static PEOPLE: LazyLock<Arc<Dictionary>> = LazyLock::new(|| {
        let [ada, bob, eve] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
        dictionary(vec![person("ada", &ada), person("bob", &bob), person("eve", &eve)])
    });
    Arc::clone(&PEOPLE)
}

/// A keyring, and the folder with its numbers.
struct Bench {
    keyring: Keyring,
    folder: TempDir,
}

fn memory(folder: &TempDir) -> Memory {
    memories::read(ReceivedFile::path_of(folder.path(), &name("ada")))
}

/// What the server gets of a message: what it hands on, and what it relays.
struct Sealed {
    handed: Vec<(KeyId, Envelope)>,
    said: Envelope,
}

impl Bench {
    fn new(owner: Identity) -> Self {
        Self::in_folder(owner, tempfile::tempdir().unwrap())
    }

    /// As after a start of the program.
    fn in_folder(owner: Identity, folder: TempDir) -> Self {
        let memory = memory(&folder);
        Self::with(owner, memory, folder)
    }

    fn with(owner: Identity, memory: Memory, folder: TempDir) -> Self {
        std::fs::create_dir_all(folder.path().join("identities")).unwrap();
        let numbers = OwnNumbers::open(folder.path(), &name("ada"));
        let own = OwnSession::with_keys(Arc::new(owner), name("ada"), [0; 32], numbers, test_keys::session_keys());
        Self { keyring: Keyring::new(own, memory, Instant::now()), folder }
    }

    fn work(&mut self, job: KeyJob, now: Instant, unix_micros: u64) -> Vec<KeyOutput> {
        let outputs = RefCell::new(Vec::new());
        self.keyring.work(job, now, unix_micros, &|output| outputs.borrow_mut().push(output));
        outputs.into_inner()
    }

    fn receive(&mut self, dictionary: &Arc<Dictionary>, bytes: Vec<u8>, now: Instant) -> (WireOutcome, Option<String>) {
        self.take_in(dictionary, bytes, false, now)
    }

    /// What the wire view says of an envelope, and the text that was in it.
    fn take_in(
        &mut self,
        dictionary: &Arc<Dictionary>,
        bytes: Vec<u8>,
        is_handed: bool,
        now: Instant,
    ) -> (WireOutcome, Option<String>) {
        let (envelope, dictionary) = (Envelope::parse(bytes).unwrap(), Arc::clone(dictionary));
        let mut outputs = self.work(KeyJob::Open(Arrived { envelope, dictionary, is_handed }), now, 0).into_iter();
        let Some(KeyOutput::Event(NetEvent::Envelope(entry))) = outputs.next() else { panic!("no entry") };
        let text = outputs.next().map(|output| match output {
            KeyOutput::Event(NetEvent::Received(message)) => message.text,
            _ => panic!("no message"),
        });
        (entry.outcome, text)
    }

    /// Seals a message to these people.
    fn say(
        &mut self,
        dictionary: &Arc<Dictionary>,
        to: &[Identity],
        departures: u64,
        unix_micros: u64,
    ) -> Result<Sealed, String> {
        let recipients = to.iter().map(|identity| identity.public_key().clone()).collect();
        let people = People { dictionary: Arc::clone(dictionary), departures };
        let message =
            Seal { draft: DraftId(1), recipients, text: "x".to_owned(), written_unix_millis: 5, people, again: None };
        let (now, mut handed) = (Instant::now(), Vec::new());
        // What was said before is written.
        self.work(KeyJob::SliceWritten, now, unix_micros);
        let mut outputs = self.work(KeyJob::Seal(message), now, unix_micros);
        while !outputs.is_empty() {
            for output in outputs {
                let frames = match output {
                    KeyOutput::Frame(frames) | KeyOutput::Slice(frames) => frames,
                    KeyOutput::Event(NetEvent::SendFailed { reason, .. }) => return Err(reason),
                    KeyOutput::Say(said) => return Ok(Sealed { handed, said }),
                    KeyOutput::Event(_) => continue,
                };
                for message in messages(&frames) {
                    match message {
                        ClientMessage::Hand { to, envelope } => handed.push((to, Envelope::parse(envelope.0).unwrap())),
                        other => panic!("{other:?}"),
                    }
                }
            }
            outputs = self.work(KeyJob::SliceWritten, now, unix_micros);
        }
        panic!("nothing was said")
    }

    /// Seals a message that was sealed before.
    fn say_again(&mut self, people: &Arc<Dictionary>, to: &[Identity], before: &SealedAs) -> Envelope {
        let recipients = to.iter().map(|identity| identity.public_key().clone()).collect();
        let people = People { dictionary: Arc::clone(people), departures: 0 };
        let again = Some(Box::new(before.clone()));
        let message =
            Seal { draft: DraftId(2), recipients, text: "x".to_owned(), written_unix_millis: 5, people, again };
        let outputs = self.work(KeyJob::Seal(message), Instant::now(), 50_000_000);
        let said = outputs.iter().find_map(|output| match output {
            KeyOutput::Say(said) => Some(said.clone()),
            _ => None,
        });
        said.expect("it is said")
    }

    /// Seals a message to Bob.
    fn say_to_bob(&mut self, unix_micros: u64) -> Envelope {
        self.say(&all_three(), &[test_keys::bob()], 0, unix_micros).unwrap().said
    }
}

/// The messages in some frames.
fn messages(mut frames: &[u8]) -> Vec<ClientMessage> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = frames.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(decode_client(frame).unwrap());
        frames = rest;
    }
    messages
}

fn letter_by(sender: &Identity, sequence: u64, content: Content) -> Vec<u8> {
    let bob = person("bob", &test_keys::bob());
    let letter = Letter { sent_unix_millis: 5, content };
    letter::seal(&letter, sequence, sender, &bob.public_key, &bob.session).unwrap().as_bytes().to_vec()
}

fn sealed_by(sender: &Identity, sequence: u64, text: &str) -> Vec<u8> {
    letter_by(sender, sequence, Content::Text(TextNumber { count: sequence, number: 1 }, text.to_owned()))
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

fn bytes(envelope: &Envelope) -> Vec<u8> {
    envelope.as_bytes().to_vec()
}

#[test]
fn everyone_who_was_handed_the_sender_key_reads_and_it_is_handed_once() {
    let (people, now) = (all_three(), Instant::now());
    let everyone = || [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let (mut ada, mut bob, mut eve) =
        (Bench::new(test_keys::ada()), Bench::new(test_keys::bob()), Bench::new(test_keys::eve()));
    let first = ada.say(&people, &everyone(), 0, 10_000_000).unwrap();
    let to: Vec<_> = first.handed.iter().map(|(to, _)| *to).collect();
    let mut expected = [&bob, &eve].map(|bench| bench.keyring.own.identity().public_key().id());
    expected.sort_unstable();
    let mut sorted = to.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "the others, each once");
    assert_eq!(
        bob.receive(&people, bytes(&first.said), now),
        (WireOutcome::NoSenderKey, None),
        "before it has the key"
    );
    for (key, letter) in &first.handed {
        let is_bob = *key == test_keys::bob().public_key().id();
        let reader = if is_bob { &mut bob } else { &mut eve };
        assert_eq!(reader.take_in(&people, bytes(letter), true, now), (WireOutcome::SenderKey, None));
    }
    let second = ada.say(&people, &everyone(), 0, 20_000_000).unwrap();
    assert!(second.handed.is_empty());
    assert!(second.said.as_bytes().len() <= 1024, "{} bytes for a line", second.said.as_bytes().len());
    for reader in [&mut bob, &mut eve] {
        for said in [&first.said, &second.said] {
            let (outcome, text) = reader.receive(&people, bytes(said), now);
            assert!(matches!(outcome, WireOutcome::OpenedWithSenderKey { .. }), "{outcome:?}");
            assert_eq!(text.as_deref(), Some("x"));
        }
        assert_eq!(reader.receive(&people, bytes(&second.said), now), (WireOutcome::Replay, None));
    }
}

#[test]
fn what_is_said_to_everyone_again_is_shown_once_and_uses_no_number_up() {
    let (people, now) = (all_three(), Instant::now());
    let everyone = || [test_keys::ada(), test_keys::bob()];
    let (mut ada, mut bob) = (Bench::new(test_keys::ada()), Bench::new(test_keys::bob()));
    let first = ada.say(&people, &everyone(), 0, 10_000_000).unwrap();
    let second = ada.say(&people, &everyone(), 0, 20_000_000).unwrap();
    bob.take_in(&people, bytes(&first.handed[0].1), true, now);
    assert!(bob.receive(&people, bytes(&second.said), now).1.is_some(), "and the first one is missing");
    let everyone_here = Recipient::Everyone([0; 32]);
    let number = ada.keyring.memory().sent.next(everyone_here, 0);
    let before = SealedAs {
        message_id: first.said.message_id,
        number: TextNumber { number: number.number - 2, ..number },
        session: None,
    };
    let again = ada.say_again(&people, &everyone(), &before);
    assert_eq!(again.message_id, first.said.message_id);
    assert!(bob.receive(&people, bytes(&again), now).1.is_some(), "late");
    let (outcome, text) = bob.receive(&people, bytes(&first.said), now);
    assert_eq!((outcome, text.as_deref()), (WireOutcome::SentAgain, Some("x")), "the window knows whether it is shown");
    assert_eq!(ada.keyring.memory().sent.next(everyone_here, 0), number);
}

#[test]
fn who_has_left_cannot_read_on_and_who_comes_cannot_read_back() {
    let (people, now) = (all_three(), Instant::now());
    let [ada_key, bob_key, eve_key] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let (mut ada, mut eve) = (Bench::new(test_keys::ada()), Bench::new(eve_key));
    let first = ada.say(&people, &[test_keys::ada(), test_keys::eve()], 0, 1).unwrap();
    assert_eq!(eve.take_in(&people, bytes(&first.handed[0].1), true, now).0, WireOutcome::SenderKey);
    assert!(eve.receive(&people, bytes(&first.said), now).1.is_some());

    // Eve has left and is back before the next line, as the count of departures says.
    let second = ada.say(&people, &[ada_key, test_keys::bob(), test_keys::eve()], 1, 2).unwrap();
    assert_eq!(second.handed.len(), 2, "a new key, for all");
    assert_eq!(eve.receive(&people, bytes(&second.said), now), (WireOutcome::NoSenderKey, None));

    // Bob comes after the third line.
    let third = ada.say(&people, &[test_keys::ada(), test_keys::eve()], 2, 3).unwrap();
    let fourth = ada.say(&people, &[test_keys::ada(), test_keys::eve(), test_keys::bob()], 2, 4).unwrap();
    assert_eq!(fourth.handed.len(), 1, "to Bob alone");
    let mut bob = Bench::new(bob_key);
    assert_eq!(bob.take_in(&people, bytes(&fourth.handed[0].1), true, now).0, WireOutcome::SenderKey);
    assert!(bob.receive(&people, bytes(&fourth.said), now).1.is_some());
    assert_eq!(bob.receive(&people, bytes(&third.said), now).1, None);
}

#[test]
fn the_sender_key_of_who_has_left_is_wiped() {
    let (people, now) = (all_three(), Instant::now());
    let (mut ada, mut eve) = (Bench::new(test_keys::ada()), Bench::new(test_keys::eve()));
    let said = ada.say(&people, &[test_keys::ada(), test_keys::eve()], 0, 1).unwrap();
    assert_eq!(eve.take_in(&people, bytes(&said.handed[0].1), true, now).0, WireOutcome::SenderKey);
    let mut without_ada =
        Dictionary::new(&person("eve", &test_keys::eve()), 1, people.people().cloned().collect()).unwrap();
    without_ada.left(2, &name("ada")).unwrap();
    let without_ada = Arc::new(without_ada);
    eve.work(KeyJob::People(People { dictionary: Arc::clone(&without_ada), departures: 1 }), now, 1);
    assert_eq!(eve.keyring.speakers.len(), 1, "what Ada said before may still wait to be opened");
    eve.work(KeyJob::CaughtUp(without_ada), now, 1);
    assert_eq!(eve.receive(&people, bytes(&said.said), now).0, WireOutcome::NoSenderKey);
}

#[test]
fn nothing_is_sealed_to_a_session_key_that_its_owner_has_not_signed() {
    let [ada_key, bob_key, eve_key] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let forged = Person {
        session: test_keys::unsigned_record(&name("bob"), bob_key.public_key(), 2),
        ..person("bob", &bob_key)
    };
    let people = dictionary(vec![person("ada", &ada_key), forged, person("eve", &eve_key)]);
    let mut ada = Bench::new(ada_key);
    let refused = ada.say(&people, &[test_keys::bob()], 0, 1).map(|_| ()).unwrap_err();
    assert!(refused.contains("a session key for bob that bob has not signed"), "{refused}");
    let everyone = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    let said = ada.say(&people, &everyone, 0, 2).unwrap();
    let to: Vec<_> = said.handed.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [test_keys::eve().public_key().id()], "the others read it all the same");
}

#[test]
fn a_letter_to_one_person_does_not_wait_for_the_messages_to_everyone() {
    let others = test_keys::crowd();
    let online = ada_among(&others);
    let (mut ada, now) = (Bench::new(test_keys::ada()), Instant::now());
    let people = People { dictionary: Arc::clone(&online.people), departures: 0 };
    let recipients: Vec<_> = people.dictionary.people().map(|person| person.public_key.clone()).collect();
    let seal = |recipients, text: &str| {
        KeyJob::Seal(Seal {
            draft: DraftId(1),
            recipients,
            text: text.to_owned(),
            written_unix_millis: 5,
            people: people.clone(),
            again: None,
        })
    };
    let is_said = |outputs: &[KeyOutput]| outputs.iter().any(|output| matches!(output, KeyOutput::Say(_)));
    assert!(!is_said(&ada.work(seal(recipients.clone(), "to all"), now, 1)), "only a slice is handed over");
    assert!(is_said(&ada.work(seal(vec![recipients[1].clone()], "to one"), now, 2)));
    let mut slices = 1;
    while !is_said(&ada.work(KeyJob::SliceWritten, now, 3)) {
        slices += 1;
        assert!(slices < others.len(), "it ends");
    }
}

#[test]
fn a_text_goes_to_all_and_a_letter_says_one_thing_to_one_person() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    assert_eq!(bob.take_in(&people, sealed(1, "psst"), true, now), (WireOutcome::Rejected, None), "handed secretly");
    let no_key = Content::SenderKey(TextNumber { count: 3, number: 1 }, vec![1; 229].into());
    assert_eq!(bob.take_in(&people, letter_by(&test_keys::ada(), 3, no_key), true, now).0, WireOutcome::Rejected);
    assert_eq!(bob.receive(&people, sealed(4, "hello"), now), (OPENED, Some("hello".to_owned())));
}

#[test]
fn the_recipient_reads_and_a_replay_is_rejected() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    let envelope = sealed(7, "hello");
    let opened = |text: &str| (WireOutcome::Opened, Some(text.to_owned()));
    assert_eq!(bob.receive(&people, envelope.clone(), now), opened("hello"));
    assert_eq!(bob.receive(&people, envelope, now), (WireOutcome::Replay, None));
    assert_eq!(bob.receive(&people, sealed(8, "newer"), now), opened("newer"));
    assert_eq!(bob.receive(&people, sealed(6, "late"), now), opened("late"));
    assert_eq!(bob.receive(&people, sealed(6, "late"), now), (WireOutcome::Replay, None));
}

#[test]
fn a_replay_on_the_next_connection_is_rejected_too() {
    let memory = memory(&tempfile::tempdir().unwrap());
    let receive = |sequence| {
        let mut bob = Bench::with(test_keys::bob(), Arc::clone(&memory), tempfile::tempdir().unwrap());
        bob.receive(&bob_and_ada(), sealed(sequence, "hello"), Instant::now()).0
    };
    assert_eq!([7, 7, 8, 6].map(receive), [OPENED, WireOutcome::Replay, OPENED, OPENED]);
}

/// The test's session keys survive the restart, so that only the file can refuse.
#[test]
fn a_replay_after_a_restart_is_rejected_and_so_is_everything_before_it() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    assert_eq!(bob.receive(&people, sealed(7, "hello"), now).0, OPENED);
    let deadline = bob.keyring.next_deadline();
    assert!(deadline < bob.keyring.own.next_deadline(), "it is written soon");
    bob.work(KeyJob::Tick, deadline, 0);
    let mut bob = Bench::in_folder(test_keys::bob(), bob.folder);
    let receive = |sequence| bob.receive(&people, sealed(sequence, "hello"), now).0;
    assert_eq!([7, 6, 8].map(receive), [WireOutcome::Replay, WireOutcome::Replay, OPENED]);
}

#[test]
fn a_session_key_whose_time_is_over_is_replaced_and_published() {
    let mut ada = Bench::new(test_keys::ada());
    let deadline = ada.keyring.own.next_deadline();
    assert!(ada.work(KeyJob::Tick, Instant::now(), 5).is_empty());
    let outputs = ada.work(KeyJob::Tick, deadline, 5);
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
    assert_eq!(bob.receive(&alone, sealed(1, "x"), now).0, WireOutcome::UnknownSender);
    assert_eq!(bob.receive(&bob_and_ada(), sealed(2, "x"), now).0, WireOutcome::Opened);
}

#[test]
fn a_letter_to_a_session_key_that_is_gone_is_named_so_and_is_no_fault_of_its_sender() {
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    for sequence in 1..=20 {
        let mut letter = sealed(sequence, "late");
        // The first byte of the session id, after version, suite, message id, sequence, sender and recipient.
        letter[90] ^= 1;
        assert_eq!(bob.receive(&people, letter, now), (WireOutcome::SessionKeyGone, None));
    }
    assert_eq!(
        bob.receive(&people, sealed(1, "hello"), now).0,
        WireOutcome::Opened,
        "no number and no trust was used up"
    );
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
        assert_eq!(bob.receive(&people, envelope.clone(), now).0, WireOutcome::Replay);
    }
    assert_eq!(bob.receive(&people, sealed(8, "and again"), now).0, WireOutcome::Opened);
}

#[test]
fn a_clock_that_is_set_back_costs_no_message() {
    const NOON: u64 = 1_779_364_800_000_000;
    let mut ada = Bench::new(test_keys::ada());
    let (mut bob, people, now) = (Bench::new(test_keys::bob()), bob_and_ada(), Instant::now());
    let mut last = 0;
    let mut arrives = |envelope: &Envelope| {
        assert!(envelope.sequence > last, "a lower one would be refused once 64 have come, and by a restarted client");
        last = envelope.sequence;
        bob.receive(&people, envelope.as_bytes().to_vec(), now).0
    };
    assert_eq!(arrives(&ada.say_to_bob(NOON)), WireOutcome::Opened);
    assert_eq!(arrives(&ada.say_to_bob(NOON)), WireOutcome::Opened, "within one microsecond");
    assert_eq!(arrives(&ada.say_to_bob(NOON - 3_600_000_000)), WireOutcome::Opened, "an hour back");
    // The program is started anew, and the clock is set back further.
    let mut ada = Bench::in_folder(test_keys::ada(), ada.folder);
    assert_eq!(arrives(&ada.say_to_bob(NOON - 7_200_000_000)), WireOutcome::Opened);
}
