//! Sends one client the previews of the video that it asked for last, as they are made, at a limited rate, and only while
//! nothing else waits for it.

use common::{
    codec::encode_server,
    media::VideoId,
    message::{Blob, ServerMessage},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::rates::Bucket;
use crate::{outbox::Outbox, video::library::Library};

/// Answers the latest request, until it is dropped.
pub(super) struct Previews {
    wanted: watch::Sender<Option<VideoId>>,
    outbox: Outbox,
    _task: AbortOnDropHandle<()>,
}

impl Previews {
    /// `bytes` limits how much is sent.
    pub(super) fn start(library: Library, outbox: Outbox, mut bytes: Bucket) -> Self {
        let (wanted, mut asked) = watch::channel(None);
        let sender = outbox.clone();
        let task = tokio::spawn(async move {
            while asked.changed().await.is_ok() {
                let video = *asked.borrow_and_update();
                let Some(video) = video else { continue };
                tokio::select! {
                    // A later request ends this one, and with it the making of its previews.
                    _ = asked.changed() => asked.mark_changed(),
                    () = send(video, &library, &sender, &mut bytes) => {}
                }
            }
        });
        Self { wanted, outbox, _task: AbortOnDropHandle::new(task) }
    }

    /// Takes in a request, which ends the one before.
    pub(super) fn ask(&self, video: Option<VideoId>) {
        self.wanted.send_replace(video);
        self.outbox.clear_last();
    }
}

/// Sends what there is and what comes of the previews of a video.
async fn send(video: VideoId, library: &Library, outbox: &Outbox, bytes: &mut Bucket) {
    let mut feed = library.previews(video);
    let (fingerprint, count) = feed.as_ref().map_or((0, 0), |feed| (feed.fingerprint(), feed.count()));
    outbox.calm().await;
    outbox.push_control(encode_server(&ServerMessage::Previews { video, fingerprint, count }));
    let Some(feed) = &mut feed else { return };
    while let Some((pts_nanos, jpeg)) = feed.next().await {
        let jpeg = Blob(jpeg.to_vec());
        let preview = encode_server(&ServerMessage::Preview { video, fingerprint, pts_nanos, jpeg });
        let resume_at = bytes.charge(preview.len() as u64, Instant::now().into_std());
        outbox.push_last(preview).await;
        if let Some(resume_at) = resume_at {
            sleep_until(resume_at.into()).await;
        }
    }
}
