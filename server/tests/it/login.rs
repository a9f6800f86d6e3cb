//! What happens before `Welcome`: deadlines, repeated `Join`s, and who loses its place. Over pipes, with the clock paused.

use std::time::Duration;

use common::{
    codec::encode_client,
    crypto::test_keys,
    limits::{HANDSHAKE_DEADLINE, PROTOCOL_VERSION},
    message::{MAGIC, RefusalCode, ServerMessage},
};
use tokio::time::{Instant, sleep};
use triptych_server::{
    admission::GRACE,
    limits::Limits,
    session::{login::MAX_JOINS, notices::Refusal},
};

use crate::support::{
    client::{TestClient, hello, join_message},
    pipe::Sessions,
};

/// Expects a refusal after which the connection stays open.
async fn refused(client: &mut TestClient) -> RefusalCode {
    match client.next().await {
        ServerMessage::Refused { code, .. } => code,
        other => panic!("no refusal but {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_say_hello_in_time_is_refused() {
    let sessions = Sessions::start();
    let connected_at = Instant::now();
    let mut silent = sessions.connect();
    let expected = (RefusalCode::TooLate, Refusal::no_hello(HANDSHAKE_DEADLINE).message);
    assert_eq!(silent.expect_refusal().await, expected);
    assert_eq!(connected_at.elapsed().as_secs(), HANDSHAKE_DEADLINE.as_secs());

    // A byte each second is not more than silence.
    let connected_at = Instant::now();
    let mut slow = sessions.connect();
    for byte in encode_client(&hello(MAGIC, PROTOCOL_VERSION)).iter().take(4) {
        slow.send_bytes(&[*byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(slow.expect_refusal().await, expected);
    assert_eq!(connected_at.elapsed().as_secs(), HANDSHAKE_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_join_in_time_is_refused_whatever_it_tries_meanwhile() {
    let login_deadline = Duration::from_secs(10);
    let sessions = Sessions::start_limited(Limits { login_deadline, ..Limits::default() });
    for tries_a_name in [false, true] {
        let mut client = sessions.connect();
        let nonce = client.greet().await;
        let greeted_at = Instant::now();
        if tries_a_name {
            sleep(login_deadline / 2).await;
            client.send(&join_message("a  b", &test_keys::ada(), nonce)).await;
            assert_eq!(refused(&mut client).await, RefusalCode::BadName);
            client.challenge().await;
        }
        let expected = (RefusalCode::TooLate, Refusal::no_join(login_deadline).message);
        assert_eq!(client.expect_refusal().await, expected);
        assert_eq!(greeted_at.elapsed().as_secs(), login_deadline.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn each_refused_name_costs_more_time_and_the_last_one_the_connection() {
    let sessions = Sessions::start();
    let _ada = sessions.join("ada", &test_keys::ada()).await;
    let mut eve = sessions.connect();
    let mut nonce = eve.greet().await;
    let begun = Instant::now();
    let mut answered_at = Vec::new();
    for number in 1..=MAX_JOINS {
        // A name that is taken and one that breaks the rules count alike.
        let name = if number % 2 == 0 { "ada" } else { "everyone" };
        eve.send(&join_message(name, &test_keys::eve(), nonce)).await;
        let code = refused(&mut eve).await;
        assert_eq!(code, if number % 2 == 0 { RefusalCode::NameInUse } else { RefusalCode::BadName });
        answered_at.push(begun.elapsed().as_millis() / 100);
        if number < MAX_JOINS {
            nonce = eve.challenge().await;
        }
    }
    assert_eq!(answered_at, [0, 5, 15, 35, 75], "in tenths of a second");
    assert_eq!(eve.expect_refusal().await, (RefusalCode::TooMany, Refusal::too_many_joins(MAX_JOINS).message));
}

#[tokio::test(start_paused = true)]
async fn a_join_is_good_once() {
    let sessions = Sessions::start();
    let _ada = sessions.join("ada", &test_keys::ada()).await;
    let mut eve = sessions.connect();
    let nonce = eve.greet().await;
    // What the attack did: one `Join`, signed once, sent for as long as the connection stands.
    let join = encode_client(&join_message("ada", &test_keys::eve(), nonce));
    eve.send_bytes(&join.repeat(1_000)).await;
    assert_eq!(refused(&mut eve).await, RefusalCode::NameInUse);
    assert_ne!(eve.challenge().await, nonce, "each challenge is a new one");
    assert_eq!(eve.expect_refusal().await.0, RefusalCode::BadProof);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_still_join_after_a_refusal() {
    let sessions = Sessions::start();
    let _ada = sessions.join("ada", &test_keys::ada()).await;
    let mut bob = sessions.connect();
    let nonce = bob.greet().await;
    bob.send(&join_message("ada", &test_keys::bob(), nonce)).await;
    assert_eq!(refused(&mut bob).await, RefusalCode::NameInUse);
    let nonce = bob.challenge().await;
    bob.send(&join_message("bob", &test_keys::bob(), nonce)).await;
    assert!(matches!(bob.next().await, ServerMessage::Welcome { .. }));
}

#[tokio::test(start_paused = true)]
async fn newcomers_displace_silent_connections_which_hear_why() {
    let sessions = Sessions::start_limited(Limits { max_half_open: 2, ..Limits::default() });
    // Those who have joined are safe.
    let mut ada = sessions.join("ada", &test_keys::ada()).await;
    let mut oldest = sessions.connect();
    let mut greeted = sessions.connect();
    let nonce = greeted.greet().await;
    let begun = Instant::now();
    for _ in 0..10 {
        sleep(GRACE).await;
        let _newer = sessions.connect();
    }
    assert_eq!(oldest.expect_refusal().await, (RefusalCode::TooLate, Refusal::displaced().message));
    assert!(begun.elapsed() < Duration::from_secs(1), "at once, not when its time is over");
    greeted.send(&join_message("bob", &test_keys::bob(), nonce)).await;
    assert!(
        matches!(greeted.next().await, ServerMessage::Welcome { .. }),
        "one that has said hello outlives silent ones"
    );
    assert!(matches!(ada.next().await, ServerMessage::Joined { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_displaced_connection_that_does_not_read_is_gone_at_once() {
    let sessions = Sessions::start_limited(Limits { max_half_open: 1, ..Limits::default() });
    // The refusal does not fit into its pipe.
    let (deaf, session) = sessions.connect_through(16, |stream| stream);
    sleep(GRACE).await;
    let _newer = sessions.connect();
    let begun = Instant::now();
    session.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(deaf);
}
