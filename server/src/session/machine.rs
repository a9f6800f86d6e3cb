//! Which messages are legal in which state, and what the server does about each. Pure: no I/O, no clock.
//!
//! ```text
//! Hello ──► Challenge ──► Join ──► Welcome ──► Say, AskDirectory, Watch, Grant, Stop, Pong … ──► Quit
//!              ▲            │ name bad or taken
//!              └────────────┘
//! ```
//! Any other message is refused with the reason, and the connection ends.

use std::fmt::Display;

use common::{
    crypto::{Addressed, Envelope, JoinTranscript, KeyError, KeyId, SessionRecord},
    limits::{MAX_CREDIT, MAX_PICTURE_STEP, PROTOCOL_VERSION},
    media::{Epoch, SeekRequest, SetQualityRequest, StreamId, VideoId, WatchRequest},
    message::{Blob, ClientMessage, MAGIC, Person},
    name::Name,
    party::PartyRequest,
};

use super::{
    notices::Refusal,
    proof_checks::{JoinRequest, RenewRequest},
};

/// The longest key that a client may join with, in bytes of DER. One of 4096 bits takes 550.
const MAX_KEY_BYTES: usize = 600;
/// The lengths of a signature by a key of 2048 to 4096 bits.
const PROOF_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// What ties a proof to one connection; all zero on a plaintext connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionBinding {
    /// TLS exporter of the connection (RFC 8446 §7.5).
    pub channel_binding: [u8; 32],
    /// SHA-256 of the server's certificate in DER.
    pub certificate_hash: [u8; 32],
}

/// The state of one session.
pub struct Machine {
    binding: ConnectionBinding,
    state: State,
}

enum State {
    AwaitingHello,
    /// `server_nonce` is there from the challenge until a `Join` was answered with it.
    AwaitingJoin {
        client_nonce: [u8; 32],
        server_nonce: Option<[u8; 32]>,
    },
    Online {
        person: Person,
        last_stream: Option<(StreamId, Epoch)>,
    },
}

/// What the session does about a message.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Nothing; any message also shows that the client is alive.
    Nothing,
    /// Measure the time since the ping with this number.
    Ponged {
        /// The number of the ping.
        number: u64,
    },
    /// Start, join or leave a party, or act in it.
    AskParty(PartyRequest),
    /// Ask for name, key and proof: make a nonce, call [`Machine::challenged`] and send it.
    Challenge,
    /// Verify this, try to enter the person in the dictionary, then call [`Machine::entered`], or after a refusal that may be
    /// retried [`Machine::challenged`] with another nonce.
    Verify(JoinRequest),
    /// Send this envelope to every client.
    Relay(Envelope),
    /// Verify this, then call [`Machine::renewed`] and tell everyone.
    Renew(RenewRequest),
    /// Send this envelope to the client with this key.
    Hand(KeyId, Envelope),
    /// Send the whole dictionary.
    SendDirectory,
    /// Start a stream; a running one ends.
    Watch(WatchRequest),
    /// Add to the credit, if stream and epoch are the current ones.
    Grant {
        /// The stream that the credit is for.
        stream: StreamId,
        /// The epoch that the credit is for.
        epoch: Epoch,
        /// Pictures and sound chunks, at most [`MAX_CREDIT`].
        items: u32,
    },
    /// Continue a stream at another position, if it is the current one.
    Seek(SeekRequest),
    /// Continue a stream with other frames, if it is the current one.
    SetQuality(SetQualityRequest),
    /// Send the thumbnail of a video.
    SendThumbnail(VideoId),
    /// Send the previews of a video from now on, or none.
    SendPreviews(Option<VideoId>),
    /// Send the counters of the frame store.
    SendStatistics,
    /// Let others know what the client watches, or do not.
    ShowWatching(bool),
    /// Send an echo ahead of everything else.
    SendEcho {
        /// The number of the probe.
        number: u64,
    },
    /// End a stream, if it is the current one.
    Stop(StreamId),
    /// The client leaves of its own accord.
    Leave,
    /// Refuse; close unless [`common::message::RefusalCode::may_retry`], else challenge anew.
    Refuse(Refusal),
}

impl Machine {
    /// The state before the first message.
    pub fn new(binding: ConnectionBinding) -> Self {
        Self { binding, state: State::AwaitingHello }
    }

    /// Notes the nonce of the challenge that is being sent. It must be random and new: each is good for one `Join`.
    pub fn challenged(&mut self, nonce: [u8; 32]) {
        if let State::AwaitingJoin { server_nonce, .. } = &mut self.state {
            *server_nonce = Some(nonce);
        }
    }

    /// Notes that the person was entered in the dictionary.
    pub fn entered(&mut self, person: Person) {
        self.state = State::Online { person, last_stream: None };
    }

    /// Notes that the client has a new session key.
    pub fn renewed(&mut self, session: SessionRecord) {
        if let State::Online { person, .. } = &mut self.state {
            person.session = session;
        }
    }

    /// The client's name, once it was entered.
    pub fn name(&self) -> Option<&Name> {
        match &self.state {
            State::Online { person, .. } => Some(&person.name),
            _ => None,
        }
    }

    /// Decides what to do about a message in the current state.
    pub fn on_message(&mut self, message: ClientMessage) -> Action {
        match &mut self.state {
            State::AwaitingHello => match message {
                ClientMessage::Hello { magic, protocol_version, nonce, .. } => {
                    self.on_hello(magic, protocol_version, nonce)
                }
                other => out_of_place(&other, "Hello"),
            },
            State::AwaitingJoin { client_nonce, server_nonce } => match message {
                ClientMessage::Join { name, public_key, proof, session } => {
                    let Some(server_nonce) = server_nonce.take() else {
                        return refuse_fault("Join came where Challenge had to be awaited");
                    };
                    on_join(&self.binding, *client_nonce, server_nonce, name, public_key, proof, &session)
                        .map_or_else(Action::Refuse, Action::Verify)
                }
                ClientMessage::Quit => Action::Leave,
                other => out_of_place(&other, "Join"),
            },
            State::Online { person, last_stream } => match message {
                ClientMessage::Say { envelope } => on_say(person, envelope.0),
                ClientMessage::Renew { session } => on_renew(&self.binding, person, &session),
                ClientMessage::Hand { to, envelope } => on_hand(person, to, envelope.0),
                ClientMessage::AskDirectory => Action::SendDirectory,
                ClientMessage::Watch(WatchRequest { delivery, .. })
                | ClientMessage::SetQuality(SetQualityRequest { delivery, .. })
                    if !delivery.is_valid() =>
                {
                    refuse_fault(format!(
                        "one of 1 to {MAX_PICTURE_STEP} pictures can be delivered, and not one of {}",
                        delivery.picture_step
                    ))
                }
                ClientMessage::Watch(request) => {
                    if last_stream.is_some_and(|(last, _)| request.stream <= last) {
                        return refuse_fault(format!("stream numbers must grow, and {} is not new", request.stream.0));
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
                ClientMessage::AskPreviews { video } => Action::SendPreviews(video),
                ClientMessage::AskStatistics => Action::SendStatistics,
                ClientMessage::Stop { stream } => Action::Stop(stream),
                ClientMessage::Pong { number } => Action::Ponged { number },
                ClientMessage::Probe { number } => Action::SendEcho { number },
                ClientMessage::ShowWatching { is_shown } => Action::ShowWatching(is_shown),
                ClientMessage::Party(request) => Action::AskParty(request),
                ClientMessage::Quit => Action::Leave,
                other @ (ClientMessage::Hello { .. } | ClientMessage::Join { .. }) => {
                    out_of_place(&other, "a message of a client that has joined")
                }
            },
        }
    }

    fn on_hello(&mut self, magic: [u8; 8], protocol_version: u16, client_nonce: [u8; 32]) -> Action {
        if magic != MAGIC {
            return Action::Refuse(Refusal::not_a_client());
        }
        if protocol_version != PROTOCOL_VERSION {
            return Action::Refuse(Refusal::version_mismatch(protocol_version));
        }
        self.state = State::AwaitingJoin { client_nonce, server_nonce: None };
        Action::Challenge
    }
}

/// Looks at everything that costs nothing. The rest, the signature above all, is left to [`JoinRequest`].
fn on_join(
    binding: &ConnectionBinding,
    client_nonce: [u8; 32],
    server_nonce: [u8; 32],
    name: String,
    public_key: Blob,
    proof: Blob,
    session: &Blob,
) -> Result<JoinRequest, Refusal> {
    let transcript = JoinTranscript {
        channel_binding: binding.channel_binding,
        certificate_hash: binding.certificate_hash,
        client_nonce,
        server_nonce,
        name: &name,
        public_key_der: &public_key.0,
    }
    .to_bytes();
    let name = Name::try_from(name).map_err(|error| Refusal::bad_name(&error))?;
    if public_key.0.len() > MAX_KEY_BYTES {
        return Err(Refusal::bad_key(&KeyError::NotRsa));
    }
    if !PROOF_BYTES.contains(&proof.0.len()) {
        return Err(Refusal::bad_proof());
    }
    let session = SessionRecord::parse(&session.0).map_err(Refusal::protocol_fault)?;
    let certificate_hash = binding.certificate_hash;
    Ok(JoinRequest { name, public_key_der: public_key, transcript: Blob(transcript), proof, session, certificate_hash })
}

/// Looks at everything that costs nothing, as for `Join`.
fn on_renew(binding: &ConnectionBinding, person: &Person, session: &Blob) -> Action {
    match SessionRecord::parse(&session.0) {
        Ok(session) if session.replaces(&person.session) => Action::Renew(RenewRequest {
            name: person.name.clone(),
            public_key: person.public_key.clone(),
            session,
            certificate_hash: binding.certificate_hash,
        }),
        Ok(_) => refuse_fault("the session record is not later than the one before, or of another key"),
        Err(error) => refuse_fault(error),
    }
}

fn on_say(sender: &Person, envelope: Vec<u8>) -> Action {
    match Envelope::parse(envelope) {
        Ok(envelope) if envelope.sender == sender.public_key.id() => Action::Relay(envelope),
        Ok(_) => refuse_fault("the envelope names another client as its sender"),
        Err(error) => refuse_fault(error),
    }
}

fn on_hand(sender: &Person, to: KeyId, envelope: Vec<u8>) -> Action {
    match on_say(sender, envelope) {
        Action::Relay(envelope) => match &envelope.addressed {
            Addressed::Letter { slot, .. } if slot.recipient == to => Action::Hand(to, envelope),
            _ => refuse_fault("what is to be handed on is no letter to that client"),
        },
        refused => refused,
    }
}

/// A seek or quality change of a stream that has ended in the meantime is ignored.
fn on_reposition(last: &mut Option<(StreamId, Epoch)>, stream: StreamId, epoch: Epoch, action: Action) -> Action {
    let Some((_, last_epoch)) = last.as_mut().filter(|(last, _)| *last == stream) else { return Action::Nothing };
    if epoch <= *last_epoch {
        return refuse_fault(format!("epochs must grow, and {} is not new in stream {}", epoch.0, stream.0));
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
        ClientMessage::Renew { .. } => "Renew",
        ClientMessage::Hand { .. } => "Hand",
        ClientMessage::Probe { .. } => "Probe",
        ClientMessage::ShowWatching { .. } => "ShowWatching",
        ClientMessage::Party(_) => "Party",
        ClientMessage::AskPreviews { .. } => "AskPreviews",
    };
    refuse_fault(format!("{kind} came where {expected} was expected"))
}

fn refuse_fault(fault: impl Display) -> Action {
    Action::Refuse(Refusal::protocol_fault(fault))
}
