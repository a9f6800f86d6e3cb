//! A short generated video in three resolutions, so that a fresh checkout has something to play.
//!
//! ```text
//! paint ─► appsrc ► x264enc ► matroskamux ► filesink          once for each resolution
//! ```
//!
//! Matroska and not MP4, because `mp4mux` (1.22) writes the full range of the colours down as limited, and `x264enc`
//! leaves it out of the stream; every picture would then be converted, and twice.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;

use super::{
    SetupError,
    paint::Canvas,
    require,
    stage::{Stage, Trouble, words},
};

/// Title of the sample.
const TITLE: &str = "Triptych sample";

/// Height, width, and bit rate in kbit/s.
const SIZES: [(usize, usize, u32); 3] = [(240, 426, 500), (720, 1280, 2_500), (1440, 2560, 6_000)];

const FRAMES_PER_SECOND: u32 = 30;
const SECONDS: u32 = 12;

/// What making the sample needs in addition to playing.
pub(super) const NEEDED: [(&str, &str); 3] = [
    ("appsrc", "gstreamer1.0-plugins-base"),
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
    fs::create_dir_all(folder).map_err(|error| SampleError::File(folder.to_owned(), error))?;
    let frame_count = FRAMES_PER_SECOND * SECONDS;
    let frames_total = frame_count * SIZES.len() as u32;
    let (mut unfinished, mut frames_done) = (Vec::new(), 0);
    for (height, width, kbit_per_second) in SIZES {
        let file = Unfinished::new(folder, &format!("{TITLE}_{height}p.mkv"));
        let path = file.path.clone();
        unfinished.push(file);
        let mut report = || {
            frames_done += 1;
            progress(SampleProgress { height: height as u32, frames_done, frames_total });
        };
        encode(&path, (width, height), kbit_per_second, frame_count, &mut report)
            .map_err(|Trouble(words)| SampleError::Encode(path, words))?;
    }
    unfinished.into_iter().map(Unfinished::finish).collect()
}

/// A file under a name that the library ignores. Removed unless it is finished.
struct Unfinished {
    path: PathBuf,
    finished_path: PathBuf,
}

impl Unfinished {
    fn new(folder: &Path, file_name: &str) -> Self {
        Self { path: folder.join(format!(".{file_name}.part")), finished_path: folder.join(file_name) }
    }

    fn finish(self) -> Result<PathBuf, SampleError> {
        let path = self.finished_path.clone();
        fs::rename(&self.path, &path).map_err(|error| SampleError::File(path.clone(), error))?;
        Ok(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Fails when the file is finished, or was never begun; both are fine.
        let _ = fs::remove_file(&self.path);
    }
}

fn encode(
    path: &Path,
    (width, height): (usize, usize),
    kbit_per_second: u32,
    frame_count: u32,
    report: &mut dyn FnMut(),
) -> Result<(), Trouble> {
    let stage = Stage::new();
    let source = source(width, height);
    let encoder = gst::ElementFactory::make("x264enc")
        .property_from_str("speed-preset", "veryfast")
        .property("bitrate", kbit_per_second)
        .property("key-int-max", FRAMES_PER_SECOND)
        .build()?;
    let mux = gst::ElementFactory::make("matroskamux").build()?;
    let sink = gst::ElementFactory::make("filesink").property("location", path).build()?;
    let chain = [source.upcast_ref(), &encoder, &mux, &sink];
    stage.pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
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
