//! The library handle: the current [`Catalog`], replaced as a whole, and a revision number that tells of each change.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use common::media::{self, VideoId};
use tokio::sync::watch;

use super::{
    catalog::{Catalog, Change, ProbeRecords},
    folder::SkippedFile,
    previews::{PreviewFeed, Previews},
    scan::{self, LibraryError},
    thumbnails::Thumbnails,
    video::Video,
};
use crate::video::process::ProcessPool;

/// Lines in the log about one change of the folder; further ones are counted.
const MAX_CHANGE_LINES: usize = 20;

/// Everything that can be watched. Cheap to clone; all clones are the same library.
#[derive(Debug, Clone)]
pub struct Library {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    catalog: Mutex<Arc<Catalog>>,
    revision: watch::Sender<u64>,
    thumbnails: Thumbnails,
    previews: Previews,
    processes: ProcessPool,
    /// The videos that can be played without a decoder.
    ready: Mutex<HashSet<VideoId>>,
}

impl Library {
    /// Reads every video in the folder, in this process. Blocks for as long as the disk takes; [`crate::video::init`]
    /// must have succeeded. The library stays as it is unless a [`super::FolderWatcher`] updates it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan(folder: &Path) -> Result<Self, LibraryError> {
        Self::scan_with_records(folder, &ProcessPool::in_this_process()).map(|(library, _)| library)
    }

    /// The same in worker processes, together with the results of the probes, with which a [`super::FolderWatcher`]
    /// continues.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan_with_records(folder: &Path, processes: &ProcessPool) -> Result<(Self, ProbeRecords), LibraryError> {
        let (catalog, records) = scan::scan(folder, processes)?;
        processes.allow(catalog.paths());
        let shared = Shared {
            folder: folder.to_owned(),
            catalog: Mutex::new(Arc::new(catalog)),
            revision: watch::Sender::new(0),
            thumbnails: Thumbnails::default(),
            previews: Previews::default(),
            processes: processes.clone(),
            ready: Mutex::default(),
        };
        Ok((Self { shared: Arc::new(shared) }, records))
    }

    /// A number that grows with each change of what [`Library::listing`] returns.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// All files in the folder that cannot be offered, with the reason: for the console, since which files there are is not
    /// for clients to know.
    pub fn skipped_files(&self) -> Vec<SkippedFile> {
        self.catalog().skipped.clone()
    }

    /// The list that clients receive: videos by title, and how many others cannot be played.
    pub fn listing(&self) -> media::Library {
        let catalog = self.catalog();
        let ready = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let info =
            |video: &Arc<Video>| media::VideoInfo { is_ready: ready.contains(&video.info.id), ..video.info.clone() };
        let mut videos: Vec<_> = catalog.videos.values().map(info).collect();
        videos.sort_by(|a, b| a.title.cmp(&b.title));
        media::Library { videos, unplayable_count: catalog.unplayable_count }
    }

    /// The current version of the video with this id. Holders of an older version can continue with it for as long as
    /// its files exist.
    pub fn video(&self, id: VideoId) -> Option<Arc<Video>> {
        self.catalog().videos.get(&id).cloned()
    }

    /// Sets which videos are ready, and increments the revision if that changes what clients see.
    pub(crate) fn set_ready(&self, ready: HashSet<VideoId>) {
        let mut held = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != ready {
            *held = ready;
            drop(held);
            self.shared.revision.send_modify(|revision| *revision += 1);
        }
    }

    /// The thumbnail of a video (JFIF) and the fingerprint of the version of the video that it shows. Empty when there
    /// is no such video, or no thumbnail can be made.
    pub async fn thumbnail(&self, id: VideoId) -> (u64, Bytes) {
        let catalog = self.catalog();
        match catalog.videos.get(&id) {
            Some(video) => (
                video.info.fingerprint,
                self.shared.thumbnails.of(video.clone(), &catalog, &self.shared.processes).await,
            ),
            None => (0, Bytes::new()),
        }
    }

    /// The previews of a video, from now on; `None` if there is no such video.
    pub fn previews(&self, id: VideoId) -> Option<PreviewFeed> {
        let video = self.video(id)?;
        Some(self.shared.previews.of(&video, &self.shared.processes))
    }

    /// Fingerprints of the files of all videos.
    pub(crate) fn file_fingerprints(&self) -> HashSet<u64> {
        self.catalog().videos.values().flat_map(|video| &video.files).map(|file| file.fingerprint).collect()
    }

    /// The processes that read the files.
    pub(crate) fn processes(&self) -> &ProcessPool {
        &self.shared.processes
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// The current snapshot.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another catalog in place, logs the differences and, if they change what clients see, increments the
    /// revision. Returns whether it did.
    pub(crate) fn replace(&self, catalog: Catalog) -> bool {
        self.shared.processes.allow(catalog.paths());
        let catalog = Arc::new(catalog);
        let old = std::mem::replace(
            &mut *self.shared.catalog.lock().unwrap_or_else(PoisonError::into_inner),
            catalog.clone(),
        );
        let changes = catalog.changes_since(&old);
        let is_visible = !catalog.looks_like(&old);
        for change in changes.iter().take(MAX_CHANGE_LINES) {
            match change {
                Change::Added(line) | Change::Replaced(line) | Change::Removed(line) => tracing::info!("{line}"),
                Change::Skipped(line) => tracing::warn!("{line}"),
            }
        }
        if changes.len() > MAX_CHANGE_LINES {
            tracing::info!("and {} further changes in the video folder", changes.len() - MAX_CHANGE_LINES);
        }
        if is_visible {
            self.shared.revision.send_modify(|revision| *revision += 1);
        }
        is_visible
    }
}
