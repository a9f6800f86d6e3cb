//! What network, state and player exchange about watching together: the time of the server's clock, and where a video is to be
//! when.

use std::time::{Duration, Instant};

/// A probe and its echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// When the probe was written.
    pub sent_at: Instant,
    /// When the echo was read.
    pub received_at: Instant,
    /// The time of the server's clock when the server read the probe.
    pub server_nanos: u64,
}

impl RoundTrip {
    /// The time from the probe to its echo.
    pub fn duration(&self) -> Duration {
        self.received_at.saturating_duration_since(self.sent_at)
    }
}

/// Where a stream is to be when: it plays at normal speed through this position at this time, as all others in the party have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cue {
    /// A position in the stream …
    pub position: Duration,
    /// … and when it is due.
    pub at: Instant,
}

impl Cue {
    /// The position that is due now; `None` before the start of the stream.
    pub fn position_at(&self, now: Instant) -> Option<Duration> {
        match now.checked_duration_since(self.at) {
            Some(passed) => self.position.checked_add(passed),
            None => self.position.checked_sub(self.at.saturating_duration_since(now)),
        }
    }

    /// When this position is due, or was; `None` beyond what the system's clock can say.
    pub fn instant_of(&self, position: Duration) -> Option<Instant> {
        match position.checked_sub(self.position) {
            Some(ahead) => self.at.checked_add(ahead),
            None => self.at.checked_sub(self.position.saturating_sub(position)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cue_names_the_position_of_each_time_and_the_time_of_each_position() {
        let begun = Instant::now();
        let cue = Cue { position: Duration::from_secs(5), at: begun + Duration::from_secs(5) };
        for millis in [2_000, 5_000, 9_000] {
            let position = Duration::from_millis(millis);
            let due = cue.instant_of(position).unwrap();
            assert_eq!(due, begun + position);
            assert_eq!(cue.position_at(due), Some(position));
        }
        let later = Cue { at: begun + Duration::from_secs(6), ..cue };
        assert_eq!(later.position_at(begun), None, "the stream has not begun");
    }
}
