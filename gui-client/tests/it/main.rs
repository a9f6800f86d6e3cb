//! The client from outside: its state by events and actions, its views by what a screen reader reads, its playback on
//! real JPEGs.

mod net;
mod playback_decoder;
mod playback_playout;
mod scenes;
mod ui_state;
mod ui_views;
