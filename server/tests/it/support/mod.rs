//! Helpers that the tests share.

pub mod cinema;
pub mod client;
pub mod clips;
pub mod crowd;
pub mod guard;
pub mod library;
pub mod pipe;
pub mod server;
pub mod watch;
