//! Measures how fast the link is, from when the parts of pictures and the sound arrive.
//!
//! Only time in which bytes were arriving counts. Between the parts of one picture that is the link's doing, because the
//! server has the whole picture when it begins to send it. Between pictures the server may have waited for its decoder or for
//! credit, so that time is left out; it counts only where pictures are too small to come in parts, and then only while
//! there was credit.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Bytes at the beginning of a train that are not measured: shaped links let a burst pass at once, and TCP begins slowly.
const TRAIN_START_BYTES: usize = 64 * 1024;

/// Pictures up to this size come in too few parts to measure the link within them.
const SMALL_PICTURE_BYTES: usize = 64 * 1024;

/// A gap before an item is a pause of the server if it is longer than a link of 0.5 Mbit/s needs for the item, and this.
const SLOWEST_BYTES_PER_SECOND: f64 = 62_500.0;
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// The fast estimate is made of the latest samples that took this much time together …
const FAST_TIME: Duration = Duration::from_millis(450);

/// … and are not older than this.
const FAST_AGE: Duration = Duration::from_secs(1);

/// The slow estimate is made of the samples of this much time.
const SLOW_AGE: Duration = Duration::from_secs(3);

/// An estimate is made of at least this many bytes.
const LEAST_BYTES: usize = 32 * 1024;

/// Most samples that are kept, should parts be tiny.
const MAX_SAMPLES: usize = 8_192;

/// A part of a picture, or a chunk of sound, that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartArrival {
    /// Its size.
    pub bytes: usize,
    /// Whether an item begins with it.
    pub is_first: bool,
    /// Whether it is of the latest epoch; credit is counted for that one only.
    pub is_current: bool,
    /// The size of the picture that begins with it; `None` for sound and later parts.
    pub picture_bytes: Option<usize>,
}

/// How fast the link is, in bytes for each second in which they were arriving.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rate {
    /// Over the last fraction of a second; `None` when nothing could be measured.
    pub fast: Option<f64>,
    /// Over some seconds.
    pub slow: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    bytes: usize,
    time: Duration,
}

/// The measuring.
#[derive(Debug, Default)]
pub struct RateMeter {
    samples: VecDeque<Sample>,
    /// When credit was granted in the current epoch, and for how many items up to then.
    grants: VecDeque<(Instant, u64)>,
    granted_items: u64,
    arrived_items: u64,
    last_arrival: Option<Instant>,
    /// Bytes since the link was last known to be idle.
    train_bytes: usize,
    last_picture_bytes: usize,
    /// The least time from a grant to the first part of its first item.
    round_trip: Option<Duration>,
}

impl RateMeter {
    /// A new epoch begins, with no credit.
    pub fn begin_epoch(&mut self) {
        self.grants.clear();
        (self.granted_items, self.arrived_items) = (0, 0);
    }

    /// Credit was granted.
    pub fn granted(&mut self, items: u32, now: Instant) {
        self.granted_items += u64::from(items);
        self.grants.push_back((now, self.granted_items));
    }

    /// The least time that the server took to answer credit with an item; `None` before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Takes in that bytes arrived.
    pub fn arrived(&mut self, part: PartArrival, now: Instant) {
        let gap = self.last_arrival.replace(now).map(|last| now.saturating_duration_since(last));
        let counts = if part.is_first {
            let is_in_train = part.is_current && self.is_next_in_train(gap, now);
            if !is_in_train {
                self.train_bytes = 0;
            }
            let is_small = self.last_picture_bytes <= SMALL_PICTURE_BYTES;
            self.last_picture_bytes = part.picture_bytes.unwrap_or(self.last_picture_bytes);
            let pause = LEAST_PAUSE + Duration::from_secs_f64(part.bytes as f64 / SLOWEST_BYTES_PER_SECOND);
            is_in_train && is_small && gap.is_some_and(|gap| gap <= pause)
        } else {
            true
        };
        if let Some(time) = gap.filter(|_| counts && self.train_bytes >= TRAIN_START_BYTES) {
            self.samples.push_back(Sample { at: now, bytes: part.bytes, time });
        }
        self.train_bytes = self.train_bytes.saturating_add(part.bytes);
        while self.samples.len() > MAX_SAMPLES
            || self.samples.front().is_some_and(|sample| now.saturating_duration_since(sample.at) > SLOW_AGE)
        {
            self.samples.pop_front();
        }
    }

    /// Whether the server had credit for the next item already when it sent the one before.
    fn is_next_in_train(&mut self, gap: Option<Duration>, now: Instant) -> bool {
        self.arrived_items += 1;
        while self.grants.front().is_some_and(|&(_, items)| items < self.arrived_items) {
            self.grants.pop_front();
        }
        let (Some(&(granted_at, _)), Some(gap)) = (self.grants.front(), gap) else { return false };
        let since_grant = now.saturating_duration_since(granted_at);
        let is_in_train = self.round_trip.is_some_and(|round_trip| since_grant >= gap + round_trip);
        if !is_in_train {
            self.round_trip = Some(self.round_trip.map_or(since_grant, |least| least.min(since_grant)));
        }
        is_in_train
    }

    /// The estimates.
    pub fn rate(&self, now: Instant) -> Rate {
        let recent = |age: Duration| {
            self.samples.iter().rev().take_while(move |sample| now.saturating_duration_since(sample.at) <= age)
        };
        let (mut bytes, mut time) = (0, Duration::ZERO);
        for sample in recent(FAST_AGE) {
            bytes += sample.bytes;
            time += sample.time;
            if time >= FAST_TIME {
                break;
            }
        }
        let fast = per_second(bytes, time);
        let (bytes, time) = recent(SLOW_AGE)
            .fold((0, Duration::ZERO), |(bytes, time), sample| (bytes + sample.bytes, time + sample.time));
        Rate { fast, slow: per_second(bytes, time) }
    }
}

fn per_second(bytes: usize, time: Duration) -> Option<f64> {
    // Parts that were read together have no time between them; a nanosecond says "faster than can be measured".
    (bytes >= LEAST_BYTES).then(|| bytes as f64 / time.max(Duration::from_nanos(1)).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: usize = 32 * 1024;

    struct Bench {
        meter: RateMeter,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { meter: RateMeter::default(), now: Instant::now() }
        }

        fn pass(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        fn grant(&mut self, items: u32) {
            self.meter.granted(items, self.now);
        }

        /// A picture whose parts arrive at these intervals.
        fn picture(&mut self, bytes: usize, interval_millis: u64) {
            let mut left = bytes;
            while left > 0 {
                let part = left.min(PART);
                let is_first = left == bytes;
                if !is_first {
                    self.pass(interval_millis);
                }
                let arrival = PartArrival { bytes: part, is_first, is_current: true, picture_bytes: Some(bytes) };
                self.meter.arrived(arrival, self.now);
                left -= part;
            }
        }

        fn megabits(&self) -> Option<u64> {
            self.meter.rate(self.now).fast.map(|rate| (rate * 8.0 / 1e6).round() as u64)
        }
    }

    #[test]
    fn the_speed_within_pictures_is_that_of_the_link_and_pauses_between_them_do_not_count() {
        let mut bench = Bench::new();
        bench.grant(100);
        bench.pass(5);
        for pause_millis in [1, 40, 300, 900, 5] {
            bench.picture(10 * PART, 4);
            assert_eq!(bench.megabits(), Some(66), "32 KiB in 4 ms, after a pause of {pause_millis} ms");
            bench.pass(pause_millis);
        }
    }

    #[test]
    fn small_pictures_are_measured_together_while_there_is_credit() {
        let mut bench = Bench::new();
        bench.grant(50);
        for _ in 0..4 {
            bench.pass(500);
            for _ in 0..10 {
                bench.pass(12);
                bench.picture(12_000, 0);
            }
        }
        assert_eq!(bench.megabits(), Some(8), "12 kB in 12 ms; half a second is a pause");
    }

    #[test]
    fn small_pictures_that_wait_for_credit_are_not_measured() {
        let mut bench = Bench::new();
        for _ in 0..100 {
            bench.grant(1);
            bench.pass(5);
            bench.picture(12_000, 0);
            bench.pass(35);
        }
        assert_eq!(bench.megabits(), None, "each was sent when it was granted, and waited for nothing");
        assert_eq!(bench.meter.round_trip(), Some(Duration::from_millis(5)));
    }

    #[test]
    fn the_first_bytes_of_a_train_are_not_measured() {
        let mut bench = Bench::new();
        for _ in 0..10 {
            bench.grant(1);
            bench.pass(5);
            // A shaper lets 64 KiB pass at once, and the rest at 8 ms for each part.
            bench.picture(PART, 0);
            bench.grant(1);
            bench.picture(PART, 0);
            bench.grant(1);
            bench.pass(8);
            bench.picture(8 * PART, 8);
            bench.pass(200);
        }
        let megabits = bench.megabits().expect("enough has arrived");
        assert!((30..=36).contains(&megabits), "{megabits}");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut bench = Bench::new();
        bench.grant(100);
        bench.pass(5);
        bench.picture(20 * PART, 1);
        assert!(bench.megabits().is_some());
        bench.pass(1_100);
        assert_eq!(bench.meter.rate(bench.now).fast, None);
        assert!(bench.meter.rate(bench.now).slow.is_some());
        bench.pass(2_000);
        assert_eq!(bench.meter.rate(bench.now), Rate::default());
    }
}
