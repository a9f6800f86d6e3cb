//! `make attack`: attacks a release server on this machine, and prints what honest people noticed meanwhile.
//!
//! ```text
//! main ─► attacks   what attackers do; each attack has a server of its own
//!   │      └─► member   a client without a window
//!   └───► honest    a chatter, a viewer, guests and newcomers, in a process of their own
//! ```
//! All attackers come from this machine, whose addresses the limits per address exempt: the server must withstand them
//! without those limits.

#![allow(unreachable_pub, reason = "a program has no callers outside")]
#![allow(clippy::let_underscore_must_use, reason = "programs and connections that are already gone need not be ended")]

mod attacks;
#[path = "../streaming/clips.rs"]
#[allow(dead_code, reason = "shared with the streaming benchmark, which uses the rest")]
mod clips;
mod honest;
mod keys;
#[path = "../streaming/link.rs"]
#[allow(dead_code, reason = "shared with the streaming benchmark, which uses the rest")]
mod link;
mod member;
#[path = "../streaming/process.rs"]
mod process;
#[path = "../streaming/served.rs"]
#[allow(dead_code, reason = "shared with the streaming benchmark, which uses the rest")]
mod served;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use triptych_server::video;

use crate::{
    attacks::{Attack, Target},
    honest::{Honest, Report},
    keys::Keys,
    served::Served,
};

/// Attacks a Triptych server.
#[derive(Debug, Parser)]
struct Args {
    /// The triptych-server program
    #[arg(long, value_name = "FILE", global = true)]
    server: Option<PathBuf>,

    /// Folder for clips and keys; those that are already there are used again
    #[arg(long, value_name = "FOLDER", global = true, default_value = "target/attack")]
    folder: PathBuf,

    /// Duration of each attack
    #[arg(long, default_value_t = 8)]
    seconds: u64,

    /// Attacks to run [default: all]
    #[arg(long, value_name = "ATTACK,…", value_delimiter = ',')]
    attacks: Vec<Attack>,

    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Be the honest people (started by this program itself)
    #[command(hide = true)]
    Honest {
        /// The server's address
        address: std::net::SocketAddr,
        /// People who only listen
        guests: usize,
    },
}

/// What honest people may notice at most.
const CHAT_LIMIT: Duration = Duration::from_millis(50);
const PICTURE_PARTS: f64 = 0.95;
const MEMORY_RATIO: f64 = 2.0;

const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.role {
        Some(Role::Honest { address, guests }) => honest::be_honest(*address, *guests, &args.folder).await,
        None => run(&args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("attack: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let server = args.server.as_deref().context("--server names the server program")?;
    ensure!(server.is_file(), "{server:?} is missing; build it with: cargo build --release -p server");
    std::fs::create_dir_all(&args.folder)?;
    video::init()?;
    let keys = Keys::load_or_make(&args.folder).await?;
    let clip = clips::generated(server, &args.folder).await?;
    let attacks = if args.attacks.is_empty() { Attack::value_variants() } else { &args.attacks };
    println!(
        "| attack | left | newcomers | chat p50, p99, lost | 720p pictures, longest stall | server's memory | bar |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut quiet_mib = None;
    for &attack in attacks {
        let served = Served::start(server, &clip.videos, None)?;
        let (report, peak_mib) =
            suffer(args, attack, &served, &keys).await.with_context(|| format!("during {attack}"))?;
        let quiet_mib = *quiet_mib.get_or_insert(peak_mib);
        let is_met = report.disconnected == 0
            && report.newcomers_served == report.newcomers
            && report.chat_p99 <= CHAT_LIMIT
            && report.chat_lost == 0
            && report.pictures >= PICTURE_PARTS
            && peak_mib <= MEMORY_RATIO * quiet_mib;
        println!("| {attack} | {report} | {peak_mib:.0} MiB | {} |", if is_met { "met" } else { "MISSED" });
    }
    Ok(())
}

/// Runs one attack beside honest people. Returns what these noticed, and the largest memory of the server, in MiB.
async fn suffer(args: &Args, attack: Attack, served: &Served, keys: &Keys) -> Result<(Report, f64)> {
    let mut honest = Honest::start(served.address(), attack.guests(), &args.folder)?;
    honest.ready()?;
    let target = Target { address: served.address(), keys };
    let mut peak_mib: f64 = 0.0;
    let watching = async {
        let mut ticks = tokio::time::interval(MEMORY_INTERVAL);
        loop {
            ticks.tick().await;
            peak_mib = peak_mib.max(served.memory_mib());
        }
    };
    tokio::select! {
        result = attack.run(&target) => result.context("the attackers gave up")?,
        () = watching => {}
        () = tokio::time::sleep(Duration::from_secs(args.seconds)) => {}
    }
    Ok((honest.report()?, peak_mib))
}
