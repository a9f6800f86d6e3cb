//! Probes a file: the time of each frame, the key frames, the decoder that works, and the size of the picture as shown.
//!
//! ```text
//! check_length ─► scan_tracks (reads everything, decodes nothing) ─► the first picture, through `picture_decoder`
//! ```

use std::{fs, io::Read, path::Path};

use common::{limits::MAX_PICTURE_SIDE, splice::FrameIndex};
use gstreamer as gst;

use super::{
    decoder_select::video_decoders,
    jpeg_format::DecoderOutput,
    key_frames::KeyFrames,
    picture_decoder::{DecodeRequest, JpegPicture, PictureDecoder},
    pipeline::{DecodeError, Heartbeat, PipelineError},
    probe_error::ProbeError,
    track_scan::{ProbedSound, TrackScan, count_frames, scan_tracks},
    tracks::coding,
};

/// Limit of time stamps: over two years. Larger ones are damaged, and sums of them would overflow.
pub(crate) const MAX_NANOS: u64 = 1 << 56;

/// Parsers that do not know the duration of a frame report a nanosecond.
const SHORTEST_FRAME_NANOS: u64 = 100_000;

/// The contents of a file that can be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    /// The time of each frame.
    pub(crate) index: FrameIndex,
    /// `None` when the file has no usable times: those of the index come from the decoder, and are valid only when it
    /// reads from the start.
    pub(crate) key_frames: Option<KeyFrames>,
    /// Identifies the video track in the file, see [`super::tracks::track_id`].
    pub(crate) track: String,
    /// Name of the decoder element.
    pub(crate) decoder: String,
    /// Width of the picture as shown, in pixels.
    pub(crate) picture_width: u32,
    /// Height of the picture as shown, in pixels.
    pub(crate) picture_height: u32,
    /// See [`DecoderOutput::needs_rgb`].
    pub(crate) needs_rgb: bool,
    /// See [`DecoderOutput::is_interlaced`].
    pub(crate) is_interlaced: bool,
    /// Whether decoded frames can be encoded as JPEG without any conversion.
    pub(crate) is_jpeg_ready: bool,
    /// Whether they need no converters, but other colours at most.
    pub(crate) is_planar: bool,
    /// Usual name of the coding of the pictures.
    pub(crate) coding: String,
    /// The first sound track that this machine can decode.
    pub(crate) sound: Option<ProbedSound>,
}

/// Reads a file from end to end without decoding it, then decodes its first picture. Blocks until then; several times in
/// a second `is_wanted` is called, and `false` cancels.
///
/// # Errors
/// Why the file cannot be played.
pub(crate) fn probe(path: &Path, is_wanted: &dyn Fn() -> bool) -> Result<Probed, ProbeError> {
    check_length(path)?;
    let scan = scan_tracks(path, is_wanted)?;
    let caps = scan.caps.clone().ok_or(ProbeError::NoVideoTrack)?;
    check_size(&caps)?;
    let mut last_error =
        ProbeError::NeedsDecoder(caps.structure(0).map_or_else(String::new, |first| first.name().to_string()));
    for decoder in video_decoders(&caps) {
        match try_decoder(scan.clone(), path, &decoder, is_wanted) {
            Ok(probed) => return Ok(probed),
            Err(ProbeError::Cancelled) => return Err(ProbeError::Cancelled),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Checks the length of the file, as far as that is possible before reading it.
fn check_length(path: &Path) -> Result<(), ProbeError> {
    let file = fs::File::open(path).map_err(ProbeError::Unreadable)?;
    let length = file.metadata().map_err(ProbeError::Unreadable)?.len();
    if length == 0 {
        return Err(ProbeError::Empty);
    }
    // The AVI demultiplexer accepts a truncated file without an error, so the length in the RIFF header is compared.
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head).map_err(ProbeError::Unreadable)?;
    let promised = head.strip_prefix(b"RIFF").and_then(|size| Some(u32::from_le_bytes(size.try_into().ok()?)));
    match promised.filter(|&size| size != u32::MAX).map(|size| u64::from(size) + 8) {
        Some(promised) if promised > length => Err(ProbeError::Short(length, promised)),
        _ => Ok(()),
    }
}

/// Decodes the first picture with this decoder, which shows that the file can be played and gives the size of the picture.
fn try_decoder(
    mut scan: TrackScan,
    path: &Path,
    decoder: &str,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Probed, ProbeError> {
    let track = scan.track.take().unwrap_or_default();
    let is_timed = scan.is_timed();
    if !is_timed {
        (scan.pts_nanos, scan.end_nanos) = count_frames(path, &track, decoder, is_wanted)?;
        scan.pts_nanos.sort_unstable();
        scan.pts_nanos.dedup();
    }
    if scan.pts_nanos.is_empty() {
        return Err(ProbeError::NoFrames);
    }
    if scan.end_nanos.max(scan.pts_nanos.iter().copied().max().unwrap_or(0)) > MAX_NANOS {
        return Err(ProbeError::TooLong);
    }
    let last_duration_nanos = scan.end_nanos.saturating_sub(scan.last_start_nanos);
    let end_nanos = Some(scan.end_nanos).filter(|_| last_duration_nanos >= SHORTEST_FRAME_NANOS);
    let index = FrameIndex::new(scan.pts_nanos, end_nanos);
    let (picture, output) = first_picture(path, &track, decoder, &index, is_wanted)?;
    let JpegPicture { frame: first, width: picture_width, height: picture_height, .. } = picture;
    check_sides(picture_width, picture_height)?;
    // Frames before the first one that the decoder outputs cannot be shown: they refer to frames that were cut off.
    let times = (first..index.len()).map(|frame| index.pts_nanos(frame)).collect();
    let index = FrameIndex::new(times, Some(index.end_nanos(index.len() - 1)));
    let key_frames = is_timed.then_some(scan.key_frames);
    let is_uniform = !scan.is_rotated && !scan.changes_size;
    Ok(Probed {
        index,
        key_frames,
        track,
        decoder: decoder.to_owned(),
        picture_width,
        picture_height,
        needs_rgb: output.needs_rgb(),
        is_interlaced: output.is_interlaced(),
        is_jpeg_ready: output.is_jpeg_ready() && is_uniform,
        is_planar: output.is_planar() && is_uniform,
        coding: scan.caps.map_or_else(String::new, |caps| coding(&caps)),
        sound: scan.sounds.into_values().flatten().next(),
    })
}

/// The first picture that the decoder outputs, and the format of its output.
fn first_picture(
    path: &Path,
    track: &str,
    decoder: &str,
    index: &FrameIndex,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(JpegPicture, DecoderOutput), ProbeError> {
    let request = DecodeRequest {
        path,
        track,
        decoder,
        index,
        frames: 0..index.len(),
        seek_nanos: None,
        skim_until_nanos: None,
        size: None,
        needs_rgb: false,
        is_interlaced: false,
        is_planar: false,
        branches: 1,
        has_one_thread: false,
    };
    let first = PictureDecoder::open(&request, Heartbeat::default(), is_wanted)
        .and_then(|mut pictures| Ok((pictures.first(is_wanted)?, pictures.output())));
    match first {
        Ok(first) => Ok(first),
        Err(DecodeError::Hung) => Err(ProbeError::Hung),
        Err(DecodeError::Pipeline(PipelineError(cause))) => Err(ProbeError::Undecodable(cause)),
        Err(DecodeError::Cancelled) => Err(ProbeError::Cancelled),
        Err(DecodeError::Missing) => Err(ProbeError::Undecodable("the decoder outputs no picture".into())),
    }
}

fn check_size(caps: &gst::Caps) -> Result<(), ProbeError> {
    let side = |name| caps.structure(0).and_then(|first| first.get::<i32>(name).ok()).map_or(0, i32::unsigned_abs);
    check_sides(side("width"), side("height"))
}

fn check_sides(width: u32, height: u32) -> Result<(), ProbeError> {
    if width.max(height) > MAX_PICTURE_SIDE { Err(ProbeError::TooLarge(width, height)) } else { Ok(()) }
}
