//! Flow control: pictures come as they are granted, stop when they are stopped, and let messages pass.

use common::{
    codec::{decode_server, encode_client},
    crypto::test_keys,
    media::{Epoch, PictureHead, Position, Quality, StreamId, StreamStart, VideoId, WatchRequest},
    message::{ClientMessage, EndReason, ServerMessage},
};
use tempfile::TempDir;

use crate::support::{
    client::TestClient,
    clips::{Clip, write_video},
    server::TestServer,
};

const FRAME_COUNT: u32 = 90;

/// A server with one video of three files, and somebody to watch it.
async fn viewer() -> (TempDir, TestServer, TestClient, VideoId) {
    let folder = tempfile::tempdir().unwrap();
    let clip = |variant| Clip::new(variant, FRAME_COUNT.into(), 30);
    write_video(folder.path(), "Clip", &[(240, "mkv", clip(0)), (720, "mkv", clip(1)), (1440, "mkv", clip(2))]);
    let server = TestServer::start_with(folder.path()).await;
    let (client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let video = welcome.library.videos[0].id;
    (folder, server, client, video)
}

fn watch(stream: u32, video: VideoId) -> ClientMessage {
    ClientMessage::Watch(WatchRequest {
        stream: StreamId(stream),
        video,
        quality: Quality::Triptych,
        from: Position::START,
    })
}

fn grant(stream: u32, items: u32) -> ClientMessage {
    ClientMessage::Grant { stream: StreamId(stream), epoch: Epoch(0), items }
}

/// The heads of the pictures until `count` have come.
async fn pictures(client: &mut TestClient, count: usize) -> Vec<PictureHead> {
    let mut heads = Vec::new();
    while heads.len() < count {
        match client.next().await {
            ServerMessage::Picture { head, .. } => heads.push(head),
            ServerMessage::StreamStarted(_) => {}
            other => panic!("no picture but {other:?}"),
        }
    }
    heads
}

/// Expects nothing but pings for long enough that anything under way would have come.
async fn expect_quiet(client: &mut TestClient) {
    let mut ping_count = 0;
    while ping_count < 2 {
        let frame = client.next_frame().await.expect("the connection is open");
        match decode_server(&frame).unwrap() {
            ServerMessage::Ping { number } => {
                ping_count += 1;
                client.send_bytes(&encode_client(&ClientMessage::Pong { number })).await;
            }
            ServerMessage::StreamStarted(_) => {}
            other => panic!("{other:?} came although nothing was granted"),
        }
    }
}

#[tokio::test]
async fn pictures_come_as_granted_and_no_more() {
    let (_folder, _server, mut client, video) = viewer().await;
    client.send(&watch(1, video)).await;
    expect_quiet(&mut client).await;
    client.send(&grant(1, 3)).await;
    client.send(&grant(2, 50)).await; // of a stream that is not there
    let heads = pictures(&mut client, 3).await;
    assert_eq!(heads.iter().map(|head| head.index).collect::<Vec<_>>(), [0, 1, 2]);
    expect_quiet(&mut client).await;
    client.send(&grant(1, FRAME_COUNT)).await;
    pictures(&mut client, FRAME_COUNT as usize - 3).await;
    assert_eq!(
        client.next().await,
        ServerMessage::StreamEnded { stream: StreamId(1), epoch: Epoch(0), reason: EndReason::Finished }
    );
}

#[tokio::test]
async fn stop_is_the_end_of_it() {
    let (_folder, _server, mut client, video) = viewer().await;
    client.send(&watch(1, video)).await;
    client.send(&grant(1, 40)).await;
    pictures(&mut client, 5).await;
    client.send(&ClientMessage::Stop { stream: StreamId(1) }).await;
    let ended = client.next_that(|message| match message {
        ServerMessage::Picture { .. } => None, // under way when the stop arrived
        other => Some(other),
    });
    assert_eq!(
        ended.await,
        ServerMessage::StreamEnded { stream: StreamId(1), epoch: Epoch(0), reason: EndReason::Stopped }
    );
    expect_quiet(&mut client).await;
}

#[tokio::test]
async fn another_watch_takes_the_place_of_the_first() {
    let (_folder, _server, mut client, video) = viewer().await;
    client.send(&watch(1, video)).await;
    client.send(&grant(1, 40)).await;
    pictures(&mut client, 5).await;
    client.send(&watch(2, video)).await;
    client.send(&grant(2, 2)).await;
    let mut of_second = Vec::new();
    let mut has_first_ended = false;
    while of_second.len() < 2 {
        match client.next().await {
            ServerMessage::StreamEnded { stream, reason, .. } => {
                assert_eq!((stream, reason), (StreamId(1), EndReason::Stopped));
                has_first_ended = true;
            }
            ServerMessage::StreamStarted(StreamStart { stream, .. }) => {
                assert!(has_first_ended && stream == StreamId(2))
            }
            ServerMessage::Picture { head, .. } if head.stream == StreamId(2) => of_second.push(head.index),
            ServerMessage::Picture { .. } => assert!(!has_first_ended, "a picture of the first stream after its end"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(of_second, [0, 1]);
}

#[tokio::test]
async fn messages_pass_while_pictures_flow() {
    let (_folder, server, mut ada, video) = viewer().await;
    let (bob_key, ada_key) = (test_keys::bob(), test_keys::ada());
    let (mut bob, _) = TestClient::join(server.address, "bob", &bob_key).await;
    ada.next_that(|message| matches!(message, ServerMessage::Joined { .. }).then_some(())).await;
    ada.send(&watch(1, video)).await;
    ada.send(&grant(1, FRAME_COUNT)).await;
    pictures(&mut ada, 5).await;
    let sent = bob.say("now", 1, &bob_key, &[&ada_key]).await;
    let mut indices = vec![4];
    let received = loop {
        match ada.next().await {
            ServerMessage::Picture { head, .. } => indices.push(head.index),
            ServerMessage::Relayed { envelope } => break envelope.0,
            other => panic!("{other:?} before the message"),
        }
    };
    assert_eq!(received, sent);
    let rest = pictures(&mut ada, FRAME_COUNT as usize - 4 - indices.len()).await;
    indices.extend(rest.iter().map(|head| head.index));
    assert_eq!(indices, (4..FRAME_COUNT).collect::<Vec<_>>(), "the message spoilt no picture");
}

#[tokio::test]
async fn whoever_clicks_through_videos_gets_the_last_one() {
    let (_folder, _server, mut client, video) = viewer().await;
    for stream in 1..=30 {
        client.send(&watch(stream, video)).await;
        client.send(&grant(stream, 3)).await;
    }
    let mut indices = Vec::new();
    while indices.len() < 3 {
        match client.next().await {
            ServerMessage::Picture { head, .. } if head.stream == StreamId(30) => indices.push(head.index),
            ServerMessage::Picture { .. } | ServerMessage::StreamStarted(_) => {}
            ServerMessage::StreamEnded { stream, reason, .. } => {
                assert_eq!(reason, EndReason::Stopped);
                assert!(stream < StreamId(30));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(indices, [0, 1, 2]);
}
