//! Which videos the files of a folder make, from what is known of each file. Plain data: reads nothing, waits for nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use common::{
    crypto::sha256,
    media::{SkippedFile, VariantInfo, VideoId, VideoInfo},
    splice::{FrameIndex, Plan},
};

use super::folder::{FolderListing, Stamp, VariantFile};
use crate::video::gst::{pipeline::PipelineError, probe::Probed};

/// One title in all its resolutions.
pub struct Video {
    /// What viewers are told.
    pub info: VideoInfo,
    /// Frame times of each variant, in the order of `info.variants`.
    pub(crate) indices: Vec<FrameIndex>,
    /// The file of each variant, in the same order.
    pub(crate) sources: Vec<Arc<ProbedFile>>,
    /// Where the sound comes from; none when no file has any.
    pub(crate) sound: Option<SoundTrack>,
}

/// The sound of a video: that of one file, for all of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoundTrack {
    /// Index of the file in `Video::sources`.
    pub(crate) source: usize,
    /// Which of the file's tracks, see [`crate::video::gst::probe::Probed::track`].
    pub(crate) track: String,
    /// Name of the decoder element.
    pub(crate) decoder: String,
}

/// The file of one variant.
#[derive(Debug)]
pub(crate) struct ProbedFile {
    pub(crate) path: PathBuf,
    pub(crate) file_name: String,
    pub(crate) stamp: Stamp,
    /// Identifies this state of the file: equal for the same name, size and modification time, also after a restart.
    pub(crate) fingerprint: u64,
    pub(crate) probed: Probed,
}

impl ProbedFile {
    /// Describes the file at `path` as it was probed while it had this stamp.
    pub(crate) fn new(path: PathBuf, stamp: Stamp, probed: Probed) -> Self {
        let file_name = file_name(&path);
        let fingerprint = fingerprint_of_file(&file_name, &stamp);
        Self { path, file_name, stamp, fingerprint, probed }
    }

    /// Whether the file is still the one that was read: what is known of it holds for no other.
    pub(crate) fn check_same(&self) -> Result<(), PipelineError> {
        let is_same = |now: Stamp| (now.size_bytes, now.modified) == (self.stamp.size_bytes, self.stamp.modified);
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if is_same(Stamp::of(&metadata)) => Ok(()),
            Ok(_) => Err(PipelineError("it was replaced or changed".into())),
            Err(error) => Err(PipelineError(format!("it cannot be read any more: {error}"))),
        }
    }
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Video").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Video {
    fn new(title: String, mut files: Vec<(u32, Arc<ProbedFile>)>) -> Self {
        files.sort_by_key(|(height, _)| *height);
        let variants = files.iter().map(|(height, source)| variant_info(*height, &source.probed)).collect();
        let sources: Vec<_> = files.into_iter().map(|(_, source)| source).collect();
        let indices: Vec<_> = sources.iter().map(|source| source.probed.index.clone()).collect();
        let duration_nanos = Plan::triptych(&indices).duration_nanos();
        let sound = sound_of(&sources);
        let (id, fingerprint, has_sound) = (id_of(&title), fingerprint_of(&sources), sound.is_some());
        let info = VideoInfo { id, fingerprint, title, duration_nanos, has_sound, variants };
        Self { info, indices, sources, sound }
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

/// That of the largest picture, because whoever made the files spared least there.
fn sound_of(sources: &[Arc<ProbedFile>]) -> Option<SoundTrack> {
    let track = |(source, file): (usize, &Arc<ProbedFile>)| {
        let found = file.probed.sound.as_ref()?;
        Some(SoundTrack { source, track: found.track.clone(), decoder: found.decoder.clone() })
    };
    sources.iter().enumerate().rev().find_map(track)
}

/// The same title has the same id after a restart, and the id says nothing about where the files lie.
fn id_of(title: &str) -> VideoId {
    VideoId(first_eight(&sha256(title.as_bytes())))
}

/// Identifies the state of all files of a video: the same for the same files, also after a restart.
fn fingerprint_of(sources: &[Arc<ProbedFile>]) -> u64 {
    let fingerprints: Vec<u8> = sources.iter().flat_map(|source| source.fingerprint.to_be_bytes()).collect();
    first_eight(&sha256(&fingerprints))
}

fn fingerprint_of_file(file_name: &str, stamp: &Stamp) -> u64 {
    let age = stamp.modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    let mut text = file_name.as_bytes().to_vec();
    // No file name contains a zero byte, so it marks where the name ends.
    text.push(0);
    text.extend_from_slice(&stamp.size_bytes.to_be_bytes());
    text.extend_from_slice(&age.map_or(0, |age| age.as_nanos()).to_be_bytes());
    first_eight(&sha256(&text))
}

fn first_eight(digest: &[u8; 32]) -> u64 {
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

/// What reading a file brought: what it holds, or what is wrong with it in words for a person.
pub(crate) type ProbeOutcome = Result<Arc<ProbedFile>, String>;

/// What is known of the files in the folder.
#[derive(Debug, Default)]
pub(crate) struct ProbeRecords(HashMap<PathBuf, (Stamp, ProbeOutcome)>);

impl ProbeRecords {
    /// Keeps what was found in the file while it had this stamp. A file of which only the rights or the owner changed
    /// is read again, because it may be readable only now, but remains the same [`ProbedFile`].
    pub(crate) fn keep(&mut self, file: VariantFile, outcome: ProbeOutcome) {
        let outcome = match (self.0.remove(&file.path), outcome) {
            (Some((_, Ok(old))), Ok(new)) if (old.fingerprint, &old.probed) == (new.fingerprint, &new.probed) => {
                Ok(old)
            }
            (_, outcome) => outcome,
        };
        self.0.insert(file.path, (file.stamp, outcome));
    }

    /// Forgets files that are not there any more.
    pub(crate) fn forget_all_but(&mut self, listing: &FolderListing) {
        let present: HashSet<_> = listing.files.values().flatten().map(|file| &file.path).collect();
        self.0.retain(|path, _| present.contains(path));
    }

    /// Whether the file was read as it is now.
    pub(crate) fn knows(&self, file: &VariantFile) -> bool {
        matches!(self.of(file), Knowledge::Now(_))
    }

    fn of(&self, file: &VariantFile) -> Knowledge<'_> {
        match self.0.get(&file.path) {
            Some((stamp, outcome)) if *stamp == file.stamp => Knowledge::Now(outcome),
            Some((_, Ok(source))) => Knowledge::Before(source),
            Some((_, Err(_))) | None => Knowledge::Nothing,
        }
    }
}

enum Knowledge<'a> {
    Now(&'a ProbeOutcome),
    /// What lay there before it was replaced.
    Before(&'a Arc<ProbedFile>),
    Nothing,
}

/// Everything that can be watched at one moment, and what cannot.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) videos: BTreeMap<VideoId, Arc<Video>>,
    pub(crate) skipped: Vec<SkippedFile>,
}

impl Catalog {
    /// Puts together what is known, and names the files that are to be read. `is_growing` says which of those are
    /// being written to; one that is not, but was replaced, is offered as it was until it has been read again. Videos
    /// of which nothing changed are taken over from `old`.
    pub(crate) fn arrange(
        listing: &FolderListing,
        records: &ProbeRecords,
        old: &Catalog,
        is_growing: impl Fn(&Path) -> bool,
    ) -> (Self, Vec<VariantFile>) {
        let mut titles = BTreeMap::<&str, Vec<(u32, Arc<ProbedFile>)>>::new();
        let (mut skipped, mut unread) = (listing.skipped.clone(), Vec::new());
        for (slot, files) in &listing.files {
            let mut taken: Option<&Arc<ProbedFile>> = None;
            for file in files {
                let file_name = file_name(&file.path);
                if let Some(taken) = taken {
                    let reason =
                        format!("there is {:?} already for {}p of {:?}", taken.file_name, slot.height, slot.title);
                    skipped.add(&file_name, reason);
                    continue;
                }
                match records.of(file) {
                    Knowledge::Now(Ok(source)) => taken = Some(source),
                    Knowledge::Now(Err(reason)) => skipped.add(&file_name, reason.clone()),
                    known => {
                        unread.push(file.clone());
                        match known {
                            _ if is_growing(&file.path) => skipped.add(&file_name, "still being copied"),
                            Knowledge::Before(source) => taken = Some(source),
                            _ => {}
                        }
                        // The others wait until it is known whether they are needed.
                        break;
                    }
                }
            }
            if let Some(source) = taken {
                titles.entry(&slot.title).or_default().push((slot.height, source.clone()));
            }
        }
        let videos = titles.into_iter().map(|(title, files)| video(title, files, old));
        let videos = videos.map(|video| (video.info.id, video)).collect();
        (Self { videos, skipped: skipped.listing() }, unread)
    }

    /// What is different from `old`, one line for each video or file.
    pub(crate) fn changes_since(&self, old: &Catalog) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, video) in &self.videos {
            let title = video.info.title.clone();
            match old.videos.get(id) {
                None => changes.push(Change::Added(format!("{title:?} is offered{}", resolutions(video)))),
                Some(before) if before.info.fingerprint != video.info.fingerprint => {
                    changes.push(Change::Replaced(format!("{title:?} changed{}", resolutions(video))));
                }
                Some(_) => {}
            }
        }
        let gone = old.videos.iter().filter(|(id, _)| !self.videos.contains_key(id));
        changes
            .extend(gone.map(|(_, video)| Change::Removed(format!("{:?} is not offered any more", video.info.title))));
        let known: HashSet<_> = old.skipped.iter().map(|file| (&file.file_name, &file.reason)).collect();
        let fresh = self.skipped.iter().filter(|file| !known.contains(&(&file.file_name, &file.reason)));
        changes.extend(fresh.map(|file| Change::Skipped(format!("{:?} skipped: {}", file.file_name, file.reason))));
        changes
    }
}

/// One line for the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Added(String),
    Replaced(String),
    Removed(String),
    Skipped(String),
}

fn resolutions(video: &Video) -> String {
    let heights: Vec<_> = video.info.variants.iter().map(|variant| format!("{}p", variant.height)).collect();
    let sound = if video.sound.is_some() { "with sound" } else { "without sound" };
    format!(": {}, {sound}", heights.join(", "))
}

fn video(title: &str, files: Vec<(u32, Arc<ProbedFile>)>, old: &Catalog) -> Arc<Video> {
    let fresh = Video::new(title.to_owned(), files);
    // Those who hold the old one and those who ask now are to have the same.
    let same = old.videos.get(&fresh.info.id).filter(|old| old.info == fresh.info);
    same.cloned().unwrap_or_else(|| Arc::new(fresh))
}

/// As a person sees it.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::folder::VariantName, *};

    fn file(name: &str, size_bytes: u64) -> VariantFile {
        let mut stamp = Stamp::default();
        stamp.size_bytes = size_bytes;
        VariantFile { path: PathBuf::from(name), stamp }
    }

    fn listing(files: Vec<VariantFile>) -> FolderListing {
        let slot = VariantName { title: "A".into(), height: 240 };
        FolderListing { files: BTreeMap::from([(slot, files)]), ..FolderListing::default() }
    }

    #[test]
    fn a_file_is_read_once_and_again_when_it_is_another_one() {
        let mut records = ProbeRecords::default();
        let unread = |listing: &FolderListing, records: &ProbeRecords| {
            Catalog::arrange(listing, records, &Catalog::default(), |_| false).1
        };
        let (first, second) = (file("A_240p.mp4", 5), file("A_240p.mp4", 6));
        assert_eq!(unread(&listing(vec![first.clone()]), &records).len(), 1);
        records.keep(first.clone(), Err("empty".into()));
        assert_eq!(unread(&listing(vec![first.clone()]), &records), []);
        assert_eq!(unread(&listing(vec![second.clone()]), &records), [second]);
        records.forget_all_but(&listing(vec![]));
        assert_eq!(unread(&listing(vec![first.clone()]), &records), [first]);
    }

    #[test]
    fn a_file_that_grows_is_named_as_such() {
        let growing = listing(vec![file("A_240p.mp4", 5)]);
        let (shelf, unread) = Catalog::arrange(&growing, &ProbeRecords::default(), &Catalog::default(), |_| true);
        assert_eq!((shelf.skipped[0].reason.as_str(), unread.len()), ("still being copied", 1));
    }

    /// A probed file with this number of frames.
    fn probed(file: &VariantFile, frame_count: u64) -> Arc<ProbedFile> {
        let probed = Probed {
            index: FrameIndex::new((0..frame_count).collect(), None),
            entries: None,
            track: "1".into(),
            decoder: "identity".into(),
            picture_width: 320,
            picture_height: 240,
            needs_rgb: false,
            is_interlaced: false,
            is_jpeg_ready: false,
            coding: "raw pictures".into(),
            sound: None,
        };
        Arc::new(ProbedFile::new(file.path.clone(), file.stamp, probed))
    }

    fn built(files: &[&VariantFile], records: &ProbeRecords, old: &Catalog) -> Catalog {
        let variants =
            files.iter().map(|file| (VariantName::parse(&file_name(&file.path)).unwrap(), vec![(*file).clone()]));
        let listing = FolderListing { files: variants.collect(), ..FolderListing::default() };
        Catalog::arrange(&listing, records, old, |_| false).0
    }

    #[test]
    fn an_unchanged_file_stays_the_same_when_a_resolution_is_added() {
        let (small, large) = (file("A_240p.mp4", 5), file("A_720p.mp4", 6));
        let mut records = ProbeRecords::default();
        records.keep(small.clone(), Ok(probed(&small, 9)));
        let before = built(&[&small], &records, &Catalog::default());
        records.keep(large.clone(), Ok(probed(&large, 9)));
        let after = built(&[&small, &large], &records, &before);
        let id = id_of("A");
        let (before, after) = (&before.videos[&id], &after.videos[&id]);
        assert_ne!(before.info.fingerprint, after.info.fingerprint);
        assert!(Arc::ptr_eq(&before.sources[0], &after.sources[0]));
    }

    #[test]
    fn a_file_that_is_read_again_stays_the_same_unless_its_contents_changed() {
        let first = file("A_240p.mp4", 5);
        let mut records = ProbeRecords::default();
        records.keep(first.clone(), Ok(probed(&first, 9)));
        let held = |records: &ProbeRecords| {
            built(&[&first], records, &Catalog::default()).videos[&id_of("A")].sources[0].clone()
        };
        let before = held(&records);
        records.keep(first.clone(), Ok(probed(&first, 9)));
        assert!(Arc::ptr_eq(&before, &held(&records)));
        records.keep(first.clone(), Ok(probed(&first, 8)));
        assert_eq!(held(&records).probed.index.len(), 8);
    }

    #[test]
    fn a_fingerprint_tells_name_size_and_modification_time_apart() {
        let fingerprint = |name: &str, size_bytes, seconds| {
            let mut stamp = Stamp::default();
            (stamp.size_bytes, stamp.modified) =
                (size_bytes, Some(UNIX_EPOCH + std::time::Duration::from_secs(seconds)));
            fingerprint_of_file(name, &stamp)
        };
        let same = fingerprint("A_240p.mp4", 5, 7);
        assert_eq!(same, fingerprint("A_240p.mp4", 5, 7));
        for other in [fingerprint("B_240p.mp4", 5, 7), fingerprint("A_240p.mp4", 6, 7), fingerprint("A_240p.mp4", 5, 8)]
        {
            assert_ne!(same, other);
        }
    }

    #[test]
    fn the_id_of_a_title_is_the_same_in_every_release() {
        // The first eight bytes of SHA-256("Triptych sample"), as `sha256sum` prints them.
        assert_eq!(id_of("Triptych sample"), VideoId(0x733a_6827_236e_ab4b));
        assert_ne!(id_of("Triptych sample"), id_of("Triptych sample "));
    }
}
