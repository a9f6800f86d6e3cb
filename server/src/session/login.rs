//! The part of a session before `Welcome`. The client has proven nothing yet, so everything has a deadline, and each
//! further `Join` costs the client more time than the server.

use std::time::Duration;

use common::{
    codec::encode_server,
    limits::PROTOCOL_VERSION,
    message::{ClientMessage, ServerMessage},
};
use rand::RngExt;
use tokio::{
    io::AsyncRead,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Session,
    end::End,
    machine::Action,
    notices::Refusal,
    proof_checks::JoinRequest,
    reader::{ReadError, Reader},
};
use crate::{admission::Place, config::SOFTWARE, log_limiter::EventKind};

/// The pauses after the first refusals of a name. A person who types another one takes longer; a program that tries names
/// is slowed down. After the next refusal the connection ends.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// The most `Join`s on one connection.
pub const MAX_JOINS: usize = PAUSES.len() + 1;
/// The most of a client's own words in the log, in characters.
const LOGGED_CHARS: usize = 60;

impl Session<'_> {
    /// Serves the client until it has joined. Returns `None` then, or why the session ends.
    pub(super) async fn log_in(
        &mut self,
        reader: &mut Reader<impl AsyncRead + Unpin>,
        handshake_deadline: Instant,
        place: &Place,
        stop: &CancellationToken,
    ) -> Option<End> {
        let limits = self.services.limits.clone();
        let mut too_late = Refusal::no_hello(limits.handshake_deadline);
        let mut deadline = handshake_deadline;
        let mut pauses = PAUSES.into_iter();
        loop {
            let message = tokio::select! {
                biased;
                () = place.displaced() => return Some(End::Displaced),
                message = reader.next(deadline, stop) => message,
            };
            let message = match message {
                Ok(message) => message,
                Err(ReadError::Silent) => return Some(End::Refused(too_late)),
                Err(error) => return Some(End::Read(error)),
            };
            self.note_greeting(&message);
            let refusal = match self.machine.on_message(message) {
                Action::Challenge => {
                    place.greeted();
                    deadline = Instant::now() + limits.login_deadline;
                    too_late = Refusal::no_join(limits.login_deadline);
                    self.challenge();
                    continue;
                }
                Action::Verify(request) => {
                    let entered = tokio::select! {
                        () = place.displaced() => return Some(End::Displaced),
                        () = stop.cancelled() => return Some(End::Read(ReadError::Stopping)),
                        entered = self.enter(request, deadline, place) => entered,
                    };
                    match entered {
                        Ok(()) => return None,
                        Err(None) => too_late.clone(),
                        Err(Some(refusal)) => refusal,
                    }
                }
                Action::Refuse(refusal) => refusal,
                Action::Leave => return Some(End::Quit),
                other => unreachable!("{other:?} is an action for those who have joined"),
            };
            if !refusal.code.may_retry() {
                return Some(End::Refused(refusal));
            }
            self.send(&refusal.into());
            let Some(pause) = pauses.next() else { return Some(End::Refused(Refusal::too_many_joins(MAX_JOINS))) };
            self.challenge();
            tokio::select! {
                () = place.displaced() => return Some(End::Displaced),
                () = stop.cancelled() => return Some(End::Read(ReadError::Stopping)),
                () = sleep_until(deadline.min(Instant::now() + pause)) => {}
            }
        }
    }

    /// Sends a nonce that the next `Join` must sign, and no other.
    fn challenge(&mut self) {
        let nonce = rand::rng().random();
        self.machine.challenged(nonce);
        self.outbox.push_control(encode_server(&ServerMessage::Challenge {
            protocol_version: PROTOCOL_VERSION,
            software: SOFTWARE.to_owned(),
            nonce,
        }));
    }

    /// Verifies a request and enters its person in the dictionary. `None` as error: the deadline passed.
    async fn enter(&mut self, request: JoinRequest, deadline: Instant, place: &Place) -> Result<(), Option<Refusal>> {
        if let Some(turn) = place.charge_join(Instant::now().into_std()).map(Instant::from_std) {
            if turn > deadline {
                return Err(Some(Refusal::too_many_joins_from_address()));
            }
            sleep_until(turn).await;
        }
        let person = self.services.proofs.run(|| request.verify(), deadline).await.ok_or(None)?.map_err(Some)?;
        if !place.joined() {
            // The place was given away in this very moment.
            return Err(Some(Refusal::displaced()));
        }
        let membership = self.services.hub.join(person.clone(), self.outbox.clone()).map_err(|error| {
            place.greeted();
            Some(Refusal::from(error))
        })?;
        self.membership = Some(membership);
        if let Some(unlogged) = self.services.log.admit(EventKind::Joined, self.peer.ip()) {
            info!("{} joined with {:?}{unlogged}.", person.name, person.public_key);
        }
        self.machine.entered(person);
        Ok(())
    }

    fn note_greeting(&self, message: &ClientMessage) {
        if let ClientMessage::Hello { software, protocol_version, .. } = message {
            let software: String = software.chars().take(LOGGED_CHARS).collect();
            debug!("The client at {} is {software:?} with protocol version {protocol_version}.", self.peer);
        }
    }
}
