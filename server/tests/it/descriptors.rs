//! A server that may open few files: it keeps some for its videos, takes fewer connections, and says so. In a process of its
//! own, because the limit holds for a whole process.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use common::crypto::test_keys;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::client::TestClient;

/// A server process and its folder; killed when dropped.
struct Process {
    child: Child,
    _folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server with this limit of open files, of which so many are taken already.
fn start(limit: u32, taken: u32) -> Process {
    let folder = tempfile::tempdir().unwrap();
    // What other tests have open is not closed in a child process if GStreamer opened it.
    let close = "for file in /proc/self/fd/*; do fd=${file##*/}; [ $fd -gt 2 ] && eval \"exec $fd>&-\"; done";
    let take = format!("for ((fd = 10; fd < 10 + {taken}; fd++)); do eval \"exec $fd</dev/null\"; done");
    let script = format!("{close}; {take}; ulimit -n {limit}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("bash");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_triptych-server"), "--plaintext", "--listen", "127.0.0.1:0"]);
    shell.arg("--videos").arg(folder.path()).arg("--data-dir").arg(folder.path().join("data"));
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Process { child, _folder: folder }
}

/// Lets two people join beside a crowd that is silent. Returns the server's log.
async fn join_beside_a_crowd(mut process: Process) -> String {
    let mut line = String::new();
    BufReader::new(process.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words = line.split_whitespace();
    let address: SocketAddr = words.filter_map(|word| word.parse().ok()).next().expect(&line);

    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let (_ada, _) = TestClient::join(address, "ada", &test_keys::ada()).await;
    let (_bob, welcome) = TestClient::join(address, "bob", &test_keys::bob()).await;
    assert_eq!(welcome.people.len(), 2);

    process.child.kill().unwrap();
    let mut log = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.lines().count() < 30, "the crowd is one line, not four hundred: {log}");
    log
}

#[tokio::test]
async fn a_crowd_takes_no_descriptors_that_the_server_needs() {
    let log = join_beside_a_crowd(start(192, 0)).await;
    assert!(log.contains("leaves room for 64 connections"), "{log}");
    assert!(!log.contains("Cannot accept"), "{log}");
}

#[tokio::test]
async fn without_descriptors_newcomers_displace_silent_connections_and_nothing_spins() {
    let log = join_beside_a_crowd(start(192, 120)).await;
    assert_eq!(log.matches("Cannot accept").count(), 1, "{log}");
}

#[test]
fn a_limit_that_leaves_nothing_is_named_at_the_start() {
    let mut process = start(100, 0);
    let mut log = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!process.child.wait().unwrap().success());
    assert!(log.contains("the limit of open files is 100") && log.contains("ulimit -n"), "{log}");
}
