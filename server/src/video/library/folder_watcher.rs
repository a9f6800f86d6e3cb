//! Follows the video folder while the server runs.
//!
//! ```text
//! file-system events (notify) ─┐                  ┌► settled files ─► threads video-probe, four at most ─┐
//! every 0.8 s at least ────────┴► list ─► build ──┤                                                      │
//!                                           ▲     └► Library::replace, twice in a second at most         │
//!                                           └─────────────── ProbeRecords ◄──────────────────────────────┘
//! ```
//!
//! File-system events are only a shortcut; network shares send none. So the names, sizes and times in the folder are
//! compared every [`QUIET_INTERVAL`] in any case. A file is probed when its size and times have not changed for
//! [`SETTLED_AFTER`], and not again until they change. Probes run on threads of their own, so that a file that hangs
//! delays no other.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use notify::{
    EventKind, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::{
    catalog::{Catalog, ProbeRecords},
    folder::{FolderListing, Stamp, VariantFile, list_folder},
    scan::{MAX_PROBES, Probing, probe_file},
    shared_library::Library,
};
use crate::video::process::{ProbeFailure, Prober, ProcessPool};

/// A file that has not changed for this long is complete.
const SETTLED_AFTER: Duration = Duration::from_millis(600);

/// A file that has kept changing for this long is listed as being copied. Most copies finish sooner.
const GROWING_AFTER: Duration = Duration::from_secs(1);

/// Time between two looks at the folder when no event arrives.
const QUIET_INTERVAL: Duration = Duration::from_millis(800);

/// Time between two looks while files are settling or being probed.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);

/// Clients are told of changes this often at most; changes in between are reported together.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(500);

/// While files are being probed, publishing waits this long for the rest of them: the files of one video mostly arrive
/// together.
const GATHERED_AFTER: Duration = Duration::from_millis(500);

/// A folder that takes long to list is left alone for this many times as long.
const REST_FACTOR: u32 = 5;

/// Follows the folder until it is dropped.
#[derive(Debug)]
pub struct FolderWatcher {
    is_over: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// Makes the watching thread look at the folder, or at whether it is over.
fn wake_up(wake: &SyncSender<()>) {
    #[expect(clippy::let_underscore_must_use, reason = "a full channel already wakes the thread")]
    let _ = wake.try_send(());
}

impl Drop for FolderWatcher {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        wake_up(&self.wake);
    }
}

impl FolderWatcher {
    /// Starts to update the library. `records` are the results of the scan that the library was made from.
    ///
    /// # Errors
    /// When the operating system provides no further thread.
    pub fn start(library: Library, records: ProbeRecords) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let is_over = Arc::new(AtomicBool::new(false));
        let watch_loop = WatchLoop::new(library, records, wake.clone(), is_over.clone());
        thread::Builder::new().name("video-watch".into()).spawn(move || watch_loop.run(&woken))?;
        Ok(Self { is_over, wake })
    }
}

/// A file as the last look found it.
struct FileState {
    stamp: Stamp,
    /// When this state was first seen. `None`: it is older than the watcher, so it has settled.
    since: Option<Instant>,
    /// Start of the current burst of changes, or of the last one.
    changing_since: Option<Instant>,
}

impl FileState {
    fn is_settled(&self) -> bool {
        self.since.is_none_or(|since| since.elapsed() >= SETTLED_AFTER)
    }

    /// Whether it has kept changing for long enough to be listed as being copied.
    fn is_growing(&self) -> bool {
        let burst = self.since.zip(self.changing_since).map(|(since, begun)| since.duration_since(begun));
        burst.is_some_and(|burst| burst >= GROWING_AFTER)
    }
}

/// The files being probed, and the results that have not been taken yet.
#[derive(Default)]
struct Probes {
    running: HashSet<PathBuf>,
    /// Since when at least one probe has been running without a break.
    busy_since: Option<Instant>,
    done: Vec<(VariantFile, Probing)>,
}

type SharedProbes = Arc<Mutex<Probes>>;

struct WatchLoop {
    library: Library,
    records: ProbeRecords,
    wake: SyncSender<()>,
    is_over: Arc<AtomicBool>,
    seen: HashMap<PathBuf, FileState>,
    probes: SharedProbes,
    /// The subscription to file-system events, where there is one.
    events: Option<notify::RecommendedWatcher>,
    /// Lists the folder.
    list: fn(&Path) -> io::Result<FolderListing>,
    /// What the last look failed with; `None` while the folder can be read.
    trouble: Option<Trouble>,
    published_at: Option<Instant>,
}

impl WatchLoop {
    fn new(library: Library, records: ProbeRecords, wake: SyncSender<()>, is_over: Arc<AtomicBool>) -> Self {
        Self {
            library,
            records,
            wake,
            is_over,
            seen: HashMap::new(),
            probes: Arc::default(),
            events: None,
            list: list_folder,
            trouble: None,
            published_at: None,
        }
    }

    fn run(mut self, woken: &Receiver<()>) {
        self.subscribe();
        while !self.is_over.load(Relaxed) {
            let begun = Instant::now();
            let interval = if self.look() { BUSY_INTERVAL } else { QUIET_INTERVAL };
            let took = begun.elapsed();
            // Events arrive in bursts while a file is copied, so debounce.
            #[expect(clippy::disallowed_methods, reason = "nothing waits for this thread to end")]
            thread::sleep(BUSY_INTERVAL.max(took * REST_FACTOR));
            #[expect(
                clippy::let_underscore_must_use,
                reason = "`self` holds a sender, so the only possible error is the timeout"
            )]
            let _ = woken.recv_timeout(interval.saturating_sub(BUSY_INTERVAL));
        }
    }

    /// Compares the folder with what is known of it. Returns whether another look is needed soon.
    fn look(&mut self) -> bool {
        let listing = match (self.list)(self.library.folder()) {
            Ok(listing) => listing,
            Err(error) => {
                self.on_unreadable(&error);
                return false;
            }
        };
        self.on_readable();
        self.note_changes(&listing);
        for (file, outcome) in std::mem::take(&mut lock(&self.probes).done) {
            // A file that was replaced while it was probed has to be probed again.
            let is_same = self.seen.get(&file.path).is_some_and(|seen| seen.stamp == file.stamp);
            match outcome {
                Ok(probed) if is_same => self.records.insert(file, Ok(probed)),
                Err(failure) if is_same && failure.is_final => self.records.insert(file, Err(failure.reason)),
                Err(failure) if is_same => {
                    tracing::debug!("{:?} is read again, because that failed: {}", file.path, failure.reason);
                }
                _ => {}
            }
        }
        self.records.retain_listed(&listing);
        let is_growing = |path: &Path| self.seen.get(path).is_some_and(FileState::is_growing);
        let (catalog, unread) = Catalog::build(&listing, &self.records, &self.library.catalog(), is_growing);
        for file in &unread {
            self.probe_when_settled(file);
        }
        let is_published = self.publish(catalog);
        !is_published || !unread.is_empty()
    }

    /// Compares each file with its state at the last look.
    fn note_changes(&mut self, listing: &FolderListing) {
        let mut before = std::mem::take(&mut self.seen);
        for file in listing.files.values().flatten() {
            let seen = match before.remove(&file.path) {
                Some(seen) if seen.stamp == file.stamp => seen,
                // Files that were probed before the watcher started have settled already.
                _ if self.records.is_current(file) => {
                    FileState { stamp: file.stamp, since: None, changing_since: None }
                }
                seen => {
                    let now = Instant::now();
                    let begun = seen.filter(|seen| !seen.is_settled()).and_then(|seen| seen.changing_since);
                    FileState { stamp: file.stamp, since: Some(now), changing_since: begun.or(Some(now)) }
                }
            };
            self.seen.insert(file.path.clone(), seen);
        }
    }

    fn probe_when_settled(&self, file: &VariantFile) {
        let is_settled = self.seen.get(&file.path).is_some_and(FileState::is_settled);
        let mut probes = lock(&self.probes);
        if !is_settled || probes.running.len() >= MAX_PROBES || probes.running.contains(&file.path) {
            return;
        }
        let slot = ProbeSlot {
            file: file.clone(),
            processes: self.library.processes().clone(),
            is_over: self.is_over.clone(),
            probes: self.probes.clone(),
            wake: self.wake.clone(),
        };
        let started = thread::Builder::new().name("video-probe".into()).spawn(move || slot.run());
        match started {
            Ok(_) => {
                probes.running.insert(file.path.clone());
                probes.busy_since.get_or_insert_with(Instant::now);
            }
            // The next look tries again.
            Err(error) => tracing::warn!("cannot start a thread to read {:?} ({error}); trying again", file.path),
        }
    }

    /// Makes the catalog the current one unless it is too early for that. Returns whether it did.
    fn publish(&mut self, catalog: Catalog) -> bool {
        let is_gathering = lock(&self.probes).busy_since.is_some_and(|since| since.elapsed() < GATHERED_AFTER);
        if is_gathering || self.published_at.is_some_and(|published_at| published_at.elapsed() < PUBLISH_INTERVAL) {
            return false;
        }
        if self.library.replace(catalog) {
            self.published_at = Some(Instant::now());
        }
        true
    }

    fn on_unreadable(&mut self, error: &io::Error) {
        let folder = self.library.folder();
        let trouble = Trouble::of(error, self.trouble);
        let before = self.trouble.replace(trouble);
        if trouble == Trouble::Gone {
            if before != Some(trouble) {
                tracing::error!(
                    "cannot read the video folder {folder:?}: {error}; no videos are offered until it is back"
                );
                self.events = None;
                self.library.replace(Catalog::default());
            }
        } else if before.is_none() {
            tracing::warn!(
                "cannot read the video folder {folder:?} at the moment: {error}; the videos are offered as they were"
            );
        }
    }

    fn on_readable(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            tracing::info!("the video folder {:?} can be read again", self.library.folder());
            if trouble == Trouble::Gone {
                self.subscribe();
            }
        }
    }

    /// Asks the operating system for file-system events of the folder.
    fn subscribe(&mut self) {
        let wake = self.wake.clone();
        let on_event = move |event: notify::Result<notify::Event>| {
            // Streaming a video opens and reads its files, which changes nothing.
            let is_reading = event.is_ok_and(|event| {
                matches!(event.kind, EventKind::Access(kind) if !matches!(kind, AccessKind::Close(AccessMode::Write)))
            });
            if !is_reading {
                wake_up(&wake);
            }
        };
        let folder = self.library.folder();
        let watching = notify::recommended_watcher(on_event)
            .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::NonRecursive).map(|()| watcher));
        self.events = watching
            .inspect_err(|error| tracing::debug!("no file-system events for {folder:?} ({error}); polling it instead"))
            .ok();
    }
}

/// Why a look at the folder failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The system is short of something, or the disk does not answer. That says nothing about the videos.
    Passing,
    /// Access was denied, once. A network share says that too while it reconnects.
    Denied,
    /// There is no folder, or no access to it.
    Gone,
}

impl Trouble {
    /// What an error means after the trouble of the look before.
    fn of(error: &io::Error, before: Option<Self>) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Gone,
            io::ErrorKind::PermissionDenied if matches!(before, Some(Self::Denied | Self::Gone)) => Self::Gone,
            io::ErrorKind::PermissionDenied => Self::Denied,
            // What was lost stays lost until the folder can be read.
            _ if before == Some(Self::Gone) => Self::Gone,
            _ => Self::Passing,
        }
    }
}

fn lock(probes: &SharedProbes) -> MutexGuard<'_, Probes> {
    probes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the probes that may run at a time. Dropping it, also by a panic, makes room for another one.
struct ProbeSlot {
    file: VariantFile,
    processes: ProcessPool,
    /// Set when nobody wants to know any more.
    is_over: Arc<AtomicBool>,
    probes: SharedProbes,
    wake: SyncSender<()>,
}

impl ProbeSlot {
    fn run(self) {
        let mut prober = Prober::new(&self.processes, vec![self.file.path.clone()]);
        let outcome = probe_file(&self.file, &mut prober, &|| !self.is_over.load(Relaxed));
        lock(&self.probes).done.push((self.file.clone(), outcome));
    }
}

impl Drop for ProbeSlot {
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "cannot be read: the reader crashed, which is a bug in Triptych".to_owned();
            let outcome = Err(ProbeFailure { reason, is_final: true });
            lock(&self.probes).done.push((self.file.clone(), outcome));
        }
        let mut probes = lock(&self.probes);
        probes.running.remove(&self.file.path);
        if probes.running.is_empty() {
            probes.busy_since = None;
        }
        drop(probes);
        wake_up(&self.wake);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::video::{ProbedFile, Video},
        *,
    };

    /// A watcher of an empty folder, with a library that offers a video.
    fn watching(folder: &Path) -> WatchLoop {
        let (library, records) = Library::scan_with_records(folder, &ProcessPool::in_this_process()).unwrap();
        let file = ProbedFile::imagined(folder.join("A_240p.mp4"), Stamp::default(), vec![0, 40]);
        let video = Arc::new(Video::new("A".into(), vec![(240, file)], Vec::new()));
        library.replace(Catalog { videos: [(video.info.id, video)].into(), ..Catalog::default() });
        WatchLoop::new(library, records, sync_channel(1).0, Arc::default())
    }

    type List = fn(&Path) -> io::Result<FolderListing>;

    fn count_after(watch: &mut WatchLoop, list: List) -> usize {
        watch.list = list;
        watch.look();
        watch.library.listing().videos.len()
    }

    #[test]
    fn a_system_that_is_short_of_something_takes_no_video_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watching(folder.path());
        // EMFILE, ENFILE, ENOMEM, EINTR, EIO, EAGAIN and ETIMEDOUT, as Linux numbers them.
        let errors: [List; 7] = [
            |_| Err(io::Error::from_raw_os_error(24)),
            |_| Err(io::Error::from_raw_os_error(23)),
            |_| Err(io::Error::from_raw_os_error(12)),
            |_| Err(io::Error::from_raw_os_error(4)),
            |_| Err(io::Error::from_raw_os_error(5)),
            |_| Err(io::Error::from_raw_os_error(11)),
            |_| Err(io::Error::from_raw_os_error(110)),
        ];
        let revision = *watch.library.changes().borrow();
        for list in errors {
            assert_eq!([count_after(&mut watch, list), count_after(&mut watch, list)], [1, 1]);
        }
        assert_eq!(*watch.library.changes().borrow(), revision, "clients hear nothing of it");
    }

    #[test]
    fn videos_go_with_their_folder_and_with_the_right_to_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let denied: List = |_| Err(io::ErrorKind::PermissionDenied.into());
        let gone: List = |_| Err(io::ErrorKind::NotFound.into());
        let short: List = |_| Err(io::Error::from_raw_os_error(24));
        let mut watch = watching(folder.path());
        assert_eq!(count_after(&mut watch, denied), 1, "a network share may say that once");
        assert_eq!(count_after(&mut watch, denied), 0);
        assert_eq!(count_after(&mut watch, short), 0, "what is gone does not come back by another error");
        let mut watch = watching(folder.path());
        assert_eq!(count_after(&mut watch, gone), 0);
    }
}
