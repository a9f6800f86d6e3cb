//! One worker process: started with a socket as its standard input, killed and reaped when it is dropped.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs, io,
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    channel::{ReceiveError, receive, send},
    protocol::{Answer, PathBytes, Request, Sandbox, encode_paths},
    serve::serve_on_thread,
};
use crate::video::gst::pipeline::POLL_INTERVAL;

/// A frame of 1440p fits, so that a worker process goes on to the next one while the server reads.
const SOCKET_BUFFER_BYTES: usize = 1024 * 1024;

/// A worker process reads what it is told at once. One that does not for this long hangs.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Time until a worker process is prepared; on an idle machine a tenth of a second.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Environment variables that a worker process gets: those that say where GStreamer's plugins and their list are, and
/// those for debugging. What else the server's environment holds is not its business.
const PASSED_VARIABLES: [&str; 5] = ["HOME", "LANG", "XDG_CACHE_HOME", "XDG_DATA_HOME", "RUST_BACKTRACE"];
const PASSED_PREFIXES: [&str; 6] = ["GST_", "ORC_", "LC_", "LD_", "DYLD_", "MIMALLOC_"];

/// Settings of the C library's allocator (mallopt(3)), which libav and GStreamer use. Two arenas, because free memory of one
/// is of no use to another: each thread had its own, and a process grew to 180 MiB. Memory at an arena's end goes back to the
/// system from 4 MiB on. Setting that freezes the limit from which on a block is mapped by itself, so it is set too: raw
/// pictures are below it, since mapping each anew takes a fifth more processor time.
const ALLOCATOR_VARIABLES: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_TRIM_THRESHOLD_", "4194304"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// The program of the worker processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgram {
    /// Path of a `triptych-server`.
    pub program: PathBuf,
    /// Arguments: the hidden command `worker`, and in tests a fault.
    pub arguments: Vec<OsString>,
}

impl WorkerProgram {
    /// A `triptych-server` at this path.
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: vec!["worker".into()] }
    }

    /// The running program, which must be a `triptych-server`.
    ///
    /// # Errors
    /// When the system does not tell which program runs.
    pub fn current() -> io::Result<Self> {
        // Also leads to the running program after its file has been replaced by a newer one.
        let own = Path::new("/proc/self/exe");
        if own.exists() { Ok(Self::at(own)) } else { std::env::current_exe().map(Self::at) }
    }
}

/// Whether the system is short of descriptors, processes or memory, of which there may be enough again soon.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    Errno::from_io_error(error)
        .is_some_and(|errno| [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM].contains(&errno))
}

/// Identifies a file, whatever its path: device and inode.
pub(super) type FileId = (u64, u64);

pub(super) fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What a process is started for, beside reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Purpose {
    /// A folder in which it may create files.
    pub(super) writable: Option<PathBuf>,
    /// Whether everything else on this computer goes first.
    pub(super) is_background: bool,
}

/// A worker process, or in tests a thread.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) stream: UnixStream,
    /// The files that it may read.
    pub(super) files: Arc<BTreeSet<FileId>>,
    end: End,
    is_ready: bool,
}

#[derive(Debug)]
enum End {
    Process(Child),
    Thread,
}

impl Process {
    /// Starts a process that may read these files, for this purpose, and does not wait until it is prepared. To
    /// be called by a thread that outlives the process: Linux kills a worker process together with the thread that
    /// started it.
    ///
    /// # Errors
    /// When the system provides no further process or descriptor.
    pub(super) fn start(program: &WorkerProgram, files: &[PathBuf], purpose: &Purpose) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        enlarge_buffers(&ours, &theirs);
        let mut command = Command::new(&program.program);
        command.args(&program.arguments).arg0("triptych-server");
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_passed(name)));
        command.envs(ALLOCATOR_VARIABLES);
        // The server has brought the list of plugins up to date.
        command.env("GST_REGISTRY_UPDATE", "no");
        // A group of its own, because Ctrl-C is meant for the server, which then ends its processes.
        command.process_group(0).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        // What a process that was taken over writes must not reach the console.
        let is_debugging = tracing::enabled!(tracing::Level::DEBUG);
        command.stderr(if is_debugging { Stdio::inherit() } else { Stdio::null() });
        let child = command.spawn()?;
        // With it goes the last copy of their end of the socket.
        drop(command);
        Self { stream: ours, files: identify(files), end: End::Process(child), is_ready: false }.prepare(files, purpose)
    }

    /// Starts a thread that does what a process would.
    ///
    /// # Errors
    /// When the system provides no further thread or descriptor.
    pub(super) fn start_thread(files: &[PathBuf]) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        enlarge_buffers(&ours, &theirs);
        thread::Builder::new().name("video-worker".into()).spawn(move || serve_on_thread(&theirs))?;
        Self { stream: ours, files: identify(files), end: End::Thread, is_ready: false }
            .prepare(files, &Purpose::default())
    }

    fn prepare(self, files: &[PathBuf], purpose: &Purpose) -> io::Result<Self> {
        self.stream.set_read_timeout(Some(POLL_INTERVAL))?;
        self.stream.set_write_timeout(Some(WRITE_LIMIT))?;
        let writable = purpose.writable.as_deref().map(PathBytes::from);
        let request = Request::Prepare { writable, is_background: purpose.is_background };
        send(&self.stream, &request, &encode_paths(files))?;
        Ok(self)
    }

    /// Waits until it is prepared, and returns what its sandbox consists of; `None` when it was known before.
    ///
    /// # Errors
    /// When it ended, said something else, or is not wanted any more.
    pub(super) fn wait_until_ready(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Option<Sandbox>, ReceiveError> {
        if self.is_ready {
            return Ok(None);
        }
        let begun = Instant::now();
        let mut is_waiting = || is_wanted() && begun.elapsed() < START_LIMIT;
        match receive::<Answer>(&self.stream, 0, &mut is_waiting)? {
            (Answer::Ready(sandbox), _) => {
                self.is_ready = true;
                Ok(Some(sandbox))
            }
            _ => Err(ReceiveError::Unsound("it answers before it is prepared")),
        }
    }

    /// Whether it runs, as far as that is known.
    pub(super) fn is_alive(&mut self) -> bool {
        match &mut self.end {
            End::Process(child) => matches!(child.try_wait(), Ok(None)),
            End::Thread => true,
        }
    }

    /// Its memory now in pages (proc(5), `statm`), with what it shares with others; 0 if that is not known.
    pub(super) fn resident_pages(&self) -> u64 {
        let End::Process(child) = &self.end else { return 0 };
        let sizes = fs::read_to_string(format!("/proc/{}/statm", child.id())).ok();
        let resident = sizes.and_then(|sizes| sizes.split(' ').nth(1)?.parse::<u64>().ok());
        resident.unwrap_or_default()
    }

    /// Ends it, and says how it had ended before, if it had.
    pub(super) fn end(&mut self) -> String {
        match &mut self.end {
            End::Process(child) => {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "fails only when the process has been reaped already"
                )]
                let _ = child.kill();
                // Of a process that had ended by itself, the status says how.
                child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
            }
            End::Thread => {
                #[expect(clippy::let_underscore_must_use, reason = "fails only when the thread has ended already")]
                let _ = self.stream.shutdown(Shutdown::Both);
                "a thread".to_owned()
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn identify(files: &[PathBuf]) -> Arc<BTreeSet<FileId>> {
    Arc::new(files.iter().filter_map(|file| file_id(file).ok()).collect())
}

fn is_passed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    PASSED_VARIABLES.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn enlarge_buffers(ours: &UnixStream, theirs: &UnixStream) {
    for end in [ours, theirs] {
        if let Err(error) = socket2::SockRef::from(end).set_send_buffer_size(SOCKET_BUFFER_BYTES) {
            tracing::debug!("the buffer of a worker's socket stays as it is: {error}");
        }
    }
}
