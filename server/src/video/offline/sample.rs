//! The `sample` command: generates a short video in three resolutions, so that a fresh checkout has something to play.

use std::{
    f32::consts::TAU,
    io,
    path::{Path, PathBuf},
};

use common::limits::SOUND_RATE_HZ;

use super::{sample_painter::Canvas, staging::StagingDir};
use crate::video::gst::{
    clip_encoder::{ClipFormat, encode_clip},
    elements::{self, SetupError, require},
    pipeline::PipelineError,
};

/// Title of the sample.
const TITLE: &str = "Triptych sample";

/// Height, width, and bit rate in kbit/s.
const SIZES: [(usize, usize, u32); 3] = [(240, 426, 500), (720, 1280, 2_500), (1440, 2560, 6_000)];

const FRAMES_PER_SECOND: u32 = 30;
const SECONDS: u32 = 12;

/// Pitches of the bell, one for each second: C, F and back over G to C.
const BELLS_HZ: [f32; SECONDS as usize] =
    [261.6, 329.6, 392.0, 329.6, 349.2, 440.0, 523.3, 440.0, 392.0, 493.9, 587.3, 523.3];

/// Why there is no sample: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// GStreamer elements are missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The folder or a file in it cannot be written.
    #[error("cannot write {0:?}: {1}")]
    File(PathBuf, io::Error),
    /// Encoding failed.
    #[error("cannot encode {0:?}: {1}")]
    Encode(PathBuf, String),
}

/// Progress of the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleProgress {
    /// Height of the resolution that is being generated.
    pub height: u32,
    /// Frames done, of all resolutions together.
    pub frames_done: u32,
    /// Frames of all resolutions together.
    pub frames_total: u32,
}

/// Generates the sample in `folder`, which is created when it does not exist, and returns the paths of its files. Blocks
/// for some seconds; `progress` is called after each frame. The files get their names when all are complete.
///
/// # Errors
/// Any [`SampleError`].
pub fn make_sample(folder: &Path, mut progress: impl FnMut(SampleProgress)) -> Result<Vec<PathBuf>, SampleError> {
    require(elements::SAMPLE)?;
    let staging = StagingDir::open(folder).map_err(|error| SampleError::File(folder.to_owned(), error))?;
    let frame_count = FRAMES_PER_SECOND * SECONDS;
    let frames_total = frame_count * SIZES.len() as u32;
    let (mut names, mut frames_done) = (Vec::new(), 0);
    let sound = melody();
    for (height, width, kbit_per_second) in SIZES {
        let name = format!("{TITLE}_{height}p.mkv");
        let path = staging.path_of(&name);
        names.push(name);
        let format = ClipFormat { width, height, frames_per_second: FRAMES_PER_SECOND, frame_count, kbit_per_second };
        let mut canvas = Canvas::new(width, height);
        let paint = |number: u32| {
            canvas.paint(&format!("{height}p"), number, frame_count, number as f32 / FRAMES_PER_SECOND as f32);
            progress(SampleProgress { height: height as u32, frames_done, frames_total });
            frames_done += 1;
            canvas.bytes().to_vec()
        };
        encode_clip(&path, &format, &sound, paint).map_err(|PipelineError(cause)| SampleError::Encode(path, cause))?;
        progress(SampleProgress { height: height as u32, frames_done, frames_total });
    }
    staging.finish(&names).map_err(|(path, error)| SampleError::File(path, error))
}

/// A bell at each second, together with the lamp in the picture; each third of the time has a chord of its own.
/// 16-bit little-endian samples, one channel.
fn melody() -> Vec<u8> {
    let rate = SOUND_RATE_HZ as f32;
    let sample = |audio_frame: u32| {
        let seconds = audio_frame as f32 / rate;
        let ringing = |strike: u32| {
            let (age, pitch) = (seconds - strike as f32, BELLS_HZ[strike as usize % BELLS_HZ.len()]);
            let swing = |harmonic: f32| (TAU * pitch * harmonic * age).sin();
            (swing(1.0) + 0.35 * swing(2.0) + 0.12 * swing(3.0)) * (-3.2 * age).exp() * (age * 250.0).min(1.0)
        };
        let strike = seconds as u32;
        // The bell of the second before still fades out.
        let sum = ringing(strike) + strike.checked_sub(1).map_or(0.0, ringing);
        let fade = ((SECONDS as f32 - seconds) * 4.0).min(1.0);
        (sum * fade * 7_000.0) as i16
    };
    (0..SECONDS * SOUND_RATE_HZ).flat_map(|audio_frame| sample(audio_frame).to_le_bytes()).collect()
}
