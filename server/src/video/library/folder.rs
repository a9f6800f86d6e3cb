//! The video folder by its names: which files may be variants of which video, and what the others are. Opens nothing.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use common::{
    limits::{MAX_LIBRARY_ENTRIES, MAX_PICTURE_SIDE},
    media::SkippedFile,
};

/// Which variant of which video a file is, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariantName {
    pub(crate) title: String,
    pub(crate) height: u32,
}

impl VariantName {
    /// Reads `TITLE_HEIGHTp.EXT`.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        let (title, height) = stem.strip_suffix('p')?.rsplit_once('_')?;
        let is_plain = !height.is_empty() && height.len() <= 4 && height.bytes().all(|byte| byte.is_ascii_digit());
        let height = height.parse().ok().filter(|height| is_plain && (1..=MAX_PICTURE_SIDE).contains(height))?;
        let is_title = !title.trim().is_empty() && !title.contains(char::is_control) && !extension.is_empty();
        is_title.then(|| Self { title: title.to_owned(), height })
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size_bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    /// When its rights, its owner or its name changed last. A file that could not be read may be readable now.
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
}

/// A file whose name is that of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VariantFile {
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
}

/// What lies in the folder.
#[derive(Debug, Default)]
pub(crate) struct FolderListing {
    /// The files for each slot, by name.
    pub(crate) files: BTreeMap<VariantName, Vec<VariantFile>>,
    /// Everything else, with what is wrong with it, by name. Bounded: the last entry may speak for many.
    pub(crate) skipped: Strangers,
}

/// Files that cannot be offered and why: those with the first names, and the number of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strangers {
    reasons: BTreeMap<String, String>,
    unnamed: usize,
}

impl Strangers {
    /// Adds one; a folder of millions is not kept in memory.
    pub(crate) fn add(&mut self, file_name: &str, reason: impl Into<String>) {
        self.reasons.insert(file_name.replace(char::is_control, "\u{fffd}"), reason.into());
        if self.reasons.len() >= MAX_LIBRARY_ENTRIES {
            self.reasons.pop_last();
            self.unnamed += 1;
        }
    }

    /// As clients are told.
    pub(crate) fn listing(&self) -> Vec<SkippedFile> {
        let entry = |(file_name, reason): (&String, &String)| SkippedFile {
            file_name: file_name.clone(),
            reason: reason.clone(),
        };
        let rest = (self.unnamed > 0).then(|| SkippedFile {
            file_name: format!("{} further files", self.unnamed),
            reason: format!("skipped and not named, because there are more than {}", MAX_LIBRARY_ENTRIES - 1),
        });
        self.reasons.iter().map(entry).chain(rest).collect()
    }
}

/// Reads the names in the folder. Links are not followed, and what is not a regular file is not touched.
pub(crate) fn look(folder: &Path) -> io::Result<FolderListing> {
    let (mut found, mut skipped) = (BTreeMap::<(VariantName, String), VariantFile>::new(), Strangers::default());
    for entry in fs::read_dir(folder)? {
        // Else a share that breaks off in the middle would look like a folder from which files were removed.
        let entry = entry?;
        let name = entry.file_name();
        let shown_name = name.to_string_lossy();
        if shown_name.starts_with('.') || shown_name == "README.md" {
            continue;
        }
        match sort_in(&entry, name.to_str()) {
            Ok((slot, file)) => {
                found.insert((slot, shown_name.into_owned()), file);
                // The last by name, so that it is the same one each time.
                if found.len() > MAX_LIBRARY_ENTRIES
                    && let Some(((_, file_name), _)) = found.pop_last()
                {
                    skipped.add(&file_name, format!("more than {MAX_LIBRARY_ENTRIES} video files in one folder"));
                }
            }
            Err(None) => {}
            Err(Some(reason)) => skipped.add(&shown_name, reason),
        }
    }
    let mut listing = FolderListing { skipped, ..FolderListing::default() };
    for ((slot, _), file) in found {
        listing.files.entry(slot).or_default().push(file);
    }
    Ok(listing)
}

/// What an entry is, or why it is nothing; without a reason when it has just gone.
fn sort_in(entry: &fs::DirEntry, name: Option<&str>) -> Result<(VariantName, VariantFile), Option<String>> {
    let kind = entry.file_type().map_err(reason_of)?;
    if kind.is_symlink() {
        return Err(Some("a link; only files that lie in the folder themselves are offered".into()));
    }
    if kind.is_dir() {
        return Err(Some("a folder; only files are offered".into()));
    }
    if !kind.is_file() {
        return Err(Some("not a regular file".into()));
    }
    let slot = name.and_then(VariantName::parse);
    let slot = slot.ok_or_else(|| Some("not named like TITLE_HEIGHTp.EXT, for example Holiday_720p.mp4".to_owned()))?;
    let metadata = entry.metadata().map_err(reason_of)?;
    Ok((slot, VariantFile { path: entry.path(), stamp: Stamp::of(&metadata) }))
}

fn reason_of(error: io::Error) -> Option<String> {
    (error.kind() != io::ErrorKind::NotFound).then(|| format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_title_and_height() {
        let slot = |title: &str, height| Some(VariantName { title: title.into(), height });
        assert_eq!(VariantName::parse("Holiday_720p.mp4"), slot("Holiday", 720));
        assert_eq!(VariantName::parse("a_b_c_1440p.webm"), slot("a_b_c", 1440));
        assert_eq!(
            VariantName::parse("Ünïcode “quoted” 'тест' 日本 v1.2_240p.mkv"),
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
            assert_eq!(VariantName::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn thousands_of_strangers_are_counted_and_the_first_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MAX_LIBRARY_ENTRIES + 500 {
            fs::write(folder.path().join(format!("note {number:05}.txt")), "").unwrap();
        }
        let listing = look(folder.path()).unwrap().skipped.listing();
        assert_eq!(listing.len(), MAX_LIBRARY_ENTRIES);
        assert_eq!(listing[0].file_name, "note 00000.txt");
        assert_eq!(listing.last().unwrap().file_name, "501 further files");
    }
}
