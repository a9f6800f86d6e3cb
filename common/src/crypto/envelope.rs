//! The layout of an envelope, as far as it is readable without a key: sender, recipient, and the encrypted body.
//!
//! ```text
//! header   version (1 byte) | suite (1) | message id (16) | sequence (8) | sender (32) | what the suite adds
//! suite 2  recipient (32) | session id (16) | length (2) | wrapped secret | encapsulation (1120)
//! suite 3  sender key id (32)
//! body     the rest: ciphertext and its tag; in suite 3, a message of Megolm
//! ```
//! Numbers are big endian, and lengths count bytes. `letter.rs` (suite 2), and `sender_key.rs` with `sender_key_store.rs`
//! (suite 3), behind the feature `e2e`, seal and open envelopes. Suite 1 is that of protocols before version 4.

use std::{fmt, ops::Range};

use super::{KeyId, SessionId, reader::Reader};
use crate::limits::MAX_TEXT_BYTES;

/// The only envelope version so far.
pub(super) const VERSION: u8 = 1;
/// RSAES-OAEP-SHA256 and HPKE (X-Wing, HKDF-SHA256, ChaCha20-Poly1305), RSASSA-PSS-SHA256; to one recipient.
pub(super) const LETTER_SUITE: u8 = 2;
/// Megolm (SHA-256, AES-256-CBC, HMAC-SHA-256, Ed25519); to everyone who was handed the sender key.
pub(super) const SENDER_KEY_SUITE: u8 = 3;
/// The shortest body: the authentication tag of a letter (RFC 8439 §2.5).
const MIN_BODY_BYTES: usize = 16;
/// The length of an X-Wing encapsulation: an ML-KEM-768 ciphertext and an X25519 public key.
pub(super) const ENCAPSULATION_BYTES: usize = 1120;

/// The lengths of an RSA ciphertext under a key of 2048 to 4096 bits.
const WRAPPED_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// The longest text, and room for its lengths, time, signature, padding and tag.
const MAX_BODY_BYTES: usize = MAX_TEXT_BYTES + 2048;

/// The random id of a message. Its `Debug` form is its first four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which sender key an envelope of suite 3 is sealed under: its Ed25519 public key, which is Megolm's session id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderKeyId(pub [u8; 32]);

impl fmt::Debug for SenderKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::short_fingerprint(&self.0))
    }
}

/// The secret of a letter, encrypted (*wrapped*) for its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The key that decrypts it.
    pub recipient: KeyId,
    /// The position of the wrapped secret in the envelope's bytes.
    pub(super) wrapped: Range<usize>,
}

/// What a suite adds to the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// Suite 2: to the owner of an RSA key and of a session key.
    Letter {
        /// The RSA key, and the secret that only it decrypts.
        slot: Slot,
        /// The session key that the body is sealed to.
        session: SessionId,
    },
    /// Suite 3: to everyone who was handed this sender key.
    Everyone {
        /// The sender key that the body is sealed under.
        sender_key: SenderKeyId,
    },
}

/// An envelope with a valid layout. Its encrypted parts are not checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Chosen at random by the sender.
    pub message_id: MessageId,
    /// Increases with each envelope of a sender; lets recipients detect replays.
    pub sequence: u64,
    /// The key that signs the message inside.
    pub sender: KeyId,
    /// To whom it is addressed, as its suite says that.
    pub addressed: Addressed,
    pub(super) bytes: Vec<u8>,
    pub(super) header_bytes: usize,
}

/// Why bytes are not an [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes end before the layout does.
    #[error("the envelope is truncated")]
    Short,
    /// This version and cipher suite are not supported.
    #[error("envelope version {0} with suite {1} is not supported")]
    Unknown(u8, u8),
    /// No RSA key of a permitted size gives a wrapped secret of this number of bytes.
    #[error("a wrapped secret has {0} bytes, not 256 to 512")]
    BadWrappedLength(usize),
    /// The body has this number of bytes, more than the longest text needs.
    #[error("the body has {0} bytes, more than {MAX_BODY_BYTES}")]
    LongBody(usize),
}

/// The envelope is not for this key, or is damaged, or is not from that sender. The cause is hidden on purpose, so that
/// failures leave no decryption oracle.
#[cfg(feature = "e2e")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key does not open the envelope")]
pub struct CannotOpen;

impl Envelope {
    /// Parses and checks the layout of `bytes`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let mut reader = Reader::new(&bytes);
        let [version, suite] = reader.array().ok_or(EnvelopeError::Short)?;
        if version != VERSION || ![LETTER_SUITE, SENDER_KEY_SUITE].contains(&suite) {
            return Err(EnvelopeError::Unknown(version, suite));
        }
        let message_id = MessageId(reader.array().ok_or(EnvelopeError::Short)?);
        let sequence = u64::from_be_bytes(reader.array().ok_or(EnvelopeError::Short)?);
        let sender = KeyId(reader.array().ok_or(EnvelopeError::Short)?);
        let addressed = match suite {
            LETTER_SUITE => read_letter(&mut reader)?,
            _ => Addressed::Everyone { sender_key: SenderKeyId(reader.array().ok_or(EnvelopeError::Short)?) },
        };
        let header_bytes = reader.position();
        let body_bytes = reader.rest().len();
        if body_bytes < MIN_BODY_BYTES {
            return Err(EnvelopeError::Short);
        }
        if body_bytes > MAX_BODY_BYTES {
            return Err(EnvelopeError::LongBody(body_bytes));
        }
        Ok(Self { message_id, sequence, sender, addressed, bytes, header_bytes })
    }

    /// The bytes of the envelope, as sent on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The wrapped secret of a letter; none in suite 3.
    pub fn slot(&self) -> Option<&Slot> {
        match &self.addressed {
            Addressed::Letter { slot, .. } => Some(slot),
            Addressed::Everyone { .. } => None,
        }
    }

    /// The RSA key that a letter is addressed to; none in suite 3.
    pub fn recipient(&self) -> Option<KeyId> {
        self.slot().map(|slot| slot.recipient)
    }

    /// The encrypted body, with its tag.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.header_bytes..]
    }

    #[cfg(feature = "e2e")]
    pub(super) fn header(&self) -> &[u8] {
        &self.bytes[..self.header_bytes]
    }

    #[cfg(feature = "e2e")]
    pub(super) fn wrapped(&self, slot: &Slot) -> &[u8] {
        &self.bytes[slot.wrapped.clone()]
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, sender, bytes, .. } = self;
        write!(f, "Envelope {message_id:?} from {sender:?} to ")?;
        match self.recipient() {
            Some(recipient) => write!(f, "{recipient:?}")?,
            None => f.write_str("everyone")?,
        }
        write!(f, ", {} bytes", bytes.len())
    }
}

/// A key id, and the length and bytes of a wrapped secret.
fn read_wrapped(recipient: KeyId, reader: &mut Reader<'_>) -> Result<Slot, EnvelopeError> {
    let length = reader.short().ok_or(EnvelopeError::Short)?;
    if !WRAPPED_BYTES.contains(&length) {
        return Err(EnvelopeError::BadWrappedLength(length));
    }
    Ok(Slot { recipient, wrapped: reader.skip(length).ok_or(EnvelopeError::Short)? })
}

fn read_letter(reader: &mut Reader<'_>) -> Result<Addressed, EnvelopeError> {
    let recipient = KeyId(reader.array().ok_or(EnvelopeError::Short)?);
    let session = SessionId(reader.array().ok_or(EnvelopeError::Short)?);
    let slot = read_wrapped(recipient, reader)?;
    reader.skip(ENCAPSULATION_BYTES).ok_or(EnvelopeError::Short)?;
    Ok(Addressed::Letter { slot, session })
}
