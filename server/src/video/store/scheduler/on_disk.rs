//! What the scheduler does about frames on disk: has packs read, takes in what was read, and notes what can be written.

use std::time::Instant;

use bytes::Bytes;

use super::{
    super::{
        cache::{Make, TrackId},
        places::Room,
        reads::{READERS, ReadRequest, ReadStart, Reads, WriteRequest},
        source::Pack,
    },
    Scheduler,
};

/// Packs that wait to be written, by their numbers. At 16 frames each, that is more than any cache holds.
const MAX_UNWRITTEN: usize = 4096;

impl Scheduler {
    /// From now on frames are read from disk, too.
    pub(in super::super) fn read_from_disk(&mut self) {
        self.reads = Reads::new(READERS);
    }

    /// Frames come from disk. Those that are wanted soon are kept only if there is room for them.
    pub(in super::super) fn put_read(&mut self, track_id: TrackId, mut frames: Vec<(usize, Bytes)>) {
        let Some(track) = self.tracks.get_mut(&track_id) else { return };
        frames.retain(|(frame, _)| !self.cache.has(track_id, *frame));
        if let Some((_, bytes)) = frames.last() {
            track.frame_bytes = bytes.len() as u64;
        }
        for (frame, _) in &frames {
            track.failures.remove(frame);
        }
        let (track, mut room) = (&self.tracks[&track_id], Room::new(&self.tracks, &self.cache));
        frames.retain(|(frame, bytes)| room.take(bytes.len() as u64) || track.is_awaited(*frame));
        // A cursor that wants some of them will want those behind them, which so far are read for no other.
        for (cursor, want) in &track.wants {
            if frames.iter().any(|(frame, _)| want.frames.contains(frame)) {
                let behind = frames.iter().map(|(frame, _)| *frame).filter(|&frame| frame >= want.frames.start);
                self.missed.entry(*cursor).or_default().extend(behind);
            }
        }
        let tracks = &self.tracks;
        let is_needed = |track: TrackId, frame| tracks.get(&track).is_some_and(|track| track.needs(frame));
        for (frame, bytes) in frames {
            self.cache.put(track_id, frame, bytes, Make::Read, is_needed);
        }
        self.notify(track_id);
    }

    /// A read is over. `is_failed`: the system could not read.
    pub(in super::super) fn end_read(&mut self, track: TrackId, first_frame: usize, is_failed: bool, now: Instant) {
        self.reads.end(track, first_frame, is_failed, now);
    }

    /// Notes that frames can be written as a pack, if this was the last one that they lacked.
    pub(super) fn note_unwritten(&mut self, id: TrackId, frame: usize) {
        let Some(packs) = self.tracks.get(&id).and_then(|track| track.packs.as_ref()) else { return };
        let frames = packs.written_with(frame);
        let is_good = |frame| matches!(self.cache.make(id, frame), Some(Make::Decoded | Make::Read));
        let is_written = |pack: Pack| pack.frames.end >= frames.end;
        if frames.is_empty() || !frames.clone().all(is_good) || packs.find(frames.start).is_some_and(is_written) {
            return;
        }
        if self.unwritten.len() >= MAX_UNWRITTEN {
            self.unwritten.pop_front();
        }
        self.unwritten.push_back((id, frames));
    }

    pub(in super::super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// The next frames to write, of those that are still held.
    pub(in super::super) fn take_unwritten(&mut self) -> Option<WriteRequest> {
        while let Some((id, frames)) = self.unwritten.pop_front() {
            let packs = self.tracks.get(&id).and_then(|track| track.packs.clone());
            let first = frames.start;
            let held: Option<Vec<_>> = frames.map(|frame| self.cache.peek(id, frame)).collect();
            if let (Some(packs), Some(frames)) = (packs, held) {
                return Some(WriteRequest { packs, first, frames });
            }
        }
        None
    }

    /// The packs to read since the last call.
    pub(in super::super) fn take_read_requests(&mut self) -> Vec<ReadRequest> {
        std::mem::take(&mut self.read_requests)
    }

    pub(super) fn begin_read(&mut self, start: ReadStart, now: Instant) {
        let Some(packs) = self.tracks.get(&start.track).and_then(|track| track.packs.clone()) else { return };
        self.reads.begin(&start, now);
        let ReadStart { track, pack, wanted } = start;
        self.read_requests.push(ReadRequest { track, packs, pack, wanted });
    }
}
