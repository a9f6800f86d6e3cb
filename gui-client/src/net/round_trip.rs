//! Measures the round trip: which probes were sent when, and which of them an echo answers. Pure; every call passes the time.

use std::{collections::VecDeque, time::Instant};

use crate::event::RoundTrip;

/// Probes that may wait for their echo. The oldest are forgotten first.
const MOST_WAITING: usize = 8;

/// The probes of one connection.
#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    last_number: u64,
    waiting: VecDeque<(u64, Instant)>,
}

impl RoundTrips {
    /// The number of a probe that is sent now.
    pub(super) fn probe(&mut self, now: Instant) -> u64 {
        self.last_number += 1;
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((self.last_number, now));
        self.last_number
    }

    /// Takes an echo that arrives now, with the time of the server's clock. `None` when no probe waits for it.
    pub(super) fn echo(&mut self, number: u64, server_nanos: u64, now: Instant) -> Option<RoundTrip> {
        let index = self.waiting.iter().position(|(waiting, _)| *waiting == number)?;
        // The server does not answer earlier ones any more.
        let (_, sent_at) = self.waiting.drain(..=index).next_back()?;
        Some(RoundTrip { sent_at, received_at: now, server_nanos })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_echo_is_compared_with_its_own_probe_and_counts_once() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut trips = RoundTrips::default();
        let numbers = [0, 10, 20].map(|millis| trips.probe(at(millis)));
        let expected = RoundTrip { sent_at: at(10), received_at: at(25), server_nanos: 7 };
        assert_eq!(trips.echo(numbers[1], 7, at(25)), Some(expected));
        assert_eq!(expected.duration(), Duration::from_millis(15));
        assert_eq!(trips.echo(numbers[1], 8, at(26)), None, "once");
        assert_eq!(trips.echo(numbers[0], 9, at(27)), None, "a later one replaced it");
        assert_eq!(trips.echo(99, 9, at(28)), None, "there was no such probe");
        assert!(trips.echo(numbers[2], 9, at(40)).is_some());
    }

    #[test]
    fn a_server_that_answers_none_costs_no_memory() {
        let now = Instant::now();
        let mut trips = RoundTrips::default();
        let numbers: Vec<u64> = (0..1_000).map(|_| trips.probe(now)).collect();
        assert_eq!(trips.waiting.len(), MOST_WAITING);
        assert!(trips.echo(numbers[991], 0, now).is_none() && trips.echo(numbers[992], 0, now).is_some());
    }
}
