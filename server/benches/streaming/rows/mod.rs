//! The comparisons, one method each.

mod flow;
mod load;
mod opening;

use std::path::PathBuf;

/// What all rows need.
pub struct Bench {
    /// The server's program.
    pub server: PathBuf,
    /// How often each comparison is made.
    pub runs: usize,
}

/// The ones by the others, pair by pair.
fn ratios(ones: &[f64], others: &[f64]) -> Vec<f64> {
    ones.iter().zip(others).map(|(one, other)| one / other).collect()
}
