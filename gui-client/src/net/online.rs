//! What an established connection brings and takes: each message of the server is passed on, or ends the connection when
//! the server must not send it; each command of the window becomes a message.

use std::{collections::HashSet, time::Instant};

use common::{
    codec::encode_client,
    crypto::{Envelope, KeyId, PublicKey},
    media::VideoId,
    message::{ClientMessage, ServerMessage},
    picture_parts::PictureJoiner,
    validate::Breach,
};

use super::{
    event_queue::EventSender,
    expected_previews::ExpectedPreviews,
    follower::{Followed, Follower},
    frames::Incoming,
    key_inbox::{Arrived, People, Seal},
    log_once::LogOnce,
    outgoing::Outgoing,
    round_trip::RoundTrips,
};
use crate::event::{
    DraftId, NetCommand, NetEvent, Offline, Online, PictureSink, PreviewKey, ReceivedPreview, SealedAs, StreamPart,
    WireEntry, WireOutcome,
};

/// One connection, from `Welcome` to its end.
pub(super) struct Connection<'a> {
    address: &'a str,
    visit: u64,
    events: &'a EventSender,
    sink: &'a dyn PictureSink,
    outgoing: Outgoing,
    own_key: KeyId,
    follower: Follower,
    joiner: PictureJoiner,
    /// The videos whose thumbnails were requested and have not come.
    asked_thumbnails: HashSet<VideoId>,
    /// The video whose previews were requested last, and what of them may still come.
    previews: ExpectedPreviews,
    round_trips: RoundTrips,
    logged: LogOnce,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        address: &'a str,
        visit: u64,
        events: &'a EventSender,
        sink: &'a dyn PictureSink,
        outgoing: Outgoing,
        online: &Online,
    ) -> Self {
        let own_key = online.public_key.id();
        let own = online.people.person(&own_key).expect("a dictionary lists its owner").clone();
        Self {
            address,
            visit,
            events,
            sink,
            outgoing,
            own_key,
            follower: Follower::new(own, online.people.clone()),
            joiner: PictureJoiner::default(),
            asked_thumbnails: HashSet::new(),
            previews: ExpectedPreviews::default(),
            round_trips: RoundTrips::default(),
            logged: LogOnce::default(),
        }
    }

    /// Tells the server that this client leaves.
    pub(super) fn quit(self) {
        self.outgoing.write(encode_client(&ClientMessage::Quit));
    }

    /// Takes in a message, which has been checked by itself.
    ///
    /// # Errors
    /// Why the connection ends.
    pub(super) async fn on_message(&mut self, incoming: Incoming) -> Result<(), Offline> {
        let Incoming { message, frame_bytes } = incoming;
        let kind = message.kind();
        self.follower.expect(&message).map_err(|breach| self.broken_by(&breach))?;
        self.note_part(&message);
        let Some(message) = self.joiner.take(message).map_err(|breach| self.broken_by(&breach))? else { return Ok(()) };
        match message {
            ServerMessage::Picture { head, jpeg } => self.sink.picture(head, jpeg.0),
            ServerMessage::Sound { head, bytes } => self.sink.sound(head, bytes.0),
            ServerMessage::Ping { number } => self.outgoing.write(encode_client(&ClientMessage::Pong { number })),
            ServerMessage::Handed { envelope } => {
                let envelope = Envelope::parse(envelope.0).map_err(|error| self.broken_by(&error.into()))?;
                let dictionary = self.follower.dictionary().clone();
                self.outgoing.open(Arrived { envelope, dictionary, is_handed: true });
            }
            ServerMessage::Relayed { envelope } => {
                let envelope = Envelope::parse(envelope.0).map_err(|error| self.broken_by(&error.into()))?;
                if envelope.sender == self.own_key {
                    // Needs no key. The event follows `Sent` in one queue.
                    let is_own = self.outgoing.echoes.take(&envelope);
                    let outcome = if is_own { WireOutcome::Own } else { WireOutcome::NotYours };
                    let is_handed = false;
                    self.tell(NetEvent::Envelope(WireEntry { envelope, is_handed, outcome })).await;
                } else {
                    let dictionary = self.follower.dictionary().clone();
                    self.outgoing.open(Arrived { envelope, dictionary, is_handed: false });
                }
            }
            ServerMessage::Joined { revision, person } => {
                let followed = self.follower.joined(revision, person);
                self.after_change(followed).await?;
            }
            ServerMessage::Left { revision, name, .. } => {
                let followed = self.follower.left(revision, &name);
                self.after_change(followed).await?;
            }
            ServerMessage::Renewed { revision, name, session } => {
                let followed = self.follower.renewed(revision, &name, session);
                self.after_change(followed).await?;
            }
            ServerMessage::Directory { revision, people_count } => {
                let followed = self.follower.directory(revision, people_count);
                self.after_change(followed).await?;
            }
            ServerMessage::People { people } => {
                let followed = self.follower.page(people);
                self.after_change(followed).await?;
            }
            ServerMessage::Watching { people } => self.tell(NetEvent::Watching(people)).await,
            ServerMessage::LibraryChanged { library } => self.tell(NetEvent::LibraryChanged(library)).await,
            ServerMessage::StreamStarted(start) => self.tell(NetEvent::StreamStarted(start)).await,
            ServerMessage::StreamEnded { stream, epoch, reason } => {
                self.tell(NetEvent::StreamEnded { stream, epoch, reason }).await;
            }
            ServerMessage::Thumbnail { video, fingerprint, jpeg } => {
                if self.asked_thumbnails.remove(&video) {
                    self.tell(NetEvent::Thumbnail { video, fingerprint, jpeg }).await;
                } else {
                    self.ignore(kind, frame_bytes);
                }
            }
            ServerMessage::Party(party) => self.tell(NetEvent::Party(party)).await,
            ServerMessage::PartyOver { party } => self.tell(NetEvent::PartyOver(party)).await,
            ServerMessage::Echo { number, server_nanos } => {
                match self.round_trips.echo(number, server_nanos, Instant::now()) {
                    Some(round_trip) => self.tell(NetEvent::RoundTrip(round_trip)).await,
                    None => self.ignore(kind, frame_bytes),
                }
            }
            ServerMessage::Previews { video, fingerprint, count } => {
                if !self.previews.begin(video, fingerprint, count) && !self.previews.may_be_late() {
                    self.ignore(kind, frame_bytes);
                }
            }
            ServerMessage::Preview { video, fingerprint, pts_nanos, jpeg } => {
                if self.previews.take(video, fingerprint) {
                    let key = PreviewKey { video, fingerprint, pts_nanos };
                    self.tell(NetEvent::Preview(ReceivedPreview { key, jpeg })).await;
                } else if !self.previews.may_be_late() {
                    self.ignore(kind, frame_bytes);
                }
            }
            ServerMessage::Goodbye { reason } => return Err(Offline::Goodbye(reason)),
            ServerMessage::Refused { code, message, suggestion } => {
                return Err(Offline::Refused { code, message, suggestion });
            }
            ServerMessage::Challenge { .. }
            | ServerMessage::Welcome { .. }
            | ServerMessage::PicturePart { .. }
            | ServerMessage::Statistics(_) => self.ignore(kind, frame_bytes),
        }
        Ok(())
    }

    /// Has the player measure the link.
    fn note_part(&self, message: &ServerMessage) {
        let part = match message {
            ServerMessage::Picture { head, jpeg } => StreamPart {
                stream: head.stream,
                epoch: head.epoch,
                bytes: jpeg.0.len(),
                is_first: true,
                picture_bytes: usize::try_from(head.jpeg_bytes).ok(),
            },
            ServerMessage::PicturePart { stream, epoch, bytes, .. } => StreamPart {
                stream: *stream,
                epoch: *epoch,
                bytes: bytes.0.len(),
                is_first: false,
                picture_bytes: None,
            },
            ServerMessage::Sound { head, bytes } => StreamPart {
                stream: head.stream,
                epoch: head.epoch,
                bytes: bytes.0.len(),
                is_first: true,
                picture_bytes: None,
            },
            _ => return,
        };
        self.sink.part(part);
    }

    /// Carries out a command that needs the connection.
    pub(super) async fn on_command(&mut self, command: NetCommand) {
        let message = match command {
            NetCommand::Connect { .. }
            | NetCommand::ConnectFound { .. }
            | NetCommand::ConnectTrusting { .. }
            | NetCommand::ConnectRepairing { .. }
            | NetCommand::ForgetServer { .. }
            | NetCommand::Pin(_)
            | NetCommand::Identity { .. }
            | NetCommand::Disconnect => return,
            NetCommand::Send { draft, recipients, text, written_unix_millis } => {
                return self.seal(draft, recipients, (text, written_unix_millis), None).await;
            }
            NetCommand::SendAgain { draft, recipients, text, written_unix_millis, sealed } => {
                return self.seal(draft, recipients, (text, written_unix_millis), Some(sealed)).await;
            }
            NetCommand::Confirm { to, message_id } => {
                return self.outgoing.confirm(to, message_id, self.follower.dictionary().clone());
            }
            NetCommand::Watch(request) => ClientMessage::Watch(request),
            NetCommand::Grant { stream, epoch, items } => ClientMessage::Grant { stream, epoch, items },
            NetCommand::Seek(request) => ClientMessage::Seek(request),
            NetCommand::SetQuality(request) => ClientMessage::SetQuality(request),
            NetCommand::AskPreviews(video) => {
                self.previews = ExpectedPreviews::asked(video);
                ClientMessage::AskPreviews { video }
            }
            NetCommand::AskThumbnail { video } => {
                self.asked_thumbnails.insert(video);
                ClientMessage::AskThumbnail { video }
            }
            NetCommand::Stop { stream } => ClientMessage::Stop { stream },
            NetCommand::ShowWatching(is_shown) => ClientMessage::ShowWatching { is_shown },
            NetCommand::Party(request) => ClientMessage::Party(request),
            NetCommand::Probe => ClientMessage::Probe { number: self.round_trips.probe(Instant::now()) },
        };
        self.outgoing.write(encode_client(&message));
    }

    /// Has a text sealed that was written at a time, in milliseconds since 1970-01-01 UTC.
    async fn seal(
        &self,
        draft: DraftId,
        recipients: Vec<PublicKey>,
        (text, written_unix_millis): (String, u64),
        again: Option<Box<SealedAs>>,
    ) {
        if !self.outgoing.seal(Seal { draft, recipients, text, written_unix_millis, people: self.people(), again }) {
            let reason = "Not sent: too many messages are waiting to be encrypted.".to_owned();
            self.tell(NetEvent::SendFailed { draft, reason }).await;
        }
    }

    /// The end of the connection with a server that does not keep to the protocol.
    pub(super) fn broken_by(&self, breach: &Breach) -> Offline {
        Offline::BrokeProtocol {
            what: format!("The server at {} sent what the protocol does not allow: {breach}.", self.address),
            remedy:
                "Install the same release of Triptych on both computers. If that does not help, tell the person who \
                     runs the server."
                    .to_owned(),
        }
    }

    fn people(&self) -> People {
        People { dictionary: self.follower.dictionary().clone(), departures: self.follower.departures() }
    }

    async fn after_change(&self, followed: Result<Followed, Breach>) -> Result<(), Offline> {
        match followed {
            Ok(Followed::Unchanged) => {}
            Ok(Followed::Changed) => {
                self.outgoing.note_people(self.people());
                self.tell(NetEvent::Dictionary(self.follower.dictionary().clone())).await;
            }
            Ok(Followed::Gap) => self.outgoing.write(encode_client(&ClientMessage::AskDirectory)),
            Err(breach) => return Err(self.broken_by(&breach)),
        }
        Ok(())
    }

    /// Notes a message that was not asked for and has no place now.
    fn ignore(&mut self, kind: &'static str, frame_bytes: usize) {
        if self.logged.is_first(kind) {
            tracing::warn!(kind, frame_bytes, "ignored a message that was not asked for; further ones are not logged");
        }
    }

    async fn tell(&self, event: NetEvent) {
        self.events.tell(self.visit, event).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use common::media::{PictureHead, SoundHead, Statistics};

    use super::*;
    use crate::net::{
        echoes::Echoes, event_queue::event_queue, key_inbox::inbox, outgoing::FrameSender, test_online::ada_alone,
    };

    struct NoPictures;

    impl PictureSink for NoPictures {
        fn picture(&self, _: PictureHead, _: Vec<u8>) {}

        fn sound(&self, _: SoundHead, _: Vec<u8>) {}
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_was_not_asked_for_is_logged_once_by_kind_and_size_and_not_by_its_content() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);

        let online = ada_alone();
        let (events, _window) = event_queue(Arc::new(|_| {}));
        let ((keys, _jobs), (frames, _sealed, _queued, _failures)) = (inbox(), FrameSender::new());
        let outgoing = Outgoing { keys, frames, echoes: Echoes::default() };
        let mut connection = Connection::new("lab:7878", 1, &events, &NoPictures, outgoing, &online);
        for number in 0..500 {
            for message in [
                ServerMessage::Challenge { protocol_version: 9, software: format!("secret {number}"), nonce: [0; 32] },
                ServerMessage::Statistics(Statistics::default()),
            ] {
                connection.on_message(Incoming { message, frame_bytes: 4711 }).await.unwrap();
            }
        }
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains("\"Challenge\"") && lines[1].contains("\"Statistics\""), "{log}");
        assert!(log.contains("4711") && !log.contains("secret"), "{log}");
    }
}
