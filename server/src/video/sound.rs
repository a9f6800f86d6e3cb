//! The sound of a video as a track of the frame store: chunks of a tenth of a second, counted from the moment at which
//! the first picture of the file is shown.
//!
//! ```text
//! filesrc ► parsebin ►─ the track with sound ──► decoder ► audioconvert ► audioresample ► caps ► appsink
//!                       │ held here until everything plays and the seek is done
//! ```
//!
//! Time stamps decide where samples go: a gap becomes silence, an overlap is dropped, and what lies behind the end of
//! the file is silence. So sound never fails a stream; a file whose sound breaks is silent from there on.

use std::sync::Arc;

use bytes::Bytes;
use common::limits::{SOUND_CHANNELS, SOUND_CHUNK_NANOS, SOUND_RATE_HZ};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    Video,
    codec::is_sound_track,
    gate::gate,
    shelf::SoundTrack,
    stage::{LOOK_AROUND, Pulse, Stage, Stop, Trouble, Watchdog, add_source, element, link_track},
    store::{Opener, Part, Source, TrackKey},
};

/// Bytes of one moment: a 16-bit sample for each channel.
pub(super) const MOMENT_BYTES: usize = 2 * SOUND_CHANNELS as usize;

/// Moments in a chunk.
pub(super) const CHUNK_MOMENTS: u64 = SOUND_RATE_HZ as u64 * SOUND_CHUNK_NANOS / 1_000_000_000;

/// Decoded and thrown away after a seek: coders with memory need a running start.
const RUN_UP_NANOS: u64 = 200_000_000;

/// Time stamps jitter by so much without meaning it.
const JITTER_MOMENTS: u64 = SOUND_RATE_HZ as u64 / 200;

/// Silence that is made at a time; what comes behind a longer gap waits until the gap is filled.
const MAX_SILENCE_BYTES: usize = 10 * SOUND_RATE_HZ as usize * MOMENT_BYTES;

/// Decoded buffers that wait.
const QUEUED_BUFFERS: u32 = 4;

/// Opens the sound of a video.
pub(super) struct SoundOfVideo {
    pub(super) video: Arc<Video>,
}

/// Sound from some chunk on.
struct SoundSource {
    /// None after the end, or after trouble.
    decoder: Option<SoundDecoder>,
    /// Decoded and not yet given out, from `at` on.
    samples: Vec<u8>,
    /// Where `samples` begins, in moments from the first picture.
    at: u64,
    /// Decoded, and its place not reached.
    waiting: Option<Piece>,
    file_name: String,
}

/// Samples, and the moment of the first of them.
type Piece = (i64, Bytes);

struct SoundDecoder {
    stage: Stage,
    sink: AppSink,
    pulse: Pulse,
    /// When the first picture of the file is shown.
    origin_nanos: u64,
}

impl SoundOfVideo {
    pub(super) fn key(&self) -> TrackKey {
        TrackKey { video: self.video.info.id, fingerprint: self.video.info.fingerprint, part: Part::Sound }
    }
}

impl Opener for SoundOfVideo {
    fn open(&self, chunk: usize, pulse: Pulse, is_wanted: &dyn Fn() -> bool) -> Result<Box<dyn Source>, Stop> {
        let at = chunk as u64 * CHUNK_MOMENTS;
        let track = self.video.sound.as_ref().ok_or(Stop::Missing)?;
        self.video.sources[track.source].check_same()?;
        let file_name = self.video.sources[track.source].file_name.clone();
        let origin_nanos = self.video.indices[track.source].pts_nanos(0);
        let start_nanos = origin_nanos + moments_to_nanos(at);
        let path = &self.video.sources[track.source].path;
        let decoder = SoundDecoder::open(path, track, origin_nanos, start_nanos, pulse, is_wanted);
        let decoder = match decoder {
            Err(stop @ Stop::Cancelled) => return Err(stop),
            Err(stop) => {
                tracing::warn!("{file_name:?} stays silent: {stop}");
                None
            }
            Ok(decoder) => Some(decoder),
        };
        Ok(Box::new(SoundSource { decoder, samples: Vec::new(), at, waiting: None, file_name }))
    }

    fn name(&self) -> String {
        "sound".to_owned()
    }

    fn pixels(&self) -> u64 {
        0
    }
}

impl Source for SoundSource {
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, Stop> {
        let chunk_bytes = CHUNK_MOMENTS as usize * MOMENT_BYTES;
        while self.samples.len() < chunk_bytes {
            let Some(decoder) = &mut self.decoder else { break };
            let pulled = self.waiting.take().map_or_else(|| decoder.pull(is_wanted), Ok);
            match pulled {
                Ok(piece) => self.place(piece),
                Err(stop @ Stop::Cancelled) => return Err(stop),
                Err(Stop::Missing) => self.decoder = None,
                Err(stop) => {
                    tracing::warn!("{:?} is silent from {:.1} s on: {stop}", self.file_name, self.seconds());
                    self.decoder = None;
                }
            }
        }
        self.samples.resize(self.samples.len().max(chunk_bytes), 0);
        let rest = self.samples.split_off(chunk_bytes);
        let chunk = std::mem::replace(&mut self.samples, rest);
        self.at += CHUNK_MOMENTS;
        Ok(chunk.into())
    }
}

impl SoundSource {
    fn seconds(&self) -> f64 {
        self.at as f64 / f64::from(SOUND_RATE_HZ)
    }

    /// Appends what was decoded at its place.
    fn place(&mut self, (moment, bytes): Piece) {
        let end = self.at + (self.samples.len() / MOMENT_BYTES) as u64;
        let moment_of_end = i64::try_from(end).unwrap_or(i64::MAX);
        let gap = moment.saturating_sub(moment_of_end);
        if gap.unsigned_abs() <= JITTER_MOMENTS && !self.samples.is_empty() {
            self.samples.extend_from_slice(&bytes);
        } else if gap >= 0 {
            let silence = usize::try_from(gap).unwrap_or(usize::MAX).saturating_mul(MOMENT_BYTES);
            self.samples.resize(self.samples.len() + silence.min(MAX_SILENCE_BYTES), 0);
            if silence <= MAX_SILENCE_BYTES {
                self.samples.extend_from_slice(&bytes);
            } else {
                self.waiting = Some((moment, bytes));
            }
        } else {
            let skipped = usize::try_from(gap.unsigned_abs()).unwrap_or(usize::MAX).saturating_mul(MOMENT_BYTES);
            self.samples.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        }
    }
}

impl SoundDecoder {
    fn open(
        path: &std::path::Path,
        track: &SoundTrack,
        origin_nanos: u64,
        start_nanos: u64,
        pulse: Pulse,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, Stop> {
        let stage = Stage::new();
        let parse = add_source(&stage.pipeline, path)?;
        let (decoder, convert, resample) =
            (element(&track.decoder)?, element("audioconvert")?, element("audioresample")?);
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", SOUND_RATE_HZ as i32)
            .field("channels", i32::from(SOUND_CHANNELS))
            .build();
        let sink = AppSink::builder()
            .caps(&caps)
            .sync(false)
            .async_(false)
            .max_buffers(QUEUED_BUFFERS)
            .enable_last_sample(false)
            .build();
        let chain = [&decoder, &convert, &resample, sink.upcast_ref()];
        stage.pipeline.add_many(chain).map_err(Trouble::from)?;
        gst::Element::link_many(chain).map_err(Trouble::from)?;
        let (gate, put_on) = gate();
        link_track(&parse, &decoder, is_sound_track(&track.track), put_on);
        let mut opened = Self { stage, sink, pulse, origin_nanos };
        opened.stage.play()?;
        let seek_nanos = Some(start_nanos.saturating_sub(RUN_UP_NANOS)).filter(|_| start_nanos > origin_nanos);
        let is_over = || opened.sink.is_eos();
        gate.open(&mut opened.stage, &opened.pulse, seek_nanos, &is_over, is_wanted)?;
        Ok(opened)
    }

    /// The next samples, and the moment of the first of them.
    fn pull(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Piece, Stop> {
        let mut watchdog = Watchdog::new(&self.pulse);
        loop {
            let timeout = gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64);
            if let Some(sample) = self.sink.try_pull_sample(timeout) {
                self.pulse.beat();
                let nonsense = || Trouble("its sound has no time".into());
                let buffer = sample.buffer_owned().ok_or_else(nonsense)?;
                let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
                let (segment, start) = segment.zip(buffer.pts()).ok_or_else(nonsense)?;
                let offset = |time: Option<gst::ClockTime>| i128::from(time.map_or(0, gst::ClockTime::nseconds));
                // Also right for what lies before the segment's start, which has no stream time.
                let nanos = offset(Some(start)) - offset(segment.start()) + offset(segment.time());
                let moment = nanos_to_moment(nanos - i128::from(self.origin_nanos));
                let bytes = buffer.map_readable().map_err(|_| nonsense())?;
                return Ok((moment, Bytes::copy_from_slice(&bytes)));
            }
            let is_over = self.sink.is_eos();
            self.stage.check(&self.pulse, &mut watchdog, is_wanted)?;
            if is_over {
                return Err(Stop::Missing);
            }
        }
    }
}

/// When a moment is, in nanoseconds, rounded.
pub(super) fn moments_to_nanos(moments: u64) -> u64 {
    let rate = u128::from(SOUND_RATE_HZ);
    u64::try_from((u128::from(moments) * 1_000_000_000 + rate / 2) / rate).unwrap_or(u64::MAX)
}

/// The moment nearest to a time, both counted from the first picture.
pub(super) fn nanos_to_moment(nanos: i128) -> i64 {
    let moments = (nanos * i128::from(SOUND_RATE_HZ) + 500_000_000).div_euclid(1_000_000_000);
    i64::try_from(moments).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SoundSource {
        SoundSource { decoder: None, samples: Vec::new(), at: 100, waiting: None, file_name: "clip".into() }
    }

    fn moments(source: &SoundSource) -> Vec<u8> {
        source.samples.chunks(MOMENT_BYTES).map(|moment| moment[0]).collect()
    }

    #[test]
    fn samples_before_the_wanted_place_are_dropped() {
        let mut source = source();
        source.place((97, Bytes::from_static(&[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5])));
        assert_eq!(moments(&source), [4, 5]);
    }

    #[test]
    fn a_gap_is_silent_and_jitter_is_none() {
        let mut source = source();
        source.place((102, Bytes::from_static(&[1; 4])));
        source.place((103 + JITTER_MOMENTS as i64, Bytes::from_static(&[2; 4])));
        assert_eq!(moments(&source), [0, 0, 1, 2]);
        source.place((104 + JITTER_MOMENTS as i64 + 1, Bytes::from_static(&[3; 4])));
        assert_eq!(source.samples.len() / MOMENT_BYTES, 4 + JITTER_MOMENTS as usize + 1 + 1);
    }

    #[test]
    fn sound_behind_a_long_silence_keeps_its_beginning() {
        let mut source = source();
        let late = 100 + 25 * i64::from(SOUND_RATE_HZ);
        source.place((late, Bytes::from_static(&[7; 4])));
        while let Some(piece) = source.waiting.take() {
            source.place(piece);
        }
        assert_eq!((moments(&source).len(), moments(&source).last()), (25 * SOUND_RATE_HZ as usize + 1, Some(&7)));
    }

    #[test]
    fn behind_the_end_there_is_silence() {
        let mut source = source();
        source.place((100, Bytes::from_static(&[9; 4])));
        let chunk = source.next(&|| true).unwrap();
        assert_eq!((chunk.len(), chunk[0], chunk[4]), (19_200, 9, 0));
        assert!(source.next(&|| true).unwrap().iter().all(|&byte| byte == 0));
    }

    #[test]
    fn moments_and_nanoseconds_agree() {
        for moment in [0, 1, 4800, 48_000 * 3600, 48_000 * 3600 + 1] {
            assert_eq!(nanos_to_moment(i128::from(moments_to_nanos(moment))), moment as i64);
        }
    }
}
