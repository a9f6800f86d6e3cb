//! What every part of the window is drawn with: colours and sizes, small widgets, icons, and how figures are written.

pub(super) mod format;
pub(super) mod icons;
pub mod theme;
pub(super) mod widgets;
pub mod window_icon;
