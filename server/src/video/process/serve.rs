//! The inside of a worker process: takes orders from the server, and does one job at a time.
//!
//! ```text
//! socket ─► thread video-orders ─► Flow (credit, stop) ─┐
//!                    └───────────► jobs ─► this thread ─┴─► jobs_run ─► socket
//! ```
//!
//! When the server closes the socket, also by being killed, the process ends.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use super::{
    channel::{ReceiveError, receive, send},
    fault::Fault,
    jobs_run::run,
    line::{Flow, Line},
    protocol::{Answer, Job, Request, Sandbox, decode_paths},
    sandbox,
};
use crate::video::gst::{
    elements::{self, SetupError},
    probe_error::MAX_FRAMES,
};

/// The longest payload of an order: the time of each frame of a file, or the names of the files that may be read.
const MAX_ORDER_BYTES: usize = 8 * MAX_FRAMES;

/// The priority of a process that works in the background (setpriority(2)). Beside one of normal priority, it gets a tenth of a
/// processor. With the lowest priority, 19, it would get a seventieth: a few pictures took half a minute on a busy machine.
const BACKGROUND_NICENESS: i32 = 10;

/// Why a worker process does not start: one line with the cause.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The program was not started by a server.
    #[error("the command worker is for the server itself, which talks to it over a socket")]
    NoServer,
    /// The word after `--fault` is no fault.
    #[error("no such fault: {0:?}")]
    BadFault(String),
    /// GStreamer does not start.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The operating system refuses what a worker process needs.
    #[error("cannot set up a worker process: {0}")]
    System(#[from] io::Error),
}

/// Works for the server at the other end of the standard input, until that closes it. `fault` is for tests: what goes
/// wrong when.
///
/// # Errors
/// [`WorkerError`].
pub fn run_worker(fault: Option<&str>) -> Result<(), WorkerError> {
    let parse = |text: &str| Fault::parse(text).ok_or_else(|| WorkerError::BadFault(text.to_owned()));
    let fault = fault.map(parse).transpose()?;
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (request, files) =
        receive::<Request>(&stream, MAX_ORDER_BYTES, &mut || true).map_err(|_| WorkerError::NoServer)?;
    let Request::Prepare { writable, is_background } = request else { return Err(WorkerError::NoServer) };
    if is_background {
        // First of all, because it holds for this thread and for those that it starts.
        #[expect(clippy::let_underscore_must_use, reason = "only fails to lower the priority, and all else goes on")]
        let _ = rustix::process::nice(BACKGROUND_NICENESS);
    }
    let writable = writable.map(|folder| folder.to_path());
    // Early, because landlock holds only for threads that are started afterwards.
    let limits_files = sandbox::enter(&decode_paths(&files), writable.as_deref());
    elements::start()?;
    #[cfg(target_os = "linux")]
    super::warm_up::warm_up();
    // Last of all, because it holds for all threads at once, and programs that GStreamer starts have ended.
    let limits_calls = sandbox::deny_calls();
    send(&stream, &Answer::Ready(Sandbox { limits_files, limits_calls }), &[])?;
    serve(&stream, fault.as_ref(), &|| std::process::abort())?;
    Ok(())
}

/// Does in a thread of this process what a worker process does, without a sandbox.
pub(super) fn serve_on_thread(stream: &UnixStream) {
    let prepared = receive::<Request>(stream, MAX_ORDER_BYTES, &mut || true);
    if !matches!(prepared, Ok((Request::Prepare { .. }, _))) {
        return;
    }
    let served = send(stream, &Answer::Ready(Sandbox::default()), &[]).and_then(|()| serve(stream, None, &|| ()));
    if let Err(error) = served {
        tracing::debug!("a worker's thread ends: {error}");
    }
}

/// Does the jobs that arrive, until the socket is closed; then `on_close` is called, while a job may still be under way.
fn serve(stream: &UnixStream, fault: Option<&Fault>, on_close: &(dyn Fn() + Sync)) -> io::Result<()> {
    let flow = Flow::default();
    thread::scope(|scope| {
        // One, because the server starts a job only when the one before is over.
        let (jobs, received) = sync_channel(1);
        let orders = || {
            take_orders(stream, &flow, jobs);
            flow.stop();
            on_close();
        };
        thread::Builder::new().name("video-orders".into()).spawn_scoped(scope, orders)?;
        while let Ok((job, payload)) = received.recv() {
            let line = Line::new(stream, &flow, fault);
            let (answer, payload) = run(job, &payload, &line);
            if send(stream, &answer, &payload).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Receives orders until the socket is closed, or an order makes no sense.
fn take_orders(stream: &UnixStream, flow: &Flow, jobs: SyncSender<(Job, Vec<u8>)>) {
    loop {
        match receive::<Request>(stream, MAX_ORDER_BYTES, &mut || true) {
            Ok((Request::Start { job, credit }, payload)) => {
                flow.begin(credit);
                if jobs.send((job, payload)).is_err() {
                    return;
                }
            }
            Ok((Request::Credit(frames), _)) => flow.add_credit(frames),
            Ok((Request::Stop, _)) => flow.stop(),
            Ok((Request::Prepare { .. }, _)) => return,
            Err(ReceiveError::Closed) => return,
            Err(error) => {
                tracing::debug!("a worker process receives no further orders: {error:?}");
                return;
            }
        }
    }
}
