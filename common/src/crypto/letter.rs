//! Letters: seals a text, a sender key or a receipt for one person, and opens it again. The notation is that of
//! `docs/PROTOCOL.md`, section 8.
//!
//! ```text
//! psk      32 fresh random bytes
//! wrapped  RSAES-OAEP(recipient's RSA key, psk), SHA-256, label "triptych letter v2"
//! enc      HPKE (RFC 9180) in mode_psk to the recipient's session key: X-Wing, HKDF-SHA256, ChaCha20-Poly1305;
//!          psk, psk_id = message id, info = "triptych letter v2" | SHA-256(header up to and including wrapped)
//! σ        RSASSA-PSS(sender's RSA key, transcript(SHA-256(header), kind, time, content))
//! body     HPKE's first seal, aad = header, of kind | time | content | σ | padding
//! ```
//! Opening takes both private keys. The RSA key alone opens nothing once the session key is wiped, and the session key
//! alone opens nothing without the RSA key. The signature covers the recipient (through the header) and lies inside the
//! encryption. So a recipient cannot pass a letter on as if it had been written to another person, and a relay cannot
//! strip the signature.

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing,
};
use rand::{RngExt, rng};
use zeroize::Zeroizing;

use super::{
    CannotOpen, Identity, KeyId, MessageId, PublicKey, SessionId, SessionKey, SessionKeys, SessionRecord,
    envelope::{Addressed, ENCAPSULATION_BYTES, Envelope, LETTER_SUITE, Slot, VERSION},
    reader::Reader,
    sender_key::HANDOVER_BYTES,
    sha256,
    text_number::TextNumber,
    transcript::Transcript,
};
use crate::limits::MAX_TEXT_BYTES;

/// The label of OAEP, the start of HPKE's `info`, and the purpose of the signature.
const PURPOSE: &str = "triptych letter v2";
/// The plaintext is padded to a multiple of this, so that its length reveals little about the length of the text.
const PADDING_BYTES: usize = 256;

/// What is inside a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// What it says.
    pub content: Content,
}

/// What a letter says.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A message of up to [`MAX_TEXT_BYTES`] of UTF-8, and its number among those of the sender to the recipient.
    Text(TextNumber, String),
    /// The key that the sender's next messages to Everyone can be read with, as `sender_key.rs` writes it, and the number that
    /// the next of them has among all that the sender has said to Everyone.
    SenderKey(TextNumber, Zeroizing<Vec<u8>>),
    /// The recipient of these messages has opened them; 1 to [`MAX_RECEIPT_IDS`].
    Receipt(Vec<MessageId>),
}

/// A receipt names at most this many messages.
pub const MAX_RECEIPT_IDS: usize = 64;

/// A message id in a receipt.
const ID_BYTES: usize = 16;

impl Content {
    fn kind(&self) -> u8 {
        match self {
            Self::Text(..) => 0,
            Self::SenderKey(..) => 1,
            Self::Receipt(_) => 2,
        }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Text(number, text) => [&number.to_bytes(), text.as_bytes()].concat(),
            Self::SenderKey(next, key) => [&next.to_bytes(), key.as_slice()].concat(),
            Self::Receipt(ids) => ids.iter().flat_map(|id| id.0).collect(),
        })
    }

    fn read(kind: u8, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        match kind {
            0 => {
                let number = TextNumber::read(&mut reader)?;
                let text = reader.rest();
                let text = (text.len() <= MAX_TEXT_BYTES).then(|| String::from_utf8(text.to_vec()).ok())??;
                Some(Self::Text(number, text))
            }
            1 => {
                let next = TextNumber::read(&mut reader)?;
                let key = reader.rest();
                (key.len() == HANDOVER_BYTES).then(|| Self::SenderKey(next, Zeroizing::new(key.to_vec())))
            }
            2 => {
                let (ids, rest) = bytes.as_chunks::<ID_BYTES>();
                let is_sound = rest.is_empty() && (1..=MAX_RECEIPT_IDS).contains(&ids.len());
                is_sound.then(|| Self::Receipt(ids.iter().map(|id| MessageId(*id)).collect()))
            }
            _ => None,
        }
    }
}

/// Why a letter cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text has this number of bytes, more than [`MAX_TEXT_BYTES`].
    #[error("This message has {0} bytes, more than the limit of {MAX_TEXT_BYTES}. Shorten it or send it in parts.")]
    LongText(usize),
    /// The session record belongs to another RSA key than the recipient's.
    #[error("The recipient's session key belongs to another person, so nothing was sent. Connect again.")]
    ForeignSession,
    /// A receipt names this number of messages: none, or more than [`MAX_RECEIPT_IDS`].
    #[error("A receipt names 1 to {MAX_RECEIPT_IDS} messages, not {0}.")]
    BadReceipt(usize),
    /// The recipient published a session key that X-Wing cannot use.
    #[error("The recipient's program sent a key that cannot be used, so nothing was sent. They can connect again.")]
    BadSessionKey,
}

impl MessageId {
    /// The id of a new message.
    pub fn random() -> Self {
        Self(rng().random())
    }
}

/// Seals `letter` for the owner of `recipient` and of the session key in `session`, a record that was verified.
/// `sequence` must be larger than in the sender's last envelope. The envelope's `message_id` is fresh and random.
///
/// # Errors
/// [`SealError`] when the content is too long, or the session key does not fit.
pub fn seal(
    letter: &Letter,
    sequence: u64,
    sender: &Identity,
    recipient: &PublicKey,
    session: &SessionRecord,
) -> Result<Envelope, SealError> {
    seal_as(letter, MessageId::random(), sequence, sender, recipient, session)
}

/// The same with this message id: of a letter that is sent again, and is the same message for its recipient. Everything else
/// is fresh.
///
/// # Errors
/// As [`seal`].
pub fn seal_as(
    letter: &Letter,
    message_id: MessageId,
    sequence: u64,
    sender: &Identity,
    recipient: &PublicKey,
    session: &SessionRecord,
) -> Result<Envelope, SealError> {
    match &letter.content {
        Content::Text(_, text) if text.len() > MAX_TEXT_BYTES => return Err(SealError::LongText(text.len())),
        Content::Receipt(ids) if !(1..=MAX_RECEIPT_IDS).contains(&ids.len()) => {
            return Err(SealError::BadReceipt(ids.len()));
        }
        _ => {}
    }
    if session.owner() != recipient.id() {
        return Err(SealError::ForeignSession);
    }
    let session_key =
        <XWing as Kem>::PublicKey::from_bytes(session.session_public_key()).map_err(|_| SealError::BadSessionKey)?;
    let psk = Zeroizing::new(rng().random::<[u8; 32]>());
    let wrapped = recipient.wrap(PURPOSE.as_bytes(), psk.as_slice());
    let sender_id = sender.public_key().id();
    let header = write_header(message_id, sequence, sender_id, recipient.id(), session.id(), &wrapped);
    seal_under(header, &psk, &session_key, |header| write_inside(letter, &sender.sign(&to_be_signed(header, letter))))
}

/// Seals what `inside` makes of the complete header. The tests use it to seal what no honest client does.
pub(super) fn seal_under(
    mut header: Vec<u8>,
    psk: &[u8; 32],
    session_key: &<XWing as Kem>::PublicKey,
    inside: impl FnOnce(&[u8]) -> Zeroizing<Vec<u8>>,
) -> Result<Envelope, SealError> {
    let mode = OpModeS::Psk(psk_bundle(psk, &header));
    let (encapsulation, mut context) = hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &mode,
        session_key,
        &info(&header),
        &mut rng(),
    )
    .map_err(|_| SealError::BadSessionKey)?;
    header.extend_from_slice(&encapsulation.to_bytes());
    let body = context.seal(&inside(&header), &header).expect("the first seal of a context, far below its limit");
    header.extend_from_slice(&body);
    Ok(Envelope::parse(header).expect("a letter just written has a valid layout"))
}

/// Opens a letter that is addressed to `identity` and to one of `sessions`, and claims to be from `sender`.
///
/// # Errors
/// [`CannotOpen`], for every cause alike.
pub fn open(
    envelope: &Envelope,
    identity: &Identity,
    sessions: &SessionKeys,
    sender: &PublicKey,
) -> Result<Letter, CannotOpen> {
    let Addressed::Letter { session, .. } = &envelope.addressed else { return Err(CannotOpen) };
    open_with(envelope, identity, sessions.get(*session).ok_or(CannotOpen)?, sender)
}

/// Opens a letter to one session key.
pub(super) fn open_with(
    envelope: &Envelope,
    identity: &Identity,
    session: &SessionKey,
    sender: &PublicKey,
) -> Result<Letter, CannotOpen> {
    let Addressed::Letter { slot, session: addressed } = &envelope.addressed else { return Err(CannotOpen) };
    let is_mine = slot.recipient == identity.public_key().id() && *addressed == session.id();
    if !is_mine || envelope.sender != sender.id() {
        return Err(CannotOpen);
    }
    let psk = unwrap(envelope, slot, identity).ok_or(CannotOpen)?;
    let inside = decrypt(envelope, &psk, session).ok_or(CannotOpen)?;
    let (letter, signature) = read_inside(&inside).ok_or(CannotOpen)?;
    if sender.verify(&to_be_signed(envelope.header(), &letter), signature) { Ok(letter) } else { Err(CannotOpen) }
}

/// Tries to decrypt a letter for another person with the RSA key of `identity`, to demonstrate that it fails.
///
/// # Errors
/// Always [`CannotOpen`], unless RSA is broken. For a letter that is one's own, the RSA key unwraps the secret.
pub fn attempt(envelope: &Envelope, identity: &Identity) -> Result<(), CannotOpen> {
    let Addressed::Letter { slot, .. } = &envelope.addressed else { return Err(CannotOpen) };
    unwrap(envelope, slot, identity).map(|_| ()).ok_or(CannotOpen)
}

/// The first of the two keys: the RSA key gives the secret.
pub(super) fn unwrap(envelope: &Envelope, slot: &Slot, identity: &Identity) -> Option<Zeroizing<[u8; 32]>> {
    let secret = identity.unwrap(PURPOSE.as_bytes(), envelope.wrapped(slot))?;
    secret.as_slice().try_into().ok().map(Zeroizing::new)
}

/// The second of the two keys: the session key, with the secret, gives what is inside.
pub(super) fn decrypt(envelope: &Envelope, psk: &[u8; 32], session: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
    let header = envelope.header();
    let (before, encapsulation) = header.split_at_checked(header.len().checked_sub(ENCAPSULATION_BYTES)?)?;
    let encapsulation = <XWing as Kem>::EncappedKey::from_bytes(encapsulation).ok()?;
    let mode = OpModeR::Psk(psk_bundle(psk, before));
    let key = session.private_key();
    let context =
        hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(&mode, key, &encapsulation, &info(before));
    context.ok()?.open(envelope.body(), header).ok().map(Zeroizing::new)
}

/// The pre-shared key of HPKE; its id is the message id, which follows version and suite.
fn psk_bundle<'a>(psk: &'a [u8; 32], header: &'a [u8]) -> PskBundle<'a> {
    PskBundle::new(psk, &header[2..18]).expect("neither is empty")
}

/// What both sides must agree on before the session key is used.
fn info(header_up_to_wrapped: &[u8]) -> Vec<u8> {
    [PURPOSE.as_bytes(), &sha256(header_up_to_wrapped)].concat()
}

/// The header up to and including the wrapped secret.
pub(super) fn write_header(
    message_id: MessageId,
    sequence: u64,
    sender: KeyId,
    recipient: KeyId,
    session: SessionId,
    wrapped: &[u8],
) -> Vec<u8> {
    let mut header = vec![VERSION, LETTER_SUITE];
    header.extend_from_slice(&message_id.0);
    header.extend_from_slice(&sequence.to_be_bytes());
    header.extend_from_slice(&sender.0);
    header.extend_from_slice(&recipient.0);
    header.extend_from_slice(&session.0);
    header.extend_from_slice(&u16::try_from(wrapped.len()).expect("at most 512 bytes").to_be_bytes());
    header.extend_from_slice(wrapped);
    header
}

pub(super) fn to_be_signed(header: &[u8], letter: &Letter) -> Vec<u8> {
    Transcript::new(PURPOSE)
        .with(&sha256(header))
        .with(&[letter.content.kind()])
        .with(&letter.sent_unix_millis.to_be_bytes())
        .with(&letter.content.to_bytes())
        .into_bytes()
}

/// `kind 1 | time 8 | content length 4 | content | signature length 2 | signature | zeros`
pub(super) fn write_inside(letter: &Letter, signature: &[u8]) -> Zeroizing<Vec<u8>> {
    let content = letter.content.to_bytes();
    // Reserved in full: a buffer that grows would leave copies of the text behind.
    let mut inside = Zeroizing::new(Vec::with_capacity(content.len() + signature.len() + 15 + PADDING_BYTES));
    inside.push(letter.content.kind());
    inside.extend_from_slice(&letter.sent_unix_millis.to_be_bytes());
    inside.extend_from_slice(&u32::try_from(content.len()).expect("checked by seal").to_be_bytes());
    inside.extend_from_slice(&content);
    inside.extend_from_slice(&u16::try_from(signature.len()).expect("at most 512 bytes").to_be_bytes());
    inside.extend_from_slice(signature);
    let padded_bytes = inside.len().next_multiple_of(PADDING_BYTES);
    inside.resize(padded_bytes, 0);
    inside
}

fn read_inside(inside: &[u8]) -> Option<(Letter, &[u8])> {
    let mut reader = Reader::new(inside);
    let [kind] = reader.array()?;
    let sent_unix_millis = u64::from_be_bytes(reader.array()?);
    let length = u32::from_be_bytes(reader.array()?);
    let content = Content::read(kind, reader.take(usize::try_from(length).ok()?)?)?;
    let length = reader.short()?;
    let signature = reader.take(length)?;
    let padding = reader.rest();
    if !inside.len().is_multiple_of(PADDING_BYTES)
        || padding.len() >= PADDING_BYTES
        || padding.iter().any(|&byte| byte != 0)
    {
        return None;
    }
    Some((Letter { sent_unix_millis, content }, signature))
}
