//! From a range of frames of one file to JPEG pictures, exactly those frames, in order.
//!
//! ```text
//! filesrc ► parsebin ► decoder ►─┬ tee ┬► queue ► videoconvertscale ► videoflip ► videoconvertscale ► caps ► jpegenc ► appsink
//!            │ gate until        │     └► queue ► … one lane for each core, frame n takes lane n mod lanes …    ► appsink
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
//! * A JPEG takes up to three times as long to encode as a frame takes to decode, hence the lanes.
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
    codec::is_video_track,
    edge,
    gate::gate,
    stage::{LOOK_AROUND, Pulse, Stage, Trouble, Watchdog, add_source, element, link_track, shown},
};

pub(super) use super::stage::Stop;

/// Of 100. What `jpegenc` takes by default, and about where a person stops to see the difference.
const JPEG_QUALITY: i32 = 85;

/// More lanes than this only cost memory: the decoder becomes the slower one.
const MAX_LANES: usize = 4;

/// Raw frames that wait in front of each encoder. More were measured to cost memory and bring nothing.
const QUEUED_FRAMES: u32 = 1;

/// Up to this size one thread decodes faster than anybody looks, and each further one would delay the first picture by a
/// frame. Only from the start of a file: after a seek into open groups libav (5.1) gives damaged pictures with one thread.
const SMALL_PIXELS: u32 = 640 * 480;

/// What to decode.
#[derive(Debug, Clone)]
pub(super) struct Order<'a> {
    pub(super) path: &'a Path,
    /// Which of the file's tracks, see [`super::codec::track_of`].
    pub(super) track: &'a str,
    /// Name of the decoder element.
    pub(super) decoder: &'a str,
    /// Times of the frames of the whole file.
    pub(super) index: &'a FrameIndex,
    /// The frames that are wanted.
    pub(super) frames: Range<usize>,
    /// Where to begin reading; `None` is the start of the file.
    pub(super) seek_nanos: Option<u64>,
    /// Width and height of the pictures; `None` is whatever the file says.
    pub(super) size: Option<(u32, u32)>,
    /// See [`Decoded::needs_detour`].
    pub(super) has_detour: bool,
    /// See [`Decoded::is_interlaced`].
    pub(super) is_interlaced: bool,
    /// See [`Decoded::is_ready`]; also that the pictures are upright and of the size that is wanted.
    pub(super) is_ready: bool,
    /// How many threads encode.
    pub(super) lanes: usize,
}

/// As many lanes as help on this machine.
pub(super) fn lanes() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES)
}

/// What came out of a lane.
#[derive(Debug)]
pub(super) struct Picture {
    /// Index in the file.
    pub(super) frame: usize,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) jpeg: gst::Buffer,
}

/// A running decoder.
#[derive(Debug)]
pub(super) struct Pictures {
    stage: Stage,
    /// Where the decoder puts its frames out.
    decoded: gst::Pad,
    lanes: Vec<AppSink>,
    wanted: Arc<Wanted>,
    pulse: Pulse,
}

/// What a decoder puts out.
pub(super) struct Decoded {
    caps: Option<gst::Caps>,
    info: Option<VideoInfo>,
}

impl Decoded {
    /// Whether the frames must pass through RGB. `videoconvertscale` (1.22) takes limited-range BT.601 for full-range
    /// BT.601 and changes nothing, because it compares only the matrices.
    pub(super) fn needs_detour(&self) -> bool {
        self.info.as_ref().is_some_and(|info| {
            let colours = info.colorimetry();
            colours.matrix() == VideoColorMatrix::Bt601 && colours.range() != VideoColorRange::Range0_255
        })
    }

    /// Whether frames consist of two fields, taken one after the other.
    pub(super) fn is_interlaced(&self) -> bool {
        self.info.as_ref().is_some_and(VideoInfo::is_interlaced)
    }

    /// Whether nothing has to be done to the frames before they go into JPEG, if they are upright. Caps that leave
    /// something open do not count: a filter refuses them.
    pub(super) fn is_ready(&self) -> bool {
        self.caps.as_ref().is_some_and(|caps| caps.is_subset(&jpeg_input(None))) && !self.is_interlaced()
    }
}

/// Which of the frames that a decoder puts out are wanted: the decoder's half of the plan.
#[derive(Debug)]
struct Wanted {
    /// All frames of the file, so that one just outside is not taken for one inside.
    index: FrameIndex,
    frames: Range<usize>,
    /// The wanted frame that comes next; earlier ones are repetitions.
    next: AtomicUsize,
}

impl Wanted {
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

impl Pictures {
    /// Starts to decode. Blocks while the file is opened and searched for the place to begin.
    pub(super) fn open(order: &Order<'_>, pulse: Pulse, is_wanted: &dyn Fn() -> bool) -> Result<Self, Stop> {
        let stage = Stage::new();
        let wanted = Arc::new(Wanted::new(order.index, order.frames.clone()));
        let parse = add_source(&stage.pipeline, order.path)?;
        let (decoder, tee) = (element(order.decoder)?, element("tee")?);
        let is_small = order.size.is_some_and(|(width, height)| width * height <= SMALL_PIXELS);
        if is_small && order.seek_nanos.is_none() && decoder.has_property_with_type("max-threads", i32::static_type()) {
            decoder.set_property("max-threads", 1);
        }
        stage.pipeline.add_many([&decoder, &tee]).map_err(Trouble::from)?;
        decoder.link(&tee).map_err(Trouble::from)?;
        let decoded = decoder.static_pad("src").expect("a decoder has an output");
        drop_unwanted(&decoded, &wanted, &pulse);
        let lanes = (0..order.lanes)
            .map(|lane| add_lane(&stage.pipeline, &tee, order, &wanted, lane))
            .collect::<Result<_, _>>()?;
        let (gate, put_on) = gate();
        link_track(&parse, &decoder, is_video_track(order.track), put_on);
        let mut pictures = Self { stage, decoded, lanes, wanted, pulse };
        pictures.stage.play()?;
        let is_over = || pictures.lanes[0].is_eos();
        gate.open(&mut pictures.stage, &pictures.pulse, order.seek_nanos, &is_over, is_wanted)?;
        Ok(pictures)
    }

    /// The picture of the next frame, which must be `frame`. Blocks until it is there or cannot come any more.
    pub(super) fn next(&mut self, frame: usize, is_wanted: &dyn Fn() -> bool) -> Result<Picture, Stop> {
        let picture = self.pull(frame % self.lanes.len(), is_wanted)?;
        if picture.frame == frame { Ok(picture) } else { Err(Stop::Missing) }
    }

    /// The first picture that the first lane puts out, whichever frame it is.
    pub(super) fn first(&mut self) -> Result<Picture, Stop> {
        self.pull(0, &|| true)
    }

    /// What the decoder puts out. Known after the first picture.
    pub(super) fn decoded(&self) -> Decoded {
        let caps = self.decoded.current_caps();
        let info = caps.as_ref().and_then(|caps| VideoInfo::from_caps(caps).ok());
        Decoded { caps, info }
    }

    fn pull(&mut self, lane: usize, is_wanted: &dyn Fn() -> bool) -> Result<Picture, Stop> {
        let lane = self.lanes[lane].clone();
        let mut watchdog = Watchdog::new(&self.pulse);
        loop {
            if let Some(sample) = lane.try_pull_sample(gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64)) {
                return Ok(self.read(&sample)?);
            }
            // Errors are posted before the end is announced, so the order of these two counts.
            let is_over = lane.is_eos();
            self.stage.check(&self.pulse, &mut watchdog, is_wanted)?;
            if is_over {
                return Err(Stop::Missing);
            }
        }
    }

    fn read(&self, sample: &gst::Sample) -> Result<Picture, Trouble> {
        let nonsense = || Trouble("the encoder's picture has no size or time".into());
        let segment =
            sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()).ok_or_else(nonsense)?;
        let jpeg = sample.buffer_owned().ok_or_else(nonsense)?;
        let nanos = segment.to_stream_time(jpeg.pts()).ok_or_else(nonsense)?.nseconds();
        let frame = self.wanted.frame_at(nanos).ok_or_else(nonsense)?;
        let caps = sample.caps().and_then(|caps| caps.structure(0)).ok_or_else(nonsense)?;
        let side = |name| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).ok_or_else(nonsense);
        Ok(Picture { frame, width: side("width")?, height: side("height")?, jpeg })
    }
}

fn drop_unwanted(decoded: &gst::Pad, wanted: &Arc<Wanted>, pulse: &Pulse) {
    let (wanted, pulse) = (wanted.clone(), pulse.clone());
    decoded.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        pulse.beat();
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
fn add_lane(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    order: &Order<'_>,
    wanted: &Arc<Wanted>,
    lane: usize,
) -> Result<AppSink, Trouble> {
    let queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUED_FRAMES)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    let filter = gst::ElementFactory::make("capsfilter").property("caps", jpeg_input(order.size)).build()?;
    let encoder = gst::ElementFactory::make("jpegenc").property("quality", JPEG_QUALITY).build()?;
    edge::fill_up(&encoder);
    // No preroll: the lane of a segment's second frame would wait for ever when there is only one.
    let sink = AppSink::builder().sync(false).async_(false).max_buffers(1).enable_last_sample(false).build();
    let mut chain = vec![queue.clone()];
    if !order.is_ready {
        chain.extend(converters(order)?);
    }
    chain.extend([filter, encoder, sink.clone().upcast()]);
    pipeline.add_many(&chain)?;
    link_unchecked(&chain)?;
    let branch = tee.request_pad_simple("src_%u").ok_or_else(|| Trouble("tee gives no pad".into()))?;
    branch
        .link(&queue.static_pad("sink").expect("a queue has an input"))
        .map_err(|error| Trouble(error.to_string()))?;
    let (wanted, lane_count) = (wanted.clone(), order.lanes);
    branch.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let frame = info.buffer().and_then(|buffer| shown(pad, buffer)).and_then(|(nanos, _)| wanted.frame_at(nanos));
        if frame.is_some_and(|frame| frame % lane_count == lane) {
            gst::PadProbeReturn::Ok
        } else {
            gst::PadProbeReturn::Drop
        }
    });
    Ok(sink)
}

/// Links elements that are known to fit. To ask each of them what it takes, through all the others, takes milliseconds.
fn link_unchecked(chain: &[gst::Element]) -> Result<(), Trouble> {
    for pair in chain.windows(2) {
        let (output, input) = (pair[0].static_pad("src"), pair[1].static_pad("sink"));
        let (output, input) = output.zip(input).expect("elements in the middle have an input and an output");
        output.link_full(&input, gst::PadLinkCheck::empty()).map_err(|error| Trouble(error.to_string()))?;
    }
    Ok(())
}

/// What makes upright, square, planar full-range BT.601 of anything.
fn converters(order: &Order<'_>) -> Result<Vec<gst::Element>, Trouble> {
    let to_flip = element("videoconvertscale")?;
    let raw = gst::Caps::builder("video/x-raw");
    let detour = match (order.has_detour, order.is_interlaced) {
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

/// One picture of one frame, from that frame alone: lanes do not get consecutive ones.
fn deinterlace() -> Result<gst::Element, Trouble> {
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
