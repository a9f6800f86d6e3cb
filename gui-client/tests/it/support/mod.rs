//! What several tests share.

pub mod client;
pub mod fake_server;
pub mod host;
pub mod scenes;
pub mod state;
pub mod wake;
pub mod window;
