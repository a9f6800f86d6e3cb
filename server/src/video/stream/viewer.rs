//! One viewer of one stream: carries items from a [`StreamReader`] to the outbox, as far as the viewer's credit goes.

use std::sync::Arc;

use bytes::Bytes;
use common::{
    codec::{encode_picture, encode_server, encode_sound},
    limits::MAX_CREDIT,
    media::{Epoch, PictureHead, Position, Quality, SoundHead, StreamId, StreamStart, WatchRequest},
    message::{EndReason, ServerMessage},
};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{EncodedPicture, Item, SoundChunk, StreamError, StreamPlan, StreamReader};
use crate::{
    outbox::Outbox,
    video::{
        VideoService,
        library::{Library, Video},
    },
};

/// A running stream. Dropping it ends the stream without a word.
pub struct Viewer {
    stream: StreamId,
    epoch: Epoch,
    program: StreamPlan,
    sources: VideoService,
    outbox: Outbox,
    credit: Arc<Semaphore>,
    /// Sends the current epoch; `None` once it was halted and nothing was started in its place.
    task: Option<AbortOnDropHandle<()>>,
}

/// What the task of a viewer works with.
struct Sending {
    stream: StreamId,
    epoch: Epoch,
    outbox: Outbox,
    credit: Arc<Semaphore>,
}

impl Viewer {
    /// Starts to send; nothing but `StreamStarted` goes out before the first grant.
    pub fn start(
        WatchRequest { stream, quality, from, .. }: WatchRequest,
        video: Arc<Video>,
        sources: VideoService,
        outbox: Outbox,
    ) -> Result<Self, StreamError> {
        let epoch = Epoch::default();
        let program = StreamPlan::new(video, quality)?;
        let first_index = program.index_at(from);
        info!("stream {} of {:?} started", stream.0, program.video().info.title);
        let (credit, task) = send(stream, epoch, &program, first_index, &sources, &outbox);
        Ok(Self { stream, epoch, program, sources, outbox, credit, task: Some(task) })
    }

    /// The number that the viewer gave it.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// The number of its present stretch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Lets more items go, up to [`MAX_CREDIT`] outstanding.
    pub fn grant(&self, items: u32) {
        let room = (MAX_CREDIT as usize).saturating_sub(self.credit.available_permits());
        self.credit.add_permits(room.min(items as usize));
    }

    /// Goes on elsewhere. When this returns, nothing more of the stretch before is said.
    pub async fn seek(&mut self, epoch: Epoch, to: Position) {
        let index = self.program.index_at(to);
        self.go_on(epoch, index).await;
    }

    /// Goes on with other frames at the same moment of the video. On error the stream stands still in the new stretch.
    pub async fn set_quality(&mut self, epoch: Epoch, quality: Quality, at: Position) -> Result<(), StreamError> {
        let program = match StreamPlan::new(self.program.video().clone(), quality) {
            Ok(program) => program,
            Err(error) => {
                self.halt().await;
                self.epoch = epoch;
                return Err(error);
            }
        };
        let index = program.matching_index(&self.program, self.program.index_at(at));
        self.program = program;
        self.go_on(epoch, index).await;
        Ok(())
    }

    async fn go_on(&mut self, epoch: Epoch, index: usize) {
        self.halt().await;
        self.epoch = epoch;
        let (credit, task) = send(self.stream, epoch, &self.program, index, &self.sources, &self.outbox);
        (self.credit, self.task) = (credit, Some(task));
    }

    /// Ends the stream at once; when this returns, nothing more of it is said. `false` when it had run to its end
    /// already.
    pub async fn stop(mut self) -> bool {
        let was_running = self.halt().await;
        let statistics = self.sources.store.statistics();
        info!("stream {} ended; frame store: {statistics}", self.stream.0);
        was_running
    }

    async fn halt(&mut self) -> bool {
        // Taken out, because a `JoinHandle` panics when it is awaited a second time.
        let Some(task) = self.task.take() else { return false };
        task.abort();
        let was_running = task.await.is_err();
        // Its end is the last thing in the lane, so as long as something waits there, it was not said.
        let had_waiting = self.outbox.clear_pictures();
        was_running || had_waiting
    }
}

/// Starts the task that sends a stretch of a stream.
fn send(
    stream: StreamId,
    epoch: Epoch,
    program: &StreamPlan,
    first_index: usize,
    sources: &VideoService,
    outbox: &Outbox,
) -> (Arc<Semaphore>, AbortOnDropHandle<()>) {
    let started = ServerMessage::StreamStarted(StreamStart {
        stream,
        epoch,
        video: program.video().info.id,
        duration_nanos: program.duration_nanos(),
        frame_count: program.frame_count(),
        segments: program.segments(),
        first_index: u32::try_from(first_index).unwrap_or(u32::MAX),
        has_sound: program.video().info.has_sound,
    });
    outbox.push_control(encode_server(&started));
    let reel = StreamReader::open(&sources.store, program.clone(), first_index);
    let credit = Arc::new(Semaphore::new(0));
    let sending = Sending { stream, epoch, outbox: outbox.clone(), credit: credit.clone() };
    let (sources, video) = (sources.clone(), program.video().clone());
    let task = tokio::spawn(async move {
        let reason = tokio::select! {
            biased;
            () = gone(&sources.library, &video) => {
                EndReason::Failed(format!("{:?} was removed from the server's folder, or replaced there", video.info.title))
            }
            sent = sending.send_all(reel) => match sent {
                Ok(()) => EndReason::Finished,
                Err(error) => EndReason::Failed(error.to_string()),
            },
        };
        match &reason {
            EndReason::Failed(why) => warn!("stream {} ended: {why}", stream.0),
            _ => info!("stream {} was sent to its end; frame store: {}", stream.0, sources.store.statistics()),
        }
        // In the picture lane, so that it comes after the last item.
        let ended = encode_server(&ServerMessage::StreamEnded { stream, epoch, reason });
        sending.outbox.push_picture([ended, Bytes::new()]).await;
    });
    (credit, AbortOnDropHandle::new(task))
}

/// Returns when the library has the video no more as it was.
async fn gone(library: &Library, video: &Video) {
    let mut changes = library.changes();
    let is_there = || library.video(video.info.id).is_some_and(|now| now.info.fingerprint == video.info.fingerprint);
    while is_there() && changes.changed().await.is_ok() {}
}

impl Sending {
    async fn send_all(&self, mut reel: StreamReader) -> Result<(), StreamError> {
        // The end is said even to a viewer that grants nothing more, so the item comes before its permit.
        while let Some(item) = reel.next().await {
            let frame = self.frame(item?);
            let Ok(permit) = self.credit.acquire().await else { break };
            permit.forget();
            if !self.outbox.push_picture(frame).await {
                break;
            }
        }
        Ok(())
    }

    fn frame(&self, item: Item) -> [Bytes; 2] {
        let Self { stream, epoch, .. } = *self;
        match item {
            Item::Picture(EncodedPicture { index, height, pts_nanos, duration_nanos, jpeg }) => {
                encode_picture(PictureHead { stream, epoch, index, height, pts_nanos, duration_nanos }, jpeg)
            }
            Item::Sound(SoundChunk { pts_nanos, pcm }) => encode_sound(SoundHead { stream, epoch, pts_nanos }, pcm),
        }
    }
}
