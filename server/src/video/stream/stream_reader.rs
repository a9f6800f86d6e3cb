//! The items of a stream one after the other: the pictures of a plan and the sound between them, from the frame store.
//!
//! ```text
//! plan ──► cursor on the current segment ─────────────┐
//!          cursors on the next segments, prefetching ─┼─► next(): by time, a picture before sound of the same time
//! sound ─► cursor on the soundtrack ──────────────────┘
//! ```
//!
//! The next segments are prefetched some seconds before they begin, so that a splice causes no delay.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use common::{
    media::Origin,
    splice::{PlannedFrame, Segment},
};

use super::{
    error::StreamError,
    plan::{StreamPlan, to_u32},
    sound_timeline::SoundTimeline,
};
use crate::video::store::{Cursor, FailureCause, Fetched, Store, ViewerGuard};

/// Pictures made ahead of a viewer: half a second at 30 frames/s, and about 8 MB at 1440p.
const PICTURES_AHEAD: usize = 16;

/// How far ahead a segment is prefetched. A seek far into a file with few key frames may take seconds.
const PREFETCH_NANOS: u64 = 10_000_000_000;

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
    /// Interleaved 16-bit little-endian samples, see [`common::limits::SOUND_RATE_HZ`] and
    /// [`common::limits::SOUND_CHANNELS`].
    pub pcm: Bytes,
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
    next_index: usize,
    /// The current segment, followed by those that are prefetched.
    open_segments: VecDeque<OpenSegment>,
    sound: Option<SoundTimeline>,
    _counted: ViewerGuard,
}

/// A cursor of the store on a segment of the plan.
struct OpenSegment {
    /// Index in the plan.
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
            next_index: first_index,
            open_segments: VecDeque::new(),
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
            return Some(Ok(Item::Sound(SoundChunk { pts_nanos, pcm: sound.next().await })));
        }
        Some(self.picture(&planned?).await.map(Item::Picture))
    }

    async fn picture(&mut self, planned: &PlannedFrame) -> Result<EncodedPicture, StreamError> {
        self.want(planned);
        let current = self.open_segments.front().expect("requesting a frame opens its segment");
        let Fetched { bytes: jpeg, origin } =
            current.cursor.get(planned.frame).await.map_err(|failure| self.broken(planned, failure))?;
        self.next_index = planned.index + 1;
        if let Some(sound) = &self.sound {
            sound.want();
        }
        // While the viewer has no credit, the frame that was taken may be evicted, and the next one be made.
        if let Some(next) = self.planned() {
            self.want(&next);
        }
        Ok(EncodedPicture {
            index: to_u32(planned.index),
            height: self.plan.video.info.variants[planned.variant].height,
            pts_nanos: planned.pts_nanos,
            duration_nanos: planned.duration_nanos,
            jpeg,
            origin,
        })
    }

    fn planned(&self) -> Option<PlannedFrame> {
        self.plan.splice.frame(self.next_index, &self.plan.video.indices)
    }

    /// Requests the frames from `planned` on from the store, and those of the segments that begin soon.
    fn want(&mut self, planned: &PlannedFrame) {
        let current = self.plan.splice.segment_of(planned.index);
        while self.open_segments.front().is_some_and(|open| open.number != current) {
            self.open_segments.pop_front();
        }
        let splice = self.plan.splice.clone();
        // Nothing is prefetched before the first picture, because it would compete with it.
        let is_first = planned.index == self.first_index;
        let soon_nanos = if is_first { 0 } else { planned.pts_nanos + PREFETCH_NANOS };
        for (number, segment) in splice.segments().iter().enumerate().skip(current + self.open_segments.len()) {
            // One segment after the other, so that a later one does not compete with an earlier one.
            let is_next = self
                .open_segments
                .back()
                .is_none_or(|open| open.cursor.has(splice.segments()[open.number].frames.start));
            if number > current && (segment.start_nanos > soon_nanos || (number > current + 1 && !is_next)) {
                break;
            }
            self.open_segments.push_back(self.open_segment(number));
            if number > current {
                self.open_segments[number - current].cursor.want(ahead(segment.frames.start, segment));
            }
        }
        if let Some(open) = self.open_segments.front() {
            open.cursor.want(ahead(planned.frame, &splice.segments()[current]));
        }
    }

    fn open_segment(&self, number: usize) -> OpenSegment {
        let opener = self.store.pictures_of(self.plan.video.files[self.plan.splice.segments()[number].variant].clone());
        OpenSegment { number, cursor: self.store.cursor(opener.key(), || Arc::new(opener)) }
    }

    fn broken(&self, planned: &PlannedFrame, cause: FailureCause) -> StreamError {
        let FailureCause::Source(cause) = cause else { return StreamError::Busy };
        let file_name = self.plan.video.files[planned.variant].file_name.clone();
        StreamError::BrokenFile { file_name, frame: planned.frame, cause }
    }
}

/// The frames of a segment that are made ahead when `frame` comes next.
fn ahead(frame: usize, segment: &Segment) -> Range<usize> {
    frame..(frame + PICTURES_AHEAD).min(segment.frames.end)
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
        write!(f, "SoundChunk at {} ns, {} bytes", self.pts_nanos, self.pcm.len())
    }
}
