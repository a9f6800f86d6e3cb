//! An immutable snapshot of everything that is offered, and the probe results that it is built from. Pure: reads
//! nothing and waits for nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{limits::MAX_VARIANTS, media::VideoId};

use super::{
    folder::{FolderListing, SkippedFile, Stamp, VariantFile},
    video::{ProbedFile, Video, file_name},
};

/// What probing a file showed: its contents, or the reason why it cannot be played, in words for people.
pub(crate) type ProbeOutcome = Result<Arc<ProbedFile>, String>;

/// The results of all probes of files that are in the folder.
#[derive(Debug, Default)]
pub struct ProbeRecords(HashMap<PathBuf, (Stamp, ProbeOutcome)>);

impl ProbeRecords {
    /// Keeps what was found in the file while it had this stamp. A file of which only the rights or the owner changed
    /// is read again, because it may be readable only now, but remains the same [`ProbedFile`].
    pub(crate) fn insert(&mut self, file: VariantFile, outcome: ProbeOutcome) {
        let outcome = match (self.0.remove(&file.path), outcome) {
            (Some((_, Ok(old))), Ok(new)) if (old.fingerprint, &old.probed) == (new.fingerprint, &new.probed) => {
                Ok(old)
            }
            (_, outcome) => outcome,
        };
        self.0.insert(file.path, (file.stamp, outcome));
    }

    /// Forgets what was found in a file.
    pub(crate) fn remove(&mut self, file: &VariantFile) {
        self.0.remove(&file.path);
    }

    /// Forgets files that are no longer in the folder.
    pub(crate) fn retain_listed(&mut self, listing: &FolderListing) {
        let present: HashSet<_> = listing.files.values().flatten().map(|file| &file.path).collect();
        self.0.retain(|path, _| present.contains(path));
    }

    /// Whether the file was probed in its present state.
    pub(crate) fn is_current(&self, file: &VariantFile) -> bool {
        matches!(self.of(file), Record::Current(_))
    }

    fn of(&self, file: &VariantFile) -> Record<'_> {
        match self.0.get(&file.path) {
            Some((stamp, outcome)) if *stamp == file.stamp => Record::Current(outcome),
            Some((_, Ok(probed))) => Record::Outdated(probed),
            Some((_, Err(_))) | None => Record::Missing,
        }
    }
}

/// What is known of a file in its present state.
enum Record<'a> {
    Current(&'a ProbeOutcome),
    /// Only the file that had this name before is known.
    Outdated(&'a Arc<ProbedFile>),
    Missing,
}

/// Everything that can be watched at one time, and the files that cannot.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) videos: BTreeMap<VideoId, Arc<Video>>,
    /// The files that cannot, for the console.
    pub(crate) skipped: Vec<SkippedFile>,
    /// How many videos cannot be watched at all, for clients.
    pub(crate) unplayable_count: u32,
    /// Every file in the folder whose name is that of a variant, offered or not.
    pub(super) present: HashMap<PathBuf, Stamp>,
}

/// What happened to a file after it was probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileChange {
    /// The folder has no file of this name, or cannot be read.
    Removed,
    /// The file of this name has another size or modification time.
    Replaced,
}

impl Catalog {
    /// Combines the known files into videos, and names the files that have to be probed. `is_growing` says which of
    /// those are being written to; one that is not, but was replaced, is offered as it was until it has been probed
    /// again. Videos of which nothing changed are taken over from `old`, so that all holders share one value.
    pub(crate) fn build(
        listing: &FolderListing,
        records: &ProbeRecords,
        old: &Catalog,
        is_growing: impl Fn(&Path) -> bool,
    ) -> (Self, Vec<VariantFile>) {
        let mut titles = BTreeMap::<&str, TitleFiles>::new();
        let (mut skipped, mut unread) = (listing.skipped.clone(), Vec::new());
        for (name, files) in &listing.files {
            let mut chosen: Option<&Arc<ProbedFile>> = None;
            let mut is_unread = false;
            for file in files {
                let file_name = file_name(&file.path);
                if let Some(chosen) = chosen {
                    let reason =
                        format!("{:?} already provides {}p of {:?}", chosen.file_name, name.height, name.title);
                    skipped.add(&file_name, reason);
                    continue;
                }
                match records.of(file) {
                    Record::Current(Ok(probed)) => chosen = Some(probed),
                    Record::Current(Err(reason)) => skipped.add(&file_name, reason.clone()),
                    record => {
                        is_unread = true;
                        unread.push(file.clone());
                        match record {
                            _ if is_growing(&file.path) => skipped.add(&file_name, "still being copied"),
                            Record::Outdated(probed) => chosen = Some(probed),
                            _ => {}
                        }
                        // Whether the remaining files are needed is known only after this one has been probed.
                        break;
                    }
                }
            }
            let title = titles.entry(&name.title).or_default();
            match chosen {
                Some(chosen) if title.variants.len() < MAX_VARIANTS => {
                    title.variants.push((name.height, chosen.clone()));
                }
                Some(chosen) => {
                    skipped.add(&chosen.file_name, format!("{:?} has {MAX_VARIANTS} lower resolutions", name.title));
                }
                None if is_unread => title.is_unread = true,
                None if title.unreadable_heights.len() < MAX_VARIANTS => title.unreadable_heights.push(name.height),
                None => {}
            }
        }
        // What is still being copied or read is about to become a video.
        let is_unplayable = |files: &&TitleFiles| files.variants.is_empty() && !files.is_unread;
        let unplayable_count = listing.unprepared_count + titles.values().filter(is_unplayable).count();
        let unplayable_count = u32::try_from(unplayable_count).unwrap_or(u32::MAX);
        let playable = titles.into_iter().filter(|(_, files)| !files.variants.is_empty());
        let videos = playable.map(|(title, files)| reuse_or_make(title, files, old));
        let videos = videos.map(|video| (video.info.id, video)).collect();
        let present = listing.files.values().flatten().map(|file| (file.path.clone(), file.stamp)).collect();
        (Self { videos, skipped: skipped.listing(), unplayable_count, present }, unread)
    }

    /// Whether clients see the same in both.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        // A video of which nothing changed is the same value, see `reuse_or_make`.
        let is_same = |((_, a), (_, b)): ((_, &Arc<Video>), (_, &Arc<Video>))| Arc::ptr_eq(a, b);
        self.unplayable_count == other.unplayable_count
            && self.videos.len() == other.videos.len()
            && self.videos.iter().zip(&other.videos).all(is_same)
    }

    /// The files of each video, as absolute paths.
    pub(crate) fn paths(&self) -> Vec<Vec<PathBuf>> {
        let paths =
            |video: &Arc<Video>| video.files.iter().filter_map(|file| std::path::absolute(&file.path).ok()).collect();
        self.videos.values().map(paths).collect()
    }

    /// What happened to a file that is in use; `None` while the folder has it as it was probed. A file that is only
    /// no longer offered, because another one took its place, has not changed.
    pub(crate) fn change_of(&self, file: &ProbedFile) -> Option<FileChange> {
        match self.present.get(&file.path) {
            Some(stamp) if stamp.has_same_contents(&file.stamp) => None,
            Some(_) => Some(FileChange::Replaced),
            None => Some(FileChange::Removed),
        }
    }

    /// The differences from `old`, one line for each video or file.
    pub(crate) fn changes_since(&self, old: &Catalog) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, video) in &self.videos {
            let title = &video.info.title;
            match old.videos.get(id) {
                None => changes.push(Change::Added(format!("video {title:?} added: {}", contents(video)))),
                Some(before) if before.info.fingerprint != video.info.fingerprint => {
                    changes.push(Change::Replaced(format!("video {title:?} changed: {}", contents(video))));
                }
                Some(_) => {}
            }
        }
        let removed = old.videos.iter().filter(|(id, _)| !self.videos.contains_key(id));
        changes.extend(removed.map(|(_, video)| Change::Removed(format!("video {:?} removed", video.info.title))));
        let known: HashSet<_> = old.skipped.iter().map(|file| (&file.file_name, &file.reason)).collect();
        let new = self.skipped.iter().filter(|file| !known.contains(&(&file.file_name, &file.reason)));
        changes.extend(new.map(|file| Change::Skipped(format!("file {:?} skipped: {}", file.file_name, file.reason))));
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

fn contents(video: &Video) -> String {
    let heights: Vec<_> = video.info.variants.iter().map(|variant| format!("{}p", variant.height)).collect();
    let sound = if video.sound.is_some() { "with sound" } else { "without sound" };
    format!("{}, {sound}", heights.join(", "))
}

/// The files of one title, with the heights that their names state.
#[derive(Default)]
struct TitleFiles {
    variants: Vec<(u32, Arc<ProbedFile>)>,
    /// The heights of which no file can be played.
    unreadable_heights: Vec<u32>,
    /// Whether a file is still to be probed.
    is_unread: bool,
}

fn reuse_or_make(title: &str, files: TitleFiles, old: &Catalog) -> Arc<Video> {
    let new = Video::new(title.to_owned(), files.variants, files.unreadable_heights);
    let same = old.videos.get(&new.info.id).filter(|old| old.info == new.info);
    same.cloned().unwrap_or_else(|| Arc::new(new))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{folder::VariantName, video::id_of},
        *,
    };

    fn file(name: &str, size_bytes: u64) -> VariantFile {
        let mut stamp = Stamp::default();
        stamp.size_bytes = size_bytes;
        VariantFile { path: PathBuf::from(name), stamp }
    }

    fn listing(files: Vec<VariantFile>) -> FolderListing {
        let name = VariantName { title: "A".into(), height: 240 };
        FolderListing { files: BTreeMap::from([(name, files)]), ..FolderListing::default() }
    }

    #[test]
    fn a_file_is_read_once_and_again_when_it_is_another_one() {
        let mut records = ProbeRecords::default();
        let unread = |listing: &FolderListing, records: &ProbeRecords| {
            Catalog::build(listing, records, &Catalog::default(), |_| false).1
        };
        let (first, second) = (file("A_240p.mp4", 5), file("A_240p.mp4", 6));
        assert_eq!(unread(&listing(vec![first.clone()]), &records).len(), 1);
        records.insert(first.clone(), Err("empty".into()));
        assert_eq!(unread(&listing(vec![first.clone()]), &records), []);
        assert_eq!(unread(&listing(vec![second.clone()]), &records), [second]);
        records.retain_listed(&listing(vec![]));
        assert_eq!(unread(&listing(vec![first.clone()]), &records), [first]);
    }

    #[test]
    fn a_file_that_grows_is_named_as_such() {
        let growing = listing(vec![file("A_240p.mp4", 5)]);
        let (catalog, unread) = Catalog::build(&growing, &ProbeRecords::default(), &Catalog::default(), |_| true);
        assert_eq!((catalog.skipped[0].reason.as_str(), unread.len()), ("still being copied", 1));
    }

    /// A probed file with this number of frames.
    fn probed(file: &VariantFile, frame_count: u64) -> Arc<ProbedFile> {
        ProbedFile::imagined(file.path.clone(), file.stamp, (0..frame_count).collect())
    }

    #[test]
    fn a_video_has_no_more_resolutions_than_clients_accept() {
        let mut records = ProbeRecords::default();
        let mut files = BTreeMap::new();
        for height in 1..=MAX_VARIANTS as u32 + 2 {
            let file = file(&format!("A_{height}p.mkv"), 5);
            records.insert(file.clone(), Ok(probed(&file, 3)));
            files.insert(VariantName { title: "A".into(), height }, vec![file]);
        }
        let listing = FolderListing { files, ..FolderListing::default() };
        let (catalog, _) = Catalog::build(&listing, &records, &Catalog::default(), |_| false);
        assert_eq!(catalog.videos.values().map(|video| video.info.variants.len()).collect::<Vec<_>>(), [MAX_VARIANTS]);
        let skipped: Vec<_> = catalog.skipped.iter().map(|skipped| skipped.file_name.as_str()).collect();
        assert_eq!(skipped, ["A_65p.mkv", "A_66p.mkv"]);
    }

    fn built(files: &[&VariantFile], records: &ProbeRecords, old: &Catalog) -> Catalog {
        let variants =
            files.iter().map(|file| (VariantName::parse(&file_name(&file.path)).unwrap(), vec![(*file).clone()]));
        let listing = FolderListing { files: variants.collect(), ..FolderListing::default() };
        Catalog::build(&listing, records, old, |_| false).0
    }

    #[test]
    fn an_unchanged_file_stays_the_same_when_a_resolution_is_added() {
        let (small, large) = (file("A_240p.mp4", 5), file("A_720p.mp4", 6));
        let mut records = ProbeRecords::default();
        records.insert(small.clone(), Ok(probed(&small, 9)));
        let before = built(&[&small], &records, &Catalog::default());
        records.insert(large.clone(), Ok(probed(&large, 9)));
        let after = built(&[&small, &large], &records, &before);
        let id = id_of("A");
        let (before, after) = (&before.videos[&id], &after.videos[&id]);
        assert_ne!(before.info.fingerprint, after.info.fingerprint);
        assert!(Arc::ptr_eq(&before.files[0], &after.files[0]));
    }

    #[test]
    fn a_file_counts_as_changed_only_when_its_own_contents_changed() {
        let (small, large) = (file("A_240p.mp4", 5), file("A_720p.mp4", 6));
        let in_use = probed(&small, 9);
        let mut records = ProbeRecords::default();
        records.insert(small.clone(), Ok(in_use.clone()));
        records.insert(large.clone(), Ok(probed(&large, 9)));
        let with = |files: &[&VariantFile]| built(files, &records, &Catalog::default()).change_of(&in_use);
        assert_eq!(with(&[&small]), None);
        assert_eq!(with(&[&small, &large]), None, "another resolution was added");
        assert_eq!(with(&[&large]), Some(FileChange::Removed));
        assert_eq!(with(&[&file("A_240p.mp4", 7)]), Some(FileChange::Replaced));
    }

    #[test]
    fn a_file_in_use_that_is_no_longer_offered_has_not_changed() {
        let (used, preferred) = (file("A_240p.mp4", 5), file("A_240p.mkv", 5));
        let in_use = probed(&used, 9);
        let mut records = ProbeRecords::default();
        records.insert(preferred.clone(), Ok(probed(&preferred, 9)));
        let listing = listing(vec![preferred, used]);
        let (catalog, _) = Catalog::build(&listing, &records, &Catalog::default(), |_| false);
        assert_eq!(catalog.videos[&id_of("A")].files[0].file_name, "A_240p.mkv");
        assert_eq!(catalog.change_of(&in_use), None);
    }

    #[test]
    fn a_file_that_is_read_again_stays_the_same_unless_its_contents_changed() {
        let first = file("A_240p.mp4", 5);
        let mut records = ProbeRecords::default();
        records.insert(first.clone(), Ok(probed(&first, 9)));
        let held = |records: &ProbeRecords| {
            built(&[&first], records, &Catalog::default()).videos[&id_of("A")].files[0].clone()
        };
        let before = held(&records);
        records.insert(first.clone(), Ok(probed(&first, 9)));
        assert!(Arc::ptr_eq(&before, &held(&records)));
        records.insert(first.clone(), Ok(probed(&first, 8)));
        assert_eq!(held(&records).probed.index.len(), 8);
    }
}
