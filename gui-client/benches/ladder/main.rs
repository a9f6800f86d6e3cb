//! Plays a video over a link whose rate changes, and prints how the client's ladder followed it.
//!
//! ```text
//! main ─► clip (makes and prepares the video) ─► served (the server program)
//!    │                                              │
//!    └──► viewer (the client without a window) ◄── throttle (the link)
//!            └─► steps (what happened, a row for each step)
//! ```
//! The link goes from 200 to 40, 8 and back to 200 Mbit/s while the 1440p third of a triptych plays.

#![allow(unreachable_pub, reason = "a program has no callers outside")]
#![allow(
    clippy::let_underscore_must_use,
    reason = "a wake that comes late, and a program that is already gone, change nothing"
)]

mod clip;
mod interrupt;
#[path = "../../../server/benches/streaming/process.rs"]
mod process;
mod served;
mod steps;
#[path = "../../../server/benches/streaming/throttle.rs"]
mod throttle;
mod viewer;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use clap::Parser;
use tokio::runtime::Runtime;

use self::{clip::Clip, served::Served, steps::Step, throttle::Speed, viewer::Viewer};

/// Plays a video over a link whose rate changes.
#[derive(Debug, Parser)]
struct Args {
    /// The triptych-server program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,

    /// Folder for the video and its frames; what is already there is used again
    #[arg(long, value_name = "FOLDER", overrides_with = "folder")]
    folder: PathBuf,

    /// Runs with each queue
    #[arg(long, default_value_t = 2, overrides_with = "runs")]
    runs: usize,

    /// How long the last byte waits in a full queue of the router, in milliseconds
    #[arg(long, value_name = "MS,…", value_delimiter = ',', default_values_t = [50, 200])]
    queues: Vec<u64>,

    /// How long each byte is under way in each direction, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    delay: u64,

    /// The rates of the link in Mbit/s, each with its seconds
    #[arg(long, value_name = "RATE:SECONDS,…", value_delimiter = ',', default_values = ["200:20", "40:20", "8:20", "200:35"])]
    steps: Vec<Step>,

    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ladder: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    ensure!(args.runs > 0 && !args.steps.is_empty(), "at least one run and one step are needed");
    let server = &args.server;
    ensure!(server.is_file(), "{server:?} is missing; build it with: cargo build --release -p server --bins");
    let runtime = Runtime::new()?;
    interrupt::listen(&runtime)?;
    let clip = Clip::prepared(server, &args.folder)?;
    let total: u64 = args.steps.iter().map(|step| step.seconds).sum();
    let most = clip::THIRD.as_secs() - 5;
    ensure!(total <= most, "the steps take {total} s, and the 1440p third only {most} s");
    println!("{}", steps::HEADING);
    for &queue_millis in &args.queues {
        for run in 1..=args.runs {
            let served = Served::start(server, &clip)?;
            let link = |step: &Step| Speed {
                bits_per_second: step.megabits * 1_000_000,
                delay: Duration::from_millis(args.delay),
                queue: Duration::from_millis(queue_millis),
            };
            let throttle = runtime.block_on(throttle::Throttle::start(served.address, link(&args.steps[0])))?;
            let mut viewer = Viewer::join(throttle.address())?;
            viewer.open_last_third()?;
            let mut from = viewer.mark()?;
            for step in &args.steps {
                throttle.change(link(step));
                let half = Duration::from_secs(step.seconds) / 2;
                viewer.play_for(half)?;
                let middle = viewer.mark()?;
                viewer.play_for(half)?;
                let to = viewer.mark()?;
                println!(
                    "{}",
                    steps::row(&format!("{queue_millis} ms, {run}"), step, &viewer.story, [&from, &middle, &to])
                );
                from = to;
            }
        }
    }
    println!("\n{}", steps::LEGEND);
    println!("Each byte was under way for {} ms in each direction.", args.delay);
    Ok(())
}
