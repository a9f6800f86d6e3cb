//! The steps of the link, and what the client did in each.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::Context;
use common::media::{Delivery, SoundFormat};
use triptych_client::figures::Figures;

use crate::clip::LARGEST_HEIGHT;

/// From the beginning of a step on, stalls of this time are not counted.
const GRACE: Duration = Duration::from_secs(2);

/// The heading of the table.
pub const HEADING: &str = "\
| queue, run | link | changes of the delivery | settled | at the end | takes | received | stalls after 2 s | in the first 2 s | sound gaps | late here |
|---|---|---|---|---|---|---|---|---|---|---|";

/// What the columns mean.
pub const LEGEND: &str = "\
changes: seconds after the link changed; in brackets, the Mbit/s that the client then took the link to carry.
settled: when the last change was made. takes: pictures and sound of the second half of the step, in Mbit/s of video, and
their share of the link. received: on average in the whole step, in Mbit/s. stalls: how often playback waited, and the
longest wait. late here: pictures that came in time and were decoded too late.";

/// A rate of the link, and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// In Mbit/s.
    pub megabits: u64,
    /// In seconds.
    pub seconds: u64,
}

impl FromStr for Step {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (megabits, seconds) = text.split_once(':').context("a step is RATE:SECONDS, such as 40:20")?;
        Ok(Self { megabits: megabits.parse()?, seconds: seconds.parse()? })
    }
}

/// A moment, and the figures of the stream at it.
pub struct Mark {
    /// When it was.
    pub at: Instant,
    /// The figures.
    pub figures: Figures,
    /// Places so far at which sound was missing.
    pub sound_gaps: u64,
}

/// What happened while the client played.
#[derive(Default)]
pub struct Story {
    /// When another delivery was asked for, and what the link was taken to carry then, in bytes per second.
    changes: Vec<(Instant, Delivery, Option<u64>)>,
    /// From when to when playback waited for the server.
    stalls: Vec<(Instant, Instant)>,
    is_stalled: bool,
}

impl Story {
    /// Another delivery was asked for.
    pub fn changed(&mut self, delivery: Delivery, link_bytes_per_second: Option<u64>, now: Instant) {
        self.changes.push((now, delivery, link_bytes_per_second));
    }

    /// Whether playback waits now.
    pub fn note_stall(&mut self, is_stalled: bool, now: Instant) {
        match self.stalls.last_mut().filter(|_| self.is_stalled) {
            Some((_, to)) => *to = now,
            None if is_stalled => self.stalls.push((now, now)),
            None => {}
        }
        self.is_stalled = is_stalled;
    }

    /// How often playback waited in this time, and the longest wait within it.
    fn stalls(&self, from: Instant, to: Instant) -> (usize, Duration) {
        let within = |&(begun, ended): &(Instant, Instant)| {
            let time = ended.min(to).saturating_duration_since(begun.max(from));
            (begun < to && ended > from).then_some(time)
        };
        let stalls: Vec<_> = self.stalls.iter().filter_map(within).collect();
        (stalls.len(), stalls.into_iter().max().unwrap_or_default())
    }
}

/// A row of the table: what happened in this step, from marks at its beginning, its middle and its end.
pub fn row(run: &str, step: &Step, story: &Story, [from, middle, to]: [&Mark; 3]) -> String {
    let changes: Vec<_> = story.changes.iter().filter(|(at, ..)| (from.at..to.at).contains(at)).collect();
    let seconds = |at: Instant| at.saturating_duration_since(from.at).as_secs_f64();
    let described = changes.iter().map(|(at, delivery, rate)| {
        let rate = rate.map_or_else(|| "?".to_owned(), |rate| format!("{:.0}", rate as f64 * 8.0 / 1e6));
        format!("{:.1} s {} ({rate})", seconds(*at), name(delivery))
    });
    let described: Vec<_> = described.collect();
    let settled = changes.last().map_or_else(|| "at once".to_owned(), |(at, ..)| format!("{:.1} s", seconds(*at)));
    let last = story.changes.iter().rfind(|(at, ..)| *at < to.at);
    let level = last.map_or_else(|| name(&Delivery::FULL), |(_, delivery, _)| name(delivery));
    let tally = |mark: &Mark| mark.figures.tally;
    let megabits = |since: &Mark| (tally(to).received_bytes - tally(since).received_bytes) as f64 * 8.0 / 1e6;
    let video = tally(to).received_span.saturating_sub(tally(middle).received_span);
    let takes = megabits(middle) / video.as_secs_f64();
    let received = megabits(from) / seconds(to.at);
    let late = |mark: &Mark| tally(mark).late_at_decoder + tally(mark).late_at_display;
    let stalls = |(count, longest): (usize, Duration)| match count {
        0 => "0".to_owned(),
        _ => format!("{count}, longest {} ms", longest.as_millis()),
    };
    format!(
        "| {run} | {} | {} | {settled} | {level} | {takes:.1}, {:.2} | {received:.1} | {} | {} | {} | {} |",
        step.megabits,
        if described.is_empty() { "none".to_owned() } else { described.join("; ") },
        takes / step.megabits as f64,
        stalls(story.stalls(from.at + GRACE, to.at)),
        stalls(story.stalls(from.at, from.at + GRACE)),
        to.sound_gaps - from.sound_gaps,
        late(to) - late(from),
    )
}

fn name(delivery: &Delivery) -> String {
    let height = delivery.max_height.unwrap_or(LARGEST_HEIGHT);
    let step = if delivery.picture_step > 1 { format!("/{}", delivery.picture_step) } else { String::new() };
    let sound = if delivery.sound == SoundFormat::Opus { ", Opus" } else { "" };
    format!("{height}p{step}{sound}")
}
