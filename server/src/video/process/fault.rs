//! What goes wrong in a worker process when a test says so on its command line, which nothing but the server writes:
//! `--fault KIND:PLACE:FILE[:ARGUMENT]`. It stands for a file that crashes or takes over its decoder.

use std::{
    fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    thread,
};

use super::{
    channel::send,
    protocol::{Answer, Failure},
};

/// A fault of a test.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    kind: FaultKind,
    at: At,
    /// Name of the file that it happens to.
    file_name: String,
    argument: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    /// Crashes.
    Abort,
    /// Says nothing more.
    Hang,
    /// Says it is at work, forever.
    Stall,
    /// Sends noise.
    Noise,
    /// Announces more than the limit.
    Flood,
    /// Sends a frame out of turn.
    Disorder,
    /// Sends a picture of another size.
    Picture,
    /// Reads the file `argument`.
    Read,
    /// Writes the file `argument`.
    Write,
    /// Connects to the address `argument`.
    Connect,
    /// Listens on a port.
    Listen,
    /// Starts the program `argument`.
    Execute,
    /// Uses all descriptors.
    Descriptors,
}

/// Where a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// In a probe.
    Probe,
    /// Before the frame with this number of a job.
    Frame(u64),
}

impl Fault {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let kind = match parts.next()? {
            "abort" => FaultKind::Abort,
            "hang" => FaultKind::Hang,
            "stall" => FaultKind::Stall,
            "noise" => FaultKind::Noise,
            "flood" => FaultKind::Flood,
            "disorder" => FaultKind::Disorder,
            "picture" => FaultKind::Picture,
            "read" => FaultKind::Read,
            "write" => FaultKind::Write,
            "connect" => FaultKind::Connect,
            "listen" => FaultKind::Listen,
            "execute" => FaultKind::Execute,
            "descriptors" => FaultKind::Descriptors,
            _ => return None,
        };
        let at = match parts.next()? {
            "probe" => At::Probe,
            number => At::Frame(number.parse().ok()?),
        };
        let (file_name, argument) = (parts.next()?.to_owned(), parts.next().unwrap_or_default().to_owned());
        Some(Self { kind, at, file_name, argument })
    }

    pub(super) fn is_for(&self, path: &Path, at: At) -> bool {
        self.at == at && path.file_name().is_some_and(|name| name.to_str() == Some(&self.file_name))
    }

    /// Happens. Returns what the system said to an attempt, if the process is still there.
    pub(super) fn happen(&self, stream: &UnixStream) -> Failure {
        let argument = &self.argument;
        match self.kind {
            FaultKind::Abort => std::process::abort(),
            FaultKind::Hang => {}
            FaultKind::Stall => loop {
                // Until the server ends this process.
                keep(send(stream, &Answer::Beat, &[]));
            },
            FaultKind::Noise => {
                keep((&mut &*stream).write_all(b"\0\0\0\x09\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
            }
            FaultKind::Flood => keep((&mut &*stream).write_all(&[0xff; 8])),
            FaultKind::Disorder => keep(send(stream, &Answer::Frame(u64::MAX), &[])),
            FaultKind::Picture => keep(send(stream, &Answer::Frame(0), b"\xff\xd8")),
            FaultKind::Read => return told(fs::read(argument)),
            FaultKind::Write => return told(fs::write(argument, "")),
            FaultKind::Connect => return told(TcpStream::connect(argument)),
            FaultKind::Listen => return told(TcpListener::bind("127.0.0.1:0")),
            FaultKind::Execute => return told(Command::new(argument).status()),
            FaultKind::Descriptors => {
                return told((0..1000).map(|_| stream.try_clone()).collect::<Result<Vec<_>, _>>());
            }
        }
        loop {
            thread::park();
        }
    }
}

/// What an attempt led to.
fn told<T>(attempt: io::Result<T>) -> Failure {
    Failure::Cause(attempt.map_or_else(|error| error.to_string(), |_| "succeeded".to_owned()))
}

/// Ends the process when the server has closed the socket.
fn keep(sent: io::Result<()>) {
    if sent.is_err() {
        std::process::abort();
    }
}
