//! The baseline: the same work done by plain GStreamer pipelines, without Triptych.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use crate::{
    clips::{Playing, described},
    served::ticks_to_seconds,
};

/// Decodes the files and encodes them as JPEG one after the other, each in its own `gst-launch-1.0`. `between` goes
/// between the decoder and the encoder. Returns the sum of the wall times.
pub async fn thirds(files: &[PathBuf], between: &[&str]) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for file in files {
        let location = format!("location={}", file.display());
        let mut words = vec!["filesrc", &location, "!", "decodebin", "!"];
        words.extend(between);
        words.extend(["jpegenc", "!", "fakesink", "sync=false"]);
        took += launch(&words).await?;
    }
    Ok(took)
}

/// The wall time of starting `gst-launch-1.0` `times` times with a pipeline that does nothing.
pub async fn startup(times: usize) -> Result<Duration> {
    let mut took = Duration::ZERO;
    for _ in 0..times {
        took += launch(&["fakesrc", "num-buffers=1", "!", "fakesink"]).await?;
    }
    Ok(took)
}

/// Processor time of all child processes that have been waited for so far, in seconds.
pub fn processor_seconds() -> Result<f64> {
    // `cutime` and `cstime` (see proc(5)) follow `utime` and `stime`, which count this process alone.
    ticks_to_seconds(&fs::read_to_string("/proc/self/stat").context("the benchmark needs Linux")?, 13)
}

async fn launch(words: &[&str]) -> Result<Duration> {
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-q").args(words).stdin(Stdio::null());
    let begun = Instant::now();
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    let took = begun.elapsed();
    let output = output.context("cannot start gst-launch-1.0; scripts/setup.sh test installs it")?;
    ensure!(output.status.success(), "gst-launch-1.0 failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(took)
}

/// The time from setting a pipeline that is already built to PLAYING until its first JPEG.
pub fn first_jpeg(file: &Path) -> Result<Duration> {
    let pipeline =
        described("filesrc name=file ! decodebin ! jpegenc ! appsink name=jpegs sync=false", &[("file", file)])?;
    let sink = pipeline.by_name("jpegs").and_then(|sink| sink.downcast::<AppSink>().ok()).context("no appsink")?;
    let begun = Instant::now();
    let _playing = Playing::start(&pipeline)?;
    match sink.try_pull_sample(gst::ClockTime::from_seconds(10)) {
        Some(_) => Ok(begun.elapsed()),
        None => bail!("the pipeline makes no JPEG from {file:?}"),
    }
}
