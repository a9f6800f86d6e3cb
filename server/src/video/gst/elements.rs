//! Starts GStreamer and checks that the elements a command needs are installed; an error names the missing ones with
//! their Debian packages.

use std::collections::BTreeSet;

/// The name of an element, and of the Debian package that contains it.
pub(crate) type Element = (&'static str, &'static str);

/// The elements for playback. `parsebin` finds demultiplexers and parsers by itself; those of the usual containers are
/// listed so that a machine without them reports it at the start.
pub(crate) const PLAYBACK: &[Element] = &[
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

/// The element for sound in Opus, in addition to those for playback. Without it, sound is sent in PCM.
pub(crate) const OPUS: &[Element] = &[("opusenc", "gstreamer1.0-plugins-base")];

/// The elements for `import`, in addition to those for playback.
pub(crate) const IMPORT: &[Element] = &[
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("matroskamux", "gstreamer1.0-plugins-good"),
    ("deinterlace", "gstreamer1.0-plugins-good"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("audioconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("filesink", "libgstreamer1.0-0"),
];

/// The elements for `sample`, in addition to those for playback.
pub(crate) const SAMPLE: &[Element] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("matroskamux", "gstreamer1.0-plugins-good"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

/// Why GStreamer cannot do a job on this machine: one line with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The library does not start.
    #[error("GStreamer does not start: {0}; on Debian: apt install gstreamer1.0-plugins-base")]
    Init(gstreamer::glib::Error),
    /// Elements are missing.
    #[error("missing GStreamer elements: {}; on Debian: apt install {packages}", elements.join(", "))]
    Missing {
        /// Names of the missing elements.
        elements: Vec<&'static str>,
        /// The packages that contain them, separated by spaces.
        packages: String,
    },
}

/// Starts GStreamer. Does nothing if it has been started already.
///
/// # Errors
/// [`SetupError::Init`].
pub(crate) fn start() -> Result<(), SetupError> {
    gstreamer::init().map_err(SetupError::Init)
}

/// Starts GStreamer and checks that all elements for playback are installed. May be called repeatedly.
///
/// # Errors
/// Either [`SetupError`].
pub fn init() -> Result<(), SetupError> {
    require(PLAYBACK)
}

/// Starts GStreamer and checks that these elements are installed.
///
/// # Errors
/// Either [`SetupError`].
pub(crate) fn require(elements: &[Element]) -> Result<(), SetupError> {
    start()?;
    let missing = missing(elements);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<_> = missing.iter().map(|(_, package)| *package).collect();
    let packages = packages.into_iter().collect::<Vec<_>>().join(" ");
    Err(SetupError::Missing { elements: missing.into_iter().map(|(element, _)| element).collect(), packages })
}

/// Why sound cannot be encoded in Opus; `None` if it can.
pub fn opus_gap() -> Option<SetupError> {
    require(OPUS).err()
}

/// The elements that are not installed. GStreamer must have been started.
pub(crate) fn missing(elements: &[Element]) -> Vec<Element> {
    let is_missing = |(element, _): &&Element| gstreamer::ElementFactory::find(element).is_none();
    elements.iter().filter(is_missing).copied().collect()
}
