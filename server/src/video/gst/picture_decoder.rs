//! From a range of frames of one file to JPEG pictures, exactly those frames, in order.
//!
//! ```text
//! filesrc ► parsebin ► decoder ►─┬ tee ┬► queue ► videoconvertscale ► videoflip ► videoconvertscale ► caps ► jpegenc ► appsink
//!            │ gate until        │     └► queue ► … one branch for each core, frame n takes branch n mod branches …    ► appsink
//!            │ all elements play │
//!            │ and the seek is   │
//!            │ done              │
//!            └ first video track └ what is not wanted is dropped here, before anybody converts or encodes it
//! ```
//!
//! * The frames are told apart by their time in the stream, compared with the frame index.
//! * The seek goes to a key frame and the rest is dropped by time. An accurate seek to the first wanted frame itself
//!   would look simpler, but a decoder clips a frame that reaches into the segment and gives it the segment's start as
//!   its time, so that in a file of variable frame rate it passes for the first wanted one.
//! * There is no stop position: after the last wanted frame the decoder is told that the stream has ended.
//! * A JPEG takes up to three times as long to encode as a frame takes to decode, hence the branches.
//! * Frames of two fields pass `deinterlace`, behind the first converter.
//! * JPEG readers assume full-range BT.601; frames that are in it already pass all converters untouched. Those in
//!   limited-range BT.601 take a detour through RGB.

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use common::splice::FrameIndex;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoInfo};

use super::{
    pipeline::{DecodeError, Heartbeat, LOOK_AROUND, Pipeline, PipelineError, Watchdog, add_source, element, shown},
    preroll::preroll,
    row_padding,
    tracks::{is_video_track, link_track},
};

/// Of 100. What `jpegenc` takes by default, and about where a person stops to see the difference.
const JPEG_QUALITY: i32 = 85;

/// More branches than this only cost memory: the decoder becomes the slower one.
const MAX_ENCODER_BRANCHES: usize = 4;

/// Raw frames that wait in front of each encoder. More were measured to cost memory and bring nothing.
const QUEUED_FRAMES: u32 = 1;

/// Up to this size one thread decodes faster than anybody looks, and each further one would delay the first picture by a
/// frame. Only from the start of a file: after a seek into open groups libav (5.1) gives damaged pictures with one thread.
const SMALL_PIXELS: u32 = 640 * 480;

/// What to decode.
#[derive(Debug, Clone)]
pub(crate) struct DecodeRequest<'a> {
    pub(crate) path: &'a Path,
    /// Which of the file's tracks, see [`super::tracks::track_of`].
    pub(crate) track: &'a str,
    /// Name of the decoder element.
    pub(crate) decoder: &'a str,
    /// Times of the frames of the whole file.
    pub(crate) index: &'a FrameIndex,
    /// The frames that are wanted.
    pub(crate) frames: Range<usize>,
    /// Where to begin reading; `None` is the start of the file.
    pub(crate) seek_nanos: Option<u64>,
    /// Width and height of the pictures; `None` is whatever the file says.
    pub(crate) size: Option<(u32, u32)>,
    /// See [`DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// See [`DecoderOutput::is_interlaced`].
    pub(crate) is_interlaced: bool,
    /// See [`DecoderOutput::is_jpeg_ready`]; also that the pictures are upright and of the size that is wanted.
    pub(crate) is_jpeg_ready: bool,
    /// How many threads encode.
    pub(crate) branches: usize,
}

/// As many branches as help on this machine.
pub(crate) fn branches() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MAX_ENCODER_BRANCHES)
}

/// What came out of a branch.
#[derive(Debug)]
pub(crate) struct JpegPicture {
    /// Index in the file.
    pub(crate) frame: usize,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) jpeg: gst::Buffer,
}

/// A running decoder.
#[derive(Debug)]
pub(crate) struct PictureDecoder {
    pipeline: Pipeline,
    /// Where the decoder puts its frames out.
    decoded: gst::Pad,
    branches: Vec<AppSink>,
    wanted: Arc<FrameFilter>,
    heartbeat: Heartbeat,
}

/// What a decoder puts out.
pub(crate) struct DecoderOutput {
    caps: Option<gst::Caps>,
    info: Option<VideoInfo>,
}

impl DecoderOutput {
    /// Whether the frames must pass through RGB. `videoconvertscale` (1.22) takes limited-range BT.601 for full-range
    /// BT.601 and changes nothing, because it compares only the matrices.
    pub(crate) fn needs_rgb(&self) -> bool {
        self.info.as_ref().is_some_and(|info| {
            let colours = info.colorimetry();
            colours.matrix() == VideoColorMatrix::Bt601 && colours.range() != VideoColorRange::Range0_255
        })
    }

    /// Whether frames consist of two fields, taken one after the other.
    pub(crate) fn is_interlaced(&self) -> bool {
        self.info.as_ref().is_some_and(VideoInfo::is_interlaced)
    }

    /// Whether nothing has to be done to the frames before they go into JPEG, if they are upright. Caps that leave
    /// something open do not count: a filter refuses them.
    pub(crate) fn is_jpeg_ready(&self) -> bool {
        self.caps.as_ref().is_some_and(|caps| caps.is_subset(&jpeg_input(None))) && !self.is_interlaced()
    }
}

/// Which of the frames that a decoder puts out are wanted: the decoder's half of the plan.
#[derive(Debug)]
struct FrameFilter {
    /// All frames of the file, so that one just outside is not taken for one inside.
    index: FrameIndex,
    frames: Range<usize>,
    /// The wanted frame that comes next; earlier ones are repetitions.
    next: AtomicUsize,
}

impl FrameFilter {
    fn new(index: &FrameIndex, frames: Range<usize>) -> Self {
        let next = AtomicUsize::new(frames.start);
        Self { index: index.clone(), frames, next }
    }

    fn frame_at(&self, nanos: u64) -> Option<usize> {
        self.index.nearest(nanos).filter(|frame| self.frames.contains(frame))
    }

    /// Whether the frame at this time goes to the encoders. The decoder's thread alone asks, in the order of showing.
    fn take(&self, nanos: u64) -> bool {
        let Some(frame) = self.frame_at(nanos).filter(|&frame| frame >= self.next.load(Relaxed)) else { return false };
        self.next.store(frame + 1, Relaxed);
        true
    }

    fn is_served(&self) -> bool {
        self.next.load(Relaxed) >= self.frames.end
    }
}

impl PictureDecoder {
    /// Starts to decode. Blocks while the file is opened and searched for the place to begin.
    pub(crate) fn open(
        order: &DecodeRequest<'_>,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, DecodeError> {
        let pipeline = Pipeline::new();
        let wanted = Arc::new(FrameFilter::new(order.index, order.frames.clone()));
        let parse = add_source(&pipeline.bin, order.path)?;
        let (decoder, tee) = (element(order.decoder)?, element("tee")?);
        let is_small = order.size.is_some_and(|(width, height)| width * height <= SMALL_PIXELS);
        if is_small && order.seek_nanos.is_none() && decoder.has_property_with_type("max-threads", i32::static_type()) {
            decoder.set_property("max-threads", 1);
        }
        pipeline.bin.add_many([&decoder, &tee]).map_err(PipelineError::from)?;
        decoder.link(&tee).map_err(PipelineError::from)?;
        let decoded = decoder.static_pad("src").expect("a decoder has an output");
        drop_unwanted(&decoded, &wanted, &heartbeat);
        let branches = (0..order.branches)
            .map(|branch| add_encoder_branch(&pipeline.bin, &tee, order, &wanted, branch))
            .collect::<Result<_, _>>()?;
        let (preroll, install) = preroll();
        link_track(&parse, &decoder, is_video_track(order.track), install);
        let mut pictures = Self { pipeline, decoded, branches, wanted, heartbeat };
        pictures.pipeline.play()?;
        let is_over = || pictures.branches[0].is_eos();
        preroll.release(&mut pictures.pipeline, &pictures.heartbeat, order.seek_nanos, &is_over, is_wanted)?;
        Ok(pictures)
    }

    /// The picture of the next frame, which must be `frame`. Blocks until it is there or cannot come any more.
    pub(crate) fn next(&mut self, frame: usize, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        let picture = self.pull(frame % self.branches.len(), is_wanted)?;
        if picture.frame == frame { Ok(picture) } else { Err(DecodeError::Missing) }
    }

    /// The first picture that the first branch puts out, whichever frame it is.
    pub(crate) fn first(&mut self) -> Result<JpegPicture, DecodeError> {
        self.pull(0, &|| true)
    }

    /// What the decoder puts out. Knowledge after the first picture.
    pub(crate) fn decoded(&self) -> DecoderOutput {
        let caps = self.decoded.current_caps();
        let info = caps.as_ref().and_then(|caps| VideoInfo::from_caps(caps).ok());
        DecoderOutput { caps, info }
    }

    fn pull(&mut self, branch: usize, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        let branch = self.branches[branch].clone();
        let mut watchdog = Watchdog::new(&self.heartbeat);
        loop {
            if let Some(sample) = branch.try_pull_sample(gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64))
            {
                return Ok(self.read(&sample)?);
            }
            // Errors are posted before the end is announced, so the order of these two counts.
            let is_over = branch.is_eos();
            self.pipeline.check(&self.heartbeat, &mut watchdog, is_wanted)?;
            if is_over {
                return Err(DecodeError::Missing);
            }
        }
    }

    fn read(&self, sample: &gst::Sample) -> Result<JpegPicture, PipelineError> {
        let nonsense = || PipelineError("the encoder's picture has no size or time".into());
        let segment =
            sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()).ok_or_else(nonsense)?;
        let jpeg = sample.buffer_owned().ok_or_else(nonsense)?;
        let nanos = segment.to_stream_time(jpeg.pts()).ok_or_else(nonsense)?.nseconds();
        let frame = self.wanted.frame_at(nanos).ok_or_else(nonsense)?;
        let caps = sample.caps().and_then(|caps| caps.structure(0)).ok_or_else(nonsense)?;
        let side = |name| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).ok_or_else(nonsense);
        Ok(JpegPicture { frame, width: side("width")?, height: side("height")?, jpeg })
    }
}

fn drop_unwanted(decoded: &gst::Pad, wanted: &Arc<FrameFilter>, heartbeat: &Heartbeat) {
    let (wanted, heartbeat) = (wanted.clone(), heartbeat.clone());
    decoded.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        heartbeat.beat();
        if wanted.is_served() {
            info.flow_res = Err(gst::FlowError::Eos);
            return gst::PadProbeReturn::Handled;
        }
        match info.buffer().and_then(|buffer| shown(pad, buffer)) {
            Some((nanos, _)) if wanted.take(nanos) => gst::PadProbeReturn::Ok,
            _ => gst::PadProbeReturn::Drop,
        }
    });
}

/// One of the threads that convert and encode.
fn add_encoder_branch(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    order: &DecodeRequest<'_>,
    wanted: &Arc<FrameFilter>,
    branch: usize,
) -> Result<AppSink, PipelineError> {
    let queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUED_FRAMES)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    let filter = gst::ElementFactory::make("capsfilter").property("caps", jpeg_input(order.size)).build()?;
    let encoder = gst::ElementFactory::make("jpegenc").property("quality", JPEG_QUALITY).build()?;
    row_padding::pad_rows(&encoder);
    // No preroll: the branch of a segment's second frame would wait for ever when there is only one.
    let sink = AppSink::builder().sync(false).async_(false).max_buffers(1).enable_last_sample(false).build();
    let mut chain = vec![queue.clone()];
    if !order.is_jpeg_ready {
        chain.extend(converters(order)?);
    }
    chain.extend([filter, encoder, sink.clone().upcast()]);
    pipeline.add_many(&chain)?;
    link_unchecked(&chain)?;
    let output = tee.request_pad_simple("src_%u").ok_or_else(|| PipelineError("tee gives no pad".into()))?;
    output
        .link(&queue.static_pad("sink").expect("a queue has an input"))
        .map_err(|error| PipelineError(error.to_string()))?;
    let (wanted, branch_count) = (wanted.clone(), order.branches);
    output.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let frame = info.buffer().and_then(|buffer| shown(pad, buffer)).and_then(|(nanos, _)| wanted.frame_at(nanos));
        if frame.is_some_and(|frame| frame % branch_count == branch) {
            gst::PadProbeReturn::Ok
        } else {
            gst::PadProbeReturn::Drop
        }
    });
    Ok(sink)
}

/// Links elements that are known to fit. To ask each of them what it takes, through all the others, takes milliseconds.
fn link_unchecked(chain: &[gst::Element]) -> Result<(), PipelineError> {
    for pair in chain.windows(2) {
        let (output, input) = (pair[0].static_pad("src"), pair[1].static_pad("sink"));
        let (output, input) = output.zip(input).expect("elements in the middle have an input and an output");
        output.link_full(&input, gst::PadLinkCheck::empty()).map_err(|error| PipelineError(error.to_string()))?;
    }
    Ok(())
}

/// What makes upright, square, planar full-range BT.601 of anything.
fn converters(order: &DecodeRequest<'_>) -> Result<Vec<gst::Element>, PipelineError> {
    let to_flip = element("videoconvertscale")?;
    let raw = gst::Caps::builder("video/x-raw");
    let detour = match (order.needs_rgb, order.is_interlaced) {
        (true, _) => raw.field("format", "RGB").build(),
        // `deinterlace` passes what it does not know through.
        (false, true) => raw.field("format", "I420").build(),
        (false, false) => raw.build(),
    };
    let between = gst::ElementFactory::make("capsfilter").property("caps", detour).build()?;
    let flip = gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto").build()?;
    // Borders would be added for a rounding error of one pixel.
    let convert = gst::ElementFactory::make("videoconvertscale").property("add-borders", false).build()?;
    let deinterlace = order.is_interlaced.then(deinterlace).transpose()?;
    Ok([Some(to_flip), Some(between), deinterlace, Some(flip), Some(convert)].into_iter().flatten().collect())
}

/// One picture of one frame, from that frame alone: branches do not get consecutive ones.
fn deinterlace() -> Result<gst::Element, PipelineError> {
    let deinterlace = gst::ElementFactory::make("deinterlace").property_from_str("mode", "interlaced");
    Ok(deinterlace.property_from_str("fields", "top").property_from_str("method", "linear").build()?)
}

/// Planar 4:2:0, full range (1), BT.601 matrix (4), square pixels: what a JPEG reader takes it for.
fn jpeg_input(size: Option<(u32, u32)>) -> gst::Caps {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("colorimetry", "1:4:0:0")
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    match size {
        Some((width, height)) => caps.field("width", width as i32).field("height", height as i32).build(),
        None => caps.build(),
    }
}
