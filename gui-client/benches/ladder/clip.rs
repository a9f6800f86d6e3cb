//! The video: five minutes of a pattern that moves, in three sizes, so that the 1440p third lasts as long as the steps of the
//! link. Its pictures are prepared, because the server's decoder would work on the same cores as the client's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{interrupt, process::Process};

/// The title of the video.
pub const TITLE: &str = "ladder";

/// The height of the last third.
pub const LARGEST_HEIGHT: u32 = 1440;

const HEIGHTS: [u32; 3] = [240, 720, LARGEST_HEIGHT];

/// What is encoded, and how often it is repeated.
const LOOP_SECONDS: u64 = 12;
const REPETITIONS: u64 = 25;

/// How long a third of the video lasts.
pub const THIRD: Duration = Duration::from_secs(LOOP_SECONDS * REPETITIONS / 3);

/// Circles that scroll: a moving picture that H.264 holds in little and JPEG does not, about 100 Mbit/s at 1440p.
const SOURCE: &str = "\
    videotestsrc num-buffers=300 pattern=zone-plate kx2=4 ky2=4 horizontal-speed=6 ! \
    video/x-raw,format=I420,width=2560,height=1440,framerate=25/1 ! queue ! \
    x264enc speed-preset=ultrafast pass=qual quantizer=16 key-int-max=25 ! h264parse ! queue ! mux. \
    audiotestsrc num-buffers=600 samplesperbuffer=960 wave=ticks ! audio/x-raw,rate=48000,channels=2 ! \
    opusenc ! queue ! mux. \
    matroskamux name=mux";

/// A folder with the video, and one with its frames.
pub struct Clip {
    /// The video folder.
    pub videos: PathBuf,
    /// The frames, as `prepare` keeps them.
    pub frames: PathBuf,
}

impl Clip {
    /// Makes the video and prepares it, except for what is there already.
    pub fn prepared(server: &Path, folder: &Path) -> Result<Self> {
        let (videos, frames) = (folder.join("ladder"), folder.join("ladder-frames"));
        if !HEIGHTS.iter().all(|&height| file(&videos, TITLE, height).is_file()) {
            make(server, folder, &videos).context("cannot make the video")?;
        }
        eprintln!("preparing the video …");
        let mut prepare = Command::new(server);
        prepare.args(["prepare", TITLE, "--videos"]).arg(&videos).arg("--disk-cache-dir").arg(&frames);
        run(prepare.args(["--disk-cache-gib", "20"]).stdout(Stdio::null()))?;
        Ok(Self { videos, frames })
    }
}

fn file(videos: &Path, title: &str, height: u32) -> PathBuf {
    videos.join(format!("{title}_{height}p.mkv"))
}

fn make(server: &Path, folder: &Path, videos: &Path) -> Result<()> {
    fs::create_dir_all(videos)?;
    let work = tempfile::tempdir_in(folder)?;
    let source = work.path().join("loop.mkv");
    eprintln!("making {LOOP_SECONDS} s of video …");
    launch(&format!("{SOURCE} ! filesink location={}", source.display()))?;
    eprintln!("importing them …");
    let sizes = work.path().join("sizes");
    let mut import = Command::new(server);
    import.arg("import").arg(&source).args(["--title", "loop", "--heights", "240,720,1440", "--videos"]).arg(&sizes);
    run(import.stdout(Stdio::null()))?;
    for height in HEIGHTS {
        let (once, unfinished) = (file(&sizes, "loop", height), work.path().join("unfinished.mkv"));
        launch(&repeated(&once, &unfinished))?;
        fs::rename(&unfinished, file(videos, TITLE, height))?;
    }
    Ok(())
}

/// A pipeline that plays a file again and again into another one, without decoding it.
fn repeated(from: &Path, to: &Path) -> String {
    let mut words = format!(
        "concat name=video ! h264parse ! queue ! matroskamux name=mux ! filesink location={} \
         concat name=audio ! opusparse ! queue ! mux.",
        to.display()
    );
    for number in 0..REPETITIONS {
        words += &format!(
            " filesrc location={} ! matroskademux name=demux{number} \
             demux{number}. ! video/x-h264 ! queue ! video. demux{number}. ! audio/x-opus ! queue ! audio.",
            from.display()
        );
    }
    words
}

fn launch(words: &str) -> Result<()> {
    run(Command::new("gst-launch-1.0").arg("-q").args(words.split_whitespace()))
}

/// Runs a program until it has done its work.
fn run(command: &mut Command) -> Result<()> {
    let mut process = Process::start(command)?;
    let status = loop {
        // Polled instead of waited for, so that a signal ends the program too.
        match process.0.try_wait()? {
            Some(status) => break status,
            None => interrupt::pause(Duration::from_millis(50))?,
        }
    };
    ensure!(status.success(), "{:?} failed ({status}); the reason is printed above", command.get_program());
    Ok(())
}
