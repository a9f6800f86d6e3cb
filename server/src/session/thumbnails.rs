//! Sends one client the thumbnails that it asks for, one at a time, at a limited rate, and only while little else waits for
//! it.

use std::collections::HashMap;

use common::{
    codec::encode_server,
    limits::MAX_LIBRARY_ENTRIES,
    media::VideoId,
    message::{Blob, ServerMessage},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::rates::Bucket;
use crate::{outbox::Outbox, video::library::Library};

/// Answers requests in their order, until it is dropped.
#[derive(Debug)]
pub(super) struct Thumbnails {
    requests: mpsc::Sender<VideoId>,
    _task: AbortOnDropHandle<()>,
}

impl Thumbnails {
    /// `bytes` limits how much is sent.
    pub(super) fn start(library: Library, outbox: Outbox, mut bytes: Bucket) -> Self {
        let (requests, mut received) = mpsc::channel(MAX_LIBRARY_ENTRIES);
        let task = tokio::spawn(async move {
            let mut sent = Sent::default();
            while let Some(video) = received.recv().await {
                let (fingerprint, jpeg) = library.thumbnail(video).await;
                let is_known = !jpeg.is_empty() && !sent.note(video, fingerprint);
                let jpeg = Blob(if is_known { Vec::new() } else { jpeg.to_vec() });
                let answer = encode_server(&ServerMessage::Thumbnail { video, fingerprint, jpeg });
                let resume_at = bytes.charge(answer.len() as u64, Instant::now().into_std());
                outbox.calm().await;
                outbox.push_control(answer);
                if let Some(resume_at) = resume_at {
                    sleep_until(resume_at.into()).await;
                }
            }
        });
        Self { requests, _task: AbortOnDropHandle::new(task) }
    }

    /// Queues a request. Waits while there are as many as there can be videos.
    pub(super) async fn ask(&self, video: VideoId) {
        #[expect(clippy::let_underscore_must_use, reason = "the queue is closed only if the task has panicked")]
        let _ = self.requests.send(video).await;
    }
}

/// The fingerprint under which each video's thumbnail was sent last.
#[derive(Default)]
struct Sent(HashMap<VideoId, u64>);

impl Sent {
    /// Notes that a thumbnail is sent. Returns whether it was not sent before.
    fn note(&mut self, video: VideoId, fingerprint: u64) -> bool {
        if self.0.len() > MAX_LIBRARY_ENTRIES {
            // Only in a folder that changes very often. To forget costs no more than to send once again.
            self.0.clear();
        }
        self.0.insert(video, fingerprint) != Some(fingerprint)
    }
}
