//! A dishonest server, over a real socket: whatever it sends, the client stays in bounds, and leaves it with a sentence that
//! names what it broke.

use std::{fs, thread};

use common::{
    crypto::test_keys,
    limits::{MAX_NOTICE_CHARS, MAX_THUMBNAIL_BYTES},
    media::{
        Delivery, Epoch, Library, Origin, PictureHead, SegmentInfo, SoundFormat, SoundHead, Statistics, StreamId,
        StreamStart, VideoId,
    },
    message::{Blob, ClientMessage, LeaveReason, Person, RefusalCode, ServerInfo, ServerMessage},
    name::Name,
};
use triptych_client::event::{NetCommand, NetEvent, Offline};

use crate::support::{
    adversary::Adversary,
    client::Client,
    fake_server::{FakeServer, Peer, letter},
    scenes::{person, stranger, video},
};

fn bob() -> Person {
    Adversary::new("bob", test_keys::bob()).entry()
}

fn eve() -> Person {
    Adversary::new("eve", test_keys::eve()).entry()
}

/// Ada, about to be let in.
fn meet_ada() -> (Client, Peer) {
    FakeServer::new().meet("ada", &test_keys::ada())
}

/// Ada among these people.
fn online_with(others: Vec<Person>) -> (Client, Peer) {
    let (client, mut peer) = meet_ada();
    peer.welcome(others, Library { videos: vec![video(1, "Numbers", 9)], unplayable_count: 0 });
    client.online();
    (client, peer)
}

/// The sentence with which the client leaves a server that has broken the protocol.
fn complaint(client: &Client) -> String {
    match client.offline() {
        Offline::BrokeProtocol { what, remedy } => {
            assert!(!remedy.is_empty());
            what
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_welcome_for_another_name_is_refused_and_no_key_is_touched() {
    let (client, mut peer) = meet_ada();
    let (own, other) = (peer.own_entry(), person("carol", peer.own_entry().public_key));
    let people = vec![other.clone(), bob()];
    peer.welcome_as(other.name, people, Library::default());
    let sentence = complaint(&client);
    assert!(sentence.contains("does not answer as a Triptych server does"), "{sentence}");
    assert!(sentence.contains("\"carol\" instead of \"ada\""), "{sentence}");
    let files = fs::read_dir(client.data_dir.path().join("identities")).unwrap().map(|file| file.unwrap().path());
    let keys: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "pem")).collect();
    assert_eq!(keys.len(), 1, "only the key of the typed name: {keys:?}");
    assert_eq!(own.public_key, *test_keys::ada().public_key());
}

#[test]
fn a_welcome_must_list_this_client_once_and_no_one_twice() {
    let ada = |key: &common::crypto::PublicKey| person("ada", key.clone());
    let [own, other] = [test_keys::ada(), test_keys::eve()].map(|identity| identity.public_key().clone());
    for (people, part) in [
        (vec![bob()], "lacks this client"),
        (vec![ada(&other), bob()], "lacks this client"),
        (vec![ada(&own), ada(&other)], "two people whose names look the same"),
        (vec![ada(&own), person("carol", own.clone())], "the same key under the names"),
        (vec![ada(&own), bob(), person("BOB", other.clone())], "two people whose names look the same"),
    ] {
        let (client, mut peer) = meet_ada();
        let name = peer.own_entry().name;
        peer.welcome_as(name, people, Library::default());
        let sentence = complaint(&client);
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn only_a_welcome_may_be_long_before_the_client_is_in() {
    for message in [
        ServerMessage::Refused { code: RefusalCode::Full, message: "x".repeat(4_096), suggestion: None },
        ServerMessage::Goodbye { reason: "x".repeat(8_000_000) },
    ] {
        let (client, mut peer) = meet_ada();
        // The client may leave before the end of it.
        let _ = peer.send(&message);
        let sentence = complaint(&client);
        assert!(sentence.contains("its frame is longer than 4096 bytes"), "{sentence}");
    }
    let (client, mut peer) = meet_ada();
    peer.welcome((0..40).map(|n| person(&format!("guest-{n}"), stranger(n))).collect(), Library::default());
    assert_eq!(client.online().people.people().len(), 41);
}

#[test]
fn a_dictionary_comes_in_pages_that_fit_and_without_interruption() {
    let guests: Vec<_> = (0..3).map(|n| person(&format!("guest-{n}"), stranger(n))).collect();
    let page = |people: &[Person]| ServerMessage::People { people: people.to_vec() };
    let library = || ServerMessage::LibraryChanged { library: Library::default() };
    // One entry takes about 300 bytes, so this page is longer than 64 KiB.
    let long = page(&vec![guests[0].clone(); 300]);
    for (messages, part) in [
        (vec![page(&[])], "an empty page"),
        (vec![page(&guests), page(&guests)], "more people than it has announced"),
        (vec![page(&guests), library()], "interrupted by LibraryChanged"),
        (vec![long], "its frame is longer than 65536 bytes"),
    ] {
        let before = || {
            let (client, mut peer) = meet_ada();
            let name = peer.own_entry().name;
            peer.send(&empty_welcome(name, 1, 5)).unwrap();
            (client, peer)
        };
        let after = || {
            let (client, mut peer) = online_with(vec![]);
            peer.send(&ServerMessage::Directory { revision: 1, people_count: 5 }).unwrap();
            (client, peer)
        };
        for (client, mut peer) in [before(), after()] {
            // The client may leave before the last of them.
            let _ = messages.iter().try_for_each(|message| peer.send(message));
            let sentence = complaint(&client);
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}

#[test]
fn a_client_answers_pings_while_its_first_pages_come() {
    let (client, mut peer) = meet_ada();
    let own = peer.own_entry();
    peer.send(&empty_welcome(own.name.clone(), 1, 2)).unwrap();
    peer.send(&ServerMessage::People { people: vec![own] }).unwrap();
    assert_eq!(peer.sync(3), []);
    peer.send(&ServerMessage::People { people: vec![bob()] }).unwrap();
    assert_eq!(client.online().people.people().len(), 2);
}

#[test]
fn a_suggested_name_that_is_not_the_typed_one_is_not_passed_on() {
    for (suggestion, passed_on) in [("ada-2", Some("ada-2")), ("bob", None), ("bob-2", None)] {
        let (client, mut peer) = meet_ada();
        let suggestion = Some(Name::parse(suggestion).unwrap());
        let code = RefusalCode::NameInUse;
        peer.send(&ServerMessage::Refused { code, message: "Taken.".to_owned(), suggestion }).unwrap();
        let Offline::Refused { suggestion, .. } = client.offline() else { panic!("not refused") };
        assert_eq!(suggestion.as_ref().map(Name::as_str), passed_on);
    }
}

/// `Welcome` to a server that says nothing about itself and has no videos.
fn empty_welcome(name: Name, revision: u64, people_count: u32) -> ServerMessage {
    ServerMessage::Welcome { name, revision, people_count, server: ServerInfo::default(), library: Library::default() }
}

#[test]
fn texts_of_eight_mebibytes_arrive_cut_and_clean() {
    let hostile = "\u{202e}\u{1b}[31m\n".repeat(700_000);
    let is_harmless =
        |text: &str| text.chars().count() <= MAX_NOTICE_CHARS && !text.contains(['\n', '\u{1b}', '\u{202e}']);
    let (client, mut peer) = online_with(vec![]);
    peer.send(&ServerMessage::Goodbye { reason: hostile.clone() }).unwrap();
    let Offline::Goodbye(reason) = client.offline() else { panic!("no goodbye") };
    assert!(is_harmless(&reason), "{} characters", reason.chars().count());

    let (client, mut peer) = online_with(vec![]);
    let library = Library { videos: vec![video(1, &hostile, 9)], unplayable_count: 0 };
    peer.send(&ServerMessage::LibraryChanged { library }).unwrap();
    let title = client.wait_for("library", |event| match event {
        NetEvent::LibraryChanged(library) => Some(library.videos[0].title.clone()),
        _ => None,
    });
    assert!(is_harmless(&title));
    peer.send(&ServerMessage::Refused { code: RefusalCode::Malformed, message: hostile, suggestion: None }).unwrap();
    let Offline::Refused { message, .. } = client.offline() else { panic!("no refusal") };
    assert!(is_harmless(&message));
}

#[test]
fn endless_joins_end_with_the_limit() {
    let (client, mut peer) = online_with(vec![]);
    let mut sent = 0;
    // Keys that differ in two bytes: more than the limit allows.
    for (revision, number) in (2..).zip(0..5_000u16) {
        let mut der = test_keys::bob().public_key().der().to_vec();
        der[120..122].copy_from_slice(&(number * 2 + 1).to_be_bytes());
        let public_key = common::crypto::PublicKey::from_der(&der).unwrap();
        let person = person(&format!("guest-{number}"), public_key);
        if peer.send(&ServerMessage::Joined { revision, person }).is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent >= 4_000);
    let sentence = complaint(&client);
    assert!(sentence.contains("it lists more than 4000 people"), "{sentence}");
}

#[test]
fn what_contradicts_the_dictionary_ends_the_connection() {
    let joined = |person| ServerMessage::Joined { revision: 2, person };
    let left =
        |name: &str| ServerMessage::Left { revision: 2, name: Name::parse(name).unwrap(), reason: LeaveReason::Quit };
    for (message, part) in [
        (joined(person("bob", stranger(1))), "two people whose names look the same"),
        (joined(person("Bob", stranger(1))), "two people whose names look the same"),
        (joined(person("carol", bob().public_key)), "the same key under the names \"bob\" and \"carol\""),
        (joined(person("ada", stranger(1))), "two people whose names look the same"),
        (left("ada"), "lacks this client"),
        (left("carol"), "who was not there"),
    ] {
        let (client, mut peer) = online_with(vec![bob()]);
        peer.send(&message).unwrap();
        let sentence = complaint(&client);
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn an_author_that_the_window_is_not_told_of_is_not_heard() {
    let (client, mut peer) = online_with(vec![bob()]);
    let to_ada = peer.own_entry();
    // A change of a revision that is past, and a dictionary that no one has asked for.
    peer.send(&ServerMessage::Joined { revision: 1, person: eve() }).unwrap();
    peer.directory(9, vec![peer.own_entry(), bob(), eve()]);
    peer.send(&letter(&test_keys::eve(), 1, &to_ada, "It is me, Bob")).unwrap();
    peer.send(&letter(&test_keys::bob(), 1, &to_ada, "Hello")).unwrap();
    assert_eq!(client.message().text, "Hello");
    let passed = client.passed.borrow();
    assert!(
        !passed.iter().any(|event| matches!(event, NetEvent::Received(_) | NetEvent::Dictionary(_))),
        "{passed:#?}"
    );
}

#[test]
fn a_missed_change_is_asked_for_and_the_answer_is_for_all() {
    let (client, mut peer) = online_with(vec![bob()]);
    let to_ada = peer.own_entry();
    peer.send(&ServerMessage::Joined { revision: 5, person: eve() }).unwrap();
    assert_eq!(peer.read(), ClientMessage::AskDirectory);
    peer.directory(5, vec![peer.own_entry(), eve()]);
    peer.send(&letter(&test_keys::eve(), 1, &to_ada, "Hello")).unwrap();
    let people = client.wait_for("dictionary", |event| match event {
        NetEvent::Dictionary(people) => Some(people.clone()),
        _ => None,
    });
    assert_eq!(people.people().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["ada", "eve"]);
    assert_eq!(client.message().from.as_str(), "eve");
}

#[test]
fn what_was_not_asked_for_is_ignored_and_the_connection_goes_on() {
    let (client, mut peer) = online_with(vec![]);
    let own = peer.own_entry();
    for number in 0..2_000 {
        let jpeg = Blob(vec![0; MAX_THUMBNAIL_BYTES]);
        peer.send(&ServerMessage::Thumbnail { video: VideoId(1), fingerprint: number, jpeg }).unwrap();
    }
    for _ in 0..200 {
        peer.send(&empty_welcome(own.name.clone(), 9, 1)).unwrap();
        let software = "x".repeat(10_000);
        peer.send(&ServerMessage::Challenge { protocol_version: 9, software, nonce: [0; 32] }).unwrap();
        peer.send(&ServerMessage::Statistics(Statistics::default())).unwrap();
    }
    assert_eq!(peer.sync(1), []);
    client.send(NetCommand::AskThumbnail { video: VideoId(1) });
    assert_eq!(peer.read(), ClientMessage::AskThumbnail { video: VideoId(1) });
    let thumbnail = ServerMessage::Thumbnail { video: VideoId(1), fingerprint: 5, jpeg: Blob(vec![1]) };
    peer.send(&thumbnail).unwrap();
    peer.send(&thumbnail).unwrap();
    peer.send(&ServerMessage::Goodbye { reason: "Enough.".to_owned() }).unwrap();
    assert_eq!(client.offline(), Offline::Goodbye("Enough.".to_owned()));
    let passed = client.passed.borrow();
    let thumbnails: Vec<_> = passed.iter().filter(|event| matches!(event, NetEvent::Thumbnail { .. })).collect();
    assert!(
        matches!(thumbnails[..], [NetEvent::Thumbnail { fingerprint: 5, .. }]),
        "one answer to one request: {passed:#?}"
    );
}

#[test]
fn of_endless_libraries_the_window_gets_the_latest() {
    let (client, mut peer) = online_with(vec![]);
    let library = |number: usize| Library {
        videos: (0..2_000).map(|id| video(id, &format!("{number} {}", "x".repeat(400)), 9)).collect(),
        unplayable_count: 0,
    };
    for number in 0..60 {
        peer.send(&ServerMessage::LibraryChanged { library: library(number) }).unwrap();
    }
    peer.sync(1);
    let mut libraries = 0;
    let last = client.wait_for("the last library", |event| {
        let NetEvent::LibraryChanged(library) = event else { return None };
        libraries += 1;
        library.videos[0].title.starts_with("59 ").then_some(library.videos.len())
    });
    assert_eq!((libraries, last), (1, 2_000), "the others were never seen, and took no memory");
}

#[test]
fn a_flood_of_pings_is_answered_or_the_client_leaves_with_a_reason() {
    const PINGS: u64 = 50_000;
    let (client, mut peer) = online_with(vec![]);
    let mut reader = peer.reader();
    let answered = thread::scope(|scope| {
        let answers = scope.spawn(move || {
            let mut next = 0;
            while next < PINGS && reader.try_read().is_ok_and(|message| message == ClientMessage::Pong { number: next })
            {
                next += 1;
            }
            next
        });
        for number in 0..PINGS {
            if peer.send(&ServerMessage::Ping { number }).is_err() {
                break;
            }
        }
        answers.join().unwrap()
    });
    if answered < PINGS {
        let Offline::Unreachable { what, .. } = client.offline() else { panic!("no reason") };
        assert!(what.contains("does not read what is sent to it"), "{what}");
    }

    // A server that pings and does not read.
    let (client, mut peer) = online_with(vec![]);
    for number in 0.. {
        if peer.send(&ServerMessage::Ping { number }).is_err() {
            break;
        }
    }
    let Offline::Unreachable { what, .. } = client.offline() else { panic!("no reason") };
    assert!(what.contains("does not read what is sent to it") || what.contains("was lost"), "{what}");
}

#[test]
fn a_picture_that_is_longer_than_announced_or_interrupted_ends_the_connection() {
    let picture = ServerMessage::Picture { head: picture(4), jpeg: Blob(vec![0; 3]) };
    let part = |bytes| ServerMessage::PicturePart {
        stream: StreamId(1),
        epoch: Epoch(0),
        index: 0,
        bytes: Blob(vec![0; bytes]),
    };
    for (messages, what) in [
        ([picture.clone(), part(2)], "more bytes of a picture than the 4"),
        ([picture.clone(), picture.clone()], "a picture is interrupted by Picture"),
    ] {
        let (client, mut peer) = online_with(vec![]);
        for message in messages {
            peer.send(&message).unwrap();
        }
        let sentence = complaint(&client);
        assert!(sentence.contains(what), "{sentence}");
    }
}

fn picture(jpeg_bytes: u32) -> PictureHead {
    PictureHead {
        stream: StreamId(1),
        epoch: Epoch(0),
        index: 0,
        height: 0,
        pts_nanos: 0,
        duration_nanos: 0,
        jpeg_bytes,
        origin: Origin::Memory,
    }
}

#[test]
fn items_and_streams_beyond_their_limits_end_the_connection() {
    let segment = SegmentInfo { height: 240, first_index: 0, frame_count: 9, start_nanos: 0, sent_height: 240 };
    let start = |segments: Vec<SegmentInfo>| {
        ServerMessage::StreamStarted(StreamStart {
            stream: StreamId(1),
            epoch: Epoch(0),
            video: VideoId(1),
            duration_nanos: u64::MAX,
            frame_count: u32::MAX,
            segments,
            first_index: u32::MAX,
            has_sound: true,
            delivery: Delivery::FULL,
        })
    };
    let sound = SoundHead { stream: StreamId(1), epoch: Epoch(0), pts_nanos: u64::MAX, format: SoundFormat::Pcm };
    for (message, part) in [
        (start(vec![segment; 480_000]), "more than 64 segments"),
        (start(vec![segment]), "segments of a stream do not fit together"),
        (
            ServerMessage::Sound { head: sound, bytes: Blob(vec![0; 7 << 20]) },
            "7340032 bytes of sound; the limit is 19200",
        ),
        (ServerMessage::Sound { head: sound, bytes: Blob(vec![0; 5]) }, "5 bytes of sound"),
        (ServerMessage::Picture { head: picture(0), jpeg: Blob(Vec::new()) }, "a picture of 0 bytes"),
        (ServerMessage::Picture { head: picture(2), jpeg: Blob(vec![0; 3]) }, "more bytes of a picture than the 2"),
        (ServerMessage::Picture { head: picture(1 << 20), jpeg: Blob(vec![0; 1 << 20]) }, "1048576 bytes of a picture"),
        (
            ServerMessage::Thumbnail { video: VideoId(1), fingerprint: 1, jpeg: Blob(vec![0; 1 << 20]) },
            "a thumbnail of 1048576 bytes",
        ),
        (ServerMessage::Relayed { envelope: Blob(vec![0; 9]) }, "an envelope that is not one"),
        (ServerMessage::Relayed { envelope: Blob(vec![0; 1 << 20]) }, "an envelope of 1048576 bytes"),
    ] {
        let (client, mut peer) = online_with(vec![]);
        // The client may leave before the end of it.
        let _ = peer.send(&message);
        let sentence = complaint(&client);
        assert!(sentence.contains(part), "{sentence}");
        assert!(sentence.ends_with('.') && sentence.contains("sent what the protocol does not allow"), "{sentence}");
    }
}
