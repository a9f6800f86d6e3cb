//! The limits that all workers share: places for workers, and room in the cache. Part of the
//! [assignment](super::assignment), and as pure.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use super::{
    cache::{Cache, TrackId},
    track::{Phase, Reader, Track, ViewerId, Worker, WorkerId},
};

/// How long a claim waits before it takes the place of a worker that serves others.
const PREEMPT_AFTER: Duration = Duration::from_secs(1);

/// How long a worker serves before it may lose its place to a claim.
const QUANTUM: Duration = Duration::from_secs(1);

/// A worker that has rested for longer than this serves a viewer that is paused, not one that plays.
const PLAY_GAP: Duration = Duration::from_millis(500);

/// How many decoders there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// More workers than this only take memory and time from each other.
    pub(super) workers: usize,
    /// Workers that serve one viewer and nobody else.
    pub(super) workers_per_viewer: usize,
    /// Pixels of the pictures of all workers together: a decoder holds some dozen raw pictures. A single track counts
    /// for half of it at most, so that a very large video and ordinary ones can play side by side.
    pub(super) pixels: u64,
    /// The same for workers that serve nobody but viewers who scrub: a crowd of those keeps every core busy with these
    /// already, and with more would only take memory.
    pub(super) scrubbing_pixels: u64,
}

const PIXELS_1440P: u64 = 2560 * 1440;

impl Default for Limits {
    /// Sixteen decoders of 1440p, of which viewers who scrub get one for each core, and at least two; for each viewer the
    /// pictures, the sound and the next segment, and one to spare.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
        let (pixels, scrubbing_pixels) = (16 * PIXELS_1440P, cores.clamp(2, 16) * PIXELS_1440P);
        Self { workers: 16, workers_per_viewer: 4, pixels, scrubbing_pixels }
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
    /// Who needs it.
    pub(super) viewer: ViewerId,
    /// Whether that viewer has just turned.
    pub(super) is_turning: bool,
    /// Whether it scrubs.
    pub(super) is_scrubbing: bool,
    /// When it turned last.
    pub(super) turned_at: Option<Instant>,
}

impl Claim {
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// Who takes which of the limited places.
///
/// A claim for which there is no place takes that of a worker, in this order:
///
/// 1. one that serves nobody;
/// 2. if the viewer of the claim just plays: one that serves only viewers who have just turned;
/// 3. if the frame is wanted now: one that rests for a viewer who is paused;
/// 4. if the frame is wanted now and has been for [`PREEMPT_AFTER`]: one that serves others. A viewer who has just turned
///    takes it only from others who have. Otherwise it is the one whose viewers turned last, and the claim need not wait if
///    its viewer has watched for longer than they: so those who have watched for long keep their places, and the last
///    comers take turns, each for [`QUANTUM`] at least.
pub(super) struct Places<'a> {
    limits: &'a Limits,
    now: Instant,
    /// What all workers use, those that are leaving included.
    used: Load,
    /// What those use that stay.
    staying: Load,
    /// Workers that stay.
    holders: Vec<Holder>,
    /// Pictures that a viewer waits for, or whose decoder has not left yet: the viewers for whom they were opened.
    opening: Vec<ViewerId>,
    /// Whether a worker is on its way out.
    has_leaving: bool,
    /// Workers that are to leave.
    pub(super) cancels: Vec<WorkerId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    workers: usize,
    pixels: u64,
    /// Those of the workers that serve nobody but viewers who scrub.
    scrubbing_pixels: u64,
}

/// A worker that has a place.
#[derive(Debug, Clone, Copy)]
struct Holder {
    worker: WorkerId,
    pixels: u64,
    /// The viewer that it serves or has served, if it is only one.
    sole_viewer: Option<ViewerId>,
    /// Whom it serves.
    service: Service,
    /// Whether it serves nobody but viewers who scrub.
    is_scrubbing: bool,
    /// Whether it makes a frame that is wanted now.
    is_awaited: bool,
    /// Since when it rests, if it does.
    resting_since: Option<Instant>,
    has_had_quantum: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Nobody,
    /// Only viewers that have just turned.
    Turning,
    /// Also viewers that have not turned since this time, or never.
    Playing(Option<Instant>),
}

impl Holder {
    fn new(id: WorkerId, worker: &Worker, track: &Track, target: Option<usize>, pixels: u64, now: Instant) -> Self {
        let served = || track.wants.values().filter(|want| want.is_served_by(worker.position, target));
        let mut viewers: Vec<_> = served().map(|want| want.reader.viewer).collect();
        viewers.sort_unstable();
        viewers.dedup();
        let sole_viewer = match viewers[..] {
            [] => Some(worker.opened_for),
            [viewer] => Some(viewer),
            _ => None,
        };
        let playing = served().filter(|want| !want.reader.is_turning(now)).map(|want| want.reader.turned_at).min();
        let service = match playing {
            Some(turned_at) => Service::Playing(turned_at),
            None if viewers.is_empty() => Service::Nobody,
            None => Service::Turning,
        };
        let is_scrubbing = served().all(|want| want.reader.is_scrubbing(now));
        let resting_since = match worker.phase {
            Phase::Idle { since } if target.is_none() => Some(since),
            Phase::Working { .. } if target.is_none() => Some(now),
            _ => None,
        };
        let is_awaited = target.is_some_and(|target| {
            served().any(|want| worker.position <= want.frames.start && want.frames.start <= target)
        });
        let has_had_quantum = worker.phase != Phase::Opening && now.saturating_duration_since(worker.since) >= QUANTUM;
        Self { worker: id, pixels, sole_viewer, service, is_scrubbing, is_awaited, resting_since, has_had_quantum }
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.resting_since.is_some_and(|since| now.saturating_duration_since(since) >= PLAY_GAP)
    }
}

impl<'a> Places<'a> {
    pub(super) fn new(
        tracks: &BTreeMap<TrackId, Track>,
        limits: &'a Limits,
        targets: &BTreeMap<WorkerId, usize>,
        now: Instant,
    ) -> Self {
        let (used, staying) = (Load::default(), Load::default());
        let (holders, opening, cancels) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Self { limits, now, used, staying, holders, opening, has_leaving: false, cancels };
        for track in tracks.values() {
            let pixels = limits.weight(track.pixels);
            for (&id, worker) in &track.workers {
                if matches!(worker.phase, Phase::Opening | Phase::Leaving) && pixels > 0 {
                    places.opening.push(worker.opened_for);
                }
                if worker.phase == Phase::Leaving {
                    places.used.add(pixels, true);
                    places.has_leaving = true;
                    continue;
                }
                let holder = Holder::new(id, worker, track, targets.get(&id).copied(), pixels, now);
                places.used.add(pixels, holder.is_scrubbing);
                places.staying.add(pixels, holder.is_scrubbing);
                places.holders.push(holder);
            }
        }
        // Those that have rested for long first.
        places.holders.sort_by_key(|holder| (holder.resting_since.is_none(), holder.resting_since));
        places
    }

    /// Takes a place for a claim's worker, which may start if this returns true. Otherwise the place is reserved: what
    /// comes later does not get it first.
    pub(super) fn take(&mut self, claim: &Claim, pixels: u64) -> bool {
        let pixels = self.limits.weight(pixels);
        if !self.is_within_share(claim, pixels) {
            return false;
        }
        let is_scrubbing = claim.is_scrubbing;
        let may_start = self.limits.allow(self.used, pixels, is_scrubbing);
        let may_stay = may_start || self.limits.allow(self.staying, pixels, is_scrubbing);
        if may_stay || self.free(claim, pixels) || claim.is_urgent {
            self.used.add(pixels, is_scrubbing);
            self.staying.add(pixels, is_scrubbing);
            if pixels > 0 {
                self.opening.push(claim.viewer);
            }
        }
        may_start
    }

    /// Whether a viewer may have one more decoder. If it has all that one may have, one of them leaves whose frames it
    /// does not wait for.
    fn is_within_share(&mut self, claim: &Claim, pixels: u64) -> bool {
        if claim.viewer == Reader::SERVER.viewer {
            return true;
        }
        // One picture decoder at a time: a place that the viewer has left again is not worth opening a file for. One that
        // turned once may open the next files, too.
        if claim.is_scrubbing && pixels > 0 && self.opening.contains(&claim.viewer) {
            return false;
        }
        let own = || self.holders.iter().filter(|holder| holder.sole_viewer == Some(claim.viewer));
        if own().count() < self.limits.workers_per_viewer {
            return true;
        }
        let spare = own().filter(|holder| !holder.is_awaited).min_by_key(|holder| holder.service != Service::Nobody);
        match spare.copied() {
            Some(spare) if claim.is_urgent => {
                self.dismiss(&[spare]);
                true
            }
            _ => false,
        }
    }

    /// Has just enough workers leave for a place. None leave if that is not enough.
    fn free(&mut self, claim: &Claim, pixels: u64) -> bool {
        let (mut left, mut leaving) = (self.staying, Vec::new());
        for holder in self.candidates(claim) {
            if self.limits.allow(left, pixels, claim.is_scrubbing) {
                break;
            }
            // What serves others takes nothing of what those who scrub share.
            if holder.is_scrubbing || !self.limits.allow(left, pixels, false) {
                left.remove(&holder);
                leaving.push(holder);
            }
        }
        if !self.limits.allow(left, pixels, claim.is_scrubbing) {
            return false;
        }
        self.dismiss(&leaving);
        true
    }

    /// The workers that give up their place for a claim, in this order.
    fn candidates(&self, claim: &Claim) -> Vec<Holder> {
        let has_waited = claim.is_urgent && claim.waited(self.now) >= PREEMPT_AFTER;
        let rank = |holder: &&Holder| match holder.service {
            Service::Nobody => Some(1),
            Service::Turning if !claim.is_turning => Some(2),
            _ if claim.is_urgent && holder.is_paused(self.now) => Some(3),
            Service::Turning if has_waited && holder.has_had_quantum => Some(4),
            _ => None,
        };
        let mut ranked: Vec<_> = self.holders.iter().filter_map(|holder| Some((rank(&holder)?, *holder))).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let mut candidates: Vec<_> = ranked.into_iter().map(|(_, holder)| holder).collect();
        // One after the other: those who come last take turns on one place, not on all.
        let is_viewer = claim.viewer != Reader::SERVER.viewer;
        if claim.is_urgent && !claim.is_turning && !self.has_leaving {
            let turned_at = |holder: &Holder| match holder.service {
                Service::Playing(turned_at) if !holder.is_paused(self.now) => Some(turned_at),
                _ => None,
            };
            let mut playing: Vec<_> = self.holders.iter().filter(|holder| turned_at(holder).is_some()).collect();
            playing.sort_by_key(|holder| Reverse(turned_at(holder)));
            let gives_way = |holder: &&Holder| {
                let came_later = is_viewer && turned_at(holder).is_some_and(|turned_at| turned_at > claim.turned_at);
                holder.has_had_quantum && (has_waited || came_later)
            };
            candidates.extend(playing.into_iter().take_while(gives_way));
        }
        candidates
    }

    fn dismiss(&mut self, leaving: &[Holder]) {
        for holder in leaving {
            self.staying.remove(holder);
            self.cancels.push(holder.worker);
            self.has_leaving = true;
        }
        self.holders.retain(|holder| leaving.iter().all(|gone| gone.worker != holder.worker));
    }
}

impl Limits {
    fn weight(&self, pixels: u64) -> u64 {
        pixels.min(self.pixels / 2)
    }

    /// Whether a worker of this weight fits beside a load. Sound weighs nothing. For a viewer who scrubs there may be one
    /// decoder in any case, however large its pictures are.
    fn allow(&self, load: Load, pixels: u64, is_scrubbing: bool) -> bool {
        let has_share =
            !is_scrubbing || load.scrubbing_pixels == 0 || load.scrubbing_pixels + pixels <= self.scrubbing_pixels;
        load.workers < self.workers && (pixels == 0 || (has_share && load.pixels + pixels <= self.pixels))
    }
}

impl Load {
    fn add(&mut self, pixels: u64, is_scrubbing: bool) {
        self.workers += 1;
        self.pixels += pixels;
        self.scrubbing_pixels += if is_scrubbing { pixels } else { 0 };
    }

    fn remove(&mut self, holder: &Holder) {
        self.workers -= 1;
        self.pixels -= holder.pixels;
        self.scrubbing_pixels -= if holder.is_scrubbing { holder.pixels } else { 0 };
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
