//! The network side of the client: one thread with the connection, one with the private key.
//!
//! The window sends [`NetCommand`]s and receives [`NetEvent`]s, both plain data; pictures and sound go straight to the
//! [`PictureSink`]. The window never waits for the network. The network waits for the window only when thousands of events
//! are unread, and never for envelopes to be opened.

mod allowance;
mod attempt;
pub mod cert_verifier;
pub mod discovery;
mod echoes;
mod envelope_queue;
mod event_queue;
mod everyone;
mod expected_previews;
mod follower;
mod frames;
mod hand_over;
mod handshake;
mod hex;
pub mod identity;
mod identity_transfer;
mod key_inbox;
mod keyring;
mod known_servers;
mod log_once;
mod memories;
mod online;
mod outgoing;
mod own_numbers;
mod own_session;
mod owner_only;
mod pages;
mod pin_file;
mod pin_keeper;
pub(crate) mod private_files;
mod receipt_queue;
mod received;
mod received_file;
mod repair;
mod round_trip;
mod sent_counts;
mod sequences;
mod task;
#[cfg(test)]
mod test_online;
mod text_count;
mod verified_sessions;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::mpsc;

use self::event_queue::{EventReceiver, event_queue};
use crate::event::{NetCommand, NetEvent, PictureSink, Wake};

/// Commands that may wait for the network thread. It takes each at once, so the queue stays almost empty.
const COMMAND_QUEUE_LENGTH: usize = 1024;
/// Time limit for telling the server that this client leaves.
const GOODBYE_TIME: Duration = Duration::from_millis(500);

/// Settings of the network thread.
#[derive(Debug, Clone)]
pub struct NetSettings {
    /// Folder of the key pairs and of `known-servers.toml`.
    pub data_dir: PathBuf,
    /// Whether to connect without TLS, so that the traffic can be inspected.
    pub is_plaintext: bool,
}

/// A command or an event with the number of the visit it belongs to. Each `Connect` and each `Disconnect` begins a new
/// visit, and events of an earlier one are dropped: they would be mistaken for news of the new connection.
type Numbered<T> = (u64, T);

/// The window's handle of the network thread. Dropping it tells the server that this client leaves, has written down what was
/// received, and waits up to a second for both.
pub struct NetHandle {
    commands: Option<mpsc::Sender<Numbered<NetCommand>>>,
    events: EventReceiver,
    visit: u64,
    thread: Option<JoinHandle<()>>,
}

impl NetHandle {
    /// Starts the thread. `wake` is called after each event, so that the window looks for it. Fails when the system has no
    /// thread, timer or socket left.
    pub fn start(settings: NetSettings, sink: Arc<dyn PictureSink>, wake: Wake) -> io::Result<Self> {
        let (commands, command_receiver) = mpsc::channel(COMMAND_QUEUE_LENGTH);
        let (event_sender, events) = event_queue(wake);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().thread_name("triptych-net-help").build()?;
        let task = task::Task::new(settings, sink, command_receiver, event_sender);
        let thread = thread::Builder::new().name("triptych-net".to_owned()).spawn(move || {
            runtime.block_on(task.run());
            // A key that is still being generated is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { commands: Some(commands), events, visit: 0, thread: Some(thread) })
    }

    /// Sends a command. Never blocks.
    pub fn send(&mut self, command: NetCommand) {
        use NetCommand::{Connect, ConnectFound, ConnectRepairing, ConnectTrusting, Disconnect};
        let begins_visit = match &command {
            Connect { .. } | ConnectFound { .. } | ConnectRepairing { .. } | ConnectTrusting { .. } => true,
            command => *command == Disconnect,
        };
        self.visit += u64::from(begins_visit);
        let sent = self.commands.as_ref().map(|commands| commands.try_send((self.visit, command)));
        if let Some(Err(error)) = sent {
            tracing::error!("a command was not taken by the network thread: {error}");
        }
    }

    /// The next event of the current visit, if there is one. Never blocks.
    pub fn next_event(&mut self) -> Option<NetEvent> {
        self.events.next(self.visit)
    }
}

impl Drop for NetHandle {
    fn drop(&mut self) {
        // The closed channel is the signal to leave. It takes GOODBYE_TIME at most, twice.
        self.commands = None;
        self.events.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the network thread panicked");
        }
    }
}
