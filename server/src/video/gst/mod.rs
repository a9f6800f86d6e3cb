//! Everything that uses GStreamer, and the only folder that names it. Knows files, not videos.
//!
//! ```text
//! probe             what a file contains, read without decoding it
//! picture_decoder   a range of frames of a file as JPEG pictures      row_padding
//! sound_decoder     the sound of a file as PCM                        preroll
//! transcoder        a file in other sizes                             decoder_select, tracks, key_frames
//! clip_encoder      generated pictures and sound as a file            pipeline: what every pipeline shares
//! ```
//!
//! The pipelines are drawn at the top of the files that build them.

pub(crate) mod clip_encoder;
mod decoder_select;
pub(crate) mod elements;
pub(crate) mod key_frames;
pub(crate) mod picture_decoder;
pub(crate) mod pipeline;
mod preroll;
pub(crate) mod probe;
mod row_padding;
pub(crate) mod sound_decoder;
mod tracks;
pub(crate) mod transcoder;
