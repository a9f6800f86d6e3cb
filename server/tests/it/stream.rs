//! Flow control: pictures are sent as granted, stop with the stream, and let messages overtake them.

use common::{
    crypto::test_keys,
    media::{
        Delivery, Epoch, PictureHead, Position, Quality, SetQualityRequest, SoundFormat, Statistics, StreamId,
        StreamStart, VideoId, WatchRequest,
    },
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::{
    client::TestClient,
    clips::{Clip, write_video},
    pipe::Sessions,
    server::{DEADLINE, TestServer},
};

const FRAME_COUNT: u32 = 90;
/// Pictures that the store decodes ahead of a viewer.
const DECODED_AHEAD: u64 = 16;

/// A folder with one video of three files.
fn folder_with_video() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clip = |variant| Clip::new(variant, FRAME_COUNT.into(), 30);
    write_video(folder.path(), "Clip", &[(240, "mkv", clip(0)), (720, "mkv", clip(1)), (1440, "mkv", clip(2))]);
    folder
}

/// A server with that video, and a client to watch it.
async fn viewer() -> (TempDir, TestServer, TestClient, VideoId) {
    let folder = folder_with_video();
    let server = TestServer::start_with(folder.path()).await;
    let (client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
    let video = welcome.library.videos[0].id;
    (folder, server, client, video)
}

fn watch(stream: u32, video: VideoId) -> ClientMessage {
    watch_message(StreamId(stream), video, Quality::Triptych, Position::START)
}

fn grant(stream: u32, items: u32) -> ClientMessage {
    ClientMessage::Grant { stream: StreamId(stream), epoch: Epoch(0), items }
}

#[tokio::test]
async fn without_an_encoder_for_opus_the_sound_is_pcm() {
    let folder = folder_with_video();
    let mut sessions = Sessions::start_with(folder.path());
    let video = sessions.services.videos.library.listing().videos[0].id;
    for (stream, has_opus, expected) in [(1, false, SoundFormat::Pcm), (2, true, SoundFormat::Opus)] {
        sessions.services.videos.has_opus = has_opus;
        let mut client = sessions.join("ada", &test_keys::ada()).await;
        let delivery = Delivery { sound: SoundFormat::Opus, ..Delivery::FULL };
        let (stream, quality, from) = (StreamId(stream), Quality::Triptych, Position::START);
        client.send(&ClientMessage::Watch(WatchRequest { stream, video, quality, from, delivery })).await;
        let started = async |client: &mut TestClient, expected: Epoch| {
            let started = |message| match message {
                ServerMessage::StreamStarted(StreamStart { epoch, delivery, .. }) if epoch == expected => {
                    Some(delivery)
                }
                _ => None,
            };
            client.next_that(started).await.sound
        };
        assert_eq!(started(&mut client, Epoch(0)).await, expected);
        let (epoch, at) = (Epoch(1), Position::START);
        let request = SetQualityRequest { stream, epoch, quality, delivery, at };
        client.send(&ClientMessage::SetQuality(request)).await;
        assert_eq!(started(&mut client, epoch).await, expected);
        client.send(&ClientMessage::Quit).await;
        client.stay().await;
    }
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

/// Asks for the counters. Nothing else may come before the answer but the start of a stream.
async fn statistics(client: &mut TestClient) -> Statistics {
    client.send(&ClientMessage::AskStatistics).await;
    client
        .next_that(|message| match message {
            ServerMessage::Statistics(statistics) => Some(statistics),
            ServerMessage::StreamStarted(_) => None,
            other => panic!("{other:?} came although nothing was granted"),
        })
        .await
}

/// Waits until the viewer has come for the picture after the `sent` first ones and the store has decoded it, so that only
/// the missing credit holds it back, and expects that it does not come.
async fn expect_held_back(client: &mut TestClient, sent: u64) {
    let ready = async {
        loop {
            let statistics = statistics(client).await;
            if statistics.hits + statistics.misses > sent && statistics.decoded >= DECODED_AHEAD {
                break;
            }
        }
    };
    timeout(DEADLINE, ready).await.expect("the next picture is decoded");
    for _ in 0..3 {
        statistics(client).await;
    }
}

#[tokio::test]
async fn only_granted_pictures_are_sent() {
    let (_folder, _server, mut client, video) = viewer().await;
    client.send(&watch(1, video)).await;
    expect_held_back(&mut client, 0).await;
    client.send(&grant(1, 3)).await;
    client.send(&grant(2, 50)).await; // for a stream that does not exist
    let heads = pictures(&mut client, 3).await;
    assert_eq!(heads.iter().map(|head| head.index).collect::<Vec<_>>(), [0, 1, 2]);
    expect_held_back(&mut client, 3).await;
    client.send(&grant(1, FRAME_COUNT)).await;
    pictures(&mut client, FRAME_COUNT as usize - 3).await;
    assert_eq!(
        client.next().await,
        ServerMessage::StreamEnded { stream: StreamId(1), epoch: Epoch(0), reason: EndReason::Finished }
    );
}

#[tokio::test]
async fn a_stopped_stream_sends_nothing_more() {
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
    // The server ends the sending task before it announces the end, so no item of the stream can follow.
    assert_eq!(statistics(&mut client).await.viewers, 0);
}

#[tokio::test]
async fn a_second_watch_replaces_the_first() {
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
    let sent = bob.say("now", 1, &bob_key, &ada_key).await;
    let (before, received) = pictures_until_message(&mut ada).await;
    let mut indices = [vec![4], before].concat();
    assert_eq!(received, sent);
    let rest = pictures(&mut ada, FRAME_COUNT as usize - 4 - indices.len()).await;
    indices.extend(rest.iter().map(|head| head.index));
    assert_eq!(indices, (4..FRAME_COUNT).collect::<Vec<_>>(), "the message spoilt no picture");
}

/// Reads up to the next relayed envelope. Returns the indices of the pictures before it, and the envelope.
async fn pictures_until_message(client: &mut TestClient) -> (Vec<u32>, Vec<u8>) {
    let mut indices = Vec::new();
    loop {
        match client.next().await {
            ServerMessage::Picture { head, .. } => indices.push(head.index),
            ServerMessage::Relayed { envelope } => return (indices, envelope.0),
            other => panic!("{other:?} before the message"),
        }
    }
}

#[tokio::test]
async fn a_message_overtakes_queued_pictures() {
    let folder = folder_with_video();
    let sessions = Sessions::start_with(folder.path());
    let video = sessions.services.videos.library.listing().videos[0].id;
    let (bob_key, ada_key) = (test_keys::bob(), test_keys::ada());
    // A pipe smaller than a picture: when nothing is read, one picture is being written, and the others wait.
    let (mut ada, _) = sessions.connect_through(256, |stream| stream);
    ada.join_as("ada", &ada_key).await;
    let mut bob = sessions.join("bob", &bob_key).await;
    ada.next_that(|message| matches!(message, ServerMessage::Joined { .. }).then_some(())).await;
    ada.send(&watch(1, video)).await;
    ada.send(&grant(1, FRAME_COUNT)).await;
    pictures(&mut ada, 5).await;
    // Picture 5 is being written, 6 and 7 wait in the lane, and the viewer, which has 8 and no room for it, asks for no
    // more: it has come for nine pictures.
    let all_wait = async {
        while {
            let statistics = statistics(&mut bob).await;
            statistics.hits + statistics.misses < 9
        } {}
    };
    timeout(DEADLINE, all_wait).await.expect("the picture lane fills");
    let sent = bob.say("now", 1, &bob_key, &ada_key).await;
    bob.next_that(|message| matches!(message, ServerMessage::Relayed { .. }).then_some(())).await;

    let (indices, received) = pictures_until_message(&mut ada).await;
    assert_eq!(received, sent);
    assert_eq!(indices, [5], "the message waits for the picture that is being written and for no other");
    let rest = pictures(&mut ada, FRAME_COUNT as usize - 6).await;
    assert_eq!(rest.iter().map(|head| head.index).collect::<Vec<_>>(), (6..FRAME_COUNT).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_starts_many_streams_gets_the_last_one() {
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
