//! The scheduler: the cursors, tracks, workers and held frames of the store. Plain data: it starts no thread, waits for
//! nothing, and is told the time. What the workers do is decided in [`assignment`](super::assignment).

mod on_disk;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ops::Range,
    sync::{
        Arc, Condvar,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::media::Origin;
use tokio::sync::Notify;

use super::{
    assignment::{Assignment, RefusalReason, Start, assign},
    cache::{Cache, Make, TrackId},
    places::Limits,
    reads::{ReadRequest, Reads},
    source::TrackOpener,
    track::{CursorId, Failure, FailureCause, Phase, Reader, Track, TrackKey, Want, Worker, WorkerId},
};
use crate::video::{disk::PACK_FRAMES, gst::pipeline::Heartbeat};

/// How often an idle worker checks whether it is time to leave, since the viewer that it is parked for may leave before.
const IDLE_CHECK: Duration = Duration::from_millis(500);

/// A worker to start, once the lock is released.
pub(super) struct SpawnRequest {
    pub(super) track: TrackId,
    pub(super) worker: WorkerId,
    /// The first frame that it makes.
    pub(super) frame: usize,
    pub(super) opener: Arc<dyn TrackOpener>,
    /// Set when the worker is to leave.
    pub(super) is_cancelled: Arc<AtomicBool>,
    pub(super) heartbeat: Heartbeat,
    /// Notified when an idle worker has something to do.
    pub(super) wake: Arc<Condvar>,
}

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the next frame.
    Make,
    /// Wait to be woken, up to this long.
    Rest(Duration),
    /// End.
    Leave,
}

/// A cursor's place in the scheduler.
pub(super) struct CursorEntry {
    pub(super) track: TrackId,
    pub(super) cursor: CursorId,
    /// Notified whenever a frame of the track is made or fails.
    pub(super) changed: Arc<Notify>,
}

pub(super) struct Scheduler {
    pub(super) cache: Cache,
    limits: Limits,
    /// How long the source of a working worker may be silent before the worker counts as hung.
    hang_patience: Duration,
    tracks: BTreeMap<TrackId, Track>,
    ids: HashMap<TrackKey, TrackId>,
    openers: HashMap<TrackId, (Arc<dyn TrackOpener>, Arc<Notify>)>,
    handles: HashMap<WorkerId, WorkerHandle>,
    spawns: Vec<SpawnRequest>,
    /// The frames in the range that a cursor wants which were not held when it first wanted them.
    missed: HashMap<CursorId, BTreeSet<usize>>,
    reads: Reads,
    read_requests: Vec<ReadRequest>,
    /// Frames that were made, and are complete as a pack.
    unwritten: VecDeque<(TrackId, Range<usize>)>,
    last_number: u64,
}

/// How a worker's thread is reached.
struct WorkerHandle {
    is_cancelled: Arc<AtomicBool>,
    wake: Arc<Condvar>,
    heartbeat: Heartbeat,
    /// The last reading of the heartbeat, and since when it has been the same.
    last_beat: (u64, Instant),
}

impl Scheduler {
    pub(super) fn new(cache_bytes: u64, limits: Limits, hang_patience: Duration) -> Self {
        Self {
            cache: Cache::new(cache_bytes),
            limits,
            hang_patience,
            tracks: BTreeMap::new(),
            ids: HashMap::new(),
            openers: HashMap::new(),
            handles: HashMap::new(),
            spawns: Vec::new(),
            missed: HashMap::new(),
            reads: Reads::default(),
            read_requests: Vec::new(),
            unwritten: VecDeque::new(),
            last_number: 0,
        }
    }

    /// Number of workers, without those that hang.
    pub(super) fn worker_count(&self) -> usize {
        self.tracks.values().map(|track| track.workers.len()).sum()
    }

    /// Adds a cursor to a track. Until it wants something it only keeps the track from being forgotten.
    pub(super) fn add_cursor(
        &mut self,
        key: TrackKey,
        opener: impl FnOnce() -> Arc<dyn TrackOpener>,
        reader: Reader,
        now: Instant,
    ) -> CursorEntry {
        let cursor = self.next_number();
        let id = *self.ids.entry(key).or_insert(TrackId(cursor));
        let opener = opener();
        let packs = opener.packs();
        let (opener, changed) = self.openers.entry(id).or_insert_with(|| (opener, Arc::default())).clone();
        let track = self.tracks.entry(id).or_insert_with(|| Track { pixels: opener.pixels(), ..Track::default() });
        // The video may have another resolution by now, and so show another part of the file.
        track.packs = packs;
        track.wants.insert(cursor, Want { frames: 0..0, end: usize::MAX, since: now, reader });
        CursorEntry { track: id, cursor, changed }
    }

    /// Says that a cursor never wants `end`, nor any frame behind it.
    pub(super) fn end_before(&mut self, track: TrackId, cursor: CursorId, end: usize) {
        if let Some(want) = self.tracks.get_mut(&track).and_then(|track| track.wants.get_mut(&cursor)) {
            want.end = end;
        }
    }

    pub(super) fn remove_cursor(&mut self, track: TrackId, cursor: CursorId) {
        if let Some(track) = self.tracks.get_mut(&track) {
            track.wants.remove(&cursor);
        }
        self.missed.remove(&cursor);
    }

    /// Sets what a cursor wants: the first frame now, the others soon. Returns whether it wanted something else before.
    pub(super) fn want(&mut self, track: TrackId, cursor: CursorId, frames: Range<usize>, now: Instant) -> bool {
        let want = self.tracks.get_mut(&track).and_then(|track| track.wants.get_mut(&cursor));
        let Some(want) = want.filter(|want| want.frames != frames) else { return false };
        if want.frames.start != frames.start {
            want.since = now;
        }
        let before = std::mem::replace(&mut want.frames, frames.clone());
        let missed = self.missed.entry(cursor).or_default();
        missed.retain(|frame| (frames.start..frames.end + PACK_FRAMES).contains(frame));
        missed.extend(self.cache.missing_in(track, frames).filter(|frame| !before.contains(frame)));
        true
    }

    /// Where a frame that is held was when a cursor first wanted it.
    pub(super) fn origin(&self, track: TrackId, cursor: CursorId, frame: usize) -> Origin {
        let was_held = self.missed.get(&cursor).is_none_or(|missed| !missed.contains(&frame));
        match self.cache.make(track, frame) {
            _ if was_held => Origin::Memory,
            Some(Make::Read) => Origin::Disk,
            _ => Origin::Decoder,
        }
    }

    /// A frame if it is held, or why it cannot be made.
    pub(super) fn take(&mut self, track: TrackId, frame: usize, now: Instant) -> Option<Result<Bytes, FailureCause>> {
        if let Some(bytes) = self.cache.take(track, frame) {
            return Some(Ok(bytes));
        }
        let failure = self.tracks.get(&track)?.failure(frame, now)?;
        Some(Err(failure.cause.clone()))
    }

    /// Whether a frame is held, or cannot be made.
    pub(super) fn is_settled(&self, track: TrackId, frame: usize, now: Instant) -> bool {
        let has_failed = || self.tracks.get(&track).is_some_and(|track| track.failure(frame, now).is_some());
        self.cache.has(track, frame) || has_failed()
    }

    /// Never evicts the first `frames` of a track. Replaces what was set before.
    pub(super) fn keep_warm(&mut self, track: TrackId, frames: usize) {
        if let Some(track) = self.tracks.get_mut(&track) {
            track.warm_frames = frames;
        }
    }

    /// Makes every other track evictable from its first frame on.
    pub(super) fn keep_warm_only(&mut self, is_warm: impl Fn(&TrackKey) -> bool) {
        for (_, id) in self.ids.iter().filter(|(key, _)| !is_warm(key)) {
            if let Some(track) = self.tracks.get_mut(id) {
                track.warm_frames = 0;
            }
        }
    }

    /// Forgets the tracks of files that are gone, except those with a cursor or a worker.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&TrackKey) -> bool) {
        let (tracks, cache) = (&mut self.tracks, &self.cache);
        let mut forgotten = BTreeSet::new();
        self.ids.retain(|key, id| {
            let Some(track) = tracks.get_mut(id) else { return false };
            let is_gone = is_gone(key);
            if is_gone {
                track.warm_frames = 0;
            }
            let is_used = !track.wants.is_empty() || !track.workers.is_empty() || !track.hung.is_empty();
            let is_kept = is_used || (!is_gone && (track.warm_frames > 0 || cache.has_any(*id)));
            if !is_kept {
                tracks.remove(id);
                forgotten.insert(*id);
            }
            is_kept
        });
        self.openers.retain(|id, _| !forgotten.contains(id));
        self.cache.forget(|track| forgotten.contains(&track));
    }

    /// A worker has made the frame at its position.
    pub(super) fn put(&mut self, track_id: TrackId, worker: WorkerId, bytes: Bytes, make: Make, now: Instant) {
        let Some(track) = self.tracks.get_mut(&track_id) else { return };
        let Some(worker) = track.workers.get_mut(&worker) else { return };
        let frame = worker.position;
        worker.position += 1;
        if worker.phase == Phase::Opening {
            worker.phase = Phase::Working { target: frame, since: now };
            worker.since = now;
        }
        track.frame_bytes = bytes.len() as u64;
        track.failures.remove(&frame);
        let tracks = &self.tracks;
        let is_needed = |track: TrackId, frame| tracks.get(&track).is_some_and(|track| track.needs(frame));
        self.cache.put(track_id, frame, bytes, make, is_needed);
        self.note_unwritten(track_id, frame);
        self.notify(track_id);
    }

    /// A worker's thread ends: because it was told to, or because its next frame could not be made.
    pub(super) fn remove_worker(&mut self, track: TrackId, worker: WorkerId, cause: Option<String>, now: Instant) {
        self.handles.remove(&worker);
        let Some(found) = self.tracks.get_mut(&track) else { return };
        found.hung.remove(&worker);
        if let Some(worker) = found.workers.remove(&worker)
            && let Some(cause) = cause
        {
            self.fail(track, worker.position, FailureCause::Source(cause), now);
        }
    }

    /// Gives up workers that hang and do not report it themselves.
    pub(super) fn give_up_hung(&mut self, now: Instant) {
        let mut hung = Vec::new();
        for (&id, track) in &self.tracks {
            for (&number, worker) in &track.workers {
                let Some(handle) = self.handles.get_mut(&number) else { continue };
                let beat = handle.heartbeat.count();
                if beat != handle.last_beat.0 || matches!(worker.phase, Phase::Idle { .. }) {
                    handle.last_beat = (beat, now);
                } else if now.saturating_duration_since(handle.last_beat.1) >= self.hang_patience {
                    hung.push((id, number, worker.position));
                }
            }
        }
        let cause = format!("its decoder put out nothing for {} s", self.hang_patience.as_secs());
        for (id, number, position) in hung {
            if let Some(track) = self.tracks.get_mut(&id) {
                track.workers.remove(&number);
                track.hung.insert(number);
            }
            if let Some(handle) = self.handles.remove(&number) {
                handle.is_cancelled.store(true, Relaxed);
            }
            self.fail(id, position, FailureCause::Source(cause.clone()), now);
        }
    }

    /// What a worker does next.
    pub(super) fn step(&self, track: TrackId, worker: WorkerId) -> Step {
        let worker = self.tracks.get(&track).and_then(|track| track.workers.get(&worker));
        match worker.map(|worker| (worker.phase, worker.position)) {
            Some((Phase::Opening, _)) => Step::Make,
            Some((Phase::Working { target, .. }, position)) if position <= target => Step::Make,
            Some((Phase::Working { .. } | Phase::Idle { .. }, _)) => Step::Rest(IDLE_CHECK),
            Some((Phase::Leaving, _)) | None => Step::Leave,
        }
    }

    /// Decides anew who decodes what. To be called after each change, and now and then while a cursor waits.
    pub(super) fn reassign(&mut self, now: Instant) {
        if let Some(track) = self.reads.give_up_slow(now)
            && let Some(packs) = self.tracks.get(&track).and_then(|track| track.packs.as_ref())
        {
            packs.report_delay();
        }
        let assignment = assign(&self.tracks, &self.cache, &self.reads, &self.limits, now);
        let Assignment { targets, reads, starts, cancels, refusals } = assignment;
        for read in reads {
            self.begin_read(read, now);
        }
        for track in self.tracks.values_mut() {
            for (id, worker) in &mut track.workers {
                let is_cancelled = cancels.contains(id);
                let phase = if is_cancelled { Phase::Leaving } else { next_phase(worker.phase, targets.get(id), now) };
                let was_idle = matches!(worker.phase, Phase::Idle { .. });
                let is_woken = was_idle && !matches!(phase, Phase::Idle { .. });
                worker.phase = phase;
                let Some(handle) = self.handles.get(id) else { continue };
                if is_cancelled {
                    handle.is_cancelled.store(true, Relaxed);
                }
                // Only then: to wake a thread that does not sleep takes a system call too.
                if is_woken {
                    handle.wake.notify_all();
                }
            }
        }
        for refusal in refusals {
            let cause = match refusal.reason {
                RefusalReason::Busy => FailureCause::Busy,
                RefusalReason::Hung => FailureCause::Source("its decoders hang".to_owned()),
            };
            self.fail(refusal.track, refusal.frame, cause, now);
        }
        for start in starts {
            self.start(start, now);
        }
    }

    /// The workers to start since the last call.
    pub(super) fn take_spawns(&mut self) -> Vec<SpawnRequest> {
        std::mem::take(&mut self.spawns)
    }

    fn start(&mut self, Start { track: id, frame, viewer: opened_for }: Start, now: Instant) {
        let worker = self.next_number();
        let (Some(track), Some((opener, _))) = (self.tracks.get_mut(&id), self.openers.get(&id)) else { return };
        track.workers.insert(worker, Worker { position: frame, phase: Phase::Opening, opened_for, since: now });
        let (is_cancelled, wake) = (Arc::<AtomicBool>::default(), Arc::<Condvar>::default());
        let heartbeat = Heartbeat::default();
        let handle = WorkerHandle {
            is_cancelled: is_cancelled.clone(),
            wake: wake.clone(),
            last_beat: (heartbeat.count(), now),
            heartbeat: heartbeat.clone(),
        };
        self.handles.insert(worker, handle);
        let opener = opener.clone();
        self.spawns.push(SpawnRequest { track: id, worker, frame, opener, is_cancelled, heartbeat, wake });
    }

    fn fail(&mut self, id: TrackId, frame: usize, cause: FailureCause, now: Instant) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.failures.retain(|_, failure| failure.is_fresh(now));
            track.failures.insert(frame, Failure { cause, at: now });
            // Their cursors are told now; if they still want the frame, they wait anew.
            for want in track.wants.values_mut().filter(|want| want.frames.start == frame) {
                want.since = now;
            }
        }
        self.notify(id);
    }

    fn notify(&self, track: TrackId) {
        if let Some((_, changed)) = self.openers.get(&track) {
            changed.notify_waiters();
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// The phase of a worker that has this target now, and stays.
fn next_phase(phase: Phase, target: Option<&usize>, now: Instant) -> Phase {
    match (phase, target) {
        (Phase::Opening | Phase::Leaving, _) => phase,
        (Phase::Working { since, .. }, Some(&target)) => Phase::Working { target, since },
        (Phase::Idle { .. }, Some(&target)) => Phase::Working { target, since: now },
        (Phase::Working { .. }, None) => Phase::Idle { since: now },
        (Phase::Idle { since }, None) => Phase::Idle { since },
    }
}
