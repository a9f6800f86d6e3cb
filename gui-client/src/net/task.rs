//! The state machine of the network thread: offline, attempting, online, and back.
//!
//! ```text
//!            Connect              Welcome
//! offline ───────────► attempting ───────► online
//!    ▲                     │ refused,        │ Disconnect, connection lost,
//!    └─────────────────────┴ unreachable ────┴ goodbye
//! ```

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use common::{
    codec::encode_client,
    crypto::Identity,
    limits::{JOIN_DEADLINE, SILENCE_LIMIT},
    message::{ClientMessage, ServerMessage},
    name::Name,
};
use tokio::{
    sync::mpsc,
    time::{timeout, timeout_at},
};

use super::{
    GOODBYE_TIME, NetSettings, Numbered,
    handshake::{self, Session, broken, next_message, unreachable},
    identity,
    keyring::{self, KeyJob, KeyOutput, Sequences},
    known_servers::KnownServers,
    outgoing::{FrameSender, Outgoing, write_frames},
};
use crate::event::{NetCommand, NetEvent, Offline, PictureSink, Progress};

pub(super) struct Task {
    settings: NetSettings,
    sink: Arc<dyn PictureSink>,
    wake: Arc<dyn Fn() + Send + Sync>,
    commands: mpsc::Receiver<Numbered<NetCommand>>,
    events: mpsc::Sender<Numbered<NetEvent>>,
    /// Number of the visit that the last command belongs to; sent with every event.
    visit: u64,
    sequences: Arc<Mutex<Sequences>>,
}

/// What to do after a connection or an attempt has ended.
enum Next {
    /// End the thread: the window is gone.
    Exit,
    /// Wait for the next command.
    Rest(Offline),
    /// Begin another attempt.
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

    /// Serves an established session until something ends it.
    async fn stay(&mut self, session: Session, identity: Arc<Identity>, address: &str) -> Next {
        let Session { mut frames, writer, online } = session;
        let (frames_out, queued, mut failures) = FrameSender::new();
        let mut writer = tokio::spawn(write_frames(queued, writer));
        let started = keyring::start(identity, self.sequences.clone(), {
            let (events, wake, frames_out) = (self.events.clone(), self.wake.clone(), frames_out.clone());
            let visit = self.visit;
            // Straight to the window and the writer: this task may be waiting for the key thread, and waiting for each other
            // would be a deadlock.
            move |output| match output {
                KeyOutput::Event(event) => deliver(events.blocking_send((visit, event)).is_ok(), &wake),
                KeyOutput::Frame(frame) => frames_out.write(frame),
            }
        });
        let jobs = match started {
            Ok(jobs) => jobs,
            Err(error) => {
                let what = format!("The thread for the private key cannot be started ({error}).");
                let remedy = "Close other programs and try again.".to_owned();
                return Next::Rest(Offline::Identity { what, remedy });
            }
        };
        let outgoing = Outgoing { jobs, frames: frames_out };

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
                Some(failure) = failures.recv() => Some(Next::Rest(failure.offline(address))),
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
        if !writer.is_finished() && timeout(GOODBYE_TIME, &mut writer).await.is_err() {
            tracing::debug!("{address} did not take the goodbye in time");
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
                return Some(Next::Rest(unreachable(what, "Check whether it is still running.")));
            }
            Ok(Err(error)) => return Some(Next::Rest(broken(address, &error))),
            Err(_) => {
                let what = format!("The server at {address} has not answered for {} s.", SILENCE_LIMIT.as_secs());
                return Some(Next::Rest(unreachable(
                    what,
                    "Check the network, and whether the server is still running.",
                )));
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
                tracing::warn!("unexpected message while online: {other:?}");
                return None;
            }
        };
        self.tell(event).await;
        None
    }

    /// Answers a command that needs a connection when there is none.
    async fn refuse(&self, command: NetCommand) {
        if let NetCommand::Send { draft, .. } = command {
            self.tell(NetEvent::SendFailed { draft, reason: "Not sent: there is no connection.".to_owned() }).await;
        }
    }

    async fn tell(&self, event: NetEvent) {
        deliver(self.events.send((self.visit, event)).await.is_ok(), &self.wake);
    }

    async fn next_command(&mut self) -> Option<NetCommand> {
        next_command(&mut self.commands, &mut self.visit).await
    }
}

/// Takes the next command and sets `visit` to the number it carries.
async fn next_command(commands: &mut mpsc::Receiver<Numbered<NetCommand>>, visit: &mut u64) -> Option<NetCommand> {
    let (number, command) = commands.recv().await?;
    *visit = number;
    Some(command)
}

/// Wakes the window after an event; without a window, the next command ends the thread.
fn deliver(is_sent: bool, wake: &Arc<dyn Fn() + Send + Sync>) {
    if is_sent {
        wake();
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
        progress.try_send(step).expect("four steps fit and at most four are told, while the receiver lives");
    };
    let name = Name::parse(name.trim()).map_err(|error| Offline::Refused {
        code: common::message::RefusalCode::BadName,
        message: error.to_string(),
        suggestion: None,
    })?;
    // The server first: otherwise a wrong address would show only after the seconds that a new key takes.
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
                // By now the server has closed the connection, or is about to: it waits only so long for the handshake.
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
    on_helper_thread(move || identity::load_or_make(&data_dir, &name)).await
}

async fn on_helper_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, identity::IdentityFileError> + Send + 'static,
) -> Result<T, Offline> {
    let done = tokio::task::spawn_blocking(work).await.expect("key files are handled without panics");
    done.map_err(|error| Offline::Identity { what: error.to_string(), remedy: error.remedy() })
}

#[cfg(test)]
mod tests {
    use common::{
        codec::{decode_client, framing},
        crypto::test_keys,
        limits::MAX_SERVER_FRAME_BYTES,
        media::{Library, PictureHead, SoundHead},
    };
    use tokio::io::{AsyncReadExt, DuplexStream};
    use tokio_util::codec::FramedRead;

    use super::*;
    use crate::{event::Online, net::handshake::Stream};

    struct NoPictures;

    impl PictureSink for NoPictures {
        fn picture(&self, _: PictureHead, _: Vec<u8>) {}

        fn sound(&self, _: SoundHead, _: Vec<u8>) {}
    }

    /// A session with a server that holds the other end of the pipe, through which `pipe_bytes` fit unread.
    fn session(pipe_bytes: usize) -> (Session, DuplexStream) {
        let (near, far) = tokio::io::duplex(pipe_bytes);
        let stream: Box<dyn Stream> = Box::new(near);
        let (read_half, writer) = tokio::io::split(stream);
        let online = Online {
            name: Name::parse("ada").unwrap(),
            public_key: test_keys::ada().public_key().clone(),
            revision: 1,
            people: Vec::new(),
            library: Library::default(),
            server_fingerprint: None,
        };
        (Session { frames: FramedRead::new(read_half, framing(MAX_SERVER_FRAME_BYTES)), writer, online }, far)
    }

    fn task() -> (Task, mpsc::Sender<Numbered<NetCommand>>, mpsc::Receiver<Numbered<NetEvent>>) {
        let (commands, command_receiver) = mpsc::channel(1024);
        let (event_sender, events) = mpsc::channel(1024);
        let settings = NetSettings { data_dir: "unused".into(), is_plaintext: true };
        (Task::new(settings, Arc::new(NoPictures), Arc::new(|| {}), command_receiver, event_sender), commands, events)
    }

    #[tokio::test]
    async fn a_server_that_does_not_read_ends_the_session_with_a_reason() {
        let (mut task, commands, _events) = task();
        let (session, far) = session(64);
        for _ in 0..1000 {
            commands.try_send((0, NetCommand::AskDirectory)).expect("there is room for all");
        }
        let next = task.stay(session, Arc::new(test_keys::ada()), "lab:7878").await;
        let Next::Rest(Offline::Unreachable { what, .. }) = next else { panic!("the session goes on") };
        assert_eq!(what, "The server at lab:7878 does not read what is sent to it.");
        drop(far);
    }

    #[tokio::test]
    async fn a_server_that_reads_gets_everything_in_order() {
        let (mut task, commands, _events) = task();
        let (session, mut far) = session(64);
        let stay = tokio::spawn(async move { task.stay(session, Arc::new(test_keys::ada()), "lab:7878").await });
        for _ in 0..1000 {
            commands.send((0, NetCommand::AskDirectory)).await.expect("the session goes on");
            let length = far.read_u32().await.unwrap();
            let mut frame = vec![0; length as usize];
            far.read_exact(&mut frame).await.unwrap();
            assert_eq!(decode_client(&frame).unwrap(), ClientMessage::AskDirectory);
        }
        commands.send((1, NetCommand::Disconnect)).await.expect("the session goes on");
        assert!(matches!(stay.await.unwrap(), Next::Rest(Offline::Left)));
    }
}
