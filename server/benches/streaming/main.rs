//! `make bench`: measures the server from outside, compares it with bare GStreamer pipelines, and checks its targets.
//!
//! ```text
//! main ─► clips (makes the videos) ─► rows ─► table
//!                                      ├─► served   the server as a separate process
//!                                      ├─► link     a client that reads as cheaply as possible
//!                                      ├─► pull     an unthrottled viewer
//!                                      ├─► crowd    viewers at the video's own speed
//!                                      ├─► guest    people who join and are there
//!                                      ├─► throttle a slow link
//!                                      ├─► likeness how much of a picture is lost
//!                                      └─► bare     the same work without Triptych
//! ```
//! All ratios are formed within one run, because both of its measurements then see the machine under the same load.

#![allow(unreachable_pub, reason = "a program has no callers outside")]
#![allow(clippy::let_underscore_must_use, reason = "programs and pipelines that are already gone need not be ended")]

mod bare;
mod clips;
mod crowd;
mod guest;
mod likeness;
mod link;
mod process;
mod pull;
mod rows;
#[allow(dead_code, reason = "shared with the attack benchmark, which uses the rest")]
mod served;
mod table;
mod throttle;

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

    /// Folder for the clips; clips that are already there are used again
    #[arg(long, value_name = "FOLDER", overrides_with = "folder")]
    folder: PathBuf,

    /// A film to measure besides the generated clip
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,

    /// Runs of each comparison; the table shows medians
    #[arg(long, default_value_t = 5, overrides_with = "runs")]
    runs: usize,

    /// Viewers at the same time, in row 5
    #[arg(long, default_value_t = 50)]
    viewers: usize,

    /// Rows to measure
    #[arg(long, value_name = "ROW,…", value_delimiter = ',', default_values_t = (1..=10).chain([12, 13, 14]))]
    rows: Vec<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // A signal drops the measurement that is under way, which stops its servers.
    let result = tokio::select! {
        result = measure(args) => result,
        result = interrupted() => result,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            #[expect(
                clippy::disallowed_methods,
                reason = "returning would wait for a pipeline that runs on a blocking thread"
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
        ensure!(clip.is_file(), "the film {clip:?} is missing; set CLIP to another file, or leave it out");
    }
    video::init()?;
    let wants = |row: u32| args.rows.contains(&row);
    let mut clips = vec![clips::generated(&args.server, &args.folder).await?];
    match &args.clip {
        Some(film) => clips.push(clips::film(&args.server, &args.folder, film).await?),
        None => eprintln!("CLIP is not set: only the generated clip is measured"),
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
    if wants(8) {
        bench.joins(&mut table).await?;
    }
    if wants(9) {
        bench.foreign(&clips::foreign(&args.folder)?, &mut table).await?;
    }
    if wants(10) {
        for clip in &clips {
            bench.ready(clip, &mut table).await?;
        }
    }
    if wants(12) {
        bench.chat_beside_pictures(&clips[0], &mut table).await?;
    }
    if wants(13) {
        for clip in &clips {
            bench.encoder(clip, &mut table)?;
        }
    }
    if wants(14) {
        for is_played in [false, true] {
            bench.previews(&clips[0], is_played, &mut table).await?;
        }
        bench.previews(&clips::long(&args.folder, &clips[0]).await?, false, &mut table).await?;
    }
    println!("{table}");
    if args.clip.is_none() {
        println!("CLIP was not set: no film was measured.");
    }
    Ok(())
}
