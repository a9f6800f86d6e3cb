//! The plain data that network, player, state and window exchange. It depends on neither egui nor tokio.

pub mod discovery;
mod party;
mod repair;
mod small_picture;
mod speed;
mod stream;

use std::sync::Arc;

use common::{
    crypto::{Envelope, KeyId, MessageId, PublicKey, SessionId, TextNumber},
    media::{Epoch, Library, SeekRequest, SetQualityRequest, StreamId, StreamStart, VideoId, WatchRequest},
    message::{Blob, EndReason, RefusalCode, ServerInfo, Viewing},
    name::Name,
    party::{Party, PartyId, PartyRequest},
};

use zeroize::Zeroizing;

use crate::{
    dictionary::Dictionary,
    pins::{PinChange, Pins},
};

pub use self::party::{Cue, RoundTrip};
pub use self::repair::{FileRepair, OTHER_WINDOW_REMEDY, other_window};
pub use self::small_picture::{PreviewKey, ReceivedPreview, SmallPicture, ThumbnailKey};
pub use self::speed::Speed;
pub use self::stream::{Hold, LadderSettings, PictureSink, PlaybackStatus, SEEK_PATIENCE, StreamPart};

/// Identifies an outgoing message within this client, before it is sealed and has a [`MessageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DraftId(pub u64);

/// A command from the window to the network thread.
#[derive(Clone, PartialEq, Eq)]
pub enum NetCommand {
    /// Connects to a server and joins it; an existing connection ends first.
    Connect {
        /// `host` or `host:port`.
        address: String,
        /// The name to join under, as typed.
        name: String,
    },
    /// Connects to a server that was found on the network. If it is not known at this address, it must have the certificate
    /// that it has announced: what the person was shown is what the client connects to.
    ConnectFound {
        /// From the search.
        address: String,
        /// The name to join under, as typed.
        name: String,
        /// SHA-256 of the certificate that it has announced.
        certificate_hash: [u8; 32],
    },
    /// Connects to a server whose certificate has changed, and takes the new one for its certificate from now on.
    ConnectTrusting {
        /// `host` or `host:port`.
        address: String,
        /// The name to join under, as typed.
        name: String,
        /// The change, as it was shown and accepted.
        change: Box<CertificateChange>,
    },
    /// Connects after a file that cannot be used was repaired, as the person has decided.
    ConnectRepairing {
        /// `host` or `host:port`.
        address: String,
        /// The name to join under, as typed.
        name: String,
        /// From [`Offline::Identity`].
        repair: FileRepair,
    },
    /// Forgets the certificate of a server: the next visit counts as the first.
    ForgetServer {
        /// From [`CertificateChange`].
        address: String,
    },
    /// Exports, imports or renews the key of this name, while there is no connection.
    Identity {
        /// The name in the form, as typed.
        name: String,
        /// What to do.
        request: IdentityRequest,
    },
    /// Has a change of what is remembered of the people on this server, or the last one, written down.
    Pin(PinChange),
    /// Leaves the server, or gives up the attempt to connect.
    Disconnect,
    /// Seals a text for these recipients and sends it to the server, which broadcasts it.
    Send {
        /// Returned in [`NetEvent::Sent`] or [`NetEvent::SendFailed`].
        draft: DraftId,
        /// Keys from the dictionary: that of one person, or of everyone online, the sender included.
        recipients: Vec<PublicKey>,
        /// At most [`common::limits::MAX_TEXT_BYTES`] long.
        text: String,
        /// When the text was written, in milliseconds since 1970-01-01 UTC. The recipient sees that time, however long the
        /// message has waited.
        written_unix_millis: u64,
    },
    /// Seals a message anew that was sealed before, and sends it as the same message: who has it shows it once.
    SendAgain {
        /// Returned in [`NetEvent::Sent`] or [`NetEvent::SendFailed`].
        draft: DraftId,
        /// As in [`NetCommand::Send`].
        recipients: Vec<PublicKey>,
        /// The text, as before.
        text: String,
        /// When it was written, as before.
        written_unix_millis: u64,
        /// How it was sealed before.
        sealed: Box<SealedAs>,
    },
    /// Tells the sender of a letter that it was opened and is shown.
    Confirm {
        /// The key that signed it.
        to: KeyId,
        /// Its id on the wire.
        message_id: MessageId,
    },
    /// Starts a stream; any other one ends.
    Watch(WatchRequest),
    /// Grants credit for more pictures and sound.
    Grant {
        /// The stream concerned.
        stream: StreamId,
        /// The epoch that the credit is for.
        epoch: Epoch,
        /// Number of further pictures and sound chunks, counted together.
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
    /// Measures the round trip to the server; the answer is [`NetEvent::RoundTrip`].
    Probe,
    /// Lets others know what this client watches, or does not.
    ShowWatching(bool),
    /// Watches together with others.
    Party(PartyRequest),
    /// Requests the previews of the video with this id in the library, or none any more.
    AskPreviews(Option<VideoId>),
    /// Requests the thumbnail of a video.
    AskThumbnail {
        /// Id in the library.
        video: VideoId,
    },
}

/// An event from the network thread to the window. Events arrive in the order in which things happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// A connection attempt has begun its next step.
    Progress(Progress),
    /// A connection attempt has reached the server; what secures the connection, or `None` without TLS.
    Reached(Option<TlsFacts>),
    /// The server has accepted this client.
    Online(Online),
    /// The attempt failed, or the connection ended. No event follows until the next [`NetCommand::Connect`].
    Offline(Offline),
    /// What came of [`NetCommand::Identity`]: a sentence, or why not.
    IdentityDone(Result<String, IdentityFailure>),
    /// People have come or gone; this is everyone who is online now.
    Dictionary(Arc<Dictionary>),
    /// These people watch something else than before.
    Watching(Vec<Viewing>),
    /// What was to be remembered of people could not be written down; a sentence for the window.
    PinsFailed(String),
    /// The library has changed; this is all of it.
    LibraryChanged(Library),
    /// A message was sealed and queued for the server.
    Sent {
        /// From [`NetCommand::Send`].
        draft: DraftId,
        /// What it needs to be sent again.
        sealed: SealedAs,
    },
    /// A message to everyone waits until each member has this client's sender key.
    HandingOver {
        /// From [`NetCommand::Send`].
        draft: DraftId,
        /// The members who have it.
        handed: usize,
        /// The members to whom the message goes.
        members: usize,
    },
    /// The people who cannot read messages to everyone for now, because no letter can be sealed to their session keys.
    LeftOut(Vec<KeyId>),
    /// A message was not sent.
    SendFailed {
        /// From [`NetCommand::Send`].
        draft: DraftId,
        /// A sentence for the window.
        reason: String,
    },
    /// A message to this client was opened, and its signature is the sender's. One that its sender sent again has the same id.
    Received(ReceivedMessage),
    /// The owner of this key says that its client has opened these letters.
    Confirmed {
        /// The key that signed the receipt.
        by: KeyId,
        /// Ids of letters, perhaps of none that was sent to this key.
        ids: Vec<MessageId>,
    },
    /// The server relayed an envelope. Every client receives every envelope, including its own.
    Envelope(WireEntry),
    /// This number of envelopes was dropped unopened, because too many were waiting.
    EnvelopesDropped(u64),
    /// An epoch of a stream begins; its pictures and sound go to the [`PictureSink`].
    StreamStarted(StreamStart),
    /// The server sends nothing more of this epoch.
    StreamEnded {
        /// From [`NetCommand::Watch`].
        stream: StreamId,
        /// The epoch that ended.
        epoch: Epoch,
        /// Why it ended, and what may be asked of the stream after that.
        reason: EndReason,
    },
    /// The echo of a [`NetCommand::Probe`].
    RoundTrip(RoundTrip),
    /// The party of this client, and where its video is when.
    Party(Party),
    /// The party that was to be joined is over.
    PartyOver(PartyId),
    /// One of the answers to [`NetCommand::AskPreviews`].
    Preview(ReceivedPreview),
    /// The answer to [`NetCommand::AskThumbnail`].
    Thumbnail {
        /// From [`NetCommand::AskThumbnail`].
        video: VideoId,
        /// Fingerprint of the video when the thumbnail was made.
        fingerprint: u64,
        /// A JPEG; empty when there is no thumbnail.
        jpeg: Blob,
    },
}

/// What is done with the key of a name.
#[derive(Clone, PartialEq, Eq)]
pub enum IdentityRequest {
    /// Write it to a new file, encrypted.
    Export {
        /// Path of the file, as typed.
        file: String,
        /// Encrypts it.
        passphrase: Passphrase,
    },
    /// Take the key in such a file.
    Import {
        /// Path of the file, as typed.
        file: String,
        /// Decrypts it.
        passphrase: Passphrase,
    },
    /// Set it aside; the next connection makes a new one.
    Renew,
}

/// Why a request about a key was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFailure {
    /// What happened, in a sentence.
    pub what: String,
    /// What to do about it, in a sentence.
    pub remedy: String,
}

/// A passphrase. It is wiped when dropped, and cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes what was typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The steps of a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Generating the key pair for a new name; takes seconds.
    MakingKeys,
    /// Connecting to the server.
    Connecting,
    /// Proving possession of the key and joining under the name.
    Joining,
}

/// What the server tells a client that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Online {
    /// The name of this client in the dictionary: the one that was asked for.
    pub name: Name,
    /// The public key of this client.
    pub public_key: PublicKey,
    /// All people online, including this client.
    pub people: Arc<Dictionary>,
    /// What the server says about itself.
    pub server: ServerInfo,
    /// The videos that can be watched.
    pub library: Library,
    /// What secures the connection; `None` without TLS.
    pub tls: Option<TlsFacts>,
    /// Whether the certificate of this server was not known before: it may be that of anyone between here and there.
    pub is_first_visit: bool,
    /// The people whom this client has met on this server before.
    pub pins: Pins,
}

/// What TLS 1.3 gives a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// SHA-256 of the server's certificate in DER.
    pub certificate_hash: [u8; 32],
    /// The group in which both ends agreed on keys, by its name in TLS: `X25519MLKEM768`.
    pub key_exchange: String,
}

/// Why the client is not connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offline {
    /// [`NetCommand::Disconnect`] was carried out.
    Left,
    /// The server was not reached, or the connection was lost. Another attempt may succeed.
    Unreachable {
        /// What happened, in a sentence.
        what: String,
        /// What to do about it, in a sentence.
        remedy: String,
    },
    /// Something answers there, but no Triptych server does.
    NotTriptych {
        /// `host:port`.
        address: String,
        /// What is known besides, as a sentence for the curious: what a library said of it.
        details: String,
    },
    /// The server ended the connection, for the reason given. Another attempt may succeed.
    Goodbye(String),
    /// The server refused this client.
    Refused {
        /// The reason, for the program.
        code: RefusalCode,
        /// The reason as a sentence for the window.
        message: String,
        /// A name that is free, when the wanted one is taken.
        suggestion: Option<Name>,
    },
    /// The server sent something that it must not send, and this client has left it. It is not tried again by itself.
    BrokeProtocol {
        /// What happened, in a sentence that names what was broken.
        what: String,
        /// What to do about it, in a sentence.
        remedy: String,
    },
    /// The server has another certificate than at the first visit. Nothing was sent to it.
    CertificateChanged(CertificateChange),
    /// Another window of this person is online under this name.
    OtherWindow(Name),
    /// The key of this client, or the file of known servers, cannot be used.
    Identity {
        /// What happened, in a sentence.
        what: String,
        /// What to do about it, in a sentence.
        remedy: String,
        /// What can be done about it from the window.
        repair: Option<FileRepair>,
    },
}

/// A server's certificate that is not the remembered one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChange {
    /// `host:port`, under which certificates are remembered.
    pub address: String,
    /// SHA-256 of the remembered certificate.
    pub expected: [u8; 32],
    /// SHA-256 of the certificate that the server sent.
    pub found: [u8; 32],
}

/// A message that was opened and verified.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Name of the sender when the message arrived.
    pub from: Name,
    /// The key that signed it.
    pub sender: KeyId,
    /// Whether it is for everyone, and not for this client alone.
    pub is_to_everyone: bool,
    /// Its id on the wire.
    pub message_id: MessageId,
    /// When it was written, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// Its number among those of its sender to this client, or to everyone.
    pub number: TextNumber,
    /// Texts of its sender that are missing right before it, as far as this client knew when it arrived.
    pub missing_count: u32,
    /// The text of the message.
    pub text: String,
}

/// How a message was sealed: as much as it takes to seal it anew as the same message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAs {
    /// Its id on the wire.
    pub message_id: MessageId,
    /// Its number among those to its recipient, or to everyone.
    pub number: TextNumber,
    /// The session key of its recipient; `None` for a message to everyone.
    pub session: Option<SessionId>,
}

/// An envelope as every client sees it, and the result of trying this client's keys on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEntry {
    /// All of it, as it was on the wire.
    pub envelope: Envelope,
    /// Whether the server handed it to this client only, instead of relaying it to all.
    pub is_handed: bool,
    /// What this client made of it.
    pub outcome: WireOutcome,
}

/// What a client made of an envelope. Reasons that are known before any decryption are told apart; whether RSA, HPKE, Megolm
/// or the signature failed is not, because a difference could be of use to an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireOutcome {
    /// Sent by this client on this connection, and relayed back by the server.
    Own,
    /// It names this client as its sender, but this client has not sent it, or it came back before. No decryption was tried.
    NotYours,
    /// Addressed to this client and opened.
    Opened,
    /// For everyone, and opened with the sender key that its sender had handed to this client.
    OpenedWithSenderKey {
        /// When that was, in milliseconds since 1970-01-01 UTC.
        handed_unix_millis: u64,
    },
    /// A sender key for this client: it opens what its sender says to everyone from now on.
    SenderKey,
    /// A receipt for this client: its sender has opened messages of this client.
    Receipt,
    /// A message to this client, or to everyone, that was opened before: its sender has sent it again.
    SentAgain,
    /// For everyone, under a sender key that this client does not have. No decryption was tried.
    NoSenderKey,
    /// Addressed to this client, but RSA, HPKE, Megolm, the signature or what was inside did not hold. Nothing of it is shown.
    Rejected,
    /// For this client, with a sequence number that was opened before or is too old. No decryption was tried.
    Replay,
    /// For this client, from a key that is not in the dictionary. No decryption was tried.
    UnknownSender,
    /// For this client, from a key that the dictionary lists under a name that its owner has not signed. No decryption was
    /// tried.
    UnsignedName,
    /// Addressed to a session key that this client does not have, or has wiped. No decryption was tried.
    SessionKeyGone,
    /// Addressed to others: this client's key was tried and does not open it.
    Foreign,
    /// Addressed to others and not tried, because too many envelopes arrived at once.
    NotTried,
    /// Addressed to this client and not tried, because too many envelopes of this sender were not sound.
    TooManyFailures,
}

/// How soon the window has to look for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// At once.
    Now,
    /// Within a tenth of a second, unless the window shows the wire: an envelope that is no message for this client.
    Soon,
}

/// Makes the window look for events. It is called from several threads and must not block.
pub type Wake = Arc<dyn Fn(Urgency) + Send + Sync>;

impl std::fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "message {:?} from {} with {} bytes of text", self.message_id, self.from, self.text.len())
    }
}
