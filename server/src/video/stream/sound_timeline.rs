//! The way of a stream through the sound of its video. Everything is counted in moments: samples of one channel.
//!
//! Sound follows the pictures: where the plan goes on in a file that shows the same frame at another time, the sound is
//! cut, and goes on at that time.

use std::sync::Arc;

use bytes::Bytes;
use common::splice::{FrameIndex, Plan};

use super::StreamPlan;
use crate::video::{
    gst::sound_decoder::{audio_frames_to_nanos, nanos_to_audio_frame},
    store::{
        Cursor, Store,
        sound_source::{AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES, SoundOpener},
    },
};

/// Sound chunks that are made ahead of a viewer.
const CHUNKS_AHEAD: usize = 8;

/// Two files may differ by so much in when they show the same frame without the sound being cut at the splice.
const CUT_TOLERANCE_AUDIO_FRAMES: u64 = 240;

/// Where a stream is in the sound.
pub(crate) struct SoundTimeline {
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

impl SoundTimeline {
    /// Begins with the picture `first_index`, and wants nothing yet. `None` when the video has no sound.
    pub(crate) fn new(store: &Store, program: &StreamPlan, first_index: usize) -> Option<Self> {
        let (video, plan) = (&program.video, &program.plan);
        let file = &video.indices[video.sound.as_ref()?.file];
        let last = file.len().checked_sub(1)?;
        let length = to_audio_frame(file.content_nanos(last) + (file.end_nanos(last) - file.pts_nanos(last)));
        let first = plan.frame(first_index, &video.indices)?;
        let track = SoundOpener { video: video.clone() };
        Some(Self {
            cursor: store.cursor(track.key(), || Arc::new(track)),
            spans: spans(plan, &video.indices),
            at: to_audio_frame(first.pts_nanos),
            end: to_audio_frame(plan.duration_nanos()),
            chunk_count: usize::try_from(length.div_ceil(CHUNK_AUDIO_FRAMES)).ok()?,
        })
    }

    /// When the next chunk is heard; none at the end.
    pub(crate) fn next_pts_nanos(&self) -> Option<u64> {
        (self.at < self.end).then(|| audio_frames_to_nanos(self.at))
    }

    /// The next chunk, which ends where the span or the chunk in the store does.
    pub(crate) async fn next(&mut self) -> Bytes {
        self.want();
        let (place, length) = self.piece();
        let silence = || Bytes::from(vec![0; length * AUDIO_FRAME_BYTES]);
        let pcm = match place {
            None => silence(),
            Some((chunk, from)) => match self.cursor.get(chunk).await {
                Ok(bytes) => bytes.slice(from * AUDIO_FRAME_BYTES..(from + length) * AUDIO_FRAME_BYTES),
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
        let left = span_end.saturating_sub(self.at).clamp(1, CHUNK_AUDIO_FRAMES);
        let place = self.at.saturating_add_signed(span.offset);
        let (chunk, from) = (place / CHUNK_AUDIO_FRAMES, place % CHUNK_AUDIO_FRAMES);
        let length = left.min(CHUNK_AUDIO_FRAMES - from) as usize;
        ((chunk < self.chunk_count as u64).then_some((chunk as usize, from as usize)), length)
    }

    /// Has the next chunks made.
    pub(crate) fn want(&self) {
        let frames = match self.piece().0 {
            Some((chunk, _)) if self.at < self.end => chunk..(chunk + CHUNKS_AHEAD).min(self.chunk_count),
            _ => 0..0,
        };
        self.cursor.want(frames);
    }
}

fn to_audio_frame(nanos: u64) -> u64 {
    nanos_to_audio_frame(i128::from(nanos)).unsigned_abs()
}

/// Where sound is cut. When the files agree on the time of each frame it is never cut.
fn spans(plan: &Plan, indices: &[FrameIndex]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for segment in plan.segments() {
        let content_nanos = indices[segment.variant].content_nanos(segment.frames.start);
        let offset = nanos_to_audio_frame(i128::from(content_nanos) - i128::from(segment.start_nanos));
        if spans.last().is_none_or(|last| last.offset.abs_diff(offset) > CUT_TOLERANCE_AUDIO_FRAMES) {
            spans.push(Span { start: to_audio_frame(segment.start_nanos), offset });
        }
    }
    spans
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
