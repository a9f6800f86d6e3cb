//! What a client sends over a connection without TLS, for tests and benchmarks.

use crate::{
    crypto::{
        Envelope, Identity, JoinTranscript, SessionRecord, TextNumber,
        letter::{self, Content, Letter},
        test_keys,
    },
    limits::PROTOCOL_VERSION,
    media::{Delivery, Position, Quality, StreamId, VideoId, WatchRequest},
    message::{Blob, ClientMessage, MAGIC},
    name::Name,
};

/// A `Hello` in the version of this protocol.
pub fn hello(nonce: [u8; 32]) -> ClientMessage {
    let software = "test".to_owned();
    ClientMessage::Hello { magic: MAGIC, protocol_version: PROTOCOL_VERSION, software, nonce }
}

/// A `Join` with a valid proof for these nonces, and with the session key of [`test_keys::session_keys`].
pub fn join(name: &str, identity: &Identity, client_nonce: [u8; 32], server_nonce: [u8; 32]) -> ClientMessage {
    join_with(name, identity, &session(name, identity, 1), client_nonce, server_nonce)
}

/// A `Join` with a valid proof for these nonces, and with any session record.
pub fn join_with(
    name: &str,
    identity: &Identity,
    session: &SessionRecord,
    client_nonce: [u8; 32],
    server_nonce: [u8; 32],
) -> ClientMessage {
    let public_key_der = identity.public_key().der();
    let transcript = JoinTranscript {
        channel_binding: [0; 32],
        certificate_hash: [0; 32],
        client_nonce,
        server_nonce,
        name,
        public_key_der,
    };
    ClientMessage::Join {
        name: name.to_owned(),
        public_key: Blob(public_key_der.to_vec()),
        proof: Blob(identity.sign(&transcript.to_bytes())),
        session: Blob(session.as_bytes().to_vec()),
    }
}

/// The record of the session key of [`test_keys::session_keys`]. In place of a text that is no name, which a server
/// refuses before it looks at the record, it holds another name.
pub fn session(name: &str, identity: &Identity, created_unix_millis: u64) -> SessionRecord {
    let name = Name::parse(name).unwrap_or_else(|_| Name::parse("none").expect("a name"));
    let keys = test_keys::session_keys();
    SessionRecord::sign(keys.current().public_key(), created_unix_millis, identity, &name, &[0; 32])
}

/// Asks for a stream, all of it delivered.
pub fn watch_message(stream: StreamId, video: VideoId, quality: Quality, from: Position) -> ClientMessage {
    ClientMessage::Watch(WatchRequest { stream, video, quality, delivery: Delivery::FULL, from })
}

/// A letter to someone who joined with [`join`].
pub fn letter(text: &str, sequence: u64, sender: &Identity, to: &Identity) -> Envelope {
    sealed(Content::Text(TextNumber { count: sequence, number: 1 }, text.to_owned()), sequence, sender, to)
}

/// A letter with any content to someone who joined with [`join`].
pub fn sealed(content: Content, sequence: u64, sender: &Identity, to: &Identity) -> Envelope {
    let letter = Letter { sent_unix_millis: 0, content };
    letter::seal(&letter, sequence, sender, to.public_key(), &session("none", to, 1)).expect("a short content")
}
