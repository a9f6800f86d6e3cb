//! End-to-end tests of the built programs: real servers, real windows on real screens, mouse and keyboard.
//!
//! What a window shows is read as a screen reader reads it, and where only the picture of a video can tell, from pixels.
//! Screenshots stay in `target/tmp/desktop-*/`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]
#![allow(clippy::let_underscore_must_use, reason = "programs that are already gone need not be ended")]
#![allow(unreachable_pub, reason = "a test program has no callers outside")]
#![allow(clippy::disallowed_methods, reason = "other programs are watched by polling their screen, log and sound")]

mod disk;
mod first_run;
mod identity;
mod network;
mod picture;
mod programs;
mod recovery;
mod screen;
mod session_bus;
mod small_window;
mod sound;
mod stage;
mod talking;
mod user;
mod watching;
mod widgets;
