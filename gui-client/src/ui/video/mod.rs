//! The list of videos, the picture, and what controls it.

mod controls;
mod keys;
pub(super) mod library;
pub(super) mod player;
mod seek_bar;
