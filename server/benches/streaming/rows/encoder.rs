//! Settings of the JPEG encoder: row 13. What each costs in bytes and processor time, and how much of the picture is lost.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSrc};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::Bench;
use crate::{
    clips::{Clip, Playing, READ, by_name, described},
    likeness::{Luma, psnr, ssim},
    served::ticks_to_seconds,
    table::{Row, Table, mean},
};

/// What the transforms are called here and by `jpegenc`.
const TRANSFORMS: [(&str, &str); 2] = [("fast", "ifast"), ("accurate", "islow")];

/// The qualities that are compared, and the one that the server uses, with the fast transform.
const QUALITIES: [u32; 7] = [80, 82, 84, 85, 86, 88, 90];
const SERVED: (&str, u32) = ("fast", 85);

const HEIGHTS: [u32; 2] = [720, 1440];

/// Pictures of a clip that are encoded, at even distances.
const PICTURES: usize = 12;

/// How often each is encoded, because the kernel counts processor time in hundredths of a second.
const REPETITIONS: usize = 10;

/// Frames as the decoder puts them out, and what each looks like.
struct Raw {
    caps: gst::Caps,
    frames: Vec<(gst::Buffer, Luma)>,
}

/// What a setting gives, on average for a picture.
struct Outcome {
    transform: &'static str,
    quality: u32,
    bytes: f64,
    psnr_db: f64,
    ssim: f64,
    work_ms: f64,
}

impl Bench {
    /// Row 13: bytes, PSNR and SSIM of the luma against the decoded frame, and processor time, of each transform and quality.
    pub fn encoder(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        for height in HEIGHTS {
            let raw = tokio::task::block_in_place(|| Raw::read(&clip.variant(height), clip.frames))?;
            let mut outcomes = Vec::new();
            for (transform, method) in TRANSFORMS {
                for quality in QUALITIES {
                    let outcome = tokio::task::block_in_place(|| raw.encode(transform, method, quality))?;
                    table.add(Row {
                        what: format!("13 JPEG {quality}, {transform} transform, {height}p ({})", clip.name),
                        baseline: format!("{PICTURES} decoded frames"),
                        measured: outcome.to_string(),
                        ..Row::default()
                    });
                    outcomes.push(outcome);
                }
            }
            let served = outcomes.iter().find(|outcome| (outcome.transform, outcome.quality) == SERVED);
            let served = served.context("the setting that the server uses is not compared")?;
            let errs_no_more = |outcome: &&Outcome| outcome.psnr_db >= served.psnr_db && outcome.ssim >= served.ssim;
            let least = outcomes.iter().filter(errs_no_more).min_by(|a, b| a.bytes.total_cmp(&b.bytes));
            let least = least.unwrap_or(served);
            table.add(Row {
                what: format!("13 fewest bytes without more error, {height}p ({})", clip.name),
                baseline: format!("{} transform, {}", served.transform, served.quality),
                measured: format!("{} transform, {}", least.transform, least.quality),
                ratio: format!("{:.3} (time {:.2})", least.bytes / served.bytes, least.work_ms / served.work_ms),
                ..Row::default()
            });
        }
        Ok(())
    }
}

impl Raw {
    /// Decodes a file, and keeps some of its frames.
    fn read(file: &Path, frame_count: usize) -> Result<Self> {
        let words =
            format!("{READ} ! avdec_h264 ! video/x-raw,format=I420 ! appsink name=frames sync=false max-buffers=4");
        let pipeline = described(&words, &[("file", file)])?;
        let sink = by_name::<AppSink>(&pipeline, "frames")?;
        let playing = Playing::start(&pipeline)?;
        let (mut frames, mut caps, mut number) = (Vec::new(), None, 0);
        while let Ok(sample) = sink.pull_sample() {
            if number % frame_count.div_ceil(PICTURES) == 0 {
                let (buffer, format) = (sample.buffer_owned().context("no frame")?, sample.caps().context("no caps")?);
                frames.push((buffer.copy_deep()?, luma(&buffer, format)?));
                caps = Some(format.to_owned());
            }
            number += 1;
        }
        playing.check()?;
        Ok(Self { caps: caps.with_context(|| format!("{file:?} contains no frames"))?, frames })
    }

    fn encode(&self, transform: &'static str, method: &str, quality: u32) -> Result<Outcome> {
        let words = format!(
            "appsrc name=frames format=time ! jpegenc quality={quality} idct-method={method} ! appsink name=jpegs sync=false"
        );
        let pipeline = described(&words, &[])?;
        let (source, sink) = (by_name::<AppSrc>(&pipeline, "frames")?, by_name::<AppSink>(&pipeline, "jpegs")?);
        source.set_caps(Some(&self.caps));
        let begun_seconds = processor_seconds()?;
        let playing = Playing::start(&pipeline)?;
        for (frame, _) in (0..REPETITIONS).flat_map(|_| &self.frames) {
            source.push_buffer(frame.clone())?;
        }
        source.end_of_stream()?;
        let mut jpegs = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            jpegs.extend(sample.buffer_owned());
        }
        playing.check()?;
        let seconds = processor_seconds()? - begun_seconds;
        ensure!(jpegs.len() == REPETITIONS * self.frames.len(), "jpegenc made {} pictures", jpegs.len());
        let (mut bytes, mut psnrs, mut ssims) = (vec![], vec![], vec![]);
        for (jpeg, (_, original)) in jpegs.iter().zip(&self.frames) {
            let jpeg = jpeg.map_readable()?;
            let decoded = decoded(&jpeg)?;
            ensure!(decoded.samples.len() == original.samples.len(), "the picture has another size than the frame");
            bytes.push(jpeg.len() as f64);
            psnrs.push(psnr(original, &decoded));
            ssims.push(ssim(original, &decoded));
        }
        let work_ms = 1000.0 * seconds / jpegs.len() as f64;
        Ok(Outcome { transform, quality, bytes: mean(&bytes), psnr_db: mean(&psnrs), ssim: mean(&ssims), work_ms })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, psnr_db, ssim, work_ms, .. } = self;
        write!(f, "{bytes:.0} bytes, {psnr_db:.2} dB, SSIM {ssim:.4}, {work_ms:.2} ms")
    }
}

fn luma(frame: &gst::Buffer, caps: &gst::CapsRef) -> Result<Luma> {
    let info = VideoInfo::from_caps(caps)?;
    let frame = VideoFrameRef::from_buffer_ref_readable(frame, &info)?;
    let (width, stride) = (frame.width() as usize, frame.plane_stride()[0] as usize);
    let rows = frame.plane_data(0)?.chunks(stride).take(frame.height() as usize);
    Ok(Luma { width, samples: rows.flat_map(|row| &row[..width]).copied().collect() })
}

/// Decodes a picture as the client's decoder does, but not to red, green and blue.
fn decoded(jpeg: &[u8]) -> Result<Luma> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let samples = decoder.decode().context("a JPEG cannot be decoded")?;
    let (width, _) = decoder.dimensions().context("a JPEG without a size")?;
    Ok(Luma { width, samples })
}

/// Processor time of this program so far, in seconds.
fn processor_seconds() -> Result<f64> {
    ticks_to_seconds(&fs::read_to_string("/proc/self/stat").context("the benchmark needs Linux")?, 11)
}
