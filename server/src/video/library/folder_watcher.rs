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
    catalog::{Catalog, ProbeOutcome, ProbeRecords},
    folder::{FolderListing, Stamp, VariantFile, list_folder},
    scan::{MAX_PROBES, probe_file},
    shared_library::Library,
};

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
        let watch_loop = WatchLoop {
            library,
            records,
            wake: wake.clone(),
            seen: HashMap::new(),
            probes: Arc::default(),
            events: None,
            is_readable: true,
            published_at: None,
        };
        thread::Builder::new().name("video-watch".into()).spawn({
            let is_over = is_over.clone();
            move || watch_loop.run(&woken, &is_over)
        })?;
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
    done: Vec<(VariantFile, ProbeOutcome)>,
}

type SharedProbes = Arc<Mutex<Probes>>;

struct WatchLoop {
    library: Library,
    records: ProbeRecords,
    wake: SyncSender<()>,
    seen: HashMap<PathBuf, FileState>,
    probes: SharedProbes,
    /// The subscription to file-system events, where there is one.
    events: Option<notify::RecommendedWatcher>,
    /// Whether the folder could be read last time.
    is_readable: bool,
    published_at: Option<Instant>,
}

impl WatchLoop {
    fn run(mut self, woken: &Receiver<()>, is_over: &AtomicBool) {
        self.subscribe();
        while !is_over.load(Relaxed) {
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
        let listing = match list_folder(self.library.folder()) {
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
            if self.seen.get(&file.path).is_some_and(|seen| seen.stamp == file.stamp) {
                self.records.insert(file, outcome);
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
        let slot = ProbeSlot { file: file.clone(), probes: self.probes.clone(), wake: self.wake.clone() };
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
        if std::mem::replace(&mut self.is_readable, false) {
            let folder = self.library.folder();
            tracing::error!("cannot read the video folder {folder:?}: {error}; no videos are offered until it is back");
            self.events = None;
            self.library.replace(Catalog::default());
        }
    }

    fn on_readable(&mut self) {
        if !std::mem::replace(&mut self.is_readable, true) {
            tracing::info!("the video folder {:?} can be read again", self.library.folder());
            self.subscribe();
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

fn lock(probes: &SharedProbes) -> MutexGuard<'_, Probes> {
    probes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the probes that may run at a time. Dropping it, also by a panic, makes room for another one.
struct ProbeSlot {
    file: VariantFile,
    probes: SharedProbes,
    wake: SyncSender<()>,
}

impl ProbeSlot {
    fn run(self) {
        let outcome = probe_file(&self.file);
        lock(&self.probes).done.push((self.file.clone(), outcome));
    }
}

impl Drop for ProbeSlot {
    fn drop(&mut self) {
        if thread::panicking() {
            let outcome = Err("cannot be read: the reader crashed, which is a bug in Triptych".to_owned());
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
