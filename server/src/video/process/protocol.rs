//! What the server and a worker process say to each other.
//!
//! ```text
//! server                                    worker process
//! Prepare (files that it may read)   ─►
//!                                    ◄─     Ready (what the sandbox consists of)
//! Start (a job)                      ─►
//!                                    ◄─     Beat …, Frame …, Preview …, Progress …, Warning …
//! Credit (more frames)               ─►
//! Stop                               ─►
//!                                    ◄─     Probed, Failed, Finished or Stopped: the end of the job
//! ```

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use common::{limits::MAX_PICTURE_SIDE, media::SoundFormat, splice::FrameIndex};
use serde::{Deserialize, Serialize};

use crate::video::gst::{
    key_frames::KeyFrames,
    pipeline::DecodeError,
    probe::{MAX_NANOS, Probed},
    probe_error::MAX_FRAMES,
    track_scan::ProbedSound,
};

/// The largest payload of an answer to a probe: a time for each frame, and for each key frame.
pub(super) const MAX_PROBED_BYTES: usize = 2 * MAX_FRAMES * WORD_BYTES;

/// The longest text of a worker process that is repeated to people, in characters.
const MAX_TEXT_CHARS: usize = 300;

const WORD_BYTES: usize = 8;

/// From the server to a worker process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first message. Its payload names the files that may be read, each followed by a zero byte.
    Prepare {
        /// A folder in which files may be created.
        writable: Option<PathBytes>,
        /// Whether everything else on this computer goes first.
        is_background: bool,
    },
    /// Begins a job, with the first credit for frames. The payload of a [`Job::Pictures`] holds the times of the
    /// frames, see [`encode_times`].
    Start { job: Job, credit: u32 },
    /// Allows so many further frames to be sent.
    Credit(u32),
    /// Ends the job.
    Stop,
}

/// What a worker process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Job {
    /// Find out what a file contains.
    Probe { path: PathBytes },
    /// Make pictures.
    Pictures(PictureJob),
    /// Make sound.
    Sound(SoundJob),
    /// Write a file in other sizes.
    Transcode(TranscodeJob),
    /// Make single small pictures.
    Previews(PreviewJob),
}

/// The pictures of a file from one frame on. See `gst::picture_decoder::DecodeRequest`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PictureJob {
    pub(crate) path: PathBytes,
    pub(crate) track: String,
    pub(crate) decoder: String,
    /// Number of the first frame, counted within the times that are sent along.
    pub(crate) first: u32,
    /// Number of frames, unless the file ends before.
    pub(crate) count: u32,
    /// End of the last frame.
    pub(crate) end_nanos: u64,
    pub(crate) seek_nanos: Option<u64>,
    pub(crate) skim_until_nanos: Option<u64>,
    /// Width and height of the pictures.
    pub(crate) size: (u32, u32),
    pub(crate) needs_rgb: bool,
    pub(crate) is_interlaced: bool,
    pub(crate) is_planar: bool,
    /// Decoders that may work at the same time, if the file can be cut.
    pub(crate) lanes: u32,
    /// Encoder branches of each of them.
    pub(crate) branches: u32,
    pub(crate) has_one_thread: bool,
}

/// The sound of a file in one format, from one chunk on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SoundJob {
    pub(crate) path: PathBytes,
    pub(crate) track: String,
    pub(crate) decoder: String,
    /// When the first picture is shown, where chunk 0 begins.
    pub(crate) origin_nanos: u64,
    pub(crate) format: SoundFormat,
    pub(crate) first_chunk: u64,
}

/// A file, and what is to be written from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TranscodeJob {
    pub(crate) path: PathBytes,
    pub(crate) track: String,
    pub(crate) decoder: String,
    pub(crate) needs_rgb: bool,
    pub(crate) is_interlaced: bool,
    /// Track and decoder of the sound.
    pub(crate) sound: Option<(String, String)>,
    pub(crate) frames_per_second: u32,
    /// Path, width and height of each file to write.
    pub(crate) targets: Vec<(PathBytes, u32, u32)>,
}

/// Single frames of a file, made in the order in which they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PreviewJob {
    pub(crate) path: PathBytes,
    pub(crate) track: String,
    pub(crate) decoder: String,
    pub(crate) needs_rgb: bool,
    pub(crate) is_interlaced: bool,
    /// Whether all groups of pictures are closed.
    pub(crate) are_closed: bool,
    /// Width and height of the pictures.
    pub(crate) size: (u32, u32),
    /// The longest picture that is wanted.
    pub(crate) max_bytes: u32,
    pub(crate) frames: Vec<PreviewFrame>,
}

/// A frame of a [`PreviewJob`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PreviewFrame {
    /// When it is shown.
    pub(crate) nanos: u64,
    /// Time of the key frame from which it is decoded; it may be that one itself.
    pub(crate) seek_nanos: u64,
}

/// From a worker process to the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is prepared.
    Ready(Sandbox),
    /// The job is still under way.
    Beat,
    /// The frame with this number of the job; the payload is its bytes.
    Frame(u64),
    /// The frame with this number of a [`Job::Previews`], and its time in the file; the payload is its bytes. Frames that cannot
    /// be made are left out.
    Preview { number: u32, nanos: u64 },
    /// What a file contains. The payload holds the times, see [`ProbedHead`]. Ends the job.
    Probed(ProbedHead),
    /// So many frames have been written.
    Progress(u64),
    /// Something that people should know; the job goes on.
    Warning(String),
    /// The job cannot be done, or not to its end.
    Failed(Failure),
    /// The job is done.
    Finished,
    /// The job was stopped.
    Stopped,
}

/// What holds back a worker process that a file has taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// It can open no files but the videos and the system's libraries (landlock).
    pub limits_files: bool,
    /// It can open no sockets, start no programs and reach no other processes (seccomp).
    pub limits_calls: bool,
}

impl Sandbox {
    /// What is missing here, as a sentence; `None` when nothing is.
    pub fn gap(&self) -> Option<&'static str> {
        match (self.limits_files, self.limits_calls) {
            (true, true) => None,
            (false, true) => Some(
                "This kernel has no landlock: a video that takes over its decoder could read the files of the server's user.",
            ),
            (true, false) => {
                Some("This system has no seccomp filters: a video that takes over its decoder could use the network.")
            }
            (false, false) => Some(
                "This system has neither landlock nor seccomp: a video that takes over its decoder could read the files of \
                 the server's user and use the network.",
            ),
        }
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Failure {
    /// The file has no such frame.
    #[error("the frame is missing")]
    Missing,
    /// A clause for people.
    #[error("{0}")]
    Cause(String),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Missing => Self::Missing,
            error => Self::Cause(error.to_string()),
        }
    }
}

impl Failure {
    /// With a text that can be shown to people, whatever the worker process wrote.
    pub(super) fn cleaned(self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Cause(text) => Self::Cause(clean(&text)),
        }
    }
}

/// A text of a worker process, cut, and without control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A path; not every one is a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathBytes(Vec<u8>);

impl From<&Path> for PathBytes {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

impl PathBytes {
    pub(crate) fn to_path(&self) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&self.0))
    }
}

/// The paths of [`Request::Prepare`]; none contains a zero byte.
pub(super) fn encode_paths(paths: &[PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| path.as_os_str().as_bytes().iter().copied().chain([0])).collect()
}

pub(super) fn decode_paths(bytes: &[u8]) -> Vec<PathBuf> {
    bytes.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(|path| OsStr::from_bytes(path).into()).collect()
}

/// Numbers as a payload: at a hundred thousand of them, many times faster than as a value.
pub(super) fn encode_words(words: impl Iterator<Item = u64>) -> Vec<u8> {
    words.flat_map(u64::to_le_bytes).collect()
}

pub(super) fn decode_words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<WORD_BYTES>().0.iter().copied().map(u64::from_le_bytes).collect()
}

/// Marks a frame at which the file can be cut. No time reaches it.
const CUT: u64 = 1 << 63;

/// The times of the frames of a file from one on, and which of them are those of key frames that begin a closed group.
pub(super) fn encode_times(index: &FrameIndex, start: usize, closed_nanos: &BTreeSet<u64>) -> Vec<u8> {
    let times = (start..index.len()).map(|frame| index.pts_nanos(frame));
    encode_words(times.map(|nanos| if closed_nanos.contains(&nanos) { nanos | CUT } else { nanos }))
}

/// The times, and the frames at which the file can be cut.
pub(super) fn decode_times(payload: &[u8]) -> (Vec<u64>, Vec<usize>) {
    let mut times = decode_words(payload);
    let cuts = times.iter().enumerate().filter(|(_, word)| **word & CUT == CUT).map(|(frame, _)| frame).collect();
    times.iter_mut().for_each(|word| *word &= !CUT);
    (times, cuts)
}

/// [`Probed`] without its times, which are the payload: first those of the frames, then those of the key frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProbedHead {
    frame_count: u64,
    end_nanos: u64,
    has_key_frames: bool,
    track: String,
    decoder: String,
    picture_width: u32,
    picture_height: u32,
    needs_rgb: bool,
    is_interlaced: bool,
    is_jpeg_ready: bool,
    is_planar: bool,
    coding: String,
    /// Track, decoder and coding.
    sound: Option<[String; 3]>,
}

impl ProbedHead {
    /// Splits what was found into a head and a payload.
    pub(super) fn split(probed: Probed) -> (Self, Vec<u8>) {
        let index = &probed.index;
        let times = (0..index.len()).map(|frame| index.pts_nanos(frame));
        let key_times = probed.key_frames.iter().flat_map(KeyFrames::to_words);
        let payload = encode_words(times.chain(key_times));
        let head = Self {
            frame_count: index.len() as u64,
            end_nanos: index.len().checked_sub(1).map_or(0, |last| index.end_nanos(last)),
            has_key_frames: probed.key_frames.is_some(),
            track: probed.track,
            decoder: probed.decoder,
            picture_width: probed.picture_width,
            picture_height: probed.picture_height,
            needs_rgb: probed.needs_rgb,
            is_interlaced: probed.is_interlaced,
            is_jpeg_ready: probed.is_jpeg_ready,
            is_planar: probed.is_planar,
            coding: probed.coding,
            sound: probed.sound.map(|sound| [sound.track, sound.decoder, sound.coding]),
        };
        (head, payload)
    }

    /// What was found, if it is something that a probe can find. The rest of the server relies on it: there are frames,
    /// their times ascend, and no sum of them overflows.
    pub(super) fn join(self, payload: &[u8]) -> Option<Probed> {
        let frame_count = usize::try_from(self.frame_count).ok().filter(|count| (1..=MAX_FRAMES).contains(count))?;
        let mut times = decode_words(payload);
        let key_times = (times.len() >= frame_count).then(|| times.split_off(frame_count))?;
        let last_nanos = *times.last()?;
        let is_ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
        let is_bounded = last_nanos <= MAX_NANOS && last_nanos < self.end_nanos && self.end_nanos <= 2 * MAX_NANOS;
        let is_side = |side: u32| (1..=MAX_PICTURE_SIDE).contains(&side);
        let is_whole = payload.len().is_multiple_of(WORD_BYTES) && (self.has_key_frames || key_times.is_empty());
        let are_sides = is_side(self.picture_width) && is_side(self.picture_height);
        let is_word = |word: &String| word.len() <= MAX_TEXT_CHARS && !word.contains(char::is_control);
        let are_words = [&self.track, &self.decoder, &self.coding].into_iter().all(is_word)
            && self.sound.iter().flatten().all(is_word);
        if !(is_ascending && is_bounded && is_whole && are_sides && are_words) {
            return None;
        }
        Some(Probed {
            index: FrameIndex::new(times, Some(self.end_nanos)),
            key_frames: self.has_key_frames.then(|| KeyFrames::from_words(key_times.into_iter())),
            track: self.track,
            decoder: self.decoder,
            picture_width: self.picture_width,
            picture_height: self.picture_height,
            needs_rgb: self.needs_rgb,
            is_interlaced: self.is_interlaced,
            is_jpeg_ready: self.is_jpeg_ready,
            is_planar: self.is_planar,
            coding: self.coding,
            sound: self.sound.map(|[track, decoder, coding]| ProbedSound { track, decoder, coding }),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn probed() -> Probed {
        let mut key_frames = KeyFrames::default();
        [(0, true), (40, false), (120, true), (80, false)]
            .iter()
            .for_each(|&(nanos, is_key)| key_frames.note(nanos, is_key));
        Probed {
            index: FrameIndex::new(vec![0, 40, 80, 120], Some(160)),
            key_frames: Some(key_frames),
            track: "1".into(),
            decoder: "identity".into(),
            picture_width: 320,
            picture_height: 240,
            needs_rgb: true,
            is_interlaced: false,
            is_jpeg_ready: true,
            is_planar: true,
            coding: "raw pictures".into(),
            sound: Some(ProbedSound { track: "2".into(), decoder: "opusdec".into(), coding: "Opus".into() }),
        }
    }

    #[test]
    fn what_a_probe_found_survives_the_way() {
        let (head, payload) = ProbedHead::split(probed());
        assert_eq!(head.join(&payload), Some(probed()));
        let untimed = Probed { key_frames: None, sound: None, ..probed() };
        let (head, payload) = ProbedHead::split(untimed.clone());
        assert_eq!(head.join(&payload), Some(untimed));
    }

    #[test]
    fn what_no_probe_can_find_is_refused() {
        let (good, payload) = ProbedHead::split(probed());
        let times = |times: &[u64]| encode_words(times.iter().copied());
        for (what, head, payload) in [
            ("no frames", ProbedHead { frame_count: 0, ..good.clone() }, vec![]),
            ("fewer times than frames", good.clone(), payload[..24].to_vec()),
            ("half a time", good.clone(), [&payload[..], &[1]].concat()),
            ("equal times", good.clone(), times(&[0, 40, 40, 120])),
            ("times that would overflow", good.clone(), times(&[0, 40, 80, u64::MAX])),
            ("an end before the last frame", ProbedHead { end_nanos: 120, ..good.clone() }, payload.clone()),
            ("an end that would overflow", ProbedHead { end_nanos: u64::MAX, ..good.clone() }, payload.clone()),
            ("key frames that it says it lacks", ProbedHead { has_key_frames: false, ..good.clone() }, payload.clone()),
            ("no width", ProbedHead { picture_width: 0, ..good.clone() }, payload.clone()),
            ("too high", ProbedHead { picture_height: MAX_PICTURE_SIDE + 1, ..good.clone() }, payload.clone()),
            ("an escape sequence", ProbedHead { coding: "\x1b[2J".into(), ..good.clone() }, payload.clone()),
            ("a long name", ProbedHead { decoder: "x".repeat(1000), ..good }, payload.clone()),
        ] {
            assert_eq!(head.join(&payload), None, "{what}");
        }
    }

    #[test]
    fn texts_are_cut_and_control_characters_replaced() {
        let text = clean(&format!("a\x1b[2J\n{}", "é".repeat(1000)));
        assert!(text.starts_with("a\u{fffd}[2J\u{fffd}é") && text.chars().count() == MAX_TEXT_CHARS, "{text}");
    }

    #[test]
    fn times_and_cuts_survive_the_way() {
        let index = FrameIndex::new(vec![0, 40, 80, 120], None);
        let payload = encode_times(&index, 1, &BTreeSet::from([0, 80, 90]));
        assert_eq!(decode_times(&payload), (vec![40, 80, 120], vec![1]));
    }

    #[test]
    fn paths_survive_the_way() {
        let paths = [PathBuf::from("/a b/ü_240p.mkv"), PathBuf::from(OsStr::from_bytes(b"/odd \xff"))];
        assert_eq!(decode_paths(&encode_paths(&paths)), paths);
        assert_eq!(PathBytes::from(paths[1].as_path()).to_path(), paths[1]);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_server_panic(
            frame_count in 0u64..6, end_nanos: u64, has_key_frames: bool, width: u32, height: u32,
            words in prop::collection::vec(prop_oneof![0u64..100, any::<u64>()], 0..8), rest in 0usize..8,
        ) {
            let (good, _) = ProbedHead::split(probed());
            let head = ProbedHead {
                frame_count, end_nanos, has_key_frames, picture_width: width, picture_height: height, ..good
            };
            let payload = [encode_words(words.into_iter()), vec![0; rest]].concat();
            if let Some(probed) = head.join(&payload) {
                prop_assert!(!probed.index.is_empty());
                let last = probed.index.len() - 1;
                prop_assert!(probed.index.end_nanos(last) > probed.index.pts_nanos(last));
            }
        }
    }
}
