//! Tests of the session machine: every message in every state, and the checks behind each.

use std::time::Instant;

use common::{
    crypto::{
        Envelope, Identity, JoinTranscript, Message, SESSION_PUBLIC_KEY_BYTES, SessionRecord, TextNumber,
        sender_key::Speaker, test_keys,
    },
    limits::{MAX_CREDIT, PROTOCOL_VERSION},
    media::{Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, StreamId, VideoId},
    message::{Blob, ClientMessage, MAGIC, Person, RefusalCode},
    name::Name,
    party::PartyRequest,
    test_messages::{letter, watch_message},
};

use super::machine::{Action, ConnectionBinding, Machine};

const BINDING: ConnectionBinding = ConnectionBinding { channel_binding: [1; 32], certificate_hash: [2; 32] };
const CLIENT_NONCE: [u8; 32] = [3; 32];
const SERVER_NONCE: [u8; 32] = [4; 32];
const STREAM: StreamId = StreamId(5);

fn hello(magic: [u8; 8], protocol_version: u16) -> ClientMessage {
    ClientMessage::Hello { magic, protocol_version, software: "test".to_owned(), nonce: CLIENT_NONCE }
}

/// What `identity` signs to join as `name` in this test's session.
fn transcript<'a>(name: &'a str, identity: &'a Identity) -> JoinTranscript<'a> {
    JoinTranscript {
        channel_binding: BINDING.channel_binding,
        certificate_hash: BINDING.certificate_hash,
        client_nonce: CLIENT_NONCE,
        server_nonce: SERVER_NONCE,
        name,
        public_key_der: identity.public_key().der(),
    }
}

fn join(name: &str, identity: &Identity, signed: &JoinTranscript<'_>) -> ClientMessage {
    ClientMessage::Join {
        name: name.to_owned(),
        public_key: Blob(identity.public_key().der().to_vec()),
        proof: Blob(identity.sign(&signed.to_bytes())),
        session: Blob(session(name, identity, 1).as_bytes().to_vec()),
    }
}

/// A session record of `identity` for this test's server. Names that are none stand for "ada": they are refused before.
fn session(name: &str, identity: &Identity, created_unix_millis: u64) -> SessionRecord {
    let name = Name::parse(name).unwrap_or_else(|_| Name::parse("ada").unwrap());
    let public_key = [9; SESSION_PUBLIC_KEY_BYTES];
    SessionRecord::sign(&public_key, created_unix_millis, identity, &name, &BINDING.certificate_hash)
}

fn renew(session: &SessionRecord) -> ClientMessage {
    ClientMessage::Renew { session: Blob(session.as_bytes().to_vec()) }
}

fn valid_join(name: &str) -> ClientMessage {
    let ada = test_keys::ada();
    join(name, &ada, &transcript(name, &ada))
}

fn say(sender: &Identity) -> ClientMessage {
    ClientMessage::Say { envelope: blob(&letter("hello", 1, sender, &test_keys::bob())) }
}

/// An envelope of suite 1, which had one wrapped secret for each recipient and none for a session key.
fn of_protocol_3() -> ClientMessage {
    let [ada, bob] = [test_keys::ada(), test_keys::bob()].map(|identity| identity.public_key().id().0);
    let slot = [&[0, 1][..], &bob, &[1, 0], &[7; 256]].concat();
    let envelope = [&[1, 1][..], &[3; 16], &[0; 8], &ada, &slot, &[7; 528]].concat();
    ClientMessage::Say { envelope: Blob(envelope) }
}

/// A message to everyone.
fn to_everyone(sender: &Identity) -> Blob {
    let mut speaker = Speaker::default();
    speaker.prepare(&[], Instant::now());
    let message = Message { sent_unix_millis: 0, number: TextNumber { count: 1, number: 1 }, text: "hello".to_owned() };
    blob(&speaker.seal(&message, 1, sender.public_key().id()).unwrap())
}

fn blob(envelope: &Envelope) -> Blob {
    Blob(envelope.as_bytes().to_vec())
}

fn hand(sender: &Identity, recipient: &Identity, to: &Identity) -> ClientMessage {
    ClientMessage::Hand { to: to.public_key().id(), envelope: blob(&letter("hello", 1, sender, recipient)) }
}

fn watch(stream: StreamId) -> ClientMessage {
    watch_message(stream, VideoId(1), Quality::Triptych, Position::START)
}

fn seek(stream: StreamId, epoch: u32) -> ClientMessage {
    ClientMessage::Seek(SeekRequest { stream, epoch: Epoch(epoch), to: Position::START })
}

fn set_quality(stream: StreamId, epoch: u32) -> ClientMessage {
    let (epoch, quality, at) = (Epoch(epoch), Quality::Only(240), Position::START);
    ClientMessage::SetQuality(SetQualityRequest { stream, epoch, quality, at, delivery: Delivery::FULL })
}

fn awaiting_hello() -> Machine {
    Machine::new(BINDING)
}

fn awaiting_join() -> Machine {
    let mut machine = awaiting_hello();
    assert_eq!(machine.on_message(hello(MAGIC, PROTOCOL_VERSION)), Action::Challenge);
    machine.challenged(SERVER_NONCE);
    machine
}

/// Ada is online and has asked for [`STREAM`].
fn watching() -> Machine {
    let mut machine = awaiting_join();
    let ada = verified(machine.on_message(valid_join("ada"))).unwrap();
    machine.entered(ada);
    assert!(matches!(machine.on_message(watch(STREAM)), Action::Watch(_)));
    machine
}

/// The name of an action, with its code if it is a refusal.
fn outline(action: &Action) -> String {
    match action {
        Action::Refuse(refusal) => format!("Refuse {:?}", refusal.code),
        other => {
            let text = format!("{other:?}");
            text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
        }
    }
}

/// What the check of a `Join` comes to.
fn verified(action: Action) -> Result<Person, RefusalCode> {
    match action {
        Action::Verify(request) => request.verify().map_err(|refusal| refusal.code),
        Action::Refuse(refusal) => Err(refusal.code),
        other => panic!("no check but {other:?}"),
    }
}

fn refusal(action: Action) -> (RefusalCode, String) {
    match action {
        Action::Refuse(refusal) => (refusal.code, refusal.message),
        other => panic!("no refusal but {other:?}"),
    }
}

#[test]
fn every_message_is_taken_in_its_states_and_refused_in_all_others() {
    const NO: &str = "Refuse Malformed";
    let grant = ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items: 1 };
    let thumbnail = ClientMessage::AskThumbnail { video: VideoId(1) };
    let table = [
        // Message, and what follows in AwaitingHello, AwaitingJoin and Online.
        (hello(MAGIC, PROTOCOL_VERSION), ["Challenge", NO, NO]),
        (valid_join("ada"), [NO, "Verify", NO]),
        (say(&test_keys::ada()), [NO, NO, "Relay"]),
        (ClientMessage::Say { envelope: to_everyone(&test_keys::ada()) }, [NO, NO, "Relay"]),
        (ClientMessage::AskDirectory, [NO, NO, "SendDirectory"]),
        (watch(StreamId(6)), [NO, NO, "Watch"]),
        (grant, [NO, NO, "Grant"]),
        (ClientMessage::Stop { stream: STREAM }, [NO, NO, "Stop"]),
        (ClientMessage::Pong { number: 1 }, [NO, NO, "Ponged"]),
        (ClientMessage::Party(PartyRequest::Leave), [NO, NO, "AskParty"]),
        (ClientMessage::Probe { number: 1 }, [NO, NO, "SendEcho"]),
        (ClientMessage::ShowWatching { is_shown: true }, [NO, NO, "ShowWatching"]),
        (ClientMessage::AskPreviews { video: None }, [NO, NO, "SendPreviews"]),
        (ClientMessage::Quit, [NO, "Leave", "Leave"]),
        (seek(STREAM, 1), [NO, NO, "Seek"]),
        (set_quality(STREAM, 1), [NO, NO, "SetQuality"]),
        (thumbnail, [NO, NO, "SendThumbnail"]),
        (ClientMessage::AskStatistics, [NO, NO, "SendStatistics"]),
        (renew(&session("ada", &test_keys::ada(), 2)), [NO, NO, "Renew"]),
        (hand(&test_keys::ada(), &test_keys::bob(), &test_keys::bob()), [NO, NO, "Hand"]),
    ];
    for (message, expected) in table {
        for (mut machine, expected) in [awaiting_hello(), awaiting_join(), watching()].into_iter().zip(expected) {
            assert_eq!(outline(&machine.on_message(message.clone())), expected, "{message:?}");
        }
    }
}

#[test]
fn a_greeting_needs_the_magic_and_this_version() {
    let (code, message) = refusal(awaiting_hello().on_message(hello(*b"HTTP/1.1", PROTOCOL_VERSION)));
    assert_eq!(code, RefusalCode::Malformed);
    assert_eq!(message, "This is a Triptych server, and the program that connected is not a Triptych client.");
    // The magic is looked at first: the version of another program means nothing.
    assert_eq!(refusal(awaiting_hello().on_message(hello([0; 8], 99))).0, RefusalCode::Malformed);

    for version in [0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1, u16::MAX] {
        let (code, message) = refusal(awaiting_hello().on_message(hello(MAGIC, version)));
        assert_eq!(code, RefusalCode::VersionMismatch);
        let expected = format!(
            "The client speaks protocol version {version}, the server version {PROTOCOL_VERSION}. \
             Install the same release of Triptych on both computers."
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn a_proof_holds_for_one_connection_one_name_and_one_key() {
    let (ada, eve) = (test_keys::ada(), test_keys::eve());
    let sound = || transcript("ada", &ada);
    let table = [
        ("another channel", JoinTranscript { channel_binding: [9; 32], ..sound() }),
        ("another certificate", JoinTranscript { certificate_hash: [9; 32], ..sound() }),
        ("another client nonce", JoinTranscript { client_nonce: [9; 32], ..sound() }),
        ("another server nonce", JoinTranscript { server_nonce: [9; 32], ..sound() }),
        ("another name", JoinTranscript { name: "Ada", ..sound() }),
        ("another key", JoinTranscript { public_key_der: eve.public_key().der(), ..sound() }),
    ];
    for (what, signed) in table {
        let joined = verified(awaiting_join().on_message(join("ada", &ada, &signed)));
        assert_eq!(joined, Err(RefusalCode::BadProof), "{what}");
    }
    let ClientMessage::Join { name, public_key, session, .. } = valid_join("ada") else { unreachable!() };
    let proof = Blob(eve.sign(&sound().to_bytes()));
    let joined = verified(awaiting_join().on_message(ClientMessage::Join { name, public_key, proof, session }));
    assert_eq!(joined, Err(RefusalCode::BadProof), "signed by another key");

    let person = verified(awaiting_join().on_message(valid_join("ada"))).unwrap();
    assert_eq!((person.name.as_str(), &person.public_key), ("ada", ada.public_key()));
    assert_eq!(person.session.created_unix_millis(), 1);
}

#[test]
fn what_costs_nothing_is_checked_first() {
    let ada = test_keys::ada();
    let join = |name: &str, key_bytes, proof_bytes| ClientMessage::Join {
        name: name.to_owned(),
        public_key: Blob(vec![1; key_bytes]),
        proof: Blob(vec![1; proof_bytes]),
        session: Blob(Vec::new()),
    };
    // Refused without a look at the key or a signature.
    for (message, code) in [
        (join("a\u{202e}b", 300, 256), RefusalCode::BadName),
        (join("everyone", 300, 256), RefusalCode::BadName),
        (join("ada", 4_000, 256), RefusalCode::BadKey),
        (join("ada", 300, 255), RefusalCode::BadProof),
        (join("ada", 300, 513), RefusalCode::BadProof),
    ] {
        assert_eq!(refusal(awaiting_join().on_message(message)).0, code);
    }
    // The key comes before the signature.
    let ClientMessage::Join { public_key, session, .. } = valid_join("ada") else { unreachable!() };
    let join = |public_key, session| ClientMessage::Join {
        name: "ada".to_owned(),
        public_key,
        proof: Blob(vec![1; 256]),
        session,
    };
    assert_eq!(
        refusal(awaiting_join().on_message(join(public_key.clone(), Blob(vec![1; 900])))).0,
        RefusalCode::Malformed
    );
    let other = join(Blob(vec![1; 300]), session.clone());
    assert_eq!(verified(awaiting_join().on_message(other)), Err(RefusalCode::BadKey));
    let join = join(public_key, session);
    assert_eq!(verified(awaiting_join().on_message(join)), Err(RefusalCode::BadProof));
    assert!(
        verified(awaiting_join().on_message(valid_join("ada")))
            .is_ok_and(|person| person.public_key == *ada.public_key())
    );
}

#[test]
fn a_client_may_try_names_each_with_a_nonce_of_its_own() {
    let ada = test_keys::ada();
    let mut machine = awaiting_join();
    for name in ["", " ", "a  b", "a\u{202e}b"] {
        assert_eq!(refusal(machine.on_message(valid_join(name))).0, RefusalCode::BadName, "{name:?}");
        machine.challenged(SERVER_NONCE);
    }
    // The hub may refuse the first as taken, so it does not count before `entered`.
    assert_eq!(
        verified(machine.on_message(valid_join("ada"))).map(|person| person.name),
        Ok(Name::parse("ada").unwrap())
    );
    assert_eq!(machine.name(), None);

    // The same `Join` again: before the next challenge it is out of place, after it the proof no longer holds.
    assert_eq!(refusal(machine.on_message(valid_join("ada"))).0, RefusalCode::Malformed);
    machine.challenged([5; 32]);
    assert_eq!(verified(machine.on_message(valid_join("ada"))), Err(RefusalCode::BadProof));

    machine.challenged([6; 32]);
    let signed = JoinTranscript { server_nonce: [6; 32], ..transcript("ada-2", &ada) };
    let person = verified(machine.on_message(join("ada-2", &ada, &signed))).unwrap();
    machine.entered(person);
    assert_eq!(machine.name().map(Name::as_str), Some("ada-2"));
}

#[test]
fn a_session_record_holds_for_its_owner_name_and_server_and_grows_newer() {
    let (ada, eve) = (test_keys::ada(), test_keys::eve());
    let name = Name::parse("ada").unwrap();
    let key = [9; SESSION_PUBLIC_KEY_BYTES];
    let elsewhere = SessionRecord::sign(&key, 2, &ada, &name, &[0; 32]);
    let unsigned = test_keys::unsigned_record(&name, ada.public_key(), 2);
    let joined_with = |record: &SessionRecord| {
        let ClientMessage::Join { name, public_key, proof, .. } = valid_join("ada") else { unreachable!() };
        let session = Blob(record.as_bytes().to_vec());
        verified(awaiting_join().on_message(ClientMessage::Join { name, public_key, proof, session }))
    };
    let renewed_with = |record: &SessionRecord| match watching().on_message(renew(record)) {
        Action::Renew(request) => request.verify().map_err(|refusal| refusal.code),
        Action::Refuse(refusal) => Err(refusal.code),
        other => panic!("{other:?}"),
    };
    for (what, record) in [
        ("of another owner", session("ada", &eve, 2)),
        ("for another name", session("Ada", &ada, 2)),
        ("for another server", elsewhere),
        ("unsigned", unsigned),
    ] {
        assert_eq!(joined_with(&record).map(|_| ()), Err(RefusalCode::Malformed), "{what}");
        assert_eq!(renewed_with(&record), Err(RefusalCode::Malformed), "{what}");
    }
    let later = session("ada", &ada, 2);
    assert_eq!(renewed_with(&later), Ok(later.clone()));
    assert_eq!(renewed_with(&session("ada", &ada, 1)), Err(RefusalCode::Malformed), "not later than the first");
    let mut machine = watching();
    machine.renewed(later.clone());
    assert_eq!(refusal(machine.on_message(renew(&later))).0, RefusalCode::Malformed, "the same again");
}

#[test]
fn what_is_handed_on_is_for_that_client_alone_and_from_this_one() {
    let [ada, bob, eve] = [test_keys::ada(), test_keys::bob(), test_keys::eve()];
    for (what, message) in [
        ("for another", hand(&ada, &bob, &eve)),
        ("from another", hand(&eve, &bob, &bob)),
        ("no letter", ClientMessage::Hand { to: bob.public_key().id(), envelope: to_everyone(&ada) }),
        ("no envelope", ClientMessage::Hand { to: bob.public_key().id(), envelope: Blob(vec![1; 900]) }),
    ] {
        assert_eq!(refusal(watching().on_message(message)).0, RefusalCode::Malformed, "{what}");
    }
}

#[test]
fn stream_numbers_must_grow() {
    let table: [(&[u32], &str); 5] = [
        (&[6], "Watch"),
        (&[5], "Refuse Malformed"),
        (&[4], "Refuse Malformed"),
        (&[7, 100, u32::MAX], "Watch"),
        (&[u32::MAX, u32::MAX], "Refuse Malformed"),
    ];
    for (numbers, last) in table {
        let mut machine = watching();
        let actions = numbers.iter().map(|&number| machine.on_message(watch(StreamId(number))));
        assert_eq!(outline(&actions.last().unwrap()), last, "{numbers:?} after 5");
    }
}

#[test]
fn a_delivery_of_one_in_no_pictures_or_in_more_than_eight_is_refused() {
    let with = |step: u8| {
        let delivery = Delivery { picture_step: step, ..Delivery::FULL };
        let (mut watch, mut change) = (watch(StreamId(6)), set_quality(STREAM, 1));
        if let ClientMessage::Watch(request) = &mut watch {
            request.delivery = delivery;
        }
        if let ClientMessage::SetQuality(request) = &mut change {
            request.delivery = delivery;
        }
        [watch, change]
    };
    for (message, name) in (1..=8).flat_map(with).zip(["Watch", "SetQuality"].into_iter().cycle()) {
        assert_eq!(outline(&watching().on_message(message)), name);
    }
    for message in [0, 9, 255].into_iter().flat_map(with) {
        let (code, text) = refusal(watching().on_message(message));
        assert_eq!(code, RefusalCode::Malformed);
        assert!(text.contains("one of 1 to 8 pictures can be delivered"), "{text}");
    }
}

#[test]
fn epochs_must_grow_within_a_stream() {
    for reposition in [seek, set_quality] {
        let mut machine = watching();
        let mut code = |stream, epoch| outline(&machine.on_message(reposition(stream, epoch)));
        assert_eq!(code(STREAM, 0), "Refuse Malformed", "0 is the epoch that Watch begins");
        assert_ne!(code(STREAM, 1), "Refuse Malformed");
        assert_eq!(code(STREAM, 1), "Refuse Malformed");
        assert_ne!(code(STREAM, 7), "Refuse Malformed", "gaps are allowed");
        assert_eq!(code(STREAM, 6), "Refuse Malformed");
        assert_eq!(code(StreamId(4), 0), "Nothing", "a stream that ended in the meantime is ignored");
        assert_eq!(code(StreamId(6), 0), "Nothing", "and so is one that never began");
    }
    // Both kinds count in one sequence, and each stream begins its own.
    let mut machine = watching();
    assert_eq!(outline(&machine.on_message(seek(STREAM, 2))), "Seek");
    let (_, message) = refusal(machine.on_message(set_quality(STREAM, 2)));
    assert_eq!(message, "The client broke the protocol: epochs must grow, and 2 is not new in stream 5.");
    machine.on_message(watch(StreamId(6)));
    assert_eq!(outline(&machine.on_message(set_quality(StreamId(6), 1))), "SetQuality");
}

#[test]
fn credit_is_capped() {
    for (granted, items) in
        [(0, 0), (1, 1), (MAX_CREDIT, MAX_CREDIT), (MAX_CREDIT + 1, MAX_CREDIT), (u32::MAX, MAX_CREDIT)]
    {
        let (stream, epoch) = (STREAM, Epoch(3));
        let action = watching().on_message(ClientMessage::Grant { stream, epoch, items: granted });
        assert_eq!(action, Action::Grant { stream, epoch, items });
    }
}

#[test]
fn an_envelope_must_be_whole_and_the_client_its_sender() {
    for (envelope, fault) in [
        (say(&test_keys::eve()), "another client as its sender"),
        (ClientMessage::Say { envelope: Blob(vec![9; 100]) }, "is not supported"),
        (of_protocol_3(), "version 1 with suite 1 is not supported"),
        (ClientMessage::Say { envelope: Blob::default() }, "truncated"),
    ] {
        let (code, message) = refusal(watching().on_message(envelope));
        assert_eq!(code, RefusalCode::Malformed);
        assert!(message.starts_with("The client broke the protocol: ") && message.contains(fault), "{message}");
    }
}
