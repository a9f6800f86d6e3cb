//! The videos: the list, the picture and its controls.

mod announce;
mod buttons;
mod cards;
mod control_row;
mod controls;
mod idle;
mod ids;
mod keys;
pub(super) mod library;
mod menus;
mod opener;
pub(super) mod player;
pub(super) mod preview;
mod seek_bar;
mod statistics;
mod together;
mod volume;
