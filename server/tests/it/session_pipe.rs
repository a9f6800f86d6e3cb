//! Sessions over in-memory pipes: deadlines, limits and faults that a socket would make slow or inexact.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use common::{
    codec::encode_client,
    crypto::test_keys,
    limits::{MAX_CLIENT_FRAME_BYTES, PING_INTERVAL, SILENCE_LIMIT},
    media::{Library, VideoId, VideoInfo},
    message::{Blob, ClientMessage, LeaveReason, RefusalCode, ServerMessage},
    name::Name,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::{Instant, sleep},
};
use triptych_server::{
    hub::directory::EnterError,
    limits::Limits,
    outbox::Outbox,
    session::notices::{self, Refusal},
};

use crate::support::{
    client::{TestClient, join_message, letter},
    crowd::{person, public_key},
    pipe::{PIPE_BYTES, Sessions},
};

/// Waits until a client leaves; returns its name and the reason.
async fn left(client: &mut TestClient) -> (Name, LeaveReason) {
    client
        .next_that(|message| match message {
            ServerMessage::Left { name, reason, .. } => Some((name, reason)),
            _ => None,
        })
        .await
}

/// A stream whose reader panics at the first byte that comes once `is_armed`.
struct Panicking {
    stream: DuplexStream,
    is_armed: Arc<AtomicBool>,
}

impl AsyncRead for Panicking {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        assert!(polled.is_pending() || !self.is_armed.load(SeqCst), "the panic that this test wants");
        polled
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_session_that_panics_leaves_nothing_behind() {
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let is_armed = Arc::new(AtomicBool::new(false));
    let wrap = |stream| Panicking { stream, is_armed: is_armed.clone() };
    let (mut bob, session) = sessions.connect_through(PIPE_BYTES, wrap);
    bob.join_as("bob", &test_keys::bob()).await;

    is_armed.store(true, SeqCst);
    bob.send(&ClientMessage::AskDirectory).await;
    assert_eq!(left(&mut ada).await, (Name::parse("bob").unwrap(), LeaveReason::Lost));
    assert!(session.await.unwrap_err().is_panic());
    assert_eq!(bob.try_next().await, None, "the connection is closed");

    // Name and key are free again.
    let welcome = sessions.connect().join_as("bob", &test_keys::bob()).await;
    assert_eq!(welcome.people.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_silent_is_removed_within_ten_seconds() {
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let joined_at = Instant::now();
    // Does not answer its pings while only ada reads.
    let mut bob = sessions.join("bob", &test_keys::bob()).await;
    assert_eq!(left(&mut ada).await, (Name::parse("bob").unwrap(), LeaveReason::Lost));
    assert_eq!(joined_at.elapsed().as_secs(), SILENCE_LIMIT.as_secs());
    assert!(SILENCE_LIMIT + PING_INTERVAL < Duration::from_secs(10));
    assert_eq!(bob.try_next().await, Some(ServerMessage::Goodbye { reason: notices::client_silent() }));
    assert_eq!(bob.try_next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_long_message_byte_by_byte_counts_as_silent() {
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let bob = sessions.join("bob", &test_keys::bob()).await;
    let joined_at = Instant::now();
    let dribbling = async {
        let length = u32::try_from(MAX_CLIENT_FRAME_BYTES).unwrap().to_be_bytes();
        for byte in length.into_iter().chain(std::iter::repeat(0)) {
            bob.writer.write(&[byte]).await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    let left = tokio::select! {
        left = left(&mut ada) => left,
        () = dribbling => unreachable!("it has bytes for days"),
    };
    assert_eq!(left, (Name::parse("bob").unwrap(), LeaveReason::Lost));
    assert_eq!(joined_at.elapsed().as_secs(), SILENCE_LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_tells_every_client_and_waits_for_none() {
    let sessions = Sessions::start();
    let (mut ada, of_ada) = sessions.connect_through(PIPE_BYTES, |stream| stream);
    ada.join_as("ada", &test_keys::ada()).await;
    let (_silent, of_silent) = sessions.connect_through(PIPE_BYTES, |stream| stream);
    let (mut greeted, of_greeted) = sessions.connect_through(PIPE_BYTES, |stream| stream);
    greeted.greet().await;
    let mut bob = sessions.join("bob", &test_keys::bob()).await;
    assert!(matches!(ada.next().await, ServerMessage::Joined { .. }));

    let asked_at = Instant::now();
    sessions.stop.cancel();
    for session in [of_ada, of_silent, of_greeted] {
        session.await.unwrap();
    }
    let goodbye = Some(ServerMessage::Goodbye { reason: notices::SERVER_STOPPED.to_owned() });
    for client in [&mut ada, &mut bob, &mut greeted] {
        assert_eq!(client.try_next().await, goodbye, "the first message after the stop, without any `Left` before it");
        assert_eq!(client.try_next().await, None);
    }
    assert_eq!(asked_at.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_number_of_messages_disconnects_a_client_that_will_read_them() {
    const MESSAGES: usize = 20_000;
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let (mut bob, _) = sessions.connect_through(1024, |stream| stream);
    bob.join_as("bob", &test_keys::bob()).await;
    for _ in 0..MESSAGES {
        sessions.services.hub.offer(Library::default());
        ada.next_that(|message| matches!(message, ServerMessage::LibraryChanged { .. }).then_some(())).await;
    }
    // Two pings that come first.
    sleep(2 * PING_INTERVAL).await;
    for _ in 0..MESSAGES {
        let message = bob.next().await;
        assert!(matches!(message, ServerMessage::LibraryChanged { .. }), "{message:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_eight_seconds_for_one_message_is_expelled() {
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let (mut bob, _) = sessions.connect_through(1024, |stream| stream);
    bob.join_as("bob", &test_keys::bob()).await;
    let begun = Instant::now();
    let large = VideoInfo {
        id: VideoId(1),
        fingerprint: 1,
        title: "x".repeat(10_000),
        duration_nanos: 1,
        has_sound: false,
        is_ready: false,
        variants: Vec::new(),
        unreadable_heights: Vec::new(),
    };
    sessions.services.hub.offer(Library { videos: vec![large], unplayable_count: 0 });
    // Alive, but not reading.
    let pongs = async {
        loop {
            sleep(PING_INTERVAL).await;
            bob.send(&ClientMessage::Pong { number: 0 }).await;
        }
    };
    let left = tokio::select! {
        left = left(&mut ada) => left,
        () = pongs => unreachable!("pongs never end"),
    };
    assert_eq!(left, (Name::parse("bob").unwrap(), LeaveReason::Expelled));
    assert_eq!(begun.elapsed().as_secs(), 8);
}

/// Joins `count` clients that never read.
fn crowd(sessions: &Sessions, count: usize) -> Vec<triptych_server::hub::Membership> {
    let member = |number: usize| {
        let person = person(number, public_key(number));
        sessions.services.hub.join(person, Outbox::default()).unwrap()
    };
    (0..count).map(member).collect()
}

#[tokio::test]
async fn a_full_server_refuses_until_someone_leaves() {
    const MAX_PEOPLE: usize = 300;
    let sessions = Sessions::start_limited(Limits { max_people: MAX_PEOPLE, ..Limits::default() });
    let mut members = crowd(&sessions, MAX_PEOPLE);
    let mut ada = sessions.connect();
    let nonce = ada.greet().await;
    ada.send(&join_message("ada", &test_keys::ada(), nonce)).await;
    assert_eq!(ada.expect_refusal().await, (RefusalCode::Full, Refusal::from(EnterError::Full(MAX_PEOPLE)).message));

    members.pop();
    let welcome = sessions.connect().join_as("ada", &test_keys::ada()).await;
    assert_eq!(welcome.people.len(), MAX_PEOPLE);
}

/// How long the `number`th request has to wait when each costs `cost` and two seconds of work are free.
fn expected_wait(number: u32, cost: Duration) -> Duration {
    (cost * (number - 1)).saturating_sub(Duration::from_secs(2))
}

/// Asserts that a wait is as expected; the runtime's timers round up to milliseconds.
fn assert_wait(waited: Duration, expected: Duration, number: u32) {
    let tolerance = Duration::from_millis(2);
    assert!(expected <= waited && waited <= expected + tolerance, "request {number}: {waited:?}, not {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_much_waits_and_no_other_client_does() {
    const REQUESTS: u32 = 200;
    let sessions = Sessions::start();
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let mut bob = sessions.join("bob", &test_keys::bob()).await;
    let directory = |message| matches!(message, ServerMessage::Directory { .. }).then_some(());
    for _ in 0..2 {
        let asked_at = Instant::now();
        ada.send_bytes(&encode_client(&ClientMessage::AskDirectory).repeat(REQUESTS as usize)).await;
        for number in 1..=REQUESTS {
            ada.next_that(directory).await;
            assert_wait(asked_at.elapsed(), expected_wait(number, Duration::from_secs(1) / 30), number);
            if number % 50 == 0 {
                let asked_at = Instant::now();
                bob.send(&ClientMessage::AskDirectory).await;
                bob.next_that(directory).await;
                assert_eq!(asked_at.elapsed(), Duration::ZERO);
            }
        }
        // Two seconds after the last answer the burst is there again.
        sleep(Duration::from_secs(2) + Duration::from_millis(40)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_floods_with_envelopes_is_relayed_at_the_rate_of_messages_or_of_bytes() {
    const ENVELOPES: u32 = 100;
    let (ada_key, bob_key) = (test_keys::ada(), test_keys::bob());
    // The server does not look at the sequence, so one letter can be sent again and again.
    let letter = letter(&"x".repeat(8192), 1, &ada_key, &bob_key).as_bytes().to_vec();
    // 10 messages or 128 KiB per second, and 30 messages or 512 KiB at once. What is handed on counts by its bytes only.
    let of_bytes = |bytes: usize| Duration::from_nanos(bytes as u64 * 1_000_000_000 / (128 * 1024));
    let by_count = (Duration::from_millis(100), Duration::from_secs(3));
    let by_bytes = (of_bytes(letter.len()), of_bytes(512 * 1024));
    let (to, envelope) = (bob_key.public_key().id(), Blob(letter));
    for (message, (cost, burst)) in [
        (ClientMessage::Say { envelope: envelope.clone() }, by_count),
        (ClientMessage::Hand { to, envelope }, by_bytes),
    ] {
        let sessions = Sessions::start();
        let mut ada = sessions.join("ada", &ada_key).await;
        let mut bob = sessions.join("bob", &bob_key).await;
        let flood = encode_client(&message);
        let (begun, writer) = (Instant::now(), ada.writer.clone());
        let sending = tokio::spawn(async move { writer.write(&flood.repeat(ENVELOPES as usize)).await });
        let reading = tokio::spawn(async move { while ada.try_next().await.is_some() {} });
        for number in 1..=ENVELOPES {
            let is_envelope = |message| matches!(message, ServerMessage::Relayed { .. } | ServerMessage::Handed { .. });
            bob.next_that(|message| is_envelope(message).then_some(())).await;
            assert_wait(begun.elapsed(), (cost * (number - 1)).saturating_sub(burst), number);
        }
        assert!(sending.await.unwrap());
        reading.abort();
    }
}
