//! Sends one client the thumbnails that it asks for, one at a time and only while little else waits for it.

use common::{
    codec::encode_server,
    limits::MAX_LIBRARY_ENTRIES,
    media::VideoId,
    message::{Blob, ServerMessage},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{outbox::Outbox, video::library::Library};

/// Answers requests in their order, until it is dropped.
#[derive(Debug)]
pub(super) struct Thumbnails {
    requests: mpsc::Sender<VideoId>,
    _task: AbortOnDropHandle<()>,
}

impl Thumbnails {
    pub(super) fn start(library: Library, outbox: Outbox) -> Self {
        let (requests, mut received) = mpsc::channel(MAX_LIBRARY_ENTRIES);
        let task = tokio::spawn(async move {
            while let Some(video) = received.recv().await {
                let (fingerprint, jpeg) = library.thumbnail(video).await;
                let answer = ServerMessage::Thumbnail { video, fingerprint, jpeg: Blob(jpeg.to_vec()) };
                outbox.push_when_calm(encode_server(&answer)).await;
            }
        });
        Self { requests, _task: AbortOnDropHandle::new(task) }
    }

    /// Queues a request. Excess requests are dropped.
    pub(super) fn ask(&self, video: VideoId) {
        #[expect(clippy::let_underscore_must_use, reason = "the queue has room for one request per possible video")]
        let _ = self.requests.try_send(video);
    }
}
