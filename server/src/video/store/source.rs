//! What the store reads: a track that can be opened at any frame, a source that makes its frames in order, and the packs that
//! hold frames that were made before.

use std::{fmt, ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::video::{
    disk::ReadError,
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

    /// The frames that are on disk; `None` without a disk tier.
    fn packs(&self) -> Option<Arc<dyn Packs>> {
        None
    }
}

/// Makes the frames of a track in order.
pub(crate) trait FrameSource: Send {
    /// The frame after the previous one, or the one that the source was opened at. Gives up soon after `is_wanted`
    /// turns false.
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, SourceError>;

    /// Whether the last frame is what the file has there. Otherwise it only takes its place, and is not written to disk.
    fn is_true_to_file(&self) -> bool {
        true
    }
}

/// The frames of a track that are on disk.
pub(crate) trait Packs: fmt::Debug + Send + Sync {
    /// A pack with this frame. Answers at once, from memory.
    fn find(&self, frame: usize) -> Option<Pack>;

    /// Reads a pack, and hands over its frames with their numbers: `wanted` first, if it is given.
    ///
    /// # Errors
    /// After [`ReadError::Missing`] the pack is not found again.
    fn read(
        &self,
        pack: &Pack,
        wanted: Option<usize>,
        hand_over: &mut dyn FnMut(Vec<(usize, Bytes)>),
    ) -> Result<(), ReadError>;

    /// The frames that are written together with this one; empty if it is not written.
    fn written_with(&self, frame: usize) -> Range<usize>;

    /// Writes frames from the first on, as `written_with` says. Logs it if that is not possible.
    fn write(&self, first: usize, frames: &[Bytes], now: Instant);

    /// Logs once that reading takes too long or fails.
    fn report_delay(&self);
}

/// Some consecutive frames of a track in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) frames: Range<usize>,
    /// Size of the file.
    pub(crate) bytes: u64,
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
