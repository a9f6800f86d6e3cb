//! Watches a video the way a client does: over TCP, from a real server, granting credit as pictures come.

use std::path::Path;

use common::{
    crypto::test_keys,
    media::{Epoch, Library, Origin, Position, Quality, SegmentInfo, StreamId, StreamStart},
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};

use triptych_server::video::offline::{Import, ImportRequest};

use super::{
    client::TestClient,
    server::{TestServer, worker_processes},
};

/// Pictures that are granted and have not arrived yet.
const CREDIT: u32 = 16;

/// A whole stream.
pub struct Watched {
    pub library: Library,
    pub duration_nanos: u64,
    pub frame_count: u32,
    pub segments: Vec<SegmentInfo>,
    pub pictures: Vec<Received>,
    pub end: EndReason,
}

/// One picture as it arrived.
pub struct Received {
    pub index: u32,
    pub height: u32,
    pub pts_nanos: u64,
    pub duration_nanos: u64,
    pub origin: Origin,
    pub jpeg: Vec<u8>,
}

/// Serves `folder` and watches `title` in it to the end.
pub async fn watch(folder: &Path, title: &str, quality: Quality) -> Watched {
    watch_each(folder, &[title], quality).await.remove(0)
}

/// Serves `folder` and watches `titles` in it, each to the end, over one connection.
pub async fn watch_each(folder: &Path, titles: &[&str], quality: Quality) -> Vec<Watched> {
    let server = TestServer::start_with(folder).await;
    let (mut client, welcome) = TestClient::join(server.address, "viewer", &test_keys::ada()).await;
    let mut all = Vec::new();
    for (stream, title) in (1..).map(StreamId).zip(titles) {
        all.push(watch_title(&mut client, stream, title, quality, &welcome.library).await);
    }
    server.stop().await;
    all
}

/// Watches `title` to the end.
pub async fn watch_title(
    client: &mut TestClient,
    stream: StreamId,
    title: &str,
    quality: Quality,
    library: &Library,
) -> Watched {
    let found = library.videos.iter().find(|video| video.title == *title);
    let video = found.unwrap_or_else(|| panic!("no {title:?} in {library:#?}")).id;
    client.send(&watch_message(stream, video, quality, Position::START)).await;
    watch_stream(client, stream, library.clone()).await
}

async fn watch_stream(client: &mut TestClient, stream: StreamId, library: Library) -> Watched {
    client.send(&ClientMessage::Grant { stream, epoch: Epoch(0), items: CREDIT }).await;
    let mut watched = Watched {
        library,
        duration_nanos: 0,
        frame_count: 0,
        segments: Vec::new(),
        pictures: Vec::new(),
        end: EndReason::Finished,
    };
    loop {
        match client.next().await {
            ServerMessage::StreamStarted(StreamStart { duration_nanos, frame_count, segments, .. }) => {
                watched = Watched { duration_nanos, frame_count, segments, ..watched };
            }
            ServerMessage::Picture { head, jpeg } => {
                assert_eq!(head.stream, stream);
                client.send(&ClientMessage::Grant { stream, epoch: Epoch(0), items: 1 }).await;
                watched.pictures.push(Received {
                    index: head.index,
                    height: head.height,
                    pts_nanos: head.pts_nanos,
                    duration_nanos: head.duration_nanos,
                    origin: head.origin,
                    jpeg: jpeg.0,
                });
            }
            ServerMessage::Sound { .. } => {
                client.send(&ClientMessage::Grant { stream, epoch: Epoch(0), items: 1 }).await;
            }
            ServerMessage::StreamEnded { reason, .. } => {
                watched.end = reason;
                break;
            }
            // Other viewers come and go, and videos become ready.
            ServerMessage::Joined { .. } | ServerMessage::Left { .. } | ServerMessage::LibraryChanged { .. } => {}
            other => panic!("expected a picture or the end, received {other:?}"),
        }
    }
    watched
}

/// Imports a file and watches the imported video.
pub async fn watch_import(path: &Path, height: u32) -> Watched {
    let folder = tempfile::tempdir().unwrap();
    let order = ImportRequest {
        file: path.to_owned(),
        folder: folder.path().to_owned(),
        title: Some("imported".into()),
        heights: vec![height],
        replaces: false,
    };
    Import::prepare(order, &worker_processes()).unwrap().run(|_| {}, || true).unwrap();
    watch(folder.path(), "imported", Quality::Triptych).await
}
