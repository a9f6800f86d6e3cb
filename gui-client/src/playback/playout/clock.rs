//! The time of one epoch of a stream: by the computer's clock, or by the sound that is being heard.

use std::time::{Duration, Instant};

/// What is known of the sound that leaves the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Time in the stream of a sample …
    pub position: Duration,
    /// … and when that sample is heard, which may lie ahead.
    pub at: Instant,
    /// Time in the stream up to which samples were handed to the device.
    pub until: Duration,
}

impl Heard {
    /// Time in the stream that is heard at `now`, if samples never ran out.
    pub fn position(&self, now: Instant) -> Duration {
        match now.checked_duration_since(self.at) {
            Some(passed) => self.position + passed,
            None => self.position.saturating_sub(self.at - now),
        }
    }
}

/// Whether and how the time of an epoch passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    /// No picture of the epoch was shown yet.
    Unstarted,
    /// Stands at this time in the stream.
    Standing { at: Duration },
    /// Passes by the computer's clock: it was `at` at the moment `since`.
    Running { since: Instant, at: Duration },
    /// Passes by the sound, and stands at `from` until some is heard.
    Sounding { from: Duration, heard: Option<Heard> },
}

impl Clock {
    /// Time in the stream, once a picture was shown. With `is_bounded`, not beyond what was handed to the device: when
    /// samples run out there, the time stands with the sound.
    pub(super) fn position(&self, now: Instant, is_bounded: bool) -> Option<Duration> {
        match *self {
            Clock::Unstarted => None,
            Clock::Standing { at } => Some(at),
            Clock::Running { since, at } => Some(at + now.saturating_duration_since(since)),
            Clock::Sounding { from, heard: None } => Some(from),
            Clock::Sounding { from, heard: Some(heard) } => {
                let limit = if is_bounded { heard.until } else { Duration::MAX };
                Some(heard.position(now).min(limit).max(from))
            }
        }
    }

    /// When the time in the stream will be, or was, `position`; none while it stands.
    pub(super) fn instant_of(&self, position: Duration) -> Option<Instant> {
        let (at, since) = match *self {
            Clock::Running { since, at } => (at, since),
            Clock::Sounding { heard: Some(heard), .. } => (heard.position, heard.at),
            _ => return None,
        };
        match position.checked_sub(at) {
            Some(ahead) => since.checked_add(ahead),
            None => since.checked_sub(at - position),
        }
    }

    /// Whether the time passes, or is about to.
    pub(super) fn is_going(&self) -> bool {
        matches!(self, Clock::Running { .. } | Clock::Sounding { .. })
    }
}
