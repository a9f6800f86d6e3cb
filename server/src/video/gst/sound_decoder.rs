//! Decodes a sound track of a file to 48 kHz stereo PCM, from any time on.
//!
//! ```text
//! filesrc ► parsebin ►─ sound track ──► decoder ► audioconvert ► audioresample ► appsink (S16LE, 48 kHz, stereo)
//!                       │ blocked until the pipeline is PLAYING and the seek is done, see `preroll`
//! ```

use std::path::Path;

use bytes::Bytes;
use common::limits::{SOUND_CHANNELS, SOUND_RATE_HZ};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    pipeline::{DecodeError, Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog, add_source, element},
    preroll::preroll,
    tracks::{is_sound_track, link_track},
};

/// A seek goes this far before the wanted time, because codecs with internal state need some input before their output is
/// correct. The caller discards the surplus.
const SEEK_MARGIN_NANOS: u64 = 200_000_000;

/// Decoded buffers that are queued in the `appsink`.
const QUEUED_BUFFERS: u32 = 4;

/// Number of the first audio frame, counted from the first picture (negative before it), and the samples: interleaved
/// 16-bit little-endian.
pub(crate) type DecodedSound = (i64, Bytes);

/// A running decoder of one sound track.
pub(crate) struct SoundDecoder {
    pipeline: Pipeline,
    sink: AppSink,
    heartbeat: Heartbeat,
    /// When the first picture of the file is shown, which is audio frame 0.
    origin_nanos: u64,
}

impl SoundDecoder {
    /// Starts to decode at `start_nanos` of the file's time, or a little before. Blocks while the file is opened and
    /// searched.
    ///
    /// # Errors
    /// Those of [`preroll`](super::preroll::Preroll::release), and when the pipeline cannot be built.
    pub(crate) fn open(
        path: &Path,
        track: &str,
        decoder: &str,
        origin_nanos: u64,
        start_nanos: u64,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, DecodeError> {
        let pipeline = Pipeline::new();
        let parse = add_source(&pipeline.bin, path)?;
        let (decoder, convert, resample) = (element(decoder)?, element("audioconvert")?, element("audioresample")?);
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
        pipeline.bin.add_many(chain).map_err(PipelineError::from)?;
        gst::Element::link_many(chain).map_err(PipelineError::from)?;
        let (preroll, install) = preroll();
        link_track(&parse, &decoder, is_sound_track(track), install);
        let mut opened = Self { pipeline, sink, heartbeat, origin_nanos };
        opened.pipeline.play()?;
        let seek_nanos = Some(start_nanos.saturating_sub(SEEK_MARGIN_NANOS)).filter(|_| start_nanos > origin_nanos);
        let is_over = || opened.sink.is_eos();
        preroll.release(&mut opened.pipeline, &opened.heartbeat, seek_nanos, &is_over, is_wanted)?;
        Ok(opened)
    }

    /// The next samples. Blocks until they are there.
    ///
    /// # Errors
    /// `Missing` at the end of the track, otherwise those of [`Pipeline::check`].
    pub(crate) fn pull(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<DecodedSound, DecodeError> {
        let mut watchdog = Watchdog::new(&self.heartbeat);
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL_TIMEOUT) {
                self.heartbeat.beat();
                let untimed = || PipelineError("the sound has no time stamps".into());
                let buffer = sample.buffer_owned().ok_or_else(untimed)?;
                let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
                let (segment, start) = segment.zip(buffer.pts()).ok_or_else(untimed)?;
                let offset = |time: Option<gst::ClockTime>| i128::from(time.map_or(0, gst::ClockTime::nseconds));
                // Computed by hand, because samples before the start of the segment have no stream time.
                let nanos = offset(Some(start)) - offset(segment.start()) + offset(segment.time());
                let audio_frame = nanos_to_audio_frame(nanos - i128::from(self.origin_nanos));
                let bytes = buffer.map_readable().map_err(|_| untimed())?;
                return Ok((audio_frame, Bytes::copy_from_slice(&bytes)));
            }
            let is_over = self.sink.is_eos();
            self.pipeline.check(&self.heartbeat, &mut watchdog, is_wanted)?;
            if is_over {
                return Err(DecodeError::Missing);
            }
        }
    }
}

/// The time of an audio frame in nanoseconds, rounded to the nearest.
pub(crate) fn audio_frames_to_nanos(audio_frames: u64) -> u64 {
    let rate = u128::from(SOUND_RATE_HZ);
    u64::try_from((u128::from(audio_frames) * 1_000_000_000 + rate / 2) / rate).unwrap_or(u64::MAX)
}

/// The audio frame nearest to a time; both are counted from the first picture.
pub(crate) fn nanos_to_audio_frame(nanos: i128) -> i64 {
    let audio_frames = (nanos * i128::from(SOUND_RATE_HZ) + 500_000_000).div_euclid(1_000_000_000);
    i64::try_from(audio_frames).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_frames_and_nanoseconds_agree() {
        for audio_frame in [0, 1, 4800, 48_000 * 3600, 48_000 * 3600 + 1] {
            assert_eq!(nanos_to_audio_frame(i128::from(audio_frames_to_nanos(audio_frame))), audio_frame as i64);
        }
    }
}
