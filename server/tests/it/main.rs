//! The server on real sockets, with real GStreamer.

mod session;
mod stream;
mod support;
mod video_colour;
mod video_library;
mod video_reel;
mod video_splice;
