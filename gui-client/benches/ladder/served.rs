//! The server as a separate process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{clip::Clip, process::Process};

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
