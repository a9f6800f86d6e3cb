//! Crowds of connections that never join, on real sockets: nobody who means it is kept out or disturbed.

use std::time::Duration;

use common::{
    crypto::{Identity, test_keys},
    message::{ClientMessage, RefusalCode, ServerMessage},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use triptych_server::{Settings, admission::NoPlace, limits::Limits, session::notices::Refusal};

use crate::support::{
    client::TestClient,
    server::{DEADLINE, TestServer, settings},
};

async fn silent_crowd(server: &TestServer, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    crowd
}

async fn relayed(client: &mut TestClient) {
    client.next_that(|message| matches!(message, ServerMessage::Relayed { .. }).then_some(())).await;
}

#[tokio::test]
async fn beside_six_hundred_silent_connections_twelve_of_twelve_newcomers_are_served() {
    let server = TestServer::start().await;
    let crowd = silent_crowd(&server, 600).await;
    let people: [(&str, Identity); 3] =
        [("ada", test_keys::ada()), ("bob", test_keys::bob()), ("eve", test_keys::eve())];
    for _ in 0..4 {
        for (name, identity) in &people {
            let (mut client, _) = TestClient::join(server.address, name, identity).await;
            client.send(&ClientMessage::Quit).await;
            // Until the server has closed the connection, so that the name is free for the next round.
            assert_eq!(client.try_next().await, None);
        }
    }
    drop(crowd);
}

#[tokio::test]
async fn ten_thousand_silent_connections_harm_nobody() {
    let server = TestServer::start().await;
    let (ada_key, bob_key) = (test_keys::ada(), test_keys::bob());
    let (mut ada, _) = TestClient::join(server.address, "ada", &ada_key).await;
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    for wave in 0..20 {
        let _crowd = silent_crowd(&server, 500).await;
        ada.say("still here", wave + 1, &ada_key, &bob_key).await;
        relayed(&mut bob).await;
        relayed(&mut ada).await;
    }
}

#[tokio::test]
async fn a_connection_that_gets_no_place_is_told_why() {
    let server = TestServer::start_limited(Limits { max_connections: Some(1), ..Limits::default() }).await;
    let (_ada, _) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let mut second = TestClient::connect(server.address).await;
    let expected = (RefusalCode::TooMany, Refusal::from(NoPlace::TooMany(1)).message);
    assert_eq!(second.expect_refusal().await, expected);
    // One that greets before it listens loses nothing by that.
    let mut third = TestClient::connect(server.address).await;
    third.send(&crate::support::client::hello(common::message::MAGIC, common::limits::PROTOCOL_VERSION)).await;
    assert_eq!(third.expect_refusal().await, expected);
}

#[tokio::test]
async fn a_tls_handshake_that_comes_byte_by_byte_is_cut_at_its_deadline() {
    let (videos, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let limits = Limits { handshake_deadline: Duration::from_secs(1), ..Limits::default() };
    let certificate_dir = Some(data.path().to_owned());
    let server = TestServer::start_as(&Settings { certificate_dir, limits, ..settings(videos.path()) }).await;
    // A handshake record of 16 KiB, which never gets that far.
    let mut record = [0x16, 3, 1, 0x40, 0].into_iter().chain(std::iter::repeat(1));
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let cut = async {
        let mut answer = [0; 64];
        loop {
            match timeout(Duration::from_millis(20), slow.read(&mut answer)).await {
                Err(_) => drop(slow.write_all(&[record.next().unwrap()]).await),
                // Closed, or reset because a byte was on its way.
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(_)) => {}
            }
        }
    };
    timeout(DEADLINE, cut).await.expect("the server closes the connection");
}
