//! Makes the videos that are played: a generated clip, a film, the generated clip as other programs encode it, each third
//! of them as a separate file, and a clip of twenty minutes.
//!
//! The other variants are made by `triptych-server import`, so that the files are like those of real users.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSrc};

use crate::process::Process;

/// The heights of the variants, in pixels.
const HEIGHTS: [u32; 3] = [240, 720, 1440];

/// Length of the generated clip. Divisible by three, so that each third begins with a key frame: the import sets one
/// each second.
const SECONDS: u64 = 21;

/// Frames from one key frame to the next in the files that were not imported: the default of x264.
const FOREIGN_KEY_INTERVAL: u32 = 250;

/// Repetitions of the generated clip in the long one: 20 minutes and 18 seconds.
const REPETITIONS: u64 = 58;

/// Scrolling bars over the whole picture, moving waves in the middle, and ticks as sound. Everything moves, but
/// there is no noise.
const SOURCE: &str = "\
    videotestsrc num-buffers=630 pattern=smpte75 horizontal-speed=6 ! \
    video/x-raw,format=I420,width=2560,height=1440,framerate=30/1 ! queue ! mix. \
    videotestsrc num-buffers=630 pattern=zone-plate kx2=12 ky2=12 kt=2 ! \
    video/x-raw,format=I420,width=1280,height=720,framerate=30/1 ! queue ! mix. \
    compositor name=mix sink_1::xpos=640 sink_1::ypos=360 ! video/x-raw,format=I420,width=2560,height=1440 ! \
    x264enc speed-preset=ultrafast pass=qual quantizer=16 key-int-max=30 ! h264parse ! queue ! mux. \
    audiotestsrc num-buffers=1050 samplesperbuffer=960 wave=ticks ! audio/x-raw,rate=48000,channels=2 ! \
    opusenc ! queue ! mux. \
    matroskamux name=mux ! filesink name=made";

/// A video folder with one video in it, and the same frames as files for the bare pipelines.
pub struct Clip {
    /// The name in the table.
    pub name: String,
    /// The video folder.
    pub videos: PathBuf,
    /// One file without sound for each third. Empty for the long clip.
    pub thirds: Vec<PathBuf>,
    /// Frames in each variant.
    pub frames: usize,
    /// How long each frame is shown.
    pub period: Duration,
    /// How the thirds were made, for the table.
    pub cut: &'static str,
}

impl Clip {
    /// The file of a resolution.
    pub fn variant(&self, height: u32) -> PathBuf {
        let title = self.videos.file_name().unwrap_or_default().to_string_lossy();
        variant(&self.videos, &title, height)
    }

    /// The duration of the video.
    pub fn length(&self) -> Duration {
        self.period * self.frames as u32
    }
}

/// Generates a clip, unless it is there already, and imports it.
pub async fn generated(server: &Path, folder: &Path) -> Result<Clip> {
    let source = folder.join("generated.mkv");
    if !source.is_file() {
        eprintln!("making a clip of {SECONDS} s …");
        let unfinished = folder.join("unfinished.mkv");
        block(|| run(&described(SOURCE, &[("made", &unfinished)])?)).context("cannot generate the clip")?;
        fs::rename(unfinished, &source)?;
    }
    imported(server, folder, &source, "generated").await
}

/// Imports the film that the user has named.
pub async fn film(server: &Path, folder: &Path, film: &Path) -> Result<Clip> {
    imported(server, folder, film, "film").await
}

/// Encodes the generated clip as other programs do: limited-range BT.709, with B-frames and a key frame each
/// [`FOREIGN_KEY_INTERVAL`] frames. It has no sound.
pub fn foreign(folder: &Path) -> Result<Clip> {
    let (source, title) = (folder.join("generated.mkv"), "foreign");
    let videos = folder.join(title);
    fs::create_dir_all(&videos)?;
    let variants = HEIGHTS.map(|height| variant(&videos, title, height));
    if !variants.iter().all(|file| file.is_file()) {
        eprintln!("making files that were not imported …");
    }
    block(|| {
        let times = times(&source)?;
        let (mut thirds, count) = (Vec::new(), times.len());
        for (number, (height, file)) in HEIGHTS.into_iter().zip(&variants).enumerate() {
            encode_as_foreign(&source, height, gst::ClockTime::ZERO..gst::ClockTime::MAX, file)?;
            let third = folder.join(format!("{title}-third-{number}.mkv"));
            let end = times.get((number + 1) * count / 3).copied().unwrap_or(gst::ClockTime::MAX);
            encode_as_foreign(&source, height, times[number * count / 3]..end, &third)?;
            thirds.push(third);
        }
        let name = format!("{title}, {count} frames, {FOREIGN_KEY_INTERVAL} from one key frame to the next");
        Ok(Clip { name, videos, thirds, frames: count, period: period(&times), cut: "encoded with the same settings" })
    })
}

/// Scales and encodes the frames of a time span, unless that was done already.
fn encode_as_foreign(source: &Path, height: u32, span: Range<gst::ClockTime>, file: &Path) -> Result<()> {
    if file.is_file() {
        return Ok(());
    }
    let unfinished = file.with_extension("unfinished");
    let width = height * 16 / 9 / 2 * 2;
    let words = format!(
        "{READ} ! avdec_h264 name=decoder ! videoconvertscale ! \
         video/x-raw,format=I420,colorimetry=bt709,width={width},height={height} ! \
         x264enc speed-preset=veryfast pass=qual quantizer=20 bframes=2 key-int-max={FOREIGN_KEY_INTERVAL} \
         option-string=scenecut=0 ! h264parse ! matroskamux ! filesink name=made"
    );
    encode_span(&described(&words, &[("file", source), ("made", &unfinished)])?, span)?;
    Ok(fs::rename(unfinished, file)?)
}

async fn imported(server: &Path, folder: &Path, source: &Path, title: &str) -> Result<Clip> {
    let videos = folder.join(title);
    let variants = HEIGHTS.map(|height| variant(&videos, title, height));
    if !variants.iter().all(|file| file.is_file()) {
        eprintln!("importing {} …", source.display());
        let mut command = Command::new(server);
        command.arg("import").arg(source).args(["--title", title, "--heights", "240,720,1440", "--force", "--videos"]);
        let mut import = Process::start(command.arg(&videos).stdout(Stdio::null()))?;
        let status = loop {
            // Polled instead of waited for, so that a signal ends the import too.
            match import.0.try_wait()? {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        ensure!(status.success(), "importing {source:?} failed ({status}); the reason is printed above");
    }
    block(|| cut_up(folder, title, &videos, &variants))
}

fn variant(videos: &Path, title: &str, height: u32) -> PathBuf {
    videos.join(format!("{title}_{height}p.mkv"))
}

/// Runs blocking work from an async function.
fn block<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}

fn cut_up(folder: &Path, title: &str, videos: &Path, variants: &[PathBuf; 3]) -> Result<Clip> {
    let (mut thirds, mut cut) = (Vec::new(), "cut out as they are");
    let mut shown_at = Vec::new();
    for (number, file) in variants.iter().enumerate() {
        shown_at = times(file)?;
        let third = folder.join(format!("{title}-third-{number}.mkv"));
        let frames = number * shown_at.len() / 3..(number + 1) * shown_at.len() / 3;
        let end = shown_at.get(frames.end).copied().unwrap_or(gst::ClockTime::MAX);
        let span = shown_at[frames.start]..end;
        if !cut_out(file, &span, &third)? {
            cut = "encoded again with the settings of the import";
            encode_again(file, span, &third)?;
        }
        let count = coded(&third)?.len();
        ensure!(count == frames.len(), "{third:?} has {count} frames instead of {}", frames.len());
        thirds.push(third);
    }
    let name = format!("{title}, {} frames", shown_at.len());
    Ok(Clip { name, videos: videos.to_owned(), thirds, frames: shown_at.len(), period: period(&shown_at), cut })
}

/// When the frames of a file are shown, ascending.
fn times(file: &Path) -> Result<Vec<gst::ClockTime>> {
    let mut times: Vec<_> = coded(file)?.into_iter().filter_map(|frame| frame.pts()).collect();
    times.sort_unstable();
    Ok(times)
}

/// The mean time from one frame to the next.
fn period(times: &[gst::ClockTime]) -> Duration {
    let length = times.first().zip(times.last()).map_or(0, |(first, last)| (*last - *first).nseconds());
    Duration::from_nanos(length / times.len().saturating_sub(1).max(1) as u64)
}

/// The encoded frames of a file in decoding order.
fn coded(file: &Path) -> Result<Vec<gst::Buffer>> {
    let pipeline = described(&format!("{READ} ! appsink name=frames sync=false"), &[("file", file)])?;
    let sink = by_name::<AppSink>(&pipeline, "frames")?;
    let playing = Playing::start(&pipeline)?;
    let mut frames = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        frames.extend(sample.buffer_owned());
    }
    playing.check()?;
    ensure!(!frames.is_empty(), "{file:?} contains no frames");
    Ok(frames)
}

/// Reads the pictures of an imported file.
pub const READ: &str = "filesrc name=file ! matroskademux ! h264parse ! video/x-h264,stream-format=avc,alignment=au";

/// Copies the encoded frames of a time span into a new file. Returns `false` when the first one is no key frame.
fn cut_out(file: &Path, span: &Range<gst::ClockTime>, third: &Path) -> Result<bool> {
    let mut frames = coded(file)?;
    frames.retain(|frame| frame.pts().is_some_and(|pts| span.contains(&pts)));
    let first = frames.first().context("a third without frames")?;
    if first.flags().contains(gst::BufferFlags::DELTA_UNIT) || first.pts() != Some(span.start) {
        return Ok(false);
    }
    write(file, third, frames.into_iter())?;
    Ok(true)
}

/// Decodes a file and encodes the frames of a time span again with the settings of the import.
fn encode_again(file: &Path, span: Range<gst::ClockTime>, third: &Path) -> Result<()> {
    let words = format!(
        "{READ} ! avdec_h264 name=decoder ! \
         x264enc speed-preset=veryfast tune=fastdecode pass=qual quantizer=20 vbv-buf-capacity=0 key-int-max=30 \
         option-string=fullrange=on:colormatrix=smpte170m ! h264parse ! matroskamux ! filesink name=made"
    );
    encode_span(&described(&words, &[("file", file), ("made", third)])?, span)
}

/// Runs a pipeline whose element "decoder" puts out only the frames of a time span.
fn encode_span(pipeline: &gst::Pipeline, span: Range<gst::ClockTime>) -> Result<()> {
    let decoder = pipeline.by_name("decoder").context("no decoder")?;
    let decoded = decoder.static_pad("src").context("a decoder has an output")?;
    decoded.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let is_wanted = info.buffer().and_then(|frame| frame.pts()).is_some_and(|pts| span.contains(&pts));
        if is_wanted { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
    });
    run(pipeline)
}

/// Makes a clip without sound that repeats `clip` for twenty minutes.
pub async fn long(folder: &Path, clip: &Clip) -> Result<Clip> {
    let (title, videos) = ("long", folder.join("long"));
    fs::create_dir_all(&videos)?;
    let clip_nanos = clip.length().as_nanos() as u64;
    for height in HEIGHTS {
        let to = variant(&videos, title, height);
        if to.is_file() {
            continue;
        }
        let from = variant(&clip.videos, "generated", height);
        let unfinished = folder.join("unfinished.mkv");
        block(|| {
            let frames = coded(&from)?;
            let repetitions = (0..REPETITIONS).flat_map(|number| {
                let shift = gst::ClockTime::from_nseconds(number * clip_nanos);
                frames.iter().map(move |frame| shifted(frame, shift))
            });
            write(&from, &unfinished, repetitions)
        })
        .context("cannot make the long clip")?;
        fs::rename(&unfinished, to)?;
    }
    let frames = clip.frames * REPETITIONS as usize;
    let name = format!("{title}, {frames} frames");
    Ok(Clip { name, videos, thirds: Vec::new(), frames, period: clip.period, cut: "not cut" })
}

/// A copy of `frame` with later timestamps.
fn shifted(frame: &gst::Buffer, by: gst::ClockTime) -> gst::Buffer {
    let mut later = frame.copy();
    if let Some(later) = later.get_mut() {
        later.set_pts(frame.pts().map(|pts| pts + by));
        later.set_dts(frame.dts().map(|dts| dts + by));
    }
    later
}

/// Writes encoded frames into `file`, with the caps of the file `like` that they are from.
fn write(like: &Path, file: &Path, frames: impl Iterator<Item = gst::Buffer>) -> Result<()> {
    let pipeline = described(
        "appsrc name=frames format=time block=true max-bytes=8000000 ! matroskamux ! filesink name=made",
        &[("made", file)],
    )?;
    let source = by_name::<AppSrc>(&pipeline, "frames")?;
    source.set_caps(Some(&caps(like)?));
    let playing = Playing::start(&pipeline)?;
    for frame in frames {
        source.push_buffer(frame)?;
    }
    source.end_of_stream()?;
    playing.wait()
}

fn caps(file: &Path) -> Result<gst::Caps> {
    let pipeline = described(&format!("{READ} ! appsink name=frames sync=false"), &[("file", file)])?;
    let sink = by_name::<AppSink>(&pipeline, "frames")?;
    let _playing = Playing::start(&pipeline)?;
    sink.pull_sample()?.caps_owned().context("frames without caps")
}

/// The element of this name.
pub fn by_name<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> Result<T> {
    let found = pipeline.by_name(name).and_then(|element| element.downcast().ok());
    found.with_context(|| format!("the pipeline has no {name}"))
}

/// Builds a pipeline from a description for `gst-launch-1.0`. `files` gives the location of each named file element.
pub fn described(words: &str, files: &[(&str, &Path)]) -> Result<gst::Pipeline> {
    let pipeline = gst::parse::launch(words).with_context(|| format!("cannot build: {words}"))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("not a pipeline")?;
    for (name, file) in files {
        by_name::<gst::Element>(&pipeline, name)?.set_property("location", file);
    }
    Ok(pipeline)
}

fn run(pipeline: &gst::Pipeline) -> Result<()> {
    Playing::start(pipeline)?.wait()
}

/// A running pipeline. Stopped when dropped.
pub struct Playing<'a>(&'a gst::Pipeline);

impl<'a> Playing<'a> {
    /// Sets the pipeline to PLAYING.
    pub fn start(pipeline: &'a gst::Pipeline) -> Result<Self> {
        let playing = Self(pipeline);
        if pipeline.set_state(gst::State::Playing).is_err() {
            playing.check()?;
            bail!("the pipeline does not start");
        }
        Ok(playing)
    }

    /// Waits for the end of the stream.
    fn wait(&self) -> Result<()> {
        self.look(gst::ClockTime::from_seconds(300), &[gst::MessageType::Eos, gst::MessageType::Error])
    }

    /// Fails if the pipeline has posted an error.
    pub fn check(&self) -> Result<()> {
        self.look(gst::ClockTime::ZERO, &[gst::MessageType::Error])
    }

    fn look(&self, at_most: gst::ClockTime, kinds: &[gst::MessageType]) -> Result<()> {
        let message = self.0.bus().and_then(|bus| bus.timed_pop_filtered(at_most, kinds));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => bail!("{}", error.error().message()),
            None if at_most > gst::ClockTime::ZERO => bail!("the pipeline does not reach the end of the stream"),
            _ => Ok(()),
        }
    }
}

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        // A pipeline that does not stop cannot be helped.
        let _ = self.0.set_state(gst::State::Null);
    }
}
