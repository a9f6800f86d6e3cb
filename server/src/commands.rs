//! The subcommands `sample`, `import`, `prepare` and `check`: their progress bars and console output.

use std::{
    fmt,
    io::IsTerminal,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use triptych_server::video::{
    self,
    disk::DiskSettings,
    offline::{Check, Import, ImportError, ImportRequest, Preparation, PrepareError, make_sample as generate_sample},
    process::{ProcessPool, WorkerProgram},
};

/// The exit code that shells expect of a program ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

const BAR: &str = "{msg} {wide_bar} {percent:>3} %  {rate}  {eta} left";

/// Worker processes of this program.
fn processes() -> Result<ProcessPool> {
    let program = WorkerProgram::current().context("the system does not tell which program this is")?;
    ProcessPool::start(program).context("the system provides no thread for the decoders")
}

/// A progress bar on a terminal; nothing when stderr goes elsewhere.
fn progress_bar(total: u64, message: String) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        #[expect(clippy::let_underscore_must_use, reason = "without the rate the bar says enough")]
        let _ = write!(out, "{:.0} frames/s", state.per_sec());
    };
    let style = style.with_key("rate", rate);
    ProgressBar::with_draw_target(Some(total), target).with_style(style).with_message(message)
}

/// Creates the sample video in `folder`.
pub(crate) fn make_sample(folder: &Path) -> Result<ExitCode> {
    video::init()?;
    let bar = progress_bar(0, "Creating the sample".to_owned());
    let paths = generate_sample(folder, |done| {
        bar.set_length(done.frames_total.into());
        bar.set_position(done.frames_done.into());
        bar.set_message(format!("Creating the {}p version", done.height));
    })?;
    bar.finish_and_clear();
    for path in paths {
        println!("Created {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports a file, and keeps its frames in `disk`, if given. Ctrl-C cancels the import and leaves nothing behind.
pub(crate) fn import(
    request: ImportRequest,
    has_default_heights: bool,
    disk: Option<DiskSettings>,
) -> Result<ExitCode> {
    video::init()?;
    let started_at = Instant::now();
    let (folder, processes) = (request.folder.clone(), processes()?);
    let import = Import::prepare(request, &processes)?;
    let plan = import.plan().clone();
    println!(
        "{:?}: {} frames, {}",
        plan.title,
        plan.frame_count,
        if plan.has_sound { "with sound" } else { "no sound" }
    );
    for &(_, height) in plan.sizes.iter().filter(|(_, height)| *height > plan.source_height) {
        let advice = if has_default_heights { " Choose others with --heights." } else { "" };
        eprintln!("Note: the file has only {} lines; {height}p is upscaled.{advice}", plan.source_height);
    }
    let total = (plan.frame_count * plan.sizes.len()) as u64;
    let bar = progress_bar(total, "Importing".to_owned());
    let is_wanted = until_interrupted()?;
    let made = import.run(|frames| bar.set_position(frames.min(total)), &is_wanted);
    bar.finish_and_clear();
    match made {
        Ok(paths) => {
            for path in paths {
                let megabytes = path.metadata().map_or(0.0, |metadata| metadata.len() as f64 / 1e6);
                println!("Created {} ({megabytes:.1} MB)", path.display());
            }
            let seconds = started_at.elapsed().as_secs_f64();
            println!("Done in {seconds:.1} s. A running server picks the video up automatically.");
            match disk {
                Some(disk) => keep_frames(&folder, Some(&[plan.title]), &disk, &processes, &is_wanted),
                None => Ok(ExitCode::SUCCESS),
            }
        }
        Err(error @ ImportError::Interrupted) => {
            eprintln!("triptych-server: {error}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps the frames of videos on disk; `None` takes all in the folder. Ctrl-C stops it and leaves what was written.
pub(crate) fn prepare(folder: &Path, titles: Option<Vec<String>>, disk: &DiskSettings) -> Result<ExitCode> {
    video::init()?;
    keep_frames(folder, titles.as_deref(), disk, &processes()?, until_interrupted()?)
}

fn keep_frames(
    folder: &Path,
    titles: Option<&[String]>,
    disk: &DiskSettings,
    processes: &ProcessPool,
    is_wanted: impl Fn() -> bool,
) -> Result<ExitCode> {
    let started_at = Instant::now();
    let preparation = Preparation::open(folder, titles, disk, processes)?;
    let (bytes_before, _) = preparation.bytes_and_limit();
    let (frames_before, frames) = preparation.frames_done_and_all();
    let bar = progress_bar(frames - frames_before, "Preparing".to_owned());
    let prepared = preparation.run(|done| bar.set_position(done), is_wanted);
    bar.finish_and_clear();
    let (bytes, limit_bytes) = preparation.bytes_and_limit();
    let titles: Vec<_> = preparation.titles().into_iter().map(|title| format!("{title:?}")).collect();
    let (is, was) = if titles.len() == 1 { ("is", "was") } else { ("are", "were") };
    match prepared {
        Ok(()) if frames_before == frames => println!("{} {was} ready already.", titles.join(", ")),
        Ok(()) => println!(
            "{} {is} ready: wrote {:.1} MB in {:.1} s to {}, which now holds {:.2} of {:.1} GiB.",
            titles.join(", "),
            bytes.saturating_sub(bytes_before) as f64 / 1e6,
            started_at.elapsed().as_secs_f64(),
            disk.folder.display(),
            bytes as f64 / (1u64 << 30) as f64,
            limit_bytes as f64 / (1u64 << 30) as f64,
        ),
        Err(error @ PrepareError::Interrupted) => {
            eprintln!("triptych-server: {error}");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns whether the command may go on: not after Ctrl-C or SIGTERM. A second Ctrl-C ends the program at once.
fn until_interrupted() -> Result<impl Fn() -> bool> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // Registered here and not in the task: from this line on, no signal ends the program before it has cleaned up.
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    runtime.spawn({
        let is_interrupted = is_interrupted.clone();
        async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            is_interrupted.store(true, Relaxed);
            interrupt.recv().await;
            #[expect(clippy::disallowed_methods, reason = "the second Ctrl-C asks for an end without cleaning up")]
            std::process::exit(INTERRUPTED.into());
        }
    });
    Ok(move || {
        // Moved in, so that the runtime lives as long as the closure.
        let _runtime = &runtime;
        !is_interrupted.load(Relaxed)
    })
}

/// Prints which GStreamer elements are missing and the state of each file in `folder`. The exit code is 1 when anything
/// is wrong.
pub(crate) fn check(folder: &Path, disk: Option<&DiskSettings>) -> Result<ExitCode> {
    if std::io::stdout().is_terminal() {
        eprintln!("Reading {} …", folder.display());
    }
    let check = Check::run(folder, disk, &processes()?)?;
    print!("{check}");
    Ok(if check.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
