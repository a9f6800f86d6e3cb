//! The Triptych server: relays end-to-end encrypted messages, which it cannot read, and streams videos as triptychs.
//!
//! Imports run one way: `main → server → listener → session → {hub, video} → outbox → common`. [`hub`] and [`video`] do not
//! import each other.

pub mod admission;
pub mod config;
mod descriptors;
pub mod discovery;
pub mod hub;
pub mod limits;
pub mod listen_address;
mod listener;
mod listeners;
pub mod live_table;
pub mod log_limiter;
pub mod monitor;
pub mod outbox;
mod private_files;
mod server;
pub mod session;
pub mod tls;
pub mod video;

pub use self::server::{Server, Settings, StartError};
