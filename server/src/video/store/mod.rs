//! The frame store: encoded frames of all videos in one bounded cache, each made once however many viewers want it.
//!
//! ```text
//! stream reader ─► Cursor ─► scheduler ─► assignment (pure: who decodes what)
//!                    ▲           │
//!                    │           └─► worker thread ─► FrameSource (decoder in a worker process) ─┐
//!                    │           ├─► threads that read packs from disk, and one that writes them ─────┤
//!                    └────────────── cache ◄───────────────────────────────────────────────────┘
//! ```
//!
//! A frame here is any item that is made in order and kept under a number: a JPEG picture, or a tenth of a second of
//! sound. A *track* is the pictures or the sound of one file. A *cursor* is one viewer's place in a track, and wants a few
//! frames from there on. A *worker* is a thread with a decoder that makes the frames of a track in order.

mod assignment;
mod cache;
mod disk_threads;
mod frame_store;
mod picture_source;
mod places;
pub(crate) mod prewarm;
mod reads;
mod ready;
mod scheduler;
mod sound_source;
mod source;
mod track;
mod track_packs;
mod worker_pool;

pub use self::frame_store::Store;
pub(crate) use self::{
    frame_store::{Cursor, Fetched, ViewerGuard},
    ready::{is_ready, picture_packs, ready_videos, sound_formats, sound_packs},
    sound_source::sound_chunk_count,
    source::TrackOpener,
    track::FailureCause,
    track::TrackKey,
    track_packs::TrackPacks,
};

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod liveness_models;
#[cfg(test)]
mod liveness_packs;
#[cfg(test)]
mod liveness_tests;
#[cfg(test)]
mod tests;
