//! What one viewer receives: the plan of a stream, its items in order of time, and the task that sends them.
//!
//! ```text
//! StreamPlan ─► StreamReader ─► items by time ─► Viewer (credit, epochs) ─► outbox
//!                  │ SoundTimeline
//!                  └ one cursor of the store for each open segment, one for the sound
//! ```

mod error;
mod plan;
mod prefetch;
mod selection;
#[cfg(test)]
mod selection_tests;
mod sound_timeline;
mod splice_pace;
mod stream_reader;
mod viewer;
mod watchers;

pub use self::{
    error::StreamError,
    plan::StreamPlan,
    stream_reader::{EncodedPicture, Item, SoundChunk, StreamReader},
    viewer::{VideoService, Viewer},
    watchers::{Watch, Watchers},
};
