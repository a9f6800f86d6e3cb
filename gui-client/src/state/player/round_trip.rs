//! How often the round trip to the server is measured, and what came of it last.

use std::time::{Duration, Instant};

/// Time between two probes while a video plays.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// The round trip as it was measured last. Kept while videos come and go, and forgotten with the connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip {
    measured: Option<(Duration, Instant)>,
    probed_at: Option<Instant>,
}

impl RoundTrip {
    /// When the next probe is due. Before the first one that is since `begun_at`.
    pub(super) fn next_probe_at(&self, begun_at: Instant) -> Instant {
        self.probed_at.map_or(begun_at, |probed_at| begun_at.max(probed_at + PROBE_INTERVAL))
    }

    /// A probe is sent.
    pub(super) fn probed(&mut self, now: Instant) {
        self.probed_at = Some(now);
    }

    /// Its echo has come.
    pub(super) fn measured(&mut self, round_trip: Duration, now: Instant) {
        self.measured = Some((round_trip, now));
    }

    /// The time from the last probe to its echo.
    pub(super) fn latest(&self) -> Option<Duration> {
        self.measured.map(|(round_trip, _)| round_trip)
    }

    /// When the last echo came.
    pub(super) fn echoed_at(&self) -> Option<Instant> {
        self.measured.map(|(_, at)| at)
    }
}
