//! Scanning a video folder, and damaging files.

use std::path::Path;

use common::media::VideoInfo;
use triptych_server::video::{self, library::SkippedFile};

use super::guard;

/// What is in a folder: what clients are told, and the files that only the console names.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned {
    pub videos: Vec<VideoInfo>,
    pub unplayable_count: u32,
    pub skipped: Vec<SkippedFile>,
}

/// Reads `folder`.
pub fn scan(folder: &Path) -> Scanned {
    guard::alive();
    video::init().unwrap();
    let library = video::library::Library::scan(folder).unwrap();
    let listing = library.listing();
    let skipped = library.skipped_files();
    Scanned { videos: listing.videos, unplayable_count: listing.unplayable_count, skipped }
}

/// Why the scan skipped a file.
pub fn skip_reason<'a>(library: &'a Scanned, file_name: &str) -> &'a str {
    let found = library.skipped.iter().find(|file| file.file_name == file_name);
    &found.unwrap_or_else(|| panic!("{file_name} is not skipped in {library:#?}")).reason
}

/// Overwrites `bytes` with noise, the same in every run.
pub fn fill_with_noise(bytes: &mut [u8]) {
    let mut state = 1u32;
    for byte in bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
}
