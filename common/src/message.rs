//! What is said on the wire, in both directions. `docs/PROTOCOL.md` is the normative page.
//!
//! The order of the variants and of their fields is the encoding: append, never reorder, and raise
//! [`crate::limits::PROTOCOL_VERSION`] with each change. `Hello`, `Challenge` and `Refused` stay as they are for
//! ever, so that two versions can tell each other that they differ.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    crypto::PublicKey,
    media::{
        Epoch, Library, PictureHead, SeekRequest, SetQualityRequest, SoundHead, Statistics, StreamId, StreamStart,
        VideoId, WatchRequest,
    },
    name::Name,
};

/// First field of `Hello`: tells a Triptych client from anything else that found the port.
pub const MAGIC: [u8; 8] = *b"TRIPTYCH";

/// A byte string that prints as its length.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blob(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// A person who is online: an entry of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Unique among those online.
    pub name: Name,
    /// What to encrypt with.
    pub public_key: PublicKey,
}

/// From a client to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// Opens the conversation.
    Hello {
        /// Always [`MAGIC`].
        magic: [u8; 8],
        /// The client's [`crate::limits::PROTOCOL_VERSION`].
        protocol_version: u16,
        /// Name and version of the program, for the server's log.
        software: String,
        /// Fresh random bytes; part of what the proof signs.
        nonce: [u8; 32],
    },
    /// Answers `Challenge`. Name and key are raw here so that a bad one can be refused by name.
    Join {
        /// The name wished for.
        name: String,
        /// Public key, DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
        public_key: Blob,
        /// Signature over [`crate::crypto::JoinTranscript`].
        proof: Blob,
    },
    /// An envelope to be broadcast to everybody.
    Say {
        /// Bytes of a [`crate::crypto::Envelope`].
        envelope: Blob,
    },
    /// Asks for the whole dictionary, after a revision was missed.
    AskDirectory,
    /// Starts a stream; the one before it on this connection ends.
    Watch(WatchRequest),
    /// Allows the server to send more.
    Grant {
        /// The stream concerned; a grant for one that has ended means nothing.
        stream: StreamId,
        /// The stretch concerned; a grant for one that is over means nothing.
        epoch: Epoch,
        /// How many more pictures and sound chunks.
        items: u32,
    },
    /// Ends a stream.
    Stop {
        /// The stream concerned.
        stream: StreamId,
    },
    /// Answers `Ping`.
    Pong {
        /// The number of the ping.
        number: u64,
    },
    /// Leaves.
    Quit,
    /// Continues a stream at another position, also after its last picture was sent. Voids unused credit.
    Seek(SeekRequest),
    /// Continues a stream with other frames at the same time of the video. Voids unused credit.
    SetQuality(SetQualityRequest),
    /// Asks for a small picture of a video.
    AskThumbnail {
        /// Which one.
        video: VideoId,
    },
    /// Asks how the video engine does.
    AskStatistics,
}

/// From the server to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// Answers `Hello`: asks for name, key and proof.
    Challenge {
        /// The server's protocol version, the same as the client's.
        protocol_version: u16,
        /// Name and version of the program.
        software: String,
        /// Fresh random bytes; part of what the proof signs.
        nonce: [u8; 32],
    },
    /// The server will not go on; it closes the connection, except for codes with [`RefusalCode::may_retry`].
    Refused {
        /// For programs.
        code: RefusalCode,
        /// For people: what happened and what to do.
        message: String,
        /// A name that is free, when the wished one is not.
        suggestion: Option<Name>,
    },
    /// The client is in.
    Welcome {
        /// The name as it was entered in the dictionary.
        name: Name,
        /// Number of the dictionary's state.
        revision: u64,
        /// The whole dictionary, the newcomer included, by name.
        people: Vec<Person>,
        /// What can be watched.
        library: Library,
    },
    /// Somebody came.
    Joined {
        /// The dictionary's state after it: one more than before.
        revision: u64,
        /// Name and key.
        person: Person,
    },
    /// Somebody went.
    Left {
        /// The dictionary's state after it: one more than before.
        revision: u64,
        /// Who.
        name: Name,
        /// How.
        reason: LeaveReason,
    },
    /// The whole dictionary, as asked for.
    Directory {
        /// Number of its state.
        revision: u64,
        /// By name.
        people: Vec<Person>,
    },
    /// An envelope that somebody said; everybody online gets it, the sender too.
    Relayed {
        /// As it was given to the server.
        envelope: Blob,
    },
    /// The library is another one now.
    LibraryChanged {
        /// All of it.
        library: Library,
    },
    /// An epoch of a stream begins.
    StreamStarted(StreamStart),
    /// One picture, in order, under credit.
    Picture {
        /// What it is.
        head: PictureHead,
        /// JFIF; full-range BT.601.
        jpeg: Blob,
    },
    /// Nothing more of this stretch of the stream follows.
    StreamEnded {
        /// The number from `Watch`.
        stream: StreamId,
        /// 0, or the number from `Seek` or `SetQuality`.
        epoch: Epoch,
        /// Why.
        reason: EndReason,
    },
    /// To be answered with `Pong`, as a sign of life.
    Ping {
        /// Counts up.
        number: u64,
    },
    /// The server closes the connection.
    Goodbye {
        /// For people.
        reason: String,
    },
    /// Some sound, in order, under credit.
    Sound {
        /// What it is.
        head: SoundHead,
        /// See [`crate::limits::SOUND_RATE_HZ`].
        pcm: Blob,
    },
    /// A small picture of a video.
    Thumbnail {
        /// The video from `AskThumbnail`.
        video: VideoId,
        /// What the video was when the picture was made.
        fingerprint: u64,
        /// JFIF; empty when there is no such video or no picture can be made of it.
        jpeg: Blob,
    },
    /// How the video engine does.
    Statistics(Statistics),
}

/// Why the server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalCode {
    /// The bytes are no message of this protocol, or one that does not belong here.
    Malformed,
    /// Another protocol version.
    VersionMismatch,
    /// The name breaks the rules.
    BadName,
    /// The name, or one that looks like it, is online.
    NameInUse,
    /// The key is no RSA key of 2048 to 4096 bits with exponent 65537.
    BadKey,
    /// The proof does not belong to the key and this connection.
    BadProof,
    /// So many are online that nobody else can join.
    Full,
    /// The client did not join in time.
    TooLate,
    /// The same key is online under another name.
    KeyInUse,
}

impl RefusalCode {
    /// Whether the connection stays open for another `Join`.
    pub fn may_retry(self) -> bool {
        matches!(self, Self::BadName | Self::NameInUse)
    }
}

/// How somebody left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaveReason {
    /// By `Quit`.
    Quit,
    /// The connection broke or fell silent.
    Lost,
    /// The server ended it: the client broke the protocol or would not read.
    Expelled,
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// Its last picture was sent.
    Finished,
    /// The viewer stopped it or began another.
    Stopped,
    /// It could not go on, in words for a person.
    Failed(String),
}
