//! What all views are built from: colours and sizes, small widgets, icons, and the format of numbers and times.

pub(super) mod dialog;
mod emoji_font;
mod fonts;
pub(super) mod format;
pub(super) mod hex_view;
pub(super) mod icons;
pub(super) mod list_keys;
pub(super) mod mark;
pub(super) mod menu;
pub(super) mod popover;
pub(super) mod reading_column;
pub(super) mod rows;
pub(super) mod search_field;
pub(super) mod strip;
pub(super) mod text;
pub mod theme;
pub(super) mod tip;
pub(super) mod title;
pub(super) mod widgets;
pub mod window_icon;
