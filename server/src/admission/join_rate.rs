//! How often may be joined from one source. Every join and every leave is told to all who are online, so without a limit one
//! host that comes and goes would flood them. Pure; the time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::Source;

const MINUTE: Duration = Duration::from_secs(60);
/// Most sources that are told apart. Those beyond share one allowance.
const MAX_SOURCES: usize = 1_024;

/// A token bucket in units of time for each source: a minute's worth of joins at once, then one after the other.
#[derive(Debug)]
pub(super) struct JoinRate {
    cost: Duration,
    /// When the joins so far will have been worked off; `None` stands for all sources beyond [`MAX_SOURCES`].
    worked_off_at: BTreeMap<Option<Source>, Instant>,
}

impl JoinRate {
    pub(super) fn new(joins_per_minute: usize) -> Self {
        let joins = u32::try_from(joins_per_minute).unwrap_or(u32::MAX);
        Self { cost: MINUTE / joins.max(1), worked_off_at: BTreeMap::new() }
    }

    /// Charges an attempt to join. Returns when it may be made, if not at once.
    pub(super) fn charge(&mut self, source: Source, now: Instant) -> Option<Instant> {
        if source == Source::ThisComputer {
            return None;
        }
        let is_known = self.worked_off_at.contains_key(&Some(source));
        if !is_known && self.worked_off_at.len() >= MAX_SOURCES {
            self.worked_off_at.retain(|_, worked_off_at| *worked_off_at > now);
        }
        let key = (is_known || self.worked_off_at.len() < MAX_SOURCES).then_some(source);
        let worked_off_at = self.worked_off_at.entry(key).or_insert(now);
        *worked_off_at = (*worked_off_at).max(now) + self.cost;
        let wait = worked_off_at.duration_since(now).checked_sub(MINUTE).filter(|wait| !wait.is_zero());
        wait.map(|wait| now + wait)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn host(number: u32) -> Source {
        Source::Address(Ipv4Addr::from(number).into())
    }

    #[test]
    fn a_class_joins_at_once_and_a_client_that_joins_repeatedly_waits() {
        let (mut rate, now) = (JoinRate::new(60), Instant::now());
        let free = (0..1_000).take_while(|_| rate.charge(host(1), now).is_none()).count();
        assert_eq!(free, 60);
        assert_eq!(rate.charge(host(1), now), Some(now + Duration::from_secs(2)));
        assert_eq!(rate.charge(host(2), now), None, "another host");
        assert!((0..1_000).all(|_| rate.charge(Source::ThisComputer, now).is_none()));
        // After an hour of quiet a minute's worth is free again, and no more.
        let later = now + Duration::from_secs(3_600);
        let free = (0..1_000).take_while(|_| rate.charge(host(1), later).is_none()).count();
        assert_eq!(free, 60);
    }

    #[test]
    fn many_sources_take_no_memory_and_no_joins() {
        let (mut rate, now) = (JoinRate::new(60), Instant::now());
        let free = (0..100_000).filter(|&number| rate.charge(host(number), now).is_none()).count();
        assert_eq!(rate.worked_off_at.len(), MAX_SOURCES + 1);
        assert_eq!(free, MAX_SOURCES + 60, "all beyond share one allowance");
        // Those who are quiet for a minute make room for others.
        assert_eq!(rate.charge(host(200_000), now + 2 * MINUTE), None);
        assert_eq!(rate.worked_off_at.len(), 2, "the shared one is not yet worked off");
    }
}
