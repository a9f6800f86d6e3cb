//! The one table that comes out, and medians.

use std::{fmt, time::Duration};

/// One comparison.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// What it is set beside.
    pub beside: String,
    /// What was measured, of both.
    pub measured: String,
    /// The one by the other.
    pub ratio: String,
    /// What is demanded.
    pub bar: String,
    /// Whether it is met; `None` where nothing is demanded.
    pub is_met: Option<bool>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds a row, and says so at once: the whole takes minutes.
    pub fn add(&mut self, row: Row) {
        eprintln!("  {}: {} {}", row.what, row.measured, row.ratio);
        self.0.push(row);
    }
}

impl Row {
    fn cells(&self) -> [&str; 6] {
        let met = match self.is_met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        [&self.what, &self.beside, &self.measured, &self.ratio, &self.bar, met]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] = ["what", "beside", "measured", "ratio", "bar", "met"];
        let rows: Vec<_> = self.0.iter().map(Row::cells).collect();
        let width = |at: usize| {
            let cells = rows.iter().map(|cells| cells[at].chars().count());
            cells.chain([HEAD[at].len()]).max().unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut line = |cells: [&str; 6]| {
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")
        };
        line(HEAD)?;
        let rules = widths.map(|width| "-".repeat(width));
        line(std::array::from_fn(|at| rules[at].as_str()))?;
        rows.into_iter().try_for_each(line)
    }
}

/// The middle one; of an even number the upper of the two. Zero of none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this part of all lies.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(last)).copied().unwrap_or_default()
}

/// The largest.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// A median of ratios, and between what they lay.
pub fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    format!("{:.2} ({least:.2} to {:.2})", median(ratios), largest(ratios))
}

/// In milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
