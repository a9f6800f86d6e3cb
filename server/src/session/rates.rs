//! How fast the server works off what one client asks for: token buckets in units of time. Everything that a client says
//! costs something, and a client that says too much is read more slowly. Pure; the time is an argument.

use std::time::{Duration, Instant};

use crate::limits::Limits;

/// Messages of any kind per second: twenty times as many as a client sends that plays a video.
const MESSAGES_PER_SECOND: u64 = 1000;

/// The burst of messages of any kind, in seconds of the average rate.
const MESSAGE_BURST_SECONDS: u64 = 2;

/// The burst of requests, in seconds of the average rate.
const REQUEST_BURST_SECONDS: u64 = 2;

/// The burst of thumbnails, in seconds of the average rate.
const THUMBNAIL_BURST_SECONDS: u64 = 2;

/// Acts in a party per second, and at once: everyone in it is told of each. An honest client waits for the answer to one
/// before the next.
const ACTS_PER_SECOND: u64 = 5;
const ACTS_AT_ONCE: u64 = 20;

/// The burst of previews: those that show all of a video coarsely.
const PREVIEW_BURST_BYTES: u64 = 64 * 1024;

/// New session keys at once. An honest client has one every ten minutes.
const RENEWALS_AT_ONCE: u64 = 4;

/// The work that a new session key counts for: one may come in this time on average.
const RENEWAL_SECONDS: u64 = 15;

/// A token bucket: so many units per second on average, and so many at once.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    units_per_second: u64,
    burst: Duration,
    /// When everything so far will have been worked off at the average rate.
    worked_off_at: Instant,
}

impl Bucket {
    /// A client that has its whole burst before it.
    fn new(units_per_second: u64, units_at_once: u64, now: Instant) -> Self {
        let mut bucket = Self { units_per_second, burst: Duration::ZERO, worked_off_at: now };
        bucket.burst = bucket.time_of(units_at_once);
        bucket
    }

    /// Charges some units. Returns when the client may go on if the burst is used up.
    pub(super) fn charge(&mut self, units: u64, now: Instant) -> Option<Instant> {
        self.worked_off_at = self.worked_off_at.max(now) + self.time_of(units);
        let ahead = self.worked_off_at.duration_since(now);
        ahead.checked_sub(self.burst).filter(|wait| !wait.is_zero()).map(|wait| now + wait)
    }

    fn time_of(&self, units: u64) -> Duration {
        Duration::from_nanos(units.saturating_mul(1_000_000_000) / self.units_per_second.max(1))
    }
}

/// The bytes of thumbnails that one client is sent.
pub(super) fn thumbnail_bytes(limits: &Limits, now: Instant) -> Bucket {
    let bytes_per_second = limits.thumbnail_kib_per_second as u64 * 1024;
    Bucket::new(bytes_per_second, THUMBNAIL_BURST_SECONDS * bytes_per_second, now)
}

/// The bytes of previews that one client is sent.
pub(super) fn preview_bytes(limits: &Limits, now: Instant) -> Bucket {
    Bucket::new(limits.preview_kib_per_second as u64 * 1024, PREVIEW_BURST_BYTES, now)
}

/// What one client may ask for.
#[derive(Debug)]
pub(super) struct Rates {
    messages: Bucket,
    envelopes: Bucket,
    /// Of envelopes, to all or to one, and of the dictionaries that it asks for.
    envelope_bytes: Bucket,
    requests: Bucket,
    acts: Bucket,
    /// In seconds of work.
    renewals: Bucket,
}

impl Rates {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let kib = |kib: usize| kib as u64 * 1024;
        let requests_per_second = limits.requests_per_second as u64;
        Self {
            messages: Bucket::new(MESSAGES_PER_SECOND, MESSAGE_BURST_SECONDS * MESSAGES_PER_SECOND, now),
            envelopes: Bucket::new(limits.envelopes_per_second as u64, limits.envelopes_at_once as u64, now),
            envelope_bytes: Bucket::new(kib(limits.envelope_kib_per_second), kib(limits.envelope_kib_at_once), now),
            requests: Bucket::new(requests_per_second, REQUEST_BURST_SECONDS * requests_per_second, now),
            acts: Bucket::new(ACTS_PER_SECOND, ACTS_AT_ONCE, now),
            renewals: Bucket::new(1, RENEWALS_AT_ONCE * RENEWAL_SECONDS, now),
        }
    }

    /// Charges any message. Like the other functions, it returns when the next message may be read if the client has to wait.
    pub(super) fn message(&mut self, now: Instant) -> Option<Instant> {
        self.messages.charge(1, now)
    }

    /// Charges an envelope that is relayed.
    pub(super) fn envelope(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        self.envelopes.charge(1, now).max(self.envelope_bytes.charge(bytes as u64, now))
    }

    /// Charges an envelope that goes to one client. A key for everyone in a large room is many of them, so they are limited
    /// by their bytes only.
    pub(super) fn handed(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        self.envelope_bytes.charge(bytes as u64, now)
    }

    /// Charges a new session key: its signature is verified, and everyone is told.
    pub(super) fn renewal(&mut self, now: Instant) -> Option<Instant> {
        self.renewals.charge(RENEWAL_SECONDS, now)
    }

    /// Charges a request that may start a decoder.
    pub(super) fn request(&mut self, now: Instant) -> Option<Instant> {
        self.requests.charge(1, now)
    }

    /// Charges an act in a party.
    pub(super) fn act(&mut self, now: Instant) -> Option<Instant> {
        self.acts.charge(1, now)
    }

    /// Charges a request for the dictionary, which has this size.
    pub(super) fn directory(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        self.request(now).max(self.envelope_bytes.charge(bytes as u64, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_waits_for_its_turn() {
        let now = Instant::now();
        let mut bucket = Bucket::new(10, 30, now);
        let free = (0..100).take_while(|_| bucket.charge(1, now).is_none()).count();
        assert_eq!(free, 30);
        assert_eq!(bucket.charge(1, now), Some(now + Duration::from_millis(200)));
    }

    #[test]
    fn the_burst_returns_with_time_but_does_not_add_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 30, start);
        assert!(bucket.charge(30, start).is_none());
        assert!(bucket.charge(1, start).is_some());
        let later = start + Duration::from_secs(3600);
        assert!(bucket.charge(30, later).is_none(), "an hour of silence gives the burst back");
        assert!(bucket.charge(1, later).is_some(), "but only one burst");
    }

    #[test]
    fn a_client_that_keeps_to_the_average_never_waits() {
        let mut now = Instant::now();
        let mut bucket = Bucket::new(512 * 1024, 1024 * 1024, now);
        for _ in 0..10_000 {
            assert_eq!(bucket.charge(16 * 1024, now), None);
            now += Duration::from_micros(31_250);
        }
    }

    #[test]
    fn many_small_envelopes_cost_as_much_as_few_large_ones() {
        let (now, limits) = (Instant::now(), Limits::default());
        let at_once = |bytes: usize| {
            let mut rates = Rates::new(&limits, now);
            (0..1000).take_while(|_| rates.envelope(bytes, now).is_none()).count()
        };
        assert_eq!((at_once(366), at_once(107 * 1024)), (30, 4));
        let mut rates = Rates::new(&limits, now);
        let handed = (0..1000).take_while(|_| rates.handed(2048, now).is_none()).count();
        assert_eq!(handed, 256, "a key for as many people at once");
    }
}
