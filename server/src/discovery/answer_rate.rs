//! How many probes are answered. Pure; the time is an argument.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Answers to one address after a pause.
const BURST: u32 = 20;
/// Time in which an address gains one answer.
const INTERVAL: Duration = Duration::from_millis(200);
/// Answers to all addresses after a pause, and the time in which one is gained: 200 per second.
const ROOM_BURST: u32 = 200;
const ROOM_INTERVAL: Duration = Duration::from_millis(5);
/// Most addresses that are told apart. Those beyond get no answer until others have been quiet.
const MAX_SOURCES: usize = 1_024;

/// Token buckets in units of time: one for each address, one for all.
#[derive(Debug, Default)]
pub(super) struct AnswerRate {
    room: Bucket,
    sources: HashMap<IpAddr, Bucket>,
}

/// When the answers so far will have been worked off.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// Where the bucket would be after one more answer, if that is allowed now.
    fn charged(self, burst: u32, interval: Duration, now: Instant) -> Option<Self> {
        let worked_off_at = self.0.map_or(now, |at| at.max(now)) + interval;
        (worked_off_at <= now + interval * burst).then_some(Self(Some(worked_off_at)))
    }

    fn is_worked_off(self, now: Instant) -> bool {
        self.0.is_none_or(|at| at <= now)
    }
}

impl AnswerRate {
    /// Whether a probe of this address is answered now.
    pub(super) fn admit(&mut self, source: IpAddr, now: Instant) -> bool {
        if !self.sources.contains_key(&source) && self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, bucket| !bucket.is_worked_off(now));
            if self.sources.len() >= MAX_SOURCES {
                return false;
            }
        }
        let bucket = self.sources.get(&source).copied().unwrap_or_default();
        let Some(charged) = bucket.charged(BURST, INTERVAL, now) else { return false };
        let Some(room) = self.room.charged(ROOM_BURST, ROOM_INTERVAL, now) else { return false };
        self.room = room;
        self.sources.insert(source, charged);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn host(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn one_that_floods_is_answered_five_times_a_second_and_others_as_before() {
        let (mut rate, now) = (AnswerRate::default(), Instant::now());
        assert_eq!((0..1_000).filter(|_| rate.admit(host(1), now)).count(), 20);
        assert!(rate.admit(host(2), now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| rate.admit(host(1), later)).count(), 5);
    }

    #[test]
    fn a_class_is_answered_at_once_and_all_the_world_is_not() {
        let (mut rate, now) = (AnswerRate::default(), Instant::now());
        assert!((0..40).all(|number| (0..3).all(|_| rate.admit(host(number), now))));
        let answered = (0..100_000).filter(|&number| rate.admit(host(number), now)).count();
        assert_eq!(answered, 200 - 120);
        assert!(rate.sources.len() <= MAX_SOURCES);
    }

    #[test]
    fn the_table_does_not_grow_and_makes_room_again() {
        let (mut rate, mut now) = (AnswerRate::default(), Instant::now());
        for number in 0..10_000 {
            now += ROOM_INTERVAL;
            rate.admit(host(number), now);
            assert!(rate.sources.len() <= MAX_SOURCES);
        }
        assert!(rate.admit(host(20_000), now + Duration::from_secs(10)));
    }
}
