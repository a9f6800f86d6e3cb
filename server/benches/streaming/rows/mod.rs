//! The comparisons, one method each.

mod chat;
mod encoder;
mod flow;
mod foreign;
mod joins;
mod load;
mod opening;
mod previews;
mod ready;

use std::path::PathBuf;

/// The settings of all rows.
pub struct Bench {
    /// Path of the server program.
    pub server: PathBuf,
    /// Runs of each comparison.
    pub runs: usize,
}

/// The ratios of the values of each run.
fn ratios(values: &[f64], baselines: &[f64]) -> Vec<f64> {
    values.iter().zip(baselines).map(|(value, baseline)| value / baseline).collect()
}
