//! Two clients without windows watch a video together, and the distance between their clocks is measured: on a fast link, and while
//! one of them is behind a slow one.
//!
//! ```text
//! main ─► clip (makes and prepares the video) ─► served (the server program)
//!    │                                              │     │
//!    ├──► watcher "host" ◄──────────────────────────┘     │
//!    ├──► watcher "guest" ◄── throttle (the slow link) ◄──┘
//!    └──► drift (where both were when, a row for each part)
//! ```

#![allow(unreachable_pub, reason = "a program has no callers outside")]
#![allow(dead_code, reason = "what is shared with other programs is not used here in full")]
#![allow(
    clippy::let_underscore_must_use,
    reason = "a wake that comes late, and a program that is already gone, change nothing"
)]

#[path = "../ladder/clip.rs"]
mod clip;
mod drift;
#[path = "../ladder/interrupt.rs"]
mod interrupt;
#[path = "../../../server/benches/streaming/process.rs"]
mod process;
#[path = "../ladder/served.rs"]
mod served;
#[path = "../../../server/benches/streaming/throttle.rs"]
mod throttle;
mod watcher;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use tokio::runtime::Runtime;
use triptych_client::state::action::{Action, PartyAction};

use self::{
    clip::Clip,
    drift::Part,
    served::Served,
    throttle::{Speed, Throttle},
    watcher::Watcher,
};

/// Measures how far apart two clients are that watch together.
#[derive(Debug, Parser)]
struct Args {
    /// The triptych-server program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,

    /// Folder for the video and its frames; what is already there is used again
    #[arg(long, value_name = "FOLDER", overrides_with = "folder")]
    folder: PathBuf,

    /// How long each part takes, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,

    /// The links of the guest in Mbit/s
    #[arg(long, value_name = "RATE,…", value_delimiter = ',', default_values_t = [1_000, 20, 8, 4])]
    links: Vec<u64>,

    /// How long each byte is under way to and from the guest, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    delay: u64,

    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("together: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let server = &args.server;
    ensure!(server.is_file(), "{server:?} is missing; build it with: cargo build --release -p server --bins");
    let runtime = Runtime::new()?;
    interrupt::listen(&runtime)?;
    let clip = Clip::prepared(server, &args.folder)?;
    println!("{}", drift::HEADING);
    for &megabits in &args.links {
        let link = Speed {
            bits_per_second: megabits * 1_000_000,
            delay: Duration::from_millis(args.delay),
            queue: Duration::from_millis(100),
        };
        let served = Served::start(server, &clip)?;
        let throttle = runtime.block_on(Throttle::start(served.address, link))?;
        let host = Watcher::start("host", served.address)?;
        let guest = Watcher::start("guest", throttle.address())?;
        let time = Duration::from_secs(args.seconds);
        let row = |what: &str, part: Part| println!("{}", drift::row(&format!("{megabits} Mbit/s"), what, &part));

        host.open(clip::TITLE)?;
        host.act(Action::Party(PartyAction::Start));
        guest.join()?;
        row("the guest joins", watch(&host, &guest, time)?);
        host.act(Action::SeekTo(150_000_000_000));
        row("a seek", watch(&host, &guest, time)?);
        guest.act(Action::TogglePause);
        interrupt::pause(Duration::from_secs(2))?;
        host.act(Action::TogglePause);
        row("a pause, and on", watch(&host, &guest, time)?);
        // 1440p: too much for a slow link as it is.
        host.act(Action::SeekTo(2 * clip::THIRD.as_nanos() as u64 + 1_000_000_000));
        row("a seek to 1440p", watch(&host, &guest, time)?);
        row("1440p goes on", watch(&host, &guest, time)?);
    }
    println!("\n{}", drift::LEGEND);
    println!("Each byte was under way for {} ms in each direction to and from the guest.", args.delay);
    Ok(())
}

/// Lets both play for this time, and notes where they are.
fn watch(host: &Watcher, guest: &Watcher, time: Duration) -> Result<Part> {
    let begun = Instant::now();
    for watcher in [host, guest] {
        watcher.take_readings()?;
    }
    interrupt::pause(time)?;
    Ok(Part { begun, ended: Instant::now(), readings: [host.take_readings()?, guest.take_readings()?] })
}
