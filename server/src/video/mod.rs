//! Videos: a folder becomes a [`Library`], a video of it becomes a [`Reel`] of JPEG pictures, and a viewer shows them.
//!
//! ```text
//! folder ─► library ─► probe ─► Video (frame indices) ─► plan ─► reel ─► decode ─► EncodedPicture ─► viewer
//! (names)   (watch)    (parse)  (shelf, pure)           (pure)  (threads)  (GStreamer)
//! ```
//!
//! This is the only place in the workspace that names GStreamer, and inside it only `codec`, `probe`, `decode`,
//! `edge`, `stage` and `sample` do. The pipelines are drawn at the top of the files that build them.

mod check;
mod codec;
mod decode;
mod edge;
mod entry;
mod folder;
mod gate;
mod import;
mod library;
mod paint;
mod probe;
mod program;
mod reel;
mod sample;
mod shelf;
mod sound;
mod sound_walk;
mod stage;
mod store;
mod thumbnail;
mod track;
mod transcode;
pub mod viewer;
mod warm;
mod watch;
mod workshop;

pub use check::{Check, CheckError};
pub use import::{Import, ImportError, ImportOrder, ImportPlan, USUAL_HEIGHTS};
pub use library::{Library, LibraryError, Video};
pub use program::Program;
pub use reel::{EncodedPicture, Item, Reel, ReelError, SoundChunk};
pub use sample::{SampleError, SampleProgress, make_sample};
pub use store::Store;
pub use warm::warm_up;
pub use watch::Watching;

/// What playing needs, each with the Debian package that has it. `parsebin` finds demultiplexers and parsers on its
/// own; those of the usual containers are named here so that a machine without them says so at once.
const NEEDED: [(&str, &str); 13] = [
    ("filesrc", "libgstreamer1.0-0"),
    ("fakesink", "libgstreamer1.0-0"),
    ("queue", "libgstreamer1.0-0"),
    ("tee", "libgstreamer1.0-0"),
    ("capsfilter", "libgstreamer1.0-0"),
    ("parsebin", "gstreamer1.0-plugins-base"),
    ("videoconvertscale", "gstreamer1.0-plugins-base"),
    ("appsink", "gstreamer1.0-plugins-base"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("videoflip", "gstreamer1.0-plugins-good"),
    ("qtdemux", "gstreamer1.0-plugins-good"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("avdec_h264", "gstreamer1.0-libav"),
];

/// Why no video can be played here: one line with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The library itself.
    #[error("GStreamer does not start: {0}; install gstreamer1.0-plugins-base and its companions")]
    Init(gstreamer::glib::Error),
    /// Plugins.
    #[error("GStreamer lacks {}; on Debian: apt install {packages}", elements.join(", "))]
    Missing {
        /// Names of the missing elements.
        elements: Vec<&'static str>,
        /// The packages that have them, separated by spaces.
        packages: String,
    },
}

/// Starts GStreamer and looks for what playing needs. Further calls only look again.
pub fn init() -> Result<(), SetupError> {
    gstreamer::init().map_err(SetupError::Init)?;
    require(&NEEDED)
}

fn require(needed: &[(&'static str, &'static str)]) -> Result<(), SetupError> {
    let missing = missing_of(needed);
    if missing.is_empty() {
        return Ok(());
    }
    let elements = missing.iter().map(|(element, _)| *element).collect();
    let packages: std::collections::BTreeSet<_> = missing.iter().map(|(_, package)| *package).collect();
    Err(SetupError::Missing { elements, packages: packages.into_iter().collect::<Vec<_>>().join(" ") })
}

fn missing_of(needed: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let is_missing = |(element, _): &&(&str, &str)| gstreamer::ElementFactory::find(element).is_none();
    needed.iter().filter(is_missing).copied().collect()
}
