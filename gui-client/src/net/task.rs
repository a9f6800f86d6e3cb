//! The network thread's task: offline, on its way, online, and back.
//!
//! ```text
//!            Connect              Welcome
//! offline ───────────► on its way ───────► online
//!    ▲                     │ refused,        │ Disconnect, connection lost,
//!    └─────────────────────┴ unreachable ────┴ goodbye
//! ```

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    codec::encode_client,
    crypto::Identity,
    limits::{JOIN_DEADLINE, SILENCE_LIMIT},
    message::{ClientMessage, ServerMessage},
    name::Name,
};
use tokio::{
    io::{AsyncWriteExt, WriteHalf},
    sync::mpsc,
    time::{timeout, timeout_at},
};

use super::{
    GOODBYE_TIME, NetSettings, Numbered,
    handshake::{self, Session, Stream, broken, next_message, unreachable},
    identity,
    keyring::{self, KeyJob, KeyOutput, Sequences},
    known_servers::KnownServers,
};
use crate::event::{NetCommand, NetEvent, Offline, PictureSink, Progress};

/// Frames that may wait to be written; a server that reads never lets it come to that.
const WRITE_QUEUE_LENGTH: usize = 256;

pub(super) struct Task {
    settings: NetSettings,
    sink: Arc<dyn PictureSink>,
    wake: Arc<dyn Fn() + Send + Sync>,
    commands: mpsc::Receiver<Numbered<NetCommand>>,
    events: mpsc::Sender<Numbered<NetEvent>>,
    /// Of the command that was taken last; goes out with every event.
    visit: u64,
    sequences: Arc<Mutex<Sequences>>,
}

/// What comes after a connection or an attempt.
enum Next {
    /// The window is gone.
    Exit,
    /// Nothing.
    Rest(Offline),
    /// Another attempt.
    Connect { address: String, name: String },
}

impl Task {
    pub(super) fn new(
        settings: NetSettings,
        sink: Arc<dyn PictureSink>,
        wake: Arc<dyn Fn() + Send + Sync>,
        commands: mpsc::Receiver<Numbered<NetCommand>>,
        events: mpsc::Sender<Numbered<NetEvent>>,
    ) -> Self {
        Self { settings, sink, wake, commands, events, visit: 0, sequences: Arc::default() }
    }

    pub(super) async fn run(mut self) {
        while let Some(command) = self.next_command().await {
            let mut target = match command {
                NetCommand::Connect { address, name } => Some((address, name)),
                other => {
                    self.refuse(other).await;
                    None
                }
            };
            while let Some((address, name)) = target.take() {
                match self.visit(&address, &name).await {
                    Next::Exit => return,
                    Next::Rest(offline) => self.tell(NetEvent::Offline(offline)).await,
                    Next::Connect { address, name } => target = Some((address, name)),
                }
            }
        }
    }

    /// From the first attempt to the end of the connection.
    async fn visit(&mut self, address: &str, name: &str) -> Next {
        let (progress, mut progress_receiver) = mpsc::channel(4);
        let settings = self.settings.clone();
        let mut attempt = std::pin::pin!(attempt(&settings, address, name, progress));
        let (session, identity) = loop {
            tokio::select! {
                biased;
                Some(step) = progress_receiver.recv() => self.tell(NetEvent::Progress(step)).await,
                arrived = &mut attempt => match arrived {
                    Ok(arrived) => break arrived,
                    Err(offline) => return Next::Rest(offline),
                },
                command = next_command(&mut self.commands, &mut self.visit) => match command {
                    None => return Next::Exit,
                    Some(NetCommand::Disconnect) => return Next::Rest(Offline::Left),
                    Some(NetCommand::Connect { address, name }) => return Next::Connect { address, name },
                    Some(other) => self.refuse(other).await,
                },
            }
        };
        self.stay(session, identity, address).await
    }

    /// Online, until something ends it.
    async fn stay(&mut self, session: Session, identity: Arc<Identity>, address: &str) -> Next {
        let Session { mut frames, writer, online } = session;
        let (frame_sender, frames_to_write) = mpsc::channel(WRITE_QUEUE_LENGTH);
        let mut writer = tokio::spawn(write_frames(frames_to_write, writer));
        let jobs = keyring::start(identity, self.sequences.clone(), {
            let (events, wake, frames) = (self.events.clone(), self.wake.clone(), frame_sender.clone());
            let visit = self.visit;
            // Straight to the window and the writer: waiting for this task, which may be waiting for the key thread,
            // could be for ever.
            move |outcome| match outcome {
                KeyOutput::Event(event) => {
                    let _ = events.blocking_send((visit, event));
                    wake();
                }
                KeyOutput::Frame(frame) => write(&frames, frame),
            }
        });
        let outgoing = Outgoing { jobs, frames: frame_sender };

        outgoing.ask(KeyJob::Dictionary(online.people.clone())).await;
        self.tell(NetEvent::Online(online)).await;
        let mut silence_deadline = Instant::now() + SILENCE_LIMIT;
        let next = loop {
            let step = tokio::select! {
                message = timeout_at(silence_deadline.into(), next_message(&mut frames)) => {
                    let step = self.on_message(message, &outgoing, address).await;
                    silence_deadline = Instant::now() + SILENCE_LIMIT;
                    step
                }
                command = next_command(&mut self.commands, &mut self.visit) => on_command(command, &outgoing).await,
                written = &mut writer => Some(Next::Rest(match written {
                    Ok(Err(error)) => broken(address, &error),
                    _ => unreachable(format!("The connection to {address} ended."), "Connect again."),
                })),
            };
            if let Some(next) = step {
                break next;
            }
        };
        outgoing.write(encode_client(&ClientMessage::Quit));
        drop(outgoing);
        if !writer.is_finished() {
            let _ = timeout(GOODBYE_TIME, &mut writer).await;
            writer.abort();
        }
        next
    }

    async fn on_message(
        &self,
        message: Result<io::Result<Option<ServerMessage>>, tokio::time::error::Elapsed>,
        outgoing: &Outgoing,
        address: &str,
    ) -> Option<Next> {
        let message = match message {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => {
                let what = format!("The server at {address} closed the connection.");
                return Some(Next::Rest(unreachable(what, "See whether it still runs.")));
            }
            Ok(Err(error)) => return Some(Next::Rest(broken(address, &error))),
            Err(_) => {
                let what = format!("The server at {address} has been silent for {} s.", SILENCE_LIMIT.as_secs());
                return Some(Next::Rest(unreachable(what, "Check the network, and whether it still runs.")));
            }
        };
        let event = match message {
            ServerMessage::Picture { head, jpeg } => {
                self.sink.picture(head, jpeg.0);
                return None;
            }
            ServerMessage::Sound { head, pcm } => {
                self.sink.sound(head, pcm.0);
                return None;
            }
            ServerMessage::Ping { number } => {
                outgoing.write(encode_client(&ClientMessage::Pong { number }));
                return None;
            }
            ServerMessage::Relayed { envelope } => {
                outgoing.ask(KeyJob::Envelope(envelope.0)).await;
                return None;
            }
            ServerMessage::Joined { revision, person } => {
                outgoing.ask(KeyJob::Joined(person.clone())).await;
                NetEvent::Joined { revision, person }
            }
            ServerMessage::Left { revision, name, .. } => {
                outgoing.ask(KeyJob::Left(name.clone())).await;
                NetEvent::Left { revision, name }
            }
            ServerMessage::Directory { revision, people } => {
                outgoing.ask(KeyJob::Dictionary(people.clone())).await;
                NetEvent::Directory { revision, people }
            }
            ServerMessage::LibraryChanged { library } => NetEvent::LibraryChanged(library),
            ServerMessage::StreamStarted(start) => NetEvent::StreamStarted(start),
            ServerMessage::StreamEnded { stream, epoch, reason } => NetEvent::StreamEnded { stream, epoch, reason },
            ServerMessage::Thumbnail { video, fingerprint, jpeg } => NetEvent::Thumbnail { video, fingerprint, jpeg },
            ServerMessage::Goodbye { reason } => return Some(Next::Rest(Offline::Goodbye(reason))),
            ServerMessage::Refused { code, message, suggestion } => {
                return Some(Next::Rest(Offline::Refused { code, message, suggestion }));
            }
            other
            @ (ServerMessage::Challenge { .. } | ServerMessage::Welcome { .. } | ServerMessage::Statistics(_)) => {
                tracing::warn!("out of place: {other:?}");
                return None;
            }
        };
        self.tell(event).await;
        None
    }

    /// Answers a command that needs a connection when there is none.
    async fn refuse(&self, command: NetCommand) {
        if let NetCommand::Send { draft, .. } = command {
            self.tell(NetEvent::SendFailed { draft, reason: "not connected".to_owned() }).await;
        }
    }

    async fn tell(&self, event: NetEvent) {
        // Without a window nobody listens, and the next command says so.
        let _ = self.events.send((self.visit, event)).await;
        (self.wake)();
    }

    async fn next_command(&mut self) -> Option<NetCommand> {
        next_command(&mut self.commands, &mut self.visit).await
    }
}

/// Takes the next command, and notes which visit it belongs to.
async fn next_command(commands: &mut mpsc::Receiver<Numbered<NetCommand>>, visit: &mut u64) -> Option<NetCommand> {
    let (number, command) = commands.recv().await?;
    *visit = number;
    Some(command)
}

/// Where frames and jobs go while online.
struct Outgoing {
    jobs: mpsc::Sender<KeyJob>,
    frames: mpsc::Sender<Bytes>,
}

impl Outgoing {
    async fn ask(&self, job: KeyJob) {
        if self.jobs.send(job).await.is_err() {
            tracing::error!("the key thread is gone");
        }
    }

    fn write(&self, frame: Bytes) {
        write(&self.frames, frame);
    }
}

fn write(frames: &mpsc::Sender<Bytes>, frame: Bytes) {
    if frames.try_send(frame).is_err() {
        tracing::warn!("the server does not read; a message to it is lost");
    }
}

async fn on_command(command: Option<NetCommand>, outgoing: &Outgoing) -> Option<Next> {
    let message = match command {
        None => return Some(Next::Exit),
        Some(NetCommand::Disconnect) => return Some(Next::Rest(Offline::Left)),
        Some(NetCommand::Connect { address, name }) => return Some(Next::Connect { address, name }),
        Some(NetCommand::Send { draft, recipients, text }) => {
            outgoing.ask(KeyJob::Seal { draft, recipients, text }).await;
            return None;
        }
        Some(NetCommand::AskDirectory) => ClientMessage::AskDirectory,
        Some(NetCommand::Watch(request)) => ClientMessage::Watch(request),
        Some(NetCommand::Grant { stream, epoch, items }) => ClientMessage::Grant { stream, epoch, items },
        Some(NetCommand::Seek(request)) => ClientMessage::Seek(request),
        Some(NetCommand::SetQuality(request)) => ClientMessage::SetQuality(request),
        Some(NetCommand::AskThumbnail { video }) => ClientMessage::AskThumbnail { video },
        Some(NetCommand::Stop { stream }) => ClientMessage::Stop { stream },
    };
    outgoing.write(encode_client(&message));
    None
}

async fn attempt(
    settings: &NetSettings,
    address: &str,
    name: &str,
    progress: mpsc::Sender<Progress>,
) -> Result<(Session, Arc<Identity>), Offline> {
    let step = |step| {
        // At most three steps are told, and four fit.
        let _ = progress.try_send(step);
    };
    let name = Name::parse(name.trim()).map_err(|error| Offline::Refused {
        code: common::message::RefusalCode::BadName,
        message: error.to_string(),
        suggestion: None,
    })?;
    // The server first: nobody waits seconds for a key only to learn that the address was wrong.
    step(Progress::Connecting);
    let known_servers = KnownServers::new(&settings.data_dir);
    let mut connection = handshake::connect(address, settings.is_plaintext, &known_servers).await?;
    let identity = match load_identity(&settings.data_dir, &name).await? {
        Some(identity) => identity,
        None => {
            step(Progress::MakingKeys);
            let begun = Instant::now();
            let made = make_identity(&settings.data_dir, &name).await?;
            if begun.elapsed() > JOIN_DEADLINE / 2 {
                // The server has waited too long for its greeting, or nearly so.
                step(Progress::Connecting);
                connection = handshake::connect(address, settings.is_plaintext, &known_servers).await?;
            }
            made
        }
    };
    let identity = Arc::new(identity);
    step(Progress::Joining);
    let session = connection.join(&name, identity.clone(), &known_servers).await?;
    Ok((session, identity))
}

async fn load_identity(data_dir: &Path, name: &Name) -> Result<Option<Identity>, Offline> {
    let (data_dir, name) = (data_dir.to_owned(), name.clone());
    on_helper_thread(move || identity::load(&data_dir, &name)).await
}

async fn make_identity(data_dir: &Path, name: &Name) -> Result<Identity, Offline> {
    let (data_dir, name) = (data_dir.to_owned(), name.clone());
    on_helper_thread(move || identity::make(&data_dir, &name)).await
}

async fn on_helper_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, identity::IdentityFileError> + Send + 'static,
) -> Result<T, Offline> {
    let done = tokio::task::spawn_blocking(work).await.expect("key files are handled without panics");
    done.map_err(|error| Offline::Identity { what: error.to_string(), remedy: error.remedy() })
}

/// The one writer of the socket; ends when nobody can give it frames any more.
async fn write_frames(mut frames: mpsc::Receiver<Bytes>, mut writer: WriteHalf<Box<dyn Stream>>) -> io::Result<()> {
    const WRITE_DEADLINE: Duration = Duration::from_secs(10);
    while let Some(frame) = frames.recv().await {
        let written = async {
            writer.write_all(&frame).await?;
            writer.flush().await
        };
        timeout(WRITE_DEADLINE, written).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    writer.shutdown().await
}
