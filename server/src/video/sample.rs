//! A short generated video in three resolutions, so that a fresh checkout has something to play.
//!
//! ```text
//! paint ─► appsrc ► x264enc ► h264parse ─┬► matroskamux ► filesink          once for each resolution
//! tune  ─► appsrc ► opusenc ► queue ─────┘
//! ```
//!
//! Matroska and not MP4, because `mp4mux` (1.22) writes the full range of the colours down as limited; every picture
//! would then be converted, and twice.

use std::{
    f32::consts::TAU,
    io,
    path::{Path, PathBuf},
};

use common::limits::SOUND_RATE_HZ;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;

use super::{
    SetupError,
    paint::Canvas,
    require,
    stage::{Stage, Trouble, words},
    transcode::COLOURS,
    workshop::Workshop,
};

/// Title of the sample.
const TITLE: &str = "Triptych sample";

/// Height, width, and bit rate in kbit/s.
const SIZES: [(usize, usize, u32); 3] = [(240, 426, 500), (720, 1280, 2_500), (1440, 2560, 6_000)];

const FRAMES_PER_SECOND: u32 = 30;
const SECONDS: u32 = 12;

const SOUND_BITS_PER_SECOND: i32 = 64_000;

/// A tenth of a second.
const SOUND_PIECE_BYTES: usize = SOUND_RATE_HZ as usize / 5;

/// Pitches of the bell, one for each second: C, F and back over G to C.
const BELLS_HZ: [f32; SECONDS as usize] =
    [261.6, 329.6, 392.0, 329.6, 349.2, 440.0, 523.3, 440.0, 392.0, 493.9, 587.3, 523.3];

/// What making the sample needs in addition to playing.
pub(super) const NEEDED: [(&str, &str); 5] = [
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("matroskamux", "gstreamer1.0-plugins-good"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

/// Why there is no sample: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Elements are missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The folder or a file in it.
    #[error("cannot write {0:?}: {1}")]
    File(PathBuf, io::Error),
    /// The encoder.
    #[error("cannot encode {0:?}: {1}")]
    Encode(PathBuf, String),
}

/// How far the sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleProgress {
    /// Resolution being made.
    pub height: u32,
    /// Frames done, of all resolutions together.
    pub frames_done: u32,
    /// Frames of all resolutions together.
    pub frames_total: u32,
}

/// Makes the sample in `folder`, which is made too when it does not exist, and returns its files. Takes some seconds
/// and blocks; `progress` is called after each frame. The files get their names when all are complete.
pub fn make_sample(folder: &Path, mut progress: impl FnMut(SampleProgress)) -> Result<Vec<PathBuf>, SampleError> {
    gst::init().map_err(SetupError::Init)?;
    require(&NEEDED)?;
    let workshop = Workshop::open(folder).map_err(|error| SampleError::File(folder.to_owned(), error))?;
    let frame_count = FRAMES_PER_SECOND * SECONDS;
    let frames_total = frame_count * SIZES.len() as u32;
    let (mut names, mut frames_done) = (Vec::new(), 0);
    let sound = tune();
    for (height, width, kbit_per_second) in SIZES {
        let name = format!("{TITLE}_{height}p.mkv");
        let path = workshop.place(&name);
        names.push(name);
        let mut report = || {
            frames_done += 1;
            progress(SampleProgress { height: height as u32, frames_done, frames_total });
        };
        encode(&path, (width, height), kbit_per_second, frame_count, &sound, &mut report)
            .map_err(|Trouble(words)| SampleError::Encode(path, words))?;
    }
    workshop.finish(&names).map_err(|(path, error)| SampleError::File(path, error))
}

fn encode(
    path: &Path,
    (width, height): (usize, usize),
    kbit_per_second: u32,
    frame_count: u32,
    sound: &[u8],
    report: &mut dyn FnMut(),
) -> Result<(), Trouble> {
    let stage = Stage::new();
    let source = source(width, height);
    let encoder = gst::ElementFactory::make("x264enc")
        .property_from_str("speed-preset", "veryfast")
        .property("bitrate", kbit_per_second)
        .property("key-int-max", FRAMES_PER_SECOND)
        .property("option-string", COLOURS)
        .build()?;
    let parse = gst::ElementFactory::make("h264parse").build()?;
    let mux = gst::ElementFactory::make("matroskamux").build()?;
    let sink = gst::ElementFactory::make("filesink").property("location", path).build()?;
    let chain = [source.upcast_ref(), &encoder, &parse, &mux, &sink];
    stage.pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
    add_sound(&stage.pipeline, &mux, sound)?;
    stage.play()?;
    let mut canvas = Canvas::new(width, height);
    for number in 0..frame_count {
        canvas.paint(&format!("{height}p"), number, frame_count, number as f32 / FRAMES_PER_SECOND as f32);
        wait_for_room(&stage, &source, canvas.bytes().len())?;
        source.push_buffer(buffer(&canvas, number)).map_err(|error| Trouble(error.to_string()))?;
        report();
    }
    source.end_of_stream().map_err(|error| Trouble(error.to_string()))?;
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    match stage.bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).as_deref().map(gst::MessageRef::view) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(Trouble(words(&error.error()))),
        _ => Err(Trouble("the encoder does not come to an end".into())),
    }
}

fn source(width: usize, height: usize) -> AppSrc {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", width as i32)
        .field("height", height as i32)
        .field("framerate", gst::Fraction::new(FRAMES_PER_SECOND as i32, 1))
        .field("colorimetry", "1:4:0:0")
        .build();
    AppSrc::builder().caps(&caps).format(gst::Format::Time).build()
}

/// Adds the sound as a whole; how fast it is taken is up to the mux.
fn add_sound(pipeline: &gst::Pipeline, mux: &gst::Element, sound: &[u8]) -> Result<(), Trouble> {
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
    pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
    queue.link(mux)?;
    let moments = |place: usize| gst::ClockTime::SECOND * (place as u64 / 2) / u64::from(SOUND_RATE_HZ);
    for (number, piece) in sound.chunks(SOUND_PIECE_BYTES).enumerate() {
        let start = number * SOUND_PIECE_BYTES;
        let mut buffer = gst::Buffer::from_slice(piece.to_vec());
        let fresh = buffer.get_mut().expect("a new buffer has one owner");
        fresh.set_pts(moments(start));
        fresh.set_duration(moments(start + piece.len()) - moments(start));
        source.push_buffer(buffer).map_err(|error| Trouble(error.to_string()))?;
    }
    source.end_of_stream().map(drop).map_err(|error| Trouble(error.to_string()))
}

/// A bell at each second, together with the lamp in the picture; each third of the time has a chord of its own.
/// 16-bit samples, one channel.
fn tune() -> Vec<u8> {
    let rate = SOUND_RATE_HZ as f32;
    let sample = |moment: u32| {
        let seconds = moment as f32 / rate;
        let ringing = |strike: u32| {
            let (age, pitch) = (seconds - strike as f32, BELLS_HZ[strike as usize % BELLS_HZ.len()]);
            let swing = |harmonic: f32| (TAU * pitch * harmonic * age).sin();
            (swing(1.0) + 0.35 * swing(2.0) + 0.12 * swing(3.0)) * (-3.2 * age).exp() * (age * 250.0).min(1.0)
        };
        let strike = seconds as u32;
        // The one before still fades.
        let sum = ringing(strike) + strike.checked_sub(1).map_or(0.0, ringing);
        let fade = ((SECONDS as f32 - seconds) * 4.0).min(1.0);
        (sum * fade * 7_000.0) as i16
    };
    (0..SECONDS * SOUND_RATE_HZ).flat_map(|moment| sample(moment).to_le_bytes()).collect()
}

/// Waits until fewer than two frames wait to be encoded. `block` of `appsrc` would wait for ever after an error.
fn wait_for_room(stage: &Stage, source: &AppSrc, frame_bytes: usize) -> Result<(), Trouble> {
    while source.current_level_bytes() > frame_bytes as u64 {
        if let Some(trouble) = stage.wait_for_error(gst::ClockTime::from_mseconds(2)) {
            return Err(trouble);
        }
    }
    Ok(())
}

fn buffer(canvas: &Canvas, number: u32) -> gst::Buffer {
    let at = |number: u32| gst::ClockTime::SECOND * u64::from(number) / u64::from(FRAMES_PER_SECOND);
    let mut buffer = gst::Buffer::from_slice(canvas.bytes().to_vec());
    let fresh = buffer.get_mut().expect("a new buffer has one owner");
    fresh.set_pts(at(number));
    fresh.set_duration(at(number + 1) - at(number));
    buffer
}
