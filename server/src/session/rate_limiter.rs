//! How fast the server works off what one client asks for: a token bucket in units of time. Pure; the time is an argument.

use std::time::{Duration, Instant};

/// Average rate at which one client's envelopes are relayed. They are multiplied by the number of people online, so
/// without a limit one client that floods would have all others disconnected for not reading fast enough.
const RELAY_BYTES_PER_SECOND: u64 = 512 * 1024;

/// Cost of a request that starts a decoder or sends the whole dictionary: thirty per second is as fast as anyone drags a
/// slider.
pub(super) const REQUEST_COST: Duration = Duration::from_millis(33);

/// Burst allowance: work that may be ahead of the average rate before the client has to wait.
const BURST: Duration = Duration::from_secs(2);

/// Cost of relaying an envelope.
pub(super) fn relay_cost(envelope_bytes: usize) -> Duration {
    Duration::from_micros(envelope_bytes as u64 * 1_000_000 / RELAY_BYTES_PER_SECOND)
}

/// The limiter of one client.
pub(super) struct RateLimiter {
    /// When the requests so far will have been worked off at the average rate.
    worked_off_at: Instant,
}

impl RateLimiter {
    /// A client that has its whole burst before it.
    pub(super) fn new(now: Instant) -> Self {
        Self { worked_off_at: now }
    }

    /// Charges a request. Returns when the next one may be read if the burst is used up.
    pub(super) fn charge(&mut self, cost: Duration, now: Instant) -> Option<Instant> {
        self.worked_off_at = self.worked_off_at.max(now) + cost;
        let ahead = self.worked_off_at.duration_since(now);
        ahead.checked_sub(BURST).filter(|wait| !wait.is_zero()).map(|wait| now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_waits_for_its_turn() {
        let now = Instant::now();
        let mut limiter = RateLimiter::new(now);
        let free = (0..100).take_while(|_| limiter.charge(REQUEST_COST, now).is_none()).count();
        assert_eq!(free, 60, "two seconds at 33 ms each");
        let next = limiter.charge(REQUEST_COST, now).unwrap();
        assert_eq!(next, now + (REQUEST_COST * 62).saturating_sub(BURST));
    }

    #[test]
    fn the_burst_returns_with_time_but_does_not_add_up() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(start);
        assert!(limiter.charge(BURST, start).is_none());
        assert!(limiter.charge(REQUEST_COST, start).is_some());
        let later = start + Duration::from_secs(3600);
        assert!(limiter.charge(BURST, later).is_none(), "an hour of silence gives the burst back");
        assert!(limiter.charge(REQUEST_COST, later).is_some(), "but only one burst");
    }

    #[test]
    fn a_client_that_keeps_to_the_average_never_waits() {
        let mut now = Instant::now();
        let mut limiter = RateLimiter::new(now);
        for _ in 0..10_000 {
            assert_eq!(limiter.charge(relay_cost(16 * 1024), now), None);
            now += Duration::from_micros(31_250);
        }
    }
}
