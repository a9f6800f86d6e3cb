//! A staging directory: where files are written before they get their names in the video folder. It lies inside the
//! video folder, so that renaming is all that is left to do when every file is complete, and its name begins with a dot,
//! so that no server offers what is in it.
//!
//! A staging directory holds a lock file that is locked while it is in use. One whose lock is free was left behind by a
//! program that was killed; the next program that uses the same video folder removes it. Both creating and removing
//! happen while the video folder itself is locked: between its creation and its lock, a new directory looks abandoned.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

const PREFIX: &str = ".triptych-making-";
const LOCK: &str = "lock";

/// A directory for unfinished files. Removed with everything in it when dropped; what cannot be removed then, the next
/// program that uses the video folder takes for abandoned.
#[derive(Debug)]
pub(crate) struct StagingDir {
    /// Its name is random: were names used again, the removal of one directory could hit the next of the same name.
    directory: TempDir,
    videos: PathBuf,
    /// Locked until the end.
    _lock: fs::File,
}

impl StagingDir {
    /// Creates a directory in the video folder `videos`, which is created too when it does not exist, and removes
    /// abandoned ones.
    ///
    /// # Errors
    /// When the video folder cannot be created or written to.
    pub(crate) fn open(videos: &Path) -> io::Result<Self> {
        fs::create_dir_all(videos)?;
        // Some network file systems cannot lock a folder. Nothing is removed there.
        let folder = fs::File::open(videos).and_then(|folder| folder.lock().map(|()| folder));
        if folder.is_ok() {
            remove_abandoned(videos);
        }
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(videos)?;
        let lock = fs::File::create(directory.path().join(LOCK))?;
        #[expect(
            clippy::let_underscore_must_use,
            reason = "where files cannot be locked, no directory is taken for abandoned"
        )]
        let _ = lock.try_lock();
        Ok(Self { directory, videos: videos.to_owned(), _lock: lock })
    }

    /// The directory itself.
    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The path at which a file is written that will get this name.
    pub(crate) fn path_of(&self, file_name: &str) -> PathBuf {
        self.directory.path().join(file_name)
    }

    /// Moves the files with these names into the video folder, in place of any that had the names before, and returns
    /// their paths.
    ///
    /// # Errors
    /// The path that could not be written, with the error of the operating system.
    pub(crate) fn finish(self, file_names: &[String]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        // Synced before they are renamed: a power failure must not leave a name without contents.
        for file_name in file_names {
            let path = self.path_of(file_name);
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|error| (path, error))?;
        }
        let finish = |file_name: &String| {
            let path = self.videos.join(file_name);
            match fs::rename(self.path_of(file_name), &path) {
                Ok(()) => Ok(path),
                Err(error) => Err((path, error)),
            }
        };
        file_names.iter().map(finish).collect()
    }
}

/// Removes staging directories that no program uses. The video folder must be locked.
fn remove_abandoned(videos: &Path) {
    for entry in fs::read_dir(videos).into_iter().flatten().flatten() {
        let is_staging = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_staging && is_abandoned(&entry.path()) {
            tracing::info!("removing {:?}, left behind by an interrupted run", entry.path());
            #[expect(
                clippy::let_underscore_must_use,
                reason = "what remains does no harm, and the next run tries again"
            )]
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(staging: &Path) -> bool {
    match fs::File::open(staging.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        // The program was killed between creating the directory and the lock file.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn files_get_their_names_at_the_end_and_the_directory_goes() {
        let folder = tempfile::tempdir().unwrap();
        let staging = StagingDir::open(folder.path()).unwrap();
        fs::write(staging.path_of("a"), "new").unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        assert!(names(folder.path()).iter().all(|name| name == "a" || name.starts_with('.')));
        let paths = staging.finish(&["a".to_owned()]).unwrap();
        assert_eq!((fs::read_to_string(&paths[0]).unwrap().as_str(), names(folder.path())), ("new", vec!["a".into()]));
    }

    #[test]
    fn what_was_left_behind_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("half"), "half").unwrap();
        let busy = StagingDir::open(folder.path()).unwrap();
        assert!(!left.exists());
        let other = StagingDir::open(folder.path()).unwrap();
        assert!(busy.directory.path().exists() && other.directory.path().exists());
        drop((busy, other));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn directories_that_are_created_at_once_do_not_remove_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let videos = folder.path();
        let work = |worker: usize| {
            for round in 0..30 {
                let staging = StagingDir::open(videos).unwrap();
                let name = format!("{worker}-{round}");
                fs::write(staging.path_of(&name), &name).unwrap();
                staging.finish(&[name]).unwrap();
            }
        };
        thread::scope(|scope| (0..8).for_each(|worker| drop(scope.spawn(move || work(worker)))));
        let made = names(videos);
        assert_eq!(made.len(), 240, "{made:?}");
        assert!(made.iter().all(|name| fs::read_to_string(videos.join(name)).unwrap() == *name));
    }
}
