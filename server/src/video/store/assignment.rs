//! Decides who decodes what: one pure function of what cursors want, what is held, what workers do, the limits and the
//! time. Everything that the store does about decoders follows from its result.
//!
//! What is on disk is read, as [`reads`] decides. For the rest of each track:
//!
//! * A frame that is wanted and not held belongs to the nearest worker before it. A worker makes its frames in order, so
//!   it takes a chain of them: gaps of up to [`REACH_FRAMES`] are decoded too, except across a frame that just failed.
//! * A frame that a cursor wants *now* must be that close to the worker itself, not just to its chain. Otherwise the
//!   cursor would wait for all the frames between, and those may not even be made for lack of room.
//! * Frames wanted *soon* are made only while the cache has room for them. Frames wanted now are made in any case.
//! * What no worker takes becomes a *claim* to a new worker: any frame wanted now, and a frame wanted soon if its cursor
//!   lacks more than one of those that it wants.
//!
//! Claims of viewers that just play are met first, then those of viewers that have just turned: opened a video, sought or
//! changed the quality. Within each group those for frames wanted now come first, in order of waiting. [`places`] decides
//! whether a claim gets a place, and who gives one up for it. A claim for a frame wanted now that finds no place lets
//! nothing behind it pass, and after [`BUSY_PATIENCE`] its viewers are told so. So every cursor gets its frame or a
//! reason, and a crowd that seeks wildly does not stop viewers who just watch; `liveness_tests.rs` tests both on a
//! simulated machine.
//!
//! [`places`]: super::places
//! [`reads`]: super::reads

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    cache::{Cache, TrackId},
    places::{Claim, Limits, Places, Room},
    reads::{ReadStart, Reads},
    track::{Missing, Phase, Track, ViewerId, Want, Worker, WorkerId, union},
};

/// A worker decodes across gaps of up to this many frames rather than let a second one open and search the file: about
/// 100 ms of work at 1440p.
pub(super) const REACH_FRAMES: usize = 12;

/// A worker leaves at once when every cursor of its track ends before its position, or a new worker starts on the track; it
/// leaves after this long without work …
const IDLE_TIME: Duration = Duration::from_millis(500);

/// … and after this long if a viewer is about to need it: one that is paused, or that comes to the next segment.
const PARKED_TIME: Duration = Duration::from_secs(15);

/// How long a claim waits for a place before its viewers are told that every decoder is in use.
pub(super) const BUSY_PATIENCE: Duration = Duration::from_secs(10);

/// Workers of one track that may hang at a time. A file whose decoder hangs takes no more threads than that.
const MAX_HUNG_PER_TRACK: usize = 2;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The last frame that each worker is to make. A worker that is not listed has nothing to do.
    pub(super) targets: BTreeMap<WorkerId, usize>,
    /// Packs to read from disk.
    pub(super) reads: Vec<ReadStart>,
    /// Workers to start.
    pub(super) starts: Vec<Start>,
    /// Workers that are to leave.
    pub(super) cancels: Vec<WorkerId>,
    /// Frames whose cursors are told that they cannot be made now.
    pub(super) refusals: Vec<Refusal>,
}

/// A worker to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) track: TrackId,
    /// The first frame that it makes.
    pub(super) frame: usize,
    /// Who needs it.
    pub(super) viewer: ViewerId,
}

/// A frame that cannot be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) track: TrackId,
    pub(super) frame: usize,
    pub(super) reason: RefusalReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// Every decoder is in use.
    Busy,
    /// Decoders of the track hang.
    Hung,
}

/// Decides who decodes what.
pub(super) fn assign(
    tracks: &BTreeMap<TrackId, Track>,
    cache: &Cache,
    reads: &Reads,
    limits: &Limits,
    now: Instant,
) -> Assignment {
    let mut assignment = Assignment::default();
    let mut room = Room::new(tracks, cache);
    let (mut lacking, mut readable) = (Vec::with_capacity(tracks.len()), Vec::new());
    for (&id, track) in tracks {
        let mut missing = missing_frames(id, track, cache, now);
        reads.take_readable(id, track, &mut missing, &mut readable, now);
        lacking.push((id, track, missing));
    }
    assignment.reads = reads.choose(readable, &mut room);
    let mut claims = Vec::new();
    for (id, track, missing) in lacking {
        let unassigned = give_to_workers(track, missing, now, &mut room, &mut assignment);
        claims.extend(claims_of(id, track, &unassigned, cache, now, &mut room));
    }
    if claims.is_empty() {
        retire_idle(tracks, &mut assignment, now);
        return assignment;
    }
    let mut places = Places::new(tracks, limits, &assignment.targets, now);
    claims.sort_by_key(|claim| (claim.is_turning, !claim.is_urgent, claim.since));
    for claim in claims {
        let track = &tracks[&claim.track];
        if track.hung.len() >= MAX_HUNG_PER_TRACK {
            assignment.refuse(&claim, RefusalReason::Hung);
        } else if places.take(&claim, track.pixels) {
            assignment.starts.push(Start { track: claim.track, frame: claim.frame, viewer: claim.viewer });
        } else if claim.is_urgent && claim.waited(now) >= BUSY_PATIENCE {
            assignment.refuse(&claim, RefusalReason::Busy);
        }
    }
    assignment.cancels = places.cancels;
    retire_idle(tracks, &mut assignment, now);
    assignment
}

impl Assignment {
    fn refuse(&mut self, claim: &Claim, reason: RefusalReason) {
        if claim.is_urgent {
            self.refusals.push(Refusal { track: claim.track, frame: claim.frame, reason });
        }
    }
}

/// Ascending, each frame once.
fn missing_frames(id: TrackId, track: &Track, cache: &Cache, now: Instant) -> Vec<Missing> {
    let mut urgent = BTreeMap::<usize, Instant>::new();
    let mut ranges = Vec::with_capacity(track.wants.len());
    for want in track.wants.values() {
        let frames = track.reachable(want, now);
        if !frames.is_empty() {
            let since = urgent.entry(frames.start).or_insert(want.since);
            *since = want.since.min(*since);
            ranges.push(frames);
        }
    }
    let frames = union(ranges).into_iter().flat_map(|range| cache.missing_in(id, range));
    frames.map(|frame| Missing { frame, urgent_since: urgent.get(&frame).copied() }).collect()
}

/// Gives each worker the chain of missing frames that it comes to first, and returns the frames that none takes.
fn give_to_workers(
    track: &Track,
    missing: Vec<Missing>,
    now: Instant,
    room: &mut Room<'_>,
    assignment: &mut Assignment,
) -> Vec<Missing> {
    let mut workers: Vec<_> = track.workers.iter().filter(|(_, worker)| worker.phase != Phase::Leaving).collect();
    // Of several at one position the last takes all: one that works already, if there is one.
    let is_idle = |worker: &Worker| matches!(worker.phase, Phase::Idle { .. });
    workers.sort_by_key(|(id, worker)| (worker.position, Reverse(is_idle(worker)), Reverse(**id)));
    let mut frames = missing.into_iter().peekable();
    let mut unassigned = Vec::new();
    for (number, &(&id, worker)) in workers.iter().enumerate() {
        while let Some(before) = frames.next_if(|missing| missing.frame < worker.position) {
            unassigned.push(before);
        }
        let end = workers.get(number + 1).map_or(usize::MAX, |(_, next)| next.position);
        let reach = worker.position + REACH_FRAMES;
        let (mut last, mut last_urgent) = (worker.position, None);
        let is_next = |missing: &Missing, last: usize| {
            missing.frame < end
                && missing.frame <= last + REACH_FRAMES
                && (missing.urgent_since.is_none() || missing.frame <= reach)
                && !track.has_failed_in(last..missing.frame, now)
        };
        let mut has_any = false;
        while let Some(taken) = frames.next_if(|missing| is_next(missing, last)) {
            (last, has_any) = (taken.frame, true);
            if taken.urgent_since.is_some() {
                last_urgent = Some(taken.frame);
            }
        }
        let target = if has_any && room.take(track.frame_bytes) { Some(last) } else { last_urgent };
        if let Some(target) = target {
            assignment.targets.insert(id, target);
        }
    }
    unassigned.extend(frames);
    unassigned
}

fn claims_of(
    id: TrackId,
    track: &Track,
    unassigned: &[Missing],
    cache: &Cache,
    now: Instant,
    room: &mut Room<'_>,
) -> Vec<Claim> {
    let mut claims = Vec::<Claim>::new();
    // The end of the chain of the last claim's worker, which takes what follows like any other.
    let mut last = 0;
    // One that takes a single picture now and then would have the file searched for each.
    let is_moving = |want: &Want| {
        let frames = track.reachable(want, now);
        cache.missing_in(id, frames.clone()).count() >= frames.len().min(2)
    };
    for &Missing { frame, urgent_since } in unassigned {
        // A frame that is wanted now needs a worker that starts as soon as any.
        let is_reached = claims.last().is_some_and(|claim| {
            let is_in_time = claim.is_urgent && frame <= claim.frame + REACH_FRAMES;
            frame <= last + REACH_FRAMES && (urgent_since.is_none() || is_in_time)
        });
        if is_reached {
            last = frame;
            continue;
        }
        let is_urgent = urgent_since.is_some();
        let wants = track.wants.values().filter(|want| {
            let frames = track.reachable(want, now);
            if is_urgent {
                frames.start == frame && !frames.is_empty()
            } else {
                frames.contains(&frame) && is_moving(want)
            }
        });
        // It is made for the one that goes first.
        let Some(want) = wants.min_by_key(|want| (want.reader.is_turning(now), want.since)) else { continue };
        if is_urgent || room.take(track.frame_bytes) {
            let (viewer, is_turning) = (want.reader.viewer, want.reader.is_turning(now));
            let since = urgent_since.unwrap_or(want.since);
            let turned_at = want.reader.turned_at;
            let is_scrubbing = want.reader.is_scrubbing(now);
            claims.push(Claim { track: id, frame, is_urgent, since, viewer, is_turning, is_scrubbing, turned_at });
            last = frame;
        }
    }
    claims
}

/// Workers leave that have come to the end of what is wanted, that have been idle for long, that open a file which no cursor
/// waits for any more, or that are spare on a track that gets a new worker.
fn retire_idle(tracks: &BTreeMap<TrackId, Track>, assignment: &mut Assignment, now: Instant) {
    for (id, track) in tracks {
        let has_start = assignment.starts.iter().any(|start| start.track == *id);
        for (&worker_id, worker) in &track.workers {
            if assignment.targets.contains_key(&worker_id) || assignment.cancels.contains(&worker_id) {
                continue;
            }
            match worker.phase {
                Phase::Idle { .. } | Phase::Working { .. } if track.is_finished_at(worker.position) => {
                    assignment.cancels.push(worker_id);
                }
                Phase::Idle { since } => {
                    let is_parked = track.is_parked(worker);
                    let limit = if is_parked { PARKED_TIME } else { IDLE_TIME };
                    if now.saturating_duration_since(since) >= limit || (has_start && !is_parked) {
                        assignment.cancels.push(worker_id);
                    }
                }
                Phase::Opening => {
                    let reach = worker.position..worker.position + REACH_FRAMES + 1;
                    let is_wanted = |want: &Want| want.frames.start < reach.end && reach.start < want.frames.end;
                    if !track.wants.values().any(is_wanted) {
                        assignment.cancels.push(worker_id);
                    }
                }
                Phase::Working { .. } | Phase::Leaving => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "assignment_tests.rs"]
mod tests;
