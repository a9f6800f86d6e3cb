//! Rates of the stream that plays, from its figures at several moments.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::figures::Figures;

/// How often the window asks the player for its figures.
pub const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Rates are means over at most this time …
const WINDOW: Duration = Duration::from_secs(2);

/// … and are not given before this time, because those of a moment say little.
const LEAST_WINDOW: Duration = Duration::from_millis(200);

/// Means over the last two seconds, or since the stream began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Pictures shown per second.
    pub shown_per_second: f64,
    /// Pictures received per second.
    pub received_per_second: f64,
    /// Pictures and sound received, in bits per second.
    pub received_bits_per_second: f64,
}

/// The latest figures of a stream.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    samples: VecDeque<(Instant, Figures)>,
    needed_bits_per_second: Option<f64>,
}

impl Meter {
    /// Takes the figures of this moment. Those of another stream replace all.
    pub fn take(&mut self, figures: Figures, now: Instant) {
        let is_next = |before: &Figures| {
            before.stream == figures.stream && before.tally.received_bytes <= figures.tally.received_bytes
        };
        match self.samples.back().map(|(_, last)| *last) {
            Some(last) if is_next(&last) => {
                let span = figures.tally.received_span.saturating_sub(last.tally.received_span);
                if span.is_zero() {
                    // Nothing but sound came, or nothing at all: what is needed stays as it was.
                } else {
                    let bits = bits(figures.tally.received_bytes - last.tally.received_bytes);
                    let needed = bits / span.as_secs_f64();
                    // Smoothed, because pictures differ in size.
                    let before = self.needed_bits_per_second.unwrap_or(needed);
                    self.needed_bits_per_second = Some(before + (needed - before) / 4.0);
                }
            }
            _ => *self = Self::default(),
        }
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > WINDOW;
        // One that is as old as the window, or older, is kept: from it to the newest is the whole window.
        while self.samples.get(1).is_some_and(|(at, _)| is_old(at)) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, figures));
    }

    /// The figures taken last.
    pub fn latest(&self) -> Option<&Figures> {
        self.samples.back().map(|(_, figures)| figures)
    }

    /// Whether figures are to be taken again.
    pub fn is_due(&self, now: Instant) -> bool {
        self.samples.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SAMPLE_INTERVAL)
    }

    /// The rates; `None` as long as too little time was measured.
    pub fn rates(&self) -> Option<Rates> {
        let ((begun, first), (ended, last)) = (self.samples.front()?, self.samples.back()?);
        let measured = ended.saturating_duration_since(*begun);
        if measured < LEAST_WINDOW {
            return None;
        }
        let per_second = |count: u64| count as f64 / measured.as_secs_f64();
        let (first, last) = (&first.tally, &last.tally);
        Some(Rates {
            shown_per_second: per_second(last.shown - first.shown),
            received_per_second: per_second(last.received - first.received),
            received_bits_per_second: bits(last.received_bytes - first.received_bytes) / measured.as_secs_f64(),
        })
    }

    /// What pictures and sound take per second of the video, as they came last; `None` before two samples with pictures.
    pub fn needed_bits_per_second(&self) -> Option<f64> {
        self.needed_bits_per_second
    }
}

fn bits(bytes: u64) -> f64 {
    bytes as f64 * 8.0
}

#[cfg(test)]
mod tests {
    use common::media::StreamId;

    use super::*;
    use crate::figures::Tally;

    const SECOND: Duration = Duration::from_secs(1);

    fn figures(stream: u32, pictures: u64, span: Duration, bytes: u64) -> Figures {
        Figures {
            stream: StreamId(stream),
            tally: Tally {
                shown: pictures,
                received: pictures,
                received_span: span,
                received_bytes: bytes,
                ..Tally::default()
            },
            buffered: Duration::ZERO,
            buffered_pictures: 0,
            first_picture_after: None,
            seek_picture_after: None,
            decoding: None,
        }
    }

    #[test]
    fn rates_are_those_of_the_last_two_seconds() {
        let begun = Instant::now();
        let mut meter = Meter::default();
        assert!(meter.is_due(begun));
        // A second of a tenth of the speed, then three of all of it: 25 pictures of 10,000 bytes each second.
        let mut pictures = 0;
        for quarter in 0..=16_u32 {
            let at = begun + quarter * SAMPLE_INTERVAL;
            meter.take(figures(1, pictures, Duration::from_millis(40 * pictures), pictures * 10_000), at);
            assert!(!meter.is_due(at) && meter.is_due(at + SAMPLE_INTERVAL));
            if quarter == 0 {
                assert_eq!(meter.rates(), None, "one sample is no rate");
            }
            pictures += if quarter < 4 { 1 } else { 6 };
        }
        let rates = meter.rates().expect("four seconds were measured");
        assert!((23.0..25.0).contains(&rates.received_per_second), "{rates:?}");
        assert!((23.0..25.0).contains(&rates.shown_per_second), "{rates:?}");
        assert!((1.84e6..2e6).contains(&rates.received_bits_per_second), "{rates:?}");
    }

    #[test]
    fn what_is_needed_does_not_depend_on_how_fast_it_comes() {
        let begun = Instant::now();
        for pace in [1, 4] {
            let mut meter = Meter::default();
            for second in 0..10_u32 {
                let video = SECOND * second;
                let at = begun + video * pace;
                meter.take(figures(1, u64::from(25 * second), video, u64::from(10_000_000 * second)), at);
            }
            let needed = meter.needed_bits_per_second().expect("pictures came");
            assert!((needed - 80e6).abs() < 1.0, "{needed}");
            // A stall: nothing comes, and as much is needed as before.
            let last = *meter.latest().expect("ten were taken");
            meter.take(last, begun + SECOND * 100);
            assert_eq!(meter.needed_bits_per_second(), Some(needed));
            assert_eq!(meter.rates().expect("a long time").received_bits_per_second, 0.0);
        }
    }

    #[test]
    fn another_stream_begins_anew() {
        let begun = Instant::now();
        let mut meter = Meter::default();
        meter.take(figures(1, 100, 4 * SECOND, 1_000), begun);
        meter.take(figures(1, 200, 8 * SECOND, 2_000), begun + SECOND);
        // Also one that has come further.
        meter.take(figures(2, 500, 20 * SECOND, 5_000), begun + 2 * SECOND);
        assert_eq!((meter.rates(), meter.needed_bits_per_second()), (None, None));
        assert_eq!(meter.latest().map(|figures| figures.stream), Some(StreamId(2)));
    }
}
