//! The library: what the video folder offers at the moment, for everybody who holds a handle.
//!
//! ```text
//! folder ─► look (names) ─► ProbeRecords ─► arrange ─► Catalog ─► swapped in as a whole, revision + 1
//!                              ▲          │ what has to be read
//!                              └─ probe ◄─┘
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use bytes::Bytes;
use common::media::{self, VideoId};
use tokio::sync::watch;

pub(crate) mod catalog;
pub(crate) mod folder;
mod folder_watcher;
mod thumbnails;

pub use self::{catalog::Video, folder_watcher::FolderWatcher};
use self::{
    catalog::{Catalog, Change, ProbeOutcome, ProbeRecords, ProbedFile},
    folder::{VariantFile, look},
    thumbnails::Thumbnails,
};
use super::gst::probe::probe;

/// More would only wait for the disk.
const MAX_PROBES_AT_ONCE: usize = 4;

/// Lines in the console about one change of the folder; more are counted.
const MAX_CHANGE_LINES: usize = 20;

/// Everything that can be watched. Cheap to clone; all clones are the same library.
#[derive(Debug, Clone)]
pub struct Library {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    shelf: Mutex<Arc<Catalog>>,
    records: Mutex<ProbeRecords>,
    revision: watch::Sender<u64>,
    thumbnails: Thumbnails,
}

/// Why there is no library: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder, and what the system says about it.
    #[error("the video folder {0:?} cannot be read: {1}; make it, or name another with --videos")]
    Unreadable(PathBuf, io::Error),
}

impl Library {
    /// Reads every video in the folder. Blocks for as long as the disk takes; [`crate::video::init`] must have succeeded.
    /// From then on it stays as it is unless somebody watches ([`Library::watch`]).
    pub fn scan(folder: &Path) -> Result<Self, LibraryError> {
        let listing = look(folder).map_err(|error| LibraryError::Unreadable(folder.to_owned(), error))?;
        let mut records = ProbeRecords::default();
        let shelf = loop {
            let (shelf, unread) = Catalog::arrange(&listing, &records, &Catalog::default(), |_| false);
            if unread.is_empty() {
                break shelf;
            }
            for (file, outcome) in read_all(unread) {
                records.keep(file, outcome);
            }
        };
        let (folder, shelf, records) = (folder.to_owned(), Mutex::new(Arc::new(shelf)), Mutex::new(records));
        let (revision, thumbnails) = (watch::Sender::new(0), Thumbnails::default());
        Ok(Self { shared: Arc::new(Shared { folder, shelf, records, revision, thumbnails }) })
    }

    /// Follows what happens in the folder until what is returned is dropped.
    ///
    /// # Errors
    /// When the system gives no further thread.
    pub fn watch(&self) -> io::Result<FolderWatcher> {
        FolderWatcher::start(self.clone())
    }

    /// A number that grows with each change of what [`Library::listing`] says.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// What clients are told: videos by title, skipped files with the reason.
    pub fn listing(&self) -> media::Library {
        let shelf = self.shelf();
        let mut videos: Vec<_> = shelf.videos.values().map(|video| video.info.clone()).collect();
        videos.sort_by(|a, b| a.title.cmp(&b.title));
        media::Library { videos, skipped: shelf.skipped.clone() }
    }

    /// The video with this id, as it is now. Whoever holds an older one can go on with it as far as its files go.
    pub fn video(&self, id: VideoId) -> Option<Arc<Video>> {
        self.shelf().videos.get(&id).cloned()
    }

    /// A small picture of a video (JFIF) and the fingerprint of the video it was made of. Empty when there is no such
    /// video, or nothing can be made of it.
    pub async fn thumbnail(&self, id: VideoId) -> (u64, Bytes) {
        let shelf = self.shelf();
        match shelf.videos.get(&id) {
            Some(video) => (video.info.fingerprint, self.shared.thumbnails.of(video.clone(), &shelf).await),
            None => (0, Bytes::new()),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.shared.folder
    }

    pub(crate) fn shelf(&self) -> Arc<Catalog> {
        self.shared.shelf.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of the files; for the one who watches.
    pub(crate) fn records(&self) -> MutexGuard<'_, ProbeRecords> {
        self.shared.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another shelf in place, says what changed, and counts on. Whether anything did.
    pub(crate) fn replace(&self, shelf: Catalog) -> bool {
        let shelf = Arc::new(shelf);
        let old =
            std::mem::replace(&mut *self.shared.shelf.lock().unwrap_or_else(PoisonError::into_inner), shelf.clone());
        let changes = shelf.changes_since(&old);
        if changes.is_empty() && shelf.skipped == old.skipped {
            return false;
        }
        for change in changes.iter().take(MAX_CHANGE_LINES) {
            match change {
                Change::Added(line) | Change::Replaced(line) | Change::Removed(line) => tracing::info!("{line}"),
                Change::Skipped(line) => tracing::warn!("{line}"),
            }
        }
        if changes.len() > MAX_CHANGE_LINES {
            tracing::info!("and {} further changes in the video folder", changes.len() - MAX_CHANGE_LINES);
        }
        self.shared.revision.send_modify(|revision| *revision += 1);
        true
    }
}

/// Reads files on a few threads.
fn read_all(files: Vec<VariantFile>) -> Vec<(VariantFile, ProbeOutcome)> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MAX_PROBES_AT_ONCE);
    let (jobs, done) = (Mutex::new(files.into_iter()), Mutex::new(Vec::new()));
    let work = || {
        // Not `while let`: the lock would be held while the file is read.
        loop {
            let Some(file) = jobs.lock().expect("no holder of this lock panics").next() else { break };
            let outcome = read(&file);
            done.lock().expect("no holder of this lock panics").push((file, outcome));
        }
    };
    thread::scope(|scope| {
        for number in 1..workers {
            let started = thread::Builder::new().name(format!("video-probe-{number}")).spawn_scoped(scope, work);
            if let Err(error) = started {
                tracing::warn!("the folder is read with {number} threads: {error}");
                break;
            }
        }
        // Also helps when no thread could be started.
        work();
    });
    done.into_inner().expect("no holder of this lock panics")
}

/// Reads a file. Blocks until it is read, or given up.
pub(crate) fn read(file: &VariantFile) -> ProbeOutcome {
    let (path, stamp) = (file.path.clone(), file.stamp);
    let probed = probe(&path).map_err(|flaw| flaw.to_string())?;
    let file = ProbedFile::new(path, stamp, probed);
    let sound = file.probed.sound.as_ref().map_or("no", |sound| &sound.coding);
    tracing::debug!(
        "{:?}: {} frames of {}, {sound} sound",
        file.file_name,
        file.probed.index.len(),
        file.probed.coding
    );
    Ok(Arc::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_when_it_is_to_be_read_is_named_and_nothing_more() {
        crate::video::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Gone_240p.mp4");
        std::fs::write(&path, "x").unwrap();
        let listing = look(folder.path()).unwrap();
        std::fs::remove_file(path).unwrap();
        let file = listing.files.values().flatten().next().unwrap();
        let words = read(file).unwrap_err();
        assert!(words.starts_with("cannot be read: "), "{words}");
    }
}
