//! The session of one client: reads its messages, asks the [`machine`] what to do about each, and does it.

mod end;
pub mod machine;
#[cfg(test)]
mod machine_tests;
pub mod notices;
mod rate_limiter;
mod reader;
mod thumbnails;
mod writer;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use common::{
    codec::encode_server,
    limits::{PING_INTERVAL, PROTOCOL_VERSION, SILENCE_LIMIT},
    media::{Epoch, SeekRequest, SetQualityRequest, StreamId, WatchRequest},
    message::{ClientMessage, EndReason, Person, ServerMessage},
};
use rand::RngExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{debug, info};

use self::{
    end::End,
    machine::{Action, ConnectionBinding, Machine},
    notices::Refusal,
    rate_limiter::{REQUEST_COST, RateLimiter, relay_cost},
    reader::{ReadError, Reader},
    thumbnails::Thumbnails,
};
use crate::{
    config::SOFTWARE,
    hub::{Hub, Membership},
    limits::Limits,
    outbox::{CloseReason, Outbox},
    video::{
        VideoService,
        stream::{StreamError, Viewer},
    },
};

/// What all sessions share. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The clients that are online.
    pub hub: Hub,
    /// The videos that can be watched.
    pub videos: VideoService,
    /// What each client is granted.
    pub limits: Arc<Limits>,
}

struct Session<'a> {
    machine: Machine,
    server_nonce: [u8; 32],
    outbox: Outbox,
    services: &'a Services,
    /// The entry in the dictionary, once joined.
    membership: Option<Membership>,
    viewer: Option<Viewer>,
    /// Started with the first request.
    thumbnails: Option<Thumbnails>,
    rate_limiter: RateLimiter,
    peer: SocketAddr,
}

/// Serves one client until it leaves, breaks the protocol, is lost, or `stop` is cancelled. Whatever the session holds (its
/// entry in the dictionary, its viewer, its tasks) ends with the returned future, also when that panics or is dropped.
pub async fn run(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    peer: SocketAddr,
    join_deadline: Instant,
    binding: ConnectionBinding,
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
        rate_limiter: RateLimiter::new(Instant::now().into_std()),
        peer,
    };

    let mut reader = Reader::new(read_half);
    let end = tokio::select! {
        end = session.converse(&mut reader, join_deadline, stop) => end,
        written = &mut writer => {
            let is_stuck = matches!(&written, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut);
            let is_too_slow = is_stuck || outbox.close_reason() == Some(CloseReason::TooSlow);
            session.finish(if is_too_slow { &End::TooSlow } else { &End::WriteFailed });
            return;
        }
    };
    session.finish(&end);
    // The last message, such as the reason of a refusal, still goes out.
    #[expect(clippy::let_underscore_must_use, reason = "the connection ends here, however its last write went")]
    let _ = timeout(PING_INTERVAL, writer).await;
    if end.may_leave_input() {
        // Closing a socket with unread input resets the connection, and the refusal would be lost with it.
        #[expect(clippy::let_underscore_must_use, reason = "a client that goes on sending is cut off after this time")]
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
                        debug!("The client at {} is {software:?} with protocol version {protocol_version}.", self.peer);
                    }
                    self.machine.on_message(message)
                }
                Err(ReadError::Silent) => return End::Refused(Refusal::too_late()),
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
                    self.send(&ServerMessage::Ping { number: ping_number });
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
            // Counted from here, because messages are not read while the rate limiter makes the client wait.
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
            Action::Challenge => self.send(&ServerMessage::Challenge {
                protocol_version: PROTOCOL_VERSION,
                software: SOFTWARE.to_owned(),
                nonce: self.server_nonce,
            }),
            Action::Enter(person) => return self.enter(person),
            Action::Relay(envelope) => {
                let client_count = self.services.hub.relay(&envelope);
                debug!("Relayed {envelope:?} to {client_count} clients.");
                self.slow_down(relay_cost(envelope.as_bytes().len())).await;
            }
            Action::SendDirectory => {
                self.services.hub.send_directory(&self.outbox);
                self.slow_down(REQUEST_COST).await;
            }
            Action::Watch(request) => {
                self.watch(request).await;
                self.slow_down(REQUEST_COST).await;
            }
            Action::Grant { stream, epoch, items } => {
                let is_current = |viewer: &&Viewer| viewer.stream() == stream && viewer.epoch() == epoch;
                if let Some(viewer) = self.viewer.as_ref().filter(is_current) {
                    viewer.grant(items);
                }
            }
            Action::Seek(request) => {
                self.seek(request).await;
                self.slow_down(REQUEST_COST).await;
            }
            Action::SetQuality(request) => {
                self.set_quality(request).await;
                self.slow_down(REQUEST_COST).await;
            }
            Action::SendThumbnail(video) => {
                let start = || Thumbnails::start(self.services.videos.library.clone(), self.outbox.clone());
                self.thumbnails.get_or_insert_with(start).ask(video);
            }
            Action::SendStatistics => self.send(&ServerMessage::Statistics(self.services.videos.store.statistics())),
            Action::Stop(stream) => {
                if self.viewer.as_ref().is_some_and(|viewer| viewer.stream() == stream) {
                    self.stop_viewer().await;
                }
            }
            Action::Leave => return Some(End::Quit),
            Action::Refuse(refusal) if refusal.code.may_retry() => self.send(&refusal.into()),
            Action::Refuse(refusal) => return Some(End::Refused(refusal)),
        }
        None
    }

    fn enter(&mut self, person: Person) -> Option<End> {
        match self.services.hub.join(person.clone(), self.outbox.clone()) {
            Ok(membership) => {
                self.membership = Some(membership);
                info!("{} joined with {:?}.", person.name, person.public_key);
                self.machine.entered(person);
                None
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                if refusal.code.may_retry() {
                    self.send(&refusal.into());
                    return None;
                }
                Some(End::Refused(refusal))
            }
        }
    }

    /// Makes a client that asks for too much wait by not reading on; TCP does the rest.
    async fn slow_down(&mut self, cost: Duration) {
        if let Some(resume_at) = self.rate_limiter.charge(cost, Instant::now().into_std()) {
            sleep_until(resume_at.into()).await;
        }
    }

    async fn watch(&mut self, request: WatchRequest) {
        self.stop_viewer().await;
        let stream = request.stream;
        let Some(video) = self.services.videos.library.video(request.video) else {
            let reason = EndReason::Failed(notices::NO_SUCH_VIDEO.to_owned());
            return self.send(&ServerMessage::StreamEnded { stream, epoch: Epoch::default(), reason });
        };
        let name = self.machine.name().expect("only a client that has joined can watch").clone();
        match Viewer::start(request, name, video, self.services.videos.clone(), self.outbox.clone()) {
            Ok(viewer) => self.viewer = Some(viewer),
            Err(error) => self.send_failed(stream, Epoch::default(), &error),
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
            self.send_failed(stream, epoch, &error);
        }
    }

    fn send_failed(&self, stream: StreamId, epoch: Epoch, error: &StreamError) {
        self.send(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Failed(error.to_string()) });
    }

    async fn stop_viewer(&mut self) {
        if let Some(viewer) = self.viewer.take() {
            let (stream, epoch) = (viewer.stream(), viewer.epoch());
            if viewer.stop().await {
                self.send(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Stopped });
            }
        }
    }

    fn send(&self, message: &ServerMessage) {
        self.outbox.push_control(encode_server(message));
    }

    fn finish(mut self, end: &End) {
        drop(self.viewer.take());
        if let Some(message) = end.last_message() {
            self.send(&message);
        }
        self.outbox.close(CloseReason::Finished);
        info!("{}", end.log_line(self.machine.name(), self.peer));
        if let Some(membership) = self.membership.take() {
            match end.leave_reason() {
                Some(reason) => membership.leave(reason),
                None => membership.leave_quietly(),
            }
        }
    }
}
