//! Joining, the dictionary, the broadcast and leaving, and how clients that break the protocol are refused.

use std::time::Instant;

use common::{
    crypto::{
        CannotOpen, Envelope, Message, TextNumber,
        letter::{Content, Letter, attempt, open},
        sender_key::Speaker,
        sender_key_store::SenderKeyStore,
        test_keys,
    },
    limits::{MAX_CLIENT_FRAME_BYTES, MAX_GREETING_BYTES, PROTOCOL_VERSION},
    media::{Position, Quality, StreamId, VideoId},
    message::{Blob, ClientMessage, EndReason, LeaveReason, MAGIC, RefusalCode, ServerMessage},
    name::Name,
    test_messages::{sealed, watch_message},
};
use triptych_server::session::notices::{NO_SUCH_VIDEO, Refusal, SERVER_STOPPED};

use crate::support::{
    client::{TestClient, hello, join_message, letter, opened, session},
    server::TestServer,
};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Waits until a client leaves; returns its name, the reason and the new revision.
async fn leaving(client: &mut TestClient) -> (Name, LeaveReason, u64) {
    client
        .next_that(|message| match message {
            ServerMessage::Left { revision, name, reason } => Some((name, reason, revision)),
            _ => None,
        })
        .await
}

async fn envelope(client: &mut TestClient) -> Envelope {
    let bytes = client
        .next_that(|message| match message {
            ServerMessage::Relayed { envelope } => Some(envelope.0),
            _ => None,
        })
        .await;
    Envelope::parse(bytes).unwrap()
}

#[tokio::test]
async fn newcomers_get_the_whole_dictionary_and_the_others_hear_of_them() {
    let server = TestServer::start().await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert_eq!((welcome.name, welcome.revision, welcome.people.len()), (name("ada"), 1, 1));

    let (_bob, welcome) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    let names: Vec<_> = welcome.people.iter().map(|person| person.name.as_str()).collect();
    assert_eq!((welcome.revision, names), (2, vec!["ada", "bob"]));
    assert_eq!(welcome.people[0].public_key, *test_keys::ada().public_key());

    let ServerMessage::Joined { revision, person } = ada.next().await else { panic!() };
    assert_eq!((revision, person.name.as_str()), (2, "bob"));
    assert_eq!(person.public_key, *test_keys::bob().public_key());

    assert_eq!(ada.directory().await, (2, welcome.people));
}

#[tokio::test]
async fn every_client_gets_the_same_ciphertext_and_only_the_recipient_can_read_it() {
    let server = TestServer::start().await;
    let (ada_key, bob_key, eve_key) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let (mut ada, _) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;

    let text = "Příliš žluťoučký kůň\n很好 🦀 ".repeat(150);
    let sent = ada.say(&text, 1, &ada_key, &bob_key).await;
    let (at_ada, at_bob, at_eve) = (envelope(&mut ada).await, envelope(&mut bob).await, envelope(&mut eve).await);
    for received in [&at_ada, &at_bob, &at_eve] {
        assert_eq!(received.as_bytes(), sent);
    }
    assert_eq!(opened(&at_bob, &bob_key, &ada_key), Some(text));
    assert_eq!(opened(&at_eve, &eve_key, &ada_key), None);
    assert_eq!(attempt(&at_eve, &eve_key), Err(CannotOpen));
    assert_eq!(attempt(&at_ada, &ada_key), Err(CannotOpen));
}

#[tokio::test]
async fn a_message_to_everyone_reaches_all_and_opens_where_the_sender_key_was_handed() {
    let server = TestServer::start().await;
    let (ada_key, bob_key, eve_key) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let (mut ada, _) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;

    let (mut speaker, now) = (Speaker::default(), Instant::now());
    speaker.prepare(&[], now);
    let number = TextNumber { count: 1, number: 1 };
    let content = Content::SenderKey(number, speaker.hand_over(bob_key.public_key().id()).unwrap());
    let handed = sealed(content, 1, &ada_key, &bob_key).as_bytes().to_vec();
    let message = Message { sent_unix_millis: 0, number, text: "to all who have the key".to_owned() };
    let said = speaker.seal(&message, 2, ada_key.public_key().id()).unwrap().as_bytes().to_vec();
    ada.send(&ClientMessage::Hand { to: bob_key.public_key().id(), envelope: Blob(handed.clone()) }).await;
    ada.send(&ClientMessage::Say { envelope: Blob(said.clone()) }).await;

    let bobs = bob
        .next_that(|message| match message {
            ServerMessage::Handed { envelope } => Some(envelope.0),
            _ => None,
        })
        .await;
    assert_eq!(bobs, handed);
    let sender_key =
        open(&Envelope::parse(handed).unwrap(), &bob_key, &test_keys::session_keys(), ada_key.public_key());
    let Ok(Letter { content: Content::SenderKey(_, sender_key), .. }) = sender_key else { panic!("no sender key") };
    let mut held = SenderKeyStore::default();
    held.accept(ada_key.public_key().id(), &sender_key, now).unwrap();
    for (client, store, is_read) in [(&mut bob, &mut held, true), (&mut eve, &mut SenderKeyStore::default(), false)] {
        let received = envelope(client).await;
        assert_eq!(received.as_bytes(), said);
        assert_eq!(store.open(&received, now).is_ok_and(|read| read == message), is_read);
    }
}

#[tokio::test]
async fn a_new_session_key_reaches_everyone_and_the_dictionary() {
    let server = TestServer::start().await;
    let ada_key = test_keys::ada();
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    assert_eq!(welcome.people[0].session.created_unix_millis(), 1);
    assert!(welcome.people[0].since_unix_secs > 1_700_000_000, "by the server's clock");

    let later = session("ada", &ada_key, 2);
    ada.send(&ClientMessage::Renew { session: Blob(later.as_bytes().to_vec()) }).await;
    for client in [&mut ada, &mut bob] {
        let renewed = client
            .next_that(|message| match message {
                ServerMessage::Renewed { revision, name, session } => Some((revision, name, session)),
                _ => None,
            })
            .await;
        assert_eq!(renewed, (3, name("ada"), later.clone()));
    }
    let (revision, people) = bob.directory().await;
    assert_eq!((revision, &people[0].session), (3, &later));

    ada.send(&ClientMessage::Renew { session: Blob(later.as_bytes().to_vec()) }).await;
    assert_eq!(ada.expect_refusal().await.0, RefusalCode::Malformed, "it is not newer");
}

#[tokio::test]
async fn what_is_handed_on_reaches_that_client_alone() {
    let server = TestServer::start().await;
    let (ada_key, bob_key, eve_key) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let (mut ada, _) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;

    let to_bob = ada.hand("for Bob", 1, &ada_key, &bob_key).await;
    // No one is online with this key, so nothing comes of it.
    ada.hand("for no one", 2, &ada_key, &test_keys::crowd()[0]).await;
    let to_all = ada.say("for Bob too", 3, &ada_key, &bob_key).await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match bob.next().await {
            ServerMessage::Handed { envelope } => heard.push(("handed", envelope.0)),
            ServerMessage::Relayed { envelope } => heard.push(("relayed", envelope.0)),
            ServerMessage::Joined { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, [("handed", to_bob), ("relayed", to_all.clone())]);
    for client in [&mut ada, &mut eve] {
        loop {
            match client.next().await {
                ServerMessage::Relayed { envelope } => break assert_eq!(envelope.0, to_all),
                ServerMessage::Joined { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_disappears_and_its_name_is_free_again() {
    let server = TestServer::start().await;
    let (mut ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;

    let (mut bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    bob.send(&ClientMessage::Quit).await;
    assert_eq!(leaving(&mut ada).await, (name("bob"), LeaveReason::Quit, 3));
    assert_eq!(bob.try_next().await, None);

    let (bob, _) = TestClient::join(server.address, "bob", &test_keys::bob()).await;
    drop(bob);
    assert_eq!(leaving(&mut ada).await, (name("bob"), LeaveReason::Lost, 5));
}

#[tokio::test]
async fn a_name_in_use_is_refused_with_a_free_one_and_the_connection_stays() {
    let server = TestServer::start().await;
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let mut second = TestClient::connect(server.address).await;
    let mut nonce = second.greet().await;
    for requested in ["ada", "ADA"] {
        second.send(&join_message(requested, &test_keys::bob(), nonce)).await;
        let ServerMessage::Refused { code, suggestion, .. } = second.next().await else { panic!() };
        assert_eq!((code, suggestion), (RefusalCode::NameInUse, Some(name(&format!("{requested}-2")))));
        nonce = second.challenge().await;
    }
    second.send(&join_message("a\u{202e}b", &test_keys::bob(), nonce)).await;
    let ServerMessage::Refused { code, message, .. } = second.next().await else { panic!() };
    assert_eq!(code, RefusalCode::BadName, "{message}");
    nonce = second.challenge().await;
    second.send(&join_message("ada-2", &test_keys::bob(), nonce)).await;
    assert!(matches!(second.next().await, ServerMessage::Welcome { .. }));
}

#[tokio::test]
async fn a_client_that_cannot_prove_its_key_is_refused() {
    let server = TestServer::start().await;
    let mut thief = TestClient::connect(server.address).await;
    let nonce = thief.greet().await;
    let ClientMessage::Join { name, public_key, session: own, .. } = join_message("ada", &test_keys::ada(), nonce)
    else {
        panic!()
    };
    // The proof of another key, and one made for another connection.
    let ClientMessage::Join { proof, .. } = join_message("ada", &test_keys::eve(), nonce) else { panic!() };
    thief.send(&ClientMessage::Join { name, public_key, proof, session: own }).await;
    assert_eq!(thief.expect_refusal().await.0, RefusalCode::BadProof);

    let mut replayer = TestClient::connect(server.address).await;
    replayer.greet().await;
    replayer.send(&join_message("ada", &test_keys::ada(), nonce)).await;
    assert_eq!(replayer.expect_refusal().await.0, RefusalCode::BadProof);

    let mut keyless = TestClient::connect(server.address).await;
    keyless.greet().await;
    let (public_key, proof) = (Blob(vec![1; 300]), Blob(vec![1; 256]));
    let session = Blob(session("x", &test_keys::ada(), 1).as_bytes().to_vec());
    let join = ClientMessage::Join { name: "x".into(), public_key, proof, session };
    keyless.send(&join).await;
    assert_eq!(keyless.expect_refusal().await.0, RefusalCode::BadKey);
}

#[tokio::test]
async fn one_key_cannot_join_under_two_names() {
    let server = TestServer::start().await;
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let mut second = TestClient::connect(server.address).await;
    let nonce = second.greet().await;
    second.send(&join_message("someone", &test_keys::ada(), nonce)).await;
    assert_eq!(second.expect_refusal().await.0, RefusalCode::KeyInUse);
}

#[tokio::test]
async fn an_own_connection_and_another_key_under_the_name_are_told_apart() {
    let server = TestServer::start().await;
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    for (identity, expected) in [(test_keys::ada(), RefusalCode::KeyInUse), (test_keys::eve(), RefusalCode::NameInUse)]
    {
        let mut second = TestClient::connect(server.address).await;
        let nonce = second.greet().await;
        second.send(&join_message("ada", &identity, nonce)).await;
        let ServerMessage::Refused { code, suggestion, .. } = second.next().await else { panic!() };
        assert_eq!((code, suggestion), (expected, Some(name("ada-2"))));
    }
}

#[tokio::test]
async fn a_client_of_another_version_is_told_both_versions() {
    let server = TestServer::start().await;
    let mut client = TestClient::connect(server.address).await;
    client.send(&hello(MAGIC, PROTOCOL_VERSION + 8)).await;
    let (code, message) = client.expect_refusal().await;
    assert_eq!(code, RefusalCode::VersionMismatch);
    assert_eq!(message, Refusal::version_mismatch(PROTOCOL_VERSION + 8).message);
    let has = |version| message.contains(&format!("version {version}"));
    assert!(has(PROTOCOL_VERSION + 8) && has(PROTOCOL_VERSION), "{message}");
}

#[tokio::test]
async fn clients_that_break_the_protocol_are_refused_and_others_are_not_disturbed() {
    let server = TestServer::start().await;
    let (ada_key, bob_key) = (test_keys::ada(), test_keys::bob());
    let (mut ada, _) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;

    let too_long = u32::try_from(MAX_GREETING_BYTES + 1).unwrap().to_be_bytes();
    for (what, bytes) in [
        ("noise", b"\x00\x00\x00\x05noise".to_vec()),
        ("another program", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a length over the cap", too_long.to_vec()),
        ("an empty frame", vec![0, 0, 0, 0]),
        ("a message out of place", common::codec::encode_client(&ClientMessage::AskDirectory).to_vec()),
    ] {
        let mut client = TestClient::connect(server.address).await;
        client.send_bytes(&bytes).await;
        let (code, message) = client.expect_refusal().await;
        assert_eq!(code, RefusalCode::Malformed, "{what}: {message}");
    }

    // Connections that close: at once, in the middle of a frame, in the middle of a length.
    for bytes in [&b""[..], b"\x00\x00\x00\x30half", b"\x00\x00"] {
        let mut client = TestClient::connect(server.address).await;
        client.send_bytes(bytes).await;
        client.writer.shutdown().await.unwrap();
        assert_eq!(client.try_next().await, None);
    }

    // After joining: an oversize frame, an envelope in another client's name, a used stream number.
    let eve_key = test_keys::eve();
    let oversize = u32::try_from(MAX_CLIENT_FRAME_BYTES + 1).unwrap().to_be_bytes().to_vec();
    let forged = {
        let envelope = letter("x", 1, &ada_key, &bob_key);
        common::codec::encode_client(&ClientMessage::Say { envelope: Blob(envelope.as_bytes().to_vec()) }).to_vec()
    };
    let garbled = common::codec::encode_client(&ClientMessage::Say { envelope: Blob(vec![9; 100]) }).to_vec();
    for bytes in [oversize, forged, garbled] {
        let (mut eve, _) = TestClient::join(server.address, "eve", &eve_key).await;
        eve.send_bytes(&bytes).await;
        assert_eq!(eve.expect_refusal().await.0, RefusalCode::Malformed);
        assert_eq!(leaving(&mut ada).await.1, LeaveReason::Expelled);
    }

    ada.say("still here", 1, &ada_key, &bob_key).await;
    assert_eq!(opened(&envelope(&mut bob).await, &bob_key, &ada_key).as_deref(), Some("still here"));
}

#[tokio::test]
async fn watching_a_video_that_does_not_exist_fails_with_a_reason() {
    let server = TestServer::start().await;
    let (mut ada, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    assert!(welcome.library.videos.is_empty());
    let watch = |stream| watch_message(StreamId(stream), VideoId(9), Quality::Triptych, Position::START);
    ada.send(&watch(1)).await;
    let ServerMessage::StreamEnded { stream: StreamId(1), reason: EndReason::Failed(reason), .. } = ada.next().await
    else {
        panic!("no end")
    };
    assert_eq!(reason, NO_SUCH_VIDEO);
    ada.send(&watch(1)).await;
    assert_eq!(ada.expect_refusal().await.0, RefusalCode::Malformed);
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let server = TestServer::start().await;
    let (mut ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    // A client that has connected and sends nothing must not delay the shutdown.
    let _silent = TestClient::connect(server.address).await;
    server.stop().await;
    assert_eq!(ada.next().await, ServerMessage::Goodbye { reason: SERVER_STOPPED.to_owned() });
    assert_eq!(ada.try_next().await, None);
}

#[tokio::test]
async fn sessions_end_with_a_server_that_is_dropped() {
    let mut server = TestServer::start().await;
    let (mut ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    server.abort();
    assert_eq!(ada.next().await, ServerMessage::Goodbye { reason: SERVER_STOPPED.to_owned() });
    assert_eq!(ada.try_next().await, None);
}
