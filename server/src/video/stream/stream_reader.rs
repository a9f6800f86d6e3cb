//! The items of a stream one after the other: the pictures of a plan and the sound between them, from the frame store.
//!
//! ```text
//! plan ──► cursor on the current run ─────────────┐
//!          cursors on the next runs, prefetching ─┼─► next(): by time, a picture before sound of the same time
//! sound ─► cursor on the soundtrack ──────────────┘
//! ```
//!
//! A run is a segment, or several that one file serves one after the other. The next runs are prefetched some seconds before
//! the viewer arrives there, so that a splice causes no delay.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use common::media::{Origin, SoundFormat};
use tokio::time::{Instant, timeout_at};

use super::{
    error::StreamError,
    plan::{StreamPlan, to_u32},
    prefetch::Pace,
    selection::{Run, SentPicture},
    sound_timeline::SoundTimeline,
    splice_pace::{Splice, SplicePace},
};
use crate::video::store::{Cursor, FailureCause, Fetched, Store, ViewerGuard};

/// Pictures made ahead of a viewer: half a second at 30 frames/s, and about 8 MB at 1440p.
const PICTURES_AHEAD: usize = 16;

/// Frames that may lie between a picture and the next one that is sent without another decoder being started for that.
const MAX_FRAMES_AHEAD: usize = 128;

/// One picture of a stream.
#[derive(Clone)]
pub struct EncodedPicture {
    /// Its number in the stream, from 0.
    pub index: u32,
    /// The `VariantInfo::height` it comes from.
    pub height: u32,
    /// When it is shown, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How long it is shown.
    pub duration_nanos: u64,
    /// The JPEG file: full-range BT.601, upright, square pixels.
    pub jpeg: Bytes,
    /// Where it was when it was requested from the store.
    pub origin: Origin,
}

/// A piece of the sound of a stream.
#[derive(Clone)]
pub struct SoundChunk {
    /// When its first audio frame is heard, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How it is coded.
    pub format: SoundFormat,
    /// In PCM, interleaved 16-bit little-endian samples, see [`common::limits::SOUND_RATE_HZ`] and
    /// [`common::limits::SOUND_CHANNELS`]; in Opus, see [`common::opus_sound`].
    pub bytes: Bytes,
}

/// What a viewer receives for one unit of credit.
#[derive(Debug, Clone)]
pub enum Item {
    /// A picture.
    Picture(EncodedPicture),
    /// A chunk of sound.
    Sound(SoundChunk),
}

/// Reads a stream from a given picture on.
pub struct StreamReader {
    store: Store,
    plan: StreamPlan,
    first_index: usize,
    /// `None` at the end.
    next_index: Option<usize>,
    begun: Instant,
    pace: Pace,
    splice_pace: SplicePace,
    /// The current run of the plan, followed by those that are prefetched.
    open_runs: VecDeque<OpenRun>,
    sound: Option<SoundTimeline>,
    _counted: ViewerGuard,
}

/// A cursor of the store on a run of the plan: on one segment, or on several whose pictures follow each other in one file.
struct OpenRun {
    /// Which one.
    number: usize,
    cursor: Cursor,
}

impl StreamReader {
    /// Begins with the picture `first_index`, which is requested from the store at once.
    pub fn open(store: &Store, plan: StreamPlan, first_index: usize) -> Self {
        let sound = SoundTimeline::new(store, &plan, first_index);
        let mut reader = Self {
            store: store.clone(),
            plan,
            first_index,
            next_index: Some(first_index),
            begun: Instant::now(),
            pace: Pace::default(),
            splice_pace: SplicePace::default(),
            open_runs: VecDeque::new(),
            sound,
            _counted: store.count_viewer(),
        };
        if let Some(planned) = reader.planned() {
            reader.want(&planned);
        }
        reader
    }

    /// The next item; `None` at the end. The first one is the picture that the stream was opened at. After an error the
    /// same frame is tried again. The future may be dropped and called again without losing an item.
    ///
    /// # Errors
    /// [`StreamError::BrokenFile`] and [`StreamError::Busy`].
    pub async fn next(&mut self) -> Option<Result<Item, StreamError>> {
        let planned = self.planned();
        if let Some(sound) = &mut self.sound
            && let Some(pts_nanos) = sound.next_pts_nanos()
            && planned.is_none_or(|planned| pts_nanos < planned.pts_nanos)
        {
            let (format, bytes) = (sound.format(), sound.next().await);
            return Some(Ok(Item::Sound(SoundChunk { pts_nanos, format, bytes })));
        }
        Some(self.picture(&planned?).await.map(Item::Picture))
    }

    async fn picture(&mut self, planned: &SentPicture) -> Result<EncodedPicture, StreamError> {
        self.want(planned);
        self.hold_back(planned).await;
        let current = self.open_runs.front().expect("requesting a frame opens its run");
        let Fetched { bytes: jpeg, origin, .. } =
            current.cursor.get(planned.frame).await.map_err(|failure| self.broken(planned, failure))?;
        self.next_index = planned.next_index;
        let taken_at = self.begun.elapsed();
        self.pace.note(taken_at, planned.pts_nanos);
        self.splice_pace.note(taken_at, planned.pts_nanos);
        if let Some(sound) = &self.sound {
            sound.want();
        }
        // While the viewer has no credit, the frame that was taken may be evicted, and the next one be made.
        if let Some(next) = self.planned() {
            self.want(&next);
        }
        Ok(EncodedPicture {
            index: to_u32(planned.index),
            height: self.plan.height_of(planned.source),
            pts_nanos: planned.pts_nanos,
            duration_nanos: planned.duration_nanos,
            jpeg,
            origin,
        })
    }

    /// Lets the search for the first picture after the next splice have the processor, if the viewer takes pictures faster
    /// than they are shown.
    async fn hold_back(&mut self, planned: &SentPicture) {
        let Some(OpenRun { number, cursor }) = self.open_runs.get(1) else { return };
        let run = &self.plan.selection.runs()[*number];
        let is_ready = cursor.is_settled(run.frames.start);
        let splice = Splice { run: *number, start_nanos: run.start_nanos, is_ready };
        if let Some(due) = self.splice_pace.due(planned.pts_nanos, splice, self.pace.is_hurried()) {
            // Either it is ready before that, or the picture goes out then.
            timeout_at(self.begun + due, cursor.settled(run.frames.start)).await.ok();
        }
    }

    fn planned(&self) -> Option<SentPicture> {
        self.plan.picture(self.next_index?)
    }

    /// Requests the frames from `planned` on from the store, and those of the runs that begin soon.
    fn want(&mut self, planned: &SentPicture) {
        let current = self.plan.selection.run_of(planned.index);
        while self.open_runs.front().is_some_and(|open| open.number != current) {
            self.open_runs.pop_front();
        }
        let selection = self.plan.selection.clone();
        let runs = selection.runs();
        // Nothing is prefetched before the first picture, because it would compete with it.
        let is_first = planned.index == self.first_index;
        let soon_nanos = if is_first { 0 } else { planned.pts_nanos.saturating_add(self.pace.lead_nanos()) };
        for (number, run) in runs.iter().enumerate().skip(current + self.open_runs.len()) {
            // One run after the other, so that a later one does not compete with an earlier one, if there is time for that.
            let is_next = self.pace.is_hurried()
                || self.open_runs.back().is_none_or(|open| open.cursor.has(runs[open.number].frames.start));
            if number > current && (run.start_nanos > soon_nanos || (number > current + 1 && !is_next)) {
                break;
            }
            self.open_runs.push_back(self.open_run(number, run));
            if number > current {
                self.open_runs[number - current].cursor.want(ahead(run.frames.start, None, run));
            }
        }
        if let Some(open) = self.open_runs.front() {
            let run = &runs[current];
            let next = planned.next_index.filter(|&next| selection.run_of(next) == current);
            let next_frame = next.and_then(|next| self.plan.picture(next)).map(|next| next.frame);
            open.cursor.want(ahead(planned.frame, next_frame, run));
        }
    }

    fn open_run(&self, number: usize, run: &Run) -> OpenRun {
        let opener = self.store.pictures_of(&self.plan.video, run.source);
        let cursor = self.store.cursor(opener.key(), || Arc::new(opener));
        OpenRun { number, cursor: cursor.ending_before(run.frames.end) }
    }

    fn broken(&self, planned: &SentPicture, cause: FailureCause) -> StreamError {
        let FailureCause::Source(cause) = cause else { return StreamError::Busy };
        let file_name = self.plan.video.files[planned.source].file_name.clone();
        StreamError::BrokenFile { file_name, frame: planned.frame, cause }
    }
}

/// The frames of a run that are made ahead when `frame` comes next, and `next_frame` is sent after it: also those between
/// the two, so that the decoder goes on where it is. Another one would have to be started for each picture else.
fn ahead(frame: usize, next_frame: Option<usize>, run: &Run) -> Range<usize> {
    let usual = frame + PICTURES_AHEAD;
    let end = next_frame.map_or(usual, |next| usual.max(next + 1).min(frame + MAX_FRAMES_AHEAD));
    frame..end.min(run.frames.end)
}

impl fmt::Debug for EncodedPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedPicture")
            .field("index", &self.index)
            .field("height", &self.height)
            .field("pts_nanos", &self.pts_nanos)
            .field("duration_nanos", &self.duration_nanos)
            .field("jpeg_bytes", &self.jpeg.len())
            .field("origin", &self.origin)
            .finish()
    }
}

impl fmt::Debug for SoundChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoundChunk at {} ns, {} bytes of {:?}", self.pts_nanos, self.bytes.len(), self.format)
    }
}
