//! The worker processes of a server: starts them, keeps spares warm, and keeps idle ones for the video that they read.
//!
//! A spare has loaded GStreamer and decoded a picture of its own, which takes a tenth of a second; so a viewer does not
//! wait for that. It may read the videos that the library knew when it was started, until it has read one: then it is used
//! for the files of that video only. For a file of no video, and when no spare is left, a process is started on the spot.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    child::{FileId, Process, Purpose, WorkerProgram, file_id},
    protocol::Sandbox,
};

/// Spares while no video is decoded. A stream with sound begins with two decoders.
const SPARES: usize = 2;

/// Spares and idle processes together that are made ready while videos are decoded: those that are at work become idle, and
/// each process takes memory.
const READY: usize = 1;

/// Idle processes that are kept, or half as many as are at work if that is more: a viewer who seeks again and again needs
/// those of the place before for the pictures, the sound and the next files.
const MIN_IDLE: usize = 4;

/// How long a process is kept without work …
const IDLE_TIME: Duration = Duration::from_secs(15);

/// … and how long one that is more than enough while videos are decoded: a viewer who seeks again and again needs it.
const BRIEF_IDLE_TIME: Duration = Duration::from_secs(1);

/// How long after a process was handed out the spares are renewed. A start takes a core for a tenth of a second, which the
/// stream that has just begun needs more than the next one does.
const RENEWAL_DELAY: Duration = Duration::from_secs(2);

/// How often the processes are looked after, and how long after a failed start the next one is tried.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for the first process in order to say what its sandbox consists of.
const SANDBOX_LIMIT: Duration = Duration::from_secs(10);

/// Where files are decoded. Cheap to clone. When the last clone and the last job are gone, so are the processes.
#[derive(Clone)]
pub struct ProcessPool(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` decodes in threads of this process.
    program: Option<WorkerProgram>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What a spare may read; `None` until the library is known.
    files: Option<Arc<[PathBuf]>>,
    ids: BTreeSet<FileId>,
    /// The same by video.
    videos: Vec<VideoFiles>,
    spares: Vec<Process>,
    idle: Vec<Idle>,
    /// Processes that decode videos.
    at_work: usize,
    starts: VecDeque<Start>,
    sandbox: Option<Sandbox>,
    /// When a process was last handed out.
    taken_at: Option<Instant>,
    /// When the last start of a spare failed.
    failed_at: Option<Instant>,
    is_over: bool,
}

/// The files of one video, one for each resolution.
#[derive(Debug, Clone, Default)]
struct VideoFiles {
    paths: Arc<[PathBuf]>,
    ids: Arc<BTreeSet<FileId>>,
}

/// A process without work, and the video that it has read.
struct Idle {
    video: Arc<BTreeSet<FileId>>,
    process: Process,
    /// Its memory when it became idle, see [`Process::resident_pages`].
    resident_pages: u64,
    since: Instant,
}

/// A process to be started for a thread that waits for it.
struct Start {
    files: Vec<PathBuf>,
    purpose: Purpose,
    reply: SyncSender<io::Result<Process>>,
}

/// A process that is in use. Dropping it ends the process unless it was [kept](Lease::keep).
pub(super) struct Lease {
    pub(super) process: Process,
    /// The files of the only video that it reads; `None` when it reads several.
    video: Option<Arc<BTreeSet<FileId>>>,
    pool: ProcessPool,
    _at_work: Option<AtWork>,
}

/// A process that is counted as one at work.
struct AtWork(Arc<Shared>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.lock().at_work -= 1;
    }
}

impl ProcessPool {
    /// Decodes in processes of this program.
    ///
    /// # Errors
    /// When the system provides no thread to look after them.
    pub fn start(program: WorkerProgram) -> io::Result<Self> {
        let shared = Arc::new(Shared { program: Some(program), state: Mutex::default(), changed: Condvar::new() });
        let keeper = shared.clone();
        thread::Builder::new().name("video-spares".into()).spawn(move || keeper.look_after())?;
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// Decodes in threads of this process: for tests, and for programs that read only files which they trust.
    pub fn in_this_process() -> Self {
        let shared = Shared { program: None, state: Mutex::default(), changed: Condvar::new() };
        Self(Arc::new(Handle { shared: Arc::new(shared) }))
    }

    /// Says which files spares may read: those of each video. They are renewed when that changes.
    pub(crate) fn allow(&self, videos: Vec<Vec<PathBuf>>) {
        let files: Vec<_> = videos.concat();
        let videos: Vec<_> = videos.into_iter().map(VideoFiles::new).collect();
        let ids: BTreeSet<_> = videos.iter().flat_map(|video| video.ids.iter().copied()).collect();
        let mut state = self.0.shared.lock();
        state.videos = videos;
        if state.files.is_none() || state.ids != ids {
            (state.files, state.ids) = (Some(files.into()), ids);
            self.0.shared.changed.notify_all();
        }
    }

    /// What holds back the worker processes on this system. Waits until one of them has said so. `None` when there is
    /// none, or it does not start.
    pub fn sandbox(&self) -> Option<Sandbox> {
        if let Some(sandbox) = self.0.shared.lock().sandbox {
            return Some(sandbox);
        }
        self.0.shared.program.as_ref()?;
        let begun = Instant::now();
        let mut process = self.0.shared.start(Vec::new(), Purpose::default()).ok()?;
        let sandbox = process.wait_until_ready(&|| begun.elapsed() < SANDBOX_LIMIT).ok()??;
        self.note(sandbox);
        Some(sandbox)
    }

    /// What the sandbox of the worker processes lacks on this system, as a sentence; `None` when it lacks nothing, or when
    /// there are no worker processes by choice. Waits like [`ProcessPool::sandbox`].
    pub fn sandbox_gap(&self) -> Option<&'static str> {
        self.0.shared.program.as_ref()?;
        match self.sandbox() {
            Some(sandbox) => sandbox.gap(),
            None => Some("No worker process starts, so no video can be decoded."),
        }
    }

    pub(super) fn note(&self, sandbox: Sandbox) {
        self.0.shared.lock().sandbox = Some(sandbox);
    }

    /// A process that may read this file: one that has read its video before, a spare, or a new one.
    ///
    /// # Errors
    /// When the file is gone, or no process can be started.
    pub(super) fn take(&self, file: &Path) -> io::Result<Lease> {
        let id = file_id(file)?;
        let mut state = self.0.shared.lock();
        let known = state.videos.iter().find(|video| video.ids.contains(&id)).cloned();
        let found = state.take(id);
        state.at_work += 1;
        drop(state);
        let at_work = AtWork(self.0.shared.clone());
        let video = match known {
            Some(video) => video,
            None => VideoFiles::new(vec![std::path::absolute(file)?]),
        };
        let process = match found {
            Some(process) => process,
            None => self.0.shared.start(video.paths.to_vec(), Purpose::default())?,
        };
        Ok(Lease { process, video: Some(video.ids), pool: self.clone(), _at_work: Some(at_work) })
    }

    /// A new process that may read these files and write into that folder.
    ///
    /// # Errors
    /// When no process can be started.
    pub(super) fn take_new(&self, files: &[PathBuf], writable: Option<&Path>) -> io::Result<Lease> {
        let files = files.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
        let writable = writable.map(std::path::absolute).transpose()?;
        self.start_one(files, Purpose { writable, is_background: false })
    }

    /// A new process that may read this file, and that all other work on this computer goes before. Those that are ready are
    /// left to streams.
    ///
    /// # Errors
    /// When no process can be started.
    pub(super) fn take_for_background(&self, file: &Path) -> io::Result<Lease> {
        let file = std::path::absolute(file)?;
        self.start_one(vec![file], Purpose { writable: None, is_background: true })
    }

    fn start_one(&self, files: Vec<PathBuf>, purpose: Purpose) -> io::Result<Lease> {
        let process = self.0.shared.start(files, purpose)?;
        Ok(Lease { process, video: None, pool: self.clone(), _at_work: None })
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool").field("program", &self.0.shared.program).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

impl VideoFiles {
    fn new(paths: Vec<PathBuf>) -> Self {
        let ids = paths.iter().filter_map(|path| file_id(path).ok()).collect();
        Self { paths: paths.into(), ids: Arc::new(ids) }
    }
}

impl Lease {
    /// Gives a process back that has no work and is as good as before.
    pub(super) fn keep(self) {
        let Some(video) = self.video else { return };
        let shared = self.pool.0.shared.clone();
        if shared.program.is_none() {
            return;
        }
        let resident_pages = self.process.resident_pages();
        let mut state = shared.lock();
        state.idle.push(Idle { video, process: self.process, resident_pages, since: Instant::now() });
        let limit = idle_limit(state.at_work);
        let surplus = state.take_largest(limit, Duration::ZERO);
        drop(state);
        // Ending a process takes a moment, which others need not wait for.
        drop(surplus);
    }

    pub(super) fn pool(&self) -> &ProcessPool {
        &self.pool
    }
}

impl State {
    /// A process that has read the video of this file, or a spare that may.
    fn take(&mut self, file: FileId) -> Option<Process> {
        self.taken_at = Some(Instant::now());
        let is_fitting = |idle: &Idle| idle.video.contains(&file) && idle.process.files.contains(&file);
        while let Some(at) = self.idle.iter().rposition(is_fitting) {
            let mut process = self.idle.remove(at).process;
            if process.is_alive() {
                return Some(process);
            }
        }
        while let Some(at) = self.spares.iter().position(|spare| spare.files.contains(&file)) {
            let mut process = self.spares.remove(at);
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }

    /// Takes out the process with the most memory of those that have been idle for that long, if there are more than `limit`.
    fn take_largest(&mut self, limit: usize, idle_time: Duration) -> Option<Idle> {
        let candidates = self.idle.iter().enumerate().filter(|(_, idle)| idle.since.elapsed() >= idle_time);
        let largest = candidates.max_by_key(|(_, idle)| idle.resident_pages)?.0;
        (self.idle.len() > limit).then(|| self.idle.remove(largest))
    }

    /// Takes out what is to be ended: idle processes after a while, dead ones, and spares that were replaced.
    fn take_surplus(&mut self) -> Vec<Process> {
        let expired = self.idle.extract_if(.., |idle| idle.since.elapsed() >= IDLE_TIME || !idle.process.is_alive());
        let mut surplus: Vec<_> = expired.map(|idle| idle.process).collect();
        if self.at_work > 0 {
            surplus.extend(self.take_largest(READY, BRIEF_IDLE_TIME).map(|idle| idle.process));
        }
        surplus.extend(self.spares.extract_if(.., |spare| !spare.is_alive()));
        while self.spares.len() > SPARES {
            let ids = &self.ids;
            let outdated = self.spares.iter().position(|spare| *spare.files != *ids).unwrap_or(0);
            surplus.push(self.spares.remove(outdated));
        }
        surplus
    }

    /// The files of a spare that is to be started now.
    fn wanted_spare(&self) -> Option<Arc<[PathBuf]>> {
        let current = self.spares.iter().filter(|spare| *spare.files == self.ids).count();
        let has_rested = self.failed_at.is_none_or(|failed_at| failed_at.elapsed() >= CHECK_INTERVAL);
        let is_calm = self.taken_at.is_none_or(|taken_at| taken_at.elapsed() >= RENEWAL_DELAY);
        let is_short = current < spare_count(self.at_work, self.idle.len());
        self.files.clone().filter(|files| !files.is_empty() && is_short && has_rested && is_calm)
    }
}

/// How many idle processes are kept beside those at work.
fn idle_limit(at_work: usize) -> usize {
    MIN_IDLE.max(at_work / 2)
}

/// How many spares there are to be.
fn spare_count(at_work: usize, idle: usize) -> usize {
    if at_work == 0 { SPARES } else { READY.saturating_sub(idle) }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process, on the thread that outlives it.
    fn start(&self, files: Vec<PathBuf>, purpose: Purpose) -> io::Result<Process> {
        if self.program.is_none() {
            return Process::start_thread(&files);
        }
        let (reply, started) = sync_channel(1);
        self.lock().starts.push_back(Start { files, purpose, reply });
        self.changed.notify_all();
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the server is stopping")))
    }

    /// Starts and ends processes until the pool is dropped.
    fn look_after(&self) {
        let Some(program) = &self.program else { return };
        let mut state = self.lock();
        while !state.is_over {
            if let Some(Start { files, purpose, reply }) = state.starts.pop_front() {
                drop(state);
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "fails when the caller panicked; the process then ends"
                )]
                let _ = reply.send(Process::start(program, &files, &purpose));
                state = self.lock();
                continue;
            }
            let surplus = state.take_surplus();
            if !surplus.is_empty() {
                drop(state);
                drop(surplus);
                state = self.lock();
                continue;
            }
            if let Some(files) = state.wanted_spare() {
                let is_first_failure = state.failed_at.is_none();
                drop(state);
                let started = Process::start(program, &files, &Purpose::default());
                state = self.lock();
                match started {
                    Ok(process) => {
                        state.failed_at = None;
                        // Its files may have changed meanwhile; then it is replaced once more.
                        state.spares.push(process);
                    }
                    Err(error) => {
                        state.failed_at = Some(Instant::now());
                        if is_first_failure {
                            tracing::warn!("No spare worker process can be started ({error}); trying again.");
                        }
                    }
                }
                continue;
            }
            state = self.changed.wait_timeout(state, CHECK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
        let ended =
            (std::mem::take(&mut state.spares), std::mem::take(&mut state.idle), std::mem::take(&mut state.starts));
        drop(state);
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_for_a_seek_and_two_for_the_next_viewer_when_all_have_left() {
        for idle in 0..5 {
            assert_eq!(spare_count(0, idle), SPARES, "what is idle has read one video, and may read no other");
            for at_work in 1..20 {
                let ready = spare_count(at_work, idle) + idle;
                assert_eq!(ready, READY.max(idle), "{at_work} at work, {idle} idle");
            }
        }
        assert_eq!([0, 1, 8, 9, 16].map(idle_limit), [4, 4, 4, 4, 8]);
    }
}
