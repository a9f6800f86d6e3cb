//! The server on real sockets, with real GStreamer.

mod session;
mod support;
mod video_splice;
