//! How far two clients are apart, from where each of them was when.

use std::time::{Duration, Instant};

/// The heading of the table.
pub const HEADING: &str = "\
| link of the guest | after | together after | apart after the first second: p50 | p95 | largest | rested: host | guest |
|---|---|---|---|---|---|---|---|";

/// What the columns mean.
pub const LEGEND: &str = "\
together after: when both were less than 40 ms apart for the first time. apart: the distance between the clocks by which both show
pictures, every 10 ms while both play. rested: how much of the part the clock of each did not run, because it waited for its cue, for pictures or
in a pause.";

/// Both are together when they are no further apart than a picture.
const TOGETHER: Duration = Duration::from_millis(40);

/// How often both are compared.
const STEP: Duration = Duration::from_millis(10);

/// A reading that is older does not count: the clock rests.
const FRESH: Duration = Duration::from_millis(60);

/// From here on the distance counts.
const SETTLED: Duration = Duration::from_secs(1);

/// Where a client was when.
pub type Reading = (Instant, Duration);

/// A part of the measurement.
pub struct Part {
    /// Its first and last moment.
    pub begun: Instant,
    pub ended: Instant,
    /// Those of the host and of the guest.
    pub readings: [Vec<Reading>; 2],
}

/// Where a client is at this time; `None` while its clock rests.
fn position(readings: &[Reading], at: Instant) -> Option<Duration> {
    let last = readings[..readings.partition_point(|(time, _)| *time <= at)].last()?;
    let passed = at - last.0;
    (passed <= FRESH).then(|| last.1 + passed)
}

/// A row of the table.
pub fn row(link: &str, what: &str, part: &Part) -> String {
    let (mut apart, mut together, mut rested, mut steps) = (Vec::new(), None, [0u32; 2], 0u32);
    let mut at = part.begun;
    while at < part.ended {
        let positions = [0, 1].map(|index: usize| position(&part.readings[index], at));
        steps += 1;
        for (rested, position) in rested.iter_mut().zip(positions) {
            *rested += u32::from(position.is_none());
        }
        if let [Some(host), Some(guest)] = positions {
            let distance = host.abs_diff(guest);
            if distance < TOGETHER {
                together = together.or(Some(at - part.begun));
            }
            if at - part.begun >= SETTLED {
                apart.push(distance);
            }
        }
        at += STEP;
    }
    apart.sort();
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let percentile = |percent: usize| apart.get((apart.len() * percent / 100).min(apart.len().saturating_sub(1)));
    let shown = |percent| percentile(percent).map_or("–".to_owned(), |time| millis(*time));
    let [host, guest] = rested.map(|count| format!("{:.1} %", 100.0 * f64::from(count) / f64::from(steps.max(1))));
    let together = together.map_or("never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
    format!("| {link} | {what} | {together} | {} | {} | {} | {host} | {guest} |", shown(50), shown(95), shown(100))
}
