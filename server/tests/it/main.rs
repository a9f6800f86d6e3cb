//! The server on real sockets, with real GStreamer.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod controls;
mod import;
mod library_live;
mod session;
mod session_pipe;
mod sound;
mod stream;
mod support;
mod thumbnail;
mod video_colour;
mod video_library;
mod video_odd;
mod video_splice;
mod video_stream_reader;
