//! One viewer of one stream: sends items from a [`StreamReader`] to the outbox, one for each unit of the viewer's credit.
//!
//! Every seek and every change of quality begins a new epoch: it ends the task that sends and starts another one.

use std::sync::Arc;

use bytes::Bytes;
use common::{
    codec::{encode_server, encode_sound},
    limits::MAX_CREDIT,
    media::{
        Delivery, Epoch, PictureHead, Position, SetQualityRequest, SoundFormat, SoundHead, StreamId, StreamStart,
        VideoId, WatchRequest,
    },
    message::{EndReason, ServerMessage},
    name::Name,
    picture_parts::PictureFrames,
};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::{
    error::StreamError,
    plan::{StreamPlan, to_u32},
    stream_reader::{EncodedPicture, Item, SoundChunk, StreamReader},
    watchers::{Progress, WatchEntry, Watchers},
};
use crate::{
    outbox::{Outbox, StreamItem},
    video::{
        library::{FileChange, Library, Video},
        store::Store,
    },
};

/// The videos that a server offers, and the store that their frames are kept in: all that a stream is made from. Cheap to
/// clone.
#[derive(Clone)]
pub struct VideoService {
    /// Which videos there are.
    pub library: Library,
    /// Their frames.
    pub store: Store,
    /// Whether sound can be encoded in Opus.
    pub has_opus: bool,
    /// Who watches what.
    pub watchers: Watchers,
}

impl VideoService {
    /// The same for one client, whose decoders are counted.
    #[must_use]
    pub fn for_viewer(&self) -> Self {
        Self { store: self.store.for_viewer(), ..self.clone() }
    }

    /// What can be delivered of what was asked for: without Opus, the sound is PCM.
    fn deliverable(&self, asked: Delivery) -> Delivery {
        if self.has_opus { asked } else { Delivery { sound: SoundFormat::Pcm, ..asked } }
    }
}

/// A running stream. Dropping it ends the stream without notifying the client.
pub struct Viewer {
    /// The client's name, for the log.
    name: Name,
    stream: StreamId,
    epoch: Epoch,
    plan: StreamPlan,
    videos: VideoService,
    outbox: Outbox,
    credit: Arc<Semaphore>,
    watch: WatchEntry,
    /// Sends the current epoch; `None` once it was halted and nothing was started in its place.
    task: Option<AbortOnDropHandle<()>>,
}

/// The state of the task that sends one epoch. When the task panics, dropping it tells the client, which would otherwise
/// wait for items that never come.
struct EpochSender {
    stream: StreamId,
    epoch: Epoch,
    outbox: Outbox,
    credit: Arc<Semaphore>,
    progress: Arc<Progress>,
}

impl Viewer {
    /// Starts to send. Only `StreamStarted` is sent before the first grant.
    ///
    /// # Errors
    /// [`StreamError::NoSuchResolution`].
    pub fn start(
        WatchRequest { stream, quality, delivery, from, .. }: WatchRequest,
        name: Name,
        video: Arc<Video>,
        videos: VideoService,
        outbox: Outbox,
    ) -> Result<Self, StreamError> {
        let epoch = Epoch::default();
        let plan = StreamPlan::new(video, quality, videos.deliverable(delivery))?;
        let first_index = plan.index_at(from);
        let title = &plan.video().info.title;
        info!("{name} watches {title:?}.");
        let watch = videos.watchers.enter(name.clone(), title.clone());
        let credit = Arc::new(Semaphore::new(0));
        let mut viewer = Self { name, stream, epoch, plan, videos, outbox, credit, watch, task: None };
        viewer.send_epoch(first_index);
        Ok(viewer)
    }

    /// The number that the client gave the stream.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// The video that is watched.
    pub fn video(&self) -> VideoId {
        self.plan.video().info.id
    }

    /// The current epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Adds to the viewer's credit, up to [`MAX_CREDIT`] items.
    pub fn grant(&self, items: u32) {
        let room = (MAX_CREDIT as usize).saturating_sub(self.credit.available_permits());
        self.credit.add_permits(room.min(items as usize));
    }

    /// Continues at another position. When this returns, nothing more of the epoch before is sent.
    pub async fn seek(&mut self, epoch: Epoch, to: Position) {
        let index = self.plan.index_at(to);
        self.begin_epoch(epoch, index).await;
    }

    /// Continues in another quality or delivery with the frame at `at`.
    ///
    /// # Errors
    /// [`StreamError::NoSuchResolution`]; the new epoch has begun, and nothing is sent in it.
    pub async fn set_quality(&mut self, request: SetQualityRequest) -> Result<(), StreamError> {
        let SetQualityRequest { epoch, quality, delivery, at, .. } = request;
        let plan = match StreamPlan::new(self.plan.video().clone(), quality, self.videos.deliverable(delivery)) {
            Ok(plan) => plan,
            Err(error) => {
                self.halt().await;
                self.epoch = epoch;
                return Err(error);
            }
        };
        let index = plan.matching_index(&self.plan, self.plan.index_at(at));
        self.plan = plan;
        self.begin_epoch(epoch, index).await;
        Ok(())
    }

    async fn begin_epoch(&mut self, epoch: Epoch, first_index: usize) {
        self.halt().await;
        self.epoch = epoch;
        self.send_epoch(first_index);
    }

    /// Ends the stream at once; when this returns, nothing more of it is sent. Returns `false` when the client has
    /// already been sent its end.
    pub async fn stop(mut self) -> bool {
        let was_running = self.halt().await;
        if was_running {
            info!("{} stopped {:?}.", self.name, self.plan.video().info.title);
        }
        debug!("The frame store now has: {}.", self.videos.store.statistics());
        was_running
    }

    async fn halt(&mut self) -> bool {
        // Taken out, because a `JoinHandle` panics when it is awaited a second time.
        let Some(task) = self.task.take() else { return false };
        task.abort();
        let was_running = task.await.is_err();
        // `StreamEnded` is the last item in the lane; while anything waits there, it has not been sent.
        let had_waiting = self.outbox.clear_pictures();
        was_running || had_waiting
    }

    /// Starts the task that sends the current epoch.
    fn send_epoch(&mut self, first_index: usize) {
        let Self { stream, epoch, .. } = *self;
        let Self { name, plan, videos, outbox, watch, .. } = &*self;
        let started = ServerMessage::StreamStarted(StreamStart {
            stream,
            epoch,
            video: plan.video().info.id,
            duration_nanos: plan.duration_nanos(),
            frame_count: plan.frame_count(),
            segments: plan.segments(),
            first_index: to_u32(first_index),
            has_sound: plan.video().info.has_sound,
            delivery: plan.delivery(),
        });
        outbox.push_control(encode_server(&started));
        let first = plan.splice.frame(first_index, &plan.video().indices);
        let begins_nanos = first.map_or(plan.duration_nanos(), |frame| frame.pts_nanos);
        watch.progress.begin(begins_nanos, plan.duration_nanos());
        let reader = StreamReader::open(&videos.store.at_turn(), plan.clone(), first_index);
        let credit = Arc::new(Semaphore::new(0));
        let progress = watch.progress.clone();
        let sender = EpochSender { stream, epoch, outbox: outbox.clone(), credit: credit.clone(), progress };
        let (name, videos, plan) = (name.clone(), videos.clone(), plan.clone());
        let task = tokio::spawn(async move {
            let result = tokio::select! {
                biased;
                lost = lost_file(&videos.library, &plan) => Err(lost),
                sent = sender.send_all(reader) => sent,
            };
            let title = &plan.video().info.title;
            let reason = match result {
                Ok(()) => {
                    info!("{name} was sent {title:?} to its end.");
                    EndReason::Finished
                }
                Err(error) => {
                    warn!("Playback of {title:?} for {name} ended early. {error}");
                    EndReason::Failed(error.to_string())
                }
            };
            debug!("The frame store now has: {}.", videos.store.statistics());
            // In the lane of the pictures, so that it arrives after the last item.
            let ended = encode_server(&ServerMessage::StreamEnded { stream, epoch, reason });
            sender.outbox.push_picture(StreamItem::Frame([ended, Bytes::new()])).await;
        });
        (self.credit, self.task) = (credit, Some(AbortOnDropHandle::new(task)));
    }
}

/// Returns when a file that the plan uses was removed or replaced; other changes of the video do not matter to a stream
/// that runs. Pending when the library changes no more.
async fn lost_file(library: &Library, plan: &StreamPlan) -> StreamError {
    let mut changes = library.changes();
    loop {
        let catalog = library.catalog();
        let lost = plan.files().find_map(|file| Some((file, catalog.change_of(file)?)));
        if let Some((file, change)) = lost {
            let file_name = file.file_name.clone();
            return match change {
                FileChange::Removed => StreamError::FileRemoved { file_name },
                FileChange::Replaced => StreamError::FileReplaced { file_name },
            };
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for EpochSender {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = EndReason::Failed(StreamError::Internal.to_string());
            let ended = ServerMessage::StreamEnded { stream: self.stream, epoch: self.epoch, reason };
            self.outbox.push_control(encode_server(&ended));
        }
    }
}

impl EpochSender {
    async fn send_all(&self, mut reader: StreamReader) -> Result<(), StreamError> {
        // The item comes before its permit, so that the end is sent even to a viewer that grants no more credit.
        while let Some(item) = reader.next().await {
            let item = item?;
            let Ok(permit) = self.credit.acquire().await else { break };
            permit.forget();
            if !self.outbox.push_picture(self.sent(item.clone())).await {
                break;
            }
            self.note(&item);
        }
        Ok(())
    }

    fn note(&self, item: &Item) {
        match item {
            Item::Picture(EncodedPicture { height, pts_nanos, duration_nanos, jpeg, .. }) => {
                self.progress.sent_picture(pts_nanos.saturating_add(*duration_nanos), *height, jpeg.len());
            }
            Item::Sound(SoundChunk { bytes, .. }) => self.progress.sent_sound(bytes.len()),
        }
    }

    fn sent(&self, item: Item) -> StreamItem {
        let Self { stream, epoch, .. } = *self;
        match item {
            Item::Picture(EncodedPicture { index, height, pts_nanos, duration_nanos, jpeg, origin }) => {
                let jpeg_bytes = to_u32(jpeg.len());
                let head = PictureHead { stream, epoch, index, height, pts_nanos, duration_nanos, jpeg_bytes, origin };
                StreamItem::Picture(PictureFrames::new(head, jpeg))
            }
            Item::Sound(SoundChunk { pts_nanos, format, bytes }) => {
                StreamItem::Frame(encode_sound(SoundHead { stream, epoch, pts_nanos, format }, bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::codec::decode_server;

    use super::*;
    use crate::outbox::CloseReason;

    #[tokio::test]
    async fn a_client_is_told_when_the_task_that_sends_panics() {
        for (panics, expected) in [(true, Some(StreamError::Internal.to_string())), (false, None)] {
            let (stream, epoch, outbox) = (StreamId(3), Epoch(2), Outbox::default());
            let sender = EpochSender {
                stream,
                epoch,
                outbox: outbox.clone(),
                credit: Arc::new(Semaphore::new(0)),
                progress: Arc::default(),
            };
            let task = tokio::spawn(async move {
                let _sender = sender;
                assert!(!panics, "the panic that this test wants");
            });
            assert_eq!(task.await.is_err(), panics);
            outbox.close(CloseReason::Finished);
            let told = outbox.next().await.map(|pieces| decode_server(&pieces.concat()[4..]).unwrap());
            let expected = expected.map(EndReason::Failed);
            assert_eq!(told, expected.map(|reason| ServerMessage::StreamEnded { stream, epoch, reason }));
        }
    }
}
