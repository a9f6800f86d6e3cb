//! The session of one client: reads its messages, asks the [`machine`] what to do about each, and does it.

mod end;
pub mod machine;
#[cfg(test)]
mod machine_tests;
pub mod notices;
mod online;
mod rates;
mod reader;
mod thumbnails;
mod writer;

use std::{io, net::SocketAddr, sync::Arc};

use common::{
    codec::encode_server,
    limits::{PING_INTERVAL, PROTOCOL_VERSION},
    message::{ClientMessage, Person, ServerMessage},
};
use rand::RngExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{debug, info};

use self::{
    end::End,
    machine::{Action, ConnectionBinding, Machine},
    notices::Refusal,
    rates::Rates,
    reader::{ReadError, Reader},
    thumbnails::Thumbnails,
};
use crate::{
    config::SOFTWARE,
    hub::{Hub, Membership},
    limits::Limits,
    outbox::{CloseReason, Outbox},
    video::{VideoService, stream::Viewer},
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
    rates: Rates,
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
    let outbox = services.hub.outbox();
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
        rates: Rates::new(&services.limits, Instant::now().into_std()),
        peer,
    };

    let mut reader = Reader::new(read_half);
    let end = tokio::select! {
        end = session.converse(&mut reader, join_deadline, stop) => end,
        written = &mut writer => {
            let is_stuck = matches!(&written, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut);
            session.finish(&match outbox.close_reason() {
                Some(CloseReason::CutOff { waiting_bytes, waited }) => End::CutOff { waiting_bytes, waited },
                _ if is_stuck => End::NotReading,
                _ => End::WriteFailed,
            });
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
        let (hub, outbox) = (self.services.hub.clone(), self.outbox.clone());
        tokio::select! {
            biased;
            () = stop.cancelled() => End::Read(ReadError::Stopping),
            end = self.serve(reader, stop) => end,
            end = online::send_pings(&hub, &outbox) => end,
        }
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
            Action::Leave => return Some(End::Quit),
            Action::Refuse(refusal) if refusal.code.may_retry() => self.send(&refusal.into()),
            Action::Refuse(refusal) => return Some(End::Refused(refusal)),
            action => self.grant(action).await,
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
