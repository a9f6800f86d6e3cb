//! The right edge of pictures whose width is no whole number of JPEG blocks.
//!
//! `jpegenc` (1.22) hands rows to the JPEG library as they lie in memory, and that reads on to the end of the last
//! block: into the padding, which after most decoders is zero and so green, or into the next row. The picture's last
//! columns then take on some of it. So such frames get rows that are long enough, filled up with their last sample.

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{VideoFormat, VideoFrameExt, VideoFrameFlags, VideoFrameRef, VideoInfo, VideoMeta};

/// Samples of luma across a block of four luma and two chroma squares (ITU-T T.81, 4:2:0).
const BLOCK_WIDTH: usize = 16;

/// Has every frame on its way into `encoder` filled up.
pub(crate) fn pad_rows(encoder: &gst::Element) {
    let input = encoder.static_pad("sink").expect("an encoder has an input");
    input.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let video = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        if let Some(video) = video.filter(|video| !(video.width() as usize).is_multiple_of(BLOCK_WIDTH))
            && let Some(buffer) = info.buffer_mut()
            && let Some(filled) = filled(buffer, &video)
        {
            *buffer = filled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// A copy with longer rows. `None` when the frame cannot be read; it then goes on as it is.
fn filled(buffer: &gst::Buffer, video: &VideoInfo) -> Option<gst::Buffer> {
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, video).ok()?;
    let luma_stride = (video.width() as usize).next_multiple_of(BLOCK_WIDTH);
    let (mut bytes, mut offsets, mut strides) = (Vec::new(), Vec::new(), Vec::new());
    for plane in 0..frame.n_planes() {
        let stride = if plane == 0 { luma_stride } else { luma_stride / 2 };
        let width = frame.comp_width(plane) as usize;
        let source_stride = usize::try_from(*frame.plane_stride().get(plane as usize)?).ok()?;
        offsets.push(bytes.len());
        strides.push(i32::try_from(stride).ok()?);
        for row in frame.plane_data(plane).ok()?.chunks(source_stride).take(frame.comp_height(plane) as usize) {
            let samples = row.get(..width)?;
            bytes.extend_from_slice(samples);
            bytes.resize(bytes.len() + stride - width, *samples.last()?);
        }
    }
    let mut copy = gst::Buffer::from_mut_slice(bytes);
    let target = copy.get_mut().expect("nobody else has it yet");
    buffer.copy_into(target, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..).ok()?;
    let (flags, format) = (VideoFrameFlags::empty(), VideoFormat::I420);
    VideoMeta::add_full(target, flags, format, video.width(), video.height(), &offsets, &strides).ok()?;
    Some(copy)
}
