//! The client from outside: its state by events and actions, its views by what a screen reader reads, its playback on
//! real JPEGs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod net;
mod playback_decoder;
mod playback_playout;
mod playback_sound;
mod scenes;
mod state_player;
mod ui_player;
mod ui_state;
mod ui_views;
