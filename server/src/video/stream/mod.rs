//! What one viewer receives: the plan of a stream, its items in order of time, and the task that sends them.
//!
//! ```text
//! StreamPlan ─► StreamReader ─► items by time ─► Viewer (credit, epochs) ─► outbox
//!                  │ SoundTimeline
//!                  └ one cursor of the store for each open segment, one for the sound
//! ```

mod error;
mod plan;
mod sound_timeline;
mod stream_reader;
mod viewer;

use super::{library::Library, store::Store};

pub use self::{
    error::StreamError,
    plan::StreamPlan,
    stream_reader::{EncodedPicture, Item, SoundChunk, StreamReader},
    viewer::Viewer,
};

/// The videos that a server offers, and the store that their frames are kept in: all that a stream is made from. Cheap to
/// clone.
#[derive(Clone)]
pub struct VideoService {
    /// Which videos there are.
    pub library: Library,
    /// Their frames.
    pub store: Store,
}
