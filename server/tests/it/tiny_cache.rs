//! Several viewers of one file on a server whose cache holds nothing: each receives every frame.

use common::{
    crypto::{Identity, test_keys},
    media::{Epoch, Position, Quality, StreamId, VideoId},
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use tempfile::{TempDir, tempdir};

use crate::support::{
    client::TestClient,
    clips::{Clip, H264_SHORT_GROUPS, read_barcode, write_video},
    server::TestServer,
};

const STREAM: StreamId = StreamId(1);
const FRAMES: u32 = 90;

/// A folder with one file of 90 frames.
fn write_clip() -> TempDir {
    let folder = tempdir().unwrap();
    let clip = Clip::new(0, FRAMES.into(), 25).encoder(H264_SHORT_GROUPS, "mp4mux");
    write_video(folder.path(), "Clip", &[(240, "mp4", clip)]);
    folder
}

/// A client that watches the file.
struct Viewer {
    client: TestClient,
}

impl Viewer {
    async fn watch(server: &TestServer, name: &str, identity: &Identity, from: u32) -> Self {
        let (mut client, welcome) = TestClient::join(server.address, name, identity).await;
        let video: VideoId = welcome.library.videos[0].id;
        let (quality, from) = (Quality::Triptych, Position::Picture(from));
        client.send(&watch_message(STREAM, video, quality, from)).await;
        Self { client }
    }

    /// Grants one item, and expects this frame.
    async fn expect_frame(&mut self, frame: u32) {
        self.client.send(&ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items: 1 }).await;
        let picture = self.client.next_that(|message| match message {
            ServerMessage::Picture { head, jpeg } => Some((head.index, jpeg)),
            ServerMessage::StreamEnded { reason, .. } => panic!("{reason:?} instead of frame {frame}"),
            _ => None,
        });
        let (index, jpeg) = picture.await;
        assert_eq!((index, read_barcode(&jpeg.0)), (frame, Some((frame, 0))));
    }

    async fn expect_end(&mut self) {
        let ended = self.client.next_that(|message| match message {
            ServerMessage::StreamEnded { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(ended.await, EndReason::Finished);
    }
}

#[tokio::test]
async fn a_paused_viewer_does_not_stop_another_one_wherever_it_is() {
    let folder = write_clip();
    // Close behind the paused viewer, in reach of its decoder, just out of its reach, and far away.
    for start in [1, 5, 12, 17, 21, 25, 30, 70] {
        let server = TestServer::start_with_cache(folder.path(), 0).await;
        let mut paused = Viewer::watch(&server, "ada", &test_keys::ada(), 0).await;
        for frame in 0..3 {
            paused.expect_frame(frame).await;
        }
        let mut other = Viewer::watch(&server, "bob", &test_keys::bob(), start).await;
        for frame in start..start + 20 {
            other.expect_frame(frame).await;
        }
        for frame in 3..20 {
            paused.expect_frame(frame).await;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn two_viewers_at_different_places_both_reach_the_end() {
    let folder = write_clip();
    let server = TestServer::start_with_cache(folder.path(), 0).await;
    let mut first = Viewer::watch(&server, "ada", &test_keys::ada(), 0).await;
    let mut second = Viewer::watch(&server, "bob", &test_keys::bob(), 20).await;
    for step in 0..FRAMES - 20 {
        first.expect_frame(step).await;
        second.expect_frame(20 + step).await;
    }
    second.expect_end().await;
    for frame in FRAMES - 20..FRAMES {
        first.expect_frame(frame).await;
    }
    first.expect_end().await;
}
