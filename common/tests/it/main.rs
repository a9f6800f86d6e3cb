//! Tests that look at the workspace as a whole.

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a panic is how a test fails")]
#![allow(clippy::let_underscore_must_use, reason = "what a test does not check does not matter to it")]
#![allow(unreachable_pub, reason = "a test program has no callers outside")]

mod opener;
mod opus;
mod pictures;
mod tidy;
mod vectors;
