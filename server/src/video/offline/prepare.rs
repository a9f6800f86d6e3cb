//! The commands `prepare` and `import --ready`: makes the frames of videos as a server would, and keeps them on disk.
//!
//! ```text
//! store without a disk tier ─► frames of one pack ─► disk tier
//! ```
//!
//! It runs beside a server that uses the same folder: each pack is whole when it gets its name, and the server finds it. What
//! is there already is skipped, so that an interrupted run continues where it was.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use common::media::SoundFormat;
use tokio::{runtime, task::JoinSet, time::sleep};

use crate::video::{
    disk::{DiskError, DiskSettings, DiskTier},
    gst::elements::{self, SetupError},
    library::{LibraryError, Video, scan_titles},
    process::ProcessPool,
    store::{Fetched, Store, TrackKey, TrackOpener, TrackPacks, picture_packs, sound_formats, sound_packs},
};

/// Memory for frames that are made ahead of those that are written.
const CACHE_BYTES: u64 = 128 << 20;

/// Frames made ahead of those that are written, so that no decoder waits for the disk.
const FRAMES_AHEAD: usize = 64;

/// How often the caller is told how far it is, and asked whether to go on.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Why nothing was prepared, or not everything: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// GStreamer does not start, or elements are missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The video folder cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The folder for frames cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No video has this title; those that there are.
    #[error("{0:?} is not a video in {1:?}, which has {2}")]
    UnknownTitle(String, PathBuf, String),
    /// There is no video to prepare.
    #[error("{0:?} has no videos; import one first")]
    NoVideos(PathBuf),
    /// The frames cannot be written.
    #[error("stopped: {0}; the videos that are not complete are decoded as before")]
    Write(String),
    /// A frame cannot be made.
    #[error("{0:?} cannot be prepared completely: {1}; the rest of it is kept")]
    Frame(String, String),
    /// The command was cancelled.
    #[error("cancelled; what was written so far is kept, and the next run continues there")]
    Interrupted,
    /// The system provides no threads.
    #[error("the system provides no threads: {0}")]
    Threads(io::Error),
}

/// Videos whose frames are to be kept on disk.
pub struct Preparation {
    videos: Vec<Arc<Video>>,
    formats: &'static [SoundFormat],
    disk: Arc<DiskTier>,
    processes: ProcessPool,
}

/// A track of a video, and its packs.
struct Track {
    title: String,
    key: TrackKey,
    opener: Arc<dyn TrackOpener>,
    packs: TrackPacks,
}

/// What the tracks that are being prepared share.
struct Progress {
    store: Store,
    begun: SystemTime,
    frames_done: AtomicU64,
}

impl Preparation {
    /// Reads the videos with these titles; `None` takes all in the folder. Blocks for as long as that takes.
    ///
    /// # Errors
    /// Every [`PrepareError`] but `Write`, `Frame` and `Interrupted`.
    pub fn open(
        folder: &Path,
        titles: Option<&[String]>,
        disk: &DiskSettings,
        processes: &ProcessPool,
    ) -> Result<Self, PrepareError> {
        elements::start()?;
        let mut present = BTreeSet::new();
        let wanted: BTreeSet<_> = titles.into_iter().flatten().map(String::as_str).collect();
        let is_wanted = |title: &str| {
            present.insert(title.to_owned());
            titles.is_none() || wanted.contains(title)
        };
        let catalog = scan_titles(folder, is_wanted, processes)?;
        let mut videos: Vec<_> = catalog.videos.into_values().collect();
        videos.sort_by(|a, b| a.info.title.cmp(&b.info.title));
        let is_found = |title: &&str| videos.iter().any(|video| video.info.title == *title);
        if let Some(unknown) = wanted.iter().find(|title| !is_found(title)) {
            let listed: Vec<_> = present.iter().map(|title| format!("{title:?}")).collect();
            let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
            return Err(PrepareError::UnknownTitle((*unknown).to_owned(), folder.to_owned(), listed));
        }
        if videos.is_empty() {
            return Err(PrepareError::NoVideos(folder.to_owned()));
        }
        processes.allow(videos.iter().map(paths).collect());
        let disk = Arc::new(DiskTier::open(disk)?);
        Ok(Self { videos, formats: sound_formats(), disk, processes: processes.clone() })
    }

    /// The titles of the videos.
    pub fn titles(&self) -> Vec<String> {
        self.videos.iter().map(|video| video.info.title.clone()).collect()
    }

    /// Frames of pictures and chunks of sound that are on disk already, and all of them.
    pub fn frames_done_and_all(&self) -> (u64, u64) {
        let tracks = self.videos.iter().flat_map(|video| packs_of(&self.disk, video, self.formats));
        let count = |packs: TrackPacks| (packs.held_count() as u64, packs.share().len() as u64);
        tracks.map(count).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// Bytes of all frames on disk, also of other videos, and how many they may be.
    pub fn bytes_and_limit(&self) -> (u64, u64) {
        self.disk.bytes_and_limit()
    }

    /// Makes and writes what is not there yet. Blocks until then. Several times in a second, `progress` receives the number of
    /// frames that were made so far, and `is_wanted` is called; when it returns `false`, the command is cancelled.
    ///
    /// # Errors
    /// `Write`, `Frame` (after all other videos were prepared), `Threads` or `Interrupted`.
    pub fn run(&self, progress: impl FnMut(u64), is_wanted: impl Fn() -> bool) -> Result<(), PrepareError> {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(PrepareError::Threads)?;
        // By reference: what it holds may not be dropped inside the runtime.
        runtime.block_on(self.prepare(progress, &is_wanted))
    }

    async fn prepare(&self, mut report: impl FnMut(u64), is_wanted: impl Fn() -> bool) -> Result<(), PrepareError> {
        // No disk tier of its own: what is there is skipped, not read.
        let store = Store::with_processes(CACHE_BYTES, usize::MAX, self.processes.clone(), None);
        let progress = Arc::new(Progress { store, begun: SystemTime::now(), frames_done: AtomicU64::new(0) });
        let mut failure = None;
        for video in &self.videos {
            // All tracks of a video at a time, because one decoder does not use all cores.
            let mut running = JoinSet::new();
            for track in tracks_of(&progress.store, &self.disk, video, self.formats) {
                running.spawn(prepare_track(track, progress.clone()));
            }
            loop {
                tokio::select! {
                    prepared = running.join_next() => match prepared {
                        None => break,
                        Some(Ok(Ok(()))) => {}
                        Some(Ok(Err(error @ PrepareError::Frame(..)))) => failure = failure.or(Some(error)),
                        Some(Ok(Err(error))) => return Err(error),
                        Some(Err(error)) => return Err(PrepareError::Threads(error.into())),
                    },
                    () = sleep(LOOK_INTERVAL) => {}
                }
                report(progress.frames_done.load(Relaxed));
                if !is_wanted() {
                    return Err(PrepareError::Interrupted);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

async fn prepare_track(track: Track, progress: Arc<Progress>) -> Result<(), PrepareError> {
    let Track { title, key, opener, packs } = track;
    let share = packs.share();
    let cursor = progress.store.cursor(key, || opener).ending_before(share.end);
    let mut next = share.start;
    while next < share.end {
        let frames = packs.pack_of(next);
        next = frames.end;
        if packs.covers(frames.clone()) {
            continue;
        }
        cursor.want(frames.start..(frames.start + FRAMES_AHEAD).min(share.end));
        let (first, mut made) = (frames.start, Vec::with_capacity(frames.len()));
        for frame in frames {
            let failed = |cause| PrepareError::Frame(title.clone(), format!("frame {frame}: {cause}"));
            let Fetched { bytes, is_substitute, .. } = cursor.get(frame).await.map_err(failed)?;
            if is_substitute {
                return Err(PrepareError::Frame(title, "its sound cannot be decoded".to_owned()));
            }
            made.push(bytes);
            progress.frames_done.fetch_add(1, Relaxed);
        }
        // Blocks the other tracks for the milliseconds that it takes; their decoders go on.
        let written = packs.write_now(first, &made, progress.begun);
        written.map_err(|error| PrepareError::Write(error.to_string()))?;
    }
    Ok(())
}

/// All tracks of a triptych, and its sound in each of these formats.
fn tracks_of(store: &Store, disk: &Arc<DiskTier>, video: &Video, formats: &[SoundFormat]) -> Vec<Track> {
    let title = || video.info.title.clone();
    let pictures = (0..video.files.len()).map(|variant| {
        let opener = store.pictures_of(video, variant);
        let packs = picture_packs(disk, video, variant);
        Track { title: title(), key: opener.key(), opener: Arc::new(opener), packs }
    });
    let sound = formats.iter().filter_map(|&format| {
        let (opener, packs) = (store.sound_of(video, format)?, sound_packs(disk, video, format)?);
        Some(Track { title: title(), key: opener.key(), opener: Arc::new(opener), packs })
    });
    pictures.chain(sound).collect()
}

fn packs_of(disk: &Arc<DiskTier>, video: &Video, formats: &[SoundFormat]) -> Vec<TrackPacks> {
    let pictures = (0..video.files.len()).map(|variant| picture_packs(disk, video, variant));
    pictures.chain(formats.iter().filter_map(|&format| sound_packs(disk, video, format))).collect()
}

fn paths(video: &Arc<Video>) -> Vec<PathBuf> {
    video.files.iter().filter_map(|file| std::path::absolute(&file.path).ok()).collect()
}
