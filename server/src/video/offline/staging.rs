//! Where files are made before they get their names: a folder inside the video folder whose name begins with a dot, so
//! that nobody sees it, and renaming is all that is left when everything is complete.
//!
//! A workshop is locked while somebody works in it. One that is not was left behind by a program that was killed, and
//! whoever works in the same video folder next clears it away.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const PREFIX: &str = ".triptych-making-";
const LOCK: &str = "lock";

/// A folder for unfinished files. Goes with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct StagingDir {
    path: PathBuf,
    videos: PathBuf,
    /// Held until the end.
    _lock: fs::File,
}

impl StagingDir {
    /// Makes one in the video folder, which is made too when it does not exist, and clears away abandoned ones.
    pub(crate) fn open(videos: &Path) -> io::Result<Self> {
        fs::create_dir_all(videos)?;
        clear_abandoned(videos);
        let path = (0..u32::MAX)
            .map(|number| videos.join(format!("{PREFIX}{}-{number}", std::process::id())))
            .find(|path| !path.exists())
            .expect("some number is free");
        fs::create_dir(&path)?;
        let lock = fs::File::create(path.join(LOCK))?;
        // Where files cannot be locked, nothing is taken for abandoned either.
        let _ = lock.try_lock();
        Ok(Self { path, videos: videos.to_owned(), _lock: lock })
    }

    /// Where a file is made that will get this name.
    pub(crate) fn place(&self, file_name: &str) -> PathBuf {
        self.path.join(file_name)
    }

    /// Gives files that were made here their names, in place of any that had them, and returns where they are.
    pub(crate) fn finish(self, file_names: &[String]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        // On the disk before under its name: else a power failure may leave a name with nothing behind it.
        for file_name in file_names {
            let path = self.place(file_name);
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|error| (path, error))?;
        }
        let finish = |file_name: &String| {
            let path = self.videos.join(file_name);
            match fs::rename(self.place(file_name), &path) {
                Ok(()) => Ok(path),
                Err(error) => Err((path, error)),
            }
        };
        file_names.iter().map(finish).collect()
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("{:?} is left behind: {error}", self.path);
        }
    }
}

fn clear_abandoned(videos: &Path) {
    for entry in fs::read_dir(videos).into_iter().flatten().flatten() {
        let is_workshop = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_workshop && is_abandoned(&entry.path()) {
            tracing::info!("clearing away what an interrupted run left in {:?}", entry.path());
            // What stays is in nobody's way, and is tried again next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(workshop: &Path) -> bool {
    match fs::File::open(workshop.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        // Killed between making the folder and the lock.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn files_get_their_names_at_the_end_and_the_workshop_goes() {
        let folder = tempfile::tempdir().unwrap();
        let workshop = StagingDir::open(folder.path()).unwrap();
        fs::write(workshop.place("a"), "new").unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        assert!(names(folder.path()).iter().all(|name| name == "a" || name.starts_with('.')));
        let paths = workshop.finish(&["a".to_owned()]).unwrap();
        assert_eq!((fs::read_to_string(&paths[0]).unwrap().as_str(), names(folder.path())), ("new", vec!["a".into()]));
    }

    #[test]
    fn what_was_left_behind_is_cleared_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("half"), "half").unwrap();
        let busy = StagingDir::open(folder.path()).unwrap();
        assert!(!left.exists());
        let other = StagingDir::open(folder.path()).unwrap();
        assert!(busy.path.exists() && other.path.exists());
        drop((busy, other));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
