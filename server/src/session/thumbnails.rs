//! Sends one client the thumbnails that it asks for, one after the other and behind everything else.

use common::{
    codec::encode_server,
    limits::MAX_LIBRARY_ENTRIES,
    media::VideoId,
    message::{Blob, ServerMessage},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{outbox::Outbox, video::library::Library};

/// Answers in the order of the questions until it is dropped.
#[derive(Debug)]
pub(super) struct Thumbnails {
    asked: mpsc::Sender<VideoId>,
    _task: AbortOnDropHandle<()>,
}

impl Thumbnails {
    pub(super) fn start(library: Library, outbox: Outbox) -> Self {
        let (asked, mut questions) = mpsc::channel(MAX_LIBRARY_ENTRIES);
        let task = tokio::spawn(async move {
            while let Some(video) = questions.recv().await {
                let (fingerprint, jpeg) = library.thumbnail(video).await;
                let answer = ServerMessage::Thumbnail { video, fingerprint, jpeg: Blob(jpeg.to_vec()) };
                outbox.push_when_calm(encode_server(&answer)).await;
            }
        });
        Self { asked, _task: AbortOnDropHandle::new(task) }
    }

    /// A question too many is not answered: there are not so many videos.
    pub(super) fn ask(&self, video: VideoId) {
        let _ = self.asked.try_send(video);
    }
}
