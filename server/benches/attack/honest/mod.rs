//! What honest people do and notice: a chatter who writes to itself through the whole relay, a viewer at a video's own
//! speed, guests who listen, and newcomers. They run in a process of their own, so that attackers cost them nothing but
//! what the server lets them cost.

mod chatter;
mod report;
mod viewer;

use std::{
    io::{BufRead, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::{chatter::envelope, report::Report};
use self::{
    chatter::{CHAT_DEADLINE, chat},
    viewer::watch,
};
use crate::{
    keys::Keys,
    link::{Keys as LinkKeys, Link},
    member::Member,
};

/// A newcomer must be welcomed within this time.
const NEWCOMER_LIMIT: Duration = Duration::from_secs(2);
const NEWCOMER_INTERVAL: Duration = Duration::from_millis(500);
const NEWCOMERS: usize = 12;
/// The numbers of keys: the chatter, then newcomers, then guests.
const FIRST_NEWCOMER: usize = 1;
const FIRST_GUEST: usize = FIRST_NEWCOMER + NEWCOMERS;
const READY: &str = "ready";

/// The process of the honest people. Killed when dropped.
pub struct Honest {
    child: Child,
    output: std::io::BufReader<ChildStdout>,
}

impl Drop for Honest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Honest {
    /// Starts the process.
    pub fn start(address: SocketAddr, guests: usize, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("honest").arg(address.to_string()).arg(guests.to_string()).arg("--folder").arg(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = std::io::BufReader::new(child.stdout.take().context("the honest people have no output")?);
        Ok(Self { child, output })
    }

    /// Waits until everyone has joined and the video plays.
    pub fn ready(&mut self) -> Result<()> {
        let line = self.line()?;
        if line.trim() != READY {
            bail!("the honest people are not ready but say {line:?}");
        }
        Ok(())
    }

    /// Ends the measurement.
    pub fn report(&mut self) -> Result<Report> {
        // The end of its input tells the process to stop.
        drop(self.child.stdin.take());
        let line = self.line()?;
        Report::from_line(&line).with_context(|| format!("the honest people report {line:?}"))
    }

    fn line(&mut self) -> Result<String> {
        tokio::task::block_in_place(|| {
            let mut line = String::new();
            self.output.read_line(&mut line)?;
            Ok(line)
        })
    }
}

/// The main function of the process.
pub async fn be_honest(address: SocketAddr, guests: usize, folder: &Path) -> Result<()> {
    let keys = Keys::load_or_make(folder).await?;
    let stop = CancellationToken::new();
    let mut listeners = JoinSet::new();
    for number in 0..guests {
        let guest = Member::join(address, &format!("guest-{number}"), keys.honest(FIRST_GUEST + number)).await?;
        listeners.spawn(guest.listen());
    }
    let chatter = Member::join(address, "chatter", keys.honest(0)).await?;
    let viewer = Link::join(address, "viewer", &LinkKeys::fixed()).await?;
    let chatting = tokio::spawn(chat(chatter, stop.clone()));
    let (started, has_started) = oneshot::channel();
    let watching = tokio::spawn(watch(viewer, started, stop.clone()));
    has_started.await.context("the video does not start")?;
    println!("{READY}");
    std::io::stdout().flush()?;
    let newcomers = tokio::spawn(welcome_newcomers(address, keys, stop.clone()));
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
    stop.cancel();
    let chat = chatting.await?;
    let watched = watching.await?;
    let (newcomers, newcomers_served) = newcomers.await?;
    let mut report = Report { newcomers, newcomers_served, chat_lost: chat.lost, ..Report::default() };
    report.disconnected = usize::from(chat.is_disconnected) + usize::from(watched.is_disconnected);
    while let Some(ended) = listeners.try_join_next() {
        eprintln!("a guest was disconnected: {:#}", ended?);
        report.disconnected += 1;
    }
    let quantile =
        |part: f64| chat.times.get(((chat.times.len() as f64 * part) as usize).min(chat.times.len().max(1) - 1));
    report.chat_p50 = quantile(0.5).copied().unwrap_or(CHAT_DEADLINE);
    report.chat_p99 = quantile(0.99).copied().unwrap_or(CHAT_DEADLINE);
    (report.pictures, report.longest_stall) = (watched.pictures, watched.longest_stall);
    println!("{}", report.to_line());
    Ok(())
}

/// Returns how many newcomers tried to join, and how many of them were welcomed in time.
async fn welcome_newcomers(address: SocketAddr, keys: Keys, stop: CancellationToken) -> (usize, usize) {
    let mut joining = JoinSet::new();
    let mut ticks = interval(NEWCOMER_INTERVAL);
    for number in 0..NEWCOMERS {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let keys = keys.clone();
        joining.spawn(async move {
            let name = format!("newcomer-{number}");
            let join =
                timeout(NEWCOMER_LIMIT, Member::join(address, &name, keys.honest(FIRST_NEWCOMER + number))).await;
            match join {
                Ok(Ok(_)) => true,
                Ok(Err(error)) => {
                    eprintln!("a newcomer was not welcomed: {error:#}");
                    false
                }
                Err(_) => false,
            }
        });
    }
    let served = joining.join_all().await;
    (served.len(), served.iter().filter(|&&is_served| is_served).count())
}
