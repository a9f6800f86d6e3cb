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
use common::{
    media::{Position, Quality, SegmentInfo},
    splice::{FrameIndex, Plan, PlannedFrame, Segment},
};

use super::{
    Video,
    sound::{CHUNK_MOMENTS, MOMENT_BYTES, SoundOfVideo, moments_to_nanos, nanos_to_moment},
    store::{Cursor, Failure, Store},
    track::PictureTrack,
};

/// Pictures that are made ahead of a viewer: half a second, and about 8 MB at 1440p.
const PICTURES_AHEAD: usize = 16;

/// Sound chunks that are made ahead of a viewer.
const CHUNKS_AHEAD: usize = 8;

/// How long before a segment comes it is wanted. A far seek into a file with few key frames may take seconds.
const HEAD_START_NANOS: u64 = 10_000_000_000;

/// Two files may differ by so much in when they show the same frame without the sound being cut at the splice.
const CUT_TOLERANCE_MOMENTS: u64 = 240;

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
pub enum ReelError {
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

/// A video and the frames of it that a viewer wants.
#[derive(Debug, Clone)]
pub struct Program {
    video: Arc<Video>,
    plan: Arc<Plan>,
}

impl Program {
    /// Plans the stream.
    pub fn new(video: Arc<Video>, quality: Quality) -> Result<Self, ReelError> {
        let plan = match quality {
            Quality::Triptych => Plan::triptych(&video.indices),
            Quality::Only(height) => {
                let found = video.info.variants.iter().position(|variant| variant.height == height);
                let missing = || ReelError::NoSuchResolution { title: video.info.title.clone(), height };
                Plan::only(&video.indices, found.ok_or_else(missing)?)
            }
        };
        Ok(Self { video, plan: Arc::new(plan) })
    }

    /// What it shows.
    pub fn video(&self) -> &Arc<Video> {
        &self.video
    }

    /// The parts of the stream in order; none is empty.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |segment: &Segment| SegmentInfo {
            height: self.video.info.variants[segment.variant].height,
            first_index: small(segment.first_index),
            frame_count: small(segment.frames.len()),
            start_nanos: segment.start_nanos,
        };
        self.plan.segments().iter().map(info).collect()
    }

    /// Number of pictures, at least one.
    pub fn frame_count(&self) -> u32 {
        small(self.plan.frame_count())
    }

    /// Length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.plan.duration_nanos()
    }

    /// Index of the picture at a place.
    pub fn index_at(&self, position: Position) -> usize {
        match position {
            Position::Time(nanos) => self.plan.standing_at(nanos, &self.video.indices),
            Position::Picture(index) => (index as usize).min(self.plan.frame_count() - 1),
        }
    }

    /// Index of the picture that shows what `index` of another program of the same video shows.
    pub fn same_moment(&self, other: &Self, index: usize) -> usize {
        self.plan.same_moment(&other.plan, index, &self.video.indices)
    }
}

/// A stream from some picture on.
pub struct Reel {
    store: Store,
    program: Program,
    first_index: usize,
    next_index: usize,
    /// The segment that plays, and behind it those that have a head start.
    parts: VecDeque<Part>,
    sound: Option<SoundWalk>,
}

/// A cursor on a segment of the plan.
struct Part {
    segment: usize,
    cursor: Cursor,
}

impl Reel {
    /// Begins with the picture `first_index`, which is wanted from now on.
    pub fn open(store: &Store, program: Program, first_index: usize) -> Self {
        store.count_viewer(true);
        let sound = SoundWalk::new(store, &program, first_index);
        let store = store.clone();
        let mut reel = Self { store, program, first_index, next_index: first_index, parts: VecDeque::new(), sound };
        if let Some(planned) = reel.planned() {
            reel.want(&planned);
        }
        reel
    }

    /// The next item; `None` at the end. After an error the same frame is tried again. May be cancelled and called
    /// again without losing anything.
    pub async fn next(&mut self) -> Option<Result<Item, ReelError>> {
        let planned = self.planned();
        if let Some(sound) = &mut self.sound
            && let Some(pts_nanos) = sound.next_pts_nanos()
            && planned.is_none_or(|planned| pts_nanos < planned.pts_nanos)
        {
            return Some(Ok(Item::Sound(SoundChunk { pts_nanos, pcm: sound.next().await })));
        }
        Some(self.picture(&planned?).await.map(Item::Picture))
    }

    async fn picture(&mut self, planned: &PlannedFrame) -> Result<EncodedPicture, ReelError> {
        self.want(planned);
        let part = self.parts.front().expect("wanting a frame opens its segment");
        let jpeg = part.cursor.get(planned.frame).await.map_err(|failure| self.broken(planned, failure))?;
        self.next_index = planned.index + 1;
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
            if number > place && segment.start_nanos > soon_nanos {
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
        let track = PictureTrack { video: self.program.video.clone(), variant };
        Part { segment, cursor: self.store.cursor(track.key(), || Arc::new(track)) }
    }

    fn broken(&self, planned: &PlannedFrame, failure: Failure) -> ReelError {
        let file_name = self.program.video.sources[planned.variant].file_name.clone();
        ReelError::Broken { file_name, frame: planned.frame, cause: failure.cause }
    }
}

impl Drop for Reel {
    fn drop(&mut self) {
        self.store.count_viewer(false);
    }
}

fn ahead(frame: usize, segment: &Segment) -> Range<usize> {
    frame..(frame + PICTURES_AHEAD).min(segment.frames.end)
}

/// Indices in a stream fit: no file has more frames than the probe allows.
fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The way of a stream through the sound of its video. Everything is counted in moments: samples of one channel.
struct SoundWalk {
    cursor: Cursor,
    spans: Vec<Span>,
    /// Where in the stream the next sample is heard, and where the stream ends.
    at: u64,
    end: u64,
    /// Chunks that the sound has; behind them there is silence.
    chunk_count: usize,
}

/// A part of a stream in which sound and pictures come from the same places of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Where in the stream it begins.
    start: u64,
    /// What to add to a place in the stream for the place in the sound.
    offset: i64,
}

impl SoundWalk {
    fn new(store: &Store, program: &Program, first_index: usize) -> Option<Self> {
        let (video, plan) = (&program.video, &program.plan);
        let file = &video.indices[video.sound.as_ref()?.source];
        let last = file.len().checked_sub(1)?;
        let length = to_moment(file.content_nanos(last) + (file.end_nanos(last) - file.pts_nanos(last)));
        let first = plan.frame(first_index, &video.indices)?;
        let track = SoundOfVideo { video: video.clone() };
        let walk = Self {
            cursor: store.cursor(track.key(), || Arc::new(track)),
            spans: spans(plan, &video.indices),
            at: to_moment(first.pts_nanos),
            end: to_moment(plan.duration_nanos()),
            chunk_count: usize::try_from(length.div_ceil(CHUNK_MOMENTS)).ok()?,
        };
        walk.want();
        Some(walk)
    }

    /// When the next chunk is heard; none at the end.
    fn next_pts_nanos(&self) -> Option<u64> {
        (self.at < self.end).then(|| moments_to_nanos(self.at))
    }

    /// The next chunk, which ends where the span or the chunk in the store does.
    async fn next(&mut self) -> Bytes {
        let (place, length) = self.piece();
        let silence = || Bytes::from(vec![0; length * MOMENT_BYTES]);
        let pcm = match place {
            None => silence(),
            Some((chunk, from)) => match self.cursor.get(chunk).await {
                Ok(bytes) => bytes.slice(from * MOMENT_BYTES..(from + length) * MOMENT_BYTES),
                // Somebody's decoder hung or there was no thread for it; the pictures go on.
                Err(_) => silence(),
            },
        };
        self.at += length as u64;
        self.want();
        pcm
    }

    /// The chunk in the store and the moment in it where the next piece begins (none is silence), and how long it is.
    fn piece(&self) -> (Option<(usize, usize)>, usize) {
        let next = self.spans.partition_point(|span| span.start <= self.at);
        let span = self.spans[next.saturating_sub(1)];
        let span_end = self.spans.get(next).map_or(self.end, |span| span.start.min(self.end));
        let left = span_end.saturating_sub(self.at).clamp(1, CHUNK_MOMENTS);
        match self.at.checked_add_signed(span.offset) {
            Some(place) => {
                let (chunk, from) = (place / CHUNK_MOMENTS, place % CHUNK_MOMENTS);
                let length = left.min(CHUNK_MOMENTS - from) as usize;
                let is_there = chunk < self.chunk_count as u64;
                (is_there.then_some((chunk as usize, from as usize)), length)
            }
            // Before the sound's beginning.
            None => (None, left as usize),
        }
    }

    fn want(&self) {
        let frames = match self.piece().0 {
            Some((chunk, _)) if self.at < self.end => chunk..(chunk + CHUNKS_AHEAD).min(self.chunk_count),
            _ => 0..0,
        };
        self.cursor.want(frames);
    }
}

fn to_moment(nanos: u64) -> u64 {
    nanos_to_moment(i128::from(nanos)).unsigned_abs()
}

/// Where sound is cut. When the files agree on the time of each frame it is never cut.
fn spans(plan: &Plan, indices: &[FrameIndex]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for segment in plan.segments() {
        let content_nanos = indices[segment.variant].content_nanos(segment.frames.start);
        let offset = nanos_to_moment(i128::from(content_nanos) - i128::from(segment.start_nanos));
        if spans.last().is_none_or(|last| last.offset.abs_diff(offset) > CUT_TOLERANCE_MOMENTS) {
            spans.push(Span { start: to_moment(segment.start_nanos), offset });
        }
    }
    spans
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

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(frame_count: u64, period_nanos: u64) -> FrameIndex {
        FrameIndex::new((0..frame_count).map(|frame| frame * period_nanos).collect(), None)
    }

    #[test]
    fn files_that_agree_need_no_cut() {
        let files = [steady(60, 40_000_000), steady(60, 40_000_000), steady(60, 40_000_000)];
        assert_eq!(spans(&Plan::triptych(&files), &files), [Span { start: 0, offset: 0 }]);
        assert_eq!(spans(&Plan::only(&files, 1), &files), [Span { start: 0, offset: 0 }]);
    }

    #[test]
    fn a_longer_file_is_cut_to_where_its_pictures_are() {
        // The second half of a file of 4 s follows the first half of one of 2 s.
        let files = [steady(50, 40_000_000), steady(100, 40_000_000)];
        let expected = [Span { start: 0, offset: 0 }, Span { start: 48_000, offset: 48_000 }];
        assert_eq!(spans(&Plan::triptych(&files), &files), expected);
    }
}
