//! Tests of the pool: no crowd of connections keeps a newcomer out.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*};

use super::*;

const BOUNDS: Bounds = Bounds { total: 12, per_source: 5, half_open: 6, half_open_per_source: 3 };

fn host(number: u8) -> Source {
    Source::Address(Ipv4Addr::new(10, 0, 0, number).into())
}

/// A pool whose clock goes on by [`GRACE`] with each newcomer, so that nobody has to wait.
struct Unhurried {
    pool: Pool,
    now: Instant,
}

impl Unhurried {
    fn new(bounds: Bounds) -> Self {
        Self { pool: Pool::new(bounds), now: Instant::now() }
    }

    fn admit(&mut self, source: Source) -> Result<(PlaceId, Option<PlaceId>), NoPlace> {
        self.now += GRACE;
        self.pool.admit(source, self.now)
    }
}

#[test]
fn ten_thousand_silent_connections_displace_only_each_other() {
    let mut pool = Unhurried::new(Bounds { total: 512, per_source: 16, half_open: 64, half_open_per_source: 8 });
    let (honest, _) = pool.admit(host(1)).unwrap();
    for number in 0..10_000u32 {
        let attacker = host(2 + u8::try_from(number % 8).unwrap());
        let (_, displaced) = pool.admit(attacker).unwrap();
        assert_ne!(displaced, Some(honest), "after {number}");
        // Those who come meanwhile from addresses of their own, join and leave.
        let (newcomer, displaced) = pool.admit(host(100)).unwrap();
        assert_ne!(displaced, Some(honest));
        pool.pool.reached(newcomer, Stage::Joined);
        pool.pool.leave(newcomer);
    }
    assert!(pool.pool.places.len() <= 64);
}

#[test]
fn beside_an_attacker_at_the_same_address_a_newcomer_has_the_time_of_a_whole_pool() {
    let mut pool = Unhurried::new(Bounds { total: 512, per_source: 16, half_open: 64, half_open_per_source: 8 });
    for _ in 0..600 {
        pool.admit(Source::ThisComputer).unwrap();
    }
    let (newcomer, _) = pool.admit(Source::ThisComputer).unwrap();
    for _ in 0..63 {
        let (_, displaced) = pool.admit(Source::ThisComputer).unwrap();
        assert_ne!(displaced, Some(newcomer));
    }
    // One that has said hello outlives all silent ones.
    pool.pool.reached(newcomer, Stage::Greeted);
    for _ in 0..10_000 {
        let (_, displaced) = pool.admit(Source::ThisComputer).unwrap();
        assert_ne!(displaced, Some(newcomer));
    }
}

#[test]
fn a_source_that_has_joined_with_all_it_may_is_told_so() {
    let mut pool = Unhurried::new(BOUNDS);
    for _ in 0..BOUNDS.per_source {
        let (id, _) = pool.admit(host(1)).unwrap();
        pool.pool.reached(id, Stage::Joined);
    }
    assert_eq!(pool.admit(host(1)), Err(NoPlace::TooManyFromSource(BOUNDS.per_source)));
    assert!(pool.admit(host(2)).is_ok());
    for _ in 0..BOUNDS.total {
        let id = pool.admit(Source::ThisComputer).map(|(id, _)| id);
        if let Ok(id) = id {
            pool.pool.reached(id, Stage::Joined);
        }
    }
    assert_eq!(pool.admit(host(3)), Err(NoPlace::TooMany(BOUNDS.total)));
}

#[test]
fn a_silent_connection_keeps_its_place_for_a_moment_and_newcomers_wait_no_longer() {
    let (mut pool, now) = (Pool::new(BOUNDS), Instant::now());
    for number in 0..BOUNDS.half_open {
        pool.admit(host(u8::try_from(number).unwrap()), now).unwrap();
    }
    assert_eq!(pool.admit(host(100), now), Err(NoPlace::NotYet(now + GRACE)));
    assert!(matches!(pool.admit(host(100), now + GRACE), Ok((_, Some(_)))));
    // One source that opens more than it may displaces its own at once, and makes nobody wait.
    let mut pool = Pool::new(BOUNDS);
    for _ in 0..100 {
        pool.admit(host(1), now).unwrap();
    }
}

#[test]
fn addresses_are_counted_by_what_one_host_can_choose_from() {
    let local = |text: &str| SocketAddr::new(text.parse().unwrap(), 7878);
    let peer = |text: &str| SocketAddr::new(text.parse().unwrap(), 50_000);
    let source = |from: &str, to: &str| Source::of(peer(from), local(to));
    let address = |text: &str| Source::Address(text.parse().unwrap());
    assert_eq!(source("127.0.0.1", "127.0.0.1"), Source::ThisComputer);
    assert_eq!(source("::1", "::1"), Source::ThisComputer);
    assert_eq!(source("192.168.1.5", "192.168.1.5"), Source::ThisComputer, "by its address on the network");
    assert_eq!(source("192.168.1.6", "192.168.1.5"), address("192.168.1.6"));
    assert_eq!(source("::ffff:192.168.1.6", "::ffff:192.168.1.5"), address("192.168.1.6"));
    assert_eq!(source("fe80::2", "fe80::1"), address("fe80::2"));
    assert_eq!(source("2001:db8:0:1::2", "2001:db8:0:1::1"), address("2001:db8:0:1::2"), "on the same link");
    let elsewhere =
        Source::Network(Ipv6Addr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 0]).octets()[..8].try_into().unwrap());
    assert_eq!(source("2001:db8:0:2::2", "2001:db8:0:1::1"), elsewhere);
    assert_eq!(source("2001:db8:0:2:ffff::9", "2001:db8:0:1::1"), elsewhere);
}

#[derive(Debug, Clone)]
enum Event {
    Arrive(Source),
    Reach(usize, bool),
    Leave(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let source = prop_oneof![4 => (1u8..6).prop_map(host), 1 => Just(Source::ThisComputer)];
    prop_oneof![
        6 => source.prop_map(Event::Arrive),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(which, joins)| Event::Reach(which, joins)),
        1 => any::<usize>().prop_map(Event::Leave),
    ]
}

proptest! {
    /// Whatever came before: the bounds hold, nobody who has joined is displaced, and only a source that already has a
    /// place, or a server on which all have joined, turns anyone away. A connection that has to wait is let in after that.
    #[test]
    fn a_newcomer_from_a_quiet_address_is_always_admitted(events in vec((event(), 0u64..40), 1..200)) {
        let (mut pool, mut now) = (Pool::new(BOUNDS), Instant::now());
        for (event, millis) in events {
            now += Duration::from_millis(millis);
            let chosen = |which: usize| pool.places.keys().nth(which % pool.places.len().max(1)).copied();
            match event {
                Event::Leave(which) => {
                    if let Some(id) = chosen(which) {
                        pool.leave(id);
                    }
                }
                Event::Reach(which, joins) => {
                    if let Some(id) = chosen(which) {
                        let has_joined = pool.places[&id].stage == Stage::Joined;
                        pool.reached(id, if joins || has_joined { Stage::Joined } else { Stage::Greeted });
                    }
                }
                Event::Arrive(source) => {
                    let before = pool.places.clone();
                    let count = |source| before.values().filter(|other| other.source == source && other.is_half_open()).count();
                    let is_all_joined = before.len() == BOUNDS.total && before.values().all(|other| !other.is_half_open());
                    let mut admitted = pool.admit(source, now);
                    if let Err(NoPlace::NotYet(until)) = admitted {
                        prop_assert!(now < until && until <= now + GRACE);
                        now = until;
                        admitted = pool.admit(source, now);
                    }
                    match admitted {
                        Ok((id, displaced)) => {
                            prop_assert_eq!(pool.places[&id].source, source);
                            if let Some(displaced) = displaced {
                                let victim = before[&displaced];
                                prop_assert!(victim.is_half_open());
                                let most = before.values().map(|other| count(other.source)).max().unwrap();
                                prop_assert!(victim.source == source || count(victim.source) == most);
                                let is_silent = |other: &Connection| other.source == victim.source && other.stage == Stage::Silent;
                                let spares_silent = victim.stage == Stage::Greeted && before.values().any(is_silent);
                                prop_assert!(!spares_silent, "one that has said hello goes before a silent one");
                            }
                        }
                        Err(NoPlace::NotYet(_)) => prop_assert!(false, "the wait does not end"),
                        Err(_) => {
                            let is_known = before.values().any(|other| other.source == source);
                            prop_assert!(is_all_joined || is_known, "{source:?} is quiet and was turned away");
                        }
                    }
                }
            }
            prop_assert!(pool.places.len() <= BOUNDS.total && pool.count_half_open(|_| true) <= BOUNDS.half_open);
            for number in 1..6 {
                let is_own = |source| source == host(number);
                prop_assert!(pool.count(is_own) <= BOUNDS.per_source);
                prop_assert!(pool.count_half_open(is_own) <= BOUNDS.half_open_per_source);
            }
        }
    }
}
