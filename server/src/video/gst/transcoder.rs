//! From any file that can be played to files in several sizes that play without any conversion.
//!
//! ```text
//! filesrc ► parsebin ─┬► queue ► decoder ► videoconvertscale ► caps ► deinterlace ► videoflip ► tee ┬► one branch for each size
//!                     │                    (8 bit, or RGB)           (if needed)    (upright)       └► …
//!                     └► queue ► decoder ► audioconvert ► audioresample ► opusenc ► tee ┬► queue ► to each mux
//!                                                                                       └► …
//! branch:  queue ► videoconvertscale ► caps (I420, full range) ► x264enc ► h264parse ► queue ► matroskamux ► filesink
//! ```
//!
//! * Everything is decoded once, so all sizes have the same frames at the same times.
//! * Matroska, because `mp4mux` (1.22) writes the full range of the colours down as limited. `x264enc` says nothing of
//!   the range, so it is told to.
//! * The queues of coded data are large: a mux waits for pictures that hang about in the encoder for two seconds, and
//!   meanwhile the sound must not be the one that fills up, because both come out of the same thread.

use std::path::{Path, PathBuf};

use gstreamer::{self as gst, prelude::*};

use super::{
    pipeline::{
        DecodeError, Heartbeat, LOOK_AROUND, Pipeline, PipelineError, Watchdog, add_source, element, error_text,
    },
    probe::{Probed, ProbedSound},
    tracks::{is_sound_track, is_video_track, link_track},
};

/// What `x264enc` is told beyond its properties: that the colours are full-range BT.601.
pub(crate) const COLOURS: &str = "fullrange=on:colormatrix=smpte170m";

/// Constant quality of x264; 18 is about where a person stops to see a difference, each 6 more halve the size.
const QUALITY: u32 = 20;

const SOUND_BITS_PER_SECOND: i32 = 128_000;

/// Coded data that may wait. A tenth of it is never reached.
const MAX_CODED_BYTES: u32 = 256 * 1024 * 1024;

/// Raw frames that wait in front of each encoder.
const QUEUED_FRAMES: u32 = 4;

/// One of the files to make.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// Both even.
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Makes all targets from a file. `progress` gets the number of frames written so far, of all targets together, several
/// times in a second.
pub(crate) fn transcode(
    path: &Path,
    probed: &Probed,
    targets: &[Target],
    progress: &mut dyn FnMut(u64),
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), DecodeError> {
    let mut pipeline = Pipeline::new();
    // An encoder takes in dozens of frames before it puts out the first, so its output alone is no sign of life.
    let (heartbeat, written) = (Heartbeat::default(), Heartbeat::default());
    let bin = &pipeline.bin;
    let parse = add_source(bin, path)?;
    let pictures = add_pictures(bin, &parse, probed, &heartbeat)?;
    let sound = probed.sound.as_ref().map(|sound| add_sound(bin, &parse, sound)).transpose()?;
    for target in targets {
        add_branch(bin, target, frames_per_second(probed), &pictures, sound.as_ref(), [&heartbeat, &written])?;
    }
    pipeline.play()?;
    let mut watchdog = Watchdog::new(&heartbeat);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    loop {
        let timeout = gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64);
        let message = pipeline.bus.timed_pop_filtered(timeout, &kinds);
        progress(written.count());
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => return Ok(()),
            Some(gst::MessageView::Error(error)) => return Err(PipelineError(error_text(&error.error())).into()),
            _ => pipeline.check(&heartbeat, &mut watchdog, is_wanted)?,
        }
    }
}

/// Frames in a second, on average and rounded; between 1 and 1000.
fn frames_per_second(probed: &Probed) -> u32 {
    let index = &probed.index;
    let length_nanos = index.end_nanos(index.len() - 1).saturating_sub(index.pts_nanos(0)).max(1);
    let rate = index.len() as f64 * 1e9 / length_nanos as f64;
    (rate.round() as u32).clamp(1, 1000)
}

/// Adds elements one after the other and links them.
fn add_chain(pipeline: &gst::Pipeline, chain: &[&gst::Element]) -> Result<(), PipelineError> {
    pipeline.add_many(chain)?;
    Ok(gst::Element::link_many(chain)?)
}

fn coded_queue() -> Result<gst::Element, PipelineError> {
    let queue = gst::ElementFactory::make("queue").property("max-size-buffers", 0u32).property("max-size-time", 0u64);
    Ok(queue.property("max-size-bytes", MAX_CODED_BYTES).build()?)
}

fn caps_filter(caps: gst::Caps) -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make("capsfilter").property("caps", caps).build()?)
}

/// Decoded pictures, upright and progressive, at a `tee`.
fn add_pictures(
    pipeline: &gst::Pipeline,
    parse: &gst::Element,
    probed: &Probed,
    heartbeat: &Heartbeat,
) -> Result<gst::Element, PipelineError> {
    let (queue, decoder, convert) = (coded_queue()?, element(&probed.decoder)?, element("videoconvertscale")?);
    // The converter takes limited-range BT.601 for full-range BT.601, see `decode`.
    let raw = gst::Caps::builder("video/x-raw");
    let raw = match (probed.needs_rgb, probed.is_interlaced) {
        (true, _) => raw.field("format", "RGBx").build(),
        (false, true) => raw.field("format", "I420").build(),
        (false, false) => raw.build(),
    };
    let flip = gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto").build()?;
    let tee = element("tee")?;
    let mut chain = vec![queue.clone(), decoder.clone(), convert, caps_filter(raw)?];
    if probed.is_interlaced {
        // One frame for each frame, so that the length in frames stays what it is.
        let deinterlace = gst::ElementFactory::make("deinterlace").property_from_str("fields", "top");
        chain.push(deinterlace.property_from_str("mode", "interlaced").build()?);
    }
    chain.extend([flip, tee.clone()]);
    add_chain(pipeline, &chain.iter().collect::<Vec<_>>())?;
    link_track(parse, &queue, is_video_track(&probed.track), |_| {});
    only_forward(&decoder, heartbeat);
    Ok(tee)
}

/// Drops frames that come twice or too late, which no container can hold.
fn only_forward(decoder: &gst::Element, heartbeat: &Heartbeat) {
    let output = decoder.static_pad("src").expect("a decoder has an output");
    let (last, heartbeat) = (std::sync::Mutex::new(None), heartbeat.clone());
    output.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        heartbeat.beat();
        let pts = info.buffer().and_then(|buffer| buffer.pts());
        let mut last = last.lock().expect("no holder of this lock panics");
        if pts.is_none() || pts <= *last {
            return gst::PadProbeReturn::Drop;
        }
        *last = pts;
        gst::PadProbeReturn::Ok
    });
}

/// Coded sound at a `tee`.
fn add_sound(
    pipeline: &gst::Pipeline,
    parse: &gst::Element,
    sound: &ProbedSound,
) -> Result<gst::Element, PipelineError> {
    let (queue, decoder) = (coded_queue()?, element(&sound.decoder)?);
    let stereo = gst::Caps::builder("audio/x-raw").field("rate", 48_000).field("channels", gst::IntRange::new(1, 2));
    let encoder = gst::ElementFactory::make("opusenc").property("bitrate", SOUND_BITS_PER_SECOND).build()?;
    let tee = element("tee")?;
    let convert = element("audioconvert")?;
    let resample = element("audioresample")?;
    let filter = caps_filter(stereo.build())?;
    add_chain(pipeline, &[&queue, &decoder, &convert, &resample, &filter, &encoder, &tee])?;
    link_track(parse, &queue, is_sound_track(&sound.track), |_| {});
    Ok(tee)
}

/// What makes one target.
fn add_branch(
    pipeline: &gst::Pipeline,
    target: &Target,
    frames_per_second: u32,
    pictures: &gst::Element,
    sound: Option<&gst::Element>,
    heartbeats: [&Heartbeat; 2],
) -> Result<(), PipelineError> {
    let waiting = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUED_FRAMES)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    // Borders would be added for a rounding error of one pixel.
    let scale = gst::ElementFactory::make("videoconvertscale").property("add-borders", false).build()?;
    let filter = caps_filter(
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("colorimetry", "1:4:0:0")
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("width", target.width as i32)
            .field("height", target.height as i32)
            .build(),
    )?;
    let encoder = gst::ElementFactory::make("x264enc")
        .property_from_str("speed-preset", "veryfast")
        // Measured at 1440p: a third less work for whoever decodes it, and a fifth more to store.
        .property_from_str("tune", "fastdecode")
        .property_from_str("pass", "qual")
        .property("quantizer", QUALITY)
        // Else the default bit rate is an upper bound, whatever the size of the picture.
        .property("vbv-buf-capacity", 0u32)
        .property("key-int-max", frames_per_second)
        .property("option-string", COLOURS)
        .build()?;
    let (parse, coded) = (element("h264parse")?, coded_queue()?);
    let mux = element("matroskamux")?;
    let sink = gst::ElementFactory::make("filesink").property("location", &target.path).property("async", false);
    let sink = sink.build()?;
    add_chain(pipeline, &[&waiting, &scale, &filter, &encoder, &parse, &coded, &mux, &sink])?;
    pictures.link(&waiting)?;
    let output = coded.static_pad("src").expect("a queue has an output");
    let heartbeats = heartbeats.map(Heartbeat::clone);
    output.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        heartbeats.iter().for_each(Heartbeat::beat);
        gst::PadProbeReturn::Ok
    });
    if let Some(sound) = sound {
        let queue = coded_queue()?;
        pipeline.add(&queue)?;
        sound.link(&queue)?;
        queue.link(&mux)?;
    }
    Ok(())
}
