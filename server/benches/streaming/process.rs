//! A program that a benchmark runs.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// A child process. Killed when dropped.
pub struct Process(pub Child);

impl Process {
    /// Starts it in its own process group, so that Ctrl-C reaches only the benchmark, which then ends its children.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {:?}", command.get_program()))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
