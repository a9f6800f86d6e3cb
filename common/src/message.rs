//! The messages of the wire protocol, in both directions. `docs/PROTOCOL.md` is the normative description.
//!
//! The order of the variants and of their fields is the encoding: append, never reorder, and raise
//! [`crate::limits::PROTOCOL_VERSION`] with each change. `Hello`, `Challenge` and `Refused` never change, so that two
//! different versions can still tell each other that they differ.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    bounded_list,
    crypto::{KeyId, PublicKey, SessionRecord},
    media::{
        Epoch, Library, PictureHead, SeekRequest, SetQualityRequest, SoundHead, Statistics, StreamId, StreamStart,
        VideoId, WatchRequest,
    },
    name::Name,
    party::{Party, PartyId, PartyRequest},
};

/// The first field of `Hello`; distinguishes a Triptych client from any other program that connects to the port.
pub const MAGIC: [u8; 8] = *b"TRIPTYCH";

/// A byte string; its `Debug` form is its length.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blob(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// A person who is online: one entry of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Unique among the people online.
    pub name: Name,
    /// The key to encrypt with for this person.
    pub public_key: PublicKey,
    /// The session key to encrypt with besides. Whether its owner signed the record is for the reader to verify.
    pub session: SessionRecord,
    /// When the server let this person in, by the server's clock, in seconds since 1970-01-01 UTC. Only to be shown.
    pub since_unix_secs: u64,
}

/// What a person watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewing {
    /// The key of the person.
    pub person: KeyId,
    /// The video that is open in the person's player, playing or not. `None`: there is none, or it is not to be known.
    pub video: Option<VideoId>,
    /// The party in which the person watches it. Who is in one lets others know.
    pub party: Option<PartyId>,
}

/// What a server says about itself, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Its name; empty if it has none.
    pub name: String,
    /// Addresses under which other computers may reach it, each as one types it into a client, the likeliest first.
    #[serde(deserialize_with = "bounded_list::addresses")]
    pub addresses: Vec<String>,
}

/// A message from a client to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// Opens the session.
    Hello {
        /// Always [`MAGIC`].
        magic: [u8; 8],
        /// The client's [`crate::limits::PROTOCOL_VERSION`].
        protocol_version: u16,
        /// Name and version of the client program, for the server's log.
        software: String,
        /// Fresh random bytes; part of what the proof signs.
        nonce: [u8; 32],
    },
    /// Answers `Challenge`. Name and key are not parsed yet, so that the server can refuse an invalid one with its own
    /// code.
    Join {
        /// The requested name.
        name: String,
        /// Public key, DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
        public_key: Blob,
        /// Signature over [`crate::crypto::JoinTranscript`].
        proof: Blob,
        /// The bytes of a [`SessionRecord`] for this name, key and server.
        session: Blob,
    },
    /// Has an envelope relayed to every client.
    Say {
        /// The bytes of a [`crate::crypto::Envelope`].
        envelope: Blob,
    },
    /// Requests the whole dictionary, after a gap in its revisions.
    AskDirectory,
    /// Starts a stream and ends the one before it on this connection.
    Watch(WatchRequest),
    /// Adds credit: lets the server send more items.
    Grant {
        /// The stream to add to. Ignored when the stream has ended.
        stream: StreamId,
        /// The epoch to add to. Ignored when a later epoch has begun.
        epoch: Epoch,
        /// The number of further pictures and sound chunks.
        items: u32,
    },
    /// Ends a stream.
    Stop {
        /// The stream to end.
        stream: StreamId,
    },
    /// Answers `Ping`.
    Pong {
        /// The number from `Ping`.
        number: u64,
    },
    /// Leaves the server.
    Quit,
    /// Continues a stream at another position, also after its last picture was sent. Voids unused credit.
    Seek(SeekRequest),
    /// Continues a stream with other frames at the same time of the video. Voids unused credit.
    SetQuality(SetQualityRequest),
    /// Requests a thumbnail.
    AskThumbnail {
        /// The video to take it from.
        video: VideoId,
    },
    /// Requests the figures of the video engine. For benches and tests.
    AskStatistics,
    /// Replaces this client's session record by a later one.
    Renew {
        /// The bytes of a [`SessionRecord`].
        session: Blob,
    },
    /// Has an envelope forwarded to one client only. When that client is not online, nothing happens.
    Hand {
        /// The key of the client that is to get it, which is the recipient of the envelope.
        to: KeyId,
        /// The bytes of a [`crate::crypto::Envelope`] with one recipient.
        envelope: Blob,
    },
    /// Asks for an `Echo`, by which the client measures the round trip. While an echo waits to be sent, the one to a later probe
    /// replaces it.
    Probe {
        /// Any number.
        number: u64,
    },
    /// Says whether others are told what this client watches. Until it is sent, they are not.
    ShowWatching {
        /// Whether they are.
        is_shown: bool,
    },
    /// Watches together with others.
    Party(PartyRequest),
    /// Requests the previews of a video, and ends the request before it.
    AskPreviews {
        /// The video; `None` if no further previews are wanted.
        video: Option<VideoId>,
    },
}

/// A message from the server to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// Answers `Hello`, and follows a refusal of a name: requests name, key and proof.
    Challenge {
        /// The server's protocol version; equal to the client's.
        protocol_version: u16,
        /// Name and version of the server program, for the client's log.
        software: String,
        /// Fresh random bytes; part of what the proof signs.
        nonce: [u8; 32],
    },
    /// Refuses the client. The connection ends, except after codes with [`RefusalCode::may_retry`]: after those another
    /// `Challenge` follows, or a refusal that ends it.
    Refused {
        /// The reason, for programs.
        code: RefusalCode,
        /// What happened and what to do, for people.
        message: String,
        /// A free name, when the requested one is in use.
        suggestion: Option<Name>,
    },
    /// Admits the client.
    Welcome {
        /// The name as entered in the dictionary.
        name: Name,
        /// The revision of the dictionary, with the new client in it.
        revision: u64,
        /// The number of people in the dictionary. They follow at once, in pages; see [`ServerMessage::People`].
        people_count: u32,
        /// What the server says about itself.
        server: ServerInfo,
        /// The videos to watch.
        library: Library,
    },
    /// A person came online.
    Joined {
        /// The revision of the dictionary after the change: the one before plus one.
        revision: u64,
        /// The new entry of the dictionary.
        person: Person,
    },
    /// A person went offline.
    Left {
        /// The revision of the dictionary after the change: the one before plus one.
        revision: u64,
        /// The removed entry of the dictionary.
        name: Name,
        /// Why the session ended.
        reason: LeaveReason,
    },
    /// The whole dictionary, as requested by `AskDirectory`.
    Directory {
        /// The revision of the dictionary.
        revision: u64,
        /// The number of people in the dictionary. They follow at once, in pages; see [`ServerMessage::People`].
        people_count: u32,
    },
    /// An envelope that a client sent with `Say`. It goes to every client, the sender included.
    Relayed {
        /// The bytes as the sender gave them.
        envelope: Blob,
    },
    /// The library changed.
    LibraryChanged {
        /// The whole new library.
        library: Library,
    },
    /// An epoch of a stream begins.
    StreamStarted(StreamStart),
    /// One picture, in stream order, paid for with one item of credit: its head and its first part. The others follow as
    /// [`ServerMessage::PicturePart`].
    Picture {
        /// Where the picture belongs.
        head: PictureHead,
        /// The beginning of the JFIF file (ITU-T T.871), full-range BT.601: at most
        /// [`crate::limits::MAX_PART_BYTES`].
        jpeg: Blob,
    },
    /// An epoch of a stream ended; no more of its items follow.
    StreamEnded {
        /// The number from `Watch`.
        stream: StreamId,
        /// 0 after `Watch`, else the number from `Seek` or `SetQuality`.
        epoch: Epoch,
        /// Why it ended.
        reason: EndReason,
    },
    /// Checks that the client is alive; to be answered with `Pong`.
    Ping {
        /// Increases with each ping.
        number: u64,
    },
    /// The server closes the connection.
    Goodbye {
        /// Why, for people.
        reason: String,
    },
    /// One sound chunk, in stream order, paid for with one item of credit.
    Sound {
        /// Where the chunk belongs.
        head: SoundHead,
        /// In PCM, 16-bit little-endian samples, see [`crate::limits::SOUND_RATE_HZ`]; in Opus, see [`crate::opus_sound`].
        bytes: Blob,
    },
    /// A thumbnail, as requested by `AskThumbnail`.
    Thumbnail {
        /// The video from `AskThumbnail`.
        video: VideoId,
        /// The `VideoInfo::fingerprint` of the video that the thumbnail was made from.
        fingerprint: u64,
        /// The JFIF file; empty when there is no such video or it has no decodable picture.
        jpeg: Blob,
    },
    /// The figures of the video engine, as requested by `AskStatistics`.
    Statistics(Statistics),
    /// A person has a new session key. It goes to every client, its owner included.
    Renewed {
        /// The revision of the dictionary after the change: the one before plus one.
        revision: u64,
        /// Whose session key it is.
        name: Name,
        /// The new record.
        session: SessionRecord,
    },
    /// An envelope that a client sent to this one only, with `Hand`.
    Handed {
        /// The bytes as the sender gave them.
        envelope: Blob,
    },
    /// A page of the dictionary that `Welcome` or `Directory` announced: at least one person, in at most
    /// [`crate::limits::MAX_PAGE_BYTES`]. The pages together hold everyone, ordered by name; until the last of them only
    /// `Ping` comes in between.
    People {
        /// The next people of the dictionary.
        #[serde(deserialize_with = "bounded_list::people")]
        people: Vec<Person>,
    },
    /// The next part of the picture that is being sent. Between the parts of a picture comes neither another picture nor
    /// sound of its epoch. A new epoch abandons a picture of which parts are missing.
    PicturePart {
        /// The stream of the picture.
        stream: StreamId,
        /// The epoch of the picture.
        epoch: Epoch,
        /// The index of the picture.
        index: u32,
        /// The next bytes of the JFIF file: at least one, and at most [`crate::limits::MAX_PART_BYTES`].
        bytes: Blob,
    },
    /// Answers `Probe`, ahead of everything that waits for the client.
    Echo {
        /// The number from `Probe`.
        number: u64,
        /// When the server read the `Probe`, by its clock; see [`crate::party::Schedule`].
        server_nanos: u64,
    },
    /// What people watch: after the last page of a dictionary of all who let others know, in one or more messages, and then
    /// each change.
    Watching {
        /// Each person once.
        #[serde(deserialize_with = "bounded_list::viewings")]
        people: Vec<Viewing>,
    },
    /// The party of this client: after it has started or joined one, and after each act.
    Party(Party),
    /// Answers a request to join a party that is over.
    PartyOver {
        /// The party.
        party: PartyId,
    },
    /// The previews of a video follow, as requested by `AskPreviews`, each in a [`ServerMessage::Preview`].
    Previews {
        /// The video from `AskPreviews`.
        video: VideoId,
        /// The `VideoInfo::fingerprint` of the video that they are made from; 0 when there is no such video.
        fingerprint: u64,
        /// The most that come: [`crate::limits::MAX_PREVIEWS`], or fewer. 0 when there is no such video.
        count: u32,
    },
    /// A preview: a small picture of a place in a video. They come from coarse to fine, so that the first few show all of the
    /// video.
    Preview {
        /// The video from `AskPreviews`.
        video: VideoId,
        /// As in `Previews`.
        fingerprint: u64,
        /// When it is shown in the triptych of the video.
        pts_nanos: u64,
        /// The JFIF file: at least one byte, and at most [`crate::limits::MAX_PREVIEW_BYTES`].
        jpeg: Blob,
    },
}

impl ServerMessage {
    /// The name of the message in docs/PROTOCOL.md, for the log: the message itself may hold anything.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Challenge { .. } => "Challenge",
            Self::Refused { .. } => "Refused",
            Self::Welcome { .. } => "Welcome",
            Self::Joined { .. } => "Joined",
            Self::Left { .. } => "Left",
            Self::Directory { .. } => "Directory",
            Self::Relayed { .. } => "Relayed",
            Self::LibraryChanged { .. } => "LibraryChanged",
            Self::StreamStarted(_) => "StreamStarted",
            Self::Picture { .. } => "Picture",
            Self::StreamEnded { .. } => "StreamEnded",
            Self::Ping { .. } => "Ping",
            Self::Goodbye { .. } => "Goodbye",
            Self::Sound { .. } => "Sound",
            Self::Thumbnail { .. } => "Thumbnail",
            Self::Statistics(_) => "Statistics",
            Self::Renewed { .. } => "Renewed",
            Self::Handed { .. } => "Handed",
            Self::People { .. } => "People",
            Self::PicturePart { .. } => "PicturePart",
            Self::Echo { .. } => "Echo",
            Self::Watching { .. } => "Watching",
            Self::Party(_) => "Party",
            Self::PartyOver { .. } => "PartyOver",
            Self::Previews { .. } => "Previews",
            Self::Preview { .. } => "Preview",
        }
    }
}

/// Why the server refuses a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalCode {
    /// The bytes are not a message of this protocol, or the message is not valid in the current state.
    Malformed,
    /// The client speaks another protocol version.
    VersionMismatch,
    /// The name breaks the rules of [`Name`].
    BadName,
    /// The name, or a look-alike of it, is online with another key or belongs to one.
    NameInUse,
    /// The key is not an RSA key of 2048 to 4096 bits with exponent 65537.
    BadKey,
    /// The proof does not match the key and this connection.
    BadProof,
    /// As many people are online as the server lets in.
    Full,
    /// The client took longer than [`crate::limits::HANDSHAKE_DEADLINE`] or [`crate::limits::LOGIN_DEADLINE`], or lost its
    /// place to another before it had joined.
    TooLate,
    /// The same key is online, under this name or another. Under this name, it may be a connection of the same client that
    /// the server has not noticed to be lost.
    KeyInUse,
    /// Too many connections, in all or from one address, or too many `Join`s, on one connection or from one address.
    TooMany,
}

impl RefusalCode {
    /// Whether the connection stays open for another `Join`.
    pub fn may_retry(self) -> bool {
        matches!(self, Self::BadName | Self::NameInUse)
    }
}

/// Why a person went offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaveReason {
    /// The client sent `Quit`.
    Quit,
    /// The connection broke or timed out.
    Lost,
    /// The server ended the session: the client broke the protocol or did not read what was sent to it.
    Expelled,
}

/// Why an epoch of a stream ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// The last item of the stream was sent.
    Finished,
    /// The viewer stopped the stream or started another.
    Stopped,
    /// The stream cannot continue; the text says why, for people.
    Failed(String),
}
