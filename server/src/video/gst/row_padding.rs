//! Pads the rows of frames whose width is not a whole number of JPEG blocks.
//!
//! `jpegenc` (1.22) passes rows to the JPEG library as they are in memory, and the library reads to the end of the last
//! block: into the row padding, which most decoders leave zero, that is green, or into the next row. That colours the last
//! columns of the picture. So such frames are copied into longer rows, filled with the last sample of each row.

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{VideoFormat, VideoFrameExt, VideoFrameFlags, VideoFrameRef, VideoInfo, VideoMeta};

/// Luma samples across one minimum coded unit of a 4:2:0 JPEG: two blocks of eight (ITU-T T.81, A.2).
const BLOCK_WIDTH: usize = 16;

/// Pads the rows of every frame that enters `encoder`, where necessary.
pub(crate) fn pad_rows(encoder: &gst::Element) {
    let input = encoder.static_pad("sink").expect("an encoder has an input");
    input.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let video = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        if let Some(video) = video.filter(|video| !(video.width() as usize).is_multiple_of(BLOCK_WIDTH))
            && let Some(buffer) = info.buffer_mut()
            && let Some(padded) = padded(buffer, &video)
        {
            *buffer = padded;
        }
        gst::PadProbeReturn::Ok
    });
}

/// A copy with longer rows. `None` when the frame cannot be read; it is then encoded as it is.
fn padded(buffer: &gst::Buffer, video: &VideoInfo) -> Option<gst::Buffer> {
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
    let target = copy.get_mut().expect("a new buffer has one owner");
    buffer.copy_into(target, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..).ok()?;
    let (flags, format) = (VideoFrameFlags::empty(), VideoFormat::I420);
    VideoMeta::add_full(target, flags, format, video.width(), video.height(), &offsets, &strides).ok()?;
    Some(copy)
}
