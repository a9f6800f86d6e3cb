//! Prepares frames for `jpegenc`: full-range BT.601 colours, and rows of whole JPEG blocks.
//!
//! `jpegenc` (1.22) takes the colours as they are, and passes rows to the JPEG library as they are in memory. The library
//! reads to the end of the last block: into the row padding, which most decoders leave zero, that is green, or into the next
//! row. That colours the last columns of the picture. So frames that need either are copied: with new colours, into rows
//! that are filled with their last sample.

use std::sync::{Mutex, PoisonError};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{VideoFormat, VideoFrameExt, VideoFrameFlags, VideoFrameRef, VideoInfo, VideoMeta};

use super::full_range::{ColourConversion, Planes};

/// Luma samples across one minimum coded unit of a 4:2:0 JPEG: two blocks of eight (ITU-T T.81, A.2).
const BLOCK_WIDTH: usize = 16;

/// Prepares every frame that enters `encoder`, where necessary.
pub(crate) fn prepare(encoder: &gst::Element) {
    let input = encoder.static_pad("sink").expect("an encoder has an input");
    let pool = Mutex::new(Pool::default());
    input.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok());
        if let Some(video) = video.filter(|video| video.format() == VideoFormat::I420)
            && let Some(buffer) = info.buffer_mut()
        {
            let conversion = ColourConversion::from(&video.colorimetry()).filter(|found| !found.changes_nothing());
            let has_whole_blocks = (video.width() as usize).is_multiple_of(BLOCK_WIDTH);
            let is_done = match conversion {
                Some(conversion) => has_whole_blocks && convert_in_place(buffer, &video, conversion),
                None => has_whole_blocks,
            };
            if !is_done
                && let Some(copy) = pool.lock().unwrap_or_else(PoisonError::into_inner).copy(buffer, &video, conversion)
            {
                *buffer = copy;
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Converts a frame that no one else sees: what libav decodes in several threads has been copied already, because the decoder
/// goes on to use its own. Returns whether that was so.
fn convert_in_place(buffer: &mut gst::Buffer, video: &VideoInfo, conversion: ColourConversion) -> bool {
    let size = (video.width() as usize, video.height() as usize);
    let Some(own) = buffer.get_mut() else { return false };
    if own.n_memory() != 1 || own.peek_memory_mut(0).is_err() {
        return false;
    }
    let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(own, video) else { return false };
    let strides = [0, 1, 2].map(|plane| frame.plane_stride().get(plane).copied().unwrap_or(0));
    let strides = strides.map(|stride| usize::try_from(stride).unwrap_or(0));
    let [luma, blue, red, _] = frame.planes_data_mut();
    if strides[0] < size.0 || strides[1].min(strides[2]) < size.0.div_ceil(2) {
        return false;
    }
    conversion.convert([luma, blue, red], strides, size);
    true
}

/// The memory of copies, which is used again for the next frame: taking new pages from the system each time costs as much as
/// the conversion.
#[derive(Default)]
struct Pool(Option<(usize, gst::BufferPool)>);

impl Pool {
    /// A copy of a frame for `jpegenc`. `None` when the frame cannot be read; it is then encoded as it is.
    fn copy(
        &mut self,
        buffer: &gst::Buffer,
        video: &VideoInfo,
        conversion: Option<ColourConversion>,
    ) -> Option<gst::Buffer> {
        let (width, height) = (video.width() as usize, video.height() as usize);
        let stride = width.next_multiple_of(BLOCK_WIDTH);
        let (strides, heights) = ([stride, stride / 2, stride / 2], [height, height.div_ceil(2), height.div_ceil(2)]);
        let lengths = [0, 1, 2].map(|plane| strides[plane] * heights[plane]);
        let mut copy = self.take(lengths.iter().sum())?;
        let target = copy.get_mut().expect("a new buffer has one owner");
        {
            let frame = VideoFrameRef::from_buffer_ref_readable(buffer, video).ok()?;
            let mut source = Planes { planes: [&[]; 3], strides: [0; 3], width, height };
            for plane in 0..3 {
                source.planes[plane] = frame.plane_data(plane as u32).ok()?;
                source.strides[plane] = usize::try_from(*frame.plane_stride().get(plane)?).ok()?;
            }
            let mut map = target.map_writable().ok()?;
            let (luma, differences) = map.split_at_mut(lengths[0]);
            let (blue, red) = differences.split_at_mut(lengths[1]);
            let red = &mut red[..lengths[2]];
            source.copy_to([&mut *luma, &mut *blue, &mut *red], strides);
            if let Some(conversion) = conversion {
                // With what follows the samples, which is like the last of them.
                conversion.convert([luma, blue, red], strides, (stride, height));
            }
        }
        buffer.copy_into(target, gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS, ..).ok()?;
        let offsets = [0, lengths[0], lengths[0] + lengths[1]];
        let strides = strides.map(|stride| i32::try_from(stride).unwrap_or(i32::MAX));
        let (flags, format) = (VideoFrameFlags::empty(), VideoFormat::I420);
        VideoMeta::add_full(target, flags, format, video.width(), video.height(), &offsets, &strides).ok()?;
        Some(copy)
    }

    /// A buffer of this many bytes.
    fn take(&mut self, bytes: usize) -> Option<gst::Buffer> {
        if self.0.as_ref().is_none_or(|(pooled, _)| *pooled != bytes) {
            let pool = gst::BufferPool::new();
            let mut config = pool.config();
            config.set_params(None, u32::try_from(bytes).ok()?, 0, 0);
            pool.set_config(config).ok()?;
            pool.set_active(true).ok()?;
            self.0 = Some((bytes, pool));
        }
        self.0.as_ref()?.1.acquire_buffer(None).ok()
    }
}
