//! The one-off jobs of the command line: sample, import and check, with what a person sees of them.

use std::{
    io::IsTerminal,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use triptych_server::video::{
    self,
    offline::{Check, Import, ImportError, ImportOrder, make_sample as generate_sample},
};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

const BAR: &str = "{msg} {wide_bar} {percent:>3} %  {per_sec}  {eta} left";

/// A bar on a terminal, nothing elsewhere.
fn bar(total: u64, what: String) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), target).with_style(style).with_message(what)
}

/// Makes the sample.
pub fn make_sample(folder: &Path) -> Result<ExitCode> {
    video::init()?;
    let bar = bar(0, "making the sample".to_owned());
    let paths = generate_sample(folder, |done| {
        bar.set_length(done.frames_total.into());
        bar.set_position(done.frames_done.into());
        bar.set_message(format!("making the {}p version", done.height));
    })?;
    bar.finish_and_clear();
    for path in paths {
        println!("made {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports a file. Ctrl-C ends it and leaves nothing behind.
pub fn import(order: ImportOrder, has_usual_heights: bool) -> Result<ExitCode> {
    video::init()?;
    let begun = Instant::now();
    let import = Import::prepare(order)?;
    let plan = import.plan().clone();
    println!(
        "{:?}: {} frames, {}",
        plan.title,
        plan.frame_count,
        if plan.has_sound { "with sound" } else { "no sound" }
    );
    for &(width, height) in plan.sizes.iter().filter(|(_, height)| *height > plan.source_height) {
        let why = if has_usual_heights { "; a triptych has it all the same, --heights names others" } else { "" };
        eprintln!("note: {width}x{height} is larger than the file's own {} lines{why}", plan.source_height);
    }
    let total = (plan.frame_count * plan.sizes.len()) as u64;
    let bar = bar(total, "importing".to_owned());
    let made = import.run(|frames| bar.set_position(frames.min(total)), until_interrupted()?);
    bar.finish_and_clear();
    match made {
        Ok(paths) => {
            for path in paths {
                let megabytes = path.metadata().map_or(0.0, |metadata| metadata.len() as f64 / 1e6);
                println!("made {} ({megabytes:.1} MB)", path.display());
            }
            let seconds = begun.elapsed().as_secs_f64();
            println!("in {seconds:.1} s; a running server offers it by itself");
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ ImportError::Interrupted) => {
            eprintln!("triptych-server: {error}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether neither Ctrl-C was pressed nor the program asked to end. A second Ctrl-C ends it at once.
fn until_interrupted() -> Result<impl Fn() -> bool> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // Here and not in the task: from this line on, nothing ends the program without clearing away.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
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
        let _running = &runtime;
        !is_interrupted.load(Relaxed)
    })
}

/// Prints what is missing and what the folder holds.
pub fn check(folder: &Path) -> Result<ExitCode> {
    if std::io::stdout().is_terminal() {
        eprintln!("reading {} …", folder.display());
    }
    let check = Check::run(folder)?;
    print!("{check}");
    Ok(if check.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
