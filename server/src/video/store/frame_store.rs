//! The store and its cursors: how the rest of the server reads frames.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::media::{Origin, SoundFormat, Statistics};
use tokio::{sync::Notify, time::timeout};

use super::{
    cache::{Make, TrackId},
    picture_source::PictureOpener,
    places::Limits,
    ready::{picture_packs, sound_packs},
    scheduler::Scheduler,
    sound_source::SoundOpener,
    source::TrackOpener,
    track::{CursorId, FailureCause, Reader, TrackKey, ViewerId},
    worker_pool::WorkerPool,
};
use crate::video::{disk::DiskTier, gst::pipeline::PATIENCE, library::Video, process::ProcessPool};

/// A source reports a hung pipeline itself after [`PATIENCE`]; this is for one that hangs with it.
const HANG_PATIENCE: Duration = PATIENCE.saturating_add(Duration::from_secs(5));

/// How often a waiting cursor has the scheduler check what changes by time alone: hung workers, and claims that wait.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Encoded frames of all videos, each made once. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Whom the cursors of this handle read for.
    reader: Reader,
    /// When that viewer turned last, whichever handle it used.
    last_turn: Arc<Mutex<Option<Instant>>>,
}

struct Shared {
    last_viewer: AtomicU64,
    pool: Arc<WorkerPool>,
    processes: ProcessPool,
    disk: Option<Arc<DiskTier>>,
    hits: AtomicU64,
    misses: AtomicU64,
    disk_hits: AtomicU64,
    viewers: AtomicU32,
}

/// A reader of one track. Dropping it withdraws what it wants.
pub(crate) struct Cursor {
    shared: Arc<Shared>,
    track: TrackId,
    id: CursorId,
    changed: Arc<Notify>,
    /// Whether its frames count as hits and misses.
    is_counted: bool,
}

/// A frame from the store.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    /// Where it was when the cursor first wanted it.
    pub(crate) origin: Origin,
    /// Whether it only takes the place of what could not be made.
    pub(crate) is_substitute: bool,
}

/// A viewer that is counted in the statistics.
pub(crate) struct ViewerGuard(Arc<Shared>);

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Relaxed);
    }
}

impl Store {
    /// A store bounded by `cache_bytes`; only frames that viewers are waiting for may exceed it. It decodes in this
    /// process.
    pub fn new(cache_bytes: u64) -> Self {
        Self::with(cache_bytes, ProcessPool::in_this_process(), Limits::default(), HANG_PATIENCE, None)
    }

    /// The same with decoders in worker processes, where one viewer takes up to `decoders_per_viewer` of its own, and with
    /// frames on disk.
    pub(crate) fn with_processes(
        cache_bytes: u64,
        decoders_per_viewer: usize,
        processes: ProcessPool,
        disk: Option<Arc<DiskTier>>,
    ) -> Self {
        let limits = Limits { workers_per_viewer: decoders_per_viewer, ..Limits::default() };
        Self::with(cache_bytes, processes, limits, HANG_PATIENCE, disk)
    }

    pub(super) fn with(
        cache_bytes: u64,
        processes: ProcessPool,
        limits: Limits,
        hang_patience: Duration,
        disk: Option<Arc<DiskTier>>,
    ) -> Self {
        let scheduler = Scheduler::new(cache_bytes, limits, hang_patience);
        let shared = Arc::new(Shared {
            last_viewer: AtomicU64::new(Reader::SERVER.viewer.0),
            pool: Arc::new(WorkerPool::new(scheduler)),
            processes,
            disk,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            disk_hits: AtomicU64::new(0),
            viewers: AtomicU32::new(0),
        });
        if shared.disk.is_some()
            && let Err(error) = shared.pool.use_disk()
        {
            tracing::warn!("Frames on disk are not used, because the system provides no threads for that: {error}.");
        }
        Self { shared, reader: Reader::SERVER, last_turn: Arc::default() }
    }

    /// The same store for a new viewer, whose decoders are counted.
    #[must_use]
    pub fn for_viewer(&self) -> Self {
        let viewer = ViewerId(self.shared.last_viewer.fetch_add(1, Relaxed) + 1);
        let reader = Reader { viewer, ..Reader::SERVER };
        Self { shared: self.shared.clone(), reader, last_turn: Arc::default() }
    }

    /// The same store for the same viewer, which turns now: opens a video, seeks or changes the quality. For a while it
    /// is served behind viewers that just play.
    #[must_use]
    pub(crate) fn at_turn(&self) -> Self {
        if self.reader.viewer == Reader::SERVER.viewer {
            return self.clone();
        }
        let mut last_turn = self.last_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = Reader { turned_at: *last_turn, ..self.reader }.turned(Instant::now());
        *last_turn = reader.turned_at;
        Self { reader, ..self.clone() }
    }

    /// Counters since the start, and what is held now.
    pub fn statistics(&self) -> Statistics {
        let shared = &self.shared;
        let (disk_bytes, disk_limit_bytes) = shared.disk.as_ref().map_or((0, 0), |disk| disk.bytes_and_limit());
        let scheduler = shared.pool.scheduler();
        Statistics {
            viewers: shared.viewers.load(Relaxed),
            decoders: u32::try_from(scheduler.worker_count()).unwrap_or(u32::MAX),
            hits: shared.hits.load(Relaxed),
            misses: shared.misses.load(Relaxed),
            decoded: shared.pool.decoded.load(Relaxed),
            held_bytes: scheduler.cache.held_bytes(),
            cache_bytes: scheduler.cache.limit_bytes(),
            disk_hits: shared.disk_hits.load(Relaxed),
            disk_bytes,
            disk_limit_bytes,
        }
    }

    /// Counts a viewer in the statistics until the guard is dropped.
    pub(crate) fn count_viewer(&self) -> ViewerGuard {
        self.shared.viewers.fetch_add(1, Relaxed);
        ViewerGuard(self.shared.clone())
    }

    /// A new reader of a track; `opener` is called if the track is not known yet.
    pub(crate) fn cursor(&self, key: TrackKey, opener: impl FnOnce() -> Arc<dyn TrackOpener>) -> Cursor {
        let entry = self.shared.pool.update(|scheduler, now| scheduler.add_cursor(key, opener, self.reader, now));
        Cursor {
            shared: self.shared.clone(),
            track: entry.track,
            id: entry.cursor,
            changed: entry.changed,
            is_counted: true,
        }
    }

    /// The pictures of a variant, to be read by a cursor.
    pub(crate) fn pictures_of(&self, video: &Video, variant: usize) -> PictureOpener {
        let packs = self.shared.disk.as_ref().map(|disk| Arc::new(picture_packs(disk, video, variant)));
        PictureOpener::new(video.files[variant].clone(), self.shared.processes.clone(), packs)
    }

    /// The sound of a video in one format, to be read by a cursor; `None` if it has none.
    pub(crate) fn sound_of(&self, video: &Video, format: SoundFormat) -> Option<SoundOpener> {
        let file = video.files[video.sound.as_ref()?.file].clone();
        let packs = self.shared.disk.as_ref().and_then(|disk| Some(Arc::new(sound_packs(disk, video, format)?)));
        Some(SoundOpener::new(file, format, self.shared.processes.clone(), packs))
    }

    /// Lets the first frames of every other track be evicted.
    pub(super) fn keep_warm_only(&self, is_warm: impl Fn(&TrackKey) -> bool) {
        self.shared.pool.scheduler().keep_warm_only(is_warm);
    }

    /// Forgets the frames of files that are gone.
    pub(super) fn forget(&self, is_gone: impl Fn(&TrackKey) -> bool) {
        self.shared.pool.scheduler().forget(is_gone);
    }
}

impl Cursor {
    /// Excludes this cursor from the hit and miss statistics.
    pub(super) fn uncounted(mut self) -> Self {
        self.is_counted = false;
        self
    }

    /// The same for a reader that never wants `end`, nor any frame behind it. The decoder need not be kept that far.
    #[must_use]
    pub(crate) fn ending_before(self, end: usize) -> Self {
        self.shared.pool.scheduler().end_before(self.track, self.id, end);
        self
    }

    /// Says which frames are wanted: the first one now, the others soon. They are made, and kept while they are wanted.
    pub(crate) fn want(&self, frames: Range<usize>) {
        self.shared.pool.update_if(|scheduler, now| scheduler.want(self.track, self.id, frames, now));
    }

    /// Whether a frame is held.
    pub(crate) fn has(&self, frame: usize) -> bool {
        self.shared.pool.scheduler().cache.has(self.track, frame)
    }

    /// Whether a frame is held, or cannot be made.
    pub(crate) fn is_settled(&self, frame: usize) -> bool {
        let scheduler = self.shared.pool.scheduler();
        scheduler.is_settled(self.track, frame, Instant::now())
    }

    /// Waits until a frame, which must be wanted, is held or cannot be made. May be cancelled.
    pub(crate) async fn settled(&self, frame: usize) {
        loop {
            let changed = self.changed.notified();
            if self.is_settled(frame) {
                return;
            }
            if timeout(CHECK_INTERVAL, changed).await.is_err() {
                self.shared.pool.update(|scheduler, now| scheduler.give_up_hung(now));
            }
        }
    }

    /// Waits for a frame, which must be wanted. May be cancelled.
    ///
    /// # Errors
    /// Why the frame cannot be made. It is tried again some seconds later.
    pub(crate) async fn get(&self, frame: usize) -> Result<Fetched, FailureCause> {
        let mut is_first_look = true;
        loop {
            // Created before looking, so that nothing that happens between looking and waiting is missed.
            let changed = self.changed.notified();
            let (found, origin, make) = {
                let mut scheduler = self.shared.pool.scheduler();
                let found = scheduler.take(self.track, frame, Instant::now());
                (found, scheduler.origin(self.track, self.id, frame), scheduler.cache.make(self.track, frame))
            };
            if std::mem::take(&mut is_first_look) && self.is_counted {
                let is_hit = matches!(found, Some(Ok(_)));
                let counter = if is_hit { &self.shared.hits } else { &self.shared.misses };
                counter.fetch_add(1, Relaxed);
            }
            if let Some(found) = found {
                let is_hit = self.is_counted && found.is_ok() && origin == Origin::Disk;
                self.shared.disk_hits.fetch_add(is_hit.into(), Relaxed);
                return found.map(|bytes| Fetched { bytes, origin, is_substitute: make == Some(Make::Substitute) });
            }
            if timeout(CHECK_INTERVAL, changed).await.is_err() {
                self.shared.pool.update(|scheduler, now| scheduler.give_up_hung(now));
            }
        }
    }

    /// Never evicts the first frames of the track. Replaces what was set before.
    pub(super) fn keep_warm(&self, frames: usize) {
        self.shared.pool.scheduler().keep_warm(self.track, frames);
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.shared.pool.update(|scheduler, _| scheduler.remove_cursor(self.track, self.id));
    }
}
