//! A video: one title, with one file for each resolution.

use std::{
    fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use common::{
    crypto::sha256,
    media::{VariantInfo, VideoId, VideoInfo},
    splice::{FrameIndex, Plan},
};

use super::folder::Stamp;
use crate::video::gst::{pipeline::PipelineError, probe::Probed};

/// One title in all its resolutions.
pub struct Video {
    /// The description that clients receive.
    pub info: VideoInfo,
    /// Frame times of each variant, in the order of `info.variants`.
    pub(crate) indices: Vec<FrameIndex>,
    /// The frames of each variant that a triptych shows, in the same order.
    pub(crate) shares: Vec<Range<usize>>,
    /// The file of each variant, in the same order.
    pub(crate) files: Vec<Arc<ProbedFile>>,
    /// The sound of every stream of this video; `None` when no file has any.
    pub(crate) sound: Option<SoundTrack>,
}

/// The soundtrack of a video: a track of one of its files, used by all of its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoundTrack {
    /// Index of the file in `Video::files`.
    pub(crate) file: usize,
    /// Identifies the track in the file, see [`crate::video::gst::probe::Probed::track`].
    pub(crate) track: String,
    /// Name of the decoder element.
    pub(crate) decoder: String,
}

/// The file of one variant, with what reading it showed.
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

    /// A file of raw pictures without sound that begin at these times, for tests. It is not there.
    #[cfg(test)]
    pub(super) fn imagined(path: PathBuf, stamp: Stamp, pts_nanos: Vec<u64>) -> Arc<Self> {
        let probed = Probed {
            index: FrameIndex::new(pts_nanos, None),
            key_frames: None,
            track: "1".into(),
            decoder: "identity".into(),
            picture_width: 320,
            picture_height: 240,
            needs_rgb: false,
            is_interlaced: false,
            is_jpeg_ready: false,
            is_planar: false,
            coding: "raw pictures".into(),
            sound: None,
        };
        Arc::new(Self::new(path, stamp, probed))
    }

    /// Checks on the disk that the file is still the one that was probed: the frame index is valid for no other.
    ///
    /// # Errors
    /// When the file was replaced, changed, removed, or cannot be accessed.
    pub(crate) fn check_same(&self) -> Result<(), PipelineError> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if Stamp::of(&metadata).has_same_contents(&self.stamp) => Ok(()),
            Ok(_) => Err(PipelineError("the file was replaced or changed".into())),
            Err(error) => Err(PipelineError(format!("the file can no longer be read: {error}"))),
        }
    }
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Video").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Video {
    /// Combines the files of one title, each with the height that its name states. `unreadable_heights` are those of its files
    /// that cannot be played.
    pub(crate) fn new(title: String, mut files: Vec<(u32, Arc<ProbedFile>)>, mut unreadable_heights: Vec<u32>) -> Self {
        unreadable_heights.sort_unstable();
        files.sort_by_key(|(height, _)| *height);
        let variants = files.iter().map(|(height, file)| variant_info(*height, &file.probed)).collect();
        let files: Vec<_> = files.into_iter().map(|(_, file)| file).collect();
        let indices: Vec<_> = files.iter().map(|file| file.probed.index.clone()).collect();
        let triptych = Plan::triptych(&indices);
        let mut shares = vec![0..0; files.len()];
        for segment in triptych.segments() {
            shares[segment.variant] = segment.frames.clone();
        }
        let duration_nanos = triptych.duration_nanos();
        let sound = best_sound(&files);
        let (id, fingerprint, has_sound) = (id_of(&title), fingerprint_of(&files), sound.is_some());
        let info = VideoInfo {
            id,
            fingerprint,
            title,
            duration_nanos,
            has_sound,
            is_ready: false,
            variants,
            unreadable_heights,
        };
        Self { info, indices, shares, files, sound }
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

/// The sound of the largest variant that has any, which is most likely the best encoded.
fn best_sound(files: &[Arc<ProbedFile>]) -> Option<SoundTrack> {
    files.iter().enumerate().rev().find_map(|(number, file)| {
        let found = file.probed.sound.as_ref()?;
        Some(SoundTrack { file: number, track: found.track.clone(), decoder: found.decoder.clone() })
    })
}

/// The same title has the same id after a restart, and the id does not reveal where the files are.
pub(crate) fn id_of(title: &str) -> VideoId {
    VideoId(first_eight(&sha256(title.as_bytes())))
}

/// Identifies the state of all files of a video: the same for the same files, also after a restart.
fn fingerprint_of(files: &[Arc<ProbedFile>]) -> u64 {
    let fingerprints: Vec<u8> = files.iter().flat_map(|file| file.fingerprint.to_be_bytes()).collect();
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

/// The last component of a path for display; bytes that are not UTF-8 are replaced.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fingerprint_tells_name_size_and_modification_time_apart() {
        let fingerprint = |name: &str, size_bytes, seconds| {
            let mut stamp = Stamp::default();
            (stamp.size_bytes, stamp.modified) = (size_bytes, Some(UNIX_EPOCH + Duration::from_secs(seconds)));
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
