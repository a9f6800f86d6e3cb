//! The raw format that goes into JPEG files, and the elements that convert decoded frames to it.
//!
//! ```text
//! videoconvertscale ► caps (RGB or I420, if needed) ► deinterlace (if needed) ► videoflip ► videoconvertscale
//! ```
//!
//! JPEG readers assume full-range BT.601. Frames that are in it already pass all converters untouched. Frames that differ in
//! nothing but their colours pass none: `jpeg_input` takes a fifth of the time.

use gstreamer as gst;
use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoInfo};

use super::{
    full_range::ColourConversion,
    pipeline::{PipelineError, element},
};

/// The format of the frames that a decoder outputs.
pub(crate) struct DecoderOutput {
    caps: Option<gst::Caps>,
    info: Option<VideoInfo>,
}

impl DecoderOutput {
    /// `caps` are those of the decoder's output pad; `None` before its first frame.
    pub(crate) fn new(caps: Option<gst::Caps>) -> Self {
        let info = caps.as_ref().and_then(|caps| VideoInfo::from_caps(caps).ok());
        Self { caps, info }
    }

    /// Whether the frames must be converted by way of RGB. `videoconvertscale` (1.22) takes limited-range BT.601 for
    /// full-range BT.601 and changes nothing, because it compares only the matrices.
    pub(crate) fn needs_rgb(&self) -> bool {
        self.info.as_ref().is_some_and(|info| {
            let colours = info.colorimetry();
            colours.matrix() == VideoColorMatrix::Bt601 && colours.range() != VideoColorRange::Range0_255
        })
    }

    /// Whether frames consist of two fields, captured one after the other.
    pub(crate) fn is_interlaced(&self) -> bool {
        self.info.as_ref().is_some_and(VideoInfo::is_interlaced)
    }

    /// Whether the frames need at most other colours, which [`jpeg_input`](super::jpeg_input) gives them, if they are
    /// upright.
    pub(crate) fn is_planar(&self) -> bool {
        self.info.as_ref().is_some_and(|info| {
            let has_square_pixels = info.par() == gst::Fraction::new(1, 1);
            let has_known_colours = ColourConversion::from(&info.colorimetry()).is_some();
            info.format() == VideoFormat::I420 && has_square_pixels && has_known_colours && !info.is_interlaced()
        })
    }

    /// Whether the frames can be encoded as they are, if they are upright. Caps that leave a field open do not count,
    /// because the caps filter refuses them.
    pub(crate) fn is_jpeg_ready(&self) -> bool {
        self.caps.as_ref().is_some_and(|given| given.is_subset(&caps(None))) && !self.is_interlaced()
    }
}

/// Planar 4:2:0, full range (1), BT.601 matrix (4), square pixels: what JPEG readers assume. With a width and a height if
/// `size` has them.
pub(crate) fn caps(size: Option<(u32, u32)>) -> gst::Caps {
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("colorimetry", "1:4:0:0")
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
    match size {
        Some((width, height)) => caps.field("width", width as i32).field("height", height as i32).build(),
        None => caps.build(),
    }
}

/// Planar 4:2:0 frames of this width and height, of any colours.
pub(crate) fn planar_caps((width, height): (u32, u32)) -> gst::Caps {
    let caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    caps.field("width", width as i32).field("height", height as i32).build()
}

/// A caps filter that lets only these caps pass.
pub(crate) fn caps_filter(caps: &gst::Caps) -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make("capsfilter").property("caps", caps).build()?)
}

/// The format of frames between the first converter and the second.
pub(crate) fn intermediate_caps(needs_rgb: bool, rgb_format: &str, is_interlaced: bool) -> gst::Caps {
    let raw = gst::Caps::builder("video/x-raw");
    match (needs_rgb, is_interlaced) {
        (true, _) => raw.field("format", rgb_format).build(),
        // `deinterlace` passes formats that it does not support through unchanged.
        (false, true) => raw.field("format", "I420").build(),
        (false, false) => raw.build(),
    }
}

/// Turns frames upright, as the file's metadata says.
pub(crate) fn flip() -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make("videoflip").property_from_str("video-direction", "auto").build()?)
}

/// Converts and scales frames. Without borders: they would be added for a rounding error of one pixel.
pub(crate) fn scale() -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make("videoconvertscale").property("add-borders", false).build()?)
}

/// The elements that convert decoded frames of any kind to upright frames of the format [`caps`].
pub(crate) fn converters(needs_rgb: bool, is_interlaced: bool) -> Result<Vec<gst::Element>, PipelineError> {
    let intermediate = caps_filter(&intermediate_caps(needs_rgb, "RGB", is_interlaced))?;
    let deinterlace = is_interlaced.then(deinterlace).transpose()?;
    let chain = [Some(element("videoconvertscale")?), Some(intermediate), deinterlace, Some(flip()?), Some(scale()?)];
    Ok(chain.into_iter().flatten().collect())
}

/// Makes one frame from the two fields of each frame, from that frame alone, because branches do not receive consecutive
/// frames.
fn deinterlace() -> Result<gst::Element, PipelineError> {
    let deinterlace = gst::ElementFactory::make("deinterlace").property_from_str("mode", "interlaced");
    Ok(deinterlace.property_from_str("fields", "top").property_from_str("method", "linear").build()?)
}
