//! Why a file cannot be played: clauses without a full stop that people read after the name of the file.

use std::io;

use common::limits::MAX_PICTURE_SIDE;
use gstreamer as gst;

use super::pipeline::{PATIENCE, PipelineError, error_text};

/// Limit of the number of frames. A day at 60 frames/s has fewer; a file with more has a damaged index.
pub(crate) const MAX_FRAMES: usize = 5_200_000;

/// Minutes after which reading a file is given up, even if it still makes progress.
pub(crate) const READ_MINUTES: u64 = 15;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("empty file")]
    Empty,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("not a video: {0}")]
    NotVideo(&'static str),
    #[error("no video track")]
    NoVideoTrack,
    #[error("no frames")]
    NoFrames,
    #[error("more than {MAX_FRAMES} frames")]
    TooManyFrames,
    #[error("time stamps beyond two years")]
    TooLong,
    /// The caps of the video track.
    #[error("no decoder for {0}; on Debian: apt install gstreamer1.0-libav")]
    NeedsDecoder(String),
    /// GStreamer's description of the missing plugin.
    #[error(
        "needs {0}; on Debian: apt install gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
    )]
    NeedsPlugin(String),
    /// Width and height.
    #[error("{0}x{1} is larger than {MAX_PICTURE_SIDE}x{MAX_PICTURE_SIDE}")]
    TooLarge(u32, u32),
    /// Bytes that are there, and bytes that the header promises.
    #[error("incomplete: {0} of {1} bytes")]
    Short(u64, u64),
    /// Nanoseconds that are there, and nanoseconds that the header promises.
    #[error("incomplete: ends after {:.1} s of {:.1} s", seconds(.0), seconds(.1))]
    Truncated(u64, u64),
    /// Reading failed `nanos` after the start.
    #[error("incomplete or damaged{}: {cause}", after(.nanos))]
    Damaged { nanos: u64, cause: String },
    #[error("cannot be decoded: {0}")]
    Undecodable(String),
    #[error("cannot be read: no data for {} s", PATIENCE.as_secs())]
    Hung,
    #[error("cannot be read within {READ_MINUTES} minutes")]
    TooSlow,
    #[error("reading it was cancelled")]
    Cancelled,
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl ProbeError {
    /// Classifies an error that a pipeline reported; `missing_plugin` is the plugin that it reported as missing before.
    pub(crate) fn from_gst(error: &gst::glib::Error, missing_plugin: Option<String>) -> Self {
        match (error.kind::<gst::StreamError>(), missing_plugin) {
            (_, Some(plugin)) => Self::NeedsPlugin(plugin),
            (Some(gst::StreamError::WrongType), None) => Self::NotVideo("text"),
            (Some(gst::StreamError::TypeNotFound), None) => Self::NotVideo("unknown content"),
            _ => Self::Damaged { nanos: 0, cause: error_text(error) },
        }
    }
}

fn seconds(nanos: &u64) -> f64 {
    *nanos as f64 / 1e9
}

fn after(nanos: &u64) -> String {
    if *nanos == 0 { String::new() } else { format!(" after {:.1} s", seconds(nanos)) }
}
