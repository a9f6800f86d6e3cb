//! Frames that are cut, changed or too long: each is refused with a reason, nothing else happens, and no session panics.

use bytes::Bytes;
use common::{
    codec::{decode_client, decode_greeting, encode_client},
    crypto::{Identity, test_keys},
    limits::{MAX_CLIENT_FRAME_BYTES, MAX_GREETING_BYTES, PROTOCOL_VERSION},
    media::{Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, StreamId, VideoId},
    message::{Blob, ClientMessage, MAGIC, Person, RefusalCode, ServerMessage},
    name::Name,
    test_messages::watch_message,
};
use tokio::task::JoinHandle;
use triptych_server::session::machine::{Action, ConnectionBinding, Machine};

use crate::support::{
    client::{TestClient, hello, join_message, letter, session},
    pipe::{PIPE_BYTES, Sessions},
};

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connected,
    Greeted,
    Joined,
}

async fn client_in(sessions: &Sessions, state: State, identity: &Identity) -> (TestClient, [u8; 32], JoinHandle<()>) {
    let (mut client, session) = sessions.connect_through(PIPE_BYTES, |stream| stream);
    let mut nonce = [0; 32];
    match state {
        State::Connected => {}
        State::Greeted => nonce = client.greet().await,
        State::Joined => drop(client.join_as("eve", identity).await),
    }
    (client, nonce, session)
}

/// One of each message in the state in which it is legal.
fn messages() -> Vec<(State, ClientMessage)> {
    let eve = test_keys::eve();
    let envelope = letter("x", 1, &eve, &test_keys::ada());
    let (stream, epoch, quality) = (StreamId(300), Epoch(300), Quality::Only(720));
    let video = VideoId(u64::MAX);
    let joined = [
        ClientMessage::Say { envelope: Blob(envelope.as_bytes().to_vec()) },
        ClientMessage::AskDirectory,
        watch_message(stream, video, quality, Position::START),
        ClientMessage::Grant { stream, epoch, items: 70_000 },
        ClientMessage::Stop { stream },
        ClientMessage::Pong { number: u64::MAX },
        ClientMessage::Probe { number: u64::MAX },
        ClientMessage::Quit,
        ClientMessage::Seek(SeekRequest { stream, epoch, to: Position::START }),
        ClientMessage::SetQuality(SetQualityRequest {
            stream,
            epoch,
            quality,
            at: Position::START,
            delivery: Delivery::FULL,
        }),
        ClientMessage::AskThumbnail { video },
        ClientMessage::AskStatistics,
        ClientMessage::Renew { session: Blob(session("eve", &eve, 2).as_bytes().to_vec()) },
        ClientMessage::Hand {
            to: test_keys::ada().public_key().id(),
            envelope: Blob(letter("x", 1, &eve, &test_keys::ada()).as_bytes().to_vec()),
        },
    ];
    let greeting = [(State::Connected, hello(MAGIC, PROTOCOL_VERSION))];
    greeting.into_iter().chain(joined.into_iter().map(|message| (State::Joined, message))).collect()
}

/// The first bytes of a message, and some of the rest: what is long ends with bytes that mean nothing to the server.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length.min(400)).chain((400..length).step_by(29))
}

/// A frame around these bytes.
fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// Sends a frame that must be refused, and waits for the session to end.
async fn refused(client: &mut TestClient, session: JoinHandle<()>, frame: &[u8], what: &str) {
    client.send_bytes(frame).await;
    loop {
        match client.next().await {
            ServerMessage::Refused { code: RefusalCode::Malformed, message, .. } => {
                assert!(message.ends_with('.'), "{message}");
                break;
            }
            // What the others are told, and an empty list of people, may come first.
            ServerMessage::Joined { .. } | ServerMessage::Left { .. } => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    let _ = client.writer.shutdown().await;
    session.await.expect(what);
}

#[tokio::test]
async fn every_prefix_of_every_message_is_refused() {
    let sessions = Sessions::start();
    let eve = test_keys::eve();
    let mut count = 0;
    for (state, message) in messages() {
        let body: Bytes = encode_client(&message).slice(4..);
        for length in places(body.len()) {
            let (mut client, _, session) = client_in(&sessions, state, &eve).await;
            let what = format!("{length} bytes of {message:?}");
            refused(&mut client, session, &framed(&body[..length]), &what).await;
            count += 1;
        }
        // And one byte more than the message.
        let (mut client, _, session) = client_in(&sessions, state, &eve).await;
        refused(&mut client, session, &framed(&[&body[..], &[0]].concat()), "a byte behind").await;
    }
    assert!(count > 800, "{count} prefixes");
}

#[tokio::test]
async fn every_prefix_of_a_join_is_refused_and_no_changed_one_lets_anyone_in() {
    let sessions = Sessions::start();
    let eve = test_keys::eve();
    let length = encode_client(&join_message("eve", &eve, [0; 32])).len() - 4;
    for prefix in places(length) {
        let (mut client, nonce, session) = client_in(&sessions, State::Greeted, &eve).await;
        let join = encode_client(&join_message("eve", &eve, nonce)).slice(4..);
        refused(&mut client, session, &framed(&join[..prefix]), "a prefix of Join").await;
    }
    for position in places(length) {
        let (mut client, nonce, session) = client_in(&sessions, State::Greeted, &eve).await;
        let mut join = encode_client(&join_message("eve", &eve, nonce)).slice(4..).to_vec();
        join[position] ^= 1 << (position % 8);
        client.send_bytes(&framed(&join)).await;
        let _ = client.writer.shutdown().await;
        while let Some(message) = client.try_next().await {
            let is_refusal = matches!(message, ServerMessage::Refused { .. } | ServerMessage::Challenge { .. });
            assert!(is_refusal, "byte {position} changed: {message:?}");
        }
        session.await.expect("no change makes a session panic");
    }
}

#[tokio::test]
async fn changed_bytes_are_refused_or_another_message_and_the_session_lives() {
    let sessions = Sessions::start();
    let eve = test_keys::eve();
    for (state, message) in messages() {
        let body = encode_client(&message).slice(4..);
        for position in places(body.len()) {
            let (mut client, _, session) = client_in(&sessions, state, &eve).await;
            let mut changed = body.to_vec();
            changed[position] = changed[position].wrapping_add(0x55);
            client.send_bytes(&framed(&changed)).await;
            let _ = client.writer.shutdown().await;
            while client.try_next().await.is_some() {}
            session.await.unwrap_or_else(|error| panic!("byte {position} of {message:?}: {error}"));
        }
    }
}

/// The machine of a session in the state in which a message is legal.
fn machine_in(state: State, identity: &Identity) -> Machine {
    let mut machine = Machine::new(ConnectionBinding::default());
    if state == State::Joined {
        let (name, public_key) = (Name::parse("eve").unwrap(), identity.public_key().clone());
        let session = test_keys::unsigned_record(&name, &public_key, 1);
        machine.entered(Person { name, public_key, session, since_unix_secs: 0 });
    }
    machine
}

/// What a session would do, for all 255 other values of each byte: too many for sessions.
#[test]
fn every_single_byte_change_of_every_message_is_refused_or_another_message_that_is_legal() {
    let eve = test_keys::eve();
    let (mut taken, mut refused) = (0, 0);
    for (state, message) in messages() {
        let body = encode_client(&message).slice(4..);
        for (position, change) in
            places(body.len()).flat_map(|position| (1..=255).map(move |change| (position, change)))
        {
            let mut changed = body.to_vec();
            changed[position] ^= change;
            let what = format!("byte {position} of {message:?} with {change:#x}");
            let decoded = if state == State::Joined { decode_client(&changed) } else { decode_greeting(&changed) };
            let Ok(other) = decoded else {
                refused += 1;
                continue;
            };
            assert_ne!(other, message, "{what}");
            assert_eq!(encode_client(&other)[4..], changed, "{what}: one message has one form");
            match machine_in(state, &eve).on_message(other) {
                Action::Refuse(refusal) => {
                    assert!(!refusal.code.may_retry() && refusal.message.ends_with('.'), "{what}: {refusal:?}");
                    refused += 1;
                }
                Action::Challenge => {
                    // Magic and version are intact.
                    assert_eq!((state, &changed[..10]), (State::Connected, &body[..10]), "{what}");
                    taken += 1;
                }
                Action::Relay(envelope) => {
                    assert_eq!(envelope.sender, eve.public_key().id(), "{what}");
                    assert!(changed.ends_with(envelope.as_bytes()), "{what}");
                    taken += 1;
                }
                Action::Verify(_) => panic!("{what} became a Join"),
                _ => taken += 1,
            }
        }
    }
    assert!(taken > 10_000 && refused > 10_000, "{taken} taken, {refused} refused");
}

#[tokio::test]
async fn a_length_that_is_too_long_is_refused_before_anything_follows() {
    let sessions = Sessions::start();
    let eve = test_keys::eve();
    for (state, longest) in [
        (State::Connected, MAX_GREETING_BYTES),
        (State::Greeted, MAX_GREETING_BYTES),
        (State::Joined, MAX_CLIENT_FRAME_BYTES),
    ] {
        for length in [u32::try_from(longest + 1).unwrap(), u32::MAX] {
            let (mut client, _, session) = client_in(&sessions, state, &eve).await;
            refused(&mut client, session, &length.to_be_bytes(), "a length bomb").await;
        }
        // A string and a list that claim to be longer than their frame.
        for claim in [&[0xfc, 0xff, 0xff, 0xff, 0xff][..], &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0x80]] {
            let (mut client, _, session) = client_in(&sessions, state, &eve).await;
            refused(&mut client, session, &framed(&[&[1], claim].concat()), "a claim").await;
        }
    }
}
