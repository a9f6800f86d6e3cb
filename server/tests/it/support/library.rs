//! Scanning a video folder, and damaging files.

use std::path::Path;

use common::media::Library;
use triptych_server::video;

use super::guard;

/// The listing of `folder`.
pub fn scan(folder: &Path) -> Library {
    guard::alive();
    video::init().unwrap();
    video::library::Library::scan(folder).unwrap().listing()
}

/// Why the scan skipped a file.
pub fn skip_reason<'a>(library: &'a Library, file_name: &str) -> &'a str {
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
