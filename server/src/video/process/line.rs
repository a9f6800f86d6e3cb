//! How a job of a worker process talks to the server: what it may send, and what it says.

use std::{
    cell::Cell,
    os::unix::net::UnixStream,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    channel::send,
    fault::{At, Fault},
    protocol::{Answer, Failure},
};

/// A process at work says so this often.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How many frames the server waits for, and whether it waits at all.
#[derive(Default)]
pub(super) struct Flow {
    state: Mutex<FlowState>,
    changed: Condvar,
}

#[derive(Default)]
struct FlowState {
    credit: u32,
    is_stopped: bool,
}

impl Flow {
    fn lock(&self) -> MutexGuard<'_, FlowState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, credit: u32) {
        *self.lock() = FlowState { credit, is_stopped: false };
    }

    pub(super) fn add_credit(&self, frames: u32) {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add(frames);
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// Waits until a frame may be sent; `false` when the job is to end.
    fn take_credit(&self) -> bool {
        let is_waiting = |state: &mut FlowState| state.credit == 0 && !state.is_stopped;
        let waited = self.changed.wait_while(self.lock(), is_waiting);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_stopped {
            return false;
        }
        state.credit -= 1;
        true
    }
}

/// What a job says to the server.
pub(super) struct Line<'a> {
    stream: &'a UnixStream,
    flow: &'a Flow,
    fault: Option<&'a Fault>,
    said_at: Cell<Instant>,
}

impl<'a> Line<'a> {
    pub(super) fn new(stream: &'a UnixStream, flow: &'a Flow, fault: Option<&'a Fault>) -> Self {
        Self { stream, flow, fault, said_at: Cell::new(Instant::now()) }
    }

    /// Whether the server still waits for the job. Tells it now and then that the job is under way.
    pub(super) fn is_wanted(&self) -> bool {
        if self.said_at.get().elapsed() >= BEAT_INTERVAL {
            self.say(&Answer::Beat, &[]);
        }
        !self.flow.is_stopped()
    }

    /// Waits until a frame may be sent; `false` when the job is to end.
    pub(super) fn wait_for_credit(&self) -> bool {
        self.flow.take_credit()
    }

    /// Sends something that does not end the job.
    pub(super) fn say(&self, answer: &Answer, payload: &[u8]) {
        if send(self.stream, answer, payload).is_err() {
            self.flow.stop();
        }
        self.said_at.set(Instant::now());
    }

    /// Does what the fault of a test says, if it is for this file and this place.
    pub(super) fn fail(&self, path: &Path, at: At) -> Option<Failure> {
        self.fault.filter(|fault| fault.is_for(path, at)).map(|fault| fault.happen(self.stream))
    }
}
