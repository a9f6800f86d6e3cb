//! What a session does once its client is online: it sends pings, serves one message after the other, and makes a client
//! that says too much wait.

use common::{
    codec::encode_server,
    limits::{PING_INTERVAL, SILENCE_LIMIT},
    media::{Epoch, SeekRequest, SetQualityRequest, StreamId, WatchRequest},
    message::{EndReason, ServerMessage},
    party::PartyRequest,
};
use tokio::{
    io::AsyncRead,
    time::{Instant, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Session,
    end::End,
    machine::Action,
    notices::{self, Refusal},
    pings::Pings,
    previews::Previews,
    proof_checks::RenewRequest,
    rates::{preview_bytes, thumbnail_bytes},
    reader::Reader,
    thumbnails::Thumbnails,
};
use crate::{
    hub::{Hub, Membership},
    outbox::Outbox,
    video::stream::{StreamError, Viewer},
};

/// Sends pings, also while the session makes its client wait, and has the hub look after its memory.
pub(super) async fn send_pings(hub: &Hub, outbox: &Outbox, sent: &Pings) -> End {
    let mut pings = interval(PING_INTERVAL);
    let mut number = 0;
    loop {
        pings.tick().await;
        hub.relieve_memory();
        number += 1;
        sent.sent(number, now());
        outbox.push_ping(encode_server(&ServerMessage::Ping { number }));
    }
}

impl Session<'_> {
    /// Serves a client that is online until its session ends.
    pub(super) async fn serve(&mut self, reader: &mut Reader<impl AsyncRead + Unpin>, stop: &CancellationToken) -> End {
        loop {
            // Counted from here, because messages are not read while the client is made to wait.
            let silence_deadline = Instant::now() + SILENCE_LIMIT;
            let message = match reader.next(silence_deadline, stop).await {
                Ok(message) => message,
                Err(error) => return End::Read(error),
            };
            let wait = self.rates.message(now());
            pause_until(wait).await;
            let action = self.machine.on_message(message);
            if let Some(end) = self.act(action).await {
                return end;
            }
        }
    }

    /// Verifies the new session record of this client and tells everyone of it.
    pub(super) async fn renew(&mut self, request: RenewRequest) -> Option<End> {
        // Apart from those who join, so that none of them holds up a member.
        let deadline = Instant::now() + SILENCE_LIMIT;
        match self.services.renewals.run(|| request.verify(), deadline).await {
            Some(Ok(session)) => {
                self.machine.renewed(session.clone());
                self.membership().renew(session);
            }
            Some(Err(refusal)) => return Some(End::Refused(refusal)),
            None => return Some(End::Refused(Refusal::busy())),
        }
        pause_until(self.rates.renewal(now())).await;
        None
    }

    /// Does what a client that is online asks for.
    pub(super) async fn grant(&mut self, action: Action) {
        match action {
            Action::Relay(envelope) => {
                let client_count = self.membership().relay(&envelope).await;
                debug!("Relayed {envelope:?} to {client_count} clients.");
                pause_until(self.rates.envelope(envelope.as_bytes().len(), now())).await;
            }
            Action::Hand(to, envelope) => {
                let is_online = self.membership().hand(to, &envelope).await;
                debug!("Handed {envelope:?} to {to:?}, who is online: {is_online}.");
                pause_until(self.rates.handed(envelope.as_bytes().len(), now())).await;
            }
            Action::SendDirectory => {
                self.outbox.calm().await;
                let bytes = self.services.hub.send_directory(&self.outbox);
                pause_until(self.rates.directory(bytes, now())).await;
            }
            Action::Watch(request) => {
                self.outbox.calm().await;
                self.watch(request).await;
                self.membership().opens(request.video);
                self.show_viewing();
                pause_until(self.rates.request(now())).await;
            }
            Action::Grant { stream, epoch, items } => {
                let is_current = |viewer: &&Viewer| viewer.stream() == stream && viewer.epoch() == epoch;
                if let Some(viewer) = self.viewer.as_ref().filter(is_current) {
                    viewer.grant(items);
                }
            }
            Action::Seek(request) => {
                self.outbox.calm().await;
                self.seek(request).await;
                pause_until(self.rates.request(now())).await;
            }
            Action::SetQuality(request) => {
                self.outbox.calm().await;
                self.set_quality(request).await;
                pause_until(self.rates.request(now())).await;
            }
            Action::SendThumbnail(video) => {
                let (library, outbox) = (&self.services.videos.library, &self.outbox);
                let start = || {
                    let bytes = thumbnail_bytes(&self.services.limits, now());
                    Thumbnails::start(library.clone(), outbox.clone(), bytes)
                };
                self.thumbnails.get_or_insert_with(start).ask(video).await;
            }
            Action::SendPreviews(video) => {
                let (library, outbox) = (&self.services.videos.library, &self.outbox);
                let start = || {
                    let bytes = preview_bytes(&self.services.limits, now());
                    Previews::start(library.clone(), outbox.clone(), bytes)
                };
                self.previews.get_or_insert_with(start).ask(video);
                pause_until(self.rates.request(now())).await;
            }
            Action::SendStatistics => {
                self.outbox.calm().await;
                self.send(&ServerMessage::Statistics(self.services.videos.store.statistics()));
            }
            Action::ShowWatching(is_shown) => {
                self.is_viewing_shown = is_shown;
                self.show_viewing();
                pause_until(self.rates.request(now())).await;
            }
            Action::SendEcho { number } => {
                let server_nanos = self.services.hub.clock_nanos();
                self.outbox.push_echo(encode_server(&ServerMessage::Echo { number, server_nanos }));
                pause_until(self.rates.request(now())).await;
            }
            Action::Ponged { number } => {
                if let Some(round_trip) = self.pings.answered(number, now()) {
                    self.membership().note_round_trip(round_trip);
                }
            }
            Action::AskParty(request) => {
                let is_possible = match request {
                    PartyRequest::Start { video, .. } => self.services.videos.library.video(video).is_some(),
                    _ => true,
                };
                if is_possible {
                    self.membership().ask_party(request);
                }
                let wait = match request {
                    PartyRequest::Act { .. } => self.rates.act(now()),
                    _ => {
                        self.show_viewing();
                        self.rates.request(now())
                    }
                };
                pause_until(wait).await;
            }
            Action::Stop(stream) => {
                self.stop(stream).await;
                self.show_viewing();
            }
            _ => {}
        }
    }

    /// Lets the others know what this client watches now, if they may. Called once for each request, so that a change of
    /// the video does not look like an end.
    fn show_viewing(&self) {
        let video = self.viewer.as_ref().filter(|_| self.is_viewing_shown).map(Viewer::video);
        self.membership().watches(video);
    }

    fn membership(&self) -> &Membership {
        self.membership.as_ref().expect("only a client that has joined is served")
    }

    async fn watch(&mut self, request: WatchRequest) {
        self.stop_viewer().await;
        let stream = request.stream;
        let Some(video) = self.services.videos.library.video(request.video) else {
            let reason = EndReason::Failed(notices::NO_SUCH_VIDEO.to_owned());
            return self.send(&ServerMessage::StreamEnded { stream, epoch: Epoch::default(), reason });
        };
        let name = self.machine.name().expect("only a client that has joined can watch").clone();
        match Viewer::start(request, name, video, self.videos.clone(), self.outbox.clone()) {
            Ok(viewer) => self.viewer = Some(viewer),
            Err(error) => self.send_failed(stream, Epoch::default(), &error),
        }
    }

    async fn seek(&mut self, SeekRequest { stream, epoch, to }: SeekRequest) {
        if let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.stream() == stream) {
            viewer.seek(epoch, to).await;
        }
    }

    async fn set_quality(&mut self, request: SetQualityRequest) {
        let SetQualityRequest { stream, epoch, .. } = request;
        let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.stream() == stream) else { return };
        if let Err(error) = viewer.set_quality(request).await {
            self.send_failed(stream, epoch, &error);
        }
    }

    fn send_failed(&self, stream: StreamId, epoch: Epoch, error: &StreamError) {
        self.send(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Failed(error.to_string()) });
    }

    async fn stop(&mut self, stream: StreamId) {
        if self.viewer.as_ref().is_some_and(|viewer| viewer.stream() == stream) {
            self.stop_viewer().await;
        }
    }

    async fn stop_viewer(&mut self) {
        if let Some(viewer) = self.viewer.take() {
            let (stream, epoch) = (viewer.stream(), viewer.epoch());
            if viewer.stop().await {
                self.send(&ServerMessage::StreamEnded { stream, epoch, reason: EndReason::Stopped });
            }
        }
    }
}

/// Makes a client that asks for too much wait by not reading on; TCP does the rest.
async fn pause_until(resume_at: Option<std::time::Instant>) {
    if let Some(resume_at) = resume_at {
        sleep_until(resume_at.into()).await;
    }
}

/// The time of the runtime, which tests may pause.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
