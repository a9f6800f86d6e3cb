//! The folder of the disk tier: made, marked, and cleared of what killed programs and older versions left behind.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::pack::{PackName, TrackKind};
use crate::private_files::create_folder;

/// What marks a folder that can be made anew at any time, so that backup programs leave it out (Cache Directory Tagging
/// Specification, bford.info/cachedir).
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55
# Frames of videos, kept by triptych-server. They are made again when they are missing.
";

const TAG_NAME: &str = "CACHEDIR.TAG";
const LOCK_NAME: &str = "lock";

/// Names of files that are being written begin and end so.
const UNFINISHED_PREFIX: &str = ".unfinished-";
const UNFINISHED_SUFFIX: &str = ".tmp";

/// A folder that may hold packs. While it is open it is locked together with all others that have it open.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: Option<File>,
}

/// A pack as it was found.
pub(super) struct Found {
    pub(super) pack: PackName,
    pub(super) bytes: u64,
    /// When it was written or used last.
    pub(super) modified_millis: u64,
}

impl Folder {
    /// Creates and marks the folder. Who is alone in it removes unfinished files, and packs that `is_current` takes for those
    /// of another version.
    ///
    /// # Errors
    /// When it cannot be created or written to.
    pub(super) fn open(path: &Path, is_current: impl Fn(&PackName) -> bool) -> io::Result<Self> {
        create_folder(path)?;
        let tag = path.join(TAG_NAME);
        if !tag.exists() {
            fs::write(tag, TAG)?;
        }
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK_NAME))?;
        let folder = |lock| Self { path: path.to_owned(), _lock: lock };
        let locked = match lock.try_lock() {
            Ok(()) => {
                folder(None).remove_left_behind(is_current);
                lock.unlock().and_then(|()| lock.lock_shared())
            }
            // It is held for as long as the other one removes what was left behind.
            Err(TryLockError::WouldBlock) => lock.lock_shared(),
            Err(TryLockError::Error(error)) => Err(error),
        };
        match locked {
            Ok(()) => Ok(folder(Some(lock))),
            // Some network file systems cannot lock. Nothing is removed there but by size.
            Err(error) => {
                tracing::debug!("{path:?} cannot be locked: {error}");
                Ok(folder(None))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a pack is.
    pub(super) fn path_of(&self, pack: &PackName) -> PathBuf {
        self.folder_of(pack.track.file).join(pack.file_name())
    }

    fn folder_of(&self, file: u64) -> PathBuf {
        self.path.join(format!("{file:016x}"))
    }

    /// Writes a pack: beside its place, then under its name. It need not reach the disk before that, because a pack that a
    /// power failure tore is known by its checksums.
    pub(super) fn write(&self, pack: &PackName, parts: &[&[u8]]) -> io::Result<()> {
        let folder = self.folder_of(pack.track.file);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        // Made with mode 0600, and removed if anything fails.
        let mut file =
            tempfile::Builder::new().prefix(UNFINISHED_PREFIX).suffix(UNFINISHED_SUFFIX).tempfile_in(&folder)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.persist(folder.join(pack.file_name()))?;
        Ok(())
    }

    /// The folders of source files, by fingerprint, and when something in them came or went last.
    pub(super) fn files(&self) -> io::Result<Vec<(u64, SystemTime)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(file) = entry.file_name().to_str().and_then(fingerprint) else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                files.push((file, metadata.modified()?));
            }
        }
        Ok(files)
    }

    /// The packs of a source file. Those that `is_known` are only named, without being looked at again.
    pub(super) fn packs_of(&self, file: u64, is_known: impl Fn(&PackName) -> bool) -> io::Result<Vec<Found>> {
        let mut packs = Vec::new();
        for entry in fs::read_dir(self.folder_of(file))? {
            let entry = entry?;
            let Some(pack) = entry.file_name().to_str().and_then(|name| PackName::parse(file, name)) else { continue };
            let mut found = Found { pack, bytes: 0, modified_millis: 0 };
            if !is_known(&pack) {
                // It may be gone already.
                let Ok(metadata) = entry.metadata() else { continue };
                if !metadata.is_file() {
                    continue;
                }
                found.bytes = metadata.len();
                found.modified_millis = metadata.modified().map_or(0, millis);
            }
            packs.push(found);
        }
        Ok(packs)
    }

    fn remove_left_behind(&self, is_current: impl Fn(&PackName) -> bool) {
        for (file, _) in self.files().unwrap_or_default() {
            let folder = self.folder_of(file);
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let is_unfinished = name.starts_with(UNFINISHED_PREFIX) && name.ends_with(UNFINISHED_SUFFIX);
                let is_outdated =
                    PackName::is_any_pack(name) && !PackName::parse(file, name).is_some_and(|pack| is_current(&pack));
                if is_unfinished || is_outdated {
                    remove(&entry.path());
                }
            }
            #[expect(clippy::let_underscore_must_use, reason = "a folder that is not empty is to stay")]
            let _ = fs::remove_dir(&folder);
        }
    }
}

/// Removes a file, if it can be removed.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!("{path:?} cannot be removed: {error}");
    }
}

/// Milliseconds since 1970, as the [index](super::index) counts them.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn fingerprint(name: &str) -> Option<u64> {
    let file = u64::from_str_radix(name, 16).ok()?;
    (format!("{file:016x}") == name).then_some(file)
}

/// Version of how sound is coded: rate, channels, and the settings of the Opus encoder.
pub(super) const SOUND_CODING: u32 = 1;

/// Whether packs of this coding are those that this program writes.
pub(super) fn is_current(pack: &PackName, picture_coding: u32) -> bool {
    let coding = match pack.track.kind {
        TrackKind::Pictures => picture_coding,
        TrackKind::Sound | TrackKind::OpusSound => SOUND_CODING,
    };
    pack.track.coding == coding
}
