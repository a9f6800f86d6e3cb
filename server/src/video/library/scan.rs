//! Reads a whole folder: lists it, and probes every file that may be part of a video.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{
    catalog::{Catalog, ProbeRecords},
    folder::{FolderListing, VariantFile, list_folder},
    video::ProbedFile,
};
use crate::video::process::{ProbeFailure, Prober, ProcessPool};

/// More probes at a time would only wait for the disk.
pub(crate) const MAX_PROBES: usize = 4;

/// Why there is no library: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The video folder, and the error of the operating system.
    #[error("cannot read the video folder {0:?}: {1}; create it, or choose another one with --videos")]
    Unreadable(PathBuf, io::Error),
}

/// Reads every video in the folder. Blocks for as long as the disk takes. A file that could not be read for lack of a
/// process or a descriptor is skipped, but is not in the records, so that it is tried again.
///
/// # Errors
/// When the folder cannot be read; a file that cannot is only skipped.
pub(crate) fn scan(folder: &Path, processes: &ProcessPool) -> Result<(Catalog, ProbeRecords), LibraryError> {
    Ok(scan_listing(&list(folder)?, processes))
}

/// The same for some titles only.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn scan_titles(
    folder: &Path,
    mut is_wanted: impl FnMut(&str) -> bool,
    processes: &ProcessPool,
) -> Result<Catalog, LibraryError> {
    let mut listing = list(folder)?;
    listing.files.retain(|name, _| is_wanted(&name.title));
    Ok(scan_listing(&listing, processes).0)
}

fn list(folder: &Path) -> Result<FolderListing, LibraryError> {
    list_folder(folder).map_err(|error| LibraryError::Unreadable(folder.to_owned(), error))
}

fn scan_listing(listing: &FolderListing, processes: &ProcessPool) -> (Catalog, ProbeRecords) {
    let (mut records, mut untried) = (ProbeRecords::default(), Vec::new());
    loop {
        let (catalog, unread) = Catalog::build(listing, &records, &Catalog::default(), |_| false);
        if unread.is_empty() {
            untried.iter().for_each(|file| records.remove(file));
            return (catalog, records);
        }
        for (file, outcome) in probe_all(unread, processes) {
            if outcome.as_ref().is_err_and(|failure| !failure.is_final) {
                untried.push(file.clone());
            }
            records.insert(file, outcome.map_err(|failure| failure.reason));
        }
    }
}

/// What probing a file showed, or why that failed.
pub(super) type Probing = Result<Arc<ProbedFile>, ProbeFailure>;

/// Probes files on a few threads, each with a process of its own that reads one file after the other: to start one for
/// each file would take longer than most probes.
fn probe_all(files: Vec<VariantFile>, processes: &ProcessPool) -> Vec<(VariantFile, Probing)> {
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MAX_PROBES);
    let (jobs, done) = (Mutex::new(files.into_iter()), Mutex::new(Vec::new()));
    let work = || {
        let mut prober = Prober::new(processes, paths.clone());
        // Not `while let`, which would hold the lock while the file is probed.
        loop {
            let Some(file) = jobs.lock().unwrap_or_else(PoisonError::into_inner).next() else { break };
            let outcome = probe_file(&file, &mut prober, &|| true);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((file, outcome));
        }
    };
    thread::scope(|scope| {
        for number in 1..workers {
            let started = thread::Builder::new().name(format!("video-probe-{number}")).spawn_scoped(scope, work);
            if let Err(error) = started {
                tracing::warn!("cannot start another thread ({error}); scanning the folder with {number}");
                break;
            }
        }
        // This thread works too, so the scan finishes even when no other could be started.
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Probes one file. Blocks until it has been read, or the probe gives up.
pub(super) fn probe_file(file: &VariantFile, prober: &mut Prober<'_>, is_wanted: &dyn Fn() -> bool) -> Probing {
    let probed = prober.probe(&file.path, is_wanted)?;
    let file = ProbedFile::new(file.path.clone(), file.stamp, probed);
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
        crate::video::gst::elements::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Gone_240p.mp4");
        std::fs::write(&path, "x").unwrap();
        let listing = list_folder(folder.path()).unwrap();
        std::fs::remove_file(path).unwrap();
        let file = listing.files.values().flatten().next().unwrap();
        let processes = ProcessPool::in_this_process();
        let mut prober = Prober::new(&processes, vec![file.path.clone()]);
        let failure = probe_file(file, &mut prober, &|| true).unwrap_err();
        assert!(failure.is_final && failure.reason.starts_with("cannot be read: "), "{failure:?}");
    }
}
