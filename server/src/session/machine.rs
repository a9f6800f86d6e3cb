//! What a client may say when, and what follows from it. Does no I/O and knows no clock.
//!
//! ```text
//! Hello ──► Challenge ──► Join ──► Welcome ──► Say, AskDirectory, Watch, Grant, Stop, Pong … ──► Quit
//!                          ▲  │ name bad or taken
//!                          └──┘
//! ```
//! Everything else is refused once, with the reason, and the connection ends.

use common::{
    crypto::{Envelope, JoinTranscript, PublicKey},
    limits::{MAX_CREDIT, PROTOCOL_VERSION},
    media::{Epoch, SeekRequest, SetQualityRequest, StreamId, VideoId, WatchRequest},
    message::{ClientMessage, MAGIC, Person, RefusalCode},
    name::Name,
};

/// What ties a proof to one connection; all zero on a plaintext link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkBinding {
    /// TLS exporter of the connection.
    pub channel_binding: [u8; 32],
    /// SHA-256 of the server's certificate.
    pub certificate_hash: [u8; 32],
}

/// The state of one session.
pub struct Machine {
    binding: LinkBinding,
    server_nonce: [u8; 32],
    state: State,
}

enum State {
    AwaitingHello,
    AwaitingJoin { client_nonce: [u8; 32] },
    Online { person: Person, last_stream: Option<(StreamId, Epoch)> },
}

/// What is to be done about a message.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Nothing but to note the sign of life.
    Nothing,
    /// Ask for name, key and proof.
    Challenge,
    /// The proof holds: try to enter this person, then call [`Machine::entered`].
    Enter(Person),
    /// Give this envelope to everybody.
    Relay(Envelope),
    /// Send the whole dictionary.
    SendDirectory,
    /// Start a stream in place of any other.
    Watch(WatchRequest),
    /// Add to the credit of a stretch of a stream, if it is the current one.
    Grant {
        /// Number of the stream.
        stream: StreamId,
        /// Number of the stretch.
        epoch: Epoch,
        /// At most [`MAX_CREDIT`].
        items: u32,
    },
    /// Continue a stream at another position, if it is the current one.
    Seek(SeekRequest),
    /// Continue a stream with other frames, if it is the current one.
    SetQuality(SetQualityRequest),
    /// Send a small picture of a video.
    SendThumbnail(VideoId),
    /// Say how the video engine does.
    SendStatistics,
    /// End a stream, if it is the current one.
    Stop(StreamId),
    /// The client leaves of its own accord.
    Leave,
    /// Refuse; close unless [`RefusalCode::may_retry`].
    Refuse(Refusal),
}

/// A refusal, for `ServerMessage::Refused` and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people.
    pub message: String,
    /// A name that is free.
    pub suggestion: Option<Name>,
}

impl Refusal {
    /// Without a suggestion.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None }
    }
}

impl Machine {
    /// A session that has heard nothing yet. `server_nonce` is random and used once.
    pub fn new(binding: LinkBinding, server_nonce: [u8; 32]) -> Self {
        Self { binding, server_nonce, state: State::AwaitingHello }
    }

    /// The person was entered in the dictionary.
    pub fn entered(&mut self, person: Person) {
        self.state = State::Online { person, last_stream: None };
    }

    /// Who this is, once entered.
    pub fn name(&self) -> Option<&Name> {
        match &self.state {
            State::Online { person, .. } => Some(&person.name),
            _ => None,
        }
    }

    /// Decides what a message means now.
    pub fn on_message(&mut self, message: ClientMessage) -> Action {
        match &mut self.state {
            State::AwaitingHello => match message {
                ClientMessage::Hello { magic, protocol_version, nonce, .. } => {
                    self.on_hello(magic, protocol_version, nonce)
                }
                other => out_of_place(&other, "Hello"),
            },
            State::AwaitingJoin { client_nonce } => match message {
                ClientMessage::Join { name, public_key, proof } => {
                    let client_nonce = *client_nonce;
                    self.on_join(client_nonce, &name, &public_key.0, &proof.0)
                        .map_or_else(Action::Refuse, Action::Enter)
                }
                ClientMessage::Quit => Action::Leave,
                other => out_of_place(&other, "Join"),
            },
            State::Online { person, last_stream } => match message {
                ClientMessage::Say { envelope } => on_say(person, envelope.0),
                ClientMessage::AskDirectory => Action::SendDirectory,
                ClientMessage::Watch(request) => {
                    if last_stream.is_some_and(|(last, _)| request.stream <= last) {
                        let message = format!("stream numbers grow; {} was used already", request.stream.0);
                        return Action::Refuse(Refusal::new(RefusalCode::Malformed, message));
                    }
                    *last_stream = Some((request.stream, Epoch::default()));
                    Action::Watch(request)
                }
                ClientMessage::Grant { stream, epoch, items } => {
                    Action::Grant { stream, epoch, items: items.min(MAX_CREDIT) }
                }
                ClientMessage::Seek(request) => {
                    on_reposition(last_stream, request.stream, request.epoch, Action::Seek(request))
                }
                ClientMessage::SetQuality(request) => {
                    on_reposition(last_stream, request.stream, request.epoch, Action::SetQuality(request))
                }
                ClientMessage::AskThumbnail { video } => Action::SendThumbnail(video),
                ClientMessage::AskStatistics => Action::SendStatistics,
                ClientMessage::Stop { stream } => Action::Stop(stream),
                ClientMessage::Pong { .. } => Action::Nothing,
                ClientMessage::Quit => Action::Leave,
                other @ (ClientMessage::Hello { .. } | ClientMessage::Join { .. }) => {
                    out_of_place(&other, "a message of somebody who has joined")
                }
            },
        }
    }

    fn on_hello(&mut self, magic: [u8; 8], protocol_version: u16, client_nonce: [u8; 32]) -> Action {
        if magic != MAGIC {
            return Action::Refuse(Refusal::new(
                RefusalCode::Malformed,
                "this is a Triptych server, and that was no Triptych client",
            ));
        }
        if protocol_version != PROTOCOL_VERSION {
            let message = format!(
                "the client speaks protocol version {protocol_version}, this server {PROTOCOL_VERSION}; \
                 use a client and a server of the same release"
            );
            return Action::Refuse(Refusal::new(RefusalCode::VersionMismatch, message));
        }
        self.state = State::AwaitingJoin { client_nonce };
        Action::Challenge
    }

    fn on_join(&self, client_nonce: [u8; 32], name: &str, public_key: &[u8], proof: &[u8]) -> Result<Person, Refusal> {
        let refuse = |code, error: &dyn std::fmt::Display| Refusal::new(code, error.to_string());
        let key = PublicKey::from_der(public_key).map_err(|e| refuse(RefusalCode::BadKey, &e))?;
        let transcript = JoinTranscript {
            channel_binding: self.binding.channel_binding,
            certificate_hash: self.binding.certificate_hash,
            client_nonce,
            server_nonce: self.server_nonce,
            name,
            public_key_der: public_key,
        };
        if !key.verify(&transcript.to_bytes(), proof) {
            return Err(refuse(RefusalCode::BadProof, &"the proof does not belong to this key, name and connection"));
        }
        let name = Name::try_from(name.to_owned()).map_err(|e| refuse(RefusalCode::BadName, &e))?;
        Ok(Person { name, public_key: key })
    }
}

fn on_say(sender: &Person, envelope: Vec<u8>) -> Action {
    match Envelope::parse(envelope) {
        Ok(envelope) if envelope.sender == sender.public_key.id() => Action::Relay(envelope),
        Ok(_) => Action::Refuse(Refusal::new(RefusalCode::Malformed, "the envelope names somebody else as its sender")),
        Err(error) => Action::Refuse(Refusal::new(RefusalCode::Malformed, error.to_string())),
    }
}

/// A seek or quality change of a stream that has ended in the meantime is ignored.
fn on_reposition(last: &mut Option<(StreamId, Epoch)>, stream: StreamId, epoch: Epoch, action: Action) -> Action {
    let Some((_, last_epoch)) = last.as_mut().filter(|(last, _)| *last == stream) else { return Action::Nothing };
    if epoch <= *last_epoch {
        let message = format!("epochs grow; {} was used already in stream {}", epoch.0, stream.0);
        return Action::Refuse(Refusal::new(RefusalCode::Malformed, message));
    }
    *last_epoch = epoch;
    action
}

fn out_of_place(message: &ClientMessage, expected: &str) -> Action {
    let kind = match message {
        ClientMessage::Hello { .. } => "Hello",
        ClientMessage::Join { .. } => "Join",
        ClientMessage::Say { .. } => "Say",
        ClientMessage::AskDirectory => "AskDirectory",
        ClientMessage::Watch(_) => "Watch",
        ClientMessage::Grant { .. } => "Grant",
        ClientMessage::Stop { .. } => "Stop",
        ClientMessage::Pong { .. } => "Pong",
        ClientMessage::Quit => "Quit",
        ClientMessage::Seek(_) => "Seek",
        ClientMessage::SetQuality(_) => "SetQuality",
        ClientMessage::AskThumbnail { .. } => "AskThumbnail",
        ClientMessage::AskStatistics => "AskStatistics",
    };
    Action::Refuse(Refusal::new(RefusalCode::Malformed, format!("{kind} came where {expected} was expected")))
}
