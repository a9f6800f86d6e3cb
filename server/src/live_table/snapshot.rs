//! What the table shows: the difference of two looks at the server. Pure.

use std::{collections::BTreeMap, time::Duration};

use common::{media::Statistics, name::Name};

use crate::{monitor::Figures, video::stream::Watch};

/// What the table shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// How long the server has run.
    pub uptime: Duration,
    /// How many people are online.
    pub people_count: usize,
    /// Who watches, in the order in which they began.
    pub watching: Vec<Row>,
    /// The names of those who are online and watch nothing, in alphabetical order.
    pub others: Vec<String>,
    /// Bits that were sent to all clients together in a second.
    pub bits_per_second: f64,
    /// The frame store.
    pub store: Statistics,
}

/// A person who watches a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The name.
    pub person: String,
    /// The title of the video, without control characters.
    pub title: String,
    /// The height of the file that the pictures come from now; 0 before the first one.
    pub height: u32,
    /// Up to where pictures were sent.
    pub position: Duration,
    /// The length of the video.
    pub duration: Duration,
    /// Pictures that were sent in a second.
    pub pictures_per_second: f64,
    /// Bits of the stream that were sent in a second.
    pub bits_per_second: f64,
}

impl Snapshot {
    /// What happened between two looks that are `elapsed` apart.
    pub fn between(before: &Figures, now: &Figures, elapsed: Duration, uptime: Duration) -> Self {
        let rate = |now: u64, before: u64| {
            let seconds = elapsed.as_secs_f64();
            if seconds > 0.0 { now.saturating_sub(before) as f64 / seconds } else { 0.0 }
        };
        let known: BTreeMap<u64, &Watch> = before.watches.iter().map(|watch| (watch.id, watch)).collect();
        let row = |watch: &Watch| {
            let (pictures, bytes) = known.get(&watch.id).map_or((0, 0), |known| (known.picture_count, known.bytes));
            Row {
                person: watch.viewer.to_string(),
                title: watch.title.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
                height: watch.height,
                position: Duration::from_nanos(watch.position_nanos),
                duration: Duration::from_nanos(watch.duration_nanos),
                pictures_per_second: rate(watch.picture_count, pictures),
                bits_per_second: rate(watch.bytes, bytes) * 8.0,
            }
        };
        let watches = |name: &Name| now.watches.iter().any(|watch| watch.viewer == *name);
        Self {
            uptime,
            people_count: now.people.len(),
            watching: now.watches.iter().map(row).collect(),
            others: now.people.iter().filter(|name| !watches(name)).map(ToString::to_string).collect(),
            bits_per_second: rate(now.sent_bytes, before.sent_bytes) * 8.0,
            store: now.store,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn watch(id: u64, viewer: &str, picture_count: u64, bytes: u64) -> Watch {
        let (position_nanos, duration_nanos) = (3_500_000_000, 12_000_000_000);
        let title = "Film\u{1b}[2J".to_owned();
        Watch { id, viewer: name(viewer), title, height: 720, position_nanos, duration_nanos, picture_count, bytes }
    }

    #[test]
    fn rates_are_what_was_sent_between_two_looks() {
        let before = Figures {
            people: vec![name("Ada"), name("Bob")],
            watches: vec![watch(1, "Ada", 100, 1_000)],
            sent_bytes: 5_000,
            store: Statistics::default(),
        };
        let now = Figures {
            people: vec![name("Ada"), name("Bob"), name("Carl")],
            watches: vec![watch(1, "Ada", 160, 251_000), watch(2, "Bob", 10, 500)],
            sent_bytes: 505_000,
            store: Statistics::default(),
        };
        let snapshot = Snapshot::between(&before, &now, Duration::from_secs(2), Duration::from_secs(90));
        assert_eq!((snapshot.people_count, snapshot.others.as_slice()), (3, &["Carl".to_owned()][..]));
        assert_eq!(snapshot.bits_per_second, 2_000_000.0);
        let rates: Vec<_> =
            snapshot.watching.iter().map(|row| (row.pictures_per_second, row.bits_per_second)).collect();
        assert_eq!(rates, [(30.0, 1_000_000.0), (5.0, 2_000.0)], "a stream is new at first");
        assert_eq!(snapshot.watching[0].title, "Film\u{fffd}[2J", "a file's name commands no terminal");
        let first = Snapshot::between(&now, &now, Duration::ZERO, Duration::ZERO);
        assert!(first.watching.iter().all(|row| row.pictures_per_second == 0.0));
    }
}
