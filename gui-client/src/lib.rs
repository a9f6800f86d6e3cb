//! The Triptych client: people, private messages and videos in one window.
//!
//! `main → app → {ui, net, state, playback}`: `net` talks to the server, `playback` decodes and plays, `state` is plain
//! data that events and actions change, `ui` draws it and returns actions. `net` and `ui` meet only in [`event`]
//! and [`dictionary`], `playback` and `state` in [`event`] and [`figures`]. [`settings`] are what is remembered.

pub mod app;
pub mod config;
pub mod dictionary;
pub mod event;
pub mod figures;
pub mod net;
pub mod pins;
pub mod playback;
pub mod settings;
pub mod state;
pub mod ui;
