//! Transcodes a file of any format that can be played to files of several sizes that need no conversion during playback.
//!
//! ```text
//! filesrc ► parsebin ─┬► queue ► decoder ► videoconvertscale ► caps ► deinterlace ► videoflip ► tee ┬► a branch for each size
//!                     │                    (8 bit, or RGB)           (if needed)    (upright)       └► …
//!                     └► queue ► decoder ► audioconvert ► audioresample ► opusenc ► tee ┬► queue ► to each muxer
//!                                                                                       └► …
//! branch:  queue ► videoconvertscale ► caps (I420, full range) ► x264enc ► h264parse ► queue ► matroskamux ► filesink
//! ```
//!
//! * Everything is decoded once, so all sizes have the same frames at the same times.
//! * The container is Matroska, because `mp4mux` (1.22) marks full-range colours as limited range. `x264enc` does not
//!   signal the range by itself, so it is told to.
//! * The queues of encoded data are large: a muxer waits up to two seconds for pictures that are still in the encoder.
//!   Meanwhile the sound queue must not be the one that is full, because pictures and sound come from the same thread.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use common::splice::FrameIndex;
use gstreamer::{self as gst, prelude::*};

use super::{
    jpeg_format::{self, caps_filter, flip, intermediate_caps, scale},
    pipeline::{
        DecodeError, Heartbeat, POLL_TIMEOUT, Pipeline, PipelineError, Watchdog, add_source, element, error_text,
    },
    tracks::{is_sound_track, is_video_track, link_track},
};

/// Options for x264 that `x264enc` has no properties for: the colours are full-range BT.601.
pub(crate) const COLOURS: &str = "fullrange=on:colormatrix=smpte170m";

/// Constant quantizer of x264. At about 18 differences from the original become invisible; each 6 more halve the size.
const QUANTIZER: u32 = 20;

const SOUND_BITS_PER_SECOND: i32 = 128_000;

/// Limit of a queue of encoded data, in bytes. In practice not even a tenth of it is used.
const MAX_QUEUED_BYTES: u32 = 256 * 1024 * 1024;

/// Raw frames queued before each encoder.
const QUEUED_FRAMES: u32 = 4;

/// One of the files to write.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// Width of the picture in pixels, even.
    pub(crate) width: u32,
    /// Height of the picture in pixels, even.
    pub(crate) height: u32,
}

/// The file to read, and what a probe found in it.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    /// Identifies the track of the pictures, see [`super::tracks::track_id`].
    pub(crate) track: &'a str,
    /// Name of the decoder element.
    pub(crate) decoder: &'a str,
    /// See [`super::jpeg_format::DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// See [`super::jpeg_format::DecoderOutput::is_interlaced`].
    pub(crate) is_interlaced: bool,
    /// Track and decoder of the sound.
    pub(crate) sound: Option<(&'a str, &'a str)>,
    pub(crate) frames_per_second: u32,
}

/// Writes all targets from a file, and blocks until they are complete. Several times in a second, `progress` receives the
/// number of frames written so far, of all targets together, and `is_wanted` is called; `false` cancels.
///
/// # Errors
/// Those of [`Pipeline::check`]; the targets are then incomplete.
pub(crate) fn transcode(
    source: &Source<'_>,
    targets: &[Target],
    progress: &mut dyn FnMut(u64),
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), DecodeError> {
    let mut pipeline = Pipeline::new();
    // `heartbeat` also counts decoded frames: an encoder takes dozens of them before it outputs the first.
    let (heartbeat, written) = (Heartbeat::default(), Heartbeat::default());
    let bin = &pipeline.bin;
    let parse = add_source(bin, source.path)?;
    let pictures = add_pictures(bin, &parse, source, &heartbeat)?;
    let sound = source.sound.map(|(track, decoder)| add_sound(bin, &parse, track, decoder)).transpose()?;
    for target in targets {
        add_target(bin, target, source.frames_per_second, &pictures, sound.as_ref(), [&heartbeat, &written])?;
    }
    pipeline.play()?;
    let mut watchdog = Watchdog::new(&heartbeat);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    loop {
        let message = pipeline.bus.timed_pop_filtered(POLL_TIMEOUT, &kinds);
        progress(written.count());
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => return Ok(()),
            Some(gst::MessageView::Error(error)) => return Err(PipelineError(error_text(&error.error())).into()),
            _ => pipeline.check(&heartbeat, &mut watchdog, is_wanted)?,
        }
    }
}

/// The average frame rate, rounded, between 1 and 1000 frames/s.
pub(crate) fn frames_per_second(index: &FrameIndex) -> u32 {
    let length_nanos = index.end_nanos(index.len() - 1).saturating_sub(index.pts_nanos(0)).max(1);
    let rate = index.len() as f64 * 1e9 / length_nanos as f64;
    (rate.round() as u32).clamp(1, 1000)
}

/// Adds elements and links each to the next.
fn add_chain(pipeline: &gst::Pipeline, chain: &[&gst::Element]) -> Result<(), PipelineError> {
    pipeline.add_many(chain)?;
    Ok(gst::Element::link_many(chain)?)
}

/// A queue for encoded data.
fn coded_queue() -> Result<gst::Element, PipelineError> {
    let queue = gst::ElementFactory::make("queue").property("max-size-buffers", 0u32).property("max-size-time", 0u64);
    Ok(queue.property("max-size-bytes", MAX_QUEUED_BYTES).build()?)
}

/// Adds the decoder of the pictures, and returns the `tee` that outputs them, upright and progressive.
fn add_pictures(
    pipeline: &gst::Pipeline,
    parse: &gst::Element,
    source: &Source<'_>,
    heartbeat: &Heartbeat,
) -> Result<gst::Element, PipelineError> {
    let (queue, decoder, convert) = (coded_queue()?, element(source.decoder)?, element("videoconvertscale")?);
    let raw = intermediate_caps(source.needs_rgb, "RGBx", source.is_interlaced);
    let tee = element("tee")?;
    let mut chain = vec![queue.clone(), decoder.clone(), convert, caps_filter(&raw)?];
    if source.is_interlaced {
        // One frame from the two fields of each frame, so that the number of frames stays the same.
        let deinterlace = gst::ElementFactory::make("deinterlace").property_from_str("fields", "top");
        chain.push(deinterlace.property_from_str("mode", "interlaced").build()?);
    }
    chain.extend([flip()?, tee.clone()]);
    add_chain(pipeline, &chain.iter().collect::<Vec<_>>())?;
    link_track(parse, &queue, is_video_track(source.track), |_| {});
    drop_out_of_order(&decoder, heartbeat);
    Ok(tee)
}

/// Drops frames whose times do not increase, which no container can hold.
fn drop_out_of_order(decoder: &gst::Element, heartbeat: &Heartbeat) {
    let output = decoder.static_pad("src").expect("a decoder has an output");
    let (last, heartbeat) = (Mutex::new(None), heartbeat.clone());
    output.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        heartbeat.beat();
        let pts = info.buffer().and_then(|buffer| buffer.pts());
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if pts.is_none() || pts <= *last {
            return gst::PadProbeReturn::Drop;
        }
        *last = pts;
        gst::PadProbeReturn::Ok
    });
}

/// Adds the decoder and the encoder of the sound, and returns the `tee` that outputs it.
fn add_sound(
    pipeline: &gst::Pipeline,
    parse: &gst::Element,
    track: &str,
    decoder: &str,
) -> Result<gst::Element, PipelineError> {
    let (queue, decoder) = (coded_queue()?, element(decoder)?);
    let stereo = gst::Caps::builder("audio/x-raw").field("rate", 48_000).field("channels", gst::IntRange::new(1, 2));
    let encoder = gst::ElementFactory::make("opusenc").property("bitrate", SOUND_BITS_PER_SECOND).build()?;
    let tee = element("tee")?;
    let convert = element("audioconvert")?;
    let resample = element("audioresample")?;
    let filter = caps_filter(&stereo.build())?;
    add_chain(pipeline, &[&queue, &decoder, &convert, &resample, &filter, &encoder, &tee])?;
    link_track(parse, &queue, is_sound_track(track), |_| {});
    Ok(tee)
}

/// Adds the elements that write one target.
fn add_target(
    pipeline: &gst::Pipeline,
    target: &Target,
    frames_per_second: u32,
    pictures: &gst::Element,
    sound: Option<&gst::Element>,
    heartbeats: [&Heartbeat; 2],
) -> Result<(), PipelineError> {
    let raw_queue = gst::ElementFactory::make("queue")
        .property("max-size-buffers", QUEUED_FRAMES)
        .property("max-size-bytes", 0u32)
        .property("max-size-time", 0u64)
        .build()?;
    let (scale, filter) = (scale()?, caps_filter(&jpeg_format::caps(Some((target.width, target.height))))?);
    let encoder = gst::ElementFactory::make("x264enc")
        .property_from_str("speed-preset", "veryfast")
        // Measured at 1440p: decoding takes a third less time, and the file is a fifth larger.
        .property_from_str("tune", "fastdecode")
        .property_from_str("pass", "qual")
        .property("quantizer", QUANTIZER)
        // Otherwise the default bit rate would be an upper bound, whatever the size of the picture.
        .property("vbv-buf-capacity", 0u32)
        .property("key-int-max", frames_per_second)
        .property("option-string", COLOURS)
        .build()?;
    let (parse, coded) = (element("h264parse")?, coded_queue()?);
    let mux = element("matroskamux")?;
    let sink = gst::ElementFactory::make("filesink").property("location", &target.path).property("async", false);
    let sink = sink.build()?;
    add_chain(pipeline, &[&raw_queue, &scale, &filter, &encoder, &parse, &coded, &mux, &sink])?;
    pictures.link(&raw_queue)?;
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
