//! What one viewer gets, item by item: the pictures of a plan and the sound between them, out of the frame store.
//!
//! ```text
//! plan ─► cursor on the segment that plays ──┐
//!         cursors on the next ones, in time ─┼─► next(): by time, a picture before sound of the same time
//! spans ► cursor on the sound ───────────────┘
//! ```
//!
//! The next segments are wanted some seconds before they come, so that a splice costs nothing.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use common::splice::{PlannedFrame, Segment};

use super::{
    plan::{StreamPlan, small},
    sound_timeline::SoundTimeline,
};
use crate::video::store::{Cursor, Failure, PictureOpener, Store};

/// Pictures that are made ahead of a viewer: half a second, and about 8 MB at 1440p.
const PICTURES_AHEAD: usize = 16;

/// How long before a segment comes it is wanted. A far seek into a file with few key frames may take seconds.
const HEAD_START_NANOS: u64 = 10_000_000_000;

/// One picture of a stream.
#[derive(Clone)]
pub struct EncodedPicture {
    /// Its place in the stream, from 0.
    pub index: u32,
    /// The `VariantInfo::height` it comes from.
    pub height: u32,
    /// When it is due, counted from the start of the stream.
    pub pts_nanos: u64,
    /// How long it stands.
    pub duration_nanos: u64,
    /// The JPEG file: full-range BT.601, upright, square pixels.
    pub jpeg: Bytes,
}

/// Some sound of a stream.
#[derive(Clone)]
pub struct SoundChunk {
    /// When its first sample is heard, counted from the start of the stream.
    pub pts_nanos: u64,
    /// See `common::limits::SOUND_RATE_HZ`.
    pub pcm: Bytes,
}

/// What a viewer gets for one unit of credit.
#[derive(Debug, Clone)]
pub enum Item {
    /// A picture.
    Picture(EncodedPicture),
    /// A chunk of sound.
    Sound(SoundChunk),
}

/// Why a stream does not start or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The viewer asked for a resolution that the video does not have.
    #[error("{title:?} has no {height}p")]
    NoSuchResolution {
        /// Title of the video.
        title: String,
        /// What was asked for.
        height: u32,
    },
    /// A planned frame does not come.
    #[error("{file_name:?} stops at frame {frame}: {cause}")]
    Broken {
        /// Name of the file.
        file_name: String,
        /// The frame that did not come, counted from 0.
        frame: usize,
        /// What is wrong, in words for a person.
        cause: String,
    },
}

/// A stream from some picture on.
pub struct StreamReader {
    store: Store,
    program: StreamPlan,
    first_index: usize,
    next_index: usize,
    /// The segment that plays, and behind it those that have a head start.
    parts: VecDeque<Part>,
    sound: Option<SoundTimeline>,
}

/// A cursor on a segment of the plan.
struct Part {
    segment: usize,
    cursor: Cursor,
}

impl StreamReader {
    /// Begins with the picture `first_index`, which is wanted from now on.
    pub fn open(store: &Store, program: StreamPlan, first_index: usize) -> Self {
        store.count_viewer(true);
        let sound = SoundTimeline::new(store, &program, first_index);
        let store = store.clone();
        let mut reel = Self { store, program, first_index, next_index: first_index, parts: VecDeque::new(), sound };
        if let Some(planned) = reel.planned() {
            reel.want(&planned);
        }
        reel
    }

    /// The next item; `None` at the end. After an error the same frame is tried again. May be cancelled and called
    /// again without losing anything.
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
        let part = self.parts.front().expect("wanting a frame opens its segment");
        let jpeg = part.cursor.get(planned.frame).await.map_err(|failure| self.broken(planned, failure))?;
        self.next_index = planned.index + 1;
        if let Some(sound) = &self.sound {
            sound.want();
        }
        // What was taken may be given up, and what comes next be made, while the viewer has no credit.
        if let Some(next) = self.planned() {
            self.want(&next);
        }
        Ok(EncodedPicture {
            index: small(planned.index),
            height: self.program.video.info.variants[planned.variant].height,
            pts_nanos: planned.pts_nanos,
            duration_nanos: planned.duration_nanos,
            jpeg,
        })
    }

    fn planned(&self) -> Option<PlannedFrame> {
        self.program.plan.frame(self.next_index, &self.program.video.indices)
    }

    /// Says what is wanted when `planned` comes next.
    fn want(&mut self, planned: &PlannedFrame) {
        let place = self.program.plan.segment_of(planned.index);
        while self.parts.front().is_some_and(|part| part.segment != place) {
            self.parts.pop_front();
        }
        let plan = self.program.plan.clone();
        // Nothing competes with the first picture.
        let is_first = planned.index == self.first_index;
        let soon_nanos = if is_first { 0 } else { planned.pts_nanos + HEAD_START_NANOS };
        for (number, segment) in plan.segments().iter().enumerate().skip(place + self.parts.len()) {
            // One after the other: nothing competes with what comes sooner.
            let is_turn =
                self.parts.back().is_none_or(|part| part.cursor.has(plan.segments()[part.segment].frames.start));
            if number > place && (segment.start_nanos > soon_nanos || (number > place + 1 && !is_turn)) {
                break;
            }
            self.parts.push_back(self.part(number));
            if number > place {
                self.parts[number - place].cursor.want(ahead(segment.frames.start, segment));
            }
        }
        if let Some(part) = self.parts.front() {
            part.cursor.want(ahead(planned.frame, &plan.segments()[place]));
        }
    }

    fn part(&self, segment: usize) -> Part {
        let variant = self.program.plan.segments()[segment].variant;
        let track = PictureOpener { video: self.program.video.clone(), variant };
        Part { segment, cursor: self.store.cursor(track.key(), || Arc::new(track)) }
    }

    fn broken(&self, planned: &PlannedFrame, failure: Failure) -> StreamError {
        let file_name = self.program.video.files[planned.variant].file_name.clone();
        StreamError::Broken { file_name, frame: planned.frame, cause: failure.cause }
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.store.count_viewer(false);
    }
}

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
            .finish()
    }
}

impl fmt::Debug for SoundChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoundChunk at {} ns, {} bytes", self.pts_nanos, self.pcm.len())
    }
}
