//! Files in the data folder: for their owner only, written whole or not at all, and changed by one client at a time.
//!
//! The functions here block; call them on a thread that may.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use super::owner_only;
pub(super) use super::owner_only::sync_folder;

/// Makes `folder` with mode 0700, and those above it that are missing. One that is there already keeps its mode, except
/// that other users may no longer write to it: they could replace the files in it.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    owner_only::make_folder(folder)?;
    owner_only::close_folder_to_writers(folder)
}

/// Replaces the file by one with this text and mode 0600. After a crash the file is the old or the new one, never a part
/// and never empty.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Temporary files are created with mode 0600.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes a file with this text and mode 0600. Fails with [`io::ErrorKind::AlreadyExists`] rather than replace one.
pub(super) fn create(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Reads the file, and takes it from other users if an older release let them read or write it; `None` when there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if owner_only::is_open_to_others(&metadata) && metadata.is_file() {
        owner_only::close_file(&file)?;
    }
    io::read_to_string(file).map(Some)
}

/// Waits until no other client changes the file, and keeps them from it until the result is dropped. The lock is on a file
/// of its own, because the file itself is replaced.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let lock = owner_only::open_lock(&path.with_extension("lock"))?;
    match lock.lock() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::debug!("{} is on a file system without locks", path.display());
        }
        locked => locked?,
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn folders_and_files_are_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data/triptych");
        create_folder(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&dir.path().join("data"))), (0o700, 0o700));
        let file = folder.join("pins.toml");
        replace(&file, "old").unwrap();
        assert_eq!(mode(&file), 0o600);
        drop(lock(&file).unwrap());
        assert_eq!(mode(&folder.join("pins.lock")), 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some("old"));
        assert_eq!(mode(&file), 0o600, "closed when it is read");
        assert_eq!(read(&folder.join("none")).unwrap(), None);
    }

    #[test]
    fn a_folder_of_the_person_keeps_its_mode_but_not_for_others_to_write_to() {
        let dir = tempfile::tempdir().unwrap();
        for (before, after) in [(0o755, 0o755), (0o777, 0o755), (0o770, 0o750), (0o700, 0o700)] {
            fs::set_permissions(dir.path(), Permissions::from_mode(before)).unwrap();
            create_folder(dir.path()).unwrap();
            assert_eq!(mode(dir.path()), after, "{before:o}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pins.toml");
        for text in ["a longer text that was there before", "new"] {
            replace(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no unfinished file is left");
    }
}
