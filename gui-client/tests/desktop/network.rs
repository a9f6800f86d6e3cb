//! A network of its own, with nothing in it but this computer: what looks for servers there finds only those that the test has
//! started.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A network that ends when dropped.
pub struct Network {
    /// The process that keeps it; none where this system grants no network, and the one of this computer is used.
    holder: Option<Child>,
}

impl Network {
    /// Makes a network, if this system lets users have one.
    pub fn start() -> Self {
        // It exists as long as a process is in it; this one waits for the end of its input.
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-current-user", "--keep-caps", "--net", "sh", "-c"])
            .arg("ip link set lo up && echo ready && exec cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("unshare: {error}; 'make test' installs it"));
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line == "ready\n" {
            return Self { holder: Some(holder) };
        }
        eprintln!(
            "This system grants users no network of their own. Servers that others run on this one disturb the test."
        );
        holder.wait().unwrap();
        Self { holder: None }
    }

    /// `program` in this network.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let Some(holder) = &self.holder else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.args(["--user", "--preserve-credentials", "--net", "--target", &holder.id().to_string()]);
        command.arg("--").arg(program);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.holder {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}
