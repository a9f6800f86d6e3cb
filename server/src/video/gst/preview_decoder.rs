//! Decodes single frames of a file to small JPEG pictures, in any order, with one pipeline that seeks from one to the next.
//!
//! ```text
//! filesrc ► parsebin ─► decoder ─► converters ► caps (small) ► jpegenc ► appsink
//!               │           └ frames before the wanted one are dropped here
//!               └ after the wanted frame, the decoder is told that the stream has ended
//! ```
//!
//! * A seek in a running pipeline takes a few milliseconds, a new pipeline twenty.
//! * A decoder that reorders frames holds a key frame back until others follow it. Told that the stream has ended, it hands
//!   it out at once, and nothing but the key frame is decoded. A seek that flushes makes it usable again.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    jpeg_format::{self, caps_filter, converters},
    jpeg_input,
    picture_decoder::{is_before_segment, limit_to_one_thread},
    pipeline::{
        DecodeError, Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog, add_source, display_time, element,
    },
    preroll::{BlockedPad, preroll},
    tracks::{is_video_track, link_track},
};

/// A frame that takes longer is left out: the file has no index, or a group of pictures is very long.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// How much a decoder may round the time of a frame.
const ROUNDING_NANOS: u64 = 1_000_000;

/// The file that frames are taken from, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreviewSource<'a> {
    pub(crate) path: &'a Path,
    /// Identifies the track, see [`super::tracks::track_id`].
    pub(crate) track: &'a str,
    /// Name of the decoder element.
    pub(crate) decoder: &'a str,
    /// See [`super::jpeg_format::DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// See [`super::jpeg_format::DecoderOutput::is_interlaced`].
    pub(crate) is_interlaced: bool,
    /// Whether all groups of pictures are closed. If not, the decoder has threads of its own: libav (5.1) with one thread outputs
    /// damaged frames after a seek.
    pub(crate) are_closed: bool,
    /// Width and height of the pictures.
    pub(crate) size: (u32, u32),
}

/// A running decoder.
#[derive(Debug)]
pub(crate) struct PreviewDecoder {
    pipeline: Pipeline,
    /// The pad between demultiplexer and decoder, which seeks are sent to.
    coded: BlockedPad,
    encoder: gst::Element,
    sink: AppSink,
    wanted: Arc<Wanted>,
    heartbeat: Heartbeat,
}

/// Which frame is wanted, and what has come of it.
#[derive(Debug, Default)]
struct Wanted {
    /// When it is shown.
    nanos: AtomicU64,
    /// Whether it is the key frame itself that was sought.
    is_key: AtomicBool,
    /// Whether what passes is decoded: from the key frame on, if that is wanted.
    has_begun: AtomicBool,
    /// Whether the frame has been decoded.
    is_done: AtomicBool,
    /// Seeks that have emptied the pipeline.
    flushes: AtomicU64,
}

impl PreviewDecoder {
    /// Opens the file. Blocks until it can be searched.
    ///
    /// # Errors
    /// Those of [`preroll`](super::preroll::Preroll::release), and when the pipeline cannot be built.
    pub(crate) fn open(source: PreviewSource<'_>, is_wanted: &dyn Fn() -> bool) -> Result<Self, DecodeError> {
        let (mut pipeline, heartbeat) = (Pipeline::new(), Heartbeat::default());
        let wanted = Arc::new(Wanted::default());
        let parse = add_source(&pipeline.bin, source.path)?;
        let (decoder, encoder) = (element(source.decoder)?, element("jpegenc")?);
        if source.are_closed {
            limit_to_one_thread(&decoder);
        }
        jpeg_input::prepare(&encoder);
        let sink = AppSink::builder().sync(false).async_(false).max_buffers(1).enable_last_sample(false).build();
        let mut chain = vec![decoder.clone()];
        chain.extend(converters(source.needs_rgb, source.is_interlaced)?);
        chain.extend([caps_filter(&jpeg_format::caps(Some(source.size)))?, encoder.clone(), sink.clone().upcast()]);
        pipeline.bin.add_many(&chain).map_err(PipelineError::from)?;
        gst::Element::link_many(&chain).map_err(PipelineError::from)?;
        let decoded = decoder.static_pad("src").expect("a decoder has an output");
        drop_unwanted(&decoded, wanted.clone(), heartbeat.clone());
        let (preroll, install) = preroll();
        let (begun, beats) = (wanted.clone(), heartbeat.clone());
        link_track(&parse, &decoder, is_video_track(source.track), move |pad| {
            install(pad);
            end_after_wanted(pad, begun.clone(), beats.clone());
        });
        pipeline.play()?;
        let coded = preroll.wait(&mut pipeline, &heartbeat, &|| sink.is_eos(), is_wanted)?;
        Ok(Self { pipeline, coded, encoder, sink, wanted, heartbeat })
    }

    /// The frame that is shown from `nanos` on as a JPEG of this quality, and its time in the file. `seek_nanos` is the time of
    /// the key frame from which it is decoded; if both are the same, it is that key frame.
    ///
    /// # Errors
    /// `Missing` when it is not found in time, after which other frames may be; otherwise those of [`Pipeline::check`].
    pub(crate) fn frame(
        &mut self,
        (seek_nanos, nanos): (u64, u64),
        quality: u32,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(u64, gst::Buffer), DecodeError> {
        let begun = Instant::now();
        // The decoder may still be handing out frames of the place before: none of them is taken until the seek has emptied the
        // pipeline.
        self.wanted.is_done.store(true, SeqCst);
        self.wanted.nanos.store(nanos, SeqCst);
        self.wanted.is_key.store(seek_nanos == nanos, SeqCst);
        self.encoder.set_property("quality", i32::try_from(quality).unwrap_or(i32::MAX));
        let flushes = self.wanted.flushes.load(Relaxed);
        if !self.coded.seek(seek_nanos) {
            return Err(PipelineError("the file is not seekable".into()).into());
        }
        let mut watchdog = Watchdog::new(&self.heartbeat);
        loop {
            if let Some(sample) = self.sink.try_pull_sample(POLL_TIMEOUT) {
                return Ok(read(&sample)?);
            }
            // Some demultiplexers seek on a thread of their own; until then, the end is that of the frame before.
            let is_over = self.sink.is_eos() && self.wanted.flushes.load(Relaxed) > flushes;
            self.pipeline.check(&self.heartbeat, &mut watchdog, is_wanted)?;
            if is_over || begun.elapsed() >= TIME_LIMIT {
                return Err(DecodeError::Missing);
            }
        }
    }
}

/// Time and bytes of a picture.
fn read(sample: &gst::Sample) -> Result<(u64, gst::Buffer), PipelineError> {
    let incomplete = || PipelineError("the encoder's picture has no time".into());
    let segment =
        sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()).ok_or_else(incomplete)?;
    let jpeg = sample.buffer_owned().ok_or_else(incomplete)?;
    let nanos = segment.to_stream_time(jpeg.pts()).ok_or_else(incomplete)?.nseconds();
    Ok((nanos, jpeg))
}

/// Lets coded frames pass, of a key frame only that one, until the wanted frame has been decoded.
fn end_after_wanted(coded: &gst::Pad, wanted: Arc<Wanted>, heartbeat: Heartbeat) {
    coded.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |pad, info| {
        heartbeat.beat();
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let has_begun = wanted.has_begun.load(Relaxed);
                if has_begun && (wanted.is_key.load(SeqCst) || wanted.is_done.load(SeqCst)) {
                    info.flow_res = Err(gst::FlowError::Eos);
                    return gst::PadProbeReturn::Handled;
                }
                let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                if !has_begun && (!is_key || is_before_segment(pad, buffer)) {
                    return gst::PadProbeReturn::Drop;
                }
                wanted.has_begun.store(true, Relaxed);
            }
            Some(gst::PadProbeData::Event(event)) if event.type_() == gst::EventType::FlushStop => {
                // Other frames than the key frame itself may refer to what the demultiplexer delivers before it.
                wanted.has_begun.store(!wanted.is_key.load(SeqCst), Relaxed);
                wanted.is_done.store(false, SeqCst);
                wanted.flushes.fetch_add(1, Relaxed);
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Drops decoded frames before the wanted one, and those after it.
fn drop_unwanted(decoded: &gst::Pad, wanted: Arc<Wanted>, heartbeat: Heartbeat) {
    decoded.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        heartbeat.beat();
        let shown = info.buffer().and_then(|buffer| display_time(pad, buffer)).map(|(nanos, _)| nanos);
        let is_it = shown.is_some_and(|nanos| {
            wanted.is_key.load(SeqCst) || nanos.saturating_add(ROUNDING_NANOS) >= wanted.nanos.load(SeqCst)
        });
        if is_it && !wanted.is_done.swap(true, SeqCst) { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
    });
}
