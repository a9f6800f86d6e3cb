//! The server as a process of its own, so that its processor time and its memory can be told from those of the viewers.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use common::media::Statistics;

use crate::link::{Keys, Link};

/// How long a server may take until it says where it listens; it reads all files first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take until all decoders have gone home. They stay for two seconds.
const REST_LIMIT: Duration = Duration::from_secs(30);

/// What Linux counts processor time in, for programs: `USER_HZ`, the same on every machine that people have.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server. Killed when dropped.
pub struct Served {
    process: Process,
    address: SocketAddr,
}

/// A process that does not outlive us.
pub struct Process(pub Child);

impl Process {
    /// Starts it in a group of its own, so that Ctrl-C comes to us alone and we end things in order.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {:?}", command.get_program()))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// Starts a server with a video folder and waits until it listens. `None` is the usual size of the cache.
    pub fn start(server: &Path, videos: &Path, cache_mib: Option<u64>) -> Result<Self> {
        let mut command = Command::new(server);
        command.args(["--plaintext", "--listen", "127.0.0.1:0", "--log", "error", "--videos"]).arg(videos);
        if let Some(mib) = cache_mib {
            command.arg("--cache-mib").arg(mib.to_string());
        }
        let mut process = Process::start(command.stdout(Stdio::piped()))?;
        let stdout = process.0.stdout.take().context("the server has no output")?;
        let (tell, told) = mpsc::sync_channel(1);
        thread::Builder::new().name("server-output".into()).spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody listens any more when it took too long.
            let _ = tell.send(read.map(|_| line));
        })?;
        let line = told.recv_timeout(START_LIMIT).context("the server does not say where it listens")??;
        let address = line.split(' ').nth(3).and_then(|word| word.parse().ok());
        let address = address.with_context(|| format!("the server did not start; it said {line:?}, and why above"))?;
        Ok(Self { process, address })
    }

    /// The same, with a viewer who has waited until the server has nothing to do: openings made, decoders gone.
    pub async fn rested(server: &Path, videos: &Path, cache_mib: Option<u64>) -> Result<(Self, Link)> {
        let served = Self::start(server, videos, cache_mib)?;
        let mut link = served.join("viewer", &Keys::fixed()).await?;
        served.rest(&mut link).await?;
        Ok((served, link))
    }

    /// Comes in under a name.
    pub async fn join(&self, name: &str, keys: &Keys) -> Result<Link> {
        Link::join(self.address, name, keys).await.with_context(|| format!("{name} cannot join"))
    }

    /// Waits until no decoder is alive.
    pub async fn rest(&self, link: &mut Link) -> Result<Statistics> {
        let begun = Instant::now();
        let mut is_second_look = false;
        loop {
            let statistics = link.statistics().await?;
            // Twice, because the next opening may not have been begun yet.
            if statistics.decoders == 0 && statistics.decoded > 0 {
                if is_second_look {
                    return Ok(statistics);
                }
                is_second_look = true;
            }
            if begun.elapsed() > REST_LIMIT {
                bail!("the server does not come to rest: {statistics:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Processor time that it took until now, in seconds, of all its threads.
    pub fn processor_seconds(&self) -> Result<f64> {
        ticks_to_seconds(&self.read("stat")?, 11)
    }

    /// The most memory that it had, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux says VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmHWM is {line:?}"))?;
        Ok(kib / 1024.0)
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.process.0.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}; the bench needs Linux"))
    }
}

/// User and system time out of `/proc/PID/stat`, which stand next to each other, counted behind the program's name.
pub fn ticks_to_seconds(stat: &str, at: usize) -> Result<f64> {
    // The name, in parentheses, may hold spaces.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let sum = ticks(at).zip(ticks(at + 1)).map(|(user, system)| user + system);
    Ok(sum.context("Linux says how long a process ran")? / TICKS_PER_SECOND)
}
