//! Encodes generated pictures and sound to a Matroska file.
//!
//! ```text
//! pictures ─► appsrc ► x264enc ► h264parse ─┬► matroskamux ► filesink
//! sound    ─► appsrc ► opusenc ► queue ─────┘
//! ```
//!
//! Matroska and not MP4, because `mp4mux` (1.22) marks full-range colours as limited range, after which every picture would
//! be converted twice.

use std::path::Path;

use common::limits::SOUND_RATE_HZ;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;

use super::{
    pipeline::{Pipeline, PipelineError, error_text},
    transcoder::COLOURS,
};

const SOUND_BITS_PER_SECOND: i32 = 64_000;

/// Bytes of sound in one buffer: a tenth of a second.
const SOUND_BUFFER_BYTES: usize = SOUND_RATE_HZ as usize / 5;

/// How long the encoder may take to finish after its last input.
const FINISH_TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// The format of a generated clip.
pub(crate) struct ClipFormat {
    /// Width of a picture in pixels, even.
    pub(crate) width: usize,
    /// Height of a picture in pixels, even.
    pub(crate) height: usize,
    pub(crate) frames_per_second: u32,
    pub(crate) frame_count: u32,
    pub(crate) kbit_per_second: u32,
}

/// Writes a clip to `path`. `paint` returns the bytes of each frame in turn: planar 4:2:0 (I420) in full-range BT.601, rows
/// padded to multiples of four bytes. `sound` is one channel of 16-bit little-endian samples at [`SOUND_RATE_HZ`].
///
/// # Errors
/// Those of the encoder, and of the disk.
pub(crate) fn encode_clip(
    path: &Path,
    format: &ClipFormat,
    sound: &[u8],
    mut paint: impl FnMut(u32) -> Vec<u8>,
) -> Result<(), PipelineError> {
    let pipeline = Pipeline::new();
    let source = picture_source(format);
    let encoder = gst::ElementFactory::make("x264enc")
        .property_from_str("speed-preset", "veryfast")
        .property("bitrate", format.kbit_per_second)
        .property("key-int-max", format.frames_per_second)
        .property("option-string", COLOURS)
        .build()?;
    let parse = gst::ElementFactory::make("h264parse").build()?;
    let mux = gst::ElementFactory::make("matroskamux").build()?;
    let sink = gst::ElementFactory::make("filesink").property("location", path).build()?;
    let chain = [source.upcast_ref(), &encoder, &parse, &mux, &sink];
    pipeline.bin.add_many(chain)?;
    gst::Element::link_many(chain)?;
    add_sound(&pipeline.bin, &mux, sound)?;
    pipeline.play()?;
    for number in 0..format.frame_count {
        let picture = paint(number);
        wait_for_room(&pipeline, &source, picture.len())?;
        let at = |number: u32| gst::ClockTime::SECOND * u64::from(number) / u64::from(format.frames_per_second);
        push(&source, picture, at(number), at(number + 1))?;
    }
    source.end_of_stream().map_err(|error| PipelineError(error.to_string()))?;
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    match pipeline.bus.timed_pop_filtered(FINISH_TIMEOUT, &kinds).as_deref().map(gst::MessageRef::view) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(PipelineError(error_text(&error.error()))),
        _ => Err(PipelineError(format!("the encoder did not finish within {} s", FINISH_TIMEOUT.seconds()))),
    }
}

fn picture_source(format: &ClipFormat) -> AppSrc {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", format.width as i32)
        .field("height", format.height as i32)
        .field("framerate", gst::Fraction::new(format.frames_per_second as i32, 1))
        .field("colorimetry", "1:4:0:0")
        .build();
    AppSrc::builder().caps(&caps).format(gst::Format::Time).build()
}

/// Queues the whole sound at once; the muxer takes it as the pictures arrive.
fn add_sound(bin: &gst::Pipeline, mux: &gst::Element, sound: &[u8]) -> Result<(), PipelineError> {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", SOUND_RATE_HZ as i32)
        .field("channels", 1)
        .build();
    let source = AppSrc::builder().caps(&caps).format(gst::Format::Time).max_bytes(sound.len() as u64 + 1).build();
    let encoder = gst::ElementFactory::make("opusenc").property("bitrate", SOUND_BITS_PER_SECOND).build()?;
    let queue = gst::ElementFactory::make("queue").build()?;
    let chain = [source.upcast_ref(), &encoder, &queue];
    bin.add_many(chain)?;
    gst::Element::link_many(chain)?;
    queue.link(mux)?;
    let time = |offset_bytes: usize| gst::ClockTime::SECOND * (offset_bytes as u64 / 2) / u64::from(SOUND_RATE_HZ);
    for (number, samples) in sound.chunks(SOUND_BUFFER_BYTES).enumerate() {
        let start = number * SOUND_BUFFER_BYTES;
        push(&source, samples.to_vec(), time(start), time(start + samples.len()))?;
    }
    source.end_of_stream().map(drop).map_err(|error| PipelineError(error.to_string()))
}

/// Pushes a buffer that is shown, or heard, from `start` to `end`.
fn push(source: &AppSrc, bytes: Vec<u8>, start: gst::ClockTime, end: gst::ClockTime) -> Result<(), PipelineError> {
    let mut buffer = gst::Buffer::from_slice(bytes);
    let fresh = buffer.get_mut().expect("a new buffer has one owner");
    fresh.set_pts(start);
    fresh.set_duration(end - start);
    source.push_buffer(buffer).map(drop).map_err(|error| PipelineError(error.to_string()))
}

/// Waits until fewer than two frames are queued for the encoder. The property `block` of `appsrc` would block forever
/// after an error.
fn wait_for_room(pipeline: &Pipeline, source: &AppSrc, frame_bytes: usize) -> Result<(), PipelineError> {
    while source.current_level_bytes() > frame_bytes as u64 {
        if let Some(error) = pipeline.wait_for_error(gst::ClockTime::from_mseconds(2)) {
            return Err(error);
        }
    }
    Ok(())
}
