//! The clock of an epoch: driven by the system clock, or by the audio position that is being heard.

use std::time::{Duration, Instant};

use crate::event::Speed;

/// An audio position that the device reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Stream time of a sample …
    pub position: Duration,
    /// … and when that sample is heard, which may be in the future.
    pub at: Instant,
    /// Stream time up to which samples were handed to the device.
    pub until: Duration,
    /// The speed of the samples from [`Self::turn`] on.
    pub speed: Speed,
    /// Where the speed was changed last, and the speed before: what the device holds may still be of that one.
    pub turn: Option<(Duration, Speed)>,
}

impl Heard {
    /// Stream time that is heard at `now`, assuming that samples do not run out.
    pub fn position(&self, now: Instant) -> Duration {
        let Some(ahead) = self.at.checked_duration_since(now) else {
            return self.position + self.speed.stream_time(now.saturating_duration_since(self.at));
        };
        let position = self.position.saturating_sub(self.speed.stream_time(ahead));
        match self.turn {
            Some((turn, before)) if position < turn && turn <= self.position => {
                let until_turn = ahead.saturating_sub(self.speed.real_time(self.position.saturating_sub(turn)));
                turn.saturating_sub(before.stream_time(until_turn))
            }
            _ => position,
        }
    }

    /// When stream time is, or was, `position`.
    pub fn instant_of(&self, position: Duration) -> Option<Instant> {
        if let Some(ahead) = position.checked_sub(self.position) {
            return self.at.checked_add(self.speed.real_time(ahead));
        }
        match self.turn {
            Some((turn, before)) if position < turn && turn <= self.position => {
                let turned_at = self.at.checked_sub(self.speed.real_time(self.position.saturating_sub(turn)))?;
                turned_at.checked_sub(before.real_time(turn.saturating_sub(position)))
            }
            _ => self.at.checked_sub(self.speed.real_time(self.position.saturating_sub(position))),
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
    /// Driven by the system clock at this speed: stream time was `at` at the instant `since`.
    Running { since: Instant, at: Duration, speed: Speed },
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
            Clock::Running { since, at, speed } => Some(at + speed.stream_time(now.saturating_duration_since(since))),
            Clock::AudioDriven { from, heard: None } => Some(from),
            Clock::AudioDriven { from, heard: Some(heard) } => {
                let limit = if is_bounded { heard.until } else { Duration::MAX };
                Some(heard.position(now).min(limit).max(from))
            }
        }
    }

    /// When stream time will be, or was, `position`; `None` while the clock is stopped.
    pub(super) fn instant_of(&self, position: Duration) -> Option<Instant> {
        match *self {
            Clock::Running { since, at, speed } => match position.checked_sub(at) {
                Some(ahead) => since.checked_add(speed.real_time(ahead)),
                None => since.checked_sub(speed.real_time(at.saturating_sub(position))),
            },
            Clock::AudioDriven { heard: Some(heard), .. } => heard.instant_of(position),
            _ => None,
        }
    }

    /// Whether stream time advances, and where it is is known.
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Clock::Running { .. } | Clock::AudioDriven { heard: Some(_), .. })
    }

    /// Whether stream time advances, or is about to.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Clock::Running { .. } | Clock::AudioDriven { .. })
    }
}
