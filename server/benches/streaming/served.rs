//! The server as a separate process, so that its processor time and memory are not mixed with the viewers'.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use common::media::Statistics;
use tempfile::TempDir;
use tokio::time::MissedTickBehavior;

use crate::{
    link::{Keys, Link},
    process::Process,
};

/// How long a server may take until it prints its address; it scans the video folder first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take until all decoders have stopped. An idle decoder is kept for half a second.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// How often the statistics are asked for while a benchmark waits for the server to rest.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How many looks in a row must find the server at rest. Together they take longer than a worker process needs to load anything.
const RESTING_LOOKS: u32 = 6;

/// `USER_HZ`, the unit of processor times in `/proc`: 100 on every common architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server. Killed when dropped.
pub struct Served {
    process: Process,
    address: SocketAddr,
    /// Its data folder, so that names stay with no key beyond one run.
    _data: TempDir,
}

impl Served {
    /// Starts a server with a video folder and waits until it listens. `cache_mib` of `None` keeps the default cache size.
    pub fn start(server: &Path, videos: &Path, cache_mib: Option<u64>) -> Result<Self> {
        Self::start_with_disk(server, videos, cache_mib, None)
    }

    /// The same with frames on disk in a folder; `None` keeps none.
    pub fn start_with_disk(
        server: &Path,
        videos: &Path,
        cache_mib: Option<u64>,
        frames: Option<&Path>,
    ) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(server);
        command.arg("--data-dir").arg(data.path());
        command.args(["--plaintext", "--listen", "127.0.0.1:0", "--log", "error", "--videos"]).arg(videos);
        match frames {
            Some(folder) => command.arg("--disk-cache-dir").arg(folder),
            // Otherwise what an earlier run decoded would be read from disk.
            None => command.args(["--disk-cache-gib", "0"]),
        };
        if let Some(mib) = cache_mib {
            command.arg("--cache-mib").arg(mib.to_string());
        }
        let mut process = Process::start(command.stdout(Stdio::piped()))?;
        let stdout = process.0.stdout.take().context("the server has no output")?;
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new().name("server-output".into()).spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Fails when the benchmark has given up waiting.
            let _ = sender.send(read.map(|_| line));
        })?;
        let line = receiver.recv_timeout(START_LIMIT).context("the server does not print its address")??;
        let address = line.split(' ').nth(3).and_then(|word| word.parse().ok());
        let address =
            address.with_context(|| format!("the server did not start; it printed {line:?}, and the reason above"))?;
        Ok(Self { process, address, _data: data })
    }

    /// Like [`Self::start`], but joins a viewer and waits until the server is idle: the first pictures are decoded, all
    /// decoders have stopped, and spare processes have started.
    pub async fn start_idle(server: &Path, videos: &Path, cache_mib: Option<u64>) -> Result<(Self, Link)> {
        let served = Self::start(server, videos, cache_mib)?;
        let mut link = served.join("viewer", &Keys::fixed()).await?;
        served.wait_idle(&mut link).await?;
        served.wait_at_rest(&mut link).await?;
        Ok((served, link))
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects a client under this name.
    pub async fn join(&self, name: &str, keys: &Keys) -> Result<Link> {
        Link::join(self.address, name, keys).await.with_context(|| format!("{name} cannot join"))
    }

    /// Waits until no decoder is running.
    pub async fn wait_idle(&self, link: &mut Link) -> Result<Statistics> {
        // Seen twice, because the decoding of the next first pictures may not have begun yet.
        let is_idle = |statistics: &Statistics| Ok(statistics.decoders == 0 && statistics.decoded > 0);
        look_until(link, 2, is_idle).await
    }

    /// Waits until nothing is under way in the server or its worker processes: no decoder, no reading or writing of frames on
    /// disk, and no start of a spare process, which takes as much processor time as hundreds of pictures from the disk.
    pub async fn wait_at_rest(&self, link: &mut Link) -> Result<()> {
        let (mut bytes_before, mut seconds_before) = (None, 0.0);
        let is_at_rest = |&Statistics { decoders, held_bytes, disk_bytes, .. }: &Statistics| {
            let (bytes, seconds) = (Some((held_bytes, disk_bytes)), self.processor_seconds()?);
            // Each look takes some time, too: less than a tick.
            let is_still = bytes == bytes_before && seconds - seconds_before <= 1.0 / TICKS_PER_SECOND;
            (bytes_before, seconds_before) = (bytes, seconds);
            Ok(decoders == 0 && is_still)
        };
        look_until(link, RESTING_LOOKS, is_at_rest).await.map(drop)
    }

    /// The processor time of all its threads so far, and of its worker processes, in seconds.
    pub fn processor_seconds(&self) -> Result<f64> {
        let own = self.read("stat")?;
        // Those that have ended count from the third time on, those that run by themselves.
        let ended = ticks_to_seconds(&own, 11)? + ticks_to_seconds(&own, 13)?;
        let running: f64 = self.workers().iter().filter_map(|stat| ticks_to_seconds(stat, 11).ok()).sum();
        Ok(ended + running)
    }

    /// `/proc/PID/stat` of each of its worker processes.
    fn workers(&self) -> Vec<String> {
        let parent = self.process.0.id().to_string();
        let is_worker = |stat: &String| {
            let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            fields.nth(1) == Some(&parent)
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
        stats.filter(is_worker).collect()
    }

    /// The memory of the server and its worker processes now, in MiB. Pages that several share are counted once.
    pub fn memory_mib(&self) -> f64 {
        let server = self.process.0.id();
        let tasks = fs::read_dir(format!("/proc/{server}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let workers: Vec<u32> =
            children.flat_map(|pids| pids.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
        // A worker may be gone already.
        let pss_kib = |pid: u32| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        [server].into_iter().chain(workers).filter_map(pss_kib).sum::<f64>() / 1024.0
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.process.0.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}; the benchmark needs Linux"))
    }
}

/// Asks for the statistics until `is_so` holds for this number of looks in a row, and returns the last ones.
async fn look_until(
    link: &mut Link,
    looks_in_a_row: u32,
    mut is_so: impl FnMut(&Statistics) -> Result<bool>,
) -> Result<Statistics> {
    let begun = Instant::now();
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut found = 0;
    loop {
        looks.tick().await;
        let statistics = link.statistics().await?;
        found = if is_so(&statistics)? { found + 1 } else { 0 };
        if found == looks_in_a_row {
            return Ok(statistics);
        }
        ensure!(begun.elapsed() < IDLE_LIMIT, "the server does not come to rest: {statistics:?}");
    }
}

/// The sum of a user time and the system time that follows it in `/proc/PID/stat`, in seconds. `at` is the index of the
/// user time, counted from the first field after the program's name.
pub fn ticks_to_seconds(stat: &str, at: usize) -> Result<f64> {
    // The name, in parentheses, may contain spaces.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let sum = ticks(at).zip(ticks(at + 1)).map(|(user, system)| user + system);
    Ok(sum.context("/proc/PID/stat has no processor times")? / TICKS_PER_SECOND)
}
