//! The server's clock, as far as this client knows it: from probes, of which the server says when it read them. Pure.
//!
//! An echo may have waited on its way, and no one can tell on which half of it. So of the latest round trips the shortest
//! counts: the time that it names is wrong by half of it at most.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::event::RoundTrip;

/// The round trips of which the shortest counts.
pub(super) const SAMPLES: usize = 8;

/// Older ones do not count: two clocks may drift apart by a tenth of a millisecond in a second.
const MOST_AGE: Duration = Duration::from_secs(30);

/// What is known of the server's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerClock(VecDeque<RoundTrip>);

impl ServerClock {
    /// Takes in a round trip.
    pub(super) fn add(&mut self, round_trip: RoundTrip) {
        let now = round_trip.received_at;
        self.0.retain(|sample| now.saturating_duration_since(sample.received_at) < MOST_AGE);
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(round_trip);
    }

    /// Whether more round trips would tell more, soon.
    pub(super) fn wants_more(&self, now: Instant) -> bool {
        let is_fresh = |sample: &&RoundTrip| now.saturating_duration_since(sample.received_at) < MOST_AGE;
        self.0.iter().filter(is_fresh).count() < SAMPLES
    }

    /// When the server's clock shows this time; `None` while nothing is known of it, and for times that no clock can show.
    pub(super) fn instant_of(&self, server_nanos: u64) -> Option<Instant> {
        let (middle, middle_nanos) = self.middle()?;
        match server_nanos.checked_sub(middle_nanos) {
            Some(ahead) => middle.checked_add(Duration::from_nanos(ahead)),
            None => middle.checked_sub(Duration::from_nanos(middle_nanos - server_nanos)),
        }
    }

    /// The time that the server's clock shows at this instant.
    pub(super) fn nanos_at(&self, instant: Instant) -> Option<u64> {
        let (middle, middle_nanos) = self.middle()?;
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).ok();
        match instant.checked_duration_since(middle) {
            Some(ahead) => middle_nanos.checked_add(nanos(ahead)?),
            None => middle_nanos.checked_sub(nanos(middle.saturating_duration_since(instant))?),
        }
    }

    /// The middle of the shortest round trip, by both clocks.
    fn middle(&self) -> Option<(Instant, u64)> {
        let best = self.0.iter().min_by_key(|sample| sample.duration())?;
        Some((best.sent_at + best.duration() / 2, best.server_nanos))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFSET_NANOS: u64 = 5_000_000_000;

    /// A round trip that begins at this time and takes so long there and back, in microseconds.
    fn round_trip(begun: Instant, at: u64, there: u64, back: u64) -> RoundTrip {
        let instant = |micros| begun + Duration::from_micros(micros);
        let server_nanos = OFFSET_NANOS + (at + there) * 1_000;
        RoundTrip { sent_at: instant(at), received_at: instant(at + there + back), server_nanos }
    }

    #[test]
    fn nothing_is_known_before_the_first_echo_and_what_is_old_is_forgotten() {
        let begun = Instant::now();
        let mut clock = ServerClock::default();
        assert_eq!((clock.nanos_at(begun), clock.instant_of(5)), (None, None));
        clock.add(round_trip(begun, 0, 100, 100));
        assert_eq!(clock.nanos_at(begun), Some(OFFSET_NANOS));
        assert_eq!(clock.instant_of(u64::MAX).and_then(|end| clock.nanos_at(end)), Some(u64::MAX));
        assert!(clock.wants_more(begun));
        clock.add(round_trip(begun, 40_000_000, 900, 100));
        assert_eq!(clock.0.len(), 1, "it was half a minute old");
    }

    proptest! {
        /// However the ways there and back differ: the clock is wrong by half of the shortest of the latest round trips at most,
        /// and both directions of the calculation agree.
        #[test]
        fn the_clock_is_as_good_as_the_shortest_round_trip(
            trips in prop::collection::vec((0u64..200_000, 0u64..200_000), 1..30),
            at_micros in 0u64..10_000_000,
        ) {
            let begun = Instant::now();
            let mut clock = ServerClock::default();
            for (number, (there, back)) in (0u64..).zip(&trips) {
                clock.add(round_trip(begun, number * 500_000, *there, *back));
            }
            let latest = trips.iter().rev().take(SAMPLES);
            let most_nanos = latest.map(|(there, back)| (there + back) * 500).min().expect("there is one");
            let at = begun + Duration::from_micros(at_micros);
            let shown = clock.nanos_at(at).expect("it is known");
            prop_assert!(shown.abs_diff(OFFSET_NANOS + at_micros * 1_000) <= most_nanos + 1);
            prop_assert_eq!(clock.instant_of(shown), Some(at));
        }
    }
}
