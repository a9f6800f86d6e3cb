//! Plain data between the network thread and the window. Neither egui nor tokio is known here.

use std::time::Duration;

use common::{
    crypto::{KeyId, MessageId, PublicKey},
    media::{
        Epoch, Library, PictureHead, SeekRequest, SetQualityRequest, SoundHead, StreamId, StreamStart, VideoId,
        WatchRequest,
    },
    message::{Blob, EndReason, Person, RefusalCode},
    name::Name,
};

/// The window's own number for a message, given before the message is sealed and has its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DraftId(pub u64);

/// Names the thumbnail of a video: its id and the fingerprint of its files, so that changed files get a new thumbnail.
pub type ThumbnailKey = (VideoId, u64);

/// From the window to the network thread.
#[derive(Clone, PartialEq, Eq)]
pub enum NetCommand {
    /// Joins a server; whatever connection there was ends first.
    Connect {
        /// `host` or `host:port`.
        address: String,
        /// The name wished for, as typed.
        name: String,
    },
    /// Says goodbye to the server.
    Disconnect,
    /// Seals a text for these people and has it broadcast.
    Send {
        /// Comes back in [`NetEvent::Sent`] or [`NetEvent::SendFailed`].
        draft: DraftId,
        /// From the local dictionary.
        recipients: Vec<PublicKey>,
        /// At most [`common::limits::MAX_TEXT_BYTES`].
        text: String,
    },
    /// Asks for the whole dictionary, after a revision was missed.
    AskDirectory,
    /// Starts a stream, in place of any other.
    Watch(WatchRequest),
    /// Allows more pictures and sound.
    Grant {
        /// The stream concerned.
        stream: StreamId,
        /// The epoch concerned.
        epoch: Epoch,
        /// How many more pictures and sound chunks.
        items: u32,
    },
    /// Ends a stream.
    Stop {
        /// The stream concerned.
        stream: StreamId,
    },
    /// Continues a stream at another position.
    Seek(SeekRequest),
    /// Continues a stream with other frames at the same time of the video.
    SetQuality(SetQualityRequest),
    /// Asks for a small picture of a video.
    AskThumbnail {
        /// Which one.
        video: VideoId,
    },
}

/// From the network thread to the window, in the order in which things happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// How far a connection attempt is.
    Progress(Progress),
    /// In: the dictionary and the library follow from here.
    Online(Online),
    /// The attempt failed, or the connection ended. Nothing more comes until the next `Connect`.
    Offline(Offline),
    /// Somebody came.
    Joined {
        /// One more than the last, or something was missed.
        revision: u64,
        /// Name and key.
        person: Person,
    },
    /// Somebody went.
    Left {
        /// One more than the last, or something was missed.
        revision: u64,
        /// Who.
        name: Name,
    },
    /// The whole dictionary.
    Directory {
        /// Number of its state.
        revision: u64,
        /// Everybody online, this client included.
        people: Vec<Person>,
    },
    /// The library is another one now.
    LibraryChanged(Library),
    /// A draft was sealed and went out.
    Sent {
        /// From [`NetCommand::Send`].
        draft: DraftId,
        /// What it is called on the wire.
        message_id: MessageId,
    },
    /// A draft did not go out.
    SendFailed {
        /// From [`NetCommand::Send`].
        draft: DraftId,
        /// For a person.
        reason: String,
    },
    /// A message to this client was opened, and its signature is the sender's.
    Received(ReceivedMessage),
    /// An envelope passed by on the wire: every one does, this client's own too.
    Envelope(WireEntry),
    /// An epoch of a stream begins; its pictures and sound go to the [`PictureSink`].
    StreamStarted(StreamStart),
    /// Nothing more of this epoch of the stream comes.
    StreamEnded {
        /// From [`NetCommand::Watch`].
        stream: StreamId,
        /// The epoch that ended.
        epoch: Epoch,
        /// Why.
        reason: EndReason,
    },
    /// A small picture of a video, as asked for.
    Thumbnail {
        /// From [`NetCommand::AskThumbnail`].
        video: VideoId,
        /// What the video was when the picture was made.
        fingerprint: u64,
        /// JFIF; empty when there is none.
        jpeg: Blob,
    },
}

/// The steps of a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Making the key pair for this name, for the first time; takes seconds.
    MakingKeys,
    /// Reaching the server.
    Connecting,
    /// The server answered; name and key are on their way.
    Joining,
}

/// What a client knows when it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Online {
    /// The own name as the server entered it.
    pub name: Name,
    /// The own key.
    pub public_key: PublicKey,
    /// Number of the dictionary's state.
    pub revision: u64,
    /// Everybody online, this client included.
    pub people: Vec<Person>,
    /// What can be watched.
    pub library: Library,
    /// The server's certificate in short form, to be compared with what its console says; none on a plaintext link.
    pub server_fingerprint: Option<String>,
}

/// Why a client is not connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offline {
    /// As asked for by [`NetCommand::Disconnect`].
    Left,
    /// The server was not reached, or the link broke: worth another try.
    Unreachable {
        /// What happened, in a sentence.
        what: String,
        /// What to do about it, in a sentence.
        remedy: String,
    },
    /// The server said goodbye, in its own words: worth another try.
    Goodbye(String),
    /// The server refused.
    Refused {
        /// For the program.
        code: RefusalCode,
        /// For a person.
        message: String,
        /// A name that is free.
        suggestion: Option<Name>,
    },
    /// The server shows another certificate than at the first visit: no button may lead past this.
    CertificateChanged {
        /// What was remembered, in short form.
        expected: String,
        /// What came, in short form.
        found: String,
        /// The file to edit when the change is known to be right.
        known_servers_file: String,
    },
    /// The own key cannot be read, kept or made.
    Identity {
        /// What happened, in a sentence.
        what: String,
        /// What to do about it, in a sentence.
        remedy: String,
    },
}

/// A message as it was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The sender's name at the time it came.
    pub from: Name,
    /// The key that signed it.
    pub sender: KeyId,
    /// Everybody it was sealed for.
    pub recipients: Vec<KeyId>,
    /// What it is called on the wire.
    pub message_id: MessageId,
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// What it says.
    pub text: String,
}

/// An envelope as everybody sees it, and what came of trying the own key on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEntry {
    /// What it is called.
    pub message_id: MessageId,
    /// Whose signature it says to hold.
    pub sender: KeyId,
    /// Whose keys open it.
    pub recipients: Vec<KeyId>,
    /// Size of the envelope.
    pub envelope_bytes: usize,
    /// First bytes of the ciphertext.
    pub ciphertext_start: Vec<u8>,
    /// What came of it.
    pub outcome: WireOutcome,
}

/// What a client made of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireOutcome {
    /// The own one, come back: everybody online has it now.
    Own,
    /// For this client, and opened.
    Opened,
    /// For this client, but not sound: forged, replayed, damaged, or from a stranger. Nothing of it is shown.
    Rejected,
    /// For others: the own key was tried and does not open it.
    Foreign,
    /// For others, and not tried because too many came at once.
    NotTried,
}

/// Why a video shows no new picture although it is neither paused nor at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The server or the network delivers nothing.
    Source,
    /// Pictures have arrived, but this computer has not decoded the next one yet.
    Decoder,
    /// Pictures have arrived, but the last of them cannot be decoded.
    Unreadable,
}

/// How long a seek may take before the window treats it as slow: from then on it shows that it waits for the server, and
/// the next seek is sent without waiting for the picture of this one.
pub const SEEK_PATIENCE: Duration = Duration::from_millis(300);

/// The state of the stream that plays, as the player reports it for each frame of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackStatus {
    /// The stream that plays.
    pub stream: StreamId,
    /// Its current epoch.
    pub epoch: Epoch,
    /// Time in the stream; `None` until the first picture of the epoch is shown.
    pub position_nanos: Option<u64>,
    /// The picture on the screen, which may still be of an earlier epoch; `None` before the first of the stream.
    pub shown: Option<PictureHead>,
    /// Why there is no new picture; `None` while playback runs, is paused or has ended.
    pub hold: Option<Hold>,
    /// Whether every picture was shown, the last one for its full duration.
    pub is_finished: bool,
}

/// Where the network thread puts pictures and sound. Called on that thread, so it must not block; credit bounds how
/// much is on its way.
pub trait PictureSink: Send + Sync {
    /// A picture of a stream arrived.
    fn picture(&self, head: PictureHead, jpeg: Vec<u8>);

    /// Some sound of a stream arrived, as [`common::limits::SOUND_RATE_HZ`] describes it.
    fn sound(&self, head: SoundHead, pcm: Vec<u8>);
}

impl std::fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "message {:?} from {} with {} bytes of text", self.message_id, self.from, self.text.len())
    }
}
