//! When the clock of an epoch starts that is to be where others are: not before its cue, and if it is later than that, further on.

use std::time::{Duration, Instant};

use super::Playout;
use crate::event::Cue;

/// What a device holds: sound is handed to it this much before it is heard, at least. It begins on its cue by itself.
const DEVICE_LEAD: Duration = Duration::from_millis(250);

/// A clock that starts further on has this much of the stream before it, or else it would stall at once.
const LEAST_AHEAD: Duration = Duration::from_millis(100);

/// How the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At this time, not now.
    Later(Instant),
    /// Stream time was at the beginning of the epoch at this time.
    Since(Instant),
}

/// Decides how a clock starts that stopped at `at`. `has_device`: the sound that is heard will be the clock. `until`: what has
/// arrived; `None` if that is everything.
pub(super) fn start(cue: Cue, at: Duration, until: Option<Duration>, has_device: bool, now: Instant) -> Start {
    let Some(due) = cue.instant_of(at) else { return Start::Since(now) };
    let begin = if has_device { due.checked_sub(DEVICE_LEAD).unwrap_or(due) } else { due };
    if begin > now {
        return Start::Later(begin);
    }
    let position = at + now.saturating_duration_since(due);
    // Otherwise it goes on from where it stopped, and is behind.
    let is_there = until.is_none_or(|until| position + LEAST_AHEAD <= until);
    Start::Since(if is_there && !has_device { due } else { now })
}

impl<E, P> Playout<E, P> {
    /// Sets where the stream is to be when it starts; `None`: wherever it is.
    pub fn set_cue(&mut self, cue: Option<Cue>, now: Instant) {
        if self.cue != cue {
            self.cue = cue;
            self.start_if_ready(now);
        }
    }

    /// Stream time and the instant at which it is that, while the clock runs and is known.
    pub fn clock_reading(&self, now: Instant) -> Option<(Duration, Instant)> {
        let stream = self.stream.as_ref().filter(|stream| stream.clock.is_known())?;
        Some((stream.position(now)?, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_waits_for_its_cue_and_skips_what_it_is_late_by_if_it_has_more() {
        let (begun, millis) = (Instant::now(), Duration::from_millis);
        let now = begun + millis(2_000);
        let [at, until] = [5_000, 5_600].map(Duration::from_millis);
        // What it stopped at is due this much before now.
        let cue = |late_millis: i64| Cue {
            position: millis(4_000),
            at: begun + millis(1_000u64.checked_add_signed(-late_millis).unwrap()),
        };
        let before = |late_millis: u64| begun + millis(2_000 - late_millis);
        assert_eq!(start(cue(-300), at, Some(until), false, now), Start::Later(now + millis(300)));
        assert_eq!(start(cue(-300), at, Some(until), true, now), Start::Later(now + millis(50)));
        assert_eq!(start(cue(-200), at, Some(until), true, now), Start::Since(now), "the sound waits by itself");
        assert_eq!(start(cue(0), at, Some(until), false, now), Start::Since(now));
        assert_eq!(start(cue(500), at, Some(until), false, now), Start::Since(before(500)));
        assert_eq!(start(cue(501), at, Some(until), false, now), Start::Since(now), "too little has arrived");
        assert_eq!(start(cue(900), at, None, false, now), Start::Since(before(900)), "nothing more will");
    }
}
