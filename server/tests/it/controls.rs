//! Seeks and quality changes during playback, over TCP: the right frame of the right file, and nothing of an older epoch.

use common::{
    crypto::test_keys,
    media::{Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, StreamId, StreamStart, VideoId},
    message::{ClientMessage, EndReason, LeaveReason, RefusalCode, ServerMessage},
    test_messages::watch_message,
};
use tempfile::TempDir;

use crate::support::{
    client::TestClient,
    clips::{Clip, H264_SHORT_GROUPS, read_barcode, write_video},
    server::TestServer,
};

const STREAM: StreamId = StreamId(1);
const FRAMES: u32 = 90;
const PERIOD_NANOS: u64 = 40_000_000;

/// A client that watches a video of three files with 90 frames each.
struct Watcher {
    folder: TempDir,
    server: TestServer,
    client: TestClient,
    video: VideoId,
    epoch: Epoch,
}

impl Watcher {
    async fn start(quality: Quality, from: Position) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clip = |file| Clip::new(file, FRAMES.into(), 25).encoder(H264_SHORT_GROUPS, "mp4mux");
        write_video(folder.path(), "Clip", &[(240, "mp4", clip(0)), (720, "mp4", clip(1)), (1440, "mp4", clip(2))]);
        let server = TestServer::start_with(folder.path()).await;
        let (mut client, welcome) = TestClient::join(server.address, "ada", &test_keys::ada()).await;
        let video = welcome.library.videos[0].id;
        client.send(&watch_message(STREAM, video, quality, from)).await;
        Self { folder, server, client, video, epoch: Epoch(0) }
    }

    async fn grant(&mut self, items: u32) {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: self.epoch, items }).await;
    }

    /// Skips what is left of older epochs, and returns index, frame and file of the next picture.
    async fn picture(&mut self) -> (u32, u32, u32) {
        let epoch = self.epoch;
        let next = self.client.next_that(|message| match message {
            ServerMessage::Picture { head, jpeg } if head.epoch == epoch => Some((head, jpeg)),
            ServerMessage::Picture { head, .. } => {
                assert!(head.epoch < epoch);
                None
            }
            ServerMessage::StreamStarted(_) => None,
            other => panic!("no picture but {other:?}"),
        });
        let (head, jpeg) = next.await;
        let (frame, file) = read_barcode(&jpeg.0).unwrap();
        (head.index, frame, file)
    }

    async fn seek(&mut self, to: Position) {
        self.epoch.0 += 1;
        self.client.send(&ClientMessage::Seek(SeekRequest { stream: STREAM, epoch: self.epoch, to })).await;
    }

    /// Skips what is left of older epochs, and returns the epoch that failed.
    async fn failed_epoch(&mut self) -> Epoch {
        let failed = self.client.next_that(|message| match message {
            ServerMessage::StreamEnded { epoch, reason: EndReason::Failed(_), .. } => Some(epoch),
            ServerMessage::StreamStarted(_) | ServerMessage::Picture { .. } | ServerMessage::Joined { .. } => None,
            other => panic!("no failure but {other:?}"),
        });
        failed.await
    }

    async fn set_quality(&mut self, quality: Quality, at: u32) {
        self.epoch.0 += 1;
        let at = Position::Picture(at);
        self.client
            .send(&ClientMessage::SetQuality(SetQualityRequest {
                stream: STREAM,
                epoch: self.epoch,
                quality,
                at,
                delivery: Delivery::FULL,
            }))
            .await;
    }
}

/// The file that a frame of the triptych comes from.
fn file_of(frame: u32) -> u32 {
    frame / (FRAMES / 3)
}

#[tokio::test]
async fn seeking_shows_exactly_the_frame_asked_for_forwards_and_back() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    watcher.grant(1).await;
    assert_eq!(watcher.picture().await, (0, 0, 0));
    for frame in [1, 29, 30, 31, 89, 60, 59, 2, 45, 0, 88] {
        watcher.seek(Position::Picture(frame)).await;
        watcher.grant(2).await;
        assert_eq!(watcher.picture().await, (frame, frame, file_of(frame)));
        if frame + 1 < FRAMES {
            assert_eq!(watcher.picture().await, (frame + 1, frame + 1, file_of(frame + 1)));
        } else {
            let end = watcher.client.next().await;
            assert!(matches!(end, ServerMessage::StreamEnded { reason: EndReason::Finished, .. }), "{end:?}");
        }
    }
}

#[tokio::test]
async fn seeking_to_a_time_shows_the_picture_of_that_time() {
    let mut watcher = Watcher::start(Quality::Only(720), Position::Time(10 * PERIOD_NANOS + 1)).await;
    watcher.grant(1).await;
    assert_eq!(watcher.picture().await, (10, 10, 1));
    for (nanos, frame) in [
        (0, 0),
        (PERIOD_NANOS - 1, 0),
        (PERIOD_NANOS, 1),
        (70 * PERIOD_NANOS + PERIOD_NANOS / 2, 70),
        (u64::MAX, FRAMES - 1),
    ] {
        watcher.seek(Position::Time(nanos)).await;
        watcher.grant(1).await;
        assert_eq!(watcher.picture().await, (frame, frame, 1), "{nanos}");
    }
}

#[tokio::test]
async fn another_quality_continues_at_the_same_frame() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    watcher.grant(41).await;
    for frame in 0..=40 {
        assert_eq!(watcher.picture().await.1, frame);
    }
    for (quality, file) in [(Quality::Only(240), 0), (Quality::Only(1440), 2), (Quality::Triptych, 1)] {
        watcher.set_quality(quality, 40).await;
        watcher.grant(1).await;
        assert_eq!(watcher.picture().await, (40, 40, file));
    }
    watcher.set_quality(Quality::Only(480), 40).await;
    let refused = watcher.client.next().await;
    let ServerMessage::StreamEnded { epoch, reason: EndReason::Failed(reason), .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(epoch == watcher.epoch && reason.contains("480p"), "{reason}");
}

#[tokio::test]
async fn after_a_missing_quality_a_stream_can_still_be_sought_replaced_and_stopped() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    let (mut bob, _) = TestClient::join(watcher.server.address, "bob", &test_keys::bob()).await;
    // Each of these stops a viewer that has stopped already.
    for _ in 0..2 {
        watcher.set_quality(Quality::Only(480), 0).await;
        assert_eq!(watcher.failed_epoch().await, watcher.epoch);
    }
    watcher.seek(Position::Picture(7)).await;
    watcher.grant(1).await;
    assert_eq!(watcher.picture().await, (7, 7, 0));

    watcher.set_quality(Quality::Only(480), 7).await;
    assert_eq!(watcher.failed_epoch().await, watcher.epoch);
    let (second, video, quality, from) = (StreamId(2), watcher.video, Quality::Only(240), Position::START);
    watcher.client.send(&watch_message(second, video, quality, from)).await;
    let started = watcher.client.next().await;
    assert!(matches!(&started, ServerMessage::StreamStarted(start) if start.stream == second), "{started:?}");

    let (epoch, quality, at) = (Epoch(1), Quality::Only(480), Position::START);
    watcher
        .client
        .send(&ClientMessage::SetQuality(SetQualityRequest {
            stream: second,
            epoch,
            quality,
            at,
            delivery: Delivery::FULL,
        }))
        .await;
    assert_eq!(watcher.failed_epoch().await, epoch);
    watcher.client.send(&ClientMessage::Stop { stream: second }).await;
    watcher.client.send(&ClientMessage::AskStatistics).await;
    let answer = watcher.client.next().await;
    let ServerMessage::Statistics(statistics) = answer else { panic!("{answer:?}") };
    assert_eq!(statistics.viewers, 0);

    watcher.client.send(&ClientMessage::Quit).await;
    let left = bob.next_that(|message| match message {
        ServerMessage::Left { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(left.await, LeaveReason::Quit);
}

#[tokio::test]
async fn each_epoch_is_announced_and_a_grant_for_an_old_one_is_ignored() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::Picture(5)).await;
    let (mut client_epoch, mut epochs) = (Epoch(0), Vec::new());
    for step in 0..3 {
        let started = watcher.client.next_that(|message| match message {
            ServerMessage::StreamStarted(StreamStart { epoch, first_index, frame_count, segments, .. }) => {
                Some((epoch, first_index, frame_count, segments.len()))
            }
            _ => None,
        });
        epochs.push(started.await);
        // For another epoch, so it is ignored.
        watcher.client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(77), items: 9 }).await;
        match step {
            0 => watcher.seek(Position::Picture(50)).await,
            1 => watcher.set_quality(Quality::Only(720), 50).await,
            _ => {
                watcher.client.send(&ClientMessage::Grant { stream: STREAM, epoch: client_epoch, items: 9 }).await;
            }
        }
        client_epoch = Epoch(1);
    }
    assert_eq!(epochs, [(Epoch(0), 5, 90, 3), (Epoch(1), 50, 90, 3), (Epoch(2), 50, 90, 1)]);
    watcher.client.send(&ClientMessage::AskStatistics).await;
    let answer = watcher.client.next().await;
    let ServerMessage::Statistics(statistics) = answer else { panic!("something was sent without credit: {answer:?}") };
    assert_eq!((statistics.viewers, statistics.cache_bytes), (1, 64 << 20));
}

#[tokio::test]
async fn a_stream_that_finished_can_be_sought_until_it_is_stopped() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::Picture(88)).await;
    watcher.grant(10).await;
    assert_eq!((watcher.picture().await.0, watcher.picture().await.0), (88, 89));
    let end = watcher.client.next().await;
    assert_eq!(end, ServerMessage::StreamEnded { stream: STREAM, epoch: Epoch(0), reason: EndReason::Finished });
    watcher.seek(Position::Picture(3)).await;
    watcher.grant(1).await;
    assert_eq!(watcher.picture().await, (3, 3, 0));
    watcher.client.send(&ClientMessage::Stop { stream: STREAM }).await;
    let end = watcher.client.next().await;
    assert_eq!(end, ServerMessage::StreamEnded { stream: STREAM, epoch: Epoch(1), reason: EndReason::Stopped });
    watcher.seek(Position::Picture(3)).await;
    watcher.grant(1).await;
    watcher.client.send(&ClientMessage::AskDirectory).await;
    assert!(matches!(watcher.client.next().await, ServerMessage::Directory { .. }), "a stopped stream stays stopped");
}

#[tokio::test]
async fn of_many_seeks_at_once_the_last_one_counts() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    for frame in (0..FRAMES).chain((0..FRAMES).rev()).chain([33]) {
        watcher.seek(Position::Picture(frame)).await;
        watcher.grant(5).await;
    }
    assert_eq!(watcher.picture().await, (33, 33, 1));
}

#[tokio::test]
async fn a_client_whose_epochs_do_not_grow_is_refused() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    watcher
        .client
        .send(&ClientMessage::Seek(SeekRequest { stream: STREAM, epoch: Epoch(0), to: Position::START }))
        .await;
    let refused = watcher.client.next_that(|message| match message {
        ServerMessage::Refused { code, message, .. } => Some((code, message)),
        _ => None,
    });
    let (code, message) = refused.await;
    assert!(code == RefusalCode::Malformed && message.contains("epochs must grow"), "{message}");
    // A seek in a stream that does not run is ignored.
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    watcher
        .client
        .send(&ClientMessage::Seek(SeekRequest { stream: StreamId(9), epoch: Epoch(0), to: Position::START }))
        .await;
    watcher.client.send(&ClientMessage::AskThumbnail { video: watcher.video }).await;
    let answer = watcher.client.next_that(|message| match message {
        ServerMessage::Thumbnail { video, .. } => Some(video),
        _ => None,
    });
    assert_eq!(answer.await, watcher.video);
}

#[tokio::test]
async fn a_video_with_several_viewers_is_decoded_once() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    let mut others = Vec::new();
    for name in ["bob", "eve"] {
        let identity = if name == "bob" { test_keys::bob() } else { test_keys::eve() };
        let (mut client, _) = TestClient::join(watcher.server.address, name, &identity).await;
        let (stream, video, quality, from) = (STREAM, watcher.video, Quality::Triptych, Position::START);
        client.send(&watch_message(stream, video, quality, from)).await;
        client.send(&ClientMessage::Grant { stream, epoch: Epoch(0), items: FRAMES }).await;
        others.push(client);
    }
    watcher.grant(FRAMES).await;
    for mut client in others {
        let mut count = 0;
        while !matches!(client.next().await, ServerMessage::StreamEnded { .. }) {
            count += 1;
        }
        assert!(count >= FRAMES);
    }
    watcher.client.send(&ClientMessage::AskStatistics).await;
    let statistics = watcher.client.next_that(|message| match message {
        ServerMessage::Statistics(statistics) => Some(statistics),
        _ => None,
    });
    assert_eq!(statistics.await.decoded, u64::from(FRAMES));
}

#[tokio::test]
async fn removing_a_file_ends_the_streams_of_its_video_with_a_reason() {
    let mut watcher = Watcher::start(Quality::Triptych, Position::START).await;
    watcher.grant(1).await;
    watcher.picture().await;
    std::fs::remove_file(watcher.folder.path().join("Clip_720p.mp4")).unwrap();
    let ended = watcher.client.next_that(|message| match message {
        ServerMessage::StreamEnded { reason: EndReason::Failed(reason), .. } => Some(reason),
        _ => None,
    });
    let reason = ended.await;
    assert_eq!(reason, "\"Clip_720p.mp4\" was removed from the server's video folder.");
    // Two files are left, and can be watched.
    let (stream, video, quality, from) = (StreamId(2), watcher.video, Quality::Triptych, Position::START);
    watcher.client.send(&watch_message(stream, video, quality, from)).await;
    let started = watcher.client.next_that(|message| match message {
        ServerMessage::StreamStarted(StreamStart { stream: StreamId(2), segments, .. }) => Some(segments.len()),
        _ => None,
    });
    assert_eq!(started.await, 2);
}
