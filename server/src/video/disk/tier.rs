//! The disk tier: reads, writes and removes packs, and keeps the [index](super::index) of them.

use std::{
    collections::HashMap,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use tracing::{debug, info, warn};

use super::{
    folder::{Folder, SOUND_CODING, is_current, millis, remove},
    index::{Index, NoRoom},
    pack::{FrameEntry, PackName, TrackKind, TrackName},
};
use crate::video::gst::picture_decoder::PICTURE_CODING;

const GIB: u64 = 1 << 30;

/// What the packs may take if nothing else is set: this, or a tenth of what is free, whichever is less.
const DEFAULT_LIMIT_BYTES: u64 = 20 * GIB;

/// What stays free on the disk in any case.
const KEEP_FREE_BYTES: u64 = 5 * GIB;

/// How long nothing is written after a failure.
const RETRY_TIME: Duration = Duration::from_secs(60);

/// A folder that changed less than this long ago may change again without its time telling so.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Where packs are kept, and how many.
#[derive(Debug, Clone)]
pub struct DiskSettings {
    /// The folder, which is created if it is not there.
    pub folder: PathBuf,
    /// Bytes of all packs together. `None`: 20 GiB or a tenth of what is free, whichever is less.
    pub limit_bytes: Option<u64>,
    /// Nothing is written if less than this would be free on the disk then, in bytes.
    pub keep_free_bytes: u64,
}

/// Why there is no disk tier: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The folder cannot be created or read.
    #[error(
        "the folder {0:?} for frames on disk cannot be used: {1}; choose another one with --disk-cache-dir, or none with \
         --disk-cache-gib 0"
    )]
    Folder(PathBuf, io::Error),
}

/// Why a pack was not written: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the limit of {limit} is reached; raise it with --disk-cache-gib", limit = gib(*.0))]
    Limit(u64),
    #[error("less than {free} would be free on the disk of {0:?}; free some space there, or choose another folder with --disk-cache-dir", free = gib(*.1))]
    DiskFull(PathBuf, u64),
    #[error("{0:?} cannot be written: {1}; free some space there, or choose another folder with --disk-cache-dir")]
    File(PathBuf, io::Error),
}

/// Why a pack was not read. Its frames can be made by a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The index knows by now that there is no such pack.
    Missing,
    /// The system failed to read it, and may be able to do so later.
    Failed,
}

/// The packs in a folder. Servers and commands may share one: each finds what the others write.
#[derive(Debug)]
pub(crate) struct DiskTier {
    folder: Folder,
    keep_free_bytes: u64,
    index: Mutex<Index>,
    /// The folders of source files, and when each had changed last before it was listed. `None`: look again.
    listed: Mutex<HashMap<u64, Option<SystemTime>>>,
    /// Since when writing fails.
    failed_at: Mutex<Option<Instant>>,
    has_told_of_damage: AtomicBool,
    has_told_of_delay: AtomicBool,
}

impl DiskSettings {
    /// The default limit in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, limit_bytes: None, keep_free_bytes: KEEP_FREE_BYTES }
    }
}

impl TrackName {
    /// The pictures of a file, as this program encodes them.
    pub(crate) fn pictures(file: u64, frame_count: usize) -> Self {
        Self::new(file, TrackKind::Pictures, PICTURE_CODING, frame_count)
    }

    /// The sound of a file; `kind` is one of those of sound.
    pub(crate) fn sound(file: u64, kind: TrackKind, chunk_count: usize) -> Self {
        Self::new(file, kind, SOUND_CODING, chunk_count)
    }

    fn new(file: u64, kind: TrackKind, coding: u32, frame_count: usize) -> Self {
        Self { file, kind, coding, frame_count: u32::try_from(frame_count).unwrap_or(u32::MAX) }
    }
}

impl DiskTier {
    /// Opens the folder, and finds out what is in it. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When the folder cannot be created or read.
    pub(crate) fn open(settings: &DiskSettings) -> Result<Self, DiskError> {
        let refused = |error| DiskError::Folder(settings.folder.clone(), error);
        let folder = Folder::open(&settings.folder, |pack| is_current(pack, PICTURE_CODING)).map_err(refused)?;
        let tier = Self {
            folder,
            keep_free_bytes: settings.keep_free_bytes,
            index: Mutex::new(Index::new(settings.limit_bytes.unwrap_or(DEFAULT_LIMIT_BYTES))),
            listed: Mutex::default(),
            failed_at: Mutex::default(),
            has_told_of_damage: AtomicBool::new(false),
            has_told_of_delay: AtomicBool::new(false),
        };
        tier.refresh_listing().map_err(refused)?;
        if settings.limit_bytes.is_none() {
            let free_bytes = free_bytes(tier.folder.path()).map_err(refused)?;
            let mut index = tier.index();
            let tenth_bytes = (free_bytes + index.held_bytes()) / 10;
            index.set_limit_bytes(DEFAULT_LIMIT_BYTES.min(tenth_bytes));
        }
        tier.shrink();
        Ok(tier)
    }

    /// Where the packs are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bytes of all packs, and how many they may be.
    pub(crate) fn bytes_and_limit(&self) -> (u64, u64) {
        let index = self.index();
        (index.held_bytes(), index.limit_bytes())
    }

    /// A number that grows with each pack that comes or goes.
    pub(crate) fn change_count(&self) -> u64 {
        self.index().change_count()
    }

    /// A pack with this frame, and its size in bytes.
    pub(crate) fn find(&self, track: &TrackName, frame: usize) -> Option<(PackName, u64)> {
        self.index().find(track, frame)
    }

    /// Whether all these frames are in packs.
    pub(crate) fn covers(&self, track: &TrackName, frames: Range<usize>) -> bool {
        self.index().covers(track, frames)
    }

    /// Looks for packs that others wrote or removed, and removes some if the disk is short of space.
    pub(crate) fn refresh(&self) {
        if let Err(error) = self.refresh_listing() {
            debug!("{:?} cannot be listed: {error}", self.folder.path());
        }
        self.shrink();
    }

    /// Reads a pack and hands over its frames with their numbers: `wanted` alone and first, if it is given, then the rest.
    ///
    /// # Errors
    /// [`ReadError`]; what was handed over before is good even so.
    pub(crate) fn read(
        &self,
        pack: &PackName,
        wanted: Option<usize>,
        hand_over: &mut dyn FnMut(Vec<(usize, Bytes)>),
    ) -> Result<(), ReadError> {
        let is_renewed = self.index().touch(pack, millis(SystemTime::now()));
        let path = self.folder.path_of(pack);
        let file = File::open(&path).map_err(|error| self.unreadable(pack, &error))?;
        let entries = self.entries(pack, &file)?;
        let first = pack.first as usize;
        if let Some(frame) = wanted.filter(|frame| pack.frames().contains(frame)) {
            hand_over(vec![(frame, self.frame(pack, &file, &entries[frame - first])?)]);
        }
        // Those behind the wanted one come first, because they are wanted next.
        let begin = wanted.map_or(first, |frame| frame + 1);
        let rest = (begin..pack.frames().end).chain(first..begin).filter(|&frame| Some(frame) != wanted);
        let frames = rest.map(|frame| Ok((frame, self.frame(pack, &file, &entries[frame - first])?)));
        hand_over(frames.collect::<Result<_, _>>()?);
        if is_renewed && let Err(error) = file.set_modified(SystemTime::now()) {
            debug!("the time of {path:?} cannot be set: {error}");
        }
        Ok(())
    }

    fn entries(&self, pack: &PackName, file: &File) -> Result<Vec<FrameEntry>, ReadError> {
        let file_bytes = file.metadata().map_err(|error| self.unreadable(pack, &error))?.len();
        let mut header = vec![0; pack.header_bytes()];
        file.read_exact_at(&mut header, 0).map_err(|error| self.unreadable(pack, &error))?;
        pack.read_header(&header, file_bytes).ok_or_else(|| self.damaged(pack))
    }

    /// A buffer of its own for each frame: a frame that is held must not hold fifteen others.
    fn frame(&self, pack: &PackName, file: &File, entry: &FrameEntry) -> Result<Bytes, ReadError> {
        let mut frame = vec![0; entry.length as usize];
        file.read_exact_at(&mut frame, entry.offset).map_err(|error| self.unreadable(pack, &error))?;
        if crc32fast::hash(&frame) != entry.checksum {
            return Err(self.damaged(pack));
        }
        Ok(frame.into())
    }

    fn unreadable(&self, pack: &PackName, error: &io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::NotFound => {
                self.index().remove(pack);
                ReadError::Missing
            }
            io::ErrorKind::UnexpectedEof => self.damaged(pack),
            _ => {
                debug!("{:?} cannot be read: {error}", self.folder.path_of(pack));
                ReadError::Failed
            }
        }
    }

    fn damaged(&self, pack: &PackName) -> ReadError {
        let path = self.folder.path_of(pack);
        remove(&path);
        self.index().remove(pack);
        if self.has_told_of_damage.swap(true, Relaxed) {
            debug!("{path:?} was damaged and is removed");
        } else {
            warn!(
                "The file {path:?} with frames on disk was damaged and is removed; its frames are decoded again. Further ones \
                 are not reported: check the disk if this comes again."
            );
        }
        ReadError::Missing
    }

    /// Says once that reading takes so long that decoders make the frames.
    pub(crate) fn report_delay(&self) {
        if !self.has_told_of_delay.swap(true, Relaxed) {
            warn!(
                "Reading frames from {:?} takes long or fails; meanwhile they are decoded. Choose a faster disk with \
                 --disk-cache-dir if you notice that.",
                self.folder.path()
            );
        }
    }

    /// Writes a pack unless its frames are in packs already. Packs that were last used before `used_before` make room for it.
    ///
    /// # Errors
    /// [`WriteError`]; then nothing of it is left.
    pub(crate) fn write(
        &self,
        track: &TrackName,
        first: usize,
        frames: &[Bytes],
        used_before: Option<SystemTime>,
    ) -> Result<(), WriteError> {
        let (Ok(first), Ok(count)) = (u32::try_from(first), u32::try_from(frames.len())) else { return Ok(()) };
        let pack = PackName { track: *track, first, count };
        if self.covers(track, pack.frames()) {
            return Ok(());
        }
        let header = pack.header(frames);
        let bytes = header.len() as u64 + frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        let failed = |error| WriteError::File(self.folder.path_of(&pack), error);
        let free_bytes = free_bytes(self.folder.path()).map_err(failed)?;
        let missing_bytes = (self.keep_free_bytes.saturating_add(bytes)).saturating_sub(free_bytes);
        let evicted = self.index().evictions(bytes, missing_bytes, used_before.map_or(u64::MAX, millis));
        match evicted {
            Ok(packs) => packs.iter().for_each(|pack| self.evict(pack)),
            Err(NoRoom::Limit) => return Err(WriteError::Limit(self.index().limit_bytes())),
            Err(NoRoom::Disk) => {
                return Err(WriteError::DiskFull(self.folder.path().to_owned(), self.keep_free_bytes));
            }
        }
        let parts: Vec<&[u8]> =
            std::iter::once(header.as_slice()).chain(frames.iter().map(|frame| frame.as_ref())).collect();
        self.folder.write(&pack, &parts).map_err(failed)?;
        self.index().insert(pack, bytes, millis(SystemTime::now()));
        Ok(())
    }

    /// The same behind viewers: a failure is logged once, and nothing is written for the minute after it.
    pub(crate) fn write_behind(&self, track: &TrackName, first: usize, frames: &[Bytes], now: Instant) {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if failed_at.is_some_and(|failed_at| now.saturating_duration_since(failed_at) < RETRY_TIME) {
            return;
        }
        let written = self.write(track, first, frames, None);
        match (&written, failed_at) {
            (Ok(()), Some(_)) => info!("Frames are written to disk again."),
            (Err(error), None) => {
                warn!(
                    "No frames are written to disk until this is remedied, which is tried every minute: {error}. Frames that are \
                     there are used."
                );
            }
            (Err(error), Some(_)) => debug!("still no frames are written: {error}"),
            (Ok(()), None) => {}
        }
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = written.is_err().then_some(now);
    }

    /// Removes packs that exceed the limit, or that other programs need the space of.
    fn shrink(&self) {
        let free_bytes = free_bytes(self.folder.path()).unwrap_or(u64::MAX);
        let evicted = self.index().evictions(0, self.keep_free_bytes.saturating_sub(free_bytes), u64::MAX);
        evicted.iter().flatten().for_each(|pack| self.evict(pack));
    }

    fn evict(&self, pack: &PackName) {
        remove(&self.folder.path_of(pack));
        self.index().remove(pack);
    }

    fn refresh_listing(&self) -> io::Result<()> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the folder is listed: what this program itself writes meanwhile is not taken for gone.
        let mut gone = self.index().files();
        let files = self.folder.files()?;
        for (file, _) in &files {
            gone.remove(file);
        }
        for file in gone {
            listed.remove(&file);
            let packs = self.index().packs_of(file);
            packs.iter().for_each(|pack| self.index().remove(pack));
        }
        for (file, changed_at) in files {
            if listed.get(&file) == Some(&Some(changed_at)) {
                continue;
            }
            let is_settled = changed_at.elapsed().is_ok_and(|elapsed| elapsed >= SETTLED_AFTER);
            // In this order for the same reason.
            let known = self.index().packs_of(file);
            let Ok(found) = self.folder.packs_of(file, |pack| known.contains(pack)) else { continue };
            let mut gone = known.clone();
            for found in found {
                gone.remove(&found.pack);
                if !known.contains(&found.pack) && is_current(&found.pack, PICTURE_CODING) {
                    self.index().insert(found.pack, found.bytes, found.modified_millis);
                }
            }
            gone.iter().for_each(|pack| self.index().remove(pack));
            listed.insert(file, is_settled.then_some(changed_at));
        }
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Poisoning is ignored: at worst one pack is unaccounted for.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this user may still write on the disk of a folder.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}
