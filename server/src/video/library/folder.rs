//! The names in the video folder: which files may be variants of which video, and why the others are skipped. Reads
//! names and metadata, and opens no file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use common::limits::{MAX_LIBRARY_ENTRIES, MAX_PICTURE_SIDE};

/// Why a file is skipped that seems to be no video.
const NO_VIDEO: &str = "not a video; those are named TITLE_HEIGHTp.EXT, such as Holiday_720p.mp4";

/// A file in the video folder that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file name, without its folder.
    pub file_name: String,
    /// What is wrong with it, and what to do about it, for the host.
    pub reason: String,
}

/// What the names of videos end in.
const VIDEO_EXTENSIONS: [&str; 22] = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "m2ts", "mts", "vob", "wmv", "asf", "flv", "f4v",
    "ogv", "ogm", "3gp", "3g2", "mxf", "divx",
];

/// The variant that a file name denotes: a resolution of a title.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariantName {
    pub(crate) title: String,
    pub(crate) height: u32,
}

impl VariantName {
    /// Parses `TITLE_HEIGHTp.EXT`.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        let (title, height) = stem.strip_suffix('p')?.rsplit_once('_')?;
        let is_plain = !height.is_empty() && height.len() <= 4 && height.bytes().all(|byte| byte.is_ascii_digit());
        let height = height.parse().ok().filter(|height| is_plain && (1..=MAX_PICTURE_SIDE).contains(height))?;
        let is_title = !title.trim().is_empty() && !title.contains(char::is_control) && !extension.is_empty();
        is_title.then(|| Self { title: title.to_owned(), height })
    }
}

/// Metadata that tells two states of a file apart without reading it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size_bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    /// Time of the last change of rights, owner or name, in seconds and nanoseconds. After such a change a file that
    /// could not be read may be readable.
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        Self { size_bytes: metadata.len(), modified: metadata.modified().ok(), changed }
    }

    /// Whether the contents are the same as far as size and modification time tell. A change of rights or owner leaves
    /// them as they are.
    pub(crate) fn has_same_contents(&self, other: &Self) -> bool {
        (self.size_bytes, self.modified) == (other.size_bytes, other.modified)
    }
}

/// A file whose name is that of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VariantFile {
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
}

/// The contents of the folder by name.
#[derive(Debug, Default)]
pub(crate) struct FolderListing {
    /// The candidates for each variant, sorted by file name; the first one that can be played is offered.
    pub(crate) files: BTreeMap<VariantName, Vec<VariantFile>>,
    /// Everything else, with the reason why it cannot be offered.
    pub(crate) skipped: SkippedFiles,
    /// How many of those are videos from which no resolutions have been made yet.
    pub(crate) unprepared_count: usize,
}

/// Files that cannot be offered, with the reasons, for the console. Bounded: the first ones by name, and the number of the
/// others. Clients are told of none of them, because what lies in the folder is not their business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SkippedFiles {
    videos: Reasons,
    others: Reasons,
}

/// Reasons by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reasons {
    reasons: BTreeMap<String, String>,
    unlisted: usize,
}

impl SkippedFiles {
    /// Adds a file. Only a limited number is kept, so that a folder of millions of files does not fill the memory.
    pub(crate) fn add(&mut self, file_name: &str, reason: impl Into<String>) {
        let group = if looks_like_video(file_name) { &mut self.videos } else { &mut self.others };
        group.reasons.insert(file_name.replace(char::is_control, "\u{fffd}"), reason.into());
        if group.reasons.len() >= MAX_LIBRARY_ENTRIES {
            group.reasons.pop_last();
            group.unlisted += 1;
        }
    }

    /// All files, those first whose names look like videos.
    pub(crate) fn listing(&self) -> Vec<SkippedFile> {
        [self.videos.listing(), self.others.listing()].concat()
    }
}

impl Reasons {
    fn listing(&self) -> Vec<SkippedFile> {
        let entry = |(file_name, reason): (&String, &String)| SkippedFile {
            file_name: file_name.clone(),
            reason: reason.clone(),
        };
        let rest = (self.unlisted > 0).then(|| SkippedFile {
            file_name: format!("{} further files", self.unlisted),
            reason: format!("skipped; only the first {} are listed by name", MAX_LIBRARY_ENTRIES - 1),
        });
        self.reasons.iter().map(entry).chain(rest).collect()
    }
}

/// Whether the name is meant for a video: it ends in a height, as in `Holiday_720p`, or in what videos end in.
fn looks_like_video(file_name: &str) -> bool {
    let (stem, extension) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
    let is_height = |height: &str| !height.is_empty() && height.bytes().all(|byte| byte.is_ascii_digit());
    let has_height = |stem: &str| {
        let height = stem.strip_suffix(['p', 'P']).and_then(|stem| stem.rsplit_once('_'));
        height.is_some_and(|(_, height)| is_height(height))
    };
    VIDEO_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) || has_height(stem) || has_height(file_name)
}

/// Lists the folder. Symbolic links are not followed, and nothing but regular files is examined.
///
/// # Errors
/// When the folder cannot be read to its end.
pub(crate) fn list_folder(folder: &Path) -> io::Result<FolderListing> {
    let (mut found, mut skipped) = (BTreeMap::<(VariantName, String), VariantFile>::new(), SkippedFiles::default());
    let mut unprepared = BTreeMap::new();
    let mut uncounted = 0;
    for entry in fs::read_dir(folder)? {
        // Skipping the error would make a network share that fails half-way look like a folder with fewer files.
        let entry = entry?;
        let name = entry.file_name();
        let shown_name = name.to_string_lossy();
        if shown_name.starts_with('.') || shown_name == "README.md" {
            continue;
        }
        match classify(&entry, name.to_str())? {
            Ok((variant, file)) => {
                found.insert((variant, shown_name.into_owned()), file);
                // The last one by name, so that every scan drops the same file.
                if found.len() > MAX_LIBRARY_ENTRIES
                    && let Some(((_, file_name), _)) = found.pop_last()
                {
                    skipped.add(&file_name, format!("more than {MAX_LIBRARY_ENTRIES} video files in one folder"));
                }
            }
            Err(NoVariant::Gone) => {}
            Err(NoVariant::Unprepared) => {
                unprepared.insert(shown_name.into_owned(), entry.path());
                if unprepared.len() > MAX_LIBRARY_ENTRIES && unprepared.pop_last().is_some() {
                    uncounted += 1;
                }
            }
            Err(NoVariant::Skipped(reason)) => skipped.add(&shown_name, reason),
        }
    }
    let mut listing = FolderListing { skipped, unprepared_count: uncounted, ..FolderListing::default() };
    for ((variant, _), file) in found {
        listing.files.entry(variant).or_default().push(file);
    }
    listing.add_unprepared(unprepared);
    listing.skipped.videos.unlisted += uncounted;
    Ok(listing)
}

impl FolderListing {
    /// Adds videos, by file name, that are not named like variants. One that `import` made the variants of is an original and
    /// misses nothing.
    fn add_unprepared(&mut self, files: BTreeMap<String, PathBuf>) {
        let titles: BTreeSet<String> = self.files.keys().map(|name| name.title.clone()).collect();
        for (file_name, path) in files {
            let stem = file_name.rsplit_once('.').map_or(&*file_name, |(stem, _)| stem);
            if titles.contains(stem) {
                let reason = format!("the video {stem:?} is set up, and does not need this file; keep it elsewhere");
                self.skipped.add(&file_name, reason);
            } else {
                let command = format!("triptych-server import {}", shell_word(&path.to_string_lossy()));
                self.skipped.add(&file_name, format!("it is not set up yet. Run: {command}"));
                self.unprepared_count += 1;
            }
        }
    }
}

/// A text as one word of a command line.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,@%=".contains(c);
    match text {
        plain if !plain.is_empty() && plain.chars().all(is_plain) => plain.to_owned(),
        spaced if !spaced.contains(['"', '$', '`', '\\', '!']) => format!("\"{spaced}\""),
        odd => format!("'{}'", odd.replace('\'', "'\\''")),
    }
}

/// Why an entry of the folder is no variant.
enum NoVariant {
    /// It has just been removed.
    Gone,
    /// It is a video in one file, from which `import` makes the variants.
    Unprepared,
    /// For this reason.
    Skipped(String),
}

/// Tells which variant an entry of the folder is, or why it is none.
///
/// # Errors
/// When the system cannot tell at the moment. To skip the file would end the streams that show it.
fn classify(entry: &fs::DirEntry, name: Option<&str>) -> io::Result<Result<(VariantName, VariantFile), NoVariant>> {
    let kind = match entry.file_type() {
        Ok(kind) => kind,
        Err(error) => return reason_of(error).map(Err),
    };
    let skipped = |reason: &str| Ok(Err(NoVariant::Skipped(reason.to_owned())));
    if kind.is_symlink() {
        return skipped("a symbolic link; only regular files in the folder itself are offered");
    }
    if kind.is_dir() {
        return skipped("a folder; only files are offered");
    }
    if !kind.is_file() {
        return skipped("not a regular file");
    }
    let Some(variant) = name.and_then(VariantName::parse) else {
        return match looks_like_video(&entry.file_name().to_string_lossy()) {
            true => Ok(Err(NoVariant::Unprepared)),
            false => skipped(NO_VIDEO),
        };
    };
    match entry.metadata() {
        Ok(metadata) => Ok(Ok((variant, VariantFile { path: entry.path(), stamp: Stamp::of(&metadata) }))),
        Err(error) => reason_of(error).map(Err),
    }
}

/// Why an entry is skipped.
///
/// # Errors
/// An error that says nothing about the entry.
fn reason_of(error: io::Error) -> io::Result<NoVariant> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(NoVariant::Gone),
        io::ErrorKind::PermissionDenied => Ok(NoVariant::Skipped(format!("cannot be read: {error}"))),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_title_and_height() {
        let variant = |title: &str, height| Some(VariantName { title: title.into(), height });
        assert_eq!(VariantName::parse("Holiday_720p.mp4"), variant("Holiday", 720));
        assert_eq!(VariantName::parse("a_b_c_1440p.webm"), variant("a_b_c", 1440));
        assert_eq!(
            VariantName::parse("Ünïcode “quoted” 'тест' 日本 v1.2_240p.mkv"),
            variant("Ünïcode “quoted” 'тест' 日本 v1.2", 240)
        );
    }

    #[test]
    fn other_names_are_no_variants() {
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
            assert_eq!(VariantName::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_look_like_videos_are_told_from_private_ones() {
        for name in ["Film.mp4", "FILM.MKV", "Odd_720p", "Film_720p.part", "Film_99999p.txt", "Film_720p.mp4"] {
            assert!(looks_like_video(name), "{name}");
        }
        for name in ["taxes 2025.pdf", "passwords", "photo_1p_.jpg", "mp4", "_p.txt", "notes_p", "a_12p3.doc", "id_rsa"]
        {
            assert!(!looks_like_video(name), "{name}");
        }
    }

    #[test]
    fn a_video_in_one_file_is_set_up_by_the_command_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["My holiday.mp4", "Plain.mkv", "Done.mp4", "Done_240p.mkv", "it's \"$5\".mp4", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = list_folder(folder.path()).unwrap();
        assert_eq!(found.unprepared_count, 3, "the original of a video that is set up misses nothing");
        let reasons: BTreeMap<_, _> =
            found.skipped.listing().into_iter().map(|file| (file.file_name, file.reason)).collect();
        let place = folder.path().display();
        let command = |file: &str| reasons[file].strip_prefix("it is not set up yet. Run: triptych-server import ");
        assert_eq!(command("My holiday.mp4"), Some(&*format!("\"{place}/My holiday.mp4\"")));
        assert_eq!(command("Plain.mkv"), Some(&*format!("{place}/Plain.mkv")));
        assert_eq!(command("it's \"$5\".mp4"), Some(&*format!("'{place}/it'\\''s \"$5\".mp4'")));
        assert!(reasons["Done.mp4"].contains("is set up"), "{reasons:?}");
        assert_eq!(reasons["notes.txt"], NO_VIDEO);
    }

    #[test]
    fn thousands_of_skipped_files_are_counted_and_the_first_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MAX_LIBRARY_ENTRIES + 500 {
            fs::write(folder.path().join(format!("note {number:05}.txt")), "").unwrap();
        }
        let found = list_folder(folder.path()).unwrap();
        assert_eq!(found.unprepared_count, 0, "notes are no videos");
        let listing = found.skipped.listing();
        assert_eq!(listing.len(), MAX_LIBRARY_ENTRIES);
        assert_eq!(listing[0].file_name, "note 00000.txt");
        assert_eq!(listing.last().unwrap().file_name, "501 further files");
    }
}
