//! Follows the video folder while the server runs.
//!
//! ```text
//! notify (the system's news) ─┐              ┌► settled files ─► thread video-read, four at most ─ ─┐
//! every 0.8 s at least ───────┴► look ─► arrange                                                     │
//!                                 ▲          └► Library::replace, twice in a second at most          │
//!                                 └──────────────────── records ◄────────────────────────────────────┘
//! ```
//!
//! The system's news only make it faster: network shares bring none, so the names, sizes and times in the folder are
//! compared every [`QUIET_INTERVAL`] in any case. A file is read when its size and times have stood still for [`SETTLED_AFTER`],
//! and never again as long as they stay. Reading goes on elsewhere, so that a file that hangs holds up nobody else.

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
    Library,
    catalog::{Catalog, ProbeOutcome, ProbeRecords},
    folder::{FolderListing, Stamp, VariantFile, look},
    read,
};

/// A file that has not changed for this long is complete.
const SETTLED_AFTER: Duration = Duration::from_millis(600);

/// A file that has gone on changing for this long is named as being copied. Most copies are done sooner.
const GROWING_AFTER: Duration = Duration::from_secs(1);

/// How often the folder is looked at when the system has no news.
const QUIET_INTERVAL: Duration = Duration::from_millis(800);

/// How often while something is going on.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);

/// Clients hear of changes this often at most; what happens in between they hear together.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(500);

/// While files are being read, this long is waited for the rest of them: those of one video mostly come together.
const GATHERED_AFTER: Duration = Duration::from_millis(500);

/// A folder that takes long to look at is left alone for this many times as long.
const LOOKING_SHARE: u32 = 5;

/// Files read at a time.
const MAX_PROBES: usize = 4;

/// Follows the folder until it is dropped.
#[derive(Debug)]
pub struct FolderWatcher {
    is_over: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Drop for FolderWatcher {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // When the channel is full, the thread is about to look anyway.
        let _ = self.wake.try_send(());
    }
}

impl FolderWatcher {
    pub(crate) fn start(library: Library) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let is_over = Arc::new(AtomicBool::new(false));
        let keeper = WatchLoop {
            library,
            wake: wake.clone(),
            seen: HashMap::new(),
            readers: Arc::default(),
            news: None,
            is_reachable: true,
            published: None,
        };
        thread::Builder::new().name("video-watch".into()).spawn({
            let is_over = is_over.clone();
            move || keeper.run(&woken, &is_over)
        })?;
        Ok(Self { is_over, wake })
    }
}

/// A file as it was when looked at last.
struct FileState {
    stamp: Stamp,
    /// When it was first seen like this. `None`: always.
    since: Option<Instant>,
    /// When the unrest began that has not settled yet, or had not when it was last seen to change.
    changing_since: Option<Instant>,
}

impl FileState {
    fn is_settled(&self) -> bool {
        self.since.is_none_or(|since| since.elapsed() >= SETTLED_AFTER)
    }

    /// Whether it went on changing for so long that people should hear of it.
    fn is_growing(&self) -> bool {
        let unrest = self.since.zip(self.changing_since).map(|(since, begun)| since.duration_since(begun));
        unrest.is_some_and(|unrest| unrest >= GROWING_AFTER)
    }
}

/// The files being read, and what came of those that were.
#[derive(Default)]
struct Probes {
    busy: HashSet<PathBuf>,
    /// Since when there has been one at any moment.
    busy_since: Option<Instant>,
    done: Vec<(VariantFile, ProbeOutcome)>,
}

type SharedProbes = Arc<Mutex<Probes>>;

struct WatchLoop {
    library: Library,
    wake: SyncSender<()>,
    seen: HashMap<PathBuf, FileState>,
    readers: SharedProbes,
    news: Option<notify::RecommendedWatcher>,
    /// Whether the folder could be read last time.
    is_reachable: bool,
    published: Option<Instant>,
}

impl WatchLoop {
    fn run(mut self, woken: &Receiver<()>, is_over: &AtomicBool) {
        self.listen();
        while !is_over.load(Relaxed) {
            let begun = Instant::now();
            let interval = if self.look() { BUSY_INTERVAL } else { QUIET_INTERVAL };
            let took = begun.elapsed();
            // Whatever brings news, more of it follows at once: while a file is copied, with each piece of it.
            thread::sleep(BUSY_INTERVAL.max(took * LOOKING_SHARE));
            // Its own end of the channel is in `self`, so the only error is that nothing came.
            let _ = woken.recv_timeout(interval.saturating_sub(BUSY_INTERVAL));
        }
    }

    /// Compares the folder with what is known of it. Whether something is going on that needs another look soon.
    fn look(&mut self) -> bool {
        let listing = match look(self.library.folder()) {
            Ok(listing) => listing,
            Err(error) => {
                self.lose(&error);
                return false;
            }
        };
        self.find();
        let library = self.library.clone();
        let mut records = library.records();
        self.note(&listing, &records);
        for (file, outcome) in std::mem::take(&mut lock(&self.readers).done) {
            // Else it was replaced while it was read.
            if self.seen.get(&file.path).is_some_and(|seen| seen.stamp == file.stamp) {
                records.keep(file, outcome);
            }
        }
        records.forget_all_but(&listing);
        let is_growing = |path: &Path| self.seen.get(path).is_some_and(FileState::is_growing);
        let (shelf, unread) = Catalog::arrange(&listing, &records, &library.shelf(), is_growing);
        drop(records);
        for file in &unread {
            self.read_when_settled(file);
        }
        let is_published = self.publish(shelf);
        !is_published || !unread.is_empty()
    }

    /// Compares each file with what it was before.
    fn note(&mut self, listing: &FolderListing, records: &ProbeRecords) {
        let mut before = std::mem::take(&mut self.seen);
        for file in listing.files.values().flatten() {
            let seen = match before.remove(&file.path) {
                Some(seen) if seen.stamp == file.stamp => seen,
                // What was read before the watch began has settled already.
                _ if records.knows(file) => FileState { stamp: file.stamp, since: None, changing_since: None },
                seen => {
                    let now = Instant::now();
                    let begun = seen.filter(|seen| !seen.is_settled()).and_then(|seen| seen.changing_since);
                    FileState { stamp: file.stamp, since: Some(now), changing_since: begun.or(Some(now)) }
                }
            };
            self.seen.insert(file.path.clone(), seen);
        }
    }

    fn read_when_settled(&self, file: &VariantFile) {
        let is_settled = self.seen.get(&file.path).is_some_and(FileState::is_settled);
        let mut readers = lock(&self.readers);
        if !is_settled || readers.busy.len() >= MAX_PROBES || readers.busy.contains(&file.path) {
            return;
        }
        let seat = ProbeSlot { file: file.clone(), readers: self.readers.clone(), wake: self.wake.clone() };
        let started = thread::Builder::new().name("video-read".into()).spawn(move || seat.read());
        match started {
            Ok(_) => {
                readers.busy.insert(file.path.clone());
                readers.busy_since.get_or_insert_with(Instant::now);
            }
            // Tried again at the next look.
            Err(error) => tracing::warn!("{:?} is not read yet: {error}", file.path),
        }
    }

    /// Whether what was found is what everybody knows now.
    fn publish(&mut self, shelf: Catalog) -> bool {
        let is_gathering = lock(&self.readers).busy_since.is_some_and(|since| since.elapsed() < GATHERED_AFTER);
        if is_gathering || self.published.is_some_and(|published| published.elapsed() < PUBLISH_INTERVAL) {
            return false;
        }
        if self.library.replace(shelf) {
            self.published = Some(Instant::now());
        }
        true
    }

    fn lose(&mut self, error: &io::Error) {
        if std::mem::replace(&mut self.is_reachable, false) {
            let folder = self.library.folder();
            tracing::error!("the video folder {folder:?} cannot be read: {error}; nothing is offered until it is back");
            self.news = None;
            self.library.replace(Catalog::default());
        }
    }

    fn find(&mut self) {
        if !std::mem::replace(&mut self.is_reachable, true) {
            tracing::info!("the video folder {:?} is back", self.library.folder());
            self.listen();
        }
    }

    /// Has the system tell when something happens in the folder.
    fn listen(&mut self) {
        let wake = self.wake.clone();
        let told = move |event: notify::Result<notify::Event>| {
            // Everybody who watches a video opens and reads files.
            let is_reading = event.is_ok_and(|event| {
                matches!(event.kind, EventKind::Access(kind) if !matches!(kind, AccessKind::Close(AccessMode::Write)))
            });
            if !is_reading {
                // A full channel says the same already.
                let _ = wake.try_send(());
            }
        };
        let folder = self.library.folder();
        let listening = notify::recommended_watcher(told)
            .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::NonRecursive).map(|()| watcher));
        self.news = listening
            .inspect_err(|error| tracing::debug!("no news of {folder:?} from the system, it is looked at: {error}"))
            .ok();
    }
}

fn lock(readers: &SharedProbes) -> MutexGuard<'_, Probes> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of one file among those being read. Whatever becomes of the reading, it is given back.
struct ProbeSlot {
    file: VariantFile,
    readers: SharedProbes,
    wake: SyncSender<()>,
}

impl ProbeSlot {
    fn read(self) {
        let outcome = read(&self.file);
        lock(&self.readers).done.push((self.file.clone(), outcome));
    }
}

impl Drop for ProbeSlot {
    fn drop(&mut self) {
        if thread::panicking() {
            let outcome = Err("it cannot be read: the reader failed, which is a mistake in Triptych".to_owned());
            lock(&self.readers).done.push((self.file.clone(), outcome));
        }
        let mut readers = lock(&self.readers);
        readers.busy.remove(&self.file.path);
        if readers.busy.is_empty() {
            readers.busy_since = None;
        }
        drop(readers);
        let _ = self.wake.try_send(());
    }
}
