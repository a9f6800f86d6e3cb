//! Decodes a range of frames of a file to JPEG pictures: exactly those frames, in request.
//!
//! ```text
//! filesrc ► parsebin ► decoder ►─┬ tee ┬► queue ► (converters) ► caps ► jpegenc ► appsink
//!            │ blocked until the │     └► queue ► … one branch for each core; frame n takes branch n mod branches
//!            │ pipeline is       │
//!            │ PLAYING and the   └ unwanted frames are dropped here, before they are converted or encoded
//!            │ seek is done
//!            └ video track
//! converters:  videoconvertscale ► caps ► deinterlace ► videoflip ► videoconvertscale, see `jpeg_format`; none for most files,
//!              whose frames are given other colours where they enter `jpegenc`, see `jpeg_input`
//! ```
//!
//! * Frames are identified by their time in the stream, compared with the frame index.
//! * The seek goes to a key frame, and the frames before the first wanted one are dropped by time. An accurate seek to the
//!   first wanted frame would look simpler, but a decoder clips a frame that reaches into the segment and gives it the
//!   start of the segment as its time; in a file of variable frame rate it then passes for the first wanted frame.
//! * There is no stop position: after the last wanted frame the decoder is told that the stream has ended.
//! * Encoding a JPEG takes up to three times as long as decoding a frame, hence the branches.

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use common::splice::FrameIndex;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    jpeg_format::{self, DecoderOutput, caps_filter, converters},
    jpeg_input,
    pipeline::{
        DecodeError, Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog, add_source, display_time, element,
    },
    preroll::preroll,
    skim::skim,
    tracks::{is_video_track, link_track},
};

/// JPEG quality, up to 100. The default of `jpegenc`; a higher one makes hardly any visible difference.
const JPEG_QUALITY: i32 = 85;

/// Version of how pictures are made: quality, discrete cosine transform, colours. To be raised with each change of these,
/// because pictures that are kept on disk under another number are not used.
pub(crate) const PICTURE_CODING: u32 = 1;

/// Raw frames queued before each encoder. More were measured to cost memory and to gain nothing.
const QUEUED_FRAMES: u32 = 1;

/// What to decode.
#[derive(Debug, Clone)]
pub(crate) struct DecodeRequest<'a> {
    pub(crate) path: &'a Path,
    /// Identifies the track, see [`super::tracks::track_id`].
    pub(crate) track: &'a str,
    /// Name of the decoder element.
    pub(crate) decoder: &'a str,
    /// Times of the frames of the whole file.
    pub(crate) index: &'a FrameIndex,
    /// Indices of the wanted frames.
    pub(crate) frames: Range<usize>,
    /// Time of the key frame to seek to; `None` reads from the start of the file.
    pub(crate) seek_nanos: Option<u64>,
    /// Before this time, frames that no other refers to are not even decoded; `None` decodes all of them.
    pub(crate) skim_until_nanos: Option<u64>,
    /// Width and height of the pictures; `None` takes those of the file.
    pub(crate) size: Option<(u32, u32)>,
    /// See [`DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// See [`DecoderOutput::is_interlaced`].
    pub(crate) is_interlaced: bool,
    /// Whether the frames go into the encoder without converters: [`DecoderOutput::is_planar`], upright, and all of the
    /// wanted size.
    pub(crate) is_planar: bool,
    /// Number of encoder branches, each with a thread of its own.
    pub(crate) branches: usize,
    /// Whether the decoder makes do with one thread, see [`Threads`](super::threads::Threads).
    pub(crate) has_one_thread: bool,
}

/// A picture from an encoder branch.
#[derive(Debug)]
pub(crate) struct JpegPicture {
    /// Index of the frame in the file.
    pub(crate) frame: usize,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) jpeg: gst::Buffer,
}

/// A running decoder.
#[derive(Debug)]
pub(crate) struct PictureDecoder {
    pipeline: Pipeline,
    /// The output pad of the decoder element.
    decoded: gst::Pad,
    branches: Vec<AppSink>,
    wanted: Arc<FrameFilter>,
    heartbeat: Heartbeat,
}

/// Selects the wanted frames from those that the decoder outputs.
#[derive(Debug)]
struct FrameFilter {
    /// Times of all frames of the file, so that a frame just outside the range is not mistaken for one inside.
    index: FrameIndex,
    /// The first wanted frame.
    start: usize,
    /// The frame after the last wanted one.
    end: AtomicUsize,
    /// The next wanted frame; earlier ones are repetitions.
    next: AtomicUsize,
}

impl FrameFilter {
    fn new(index: &FrameIndex, frames: Range<usize>) -> Self {
        let (start, end, next) = (frames.start, AtomicUsize::new(frames.end), AtomicUsize::new(frames.start));
        Self { index: index.clone(), start, end, next }
    }

    /// Index of the frame with this time, if it is in the wanted range.
    fn frame_at(&self, nanos: u64) -> Option<usize> {
        self.index.nearest(nanos).filter(|frame| (self.start..self.end.load(Relaxed)).contains(frame))
    }

    /// Whether to encode the frame with this time. Called only by the thread of the decoder, in display request.
    fn take(&self, nanos: u64) -> bool {
        let Some(frame) = self.frame_at(nanos).filter(|&frame| frame >= self.next.load(Relaxed)) else { return false };
        self.next.store(frame + 1, Relaxed);
        true
    }

    fn is_complete(&self) -> bool {
        self.next.load(Relaxed) >= self.end.load(Relaxed)
    }
}

impl PictureDecoder {
    /// Starts to decode. Blocks while the file is opened and searched.
    ///
    /// # Errors
    /// Those of [`preroll`](super::preroll::Preroll::release), and when the pipeline cannot be built.
    pub(crate) fn open(
        request: &DecodeRequest<'_>,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, DecodeError> {
        let pipeline = Pipeline::new();
        let wanted = Arc::new(FrameFilter::new(request.index, request.frames.clone()));
        let parse = add_source(&pipeline.bin, request.path)?;
        let (decoder, tee) = (element(request.decoder)?, element("tee")?);
        if request.has_one_thread {
            limit_to_one_thread(&decoder);
        }
        pipeline.bin.add_many([&decoder, &tee]).map_err(PipelineError::from)?;
        decoder.link(&tee).map_err(PipelineError::from)?;
        let decoded = decoder.static_pad("src").expect("a decoder has an output");
        drop_unwanted(&decoded, &wanted, &heartbeat);
        let branches = (0..request.branches)
            .map(|branch| add_encoder_branch(&pipeline.bin, &tee, request, &wanted, branch))
            .collect::<Result<_, _>>()?;
        let (preroll, install) = preroll();
        let (skim_until_nanos, has_one_thread) = (request.skim_until_nanos, request.has_one_thread);
        link_track(&parse, &decoder, is_video_track(request.track), move |pad| {
            if has_one_thread {
                begin_with_key_frame(pad);
            }
            if let Some(until_nanos) = skim_until_nanos {
                skim(pad, until_nanos);
            }
            install(pad);
        });
        let mut opened = Self { pipeline, decoded, branches, wanted, heartbeat };
        opened.pipeline.play()?;
        let is_over = || opened.branches[0].is_eos();
        preroll.release(&mut opened.pipeline, &opened.heartbeat, request.seek_nanos, &is_over, is_wanted)?;
        Ok(opened)
    }

    /// The picture of the next frame, which must be `frame`. Blocks until it is there.
    ///
    /// # Errors
    /// `Missing` when the file has no such frame, otherwise those of [`Pipeline::check`].
    pub(crate) fn next(&mut self, frame: usize, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        let picture = self.pull(frame % self.branches.len(), is_wanted)?;
        if picture.frame == frame { Ok(picture) } else { Err(DecodeError::Missing) }
    }

    /// Makes no picture of `end` and the frames after it any more, unless it has begun to.
    pub(crate) fn end_before(&self, end: usize) {
        self.wanted.end.fetch_min(end, Relaxed);
    }

    /// The first picture of the first branch, whichever frame it shows.
    ///
    /// # Errors
    /// Those of [`PictureDecoder::next`].
    pub(crate) fn first(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        self.pull(0, is_wanted)
    }

    /// The format of the decoder's output. Known after the first picture.
    pub(crate) fn output(&self) -> DecoderOutput {
        DecoderOutput::new(self.decoded.current_caps())
    }

    fn pull(&mut self, branch: usize, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        let branch = self.branches[branch].clone();
        let mut watchdog = Watchdog::new(&self.heartbeat);
        loop {
            if let Some(sample) = branch.try_pull_sample(POLL_TIMEOUT) {
                return Ok(self.read(&sample)?);
            }
            // An error is posted before the end of the stream is signalled, so the end is looked up first.
            let is_over = branch.is_eos();
            self.pipeline.check(&self.heartbeat, &mut watchdog, is_wanted)?;
            if is_over {
                return Err(DecodeError::Missing);
            }
        }
    }

    fn read(&self, sample: &gst::Sample) -> Result<JpegPicture, PipelineError> {
        let incomplete = || PipelineError("the encoder's picture has no size or time".into());
        let segment =
            sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()).ok_or_else(incomplete)?;
        let jpeg = sample.buffer_owned().ok_or_else(incomplete)?;
        let nanos = segment.to_stream_time(jpeg.pts()).ok_or_else(incomplete)?.nseconds();
        let frame = self.wanted.frame_at(nanos).ok_or_else(incomplete)?;
        let caps = sample.caps().and_then(|caps| caps.structure(0)).ok_or_else(incomplete)?;
        let side = |name| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).ok_or_else(incomplete);
        Ok(JpegPicture { frame, width: side("width")?, height: side("height")?, jpeg })
    }
}

/// How much earlier than told a key frame may be that was sought, since containers round.
const SEEK_TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// Drops what comes after a seek before the key frame that was sought. Some demultiplexers (of MPEG-TS, for example) arrive
/// earlier, and not at a key frame: a decoder of libav with one thread would output such frames as if they were whole, and clip
/// the last of them, which reaches into the segment, to the time of the key frame.
fn begin_with_key_frame(coded: &gst::Pad) {
    let has_begun = AtomicBool::new(true);
    coded.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |pad, info| match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => {
            let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            if has_begun.load(Relaxed) || is_key && !is_before_segment(pad, buffer) {
                has_begun.store(true, Relaxed);
                gst::PadProbeReturn::Ok
            } else {
                gst::PadProbeReturn::Drop
            }
        }
        _ => {
            has_begun.store(false, Relaxed);
            gst::PadProbeReturn::Ok
        }
    });
}

/// Whether a coded frame is shown before what was sought.
pub(super) fn is_before_segment(pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
    let start = pad
        .sticky_event::<gst::event::Segment>(0)
        .and_then(|segment| segment.segment().downcast_ref::<gst::ClockTime>().and_then(gst::FormattedSegment::start));
    start.zip(buffer.pts()).is_some_and(|(start, pts)| pts + SEEK_TOLERANCE < start)
}

/// Has a decoder of libav use one thread, and copy its frames into buffers that are used again. With direct rendering,
/// GStreamer (1.22) copies them as well, since the decoder still has them mapped for writing, but into new memory each time:
/// a sixth of the decoder's time was page faults.
pub(super) fn limit_to_one_thread(decoder: &gst::Element) {
    if decoder.has_property_with_type("max-threads", i32::static_type()) {
        decoder.set_property("max-threads", 1);
    }
    if decoder.has_property_with_type("direct-rendering", bool::static_type()) {
        decoder.set_property("direct-rendering", false);
    }
}

fn drop_unwanted(decoded: &gst::Pad, wanted: &Arc<FrameFilter>, heartbeat: &Heartbeat) {
    let (wanted, heartbeat) = (wanted.clone(), heartbeat.clone());
    decoded.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        heartbeat.beat();
        if wanted.is_complete() {
            info.flow_res = Err(gst::FlowError::Eos);
            return gst::PadProbeReturn::Handled;
        }
        match info.buffer().and_then(|buffer| display_time(pad, buffer)) {
            Some((nanos, _)) if wanted.take(nanos) => gst::PadProbeReturn::Ok,
            _ => gst::PadProbeReturn::Drop,
        }
    });
}

/// Adds a branch that converts and encodes frames on a thread of its own.
fn add_encoder_branch(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    request: &DecodeRequest<'_>,
    wanted: &Arc<FrameFilter>,
    branch: usize,
) -> Result<AppSink, PipelineError> {
    let queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUED_FRAMES)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    let (filter, converters) = match request.size.filter(|_| request.is_planar) {
        Some(size) => (caps_filter(&jpeg_format::planar_caps(size))?, Vec::new()),
        None => {
            let converters = converters(request.needs_rgb, request.is_interlaced)?;
            (caps_filter(&jpeg_format::caps(request.size))?, converters)
        }
    };
    let encoder = gst::ElementFactory::make("jpegenc").property("quality", JPEG_QUALITY).build()?;
    jpeg_input::prepare(&encoder);
    // `async` off, because a branch that receives no frame would never preroll.
    let sink = AppSink::builder().sync(false).async_(false).max_buffers(1).enable_last_sample(false).build();
    let mut chain = vec![queue.clone()];
    chain.extend(converters);
    chain.extend([filter, encoder, sink.clone().upcast()]);
    pipeline.add_many(&chain)?;
    link_unchecked(&chain)?;
    let output = tee.request_pad_simple("src_%u").ok_or_else(|| PipelineError("the tee has no further pad".into()))?;
    output
        .link(&queue.static_pad("sink").expect("a queue has an input"))
        .map_err(|error| PipelineError(error.to_string()))?;
    let (wanted, branch_count) = (wanted.clone(), request.branches);
    output.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let frame =
            info.buffer().and_then(|buffer| display_time(pad, buffer)).and_then(|(nanos, _)| wanted.frame_at(nanos));
        if frame.is_some_and(|frame| frame % branch_count == branch) {
            gst::PadProbeReturn::Ok
        } else {
            gst::PadProbeReturn::Drop
        }
    });
    Ok(sink)
}

/// Links elements that are known to be compatible. Checking would query the caps of each through all others, which takes
/// milliseconds.
fn link_unchecked(chain: &[gst::Element]) -> Result<(), PipelineError> {
    for pair in chain.windows(2) {
        let (output, input) = (pair[0].static_pad("src"), pair[1].static_pad("sink"));
        let (output, input) = output.zip(input).expect("elements in the middle have an input and an output");
        output.link_full(&input, gst::PadLinkCheck::empty()).map_err(|error| PipelineError(error.to_string()))?;
    }
    Ok(())
}
