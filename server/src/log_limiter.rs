//! How often the same thing from the same address is logged, so that no stranger can fill the disk or hide a line among
//! thousands. [`LogLimiter`] is pure; [`EventLog`] is the handle that all connections share.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::info;

/// The time in which lines are counted.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);
/// Most pairs of kind and address that are told apart. Those beyond share one count for each kind.
const MAX_KEYS: usize = 1_024;

/// What is logged of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// No connection could be accepted.
    AcceptFailed,
    /// A connection got no place.
    TurnedAway,
    /// A connection lost its place to another before it had joined.
    Displaced,
    /// The TLS handshake failed or took too long.
    HandshakeFailed,
    /// The socket could not be used.
    SocketFailed,
    /// A connection ended before it had joined.
    EndedBeforeJoining,
    /// A person joined.
    Joined,
    /// A person left.
    Left,
}

impl EventKind {
    /// The lines per address and period. A class that comes in behind one address is still listed by name.
    fn lines(self) -> u64 {
        match self {
            Self::Joined | Self::Left => 30,
            _ => 1,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptFailed => "connections that could not be accepted",
            Self::TurnedAway => "connections turned away",
            Self::Displaced => "connections displaced before joining",
            Self::HandshakeFailed => "failed TLS handshakes",
            Self::SocketFailed => "failed sockets",
            Self::EndedBeforeJoining => "connections that ended before joining",
            Self::Joined => "joins",
            Self::Left => "departures",
        })
    }
}

/// How many lines were left out before this one. Displays as a clause for the end of a line, empty for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlogged(u64);

impl fmt::Display for Unlogged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " (and {count} more from there)"),
        }
    }
}

/// A kind and an address; `None` stands for all addresses beyond [`MAX_KEYS`].
type Key = (EventKind, Option<IpAddr>);

#[derive(Debug)]
struct Count {
    begun: Instant,
    logged: u64,
    unlogged: u64,
}

/// Counts what was logged of whom.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    counts: BTreeMap<Key, Count>,
}

impl LogLimiter {
    /// Whether to log this event: `Some` with the number of those before it that were not.
    pub(crate) fn admit(&mut self, kind: EventKind, address: IpAddr, now: Instant) -> Option<Unlogged> {
        let is_known = self.counts.contains_key(&(kind, Some(address)));
        let key = (kind, (is_known || self.counts.len() < MAX_KEYS).then_some(address));
        let count = self.counts.entry(key).or_insert(Count { begun: now, logged: 0, unlogged: 0 });
        let mut left_out = 0;
        if now.duration_since(count.begun) >= PERIOD {
            left_out = count.unlogged;
            *count = Count { begun: now, logged: 0, unlogged: 0 };
        }
        if count.logged < kind.lines() {
            count.logged += 1;
            return Some(Unlogged(left_out));
        }
        count.unlogged += 1;
        None
    }

    /// Forgets what is over, and returns what was left out of it.
    pub(crate) fn sweep(&mut self, now: Instant) -> Vec<(Key, u64)> {
        let is_over = |count: &Count| now.duration_since(count.begun) >= PERIOD;
        let over: Vec<Key> = self.counts.iter().filter(|(_, count)| is_over(count)).map(|(key, _)| *key).collect();
        let counts = over.into_iter().filter_map(|key| self.counts.remove(&key).map(|count| (key, count.unlogged)));
        counts.filter(|(_, unlogged)| *unlogged > 0).collect()
    }
}

/// Handle of the log limiter of one server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct EventLog(Arc<Mutex<LogLimiter>>);

impl EventLog {
    /// Whether to log this event now. What is returned belongs at the end of the line.
    pub fn admit(&self, kind: EventKind, address: IpAddr) -> Option<Unlogged> {
        self.limiter(|limiter| limiter.admit(kind, address.to_canonical(), Instant::now()))
    }

    /// Logs once in each period what was left out of it. Never returns.
    pub(crate) async fn report(self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            for ((kind, address), count) in self.limiter(|limiter| limiter.sweep(Instant::now())) {
                match address {
                    Some(address) => info!("From {address} came {count} more {kind} within a minute."),
                    None => info!("From many other addresses came {count} more {kind} within a minute."),
                }
            }
        }
    }

    fn limiter<T>(&self, work: impl FnOnce(&mut LogLimiter) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: EventKind = EventKind::TurnedAway;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn the_first_is_logged_and_then_how_many_more_there_were() {
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        assert_eq!(limiter.admit(KIND, address(1), start), Some(Unlogged(0)));
        for millis in 0..311 {
            assert_eq!(limiter.admit(KIND, address(1), start + Duration::from_millis(millis)), None);
        }
        assert_eq!(limiter.admit(KIND, address(2), start), Some(Unlogged(0)), "another address");
        assert_eq!(limiter.admit(EventKind::Displaced, address(1), start), Some(Unlogged(0)), "another kind");
        let next = limiter.admit(KIND, address(1), start + PERIOD).unwrap();
        assert_eq!(format!("Refused.{next}"), "Refused. (and 311 more from there)");
        assert_eq!(limiter.admit(KIND, address(1), start + PERIOD), None);
    }

    #[test]
    fn what_was_left_out_is_reported_when_nothing_follows() {
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        for _ in 0..5 {
            limiter.admit(KIND, address(1), start);
        }
        limiter.admit(KIND, address(2), start);
        assert_eq!(limiter.sweep(start), []);
        assert_eq!(limiter.sweep(start + PERIOD), [((KIND, Some(address(1))), 4)]);
        assert!(limiter.counts.is_empty());
    }

    #[test]
    fn many_addresses_take_neither_memory_nor_lines() {
        let (mut limiter, start) = (LogLimiter::default(), Instant::now());
        let lines = (0..100_000).filter(|&number| limiter.admit(KIND, address(number), start).is_some()).count();
        assert_eq!(lines, MAX_KEYS + 1, "each that is told apart, and all others together");
        assert_eq!(limiter.counts.len(), MAX_KEYS + 1);
        assert_eq!(limiter.sweep(start + PERIOD), [((KIND, None), (100_000 - MAX_KEYS - 1) as u64)]);
    }

    #[test]
    fn several_people_behind_one_address_are_logged_by_name() {
        let (mut limiter, now) = (LogLimiter::default(), Instant::now());
        let lines = (0..1_000).filter(|_| limiter.admit(EventKind::Joined, address(1), now).is_some()).count();
        assert_eq!(lines, 30);
    }
}
