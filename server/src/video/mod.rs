//! Videos: which ones the folder offers, their frames, and the streams that viewers receive.
//!
//! ```text
//! stream ─► store ─► library ─► process ─► gst        offline ─► store
//!             └─► disk
//! ```
//!
//! * [`library`]: which videos the files of the folder make, kept up to date while the server runs.
//! * [`store`]: every frame once, made by decoders that all viewers share.
//! * [`disk`]: frames in files, for the store.
//! * [`stream`]: what one viewer receives: a plan, its frames in order of time, and the task that sends them.
//! * [`offline`]: the commands that run without a server.
//! * [`process`]: worker processes, in which files are read and decoded.
//! * `gst`: the only folder that names GStreamer.

pub mod disk;
mod gst;
pub mod library;
pub mod offline;
pub mod process;
pub mod store;
pub mod stream;

pub use self::{
    gst::elements::{SetupError, init, opus_gap},
    stream::VideoService,
};
