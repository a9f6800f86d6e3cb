//! The videos: the list, the picture and its controls.

mod controls;
mod keys;
pub(super) mod library;
pub(super) mod player;
mod seek_bar;
mod statistics;
