//! Files and folders that only their owner can open: on Unix by their modes. On Windows nothing has to be set, because what
//! lies in a user's data folder inherits that only this user may open it.

pub(super) use self::system::{
    close_file, close_folder, close_folder_to_writers, is_open_to_others, make_folder, open_lock, sync_folder,
};

#[cfg(unix)]
mod system {
    use std::{
        fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
        io,
        os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        path::Path,
    };

    /// Makes the folder, and those above it that are missing.
    pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    /// Takes from other users that they can write to the folder.
    pub(crate) fn close_folder_to_writers(folder: &Path) -> io::Result<()> {
        let mode = fs::metadata(folder)?.mode();
        if mode & 0o022 != 0 {
            fs::set_permissions(folder, Permissions::from_mode(mode & 0o7755))?;
        }
        Ok(())
    }

    /// Takes the folder from other users.
    pub(crate) fn close_folder(folder: &Path) -> io::Result<()> {
        fs::set_permissions(folder, Permissions::from_mode(0o700))
    }

    /// Whether other users can read or write it.
    pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
        metadata.mode() & 0o077 != 0
    }

    /// Takes the file from other users.
    pub(crate) fn close_file(file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(0o600))
    }

    /// Opens a file to be locked, and makes it if it is missing.
    pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Makes sure that names which were given to files in the folder are on the disk.
    pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    use std::{
        fs::{self, File, Metadata, OpenOptions},
        io,
        path::Path,
    };

    pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    pub(crate) fn close_folder_to_writers(_folder: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn close_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_open_to_others(_metadata: &Metadata) -> bool {
        false
    }

    pub(crate) fn close_file(_file: &File) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).open(path)
    }

    /// Folders cannot be opened as files there, and the file system keeps names in its journal.
    pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }
}
