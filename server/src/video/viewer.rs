//! One viewer of one stream: carries pictures from a [`Reel`] to the outbox, as far as the viewer's credit goes.

use std::sync::Arc;

use bytes::Bytes;
use common::{
    codec::{encode_picture, encode_server},
    limits::MAX_CREDIT,
    media::{Epoch, PictureHead, Quality, StreamId},
    message::{EndReason, ServerMessage},
};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{EncodedPicture, Reel, ReelError, Video};
use crate::outbox::Outbox;

/// A running stream. Dropping it ends the stream without a word.
pub struct Viewer {
    stream: StreamId,
    credit: Arc<Semaphore>,
    outbox: Outbox,
    task: AbortOnDropHandle<()>,
}

impl Viewer {
    /// Starts to send; nothing but `StreamStarted` goes out before the first grant.
    /// `decoders` bounds how many reels one client has, those counted that are being put away.
    pub fn start(
        stream: StreamId,
        video: Arc<Video>,
        quality: Quality,
        outbox: Outbox,
        decoders: Arc<Semaphore>,
    ) -> Self {
        let credit = Arc::new(Semaphore::new(0));
        let task = tokio::spawn({
            let (credit, outbox) = (credit.clone(), outbox.clone());
            async move {
                let reason = match send_stream(stream, video, quality, &credit, &outbox, decoders).await {
                    Ok(()) => EndReason::Finished,
                    Err(error) => {
                        warn!("stream {} ended: {error}", stream.0);
                        EndReason::Failed(error.to_string())
                    }
                };
                // In the picture lane, so that it comes after the last picture.
                let ended = encode_server(&ServerMessage::StreamEnded { stream, epoch: Epoch::default(), reason });
                outbox.push_picture([ended, Bytes::new()]).await;
            }
        });
        Self { stream, credit, outbox, task: AbortOnDropHandle::new(task) }
    }

    /// The number that the viewer gave it.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Lets more pictures go, up to [`MAX_CREDIT`] outstanding.
    pub fn grant(&self, pictures: u32) {
        let room = (MAX_CREDIT as usize).saturating_sub(self.credit.available_permits());
        self.credit.add_permits(room.min(pictures as usize));
    }

    /// Ends the stream at once; when this returns, nothing more of it is said. `false` when it had run to its end
    /// already.
    pub async fn stop(self) -> bool {
        self.task.abort();
        let was_running = self.task.await.is_err();
        // Its end is the last thing in the lane, so as long as something waits there, it was not said.
        let had_waiting = self.outbox.clear_pictures();
        was_running || had_waiting
    }
}

async fn send_stream(
    stream: StreamId,
    video: Arc<Video>,
    quality: Quality,
    credit: &Semaphore,
    outbox: &Outbox,
    decoders: Arc<Semaphore>,
) -> Result<(), ReelError> {
    // Somebody who clicks faster than decoders can be put away waits here; a viewer that is stopped meanwhile is gone.
    let Ok(seat) = decoders.acquire_owned().await else { return Ok(()) };
    let (id, title) = (video.info.id, video.info.title.clone());
    let mut reel = Reel::open(video, quality, Arc::new(seat))?;
    let started = ServerMessage::StreamStarted {
        stream,
        epoch: Epoch::default(),
        video: id,
        duration_nanos: reel.duration_nanos(),
        frame_count: reel.frame_count(),
        segments: reel.segments(),
        first_index: 0,
        has_sound: false,
    };
    outbox.push_control(encode_server(&started));
    info!("stream {} of {title:?} started: {} pictures", stream.0, reel.frame_count());
    // The end is said even to a viewer that grants nothing more, so the picture comes before its permit.
    while let Some(picture) = reel.next().await {
        let EncodedPicture { index, height, pts_nanos, duration_nanos, jpeg } = picture?;
        let Ok(permit) = credit.acquire().await else { break };
        permit.forget();
        let head = PictureHead { stream, epoch: Epoch::default(), index, height, pts_nanos, duration_nanos };
        if !outbox.push_picture(encode_picture(head, jpeg)).await {
            break;
        }
    }
    Ok(())
}
