//! The doorbell of the server: reads the command line, prints the one line that counts, and waits for Ctrl-C.

mod jobs;

use std::{
    io::{IsTerminal, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use common::{crypto::short_fingerprint, media::Library};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use triptych_server::{
    Server, Settings,
    config::{Args, Command, DEFAULT_HEIGHTS},
    video::{self, offline::ImportOrder},
};

/// Clients get this long to hear the goodbye.
const GOODBYE_TIME: Duration = Duration::from_millis(800);

/// Pictures are made in one thread, freed in another, and large. glibc keeps what such threads leave behind: the server
/// grew by a quarter with each segment of a long video.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = start_log(&args.log).and_then(|()| match args.command.clone() {
        Some(Command::Sample) => jobs::make_sample(&args.videos),
        Some(Command::Import { file, title, heights, force }) => {
            let has_usual_heights = heights == DEFAULT_HEIGHTS;
            let folder = args.videos.clone();
            jobs::import(ImportOrder { file, folder, title, heights, replaces: force }, has_usual_heights)
        }
        Some(Command::Check) => jobs::check(&args.videos),
        None => serve(&args).map(|()| ExitCode::SUCCESS),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("triptych-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter:?} is not a log filter"))?;
    let has_colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(has_colours)
        .with_target(false)
        .init();
    Ok(())
}

#[tokio::main]
async fn serve(args: &Args) -> Result<()> {
    video::init()?;
    let certificate_dir = if args.plaintext { None } else { Some(data_dir(args)?) };
    let settings = Settings {
        listen: args.listen,
        videos: args.videos.clone(),
        certificate_dir,
        cache_bytes: args.cache_mib.saturating_mul(1 << 20),
    };
    let server = Server::bind(&settings).await?;
    announce(&server, &args.videos)?;

    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut running = std::pin::pin!(server.run(stop.clone()));
    tokio::select! {
        () = &mut running => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    info!("stopping");
    stop.cancel();
    if tokio::time::timeout(GOODBYE_TIME, running).await.is_err() {
        warn!("some clients did not hear the goodbye");
    }
    Ok(())
}

fn announce(server: &Server, folder: &Path) -> Result<()> {
    let address = typeable(server.local_addr()?);
    let listing = server.library().listing();
    for file in &listing.skipped {
        warn!("{:?} skipped: {}", file.file_name, file.reason);
    }
    let secured = match server.certificate_hash() {
        Some(hash) => format!("certificate {}", short_fingerprint(&hash)),
        None => "PLAINTEXT, everybody on the network can follow".to_owned(),
    };
    let mut out = std::io::stdout();
    writeln!(out, "Triptych server on {address} ({secured}) offers {}", offer(&listing, folder))?;
    // A pipe would keep the line back, and whoever waits for it would wait for ever.
    Ok(out.flush()?)
}

/// The address to type at a client. A server that listens everywhere is best reached at the address with which this
/// machine would speak to others.
fn typeable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Connecting a UDP socket sends nothing; it only picks the address (192.0.2.1 is for documentation, RFC 5737).
    let picked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    picked.map_or(address, |picked| SocketAddr::new(picked.ip(), address.port()))
}

fn offer(listing: &Library, folder: &Path) -> String {
    let folder = folder.display();
    if listing.videos.is_empty() {
        return format!(
            "no videos yet: put TITLE_240p.mp4, TITLE_720p.mp4, TITLE_1440p.mp4 into {folder}, or run 'triptych-server sample --videos {folder}'; they appear by themselves"
        );
    }
    let titles: Vec<_> = listing.videos.iter().take(5).map(|video| format!("{:?}", video.title)).collect();
    let more = listing.videos.len().saturating_sub(titles.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more} from {folder}", titles.join(", "))
}

fn data_dir(args: &Args) -> Result<PathBuf> {
    if let Some(folder) = &args.data_dir {
        return Ok(folder.clone());
    }
    let dirs = directories::ProjectDirs::from("", "", "triptych-server")
        .context("there is no home folder to keep the certificate in; name a folder with --data-dir")?;
    Ok(dirs.data_local_dir().to_owned())
}
