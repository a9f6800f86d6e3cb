//! The network side of the client: one thread with the connection, one with the private key.
//!
//! The window gives [`NetCommand`]s and takes [`NetEvent`]s, both plain data; pictures go straight to the
//! [`PictureSink`]. Nothing here waits for the window and the window never waits for anything here.

mod cert_verifier;
mod handshake;
pub mod identity;
mod keyring;
mod known_servers;
mod task;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::mpsc;

use crate::event::{NetCommand, NetEvent, PictureSink};

/// Commands that may wait for the network thread. It takes each at once, so this is never reached in practice.
const COMMAND_QUEUE_LENGTH: usize = 1024;
/// Events that may wait for the window; when more come, the connection is read no further until it wakes up.
const EVENT_QUEUE_LENGTH: usize = 4096;
/// How long the goodbye to the server may take.
const GOODBYE_TIME: Duration = Duration::from_millis(500);

/// What the network thread needs to know.
#[derive(Debug, Clone)]
pub struct NetSettings {
    /// Where keys and known servers are kept.
    pub data_dir: PathBuf,
    /// TLS off, to look at the traffic.
    pub is_plaintext: bool,
}

/// A command or an event with the number of the visit it belongs to: each `Connect` and each `Disconnect` begins a new
/// one, so that what is left over of an old connection is not taken for news of the new one.
type Numbered<T> = (u64, T);

/// The window's end of the network thread. Dropping it says goodbye to the server.
pub struct NetHandle {
    commands: Option<mpsc::Sender<Numbered<NetCommand>>>,
    events: Mutex<mpsc::Receiver<Numbered<NetEvent>>>,
    visit: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl NetHandle {
    /// Starts the thread. `wake` is called after each event, so that the window looks for it.
    pub fn start(settings: NetSettings, sink: Arc<dyn PictureSink>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE_LENGTH);
        let (event_sender, events) = mpsc::channel(EVENT_QUEUE_LENGTH);
        let thread = thread::Builder::new()
            .name("triptych-net".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .thread_name("triptych-net-help")
                    .build()
                    .expect("the system gives timers and sockets");
                let task = task::Task::new(settings, sink, wake, command_receiver, event_sender);
                runtime.block_on(task.run());
                // A key that is still being made is not waited for.
                runtime.shutdown_background();
            })
            .expect("the system can start a thread");
        Self { commands: Some(commands), events: Mutex::new(events), visit: AtomicU64::new(0), thread: Some(thread) }
    }

    /// Gives a command. Never blocks.
    pub fn send(&self, command: NetCommand) {
        let begins_visit = matches!(command, NetCommand::Connect { .. } | NetCommand::Disconnect);
        let visit = self.visit.fetch_add(u64::from(begins_visit), Relaxed) + u64::from(begins_visit);
        let sent = self.commands.as_ref().map(|commands| commands.try_send((visit, command)));
        if let Some(Err(error)) = sent {
            tracing::error!("the network thread took no command: {error}");
        }
    }

    /// The next event of the current visit, if there is one. Never blocks.
    pub fn next_event(&self) -> Option<NetEvent> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (visit, event) = events.try_recv().ok()?;
            if visit == self.visit.load(Relaxed) {
                return Some(event);
            }
        }
    }
}

impl Drop for NetHandle {
    fn drop(&mut self) {
        // Closing the channel is the signal to say goodbye.
        self.commands = None;
        self.events.lock().unwrap_or_else(PoisonError::into_inner).close();
        if let Some(thread) = self.thread.take() {
            // The thread itself keeps to GOODBYE_TIME.
            let _ = thread.join();
        }
    }
}
