//! The threads of the workers, and the lock that they share with the cursors.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use bytes::Bytes;

use super::{
    cache::{Make, TrackId},
    disk_threads::{DiskThreads, DiskUser},
    scheduler::{Scheduler, SpawnRequest, Step},
    source::{FrameSource, SourceError},
};

/// The scheduler behind its lock, and the threads that work for it.
pub(super) struct WorkerPool {
    scheduler: Mutex<Scheduler>,
    /// Frames made since the start.
    pub(super) decoded: AtomicU64,
    disk: OnceLock<DiskThreads>,
}

impl WorkerPool {
    pub(super) fn new(scheduler: Scheduler) -> Self {
        Self { scheduler: Mutex::new(scheduler), decoded: AtomicU64::new(0), disk: OnceLock::new() }
    }

    /// From now on frames are read from disk and written to it, where their track knows how.
    ///
    /// # Errors
    /// When the system provides no threads for that.
    pub(super) fn use_disk(self: &Arc<Self>) -> io::Result<()> {
        let user: Weak<dyn DiskUser> = Arc::<Self>::downgrade(self);
        let threads = DiskThreads::start(&user)?;
        self.disk.get_or_init(|| threads);
        self.scheduler().read_from_disk();
        Ok(())
    }

    /// The scheduler, to look something up.
    pub(super) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        // Poisoning is ignored: at worst one frame is unaccounted for.
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the scheduler, has it decide anew who decodes what, and starts the workers that it asks for.
    pub(super) fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut Scheduler, Instant) -> T) -> T {
        let mut result = None;
        self.update_if(|scheduler, now| {
            result = Some(change(scheduler, now));
            true
        });
        result.expect("the change was made")
    }

    /// The same if `change` says that it changed something.
    pub(super) fn update_if(self: &Arc<Self>, change: impl FnOnce(&mut Scheduler, Instant) -> bool) {
        let mut scheduler = self.scheduler();
        // Read under the lock: the scheduler's time does not run backwards.
        let now = Instant::now();
        if !change(&mut scheduler, now) {
            return;
        }
        scheduler.reassign(now);
        let mut spawns = scheduler.take_spawns();
        let reads = scheduler.take_read_requests();
        let has_unwritten = scheduler.has_unwritten();
        drop(scheduler);
        for request in reads {
            let (track, first_frame) = (request.track, request.pack.frames.start);
            if !self.disk.get().is_some_and(|disk| disk.read(request)) {
                self.clone().end_read(track, first_frame, true);
            }
        }
        if has_unwritten {
            self.write_next();
        }
        while let Some(request) = spawns.pop() {
            let (track, worker) = (request.track, request.worker);
            if let Err(error) = spawn(self.clone(), request) {
                let cause = format!("no thread to decode it with: {error}");
                let mut scheduler = self.scheduler();
                scheduler.remove_worker(track, worker, Some(cause), now);
                scheduler.reassign(now);
                spawns.extend(scheduler.take_spawns());
            }
        }
    }
}

impl DiskUser for WorkerPool {
    fn put_read(self: Arc<Self>, track: TrackId, frames: Vec<(usize, Bytes)>) {
        self.update(|scheduler, _| scheduler.put_read(track, frames));
    }

    fn end_read(self: Arc<Self>, track: TrackId, first_frame: usize, is_failed: bool) {
        self.update(|scheduler, now| scheduler.end_read(track, first_frame, is_failed, now));
    }

    fn write_next(&self) {
        if let Some(disk) = self.disk.get() {
            disk.write(|| self.scheduler().take_unwritten());
        }
    }
}

fn spawn(pool: Arc<WorkerPool>, request: SpawnRequest) -> io::Result<()> {
    thread::Builder::new().name(request.opener.name()).spawn(move || run(&pool, &request)).map(drop)
}

fn run(pool: &Arc<WorkerPool>, request: &SpawnRequest) {
    let mut exit = WorkerExit { pool, request, cause: Some("its decoder crashed".to_owned()) };
    exit.cause = match work(pool, request) {
        Ok(()) | Err(SourceError::Cancelled) => None,
        Err(SourceError::Failed(cause)) => {
            tracing::debug!("{} failed: {cause}", request.opener.name());
            Some(cause)
        }
    };
}

/// Takes the worker out of the scheduler when its thread ends, also by a panic.
struct WorkerExit<'a> {
    pool: &'a Arc<WorkerPool>,
    request: &'a SpawnRequest,
    /// Why the next frame could not be made.
    cause: Option<String>,
}

impl Drop for WorkerExit<'_> {
    fn drop(&mut self) {
        let SpawnRequest { track, worker, .. } = *self.request;
        let cause = self.cause.take();
        self.pool.update(|scheduler, now| scheduler.remove_worker(track, worker, cause, now));
    }
}

fn work(pool: &Arc<WorkerPool>, request: &SpawnRequest) -> Result<(), SourceError> {
    let is_wanted = || !request.is_cancelled.load(Relaxed);
    let mut source: Option<Box<dyn FrameSource>> = None;
    while wait_for_work(pool, request) {
        let source = match &mut source {
            Some(source) => source,
            None => source.insert(request.opener.open(request.frame, request.heartbeat.clone(), &is_wanted)?),
        };
        let bytes = source.next(&is_wanted)?;
        pool.decoded.fetch_add(1, Relaxed);
        let make = if source.is_true_to_file() { Make::Decoded } else { Make::Substitute };
        pool.update(|scheduler, now| scheduler.put(request.track, request.worker, bytes, make, now));
    }
    Ok(())
}

/// Waits until there is a frame to make; `false` if the worker is to leave.
fn wait_for_work(pool: &Arc<WorkerPool>, request: &SpawnRequest) -> bool {
    loop {
        let scheduler = pool.scheduler();
        match scheduler.step(request.track, request.worker) {
            Step::Make => return true,
            Step::Leave => return false,
            Step::Rest(time) => {
                let waited = request.wake.wait_timeout(scheduler, time);
                let (scheduler, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                drop(scheduler);
                if timeout.timed_out() {
                    // Perhaps it is time to leave.
                    pool.update(|_, _| ());
                }
            }
        }
    }
}
