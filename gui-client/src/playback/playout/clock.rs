//! The clock of an epoch: driven by the system clock, or by the audio position that is being heard.

use std::time::{Duration, Instant};

/// An audio position that the device reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Stream time of a sample …
    pub position: Duration,
    /// … and when that sample is heard, which may be in the future.
    pub at: Instant,
    /// Stream time up to which samples were handed to the device.
    pub until: Duration,
}

impl Heard {
    /// Stream time that is heard at `now`, assuming that samples do not run out.
    pub fn position(&self, now: Instant) -> Duration {
        match now.checked_duration_since(self.at) {
            Some(passed) => self.position + passed,
            None => self.position.saturating_sub(self.at - now),
        }
    }
}

/// How stream time advances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    /// No picture of the epoch has been shown.
    Unstarted,
    /// Stopped at this stream time: by a pause, a stall, or until enough is buffered.
    Stopped { at: Duration },
    /// Driven by the system clock: stream time was `at` at the instant `since`.
    Running { since: Instant, at: Duration },
    /// Driven by the audio device; stays at `from` until the device reports a position.
    AudioDriven { from: Duration, heard: Option<Heard> },
}

impl Clock {
    /// Stream time, once a picture has been shown. With `is_bounded`, not beyond the samples handed to the device: when they
    /// run out, the clock stops with the sound.
    pub(super) fn position(&self, now: Instant, is_bounded: bool) -> Option<Duration> {
        match *self {
            Clock::Unstarted => None,
            Clock::Stopped { at } => Some(at),
            Clock::Running { since, at } => Some(at + now.saturating_duration_since(since)),
            Clock::AudioDriven { from, heard: None } => Some(from),
            Clock::AudioDriven { from, heard: Some(heard) } => {
                let limit = if is_bounded { heard.until } else { Duration::MAX };
                Some(heard.position(now).min(limit).max(from))
            }
        }
    }

    /// When stream time will be, or was, `position`; `None` while the clock is stopped.
    pub(super) fn instant_of(&self, position: Duration) -> Option<Instant> {
        let (at, since) = match *self {
            Clock::Running { since, at } => (at, since),
            Clock::AudioDriven { heard: Some(heard), .. } => (heard.position, heard.at),
            _ => return None,
        };
        match position.checked_sub(at) {
            Some(ahead) => since.checked_add(ahead),
            None => since.checked_sub(at.saturating_sub(position)),
        }
    }

    /// Whether stream time advances, or is about to.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Clock::Running { .. } | Clock::AudioDriven { .. })
    }
}
