//! Entry point: parses the arguments, prints the address to connect to, shows on a terminal what the server does, and waits
//! for Ctrl-C or SIGTERM.

mod commands;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use common::{crypto::fingerprint, discovery::ServerName, media::Library, message::ServerInfo};
use directories::ProjectDirs;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;
use triptych_server::{
    Server, Settings,
    config::{Args, Command, DEFAULT_HEIGHTS},
    discovery::Interfaces,
    live_table::{LiveTable, terminal::Terminal},
    video::{
        self,
        disk::DiskSettings,
        offline::ImportRequest,
        process::{WorkerProgram, run_worker},
    },
};

/// Time limit for notifying every client when the server stops.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(600);

/// Time limit for what still runs after that: threads that read files, and worker processes.
const CLEANUP_LIMIT: Duration = Duration::from_millis(200);

/// The exit code that shells expect of a program ended by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Encoded pictures are large, allocated in one thread and freed in another. glibc's allocator does not return such memory:
/// the server grew by a quarter with each segment of a long video. mimalloc returns it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    use_small_pages();
    let terminal = Terminal::standard();
    let outcome = start_log(&args.log, &terminal).and_then(|()| match args.command.clone() {
        Some(Command::Sample { once: true }) if args.videos.exists() => {
            println!("{} exists already, so no sample is made.", args.videos.display());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Sample { .. }) => commands::make_sample(&args.videos),
        Some(Command::Import { file, title, heights, force, ready }) => {
            let has_default_heights = heights == DEFAULT_HEIGHTS;
            let folder = args.videos.clone();
            let request = ImportRequest { file, folder, title, heights, replaces: force };
            let disk = ready.then(|| needed_disk(&args)).transpose();
            disk.and_then(|disk| commands::import(request, has_default_heights, disk))
        }
        Some(Command::Prepare { titles, .. }) => {
            // None are given with --all.
            let titles = Some(titles).filter(|titles| !titles.is_empty());
            needed_disk(&args).and_then(|disk| commands::prepare(&args.videos, titles, &disk))
        }
        Some(Command::Check) => commands::check(&args.videos, disk_settings(&args).ok().flatten().as_ref()),
        Some(Command::Worker { fault }) => {
            run_worker(fault.as_deref()).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from)
        }
        None => run_server(&args, &terminal).map(|()| ExitCode::SUCCESS),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("triptych-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has the kernel use no huge pages for this process and its worker processes (`PR_SET_THP_DISABLE`, which is inherited). The
/// allocator asks for them; but then each arena takes 2 MiB at once, which made the server 13 MiB and each worker process 12
/// to 25 MiB larger, and clearing them took a tenth of the processor time of a cold video.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!("the kernel may use huge pages: {error}");
    }
}

fn start_log(filter: &str, terminal: &Terminal) -> Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("--log {filter:?} is not a valid log filter; use a level such as info, or triptych_server=debug")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(terminal.clone())
        .with_ansi(terminal.has_colors())
        .with_target(false);
    // The journal of systemd, which sets this variable, notes the time itself.
    match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => log.without_time().init(),
        None => log.init(),
    }
    Ok(())
}

fn run_server(args: &Args, terminal: &Terminal) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(args, terminal));
    runtime.shutdown_timeout(CLEANUP_LIMIT);
    served
}

async fn serve(args: &Args, terminal: &Terminal) -> Result<()> {
    video::init()?;
    let data_dir = match data_dir(args) {
        Ok(folder) => Some(folder),
        Err(error) if args.plaintext => {
            warn!("To whom names belong is forgotten when the server stops: {error:#}.");
            None
        }
        Err(error) => return Err(error),
    };
    let own_name = || ServerName::of_computer(&Interfaces::look().host_name);
    let announced_as = (!args.no_announce).then(|| args.name.clone().unwrap_or_else(own_name));
    let certificate_dir = data_dir.clone().filter(|_| !args.plaintext);
    let settings = Settings {
        listen: args.listen.clone(),
        announced_as: announced_as.clone(),
        videos: args.videos.clone(),
        certificate_dir,
        names_dir: data_dir,
        cache_bytes: args.cache_mib.saturating_mul(1 << 20),
        limits: args.limits.clone(),
        disk: disk_settings(args).unwrap_or_else(|error| {
            warn!("No frames are kept on disk: {error:#}.");
            None
        }),
        worker_program: Some(WorkerProgram::current().context("the system does not tell which program this is")?),
    };
    let server = Server::bind(&settings).await?;
    // The reader of the output may be gone, as in `triptych-server | head -1`; clients are served even so.
    if let Err(error) = announce(&server, &args.videos, announced_as.as_ref()) {
        warn!("The addresses for clients cannot be printed: {error}.");
    }
    server.report_sandbox_gap();

    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let table = terminal.can_draw().then(|| LiveTable::start(server.monitor(), terminal.clone())).transpose()?;
    let mut running = std::pin::pin!(server.run(stop.clone()));
    tokio::select! {
        () = &mut running => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    drop(table);
    info!("The server is stopping.");
    stop.cancel();
    tokio::select! {
        stopped = tokio::time::timeout(SHUTDOWN_LIMIT, running) => {
            if stopped.is_err() {
                warn!("The shutdown timed out before every client was notified.");
            }
        }
        _ = interrupt.recv() => {
            #[expect(clippy::disallowed_methods, reason = "the second Ctrl-C asks for an end without farewells")]
            std::process::exit(INTERRUPTED.into());
        }
    }
    Ok(())
}

fn announce(server: &Server, folder: &Path, announced_as: Option<&ServerName>) -> io::Result<()> {
    let addresses = Interfaces::look().typed_addresses(server.addresses(), announced_as.is_some());
    let (address, typed) = (&addresses.first, addresses.typed.join(", "));
    let name = announced_as.map_or_else(String::new, ToString::to_string);
    // An address of this computer alone is of no use to anyone who asks for one.
    let for_others = if addresses.first.ip().is_loopback() { Vec::new() } else { addresses.typed.clone() };
    server.introduce(ServerInfo { name, addresses: for_others });
    let listing = server.library().listing();
    for file in &server.library().skipped_files() {
        warn!("The file {:?} cannot be offered: {}", file.file_name, file.reason);
    }
    let secured = match server.certificate_hash() {
        Some(hash) => format!("certificate {}", fingerprint::words(&hash)),
        None => "PLAINTEXT: anyone on the network can read the traffic".to_owned(),
    };
    let mut out = io::stdout();
    writeln!(out, "Triptych server on {address} ({secured}) offers {}", offer(&listing, folder))?;
    match announced_as {
        Some(name) => writeln!(out, "Clients find it by themselves as {name}. Or type one of these there: {typed}")?,
        None => writeln!(out, "Clients do not find it by themselves. Type one of these there: {typed}")?,
    }
    if let Some(hash) = server.certificate_hash() {
        let digits = fingerprint::digits(&hash);
        writeln!(out, "Clients show the same seven words, or the digits {digits}, if they really reach this server.")?;
    }
    // A pipe is block-buffered: without this, a program that waits for the line would wait forever.
    out.flush()
}

fn offer(listing: &Library, folder: &Path) -> String {
    let folder = folder.display();
    if listing.videos.is_empty() {
        return format!(
            "no videos yet: run 'triptych-server import FILE --videos {folder}' or 'triptych-server sample --videos {folder}', or \
             put TITLE_240p.mp4, TITLE_720p.mp4 and TITLE_1440p.mp4 into {folder}; new videos are picked up automatically"
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
    let dirs =
        user_folders().context("there is no home folder for the server's data; choose a folder with --data-dir")?;
    Ok(dirs.data_local_dir().to_owned())
}

/// Where frames are kept on disk, and how many; `None` if none are.
fn disk_settings(args: &Args) -> Result<Option<DiskSettings>> {
    if args.disk_cache_gib == Some(0) {
        return Ok(None);
    }
    let folder = match &args.disk_cache_dir {
        Some(folder) => folder.clone(),
        None => user_folders()
            .context("there is no home folder for frames on disk; choose a folder with --disk-cache-dir")?
            .cache_dir()
            .join("frames"),
    };
    let limit_bytes = args.disk_cache_gib.map(|gib| gib.saturating_mul(1 << 30));
    Ok(Some(DiskSettings { limit_bytes, ..DiskSettings::new(folder) }))
}

/// The same for a command that does nothing else.
fn needed_disk(args: &Args) -> Result<DiskSettings> {
    disk_settings(args)?.context("--disk-cache-gib 0 leaves no space for frames on disk; give more, or leave it out")
}

fn user_folders() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "triptych-server")
}
