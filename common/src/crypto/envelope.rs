//! The layout of an envelope, as far as it is readable without a key: sender, recipients, and the encrypted body.
//!
//! ```text
//! header   version 1 | suite 1 | message id 16 | sequence 8 | sender 32 | recipient count 2
//!          per recipient: key id 32 | wrapped length 2 | wrapped secret
//! body     the rest: ciphertext and its 16-byte tag
//! ```
//! Numbers are big endian, and lengths count bytes. `seal.rs`, behind the feature `e2e`, seals and opens envelopes.

use std::{fmt, ops::Range};

use super::{KeyId, reader::Reader};
use crate::limits::{MAX_PEOPLE, MAX_TEXT_BYTES};

/// The only envelope version so far.
pub(super) const VERSION: u8 = 1;
/// RSAES-OAEP-SHA256, HKDF-SHA256, ChaCha20-Poly1305, RSASSA-PSS-SHA256.
pub(super) const SUITE: u8 = 1;
/// The length of the authentication tag (RFC 8439 §2.5).
pub(super) const TAG_BYTES: usize = 16;

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

/// The secret of an envelope, encrypted (*wrapped*) for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The key that decrypts it.
    pub recipient: KeyId,
    /// The position of the wrapped secret in the envelope's bytes.
    pub(super) wrapped: Range<usize>,
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
    /// The wrapped secrets, one for each recipient; all recipients are different.
    pub slots: Vec<Slot>,
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
    /// This number of recipients is 0 or exceeds [`MAX_PEOPLE`].
    #[error("the envelope has {0} recipients, not 1 to {MAX_PEOPLE}")]
    BadRecipientCount(usize),
    /// Two slots have the same recipient.
    #[error("the envelope names a recipient twice")]
    RepeatedRecipient,
    /// No RSA key of a permitted size gives a wrapped secret of this number of bytes.
    #[error("a wrapped secret has {0} bytes, not 256 to 512")]
    BadWrappedLength(usize),
    /// The body has this number of bytes, more than the longest text needs.
    #[error("the body has {0} bytes, more than {MAX_BODY_BYTES}")]
    LongBody(usize),
}

impl Envelope {
    /// Parses and checks the layout of `bytes`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let mut reader = Reader::new(&bytes);
        let [version, suite] = reader.array().ok_or(EnvelopeError::Short)?;
        if (version, suite) != (VERSION, SUITE) {
            return Err(EnvelopeError::Unknown(version, suite));
        }
        let message_id = MessageId(reader.array().ok_or(EnvelopeError::Short)?);
        let sequence = u64::from_be_bytes(reader.array().ok_or(EnvelopeError::Short)?);
        let sender = KeyId(reader.array().ok_or(EnvelopeError::Short)?);
        let recipient_count = reader.short().ok_or(EnvelopeError::Short)?;
        if !(1..=MAX_PEOPLE).contains(&recipient_count) {
            return Err(EnvelopeError::BadRecipientCount(recipient_count));
        }
        let mut slots = Vec::with_capacity(recipient_count);
        for _ in 0..recipient_count {
            let recipient = KeyId(reader.array().ok_or(EnvelopeError::Short)?);
            let length = reader.short().ok_or(EnvelopeError::Short)?;
            if !WRAPPED_BYTES.contains(&length) {
                return Err(EnvelopeError::BadWrappedLength(length));
            }
            slots.push(Slot { recipient, wrapped: reader.skip(length).ok_or(EnvelopeError::Short)? });
        }
        let mut recipients: Vec<_> = slots.iter().map(|slot| slot.recipient).collect();
        recipients.sort_unstable();
        if recipients.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(EnvelopeError::RepeatedRecipient);
        }
        let header_bytes = reader.position();
        let body_bytes = bytes.len() - header_bytes;
        if body_bytes < TAG_BYTES {
            return Err(EnvelopeError::Short);
        }
        if body_bytes > MAX_BODY_BYTES {
            return Err(EnvelopeError::LongBody(body_bytes));
        }
        Ok(Self { message_id, sequence, sender, slots, bytes, header_bytes })
    }

    /// The bytes of the envelope, as sent on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The keys that can open the envelope.
    pub fn recipients(&self) -> impl Iterator<Item = KeyId> {
        self.slots.iter().map(|slot| slot.recipient)
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

    /// Encodes a header; `slots` are pairs of recipient and wrapped secret.
    #[cfg(feature = "e2e")]
    pub(super) fn write_header(
        message_id: MessageId,
        sequence: u64,
        sender: KeyId,
        slots: &[(KeyId, Vec<u8>)],
    ) -> Vec<u8> {
        let short = |number: usize| u16::try_from(number).expect("checked by the caller").to_be_bytes();
        let mut bytes = Vec::with_capacity(60 + slots.len() * (32 + 2 + 512));
        bytes.extend_from_slice(&[VERSION, SUITE]);
        bytes.extend_from_slice(&message_id.0);
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&sender.0);
        bytes.extend_from_slice(&short(slots.len()));
        for (recipient, wrapped) in slots {
            bytes.extend_from_slice(&recipient.0);
            bytes.extend_from_slice(&short(wrapped.len()));
            bytes.extend_from_slice(wrapped);
        }
        bytes
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Envelope {:?} from {:?} to {} people, {} bytes",
            self.message_id,
            self.sender,
            self.slots.len(),
            self.bytes.len()
        )
    }
}
