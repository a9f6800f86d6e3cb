//! The table that a server draws on a terminal, and how it ends there. The terminal is a pseudo-terminal.

use std::{
    fs::File,
    io::Read,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use common::{crypto::test_keys, message::ServerMessage};
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tempfile::TempDir;
use triptych_server::session::notices::SERVER_STOPPED;

use crate::support::{client::TestClient, clips::wait_until};

/// A server on a pseudo-terminal; killed when dropped.
struct OnTerminal {
    server: Mutex<Child>,
    address: SocketAddr,
    /// What it has written so far.
    written: Arc<Mutex<Vec<u8>>>,
    controller: OwnedFd,
    _folder: TempDir,
}

impl OnTerminal {
    fn start(columns: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(&controller, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let terminal = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_triptych-server"));
        command.args(["--plaintext", "--disk-cache-gib", "0", "--listen"]).arg(address.to_string());
        command.arg("--videos").arg(folder.path()).arg("--data-dir").arg(folder.path().join("data"));
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let server = command.stdin(Stdio::null()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
        drop(command);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut output, kept) = (File::from(controller.try_clone().unwrap()), written.clone());
        // Ends when the server has closed the terminal.
        thread::Builder::new()
            .name("terminal".into())
            .spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = output.read(&mut bytes) {
                    kept.lock().unwrap().extend_from_slice(&bytes[..length]);
                }
            })
            .unwrap();
        Self { server: Mutex::new(server), address, written, controller, _folder: folder }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// The lines on a terminal after all that was written: it understands what the table uses.
    fn screen(&self) -> Vec<String> {
        let text = self.text();
        let mut lines = vec![String::new()];
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            rest = rest.strip_prefix(c).unwrap();
            match c {
                '\r' => {}
                '\n' => lines.push(String::new()),
                '\u{1b}' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let (sequence, after) = rest.split_at(end + 1);
                    rest = after;
                    match sequence.strip_suffix('A') {
                        Some(rows) => {
                            let rows: usize = rows.strip_prefix('[').unwrap().parse().unwrap();
                            lines.truncate(lines.len() - rows);
                            // Only whole lines are removed, so the cursor is at the beginning of one.
                            *lines.last_mut().unwrap() = String::new();
                        }
                        None => assert_eq!(sequence, "[J"),
                    }
                }
                c => lines.last_mut().unwrap().push(c),
            }
        }
        lines
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server.lock().unwrap()), signal).unwrap();
    }

    fn end(&self) -> ExitStatus {
        let status = || self.server.lock().unwrap().try_wait().unwrap();
        wait_until("the server ends", || status().is_some());
        status().unwrap()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap();
        let _ = server.kill();
        let _ = server.wait();
    }
}

#[tokio::test]
async fn a_terminal_shows_who_is_online_under_whole_lines_of_the_log() {
    let terminal = OnTerminal::start(100);
    wait_until("the table is there", || terminal.text().contains("0 people online"));
    let (_ada, _) = TestClient::join(terminal.address, "ada", &test_keys::ada()).await;
    let (_bob, _) = TestClient::join(terminal.address, "bob", &test_keys::bob()).await;
    let table = |screen: &[String]| screen[screen.len().saturating_sub(4)..].to_vec();
    wait_until("both are listed", || table(&terminal.screen())[1] == "Not watching: ada, bob");
    let screen = terminal.screen();
    assert!(table(&screen)[0].starts_with("2 people online · 0 watching"), "{screen:#?}");
    assert!(table(&screen)[2].starts_with("Frames in memory: 0 of 512 MiB"), "{screen:#?}");
    assert_eq!(screen.iter().filter(|line| line.contains("online ·")).count(), 1, "{screen:#?}");
    let joined = screen.iter().filter(|line| line.contains(" INFO ") && line.contains("joined with RSA-")).count();
    assert_eq!(joined, 2, "{screen:#?}");
    let narrow = Winsize { ws_row: 24, ws_col: 20, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.controller, narrow).unwrap();
    wait_until("the table is narrow", || terminal.text().contains("2 people online\r"));
}

#[tokio::test]
async fn ctrl_c_says_goodbye_and_leaves_a_terminal_without_the_table() {
    let terminal = OnTerminal::start(100);
    wait_until("the table is there", || terminal.text().contains("0 people online"));
    let (mut ada, _) = TestClient::join(terminal.address, "ada", &test_keys::ada()).await;
    terminal.signal(Signal::INT);
    let reason = loop {
        if let ServerMessage::Goodbye { reason } = ada.next().await {
            break reason;
        }
    };
    assert_eq!(reason, SERVER_STOPPED);
    assert!(terminal.end().success());
    let screen = terminal.screen();
    assert!(!screen.iter().any(|line| line.contains("online ·") || line.contains("Frames in memory")), "{screen:#?}");
    assert!(screen.iter().any(|line| line.ends_with("The server is stopping.")), "{screen:#?}");
}
