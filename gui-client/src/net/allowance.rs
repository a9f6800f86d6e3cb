//! Budgets for work that others cause: so much at once, and so much per second after that. Pure; the time is passed in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use common::crypto::KeyId;

/// Attempts that may be made at once.
const BURST: f64 = 8.0;
/// Attempts that may be made per second on average.
const PER_SECOND: f64 = 4.0;
/// Senders whose failures are counted. More than can be online, so that someone who leaves and comes back is still known.
const MAX_SENDERS: usize = 4_096;

/// A budget of [`BURST`] attempts that is refilled by [`PER_SECOND`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: f64,
    counted_at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, counted_at: now }
    }

    /// Whether an attempt may be made now.
    fn has_one(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.counted_at);
        self.counted_at = self.counted_at.max(now);
        self.left = (self.left + passed.as_secs_f64() * PER_SECOND).min(BURST);
        self.left >= 1.0
    }

    /// Takes one attempt, if one is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let has_one = self.has_one(now);
        if has_one {
            self.left -= 1.0;
        }
        has_one
    }
}

/// For each sender, a budget for envelopes that turn out not to be sound. It is checked before the decryption, which takes
/// milliseconds, and only failures are charged: a sender whose envelopes open has no limit here.
#[derive(Debug, Default)]
pub(super) struct FailureBudget {
    senders: HashMap<KeyId, Allowance>,
}

impl FailureBudget {
    /// Whether the next envelope of this sender may be tried.
    pub(super) fn may_try(&mut self, sender: &KeyId, now: Instant) -> bool {
        self.senders.get_mut(sender).is_none_or(|allowance| allowance.has_one(now))
    }

    /// An envelope of this sender was tried and is not sound.
    pub(super) fn note_failure(&mut self, sender: KeyId, now: Instant) {
        if !self.senders.contains_key(&sender) {
            self.make_room(now);
        }
        self.senders.entry(sender).or_insert_with(|| Allowance::new(now)).take(now);
    }

    /// Forgets those whose budget is full again; if none is, the one that failed longest ago.
    fn make_room(&mut self, now: Instant) {
        if self.senders.len() < MAX_SENDERS {
            return;
        }
        let refill = Duration::from_secs_f64(BURST / PER_SECOND);
        self.senders.retain(|_, allowance| now.saturating_duration_since(allowance.counted_at) < refill);
        if self.senders.len() >= MAX_SENDERS
            && let Some(oldest) = self.senders.iter().min_by_key(|(_, allowance)| allowance.counted_at)
        {
            let oldest = *oldest.0;
            self.senders.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: usize) -> KeyId {
        let mut key = KeyId([0; 32]);
        key.0[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn eight_failures_at_once_and_four_per_second() {
        let (mut budget, start) = (FailureBudget::default(), Instant::now());
        let mut tried = |millis: u64| {
            let now = start + Duration::from_millis(millis);
            let may_try = budget.may_try(&key(1), now);
            if may_try {
                budget.note_failure(key(1), now);
            }
            may_try
        };
        assert_eq!((0..20).filter(|_| tried(0)).count(), 8);
        assert!(!tried(249));
        assert!(tried(251));
        assert_eq!((252..1_252).filter(|&millis| tried(millis)).count(), 4);
        assert_eq!((0..20).filter(|_| tried(60_000)).count(), 8, "it fills up again, and no further");
    }

    #[test]
    fn many_senders_take_bounded_memory_and_the_latest_stay_known() {
        let (mut budget, start) = (FailureBudget::default(), Instant::now());
        for number in 0..3 * MAX_SENDERS {
            let now = start + Duration::from_micros(number as u64);
            (0..8).for_each(|_| budget.note_failure(key(number), now));
            assert!(budget.senders.len() <= MAX_SENDERS);
        }
        let now = start + Duration::from_micros(3 * MAX_SENDERS as u64);
        assert!(!budget.may_try(&key(3 * MAX_SENDERS - 1), now));
        assert!(!budget.may_try(&key(2 * MAX_SENDERS + 1), now));
    }

    proptest! {
        /// However the failures of one sender are spread, no other sender is ever refused, and the sender itself is not
        /// tried more often than the budget says.
        #[test]
        fn only_the_sender_who_fails_is_refused(pauses in prop::collection::vec(0u64..400, 1..200)) {
            let (mut budget, start) = (FailureBudget::default(), Instant::now());
            let (mut millis, mut failures) = (0, 0);
            for pause in pauses {
                millis += pause;
                let now = start + Duration::from_millis(millis);
                if budget.may_try(&key(1), now) {
                    budget.note_failure(key(1), now);
                    failures += 1;
                }
                prop_assert!(budget.may_try(&key(2), now));
                prop_assert!(f64::from(failures) <= BURST + PER_SECOND * millis as f64 / 1_000.0 + 1e-6);
            }
            let rested = start + Duration::from_millis(millis + 251);
            prop_assert!(budget.may_try(&key(1), rested), "every sender is tried again");
        }
    }
}
