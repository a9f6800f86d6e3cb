//! Tests that look at the workspace as a whole.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod tidy;
mod vectors;
