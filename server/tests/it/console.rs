//! The server's console output, which may be read by another program.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::support::clips::wait_until;

/// A server process; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_whose_output_is_read_no_more_serves_its_clients() {
    let folder = TempDir::new().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
    command.args(["--plaintext", "--log", "error", "--listen"]).arg(address.to_string());
    command.arg("--videos").arg(folder.path()).arg("--data-dir").arg(folder.path().join("data"));
    command.args(["--disk-cache-gib", "0"]);
    let mut server = Process(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    drop(server.0.stdout.take());
    // The server refuses this, and says so.
    let is_answered = || {
        let Ok(mut stream) = TcpStream::connect(address) else { return false };
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_ok() && matches!(stream.read(&mut [0; 64]), Ok(1..))
    };
    wait_until("the server answers", is_answered);
}
