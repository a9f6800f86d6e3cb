//! The Triptych server: relays messages that it cannot read, and streams videos as triptychs.
//!
//! `main → server → listener → session → {hub, video} → outbox → common`. [`hub`] and [`video`] do not know each other.

pub mod config;
pub mod hub;
mod listener;
pub mod outbox;
mod server;
pub mod session;
pub mod tls;
pub mod video;

pub use self::server::{Server, Settings, StartError};
