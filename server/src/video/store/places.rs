//! The limits that all workers share: places for workers, and room in the cache. Part of the
//! [assignment](super::assignment), and as pure.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    cache::{Cache, TrackId},
    track::{Phase, Track, WorkerId},
};

/// How long a claim waits before it takes the place of a busy worker.
const PREEMPT_AFTER: Duration = Duration::from_secs(1);

/// How long a worker works before it may lose its place to a claim.
const QUANTUM: Duration = Duration::from_secs(1);

/// How many decoders there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// More workers than this only take memory and time from each other.
    pub(super) workers: usize,
    /// Pixels of the pictures of all workers together: a decoder holds some dozen raw pictures. A single track counts
    /// for half of it at most, so that a very large video and ordinary ones can play side by side.
    pub(super) pixels: u64,
}

impl Default for Limits {
    /// Sixteen decoders of 1440p.
    fn default() -> Self {
        Self { workers: 16, pixels: 16 * 2560 * 1440 }
    }
}

/// A frame that needs a new worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) track: TrackId,
    pub(super) frame: usize,
    /// Whether a cursor wants the frame now.
    pub(super) is_urgent: bool,
    /// Since when the cursor has waited.
    pub(super) since: Instant,
}

impl Claim {
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// Who takes which of the limited places.
pub(super) struct Places<'a> {
    limits: &'a Limits,
    now: Instant,
    /// What all workers use, those that are leaving included.
    used: Load,
    /// What those use that stay.
    staying: Load,
    /// Idle workers, the one first that is missed least.
    idle: Vec<Holder>,
    /// Workers that have worked for [`QUANTUM`], the longest first.
    busy: Vec<Holder>,
    /// Workers that are to leave.
    pub(super) cancels: Vec<WorkerId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    workers: usize,
    pixels: u64,
}

/// A worker that can lose its place.
#[derive(Debug, Clone, Copy)]
struct Holder {
    worker: WorkerId,
    pixels: u64,
    is_parked: bool,
    since: Instant,
}

impl<'a> Places<'a> {
    pub(super) fn new(
        tracks: &BTreeMap<TrackId, Track>,
        limits: &'a Limits,
        targets: &BTreeMap<WorkerId, usize>,
        now: Instant,
    ) -> Self {
        let (used, staying) = (Load::default(), Load::default());
        let mut places = Self { limits, now, used, staying, idle: Vec::new(), busy: Vec::new(), cancels: Vec::new() };
        for track in tracks.values() {
            let pixels = limits.weight(track.pixels);
            for (&id, worker) in &track.workers {
                places.used.add(pixels);
                if worker.phase != Phase::Leaving {
                    places.staying.add(pixels);
                }
                let holder = |is_parked, since| Holder { worker: id, pixels, is_parked, since };
                match worker.phase {
                    Phase::Idle { since } if !targets.contains_key(&id) => {
                        places.idle.push(holder(track.is_parked(worker), since));
                    }
                    Phase::Working { since, .. } if !targets.contains_key(&id) => {
                        places.idle.push(holder(track.is_parked(worker), since.max(now)));
                    }
                    Phase::Working { since, .. } if now.saturating_duration_since(since) >= QUANTUM => {
                        places.busy.push(holder(false, since));
                    }
                    _ => {}
                }
            }
        }
        places.idle.sort_unstable_by_key(|holder| (holder.is_parked, holder.since));
        places.busy.sort_unstable_by_key(|holder| holder.since);
        places
    }

    /// Takes a place for a claim's worker, which may start if this returns true. Otherwise the place is reserved: what
    /// comes later does not get it first.
    pub(super) fn take(&mut self, claim: &Claim, pixels: u64) -> bool {
        let pixels = self.limits.weight(pixels);
        let may_start = self.limits.allow(self.used, pixels);
        if may_start || self.limits.allow(self.staying, pixels) || self.free(claim, pixels) || claim.is_urgent {
            self.used.add(pixels);
            self.staying.add(pixels);
        }
        may_start
    }

    /// Has just enough workers leave for a place. None leave if that is not enough.
    fn free(&mut self, claim: &Claim, pixels: u64) -> bool {
        let may_take = |holder: &&Holder| claim.is_urgent || !holder.is_parked;
        let may_preempt = claim.is_urgent && claim.waited(self.now) >= PREEMPT_AFTER;
        let idle = self.idle.iter().filter(may_take);
        let candidates = idle.chain(self.busy.iter().filter(|_| may_preempt));
        let (mut left, mut leaving) = (self.staying, Vec::new());
        for holder in candidates {
            if self.limits.allow(left, pixels) {
                break;
            }
            left.remove(holder.pixels);
            leaving.push(holder.worker);
        }
        if !self.limits.allow(left, pixels) {
            return false;
        }
        self.staying = left;
        self.idle.retain(|holder| !leaving.contains(&holder.worker));
        self.busy.retain(|holder| !leaving.contains(&holder.worker));
        self.cancels.extend(leaving);
        true
    }
}

impl Limits {
    fn weight(&self, pixels: u64) -> u64 {
        pixels.min(self.pixels / 2)
    }

    /// Whether a worker of this weight fits beside a load. Sound weighs nothing.
    fn allow(&self, load: Load, pixels: u64) -> bool {
        load.workers < self.workers && (pixels == 0 || load.pixels + pixels <= self.pixels)
    }
}

impl Load {
    fn add(&mut self, pixels: u64) {
        self.workers += 1;
        self.pixels += pixels;
    }

    fn remove(&mut self, pixels: u64) {
        self.workers -= 1;
        self.pixels -= pixels;
    }
}

/// What the cache can take in without evicting a frame that is needed.
pub(super) struct Room<'a> {
    tracks: &'a BTreeMap<TrackId, Track>,
    cache: &'a Cache,
    free_bytes: u64,
    given_bytes: u64,
    /// Whether `free_bytes` counts what can be evicted. Counted only when the cache is full.
    is_exact: bool,
}

impl<'a> Room<'a> {
    pub(super) fn new(tracks: &'a BTreeMap<TrackId, Track>, cache: &'a Cache) -> Self {
        let free_bytes = cache.limit_bytes().saturating_sub(cache.held_bytes());
        Self { tracks, cache, free_bytes, given_bytes: 0, is_exact: false }
    }

    /// Takes room for a frame, if there is any.
    pub(super) fn take(&mut self, frame_bytes: u64) -> bool {
        let wanted_bytes = self.given_bytes + frame_bytes.max(1);
        if wanted_bytes > self.free_bytes && !self.is_exact {
            let needed_bytes: u64 = self.tracks.iter().map(|(&id, track)| track.needed_bytes(id, self.cache)).sum();
            self.free_bytes = self.cache.limit_bytes().saturating_sub(needed_bytes);
            self.is_exact = true;
        }
        let has_room = wanted_bytes <= self.free_bytes;
        if has_room {
            self.given_bytes = wanted_bytes;
        }
        has_room
    }
}
