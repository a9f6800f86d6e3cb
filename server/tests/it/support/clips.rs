//! Clips with numbered frames: every frame carries its number and the number of its file as a barcode of
//! black and white blocks, which is read back from the JPEG that arrived.
//!
//! ```text
//! paint ─► appsrc ► encoder ► mux ► filesink
//! ```

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;
use image::GrayImage;

/// Blocks in a row and rows: twelve bits for the frame, four for the file, eight to check both.
const GRID: (usize, usize) = (8, 3);

/// Part of each side that stays grey, so that nothing depends on how an edge is coded.
const MARGIN: f32 = 0.1;

/// How to write a clip.
#[derive(Debug, Clone)]
pub struct Clip {
    pub size: (usize, usize),
    /// When each frame is shown, ascending; and when the last one goes.
    pub pts_millis: Vec<u64>,
    pub end_millis: u64,
    /// Number of the file in the barcode, below 16.
    pub variant: u32,
    /// Encoder with its properties, as in `gst-launch-1.0`.
    pub encoder: String,
    pub mux: String,
    pub colorimetry: String,
}

impl Clip {
    /// Small, H.264, `frames_per_second` that divides 1000.
    pub fn new(variant: u32, frame_count: u64, frames_per_second: u64) -> Self {
        let period = 1000 / frames_per_second;
        Self {
            size: (160, 96),
            pts_millis: (0..frame_count).map(|frame| frame * period).collect(),
            end_millis: frame_count * period,
            variant,
            encoder: H264.into(),
            mux: "mp4mux".into(),
            colorimetry: "2:4:5:4".into(),
        }
    }

    pub fn encoder(self, encoder: &str, mux: &str) -> Self {
        Self { encoder: encoder.into(), mux: mux.into(), ..self }
    }

    /// Shows the frames for different times: `steps_millis` over and over.
    pub fn timed(self, steps_millis: &[u64]) -> Self {
        let (mut now, mut pts_millis) = (0, Vec::new());
        for frame in 0..self.pts_millis.len() {
            pts_millis.push(now);
            now += steps_millis[frame % steps_millis.len()];
        }
        Self { pts_millis, end_millis: now, ..self }
    }

    /// Writes it with barcodes.
    pub fn write(&self, path: &Path) {
        self.write_painted(
            path,
            |number, row, column| barcode_luma(number, self.variant, row, column),
            |_, _| (128, 128),
        );
    }

    /// Writes it with luma by frame number and relative place (row, column), and colour differences by place.
    pub fn write_painted(
        &self,
        path: &Path,
        luma: impl Fn(u32, f32, f32) -> u8,
        chroma: impl Fn(f32, f32) -> (u8, u8),
    ) {
        let description =
            format!("appsrc name=source format=time ! {} ! {} ! filesink name=sink", self.encoder, self.mux);
        let pipeline = pipeline(&description, path);
        let source = pipeline.by_name("source").unwrap().downcast::<AppSrc>().unwrap();
        source.set_caps(Some(&self.caps()));
        pipeline.set_state(gst::State::Playing).unwrap();
        let ends = self.pts_millis.iter().skip(1).chain([&self.end_millis]);
        for (number, (&start, &end)) in self.pts_millis.iter().zip(ends).enumerate() {
            let mut buffer = gst::Buffer::from_slice(self.paint(number as u32, &luma, &chroma));
            let fresh = buffer.get_mut().unwrap();
            fresh.set_pts(gst::ClockTime::from_mseconds(start));
            fresh.set_duration(gst::ClockTime::from_mseconds(end - start));
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        finish(&pipeline, &description);
    }

    fn caps(&self) -> gst::Caps {
        let periods: Vec<_> = self.pts_millis.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let is_steady = periods.windows(2).all(|pair| pair[0] == pair[1]);
        let period = self.end_millis / self.pts_millis.len() as u64;
        let rate = if is_steady { gst::Fraction::new(1000, period as i32) } else { gst::Fraction::new(0, 1) };
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", self.size.0 as i32)
            .field("height", self.size.1 as i32)
            .field("framerate", rate)
            .field("colorimetry", &self.colorimetry)
            .build()
    }

    fn paint(&self, number: u32, luma: impl Fn(u32, f32, f32) -> u8, chroma: impl Fn(f32, f32) -> (u8, u8)) -> Vec<u8> {
        let (width, height) = self.size;
        let strides = [width.next_multiple_of(4), (width / 2).next_multiple_of(4)];
        let mut bytes = vec![128; (strides[0] + strides[1]) * height];
        let place = |index: usize, side: usize| (index as f32 + 0.5) / side as f32;
        for row in 0..height {
            for column in 0..width {
                bytes[row * strides[0] + column] = luma(number, place(row, height), place(column, width));
            }
        }
        let planes = strides[0] * height;
        for row in 0..height / 2 {
            for column in 0..width / 2 {
                let (blue, red) = chroma(place(row, height / 2), place(column, width / 2));
                bytes[planes + row * strides[1] + column] = blue;
                bytes[planes + (height / 2 + row) * strides[1] + column] = red;
            }
        }
        bytes
    }
}

/// Runs a pipeline, whose `filesink` is called `sink`, to the end of the stream.
pub fn run(description: &str, path: &Path) {
    let pipeline = pipeline(description, path);
    pipeline.set_state(gst::State::Playing).unwrap();
    finish(&pipeline, description);
}

fn pipeline(description: &str, path: &Path) -> gst::Pipeline {
    super::guard::alive();
    gst::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("sink").unwrap().set_property("location", path);
    pipeline
}

fn finish(pipeline: &gst::Pipeline, description: &str) {
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.unwrap_or_else(|| panic!("the pipeline does not reach its end: {description}"));
    assert_eq!(message.type_(), gst::MessageType::Eos, "{description}: {message:?}");
}

/// Three B-frames between others, one key frame only.
pub const H264: &str = "x264enc speed-preset=veryfast bframes=3 b-adapt=false key-int-max=9999 bitrate=400";
/// A key frame each second at 25 frames/s.
pub const H264_SHORT_GROUPS: &str = "x264enc speed-preset=veryfast bframes=2 b-adapt=false key-int-max=25 bitrate=400";
/// Groups of pictures that refer to the group before.
pub const H264_OPEN_GROUPS: &str = "x264enc speed-preset=veryfast bframes=3 b-adapt=false key-int-max=10 bitrate=400 option-string=open-gop=1:scenecut=0";
pub const H265: &str = "x265enc speed-preset=ultrafast key-int-max=12 bitrate=400 ! h265parse";
pub const VP8: &str = "vp8enc deadline=1 cpu-used=4 keyframe-max-dist=30 target-bitrate=400000";
pub const VP9: &str = "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=400000";
pub const MJPEG: &str = "jpegenc quality=90";
pub const MPEG4: &str = "avenc_mpeg4 bitrate=400000 max-bframes=2 gop-size=12";

/// In two passes libvpx adds frames that are only referred to and never shown.
pub fn write_with_hidden_frames(clip: &Clip, encoder: &str, path: &Path) {
    let cache = path.with_extension("passes");
    for pass in ["first-pass", "last-pass"] {
        let passes = format!("multipass-mode={pass} multipass-cache-file=\"{}\"", cache.display());
        let slow = format!("{encoder} deadline=1000000 auto-alt-ref=true lag-in-frames=16 {passes}");
        clip.clone().encoder(&slow, "webmmux").write(path);
    }
    std::fs::remove_file(cache).unwrap();
}

/// Writes one file for each clip, named by its height, and returns where.
pub fn write_video(folder: &Path, title: &str, files: &[(u32, &str, Clip)]) -> Vec<PathBuf> {
    let write = |(height, extension, clip): &(u32, &str, Clip)| {
        let path = folder.join(format!("{title}_{height}p.{extension}"));
        clip.write(&path);
        path
    };
    files.iter().map(write).collect()
}

/// Four seconds at 25 frames/s: a file long enough that half of it has frames.
pub fn four_seconds(encoder: &str, mux: &str) -> Clip {
    Clip::new(0, 100, 25).encoder(encoder, mux)
}

/// The three files of a triptych, with the same content at 25 frames/s, for [`write_video`].
pub fn three(frame_count: u64, encoder: &str, mux: &str, extension: &'static str) -> [(u32, &'static str, Clip); 3] {
    let clip = |file| Clip::new(file, frame_count, 25).encoder(encoder, mux);
    [(240, extension, clip(0)), (720, extension, clip(1)), (1440, extension, clip(2))]
}

/// Black or white where the barcode says so, grey around it.
fn barcode_luma(number: u32, variant: u32, row: f32, column: f32) -> u8 {
    let inside = |place: f32| (place - MARGIN) / (1.0 - 2.0 * MARGIN);
    let (row, column) = (inside(row), inside(column));
    if !(0.0..1.0).contains(&row) || !(0.0..1.0).contains(&column) {
        return 128;
    }
    let bit = (row * GRID.1 as f32) as usize * GRID.0 + (column * GRID.0 as f32) as usize;
    if code(number, variant) >> bit & 1 == 1 { 225 } else { 30 }
}

fn code(number: u32, variant: u32) -> u32 {
    assert!(number < 1 << 12 && variant < 1 << 4);
    let payload = number | variant << 12;
    payload | (payload.wrapping_mul(0x9E37_79B1) >> 24) << 16
}

/// Frame number and file number of a picture; `None` when its barcode makes no sense.
pub fn read_barcode(jpeg: &[u8]) -> Option<(u32, u32)> {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).ok()?.into_luma8();
    let bits = (0..GRID.0 * GRID.1).map(|bit| u32::from(is_white(&picture, bit % GRID.0, bit / GRID.0)) << bit);
    let found: u32 = bits.sum();
    let (number, variant) = (found & 0xFFF, found >> 12 & 0xF);
    (code(number, variant) == found).then_some((number, variant))
}

fn is_white(picture: &GrayImage, column: usize, row: usize) -> bool {
    let at = |cell: usize, cells: usize, side: u32| {
        (side as f32 * (MARGIN + (1.0 - 2.0 * MARGIN) * (cell as f32 + 0.5) / cells as f32)) as u32
    };
    let (x, y) = (at(column, GRID.0, picture.width()), at(row, GRID.1, picture.height()));
    let around = (y - 1..=y + 1).flat_map(|y| (x - 1..=x + 1).map(move |x| (x, y)));
    around.map(|(x, y)| u32::from(picture.get_pixel(x, y)[0])).sum::<u32>() > 9 * 128
}

/// Writes a quarter turn clockwise into the track header, as a phone does. `mp4mux` (1.22) cannot.
pub fn turn_clockwise(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|name| name == b"tkhd").unwrap() + 4;
    let matrix = header + if bytes[header] == 0 { 40 } else { 52 };
    let turned: [u32; 9] = [0, 0x1_0000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000];
    let turned: Vec<u8> = turned.iter().flat_map(|part| part.to_be_bytes()).collect();
    bytes[matrix..matrix + turned.len()].copy_from_slice(&turned);
    std::fs::write(path, bytes).unwrap();
}

/// Waits until `is_true`, and fails after ten seconds.
pub fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    wait_until_within(Duration::from_secs(10), what, is_true);
}

/// The same with a time limit of one's own.
pub fn wait_until_within(limit: Duration, what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_true() {
        assert!(Instant::now() < deadline, "{what}");
        // Leaves the other threads time to make progress.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
