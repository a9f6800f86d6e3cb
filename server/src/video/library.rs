//! The video folder as plain data: which files belong together, and which cannot be offered and why.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use common::{
    crypto::sha256,
    limits::{MAX_LIBRARY_ENTRIES, MAX_PICTURE_SIDE},
    media::{self, SkippedFile, VariantInfo, VideoId, VideoInfo},
    splice::{FrameIndex, Plan},
};

use super::probe::{Probed, probe};

/// More would only wait for the disk.
const MAX_PROBES_AT_ONCE: usize = 4;

/// Everything that can be watched. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Library {
    shelf: Arc<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    videos: BTreeMap<VideoId, Arc<Video>>,
    skipped: Vec<SkippedFile>,
}

/// Why there is no library: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder, and what the system says about it.
    #[error("the video folder {0:?} cannot be read: {1}; make it, or name another with --videos")]
    Unreadable(PathBuf, io::Error),
}

/// One title in all its resolutions.
pub struct Video {
    /// What viewers are told.
    pub info: VideoInfo,
    /// Frame times of each variant, in the order of `info.variants`.
    pub(super) indices: Vec<FrameIndex>,
    /// The file of each variant, in the same order.
    pub(super) sources: Vec<Source>,
    /// Where the sound comes from; none when no file has any.
    pub(super) sound: Option<SoundTrack>,
}

/// The sound of a video: that of one file, for all of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "the probe will find it")]
pub(super) struct SoundTrack {
    /// Index of the file in `Video::sources`.
    pub(super) source: usize,
    /// Name of the decoder element.
    pub(super) decoder: String,
}

/// The file of one variant.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file_name: String,
    pub(super) probed: Probed,
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Video").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Library {
    /// Reads every video in the folder. Blocks for as long as the disk takes; [`super::init`] must have succeeded.
    pub fn scan(folder: &Path) -> Result<Self, LibraryError> {
        let entries = fs::read_dir(folder).map_err(|error| LibraryError::Unreadable(folder.to_owned(), error))?;
        let (shown, mut skipped) = sort_out(entries);
        let mut videos: BTreeMap<String, Vec<(u32, Source)>> = BTreeMap::new();
        for (slot, outcome) in probe_all(shown) {
            skipped.extend(outcome.skipped);
            if let Some(source) = outcome.kept {
                videos.entry(slot.title).or_default().push((slot.height, source));
            }
        }
        let videos = videos.into_iter().map(|(title, variants)| Video::new(title, variants));
        let videos = videos.map(|video| (video.info.id, Arc::new(video))).collect();
        skipped.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        let unnamed = skipped.len().saturating_sub(MAX_LIBRARY_ENTRIES);
        if unnamed > 0 {
            skipped.truncate(MAX_LIBRARY_ENTRIES - 1);
            let reason = format!("skipped and not named, because there are more than {MAX_LIBRARY_ENTRIES}");
            skipped.push(SkippedFile { file_name: format!("{} further files", unnamed + 1), reason });
        }
        Ok(Self { shelf: Arc::new(Shelf { videos, skipped }) })
    }

    /// What clients are told: videos by title, skipped files with the reason.
    pub fn listing(&self) -> media::Library {
        let mut videos: Vec<_> = self.shelf.videos.values().map(|video| video.info.clone()).collect();
        videos.sort_by(|a, b| a.title.cmp(&b.title));
        media::Library { videos, skipped: self.shelf.skipped.clone() }
    }

    /// The video with this id.
    pub fn video(&self, id: VideoId) -> Option<Arc<Video>> {
        self.shelf.videos.get(&id).cloned()
    }
}

impl Video {
    fn new(title: String, mut files: Vec<(u32, Source)>) -> Self {
        files.sort_by_key(|(height, _)| *height);
        let variants = files.iter().map(|(height, source)| variant_info(*height, &source.probed)).collect();
        let indices: Vec<_> = files.iter().map(|(_, source)| source.probed.index.clone()).collect();
        let duration_nanos = Plan::triptych(&indices).duration_nanos();
        let info = VideoInfo { id: id_of(&title), fingerprint: 0, title, duration_nanos, has_sound: false, variants };
        Self { info, indices, sources: files.into_iter().map(|(_, source)| source).collect(), sound: None }
    }
}

fn variant_info(height: u32, probed: &Probed) -> VariantInfo {
    VariantInfo {
        height,
        picture_width: probed.picture_width,
        picture_height: probed.picture_height,
        frame_count: u32::try_from(probed.index.len()).expect("the probe refuses files with that many frames"),
    }
}

/// The same title has the same id after a restart, and the id says nothing about where the files lie.
fn id_of(title: &str) -> VideoId {
    let digest = sha256(title.as_bytes());
    VideoId(u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes")))
}

/// Which variant of which video a file is, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    title: String,
    height: u32,
}

impl Slot {
    /// Reads `TITLE_HEIGHTp.EXT`.
    fn parse(file_name: &str) -> Option<Self> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        let (title, height) = stem.strip_suffix('p')?.rsplit_once('_')?;
        let is_plain = !height.is_empty() && height.len() <= 4 && height.bytes().all(|byte| byte.is_ascii_digit());
        let height = height.parse().ok().filter(|height| is_plain && (1..=MAX_PICTURE_SIDE).contains(height))?;
        let is_title = !title.trim().is_empty() && !title.contains(char::is_control) && !extension.is_empty();
        is_title.then(|| Self { title: title.to_owned(), height })
    }
}

fn skip(file_name: impl Into<String>, reason: impl Into<String>) -> SkippedFile {
    SkippedFile { file_name: file_name.into(), reason: reason.into() }
}

/// The candidates for each slot by name, and everything else with what is wrong with it.
fn sort_out(entries: fs::ReadDir) -> (BTreeMap<Slot, Vec<PathBuf>>, Vec<SkippedFile>) {
    let (mut candidates, mut skipped) = (BTreeMap::<Slot, Vec<PathBuf>>::new(), Vec::new());
    let mut accepted = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let shown_name = name.to_string_lossy();
        if shown_name.starts_with('.') || shown_name == "README.md" {
            continue;
        }
        let kind = entry.file_type();
        let reason = match (name.to_str().and_then(Slot::parse), &kind) {
            (_, Err(error)) => format!("cannot be read: {error}"),
            (_, Ok(kind)) if kind.is_symlink() => {
                "a link; only files that lie in the folder themselves are offered".into()
            }
            (_, Ok(kind)) if kind.is_dir() => "a folder; only files are offered".into(),
            (_, Ok(kind)) if !kind.is_file() => "not a regular file".into(),
            (None, _) => "not named like TITLE_HEIGHTp.EXT, for example Holiday_720p.mp4".into(),
            (Some(_), _) if accepted == MAX_LIBRARY_ENTRIES => {
                format!("more than {MAX_LIBRARY_ENTRIES} video files in one folder")
            }
            (Some(slot), _) => {
                accepted += 1;
                candidates.entry(slot).or_default().push(entry.path());
                continue;
            }
        };
        // Names beyond the bound are counted by the caller; a folder of millions is not kept in memory twice.
        skipped.push(skip(shown_name.replace(char::is_control, "\u{fffd}"), reason));
    }
    candidates.values_mut().for_each(|paths| paths.sort());
    (candidates, skipped)
}

#[derive(Debug, Default)]
struct Outcome {
    kept: Option<Source>,
    skipped: Vec<SkippedFile>,
}

/// Probes all candidates on a few threads.
fn probe_all(candidates: BTreeMap<Slot, Vec<PathBuf>>) -> Vec<(Slot, Outcome)> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MAX_PROBES_AT_ONCE);
    let (jobs, done) = (Mutex::new(candidates.into_iter()), Mutex::new(Vec::new()));
    let work = || {
        // Not `while let`: the lock would be held while the file is read.
        loop {
            let Some((slot, paths)) = jobs.lock().expect("no holder of this lock panics").next() else { break };
            let outcome = fill(&slot, paths);
            done.lock().expect("no holder of this lock panics").push((slot, outcome));
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

/// Takes the first candidate that can be played.
fn fill(slot: &Slot, paths: Vec<PathBuf>) -> Outcome {
    let mut outcome = Outcome::default();
    for path in paths {
        let file_name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if let Some(kept) = &outcome.kept {
            let reason = format!("there is {:?} already for {}p of {:?}", kept.file_name, slot.height, slot.title);
            outcome.skipped.push(skip(file_name, reason));
            continue;
        }
        match probe(&path) {
            Ok(probed) => {
                tracing::debug!("{file_name:?}: {} frames, {}", probed.index.len(), probed.decoder);
                outcome.kept = Some(Source { path, file_name, probed });
            }
            Err(flaw) => outcome.skipped.push(skip(file_name, flaw.to_string())),
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_title_and_height() {
        let slot = |title: &str, height| Some(Slot { title: title.into(), height });
        assert_eq!(Slot::parse("Holiday_720p.mp4"), slot("Holiday", 720));
        assert_eq!(Slot::parse("a_b_c_1440p.webm"), slot("a_b_c", 1440));
        assert_eq!(
            Slot::parse("Ünïcode “quoted” 'тест' 日本 v1.2_240p.mkv"),
            slot("Ünïcode “quoted” 'тест' 日本 v1.2", 240)
        );
    }

    #[test]
    fn other_names_are_strangers() {
        for name in [
            "Holiday.mp4",
            "Holiday_720.mp4",
            "Holiday_p.mp4",
            "Holiday_0p.mp4",
            "Holiday_+72p.mp4",
            "_720p.mp4",
            " _720p.mp4",
            "Holiday_720p",
            "Holiday_720p.",
            "Holiday_99999p.mp4",
            "Holiday_9000p.mp4",
            "Two\nlines_720p.mp4",
        ] {
            assert_eq!(Slot::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn ids_stay_the_same_for_ever() {
        assert_eq!(id_of("Triptych sample"), id_of("Triptych sample"));
        assert_ne!(id_of("Triptych sample"), id_of("Triptych sample "));
    }
}
