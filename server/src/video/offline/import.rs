//! The `import` command: makes the variants of a triptych from one file in any format that can be played.
//!
//! ```text
//! file ─► probe ─► transcode ─► staging directory ─► TITLE_240p.mkv, TITLE_720p.mkv, TITLE_1440p.mkv
//! ```
//!
//! The files get their names when all of them are complete.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use common::limits::MAX_PICTURE_SIDE;

use super::staging::StagingDir;
use crate::video::{
    gst::{
        elements::{self, SetupError, require},
        probe::Probed,
        transcoder::frames_per_second,
    },
    library::{
        file_name,
        folder::{VariantFile, VariantName, list_folder},
    },
    process::{Prober, ProcessError, ProcessPool, TranscodeJob, transcode},
};

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The file to import.
    pub file: PathBuf,
    /// The video folder in which the variants are created.
    pub folder: PathBuf,
    /// Title of the video; `None` takes the file's name without its extension.
    pub title: Option<String>,
    /// Heights of the variants in pixels, even.
    pub heights: Vec<u32>,
    /// Whether a video of this title is replaced.
    pub replaces: bool,
}

/// What an import will create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPlan {
    /// Title of the video.
    pub title: String,
    /// Width and height of each variant in pixels, ascending.
    pub sizes: Vec<(u32, u32)>,
    /// Height of the picture in the source file, in pixels.
    pub source_height: u32,
    /// Frames in each variant.
    pub frame_count: usize,
    /// Whether the variants have sound.
    pub has_sound: bool,
}

/// Why nothing was imported: one line with cause and remedy.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// GStreamer elements are missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The file cannot be played.
    #[error("cannot import {0:?}: {1}")]
    Unplayable(PathBuf, String),
    /// No file can have a name with this title.
    #[error("{0:?} cannot be a title; choose one with --title: no slashes, no dot at its beginning, at most 200 bytes")]
    BadTitle(String),
    /// A video or another entry of the folder has this title.
    #[error("{0:?} already exists ({1}); choose another title with --title, or replace it with --force")]
    TitleInUse(String, String),
    /// Replacing the video would delete the file that is imported.
    #[error("{0:?} is part of the video that it would replace; move it out of the video folder first")]
    OwnSource(PathBuf),
    /// A height that no variant can have.
    #[error("{0} is not a valid height; heights are even numbers up to {MAX_PICTURE_SIDE}")]
    BadHeight(u32),
    /// The picture would be wider than the limit.
    #[error("{0}p would be {1} pixels wide, more than {MAX_PICTURE_SIDE}; choose lower heights with --heights")]
    TooWide(u32, u32),
    /// The video folder or a file in it cannot be written.
    #[error("cannot write {0:?}: {1}")]
    File(PathBuf, io::Error),
    /// Decoding or encoding failed.
    #[error("importing {0:?} failed: {1}")]
    Failed(PathBuf, String),
    /// The import was cancelled.
    #[error("import cancelled; the video folder was not changed")]
    Interrupted,
}

/// An import that is ready to run.
#[derive(Debug)]
pub struct Import {
    request: ImportRequest,
    plan: ImportPlan,
    probed: Probed,
    /// Files of the video that is replaced; deleted when the new ones are complete.
    replaced: Vec<PathBuf>,
    processes: ProcessPool,
}

impl Import {
    /// Reads the file and checks that its variants can be created. Changes nothing. Blocks while the file is read.
    ///
    /// # Errors
    /// Every [`ImportError`] but `Failed` and `Interrupted`.
    pub fn prepare(request: ImportRequest, processes: &ProcessPool) -> Result<Self, ImportError> {
        require(elements::IMPORT)?;
        let title = title_of(&request)?;
        let mut heights = request.heights.clone();
        heights.sort_unstable();
        heights.dedup();
        let is_bad = |height: &u32| *height == 0 || !height.is_multiple_of(2) || *height > MAX_PICTURE_SIDE;
        if let Some(&height) = heights.iter().find(|height| is_bad(height)) {
            return Err(ImportError::BadHeight(height));
        }
        let replaced = files_of(&request.folder, &title);
        if let Some(first) = replaced.first().filter(|_| !request.replaces) {
            return Err(ImportError::TitleInUse(title, file_name(first)));
        }
        // Symbolic links and folders are no variants, but they occupy the name.
        let names = heights.iter().map(|height| format!("{title}_{height}p.mkv"));
        let mut occupied = names.filter(|name| is_taken(&request.folder.join(name)));
        if let Some(name) = occupied.find(|name| !request.replaces || !request.folder.join(name).is_file()) {
            return Err(ImportError::TitleInUse(title, name));
        }
        let source = request.file.canonicalize().ok();
        if source.is_some() && replaced.iter().any(|file| file.canonicalize().ok() == source) {
            return Err(ImportError::OwnSource(request.file));
        }
        // Opening a named pipe would block until a program writes into it.
        if fs::metadata(&request.file).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(ImportError::Unplayable(request.file, "not a regular file".to_owned()));
        }
        let probed = Prober::new(processes, vec![request.file.clone()])
            .probe(&request.file, &|| true)
            .map_err(|failure| ImportError::Unplayable(request.file.clone(), failure.reason))?;
        let sizes = heights.into_iter().map(|height| size_of(&probed, height)).collect::<Result<_, _>>()?;
        let plan = ImportPlan {
            title,
            sizes,
            source_height: probed.picture_height,
            frame_count: probed.index.len(),
            has_sound: probed.sound.is_some(),
        };
        Ok(Self { request, plan, probed, replaced, processes: processes.clone() })
    }

    /// What the import will create.
    pub fn plan(&self) -> &ImportPlan {
        &self.plan
    }

    /// Creates all variants and returns their paths. Blocks until then. Several times in a second, `progress` receives
    /// the number of frames written so far, of all variants together, and `is_wanted` is called; when it returns `false`,
    /// the import is cancelled.
    ///
    /// # Errors
    /// `Failed`, `File`, `TitleInUse` or `Interrupted`; what was written to the staging directory is removed.
    pub fn run(self, mut progress: impl FnMut(u64), is_wanted: impl Fn() -> bool) -> Result<Vec<PathBuf>, ImportError> {
        let folder = &self.request.folder;
        let staging = StagingDir::open(folder).map_err(|error| ImportError::File(folder.clone(), error))?;
        let names: Vec<_> =
            self.plan.sizes.iter().map(|(_, height)| format!("{}_{height}p.mkv", self.plan.title)).collect();
        let paths: Vec<_> = names.iter().map(|name| absolute(&staging.path_of(name))).collect();
        let sizes = paths.iter().zip(&self.plan.sizes);
        let job = TranscodeJob {
            path: absolute(&self.request.file).as_path().into(),
            track: self.probed.track.clone(),
            decoder: self.probed.decoder.clone(),
            needs_rgb: self.probed.needs_rgb,
            is_interlaced: self.probed.is_interlaced,
            sound: self.probed.sound.as_ref().map(|sound| (sound.track.clone(), sound.decoder.clone())),
            frames_per_second: frames_per_second(&self.probed.index),
            targets: sizes.map(|(path, &(width, height))| (path.as_path().into(), width, height)).collect(),
        };
        transcode(&self.processes, job, staging.folder(), &mut progress, &is_wanted).map_err(|error| match error {
            ProcessError::Cancelled => ImportError::Interrupted,
            error => ImportError::Failed(self.request.file.clone(), error.to_string()),
        })?;
        self.check(&paths)?;
        // Transcoding may have taken minutes, in which another program may have used the title.
        if let Some(taken) = names.iter().find(|name| !self.request.replaces && is_taken(&folder.join(name))) {
            return Err(ImportError::TitleInUse(self.plan.title, taken.clone()));
        }
        let paths = staging.finish(&names).map_err(|(path, error)| ImportError::File(path, error))?;
        for old in self.replaced.iter().filter(|old| !paths.contains(old)) {
            fs::remove_file(old).map_err(|error| ImportError::File(old.clone(), error))?;
        }
        Ok(paths)
    }

    /// Checks that every variant plays and that all have the same number of frames as the source.
    fn check(&self, paths: &[PathBuf]) -> Result<(), ImportError> {
        let failed = |cause: String| ImportError::Failed(self.request.file.clone(), cause);
        let mut prober = Prober::new(&self.processes, paths.to_vec());
        let mut counts = Vec::new();
        for (path, (_, height)) in paths.iter().zip(&self.plan.sizes) {
            let made = prober.probe(path, &|| true);
            let made = made.map_err(|failure| failed(format!("the {height}p variant: {}", failure.reason)))?;
            counts.push(made.index.len());
        }
        let expected = self.plan.frame_count;
        let is_even = counts.windows(2).all(|pair| pair[0] == pair[1]);
        // A decoder may output a few frames more or fewer than the container has, but must not stop half-way.
        let is_whole = |&count: &usize| count.abs_diff(expected) <= 1 + expected / 50;
        if is_even && counts.iter().all(is_whole) {
            return Ok(());
        }
        Err(failed(format!("the variants have {counts:?} frames instead of {expected}")))
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn title_of(request: &ImportRequest) -> Result<String, ImportError> {
    let stem = || request.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let title = request.title.clone().unwrap_or_else(stem);
    let variant = VariantName { title: title.clone(), height: 240 };
    let is_name = VariantName::parse(&format!("{title}_240p.mkv")) == Some(variant);
    let is_valid = is_name && !title.contains(['/', '\\']) && !title.starts_with('.') && title.len() <= 200;
    if is_valid { Ok(title) } else { Err(ImportError::BadTitle(title)) }
}

/// Files in the folder that are variants of this title.
fn files_of(folder: &Path, title: &str) -> Vec<PathBuf> {
    // A folder that does not exist yet has none. One that cannot be read fails later, when it is written to.
    let files = list_folder(folder).map(|listing| listing.files).unwrap_or_default();
    let files = files.into_iter().filter(|(variant, _)| variant.title == title).flat_map(|(_, files)| files);
    files.map(|VariantFile { path, .. }| path).collect()
}

/// Width and height of the variant with this height; both even, in the shape of the picture as shown.
fn size_of(probed: &Probed, height: u32) -> Result<(u32, u32), ImportError> {
    let shape = f64::from(probed.picture_width) / f64::from(probed.picture_height.max(1));
    let width = ((f64::from(height) * shape / 2.0).round() as u32).max(1) * 2;
    if width > MAX_PICTURE_SIDE { Err(ImportError::TooWide(height, width)) } else { Ok((width, height)) }
}
