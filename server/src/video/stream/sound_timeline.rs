//! Maps the time of a stream onto the soundtrack of its video. Positions are counted in audio frames, one sample for each
//! channel, at [`common::limits::SOUND_RATE_HZ`].
//!
//! Sound follows the pictures: where the plan continues in a file that shows the same frame at another time, the sound is
//! cut, and continues at that time.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use common::{
    limits::{OPUS_PACKET_AUDIO_FRAMES, OPUS_PREROLL_PACKETS},
    media::SoundFormat,
    opus_sound::OpusSound,
    splice::{FrameIndex, Plan},
};

use super::plan::StreamPlan;
use crate::video::{
    gst::sound_decoder::{audio_frames_to_nanos, nanos_to_audio_frame},
    process::{AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES, CHUNK_PACKETS, opus_chunk_of},
    store::{Cursor, Store, sound_chunk_count},
};

/// Sound chunks that are made ahead of a viewer.
const CHUNKS_AHEAD: usize = 8;

/// Two files may differ by this much in when they show the same frame without the sound being cut at the splice: 5 ms.
const CUT_TOLERANCE_AUDIO_FRAMES: u64 = 240;

/// The sound of one stream, from its first picture on.
pub(crate) struct SoundTimeline {
    cursor: Cursor,
    format: SoundFormat,
    /// In Opus, the position in the soundtrack that the client's decoder has reached. `None` if it is to begin anew.
    decoded_until: Option<u64>,
    spans: Vec<Span>,
    /// Position in the stream of the next audio frame.
    next: u64,
    /// Position in the stream at which it ends.
    end: u64,
    /// Number of tenths of a second of the soundtrack; silence follows them.
    chunk_count: usize,
}

/// A part of a stream in which sound and pictures come from the same positions of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Position in the stream at which it begins.
    start: u64,
    /// To be added to a position in the stream to get the position in the soundtrack.
    offset: i64,
}

/// What comes next in a stream.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// The tenth of a second of the soundtrack, and the audio frame in it at which the piece begins; `None` is silence.
    source: Option<(usize, usize)>,
    /// Length in audio frames, at least one.
    length: usize,
}

impl SoundTimeline {
    /// Begins with the picture `first_index`; requests nothing yet. `None` when the video has no sound.
    pub(crate) fn new(store: &Store, plan: &StreamPlan, first_index: usize) -> Option<Self> {
        let (video, splice, format) = (&plan.video, &plan.splice, plan.delivery().sound);
        let file = &video.indices[video.sound.as_ref()?.file];
        let first = splice.frame(first_index, &video.indices)?;
        let opener = store.sound_of(video, format)?;
        let chunk_count = sound_chunk_count(file);
        let cursor = store.cursor(opener.key(), || Arc::new(opener));
        Some(Self {
            format,
            decoded_until: None,
            cursor: cursor.ending_before(end_of(format, chunk_count)),
            spans: spans(splice, &video.indices),
            next: first_audio_frame(first.pts_nanos),
            end: to_audio_frame(splice.duration_nanos()),
            chunk_count,
        })
    }

    /// Time in the stream of the next chunk; `None` at the end.
    pub(crate) fn next_pts_nanos(&self) -> Option<u64> {
        (self.next < self.end).then(|| audio_frames_to_nanos(self.next))
    }

    /// How its chunks are coded.
    pub(crate) fn format(&self) -> SoundFormat {
        self.format
    }

    /// The next chunk, which ends where the span or the chunk of the store ends. The future may be dropped and called again.
    pub(crate) async fn next(&mut self) -> Bytes {
        self.want();
        let piece = self.piece();
        let (bytes, decoded_until) = match self.format {
            SoundFormat::Pcm => (self.pcm(piece).await, None),
            SoundFormat::Opus => self.opus(piece).await,
        };
        self.next += piece.length as u64;
        self.decoded_until = decoded_until;
        self.want();
        bytes
    }

    async fn pcm(&self, Piece { source, length }: Piece) -> Bytes {
        let silence = || Bytes::from(vec![0; length * AUDIO_FRAME_BYTES]);
        match source {
            None => silence(),
            Some((chunk, from)) => match self.cursor.get(chunk).await {
                Ok(fetched) => fetched.bytes.slice(from * AUDIO_FRAME_BYTES..(from + length) * AUDIO_FRAME_BYTES),
                // The decoder hung or could not be started; the pictures continue without sound.
                Err(_) => silence(),
            },
        }
    }

    /// Also returns what [`Self::decoded_until`] is then.
    async fn opus(&self, piece @ Piece { source, length }: Piece) -> (Bytes, Option<u64>) {
        let silence = || OpusSound { skip_audio_frames: 0, audio_frames: length, packets: Vec::new() }.encode();
        let Some((tenth, from)) = source else { return (silence(), None) };
        let (chunk, end) = (opus_chunk_of(tenth), from + length);
        let preroll_packets = self.preroll_packets(&piece);
        // Counted from the beginning of the chunk before.
        let first_packet = CHUNK_PACKETS + from / OPUS_PACKET_AUDIO_FRAMES - preroll_packets;
        let packets = first_packet..CHUNK_PACKETS + end.div_ceil(OPUS_PACKET_AUDIO_FRAMES);
        let mut chunks = Vec::new();
        for number in if first_packet < CHUNK_PACKETS { chunk - 1..chunk + 1 } else { chunk..chunk + 1 } {
            self.cursor.want(self.ahead(number));
            match self.cursor.get(number).await {
                Ok(fetched) => chunks.push(fetched.bytes),
                Err(_) => return (silence(), None),
            }
        }
        let is_packet_end = end.is_multiple_of(OPUS_PACKET_AUDIO_FRAMES);
        let decoded_until = is_packet_end.then_some(tenth as u64 * CHUNK_AUDIO_FRAMES + end as u64);
        if let [only] = &chunks[..]
            && packets == (CHUNK_PACKETS..2 * CHUNK_PACKETS)
        {
            // As it comes from the store, shared by all viewers.
            return (only.clone(), decoded_until);
        }
        let parsed: Option<Vec<OpusSound<'_>>> = chunks.iter().map(|chunk| OpusSound::parse(chunk)).collect();
        let Some(parsed) = parsed else { return (silence(), None) };
        let missing = 2 * CHUNK_PACKETS - parsed.len() * CHUNK_PACKETS;
        let all = parsed.into_iter().flat_map(|sound| sound.packets);
        let packets: Vec<&[u8]> = all.skip(packets.start - missing).take(packets.len()).collect();
        let skip_audio_frames = if preroll_packets == 0 {
            0
        } else {
            preroll_packets * OPUS_PACKET_AUDIO_FRAMES + from % OPUS_PACKET_AUDIO_FRAMES
        };
        (OpusSound { skip_audio_frames, audio_frames: length, packets }.encode(), decoded_until)
    }

    /// How many packets the client's decoder is given before the first one of a piece: none if it has just decoded what comes
    /// before.
    fn preroll_packets(&self, piece: &Piece) -> usize {
        let is_next =
            |(tenth, from): (usize, usize)| self.decoded_until == Some(tenth as u64 * CHUNK_AUDIO_FRAMES + from as u64);
        if piece.source.is_none_or(is_next) { 0 } else { OPUS_PREROLL_PACKETS }
    }

    fn piece(&self) -> Piece {
        let next_span = self.spans.partition_point(|span| span.start <= self.next);
        let span = self.spans[next_span.saturating_sub(1)];
        let span_end = self.spans.get(next_span).map_or(self.end, |span| span.start.min(self.end));
        let left = span_end.saturating_sub(self.next).clamp(1, CHUNK_AUDIO_FRAMES);
        let position = self.next.saturating_add_signed(span.offset);
        let (chunk, from) = (position / CHUNK_AUDIO_FRAMES, position % CHUNK_AUDIO_FRAMES);
        let length = left.min(CHUNK_AUDIO_FRAMES - from) as usize;
        Piece { source: (chunk < self.chunk_count as u64).then_some((chunk as usize, from as usize)), length }
    }

    /// Requests the next chunks from the store.
    pub(crate) fn want(&self) {
        let piece = self.piece();
        let chunks = match piece.source {
            Some((tenth, from)) if self.next < self.end => {
                let preroll_packets = self.preroll_packets(&piece);
                let is_in_chunk = from / OPUS_PACKET_AUDIO_FRAMES >= preroll_packets;
                self.ahead(match self.format {
                    SoundFormat::Pcm => tenth,
                    SoundFormat::Opus if is_in_chunk => opus_chunk_of(tenth),
                    SoundFormat::Opus => opus_chunk_of(tenth) - 1,
                })
            }
            _ => 0..0,
        };
        self.cursor.want(chunks);
    }

    /// The chunks of the store that are made ahead when this one comes next.
    fn ahead(&self, chunk: usize) -> Range<usize> {
        chunk..(chunk + CHUNKS_AHEAD).min(end_of(self.format, self.chunk_count))
    }
}

/// Number of chunks of the store in a soundtrack of this many tenths of a second.
fn end_of(format: SoundFormat, tenths: usize) -> usize {
    match format {
        SoundFormat::Pcm => tenths,
        SoundFormat::Opus => opus_chunk_of(tenths),
    }
}

/// The audio frame nearest to a time in the stream.
fn to_audio_frame(nanos: u64) -> u64 {
    nanos_to_audio_frame(i128::from(nanos)).unsigned_abs()
}

/// The first audio frame that is not heard before a picture of this time. The nearest one would often be heard some
/// microseconds before the picture; in the order of times it would then come first, although an epoch begins with its
/// first picture.
fn first_audio_frame(picture_pts_nanos: u64) -> u64 {
    let nearest = to_audio_frame(picture_pts_nanos);
    if audio_frames_to_nanos(nearest) < picture_pts_nanos { nearest + 1 } else { nearest }
}

/// The spans of a stream: where the sound is cut. When the files agree on the time of each frame there is only one.
fn spans(splice: &Plan, indices: &[FrameIndex]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for segment in splice.segments() {
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
    fn the_sound_of_an_epoch_never_begins_before_its_first_picture() {
        // Frames in a number of seconds; each time rounded down, up, and to whole milliseconds as in Matroska.
        for (frames, seconds) in [
            (24_000u64, 1_001u64),
            (24, 1),
            (25, 1),
            (30_000, 1_001),
            (30, 1),
            (48, 1),
            (50, 1),
            (60_000, 1_001),
            (60, 1),
            (90, 1),
            (120, 1),
            (144, 1),
            (240, 1),
            (1, 3),
            (7, 1),
            (44_100, 1),
            (90_000, 1),
        ] {
            for frame in 0..2_000 {
                let exact_nanos = u128::from(frame * seconds) * 1_000_000_000;
                let (down, up) = (exact_nanos / u128::from(frames), exact_nanos.div_ceil(u128::from(frames)));
                for picture_nanos in [down, up, up.div_ceil(1_000_000) * 1_000_000].map(|nanos| nanos as u64) {
                    let sound_nanos = audio_frames_to_nanos(first_audio_frame(picture_nanos));
                    let late_nanos = sound_nanos.checked_sub(picture_nanos);
                    let late_nanos = late_nanos.unwrap_or_else(|| panic!("{sound_nanos} before {picture_nanos} ns"));
                    assert!(late_nanos <= 20_834, "more than an audio frame after {picture_nanos} ns: {late_nanos} ns");
                }
            }
        }
        // 30 frames/s, picture 16: the nearest audio frame is heard one nanosecond too early.
        assert_eq!((to_audio_frame(533_333_334), first_audio_frame(533_333_334)), (25_600, 25_601));
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
