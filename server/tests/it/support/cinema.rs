//! A server with videos to watch, for tests about those who watch.

use tempfile::{TempDir, tempdir};

use super::{
    clips::{Clip, write_video},
    server::TestServer,
};

/// A server with two short videos.
pub async fn cinema() -> (TempDir, TestServer) {
    let folder = tempdir().unwrap();
    for title in ["Fox", "Owl"] {
        write_video(folder.path(), title, &[(240, "mp4", Clip::new(0, 9, 25))]);
    }
    let server = TestServer::start_with(folder.path()).await;
    (folder, server)
}
