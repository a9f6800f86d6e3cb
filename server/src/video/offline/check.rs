//! What a person who runs a server wants to know before the guests come: what is missing on this machine, and what
//! each file in the video folder is good for.

use std::{fmt, path::Path};

use common::media::SkippedFile;

use crate::video::{
    gst::elements::{self, Element, SetupError},
    library::{Library, LibraryError, ProbedFile, Video, folder::VariantName},
};

/// Frame counts of the variants of one video may differ by so much: encoders drop one at the end.
const SAME_FRAMES: u32 = 2;

/// What was found. Its text is for the console.
#[derive(Debug)]
pub struct Check {
    missing: Vec<Missing>,
    videos: Vec<Report>,
    /// Files that were meant to be variants and cannot be played.
    broken: Vec<SkippedFile>,
    skipped: Vec<SkippedFile>,
}

#[derive(Debug)]
struct Missing {
    element: &'static str,
    package: &'static str,
    purpose: &'static str,
}

#[derive(Debug)]
struct Report {
    title: String,
    variants: Vec<[String; 7]>,
    remarks: Vec<String>,
}

impl Check {
    /// Looks for what is missing and reads every file in the folder. Blocks for as long as that takes.
    ///
    /// # Errors
    /// When GStreamer does not start or the folder cannot be read.
    pub fn run(folder: &Path) -> Result<Self, CheckError> {
        elements::start()?;
        let mut missing = Vec::new();
        let mut look = |needed: &[Element], purpose| {
            for (element, package) in elements::missing(needed) {
                missing.push(Missing { element, package, purpose });
            }
        };
        look(elements::PLAYBACK, "playing");
        look(elements::IMPORT, "importing");
        look(elements::SAMPLE, "making the sample");
        let catalog = Library::scan(folder)?.catalog();
        let mut videos: Vec<_> = catalog.videos.values().map(|video| Report::of(video)).collect();
        videos.sort_by(|a, b| a.title.cmp(&b.title));
        let (broken, skipped) =
            catalog.skipped.iter().cloned().partition(|file| VariantName::parse(&file.file_name).is_some());
        Ok(Self { missing, videos, broken, skipped })
    }

    /// Whether nothing is missing and nothing is broken.
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.broken.is_empty()
    }
}

/// Why nothing could be checked: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// GStreamer.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The folder.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

impl Report {
    fn of(video: &Video) -> Self {
        let info = &video.info;
        let source_of_sound = video.sound.as_ref().map(|sound| sound.file);
        let variants = video.files.iter().zip(&info.variants).enumerate().map(|(number, (source, variant))| {
            [
                format!("{}p", variant.height),
                format!("{}x{}", variant.picture_width, variant.picture_height),
                format!("{} frames", variant.frame_count),
                length(source),
                source.probed.coding.clone(),
                sound(source, source_of_sound == Some(number)),
                work(source).to_owned(),
            ]
        });
        let mut remarks = Vec::new();
        let counts = || info.variants.iter().map(|variant| variant.frame_count);
        if counts().max().unwrap_or(0) - counts().min().unwrap_or(0) > SAME_FRAMES {
            remarks.push("the resolutions have different numbers of frames: it will jump where they meet".to_owned());
        }
        if info.variants.len() == 1 {
            remarks.push("only one resolution".to_owned());
        }
        if info.variants.iter().any(|variant| variant.picture_height < variant.height / 2) {
            remarks.push("the name of a file promises a much larger picture than there is".to_owned());
        }
        Self { title: info.title.clone(), variants: variants.collect(), remarks }
    }
}

fn length(source: &ProbedFile) -> String {
    let index = &source.probed.index;
    let nanos = index.end_nanos(index.len() - 1) - index.pts_nanos(0);
    format!("{}:{:04.1}", nanos / 60_000_000_000, (nanos % 60_000_000_000) as f64 / 1e9)
}

fn sound(source: &ProbedFile, is_heard: bool) -> String {
    match &source.probed.sound {
        Some(sound) if is_heard => format!("{} (heard)", sound.coding),
        Some(sound) => sound.coding.clone(),
        None => "no sound".to_owned(),
    }
}

fn work(source: &ProbedFile) -> &'static str {
    let probed = &source.probed;
    match (probed.is_jpeg_ready, probed.is_interlaced, probed.key_frames.is_some()) {
        (_, _, false) => "read from its start for each seek",
        (_, true, _) => "deinterlaced while playing",
        (true, ..) => "no conversion",
        (false, ..) => "converted while playing",
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Missing { element, package, purpose } in &self.missing {
            writeln!(f, "MISSING for {purpose}: {element}; on Debian: apt install {package}")?;
        }
        if self.missing.is_empty() {
            writeln!(f, "GStreamer has everything for playing, importing and making the sample.")?;
        }
        let rows = || self.videos.iter().flat_map(|video| &video.variants);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for video in &self.videos {
            writeln!(f, "\n{}", video.title)?;
            for row in &video.variants {
                let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
                writeln!(f, "  {}", cells.join("  ").trim_end())?;
            }
            for remark in &video.remarks {
                writeln!(f, "  note: {remark}")?;
            }
        }
        if self.videos.is_empty() {
            writeln!(f, "\nThere are no videos in the folder.")?;
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
