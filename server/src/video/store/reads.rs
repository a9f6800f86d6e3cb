//! Decides which packs are read from disk. Part of the [assignment](super::assignment), and as pure.
//!
//! * A frame that is wanted, not held and in a pack is read, whatever the decoders do: reading needs no decoder's place.
//! * A few packs are read at a time: first those with a frame that a cursor wants now, in order of waiting; the others only
//!   while the cache has room for them.
//! * A frame that a cursor has wanted for [`READ_PATIENCE`] and that is not there yet is left to the decoders.
//! * When a read takes that long, or the system fails to read, nothing is read for [`PAUSE`], and decoders make the frames: a
//!   disk that is slower than them is of no use.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    cache::TrackId,
    places::Room,
    source::{Pack, Packs},
    track::{Missing, Track},
};

/// Packs that are read at a time. More do not make a disk faster.
pub(super) const READERS: usize = 4;

/// How long a frame may take from the disk before a decoder makes it.
const READ_PATIENCE: Duration = Duration::from_millis(250);

/// How long nothing is read after a read took longer.
const PAUSE: Duration = Duration::from_secs(5);

/// A pack to read, once the lock is released.
pub(super) struct ReadRequest {
    pub(super) track: TrackId,
    pub(super) packs: Arc<dyn Packs>,
    pub(super) pack: Pack,
    /// The frame that is wanted first.
    pub(super) wanted: Option<usize>,
}

/// Frames to write as one pack.
pub(super) struct WriteRequest {
    pub(super) packs: Arc<dyn Packs>,
    pub(super) first: usize,
    pub(super) frames: Vec<Bytes>,
}

/// The reads that are under way.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// How many there may be at a time; 0 without a disk tier.
    limit: usize,
    under_way: BTreeMap<(TrackId, usize), Read>,
    paused_until: Option<Instant>,
}

#[derive(Debug)]
struct Read {
    bytes: u64,
    since: Instant,
    /// Whether its frames are no longer waited for. The thread may hang in it for as long as the system does.
    is_given_up: bool,
}

/// A pack to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadStart {
    pub(super) track: TrackId,
    pub(super) pack: Pack,
    /// The frame in it that a cursor wants now.
    pub(super) wanted: Option<usize>,
}

/// A pack with frames that are wanted, and since when a cursor has wanted one of them now.
#[derive(Debug)]
pub(super) struct Candidate {
    start: ReadStart,
    urgent_since: Option<Instant>,
}

impl Reads {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes the frames out of `missing` that come from the disk, and adds their packs to the candidates.
    pub(super) fn take_readable(
        &self,
        id: TrackId,
        track: &Track,
        missing: &mut Vec<Missing>,
        candidates: &mut Vec<Candidate>,
        now: Instant,
    ) {
        let Some(packs) = track.packs.as_ref().filter(|_| self.is_usable(now)) else { return };
        let mut current: Option<Candidate> = None;
        missing.retain(|&Missing { frame, urgent_since }| {
            if current.as_ref().is_none_or(|candidate| !candidate.start.pack.frames.contains(&frame)) {
                candidates.extend(current.take());
                let start = |pack| ReadStart { track: id, pack, wanted: None };
                current = packs.find(frame).map(|pack| Candidate { start: start(pack), urgent_since: None });
            }
            let Some(candidate) = &mut current else { return true };
            let Some(since) = urgent_since else { return false };
            if candidate.urgent_since.is_none_or(|earlier| since < earlier) {
                (candidate.urgent_since, candidate.start.wanted) = (Some(since), Some(frame));
            }
            now.saturating_duration_since(since) >= READ_PATIENCE
        });
        candidates.extend(current);
    }

    /// The packs to read now, of those that are not being read.
    pub(super) fn choose(&self, mut candidates: Vec<Candidate>, room: &mut Room<'_>) -> Vec<ReadStart> {
        for read in self.under_way.values().filter(|read| !read.is_given_up) {
            room.take(read.bytes);
        }
        let mut free = self.limit.saturating_sub(self.under_way.len());
        candidates.sort_by_key(|candidate| (candidate.urgent_since.is_none(), candidate.urgent_since));
        let mut starts = Vec::new();
        for Candidate { start, urgent_since } in candidates {
            if free == 0 {
                break;
            }
            let is_new = !self.under_way.contains_key(&(start.track, start.pack.frames.start));
            let has_room = is_new && room.take(start.pack.bytes);
            if is_new && (has_room || urgent_since.is_some()) {
                starts.push(start);
                free -= 1;
            }
        }
        starts
    }

    pub(super) fn begin(&mut self, start: &ReadStart, now: Instant) {
        let read = Read { bytes: start.pack.bytes, since: now, is_given_up: false };
        self.under_way.insert((start.track, start.pack.frames.start), read);
    }

    /// A read is over. `is_failed`: the system could not read.
    pub(super) fn end(&mut self, track: TrackId, first_frame: usize, is_failed: bool, now: Instant) {
        self.under_way.remove(&(track, first_frame));
        if is_failed {
            self.paused_until = Some(now + PAUSE);
        }
    }

    /// Gives up reads that take too long. Returns a track with one.
    pub(super) fn give_up_slow(&mut self, now: Instant) -> Option<TrackId> {
        let mut slow = None;
        for (&(track, _), read) in &mut self.under_way {
            if !read.is_given_up && now.saturating_duration_since(read.since) >= READ_PATIENCE {
                read.is_given_up = true;
                slow = Some(track);
            }
        }
        if slow.is_some() {
            self.paused_until = Some(now + PAUSE);
        }
        slow
    }

    /// Whether frames may be expected from the disk: there is a thread for them, or soon will be.
    fn is_usable(&self, now: Instant) -> bool {
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        let has_thread = self.under_way.len() < self.limit || self.under_way.values().any(|read| !read.is_given_up);
        self.limit > 0 && !is_paused && has_thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_read_that_is_slow_or_fails_decoders_make_the_frames_for_a_while() {
        let (mut reads, track, begun) = (Reads::new(READERS), TrackId(1), Instant::now());
        let at = |millis| begun + Duration::from_millis(millis);
        let start = ReadStart { track, pack: Pack { frames: 0..16, bytes: 1000 }, wanted: Some(0) };
        reads.begin(&start, begun);
        assert!(reads.give_up_slow(at(249)).is_none() && reads.is_usable(at(249)));
        assert_eq!(reads.give_up_slow(at(250)), Some(track));
        assert!(!reads.is_usable(at(250)) && !reads.is_usable(at(5249)));
        assert!(reads.give_up_slow(at(251)).is_none(), "it is given up once");
        assert!(reads.is_usable(at(5250)), "another thread reads");
        reads.end(track, 0, true, at(10_000));
        assert!(!reads.is_usable(at(14_999)) && reads.is_usable(at(15_000)));
        reads.begin(&start, at(15_000));
        reads.end(track, 0, false, at(15_001));
        assert!(reads.is_usable(at(15_001)));
    }
}
