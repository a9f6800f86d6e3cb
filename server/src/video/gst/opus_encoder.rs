//! Encodes 48 kHz stereo PCM to packets of Opus.
//!
//! ```text
//! appsrc (S16LE, 48 kHz, stereo) ► opusenc ► appsink
//! ```
//!
//! An encoder of Opus delays what it encodes: the first audio frame of the first packet is [`DELAY_AUDIO_FRAMES`] before the
//! first one of the input. The caller chooses where its input begins such that packets begin where it wants them to.

use std::collections::VecDeque;

use bytes::Bytes;
use common::limits::{
    MAX_OPUS_PACKET_BYTES, OPUS_PACKET_AUDIO_FRAMES, SOUND_CHANNELS, SOUND_FRAME_BYTES, SOUND_RATE_HZ,
};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSrc};

use super::pipeline::{DecodeError, Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog};

/// What libopus looks ahead, at 48 kHz and for music: 6.5 ms. It has been the same since 1.0; the encoder says in its header
/// what it is, and that is checked.
pub(crate) const DELAY_AUDIO_FRAMES: usize = 312;

/// A sixteenth of PCM.
const BITS_PER_SECOND: i32 = 96_000;

/// Where the header of Opus (RFC 7845 §5.1) has the delay.
const HEADER_DELAY: std::ops::Range<usize> = 10..12;

/// A running encoder.
pub(crate) struct OpusEncoder {
    pipeline: Pipeline,
    source: AppSrc,
    sink: AppSink,
    heartbeat: Heartbeat,
    /// Audio frames that were pushed.
    pushed: usize,
    /// Packets that were pulled.
    pulled: usize,
}

impl OpusEncoder {
    /// Starts it.
    ///
    /// # Errors
    /// When the pipeline cannot be built.
    pub(crate) fn start() -> Result<Self, PipelineError> {
        let pipeline = Pipeline::new();
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", SOUND_RATE_HZ as i32)
            .field("channels", i32::from(SOUND_CHANNELS))
            .build();
        let source = AppSrc::builder().caps(&caps).format(gst::Format::Time).max_bytes(0).build();
        let encoder = gst::ElementFactory::make("opusenc")
            .property("bitrate", BITS_PER_SECOND)
            .property_from_str("bitrate-type", "constrained-vbr")
            .property_from_str("frame-size", "20")
            .property("max-payload-size", MAX_OPUS_PACKET_BYTES as u32)
            .build()?;
        let sink = AppSink::builder().sync(false).async_(false).enable_last_sample(false).build();
        let chain = [source.upcast_ref(), &encoder, sink.upcast_ref()];
        pipeline.bin.add_many(chain)?;
        gst::Element::link_many(chain)?;
        pipeline.play()?;
        Ok(Self { pipeline, source, sink, heartbeat: Heartbeat::default(), pushed: 0, pulled: 0 })
    }

    /// Encodes further samples, whole audio frames of them, and returns the packets that are complete then.
    ///
    /// # Errors
    /// Those of [`Pipeline::check`], and when the encoder has another delay than expected.
    pub(crate) fn encode(&mut self, pcm: Bytes, is_wanted: &dyn Fn() -> bool) -> Result<VecDeque<Bytes>, DecodeError> {
        let at = |audio_frames: usize| {
            gst::ClockTime::SECOND * u64::try_from(audio_frames).unwrap_or(u64::MAX) / u64::from(SOUND_RATE_HZ)
        };
        let end = self.pushed + pcm.len() / SOUND_FRAME_BYTES;
        let mut buffer = gst::Buffer::from_slice(pcm);
        let fresh = buffer.get_mut().expect("a new buffer has one owner");
        fresh.set_pts(at(self.pushed));
        fresh.set_duration(at(end) - at(self.pushed));
        self.pushed = end;
        if self.source.push_buffer(buffer).is_err() {
            let stopped = || PipelineError("the encoder takes no more sound".into());
            return Err(self.pipeline.error().unwrap_or_else(stopped).into());
        }
        let mut packets = VecDeque::new();
        let mut watchdog = Watchdog::new(&self.heartbeat);
        while self.pulled < self.pushed / OPUS_PACKET_AUDIO_FRAMES {
            let Some(sample) = self.sink.try_pull_sample(POLL_TIMEOUT) else {
                self.pipeline.check(&self.heartbeat, &mut watchdog, is_wanted)?;
                continue;
            };
            self.heartbeat.beat();
            if self.pulled == 0 {
                check_delay(&sample)?;
            }
            self.pulled += 1;
            let buffer = sample.buffer().ok_or_else(|| PipelineError("the encoder put out nothing".into()))?;
            packets.push_back(Bytes::copy_from_slice(&buffer.map_readable().map_err(PipelineError::from)?));
        }
        Ok(packets)
    }
}

fn check_delay(sample: &gst::Sample) -> Result<(), PipelineError> {
    let header = || {
        let headers = sample.caps()?.structure(0)?.get::<gst::ArrayRef<'_>>("streamheader").ok()?;
        let header = headers.first()?.get::<gst::Buffer>().ok()?;
        let header = header.map_readable().ok()?;
        Some(u16::from_le_bytes(header.get(HEADER_DELAY)?.try_into().ok()?))
    };
    match header() {
        Some(delay) if usize::from(delay) == DELAY_AUDIO_FRAMES => Ok(()),
        delay => {
            Err(PipelineError(format!("the encoder's delay is not {DELAY_AUDIO_FRAMES} audio frames but {delay:?}")))
        }
    }
}
