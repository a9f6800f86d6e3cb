//! When the last ping of a client was sent. The task that sends pings notes it, and the one that reads the answers looks it up.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The pings of one client.
#[derive(Debug, Clone, Default)]
pub(super) struct Pings(Arc<Mutex<Option<(u64, Instant)>>>);

impl Pings {
    /// Notes that the ping with this number is sent now.
    pub(super) fn sent(&self, number: u64, now: Instant) {
        *self.last() = Some((number, now));
    }

    /// Takes an answer that arrives now. Returns the time since its ping; `None` when it answers no ping, or an earlier one.
    pub(super) fn answered(&self, number: u64, now: Instant) -> Option<Duration> {
        let (_, sent_at) = self.last().take_if(|(last, _)| *last == number)?;
        Some(now.saturating_duration_since(sent_at))
    }

    fn last(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        // Poisoning is ignored: each change is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_once_and_only_to_the_last_ping() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let pings = Pings::default();
        assert_eq!(pings.answered(1, at(0)), None, "nothing was sent");
        pings.sent(1, at(0));
        pings.sent(2, at(2_000));
        assert_eq!(pings.answered(1, at(2_010)), None, "a later one is under way");
        assert_eq!(pings.answered(2, at(2_030)), Some(Duration::from_millis(30)));
        assert_eq!(pings.answered(2, at(2_040)), None, "once");
    }
}
