//! Everything that uses GStreamer, and the only folder that names it. Knows files, not videos.
//!
//! ```text
//! probe             what a file contains, read without decoding it      track_scan, probe_error
//! picture_decoder   a range of frames of a file as JPEG pictures        jpeg_format, jpeg_input, full_range, skim, threads
//! sound_decoder     the sound of a file as PCM                          preroll
//! opus_encoder      PCM as packets of Opus
//! transcoder        a file in other sizes                               decoder_select, tracks, key_frames
//! clip_encoder      generated pictures and sound as a file              pipeline: shared by all of them
//! elements          starts GStreamer and checks that its elements are installed
//! ```
//!
//! The pipelines are drawn at the top of the files that build them.

pub(crate) mod clip_encoder;
mod decoder_select;
pub(crate) mod elements;
mod full_range;
mod jpeg_format;
mod jpeg_input;
pub(crate) mod key_frames;
pub(crate) mod opus_encoder;
pub(crate) mod picture_decoder;
pub(crate) mod pipeline;
mod preroll;
pub(crate) mod preview_decoder;
pub(crate) mod probe;
pub(crate) mod probe_error;
mod skim;
pub(crate) mod sound_decoder;
#[cfg(test)]
pub(crate) mod test_clip;
pub(crate) mod threads;
pub(crate) mod track_scan;
mod tracks;
pub(crate) mod transcoder;
