//! Sources of the ids of what can have the focus while the keys still control the video.

/// The volume slider.
pub(super) const VOLUME: &str = "volume";

/// The seek bar.
pub(super) const SEEK_BAR: &str = "seek bar";

/// The picture.
pub(super) const PICTURE: &str = "picture";
