//! The server on real sockets, with real GStreamer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a panic is how a test fails")]
#![allow(clippy::let_underscore_must_use, reason = "what a test does not check does not matter to it")]
#![allow(unreachable_pub, reason = "a test program has no callers outside")]

mod console;
mod controls;
mod crash_in_a_crowd;
mod delivery;
mod descriptors;
mod discovery;
mod disk_cache;
mod framing;
mod half_open;
mod import;
mod library_live;
mod live_table;
mod login;
mod members;
mod names;
mod presence;
mod previews;
mod processes;
mod python_client;
mod room;
mod session;
mod session_pipe;
mod sound;
mod stream;
mod support;
mod thumbnail;
mod tiny_cache;
mod together;
mod video_colour;
mod video_library;
mod video_odd;
mod video_splice;
mod video_stream_reader;
