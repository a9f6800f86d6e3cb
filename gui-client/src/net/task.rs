//! The state machine of the network thread: offline, attempting, online, and back.
//!
//! ```text
//!            Connect              Welcome
//! offline ───────────► attempting ───────► online
//!    ▲                     │ refused,        │ Disconnect, connection lost,
//!    └─────────────────────┴ unreachable ────┴ goodbye
//! ```

use std::{io, sync::Arc, time::Instant};

use common::{
    codec::encode_client,
    limits::SILENCE_LIMIT,
    message::{Blob, ClientMessage},
};
use tokio::{
    sync::mpsc,
    time::{error::Elapsed, timeout, timeout_at},
};

use super::{
    GOODBYE_TIME, NetSettings, Numbered,
    attempt::{Arrival, MAX_STEPS, Target, attempt},
    echoes::Echoes,
    event_queue::EventSender,
    frames::{Incoming, ReadError, next_message},
    handshake::{self, Session, broken, unreachable},
    identity_transfer,
    keyring::{self, KeyOutput},
    known_servers::KnownServers,
    memories::Memories,
    online::Connection,
    outgoing::{FrameSender, Outgoing, write_frames},
    pin_file::PinFile,
    pin_keeper::PinKeeper,
};
use crate::{
    event::{NetCommand, NetEvent, Offline, PictureSink},
    pins::PinChange,
};

pub(super) struct Task {
    settings: NetSettings,
    sink: Arc<dyn PictureSink>,
    commands: mpsc::Receiver<Numbered<NetCommand>>,
    events: EventSender,
    /// Number of the visit that the last command belongs to; sent with every event.
    visit: u64,
    /// What was received under each name.
    memories: Memories,
    /// Writes down whom this client meets; of the server that was visited last.
    keeper: Option<PinKeeper>,
}

/// What to do after a connection or an attempt has ended.
enum Next {
    /// End the thread: the window is gone.
    Exit,
    /// Wait for the next command.
    Rest(Offline),
    /// Begin another attempt.
    Connect(Target),
}

impl Task {
    pub(super) fn new(
        settings: NetSettings,
        sink: Arc<dyn PictureSink>,
        commands: mpsc::Receiver<Numbered<NetCommand>>,
        events: EventSender,
    ) -> Self {
        Self { settings, sink, commands, events, visit: 0, memories: Memories::default(), keeper: None }
    }

    pub(super) async fn run(mut self) {
        while let Some(command) = self.next_command().await {
            let mut target = match Target::of(command) {
                Ok(target) => Some(target),
                Err(other) => {
                    self.refuse(other).await;
                    None
                }
            };
            while let Some(next) = target.take() {
                match self.visit(next).await {
                    Next::Exit => return,
                    Next::Rest(offline) => self.tell(NetEvent::Offline(offline)).await,
                    Next::Connect(next) => target = Some(next),
                }
            }
        }
    }

    /// From the first attempt to the end of the connection.
    async fn visit(&mut self, target: Target) -> Next {
        if let Some(keeper) = &self.keeper {
            // The attempt reads the file. No connection waits for this.
            keeper.flush();
        }
        let (progress, mut progress_receiver) = mpsc::channel(MAX_STEPS);
        let settings = self.settings.clone();
        let address = target.address.clone();
        let mut attempt = std::pin::pin!(attempt(&settings, target, progress));
        let Arrival { claim: _claim, session, pin_file } = loop {
            tokio::select! {
                biased;
                Some(step) = progress_receiver.recv() => self.tell(step).await,
                arrived = &mut attempt => match arrived {
                    Ok(arrived) => break arrived,
                    Err(offline) => return Next::Rest(offline),
                },
                command = next_command(&mut self.commands, &mut self.visit) => match command {
                    None => return Next::Exit,
                    Some(NetCommand::Disconnect) => return Next::Rest(Offline::Left),
                    Some(command) => match Target::of(command) {
                        Ok(target) => return Next::Connect(target),
                        Err(other) => self.refuse(other).await,
                    },
                },
            }
        };
        if let Err(error) = self.keep_pins(pin_file) {
            let what = format!("The thread that remembers the keys of people cannot be started ({error}).");
            let remedy = "Close other programs and try again.".to_owned();
            return Next::Rest(Offline::Identity { what, remedy, repair: None });
        }
        self.stay(session, &address).await
    }

    /// Writes down from now on whom this client meets on this server.
    fn keep_pins(&mut self, file: PinFile) -> io::Result<()> {
        if self.keeper.as_ref().is_none_or(|keeper| keeper.file() != &file) {
            // The one before first writes what it still has to.
            self.keeper = None;
            let (events, visit) = (self.events.clone(), self.visit);
            let on_failure = move |failure| events.tell_blocking(visit, NetEvent::PinsFailed(failure));
            self.keeper = Some(PinKeeper::start(file, on_failure)?);
        }
        Ok(())
    }

    /// Serves an established session until something ends it.
    async fn stay(&mut self, session: Session, address: &str) -> Next {
        let Session { mut frames, writer, online, own } = session;
        let memory = self.memories.of(&self.settings.data_dir, &online.name).await;
        let (frames_out, sealed_out, queued, mut failures) = FrameSender::new();
        let mut writer = tokio::spawn(write_frames(queued, writer));
        let echoes = Echoes::default();
        let started = keyring::start(own, memory, {
            let (events, visit, echoes) = (self.events.clone(), self.visit, echoes.clone());
            // Straight to the window and the writer, so that the network task need not wait for this thread.
            move |output, written| match output {
                KeyOutput::Event(event) => events.tell_blocking(visit, event),
                KeyOutput::Say(envelope) => {
                    echoes.expect(&envelope);
                    let envelope = Blob(envelope.as_bytes().to_vec());
                    sealed_out.write_blocking(encode_client(&ClientMessage::Say { envelope }), written);
                }
                KeyOutput::Frame(frames) | KeyOutput::Slice(frames) => sealed_out.write_blocking(frames, written),
            }
        });
        let (keys, keys_ended) = match started {
            Ok(started) => started,
            Err(error) => {
                let what = format!("The thread for the private key cannot be started ({error}).");
                let remedy = "Close other programs and try again.".to_owned();
                return Next::Rest(Offline::Identity { what, remedy, repair: None });
            }
        };
        let outgoing = Outgoing { keys, frames: frames_out, echoes };
        let (events, sink) = (self.events.clone(), self.sink.clone());
        let mut connection = Connection::new(address, self.visit, &events, &*sink, outgoing, &online);

        self.tell(NetEvent::Online(online)).await;
        let mut silence_deadline = Instant::now() + SILENCE_LIMIT;
        let next = loop {
            tokio::select! {
                arrived = timeout_at(silence_deadline.into(), next_message(&mut frames)) => {
                    let taken = match what_arrived(arrived, &connection, address) {
                        Ok(incoming) => connection.on_message(incoming).await,
                        Err(offline) => Err(offline),
                    };
                    if let Err(offline) = taken {
                        break Next::Rest(offline);
                    }
                    silence_deadline = Instant::now() + SILENCE_LIMIT;
                }
                command = next_command(&mut self.commands, &mut self.visit) => match command {
                    None => break Next::Exit,
                    Some(NetCommand::Disconnect) => break Next::Rest(Offline::Left),
                    Some(NetCommand::Pin(change)) => self.pin(change),
                    Some(command) => match Target::of(command) {
                        Ok(target) => break Next::Connect(target),
                        Err(other) => connection.on_command(other).await,
                    },
                },
                Some(failure) = failures.recv() => break Next::Rest(failure.offline(address)),
                written = &mut writer => break Next::Rest(match written {
                    Ok(Err(error)) => broken(address, &error),
                    _ => unreachable(format!("The connection to {address} ended."), "Connect again."),
                }),
            }
        };
        connection.quit();
        if !writer.is_finished() && timeout(GOODBYE_TIME, &mut writer).await.is_err() {
            tracing::debug!("{address} did not take the goodbye in time");
            writer.abort();
        }
        if timeout(GOODBYE_TIME, keys_ended).await.is_err() {
            tracing::debug!("what was received is still being written down");
        }
        next
    }

    /// Carries out a command while there is no connection, or answers one that needs a connection.
    async fn refuse(&self, command: NetCommand) {
        match command {
            NetCommand::Send { draft, .. } | NetCommand::SendAgain { draft, .. } => {
                self.tell(NetEvent::SendFailed { draft, reason: "Not sent: there is no connection.".to_owned() }).await;
            }
            NetCommand::ForgetServer { address } => {
                let known_servers = KnownServers::new(&self.settings.data_dir);
                if let Err(offline) = handshake::forget(&known_servers, address).await {
                    self.tell(NetEvent::Offline(offline)).await;
                }
            }
            NetCommand::Identity { name, request } => {
                let data_dir = self.settings.data_dir.clone();
                // Stretching a passphrase takes up to seconds.
                let done =
                    tokio::task::spawn_blocking(move || identity_transfer::carry_out(&data_dir, &name, &request));
                let outcome = done.await.expect("key files are handled without panics");
                self.tell(NetEvent::IdentityDone(outcome)).await;
            }
            NetCommand::Pin(change) => self.pin(change),
            _ => {}
        }
    }

    fn pin(&self, change: PinChange) {
        if let Some(keeper) = &self.keeper {
            keeper.note(change);
        }
    }

    async fn tell(&self, event: NetEvent) {
        self.events.tell(self.visit, event).await;
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

/// The message that arrived, or why none will.
fn what_arrived(
    arrived: Result<Result<Option<Incoming>, ReadError>, Elapsed>,
    connection: &Connection<'_>,
    address: &str,
) -> Result<Incoming, Offline> {
    match arrived {
        Ok(Ok(Some(incoming))) => Ok(incoming),
        Ok(Ok(None)) => {
            let what = format!("The server at {address} closed the connection.");
            Err(unreachable(what, "Check whether it is still running."))
        }
        Ok(Err(ReadError::Io(error))) => Err(broken(address, &error)),
        Ok(Err(ReadError::Breach(breach))) => Err(connection.broken_by(&breach)),
        Err(_) => {
            let what = format!("The server at {address} has not answered for {} s.", SILENCE_LIMIT.as_secs());
            Err(unreachable(what, "Check the network, and whether the server is still running."))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use common::{
        codec::{decode_client, framing},
        crypto::test_keys,
        limits::MAX_SERVER_FRAME_BYTES,
        media::{Epoch, PictureHead, SoundHead, StreamId},
        message::ClientMessage,
    };
    use tokio::{
        io::{AsyncReadExt, DuplexStream},
        sync::Notify,
    };
    use tokio_util::codec::FramedRead;

    use super::*;
    use crate::event::{DraftId, Online};
    use crate::net::{
        event_queue::{EventReceiver, event_queue},
        frames::Stream,
        hand_over::SLICE_LETTERS,
        own_numbers::OwnNumbers,
        own_session::OwnSession,
        test_online::{ada_alone, ada_among},
    };

    struct NoPictures;

    impl PictureSink for NoPictures {
        fn picture(&self, _: PictureHead, _: Vec<u8>) {}

        fn sound(&self, _: SoundHead, _: Vec<u8>) {}
    }

    /// A session with a server that holds the other end of the pipe, through which `pipe_bytes` fit unread.
    fn session(pipe_bytes: usize) -> (Session, DuplexStream) {
        session_of(ada_alone(), pipe_bytes)
    }

    fn session_of(online: Online, pipe_bytes: usize) -> (Session, DuplexStream) {
        let (near, far) = tokio::io::duplex(pipe_bytes);
        let stream: Box<dyn Stream> = Box::new(near);
        let (read_half, writer) = tokio::io::split(stream);
        let numbers = OwnNumbers::open(Path::new("unused"), &online.name);
        let name = online.name.clone();
        let own = OwnSession::begin(Arc::new(test_keys::ada()), name, [0; 32], numbers, Instant::now());
        (Session { frames: FramedRead::new(read_half, framing(MAX_SERVER_FRAME_BYTES)), writer, online, own }, far)
    }

    fn task() -> (Task, mpsc::Sender<Numbered<NetCommand>>, EventReceiver) {
        task_with(Arc::default())
    }

    /// `event` is notified of events.
    fn task_with(event: Arc<Notify>) -> (Task, mpsc::Sender<Numbered<NetCommand>>, EventReceiver) {
        let (commands, command_receiver) = mpsc::channel(1024);
        let (event_sender, events) = event_queue(Arc::new(move |_| event.notify_one()));
        let settings = NetSettings { data_dir: "unused".into(), is_plaintext: true };
        (Task::new(settings, Arc::new(NoPictures), command_receiver, event_sender), commands, events)
    }

    #[tokio::test]
    async fn a_server_that_does_not_read_ends_the_session_with_a_reason() {
        let (mut task, commands, _events) = task();
        let (session, far) = session(64);
        for _ in 0..1000 {
            commands.try_send((0, NetCommand::Stop { stream: StreamId(1) })).expect("there is room for all");
        }
        let next = task.stay(session, "lab:7878").await;
        let Next::Rest(Offline::Unreachable { what, .. }) = next else { panic!("the session goes on") };
        assert_eq!(what, "The server at lab:7878 does not read what is sent to it.");
        drop(far);
    }

    #[tokio::test]
    async fn a_server_that_reads_gets_everything_in_order() {
        let (mut task, commands, _events) = task();
        let (session, mut far) = session(64);
        let stay = tokio::spawn(async move { task.stay(session, "lab:7878").await });
        for _ in 0..1000 {
            commands.send((0, NetCommand::Stop { stream: StreamId(1) })).await.expect("the session goes on");
            let length = far.read_u32().await.unwrap();
            let mut frame = vec![0; length as usize];
            far.read_exact(&mut frame).await.unwrap();
            assert_eq!(decode_client(&frame).unwrap(), ClientMessage::Stop { stream: StreamId(1) });
        }
        commands.send((1, NetCommand::Disconnect)).await.expect("the session goes on");
        assert!(matches!(stay.await.unwrap(), Next::Rest(Offline::Left)));
    }

    /// How long the tests wait for what must come.
    const DEADLINE: Duration = Duration::from_secs(60);

    /// The next frame that the client writes.
    async fn next_written(far: &mut DuplexStream) -> ClientMessage {
        let length = far.read_u32().await.unwrap();
        let mut frame = vec![0; length as usize];
        far.read_exact(&mut frame).await.unwrap();
        decode_client(&frame).unwrap()
    }

    #[tokio::test]
    async fn credit_waits_behind_few_of_the_letters_that_hand_a_sender_key_over() {
        let event = Arc::new(Notify::new());
        let (mut task, commands, mut events) = task_with(Arc::clone(&event));
        let others = test_keys::crowd();
        let online = ada_among(&others);
        let recipients: Vec<_> = online.people.people().map(|person| person.public_key.clone()).collect();
        let (session, mut far) = session_of(online, 64);
        let stay = tokio::spawn(async move { task.stay(session, "lab:7878").await });
        let send = |number, recipients| NetCommand::Send {
            draft: DraftId(number),
            recipients,
            text: "x".to_owned(),
            written_unix_millis: 5,
        };
        commands.send((0, send(0, recipients.clone()))).await.unwrap();
        // The server reads nothing for as long as it takes to seal some letters, so a second slice has time to begin.
        let mut slices = 0;
        for number in 0..=8 {
            if number > 0 {
                commands.send((0, send(number, vec![recipients[1].clone()]))).await.unwrap();
            }
            loop {
                match events.next(0) {
                    Some(NetEvent::HandingOver { .. }) if number == 0 => {
                        slices += 1;
                        break;
                    }
                    Some(NetEvent::HandingOver { .. }) => slices += 1,
                    Some(NetEvent::Sent { draft, .. }) if draft.0 == number => break,
                    Some(NetEvent::SendFailed { reason, .. }) => panic!("{reason}"),
                    Some(_) => {}
                    None => timeout(DEADLINE, event.notified()).await.expect("it goes on"),
                }
            }
        }
        assert_eq!(slices, 1, "the next slice waits until the first is written");
        let grant = NetCommand::Grant { stream: StreamId(1), epoch: Epoch(0), items: 24 };
        commands.send((0, grant)).await.unwrap();
        let (mut letters, mut texts) = (0, 0);
        let mut letters_before_credit = None;
        while texts < 9 {
            match next_written(&mut far).await {
                ClientMessage::Hand { .. } => letters += 1,
                ClientMessage::Say { .. } => texts += 1,
                ClientMessage::Grant { .. } => letters_before_credit = Some(letters),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(letters, others.len());
        assert!(letters_before_credit.is_some_and(|count| count <= 2 * SLICE_LETTERS), "{letters_before_credit:?}");
        drop(commands);
        stay.await.unwrap();
    }
}
