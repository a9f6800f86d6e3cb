//! The `check` command: missing GStreamer elements and the state of each file in the video folder.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::video::{
    disk::{DiskSettings, DiskTier},
    gst::{
        elements::{self, Element, SetupError},
        probe::Probed,
    },
    library::{Library, LibraryError, ProbedFile, SkippedFile, Video, folder::VariantName},
    process::ProcessPool,
    store::{is_ready, sound_formats},
};

/// Frame counts of the variants of one video may differ by this much without a note: some encoders drop a frame at the
/// end.
const FRAME_COUNT_TOLERANCE: u32 = 2;

/// Columns of the table: height, size, frames, length, coding, sound, effort.
const COLUMNS: usize = 7;

/// The result of a check. Its `Display` is the report for the console.
#[derive(Debug)]
pub struct Check {
    missing: Vec<Missing>,
    /// What the sandbox of the decoders lacks on this system.
    gap: Option<&'static str>,
    /// The folder with frames on disk, their bytes, and how many they may be.
    disk: Option<(PathBuf, u64, u64)>,
    videos: Vec<VideoReport>,
    /// Files that are named like variants and cannot be played.
    broken: Vec<SkippedFile>,
    /// Everything else in the folder.
    skipped: Vec<SkippedFile>,
}

/// A GStreamer element that is not installed.
#[derive(Debug)]
struct Missing {
    element: &'static str,
    package: &'static str,
    purpose: &'static str,
}

/// What is said about one video.
#[derive(Debug)]
struct VideoReport {
    title: String,
    /// Whether playing it needs no decoder, because all of its frames are on disk.
    is_ready: bool,
    /// A row of the table for each variant.
    rows: Vec<[String; COLUMNS]>,
    notes: Vec<&'static str>,
}

impl Check {
    /// Looks for missing elements and reads every file in the folder, and what is kept on disk. Blocks for as long as that
    /// takes.
    ///
    /// # Errors
    /// When GStreamer does not start or the folder cannot be read.
    pub fn run(folder: &Path, disk: Option<&DiskSettings>, processes: &ProcessPool) -> Result<Self, CheckError> {
        elements::start()?;
        let mut missing = Vec::new();
        let mut look = |needed: &[Element], purpose| {
            for (element, package) in elements::missing(needed) {
                missing.push(Missing { element, package, purpose });
            }
        };
        look(elements::PLAYBACK, "playback");
        look(elements::OPUS, "sound on slow links");
        look(elements::IMPORT, "import");
        look(elements::SAMPLE, "the sample");
        let catalog = Library::scan_with_records(folder, processes)?.0.catalog();
        // Only looked at: a folder that is not there is not made. What is wrong with it, the server says.
        let disk = disk.filter(|disk| disk.folder.exists()).and_then(|disk| DiskTier::open(disk).ok()).map(Arc::new);
        let formats = sound_formats();
        let is_ready = |video: &Video| disk.as_ref().is_some_and(|disk| is_ready(disk, video, formats));
        let mut videos: Vec<_> = catalog.videos.values().map(|video| VideoReport::of(video, is_ready(video))).collect();
        videos.sort_by(|a, b| a.title.cmp(&b.title));
        let (broken, skipped) =
            catalog.skipped.iter().cloned().partition(|file| VariantName::parse(&file.file_name).is_some());
        let gap = processes.sandbox_gap();
        let disk = disk.map(|disk| {
            let (bytes, limit_bytes) = disk.bytes_and_limit();
            (disk.folder().to_owned(), bytes, limit_bytes)
        });
        Ok(Self { missing, gap, disk, videos, broken, skipped })
    }

    /// Whether no element is missing and no file is broken.
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.broken.is_empty()
    }
}

/// Why nothing could be checked: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// GStreamer does not start.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The folder cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl VideoReport {
    fn of(video: &Video, is_ready: bool) -> Self {
        let info = &video.info;
        let sound_file = video.sound.as_ref().map(|sound| sound.file);
        let rows = video.files.iter().zip(&info.variants).enumerate().map(|(number, (file, variant))| {
            [
                format!("{}p", variant.height),
                format!("{}x{}", variant.picture_width, variant.picture_height),
                format!("{} frames", variant.frame_count),
                length(file),
                file.probed.coding.clone(),
                sound(file, sound_file == Some(number)),
                effort(file).to_owned(),
            ]
        });
        let mut notes = Vec::new();
        let counts = || info.variants.iter().map(|variant| variant.frame_count);
        if counts().max().unwrap_or(0) - counts().min().unwrap_or(0) > FRAME_COUNT_TOLERANCE {
            notes.push("the resolutions have different numbers of frames; playback jumps where they meet");
        }
        if info.variants.len() == 1 {
            notes.push("there is only one resolution");
        }
        if info.variants.iter().any(|variant| variant.picture_height < variant.height / 2) {
            notes.push("the height in a file name is more than twice that of the picture");
        }
        Self { title: info.title.clone(), is_ready, rows: rows.collect(), notes }
    }
}

fn length(file: &ProbedFile) -> String {
    let index = &file.probed.index;
    let nanos = index.end_nanos(index.len() - 1) - index.pts_nanos(0);
    format!("{}:{:04.1}", nanos / 60_000_000_000, (nanos % 60_000_000_000) as f64 / 1e9)
}

fn sound(file: &ProbedFile, is_used: bool) -> String {
    match &file.probed.sound {
        Some(sound) if is_used => format!("{} (used)", sound.coding),
        Some(sound) => sound.coding.clone(),
        None => "no sound".to_owned(),
    }
}

/// What the file costs the server while it is played.
fn effort(file: &ProbedFile) -> &'static str {
    let probed = &file.probed;
    match probed {
        Probed { key_frames: None, .. } => "seeks read it from its start",
        Probed { is_interlaced: true, .. } => "needs deinterlacing",
        Probed { is_jpeg_ready: true, .. } => "needs no conversion",
        Probed { is_planar: true, .. } => "needs other colours",
        _ => "needs conversion",
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Missing { element, package, purpose } in &self.missing {
            writeln!(f, "MISSING for {purpose}: {element}; on Debian: apt install {package}")?;
        }
        if self.missing.is_empty() {
            writeln!(f, "GStreamer has all elements for playback, import and the sample.")?;
        }
        match self.gap {
            None => writeln!(f, "Videos are decoded in processes that can reach nothing else.")?,
            Some(gap) => writeln!(f, "note: {gap}")?,
        }
        if let Some((folder, bytes, limit_bytes)) = &self.disk {
            let gib = |bytes: &u64| *bytes as f64 / (1u64 << 30) as f64;
            writeln!(f, "Frames on disk: {:.2} of {:.1} GiB in {}.", gib(bytes), gib(limit_bytes), folder.display())?;
        }
        let rows = || self.videos.iter().flat_map(|video| &video.rows);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        for video in &self.videos {
            writeln!(f, "\n{}{}", video.title, if video.is_ready { " (ready: plays without a decoder)" } else { "" })?;
            for row in &video.rows {
                let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
                writeln!(f, "  {}", cells.join("  ").trim_end())?;
            }
            for note in &video.notes {
                writeln!(f, "  note: {note}")?;
            }
        }
        if self.videos.is_empty() {
            writeln!(f, "\nThe folder contains no videos.")?;
        }
        if !self.broken.is_empty() || !self.skipped.is_empty() {
            writeln!(f)?;
        }
        for file in &self.broken {
            writeln!(f, "BROKEN {}: {}", file.file_name, file.reason)?;
        }
        for file in &self.skipped {
            writeln!(f, "skipped {}: {}", file.file_name, file.reason)?;
        }
        Ok(())
    }
}
