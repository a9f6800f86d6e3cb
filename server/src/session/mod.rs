//! One client from its first byte to its last: reads, asks the [`machine`] what it means, and does it.

pub mod machine;
mod reader;
mod thumbnails;
mod writer;

use std::{fmt, io, net::SocketAddr, time::Duration};

use common::{
    codec::encode_server,
    limits::{JOIN_DEADLINE, PING_INTERVAL, PROTOCOL_VERSION, SILENCE_LIMIT},
    media::{Epoch, SeekRequest, SetQualityRequest, StreamId, WatchRequest},
    message::{ClientMessage, EndReason, LeaveReason, Person, RefusalCode, ServerMessage},
};
use rand::RngExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{debug, info};

use self::{
    machine::{Action, LinkBinding, Machine, Refusal},
    reader::{ReadError, Reader},
    thumbnails::Thumbnails,
};
use crate::{
    SOFTWARE,
    hub::{Hub, Membership, directory::EnterError},
    outbox::{CloseReason, Outbox},
    video::{
        VideoService,
        stream::{StreamError, Viewer},
    },
};

/// What one client may have relayed on average. Its messages are multiplied by the number of people online, so without
/// this one client that floods would have all others cut off for not reading fast enough.
const RELAY_BYTES_PER_SECOND: u64 = 512 * 1024;

/// What each message costs that starts a decoder or has the whole dictionary written: thirty in a second are as many as
/// anybody moves a slider.
const TURN_COST: Duration = Duration::from_millis(33);

/// So much of what a client may ask can be saved up.
const BURST: Duration = Duration::from_secs(2);

/// What sessions share.
#[derive(Clone)]
pub struct Services {
    /// Who is online.
    pub hub: Hub,
    /// What can be watched.
    pub videos: VideoService,
}

/// Why a session ended.
enum End {
    Quit,
    Refused(Refusal),
    Read(ReadError),
    TooSlow,
    WriterStopped,
}

struct Session<'a> {
    machine: Machine,
    server_nonce: [u8; 32],
    outbox: Outbox,
    services: &'a Services,
    /// The entry in the dictionary, once joined.
    membership: Option<Membership>,
    viewer: Option<Viewer>,
    /// Made with the first question.
    thumbnails: Option<Thumbnails>,
    /// When what was asked so far is paid for.
    paid_until: Instant,
    peer: SocketAddr,
}

/// Serves one client until it leaves, breaks the rules, dies, or `stop` is called; then removes every trace of it.
pub async fn run(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    peer: SocketAddr,
    join_deadline: Instant,
    binding: LinkBinding,
    services: &Services,
    stop: &CancellationToken,
) {
    let (read_half, write_half) = tokio::io::split(stream);
    let outbox = Outbox::default();
    let mut writer = AbortOnDropHandle::new(tokio::spawn({
        let outbox = outbox.clone();
        async move { writer::write_all(&outbox, write_half).await }
    }));
    let server_nonce = rand::rng().random();
    let mut session = Session {
        machine: Machine::new(binding, server_nonce),
        server_nonce,
        outbox: outbox.clone(),
        services,
        membership: None,
        viewer: None,
        thumbnails: None,
        paid_until: Instant::now(),
        peer,
    };

    let mut reader = Reader::new(read_half);
    let end = tokio::select! {
        end = session.converse(&mut reader, join_deadline, stop) => end,
        written = &mut writer => {
            let is_stuck = matches!(&written, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut);
            let is_too_slow = is_stuck || outbox.close_reason() == Some(CloseReason::TooSlow);
            session.finish(if is_too_slow { &End::TooSlow } else { &End::WriterStopped });
            return;
        }
    };
    session.finish(&end);
    // What was said last, such as the reason of a refusal, still goes out.
    let _ = timeout(PING_INTERVAL, writer).await;
    if matches!(end, End::Refused(_) | End::Read(ReadError::TooLong(_) | ReadError::Decode(_))) {
        // Closing a socket with unread input resets the connection, and the reason would be lost with it.
        let _ = timeout(PING_INTERVAL, reader.drain()).await;
    }
}

impl Session<'_> {
    async fn converse(
        &mut self,
        reader: &mut Reader<impl AsyncRead + Unpin>,
        join_deadline: Instant,
        stop: &CancellationToken,
    ) -> End {
        while self.machine.name().is_none() {
            let action = match reader.next(join_deadline, stop).await {
                Ok(message) => {
                    if let ClientMessage::Hello { software, protocol_version, .. } = &message {
                        debug!("{} is {software:?} with protocol {protocol_version}", self.peer);
                    }
                    self.machine.on_message(message)
                }
                Err(ReadError::Silent) => {
                    let message = format!("nobody joined within {} s of connecting", JOIN_DEADLINE.as_secs());
                    return End::Refused(Refusal::new(RefusalCode::TooLate, message));
                }
                Err(error) => return End::Read(error),
            };
            if let Some(end) = self.act(action).await {
                return end;
            }
        }
        reader.joined();
        let mut pings = interval(PING_INTERVAL);
        let mut ping_number = 0;
        let mut silence_deadline = Instant::now() + SILENCE_LIMIT;
        loop {
            let message = tokio::select! {
                message = reader.next(silence_deadline, stop) => message,
                _ = pings.tick() => {
                    if self.outbox.close_reason() == Some(CloseReason::TooSlow) {
                        return End::TooSlow;
                    }
                    ping_number += 1;
                    self.say(&ServerMessage::Ping { number: ping_number });
                    continue;
                }
            };
            let end = match message {
                Ok(message) => self.on_message(message).await,
                Err(error) => Some(End::Read(error)),
            };
            if let Some(end) = end {
                return end;
            }
            // Counted from here: while it was made to wait, the client could not be heard.
            silence_deadline = Instant::now() + SILENCE_LIMIT;
        }
    }

    async fn on_message(&mut self, message: ClientMessage) -> Option<End> {
        let action = self.machine.on_message(message);
        self.act(action).await
    }

    async fn act(&mut self, action: Action) -> Option<End> {
        match action {
            Action::Nothing => {}
            Action::Challenge => self.say(&ServerMessage::Challenge {
                protocol_version: PROTOCOL_VERSION,
                software: SOFTWARE.to_owned(),
                nonce: self.server_nonce,
            }),
            Action::Enter(person) => return self.enter(person),
            Action::Relay(envelope) => {
                let reader_count = self.services.hub.relay(&envelope);
                debug!("{envelope:?} relayed to {reader_count}");
                let bytes = envelope.as_bytes().len() as u64;
                self.slow_down(Duration::from_micros(bytes * 1_000_000 / RELAY_BYTES_PER_SECOND)).await;
            }
            Action::SendDirectory => {
                self.services.hub.send_directory(&self.outbox);
                self.slow_down(TURN_COST).await;
            }
            Action::Watch(request) => {
                self.watch(request).await;
                self.slow_down(TURN_COST).await;
            }
            Action::Grant { stream, epoch, items } => {
                let is_meant = |viewer: &&Viewer| viewer.stream() == stream && viewer.epoch() == epoch;
                if let Some(viewer) = self.viewer.as_ref().filter(is_meant) {
                    viewer.grant(items);
                }
            }
            Action::Seek(request) => {
                self.seek(request).await;
                self.slow_down(TURN_COST).await;
            }
            Action::SetQuality(request) => {
                self.set_quality(request).await;
                self.slow_down(TURN_COST).await;
            }
            Action::SendThumbnail(video) => {
                let start = || Thumbnails::start(self.services.videos.library.clone(), self.outbox.clone());
                self.thumbnails.get_or_insert_with(start).ask(video);
            }
            Action::SendStatistics => self.say(&ServerMessage::Statistics(self.services.videos.store.statistics())),
            Action::Stop(stream) => {
                if self.viewer.as_ref().is_some_and(|viewer| viewer.stream() == stream) {
                    self.stop_viewer().await;
                }
            }
            Action::Leave => return Some(End::Quit),
            Action::Refuse(refusal) if refusal.code.may_retry() => self.say_refused(&refusal),
            Action::Refuse(refusal) => return Some(End::Refused(refusal)),
        }
        None
    }

    fn enter(&mut self, person: Person) -> Option<End> {
        match self.services.hub.join(person.clone(), self.outbox.clone()) {
            Ok(membership) => {
                self.membership = Some(membership);
                info!("{} joined with {:?}", person.name, person.public_key);
                self.machine.entered(person);
                None
            }
            Err(error) => {
                let message = error.to_string();
                let (code, suggestion) = match error {
                    EnterError::NameInUse { suggestion, .. } => (RefusalCode::NameInUse, Some(suggestion)),
                    EnterError::KeyInUse(_) => (RefusalCode::KeyInUse, None),
                    EnterError::Full => (RefusalCode::Full, None),
                };
                let refusal = Refusal { code, message, suggestion };
                if code.may_retry() {
                    self.say_refused(&refusal);
                    return None;
                }
                Some(End::Refused(refusal))
            }
        }
    }

    /// Makes a client that asks too much wait, by not reading on; TCP does the rest.
    async fn slow_down(&mut self, cost: Duration) {
        self.paid_until = self.paid_until.max(Instant::now()) + cost;
        if let Some(pause_end) = self.paid_until.checked_sub(BURST) {
            sleep_until(pause_end).await;
        }
    }

    async fn watch(&mut self, request: WatchRequest) {
        self.stop_viewer().await;
        let stream = request.stream;
        let Some(video) = self.services.videos.library.video(request.video) else {
            let reason = EndReason::Failed("the server has no such video any more".to_owned());
            return self.say(&ServerMessage::StreamEnded { stream, epoch: Epoch::default(), reason });
        };
        match Viewer::start(request, video, self.services.videos.clone(), self.outbox.clone()) {
            Ok(viewer) => self.viewer = Some(viewer),
            Err(error) => self.say_failed(stream, Epoch::default(), &error),
        }
    }

    async fn seek(&mut self, SeekRequest { stream, epoch, to }: SeekRequest) {
        if let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.stream() == stream) {
            viewer.seek(epoch, to).await;
        }
    }

    async fn set_quality(&mut self, SetQualityRequest { stream, epoch, quality, at }: SetQualityRequest) {
        let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.stream() == stream) else { return };
        if let Err(error) = viewer.set_quality(epoch, quality, at).await {
            self.say_failed(stream, epoch, &error);
        }
    }

    fn say_failed(&self, stream: StreamId, epoch: Epoch, error: &StreamError) {
        self.say(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Failed(error.to_string()) });
    }

    async fn stop_viewer(&mut self) {
        if let Some(viewer) = self.viewer.take() {
            let (stream, epoch) = (viewer.stream(), viewer.epoch());
            if viewer.stop().await {
                self.say(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Stopped });
            }
        }
    }

    fn say(&self, message: &ServerMessage) {
        self.outbox.push_control(encode_server(message));
    }

    fn say_refused(&self, refusal: &Refusal) {
        let Refusal { code, message, suggestion } = refusal.clone();
        self.say(&ServerMessage::Refused { code, message, suggestion });
    }

    fn finish(mut self, end: &End) {
        drop(self.viewer.take());
        match end {
            End::Refused(refusal) => self.say_refused(refusal),
            End::Read(ReadError::Stopping) => {
                self.say(&ServerMessage::Goodbye { reason: "the server was stopped".to_owned() });
            }
            End::Read(error @ (ReadError::TooLong(_) | ReadError::Decode(_))) => {
                self.say_refused(&Refusal::new(RefusalCode::Malformed, error.to_string()));
            }
            End::Read(error @ ReadError::Silent) => {
                self.say(&ServerMessage::Goodbye { reason: error.to_string() });
            }
            End::Quit | End::Read(_) | End::TooSlow | End::WriterStopped => {}
        }
        self.outbox.close(CloseReason::Finished);
        match self.machine.name() {
            Some(name) => info!("{name} left: {end}"),
            None => info!("connection from {} ended before joining: {end}", self.peer),
        }
        if let Some(membership) = self.membership.take() {
            match end {
                // Every client hears `Goodbye` itself.
                End::Read(ReadError::Stopping) => membership.leave_quietly(),
                _ => membership.leave(end.leave_reason()),
            }
        }
    }
}

impl End {
    fn leave_reason(&self) -> LeaveReason {
        match self {
            End::Quit => LeaveReason::Quit,
            End::Refused(_) | End::TooSlow | End::Read(ReadError::TooLong(_) | ReadError::Decode(_)) => {
                LeaveReason::Expelled
            }
            End::Read(_) | End::WriterStopped => LeaveReason::Lost,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Quit => f.write_str("quit"),
            End::Refused(refusal) => write!(f, "refused ({:?}): {}", refusal.code, refusal.message),
            End::Read(error) => error.fmt(f),
            End::TooSlow => f.write_str("it does not read what is sent to it"),
            End::WriterStopped => f.write_str("the connection broke while writing"),
        }
    }
}
