//! `make bench`: measures the server from outside, beside bare GStreamer pipelines, and holds it to its bars.
//!
//! ```text
//! main ─► clips (makes what is played) ─► rows ─► table
//!                                          ├─► served   the server as a process of its own
//!                                          ├─► link     a client that reads as cheaply as it can
//!                                          ├─► pull     a viewer that takes all it can get
//!                                          ├─► crowd    many viewers at the video's own speed
//!                                          └─► bare     the same work without Triptych
//! ```
//! All ratios are formed within one run, because the two halves of a run see the same machine.

#![allow(unreachable_pub, reason = "a program has no callers outside")]
#![allow(clippy::let_underscore_must_use, reason = "programs and pipelines that are already gone need not be ended")]

mod bare;
mod clips;
mod crowd;
mod link;
mod pull;
mod rows;
mod served;
mod table;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use triptych_server::video;

use crate::{rows::Bench, table::Table};

/// Measures a Triptych server.
#[derive(Debug, Parser)]
struct Args {
    /// The triptych-server program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,

    /// Where the clips are made; those that are there already are used
    #[arg(long, value_name = "FOLDER", overrides_with = "folder")]
    folder: PathBuf,

    /// A film to measure besides the generated clip
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,

    /// How often each comparison is made
    #[arg(long, default_value_t = 5, overrides_with = "runs")]
    runs: usize,

    /// Viewers at a time
    #[arg(long, default_value_t = 50)]
    viewers: usize,

    /// Only these rows
    #[arg(long, value_name = "ROW,…", value_delimiter = ',', default_values_t = 1..=7)]
    rows: Vec<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // Whatever is under way is dropped when a signal comes, and the servers with it.
    let done = tokio::select! {
        done = measure(args) => done,
        signal = interrupted() => signal,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            #[expect(
                clippy::disallowed_methods,
                reason = "returning would wait for a pipeline on a thread of its own"
            )]
            std::process::exit(1);
        }
    }
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    anyhow::bail!("interrupted")
}

async fn measure(args: Args) -> Result<()> {
    ensure!(args.runs > 0 && args.viewers > 0, "at least one run and one viewer are needed");
    ensure!(args.server.is_file(), "{:?} is missing; build it with: cargo build --release -p server", args.server);
    if let Some(clip) = &args.clip {
        ensure!(clip.is_file(), "the film {clip:?} is missing; name another with CLIP=, or none");
    }
    video::init()?;
    let wants = |row: u32| args.rows.contains(&row);
    let mut clips = vec![clips::generated(&args.server, &args.folder).await?];
    match &args.clip {
        Some(film) => clips.push(clips::film(&args.server, &args.folder, film).await?),
        None => eprintln!("no film was named with CLIP=, so only the generated clip is measured"),
    }
    let bench = Bench { server: args.server.clone(), runs: args.runs };
    let mut table = Table::default();
    for clip in &clips {
        if wants(1) || wants(2) || wants(4) {
            bench.unthrottled(clip, &mut table).await?;
        }
        if wants(3) {
            bench.first_picture(clip, &mut table).await?;
        }
        if wants(6) {
            bench.seeks(clip, &mut table).await?;
        }
    }
    if wants(5) {
        bench.crowd(&clips[0], args.viewers, &mut table).await?;
    }
    if wants(7) {
        let long = clips::long(&args.folder, &clips[0]).await?;
        bench.memory(&clips[0], &long, &mut table).await?;
    }
    println!("{table}");
    if args.clip.is_none() {
        println!("CLIP= was not given: no film was measured.");
    }
    Ok(())
}
