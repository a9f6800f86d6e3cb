//! The session of one client: reads its messages, asks the [`machine`] what to do about each, and does it.

mod end;
pub mod login;
pub mod machine;
#[cfg(test)]
mod machine_tests;
pub mod notices;
mod online;
mod pings;
mod previews;
mod proof_checks;
mod rates;
mod reader;
mod thumbnails;
mod writer;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use common::{codec::encode_server, limits::PING_INTERVAL, message::ServerMessage};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::info;

use self::{
    end::End,
    machine::{Action, ConnectionBinding, Machine},
    pings::Pings,
    previews::Previews,
    proof_checks::ProofChecks,
    rates::Rates,
    reader::{ReadError, Reader},
    thumbnails::Thumbnails,
};
use crate::{
    admission::Place,
    hub::{Hub, Membership},
    limits::Limits,
    log_limiter::{EventKind, EventLog},
    outbox::{CloseReason, Outbox},
    video::{VideoService, stream::Viewer},
};

/// How long a connection that lost its place may still take to send the reason.
const DISPLACED_FAREWELL: Duration = Duration::from_millis(100);

/// What all sessions share. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The clients that are online.
    pub hub: Hub,
    /// The videos that can be watched.
    pub videos: VideoService,
    /// What each client is granted.
    pub limits: Arc<Limits>,
    /// Who has logged how much.
    pub log: EventLog,
    proofs: ProofChecks,
    renewals: ProofChecks,
}

impl Services {
    /// What the sessions of one server share.
    pub fn new(hub: Hub, videos: VideoService, limits: Limits) -> Self {
        let (proofs, renewals) = (ProofChecks::default(), ProofChecks::default());
        Self { hub, videos, limits: Arc::new(limits), log: EventLog::default(), proofs, renewals }
    }
}

/// A new connection.
pub struct Arrival {
    /// Its place, kept until the session ends.
    pub place: Place,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What ties a proof to it.
    pub binding: ConnectionBinding,
    /// When its `Hello` must be there.
    pub handshake_deadline: Instant,
}

struct Session<'a> {
    machine: Machine,
    outbox: Outbox,
    services: &'a Services,
    /// The entry in the dictionary, once joined.
    membership: Option<Membership>,
    /// The videos, as this client's viewer.
    videos: VideoService,
    viewer: Option<Viewer>,
    /// Whether others may know what this client watches.
    is_viewing_shown: bool,
    /// Started with the first request.
    thumbnails: Option<Thumbnails>,
    pings: Pings,
    /// Started with the first request.
    previews: Option<Previews>,
    rates: Rates,
    peer: SocketAddr,
}

/// Serves one client until it leaves, breaks the protocol, is lost, or `stop` is cancelled. Whatever the session holds (its
/// entry in the dictionary, its viewer, its tasks) ends with the returned future, also when that panics or is dropped.
pub async fn run(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    arrival: Arrival,
    services: &Services,
    stop: &CancellationToken,
) {
    let Arrival { place, peer, binding, handshake_deadline } = arrival;
    let (read_half, write_half) = tokio::io::split(stream);
    let outbox = services.hub.outbox();
    let mut writer = AbortOnDropHandle::new(tokio::spawn({
        let outbox = outbox.clone();
        async move { writer::write_all(&outbox, write_half).await }
    }));
    let mut session = Session {
        machine: Machine::new(binding),
        outbox: outbox.clone(),
        services,
        membership: None,
        videos: services.videos.for_viewer(),
        viewer: None,
        is_viewing_shown: false,
        thumbnails: None,
        pings: Pings::default(),
        previews: None,
        rates: Rates::new(&services.limits, Instant::now().into_std()),
        peer,
    };

    let mut reader = Reader::new(read_half);
    let end = tokio::select! {
        end = session.converse(&mut reader, handshake_deadline, &place, stop) => end,
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
    let farewell = async {
        // The last message, such as the reason of a refusal, still goes out.
        #[expect(clippy::let_underscore_must_use, reason = "the connection ends here, however its last write went")]
        let _ = timeout(PING_INTERVAL, writer).await;
        if end.may_leave_input() {
            // Closing a socket with unread input resets the connection, and the refusal would be lost with it.
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a client that goes on sending is cut off after this time"
            )]
            let _ = timeout(PING_INTERVAL, reader.drain()).await;
        }
    };
    // A connection that is waiting for this place does not wait for the farewell, which the system sends on from the socket's buffer.
    let given_away = async {
        place.displaced().await;
        sleep(DISPLACED_FAREWELL).await;
    };
    tokio::select! {
        () = farewell => {}
        () = given_away => {}
    }
}

impl Session<'_> {
    async fn converse(
        &mut self,
        reader: &mut Reader<impl AsyncRead + Unpin>,
        handshake_deadline: Instant,
        place: &Place,
        stop: &CancellationToken,
    ) -> End {
        if let Some(end) = self.log_in(reader, handshake_deadline, place, stop).await {
            return end;
        }
        reader.joined();
        let (hub, outbox, pings) = (self.services.hub.clone(), self.outbox.clone(), self.pings.clone());
        tokio::select! {
            biased;
            () = stop.cancelled() => End::Read(ReadError::Stopping),
            end = self.serve(reader, stop) => end,
            end = online::send_pings(&hub, &outbox, &pings) => end,
        }
    }

    async fn act(&mut self, action: Action) -> Option<End> {
        match action {
            Action::Nothing => {}
            Action::Leave => return Some(End::Quit),
            Action::Refuse(refusal) => return Some(End::Refused(refusal)),
            action @ (Action::Challenge | Action::Verify(_)) => {
                unreachable!("{action:?} is an action for those who have not joined")
            }
            Action::Renew(request) => return self.renew(request).await,
            action => self.grant(action).await,
        }
        None
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
        let name = self.machine.name();
        let kind = if name.is_some() { EventKind::Left } else { EventKind::EndedBeforeJoining };
        let kind = if matches!(end, End::Displaced) { EventKind::Displaced } else { kind };
        if let Some(unlogged) = self.services.log.admit(kind, self.peer.ip()) {
            info!("{}{unlogged}", end.log_line(name, self.peer));
        }
        if let Some(membership) = self.membership.take() {
            match end.leave_reason() {
                Some(reason) => membership.leave(reason),
                None => membership.leave_quietly(),
            }
        }
    }
}
