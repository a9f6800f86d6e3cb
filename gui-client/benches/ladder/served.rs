//! The server as a separate process, and other programs.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{clip::Clip, interrupt};

/// A running program. Killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts it in a process group of its own, so that Ctrl-C reaches only the benchmark, which then ends it.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {:?}", command.get_program()))?))
    }

    /// Starts it and waits until it has done its work.
    pub fn run(command: &mut Command) -> Result<()> {
        let mut process = Self::start(command)?;
        let status = loop {
            match process.0.try_wait()? {
                Some(status) => break status,
                None => interrupt::pause(Duration::from_millis(50))?,
            }
        };
        ensure!(status.success(), "{:?} failed ({status}); the reason is printed above", command.get_program());
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when the process has already ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A running server. Killed when dropped.
pub struct Served {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its certificate and the names of its clients.
    _data: TempDir,
}

impl Served {
    /// Starts a server that offers the clip, and waits until it listens.
    pub fn start(server: &Path, clip: &Clip) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(server);
        command.args(["--listen", "127.0.0.1:0", "--log", "error", "--disk-cache-gib", "20", "--disk-cache-dir"]);
        command.arg(&clip.frames).arg("--videos").arg(&clip.videos).arg("--data-dir").arg(data.path());
        let mut process = Process::start(command.stdout(Stdio::piped()))?;
        let stdout = process.0.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.split(' ').nth(3).and_then(|word| word.parse().ok());
        let address =
            address.with_context(|| format!("the server did not start; it printed {line:?}, and the reason above"))?;
        Ok(Self { _process: process, address, _data: data })
    }
}
