//! What several tests share.

pub mod adversary;
pub mod bus;
pub mod client;
pub mod fake_server;
pub mod host;
pub mod member;
pub mod palette;
pub mod person;
pub mod raster;
pub mod scenes;
pub mod state;
pub mod wake;
pub mod wav;
pub mod window;
