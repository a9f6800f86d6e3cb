//! The table of results, and the statistics it needs.

use std::{fmt, time::Duration};

/// One comparison. The strings are printed as they are.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// What it is compared with.
    pub baseline: String,
    /// The measured values of both, with units.
    pub measured: String,
    /// The first divided by the second, or empty.
    pub ratio: String,
    /// The required value, or empty.
    pub target: String,
    /// Whether the target is met; `None` where there is none.
    pub is_met: Option<bool>,
}

/// All comparisons.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds a row and prints it to stderr at once, because the whole table takes minutes.
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
        [&self.what, &self.baseline, &self.measured, &self.ratio, &self.target, met]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 6] = ["what", "baseline", "measured", "ratio", "target", "met"];
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
        let separators = widths.map(|width| "-".repeat(width));
        line(std::array::from_fn(|at| separators[at].as_str()))?;
        rows.into_iter().try_for_each(line)
    }
}

/// The median; the upper of the two middle values of an even number, and zero of none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which the fraction `part` (0 to 1) of all values lies; zero of none.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(last)).copied().unwrap_or_default()
}

/// The arithmetic mean; not a number if there are no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The largest value; zero of none.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The median of ratios, with minimum and maximum in parentheses.
pub fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    format!("{:.2} ({least:.2} to {:.2})", median(ratios), largest(ratios))
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
