//! Tests that look at the workspace as a whole.

mod tidy;
mod vectors;
