//! Which connections have a place, and which one goes when there is none left. Pure: no sockets; the time is an argument.
//!
//! A connection that has not joined is *half-open*. Anyone can open those, so they are few, and none is safe: a newcomer
//! takes the place of the oldest silent one of the source that has most. So a source that opens many only displaces its own,
//! and from a source that has none a newcomer is always let in. The oldest and not the newest, because a client that means
//! it says hello within milliseconds: even beside an attacker at its own address, who reopens each connection at once, it
//! has the time in which all other places are taken anew. That time is never shorter than [`GRACE`]; newcomers wait for it.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// How long a silent connection keeps its place in any case: enough for a handshake on a local network and a busy server.
pub const GRACE: Duration = Duration::from_millis(30);

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The computer on which the server runs. It has no bounds of its own, only those of all together: several people may
    /// well sit behind it, and an attacker who controls it needs no flood to stop the server.
    ThisComputer,
    /// One address: IPv4, or IPv6 on the server's own link.
    Address(IpAddr),
    /// A /64 of IPv6, which is what a host on another network is given to choose addresses from.
    Network([u8; 8]),
}

impl Source {
    /// The source of a connection from `peer` to the server's own address `local`.
    ///
    /// All hosts of a link share one /64, so there each address counts for itself: counted together, one host could shut
    /// out the whole link. That a host can take several of those addresses is answered by the bounds of all together.
    pub fn of(peer: SocketAddr, local: SocketAddr) -> Self {
        let (peer, local) = (peer.ip().to_canonical(), local.ip().to_canonical());
        if peer.is_loopback() || peer == local {
            return Self::ThisComputer;
        }
        let network = |address: IpAddr| match address {
            IpAddr::V6(v6) => v6.octets().first_chunk::<8>().copied(),
            IpAddr::V4(_) => None,
        };
        match network(peer) {
            Some(prefix) if !is_link_local(peer) && network(local) != Some(prefix) => Self::Network(prefix),
            _ => Self::Address(peer),
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Most places at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) total: usize,
    pub(super) per_source: usize,
    pub(super) half_open: usize,
    pub(super) half_open_per_source: usize,
}

/// The number of a place; a later one is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlaceId(u64);

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No `Hello` yet.
    Silent,
    /// `Hello`, but no `Welcome` yet.
    Greeted,
    /// `Welcome` was sent.
    Joined,
}

/// Why a connection gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// As many as this have joined from the same source.
    TooManyFromSource(usize),
    /// As many as this have joined in all.
    TooMany(usize),
    /// Not before this time, at most [`GRACE`] from now.
    NotYet(Instant),
}

/// The connections that have a place.
#[derive(Debug)]
pub(super) struct Pool {
    bounds: Bounds,
    last_id: u64,
    places: BTreeMap<PlaceId, Connection>,
}

/// A connection that has a place.
#[derive(Debug, Clone, Copy)]
struct Connection {
    source: Source,
    stage: Stage,
    since: Instant,
}

impl Connection {
    fn is_half_open(&self) -> bool {
        self.stage != Stage::Joined
    }
}

impl Pool {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, last_id: 0, places: BTreeMap::new() }
    }

    /// Gives a newcomer a place, and takes it from another if there is none left. Returns both.
    pub(super) fn admit(&mut self, source: Source, now: Instant) -> Result<(PlaceId, Option<PlaceId>), NoPlace> {
        let Bounds { total, per_source, half_open, half_open_per_source } = self.bounds;
        let is_own = |other: Source| other == source;
        let is_any = |_: Source| true;
        let has_bounds = source != Source::ThisComputer;
        let displaced = if has_bounds
            && (self.count(is_own) >= per_source || self.count_half_open(is_own) >= half_open_per_source)
        {
            Some(self.first_to_go(Some(source), is_own).ok_or(NoPlace::TooManyFromSource(per_source))?)
        } else if self.places.len() >= total || self.count_half_open(is_any) >= half_open {
            // Only here may it be too early: one source that is over its own bounds must not make the others wait.
            Some(self.first_to_go_now(Some(source), now)?)
        } else {
            None
        };
        if let Some(displaced) = displaced {
            self.places.remove(&displaced);
        }
        self.last_id += 1;
        let id = PlaceId(self.last_id);
        self.places.insert(id, Connection { source, stage: Stage::Silent, since: now });
        Ok((id, displaced))
    }

    /// Takes the place of the connection that is first to go, because the system has room for fewer than the bounds allow.
    pub(super) fn make_room(&mut self, now: Instant) -> Result<PlaceId, NoPlace> {
        let displaced = self.first_to_go_now(None, now)?;
        self.places.remove(&displaced);
        Ok(displaced)
    }

    /// Notes how far a connection has come.
    pub(super) fn reached(&mut self, id: PlaceId, stage: Stage) {
        if let Some(place) = self.places.get_mut(&id) {
            place.stage = stage;
        }
    }

    /// Frees a place. Without effect if it was taken away.
    pub(super) fn leave(&mut self, id: PlaceId) {
        self.places.remove(&id);
    }

    /// The first to go among all, if it has had its moment.
    fn first_to_go_now(&self, newcomer: Option<Source>, now: Instant) -> Result<PlaceId, NoPlace> {
        let first = self.first_to_go(newcomer, |_| true).ok_or(NoPlace::TooMany(self.places.len()))?;
        let until = self.places[&first].since + GRACE;
        if until > now { Err(NoPlace::NotYet(until)) } else { Ok(first) }
    }

    /// Among the half-open connections of these sources: the oldest of the source that has most, a silent one before one
    /// that has said hello. The newcomer counts for its own source.
    fn first_to_go(&self, newcomer: Option<Source>, is_meant: impl Fn(Source) -> bool) -> Option<PlaceId> {
        let mut counts: BTreeMap<Source, usize> = newcomer.into_iter().map(|source| (source, 1)).collect();
        let half_open = || self.places.iter().filter(|(_, connection)| connection.is_half_open());
        for (_, connection) in half_open() {
            *counts.entry(connection.source).or_insert(0) += 1;
        }
        let rank = |(id, connection): &(&PlaceId, &Connection)| {
            let Connection { source, stage, .. } = connection;
            (counts.get(source).copied(), Some(*source) == newcomer, *stage == Stage::Silent, Reverse(**id))
        };
        half_open().filter(|(_, connection)| is_meant(connection.source)).max_by_key(rank).map(|(id, _)| *id)
    }

    fn count(&self, is_meant: impl Fn(Source) -> bool) -> usize {
        self.places.values().filter(|connection| is_meant(connection.source)).count()
    }

    fn count_half_open(&self, is_meant: impl Fn(Source) -> bool) -> usize {
        self.places.values().filter(|connection| connection.is_half_open() && is_meant(connection.source)).count()
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
