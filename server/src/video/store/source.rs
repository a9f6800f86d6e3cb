//! What the store reads: a track that can be opened at any frame, and a source that makes its frames in order.

use bytes::Bytes;

use crate::video::{
    gst::pipeline::{DecodeError, Heartbeat},
    process::ProcessError,
};

/// Opens a track at any frame.
pub(crate) trait TrackOpener: Send + Sync {
    /// A source whose first frame is `frame`. Beats `heartbeat` whenever data comes out of the file, and gives up soon
    /// after `is_wanted` turns false.
    fn open(
        &self,
        frame: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn FrameSource>, SourceError>;

    /// Name of the track in the log, and of its workers' threads.
    fn name(&self) -> String;

    /// Pixels of a raw picture, a measure of the memory that a decoder needs; 0 for sound.
    fn pixels(&self) -> u64;
}

/// Makes the frames of a track in order.
pub(crate) trait FrameSource: Send {
    /// The frame after the previous one, or the one that the source was opened at. Gives up soon after `is_wanted`
    /// turns false.
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, SourceError>;
}

/// Why a source makes no further frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// `is_wanted` turned false.
    #[error("cancelled")]
    Cancelled,
    /// The frame cannot be made; the text says why.
    #[error("{0}")]
    Failed(String),
}

impl From<ProcessError> for SourceError {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::Cancelled => Self::Cancelled,
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<DecodeError> for SourceError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Cancelled => Self::Cancelled,
            error => Self::Failed(error.to_string()),
        }
    }
}
