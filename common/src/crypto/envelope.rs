//! The envelope as everybody sees it: who it is from, whom it is for, and a body that is noise to all others.
//!
//! ```text
//! header   version 1 | suite 1 | message id 16 | sequence 8 | sender 32 | recipient count 2
//!          per recipient: key id 32 | wrapped length 2 | wrapped secret
//! body     the rest: ciphertext and its 16-byte tag
//! ```
//! Numbers are big endian, lengths count bytes. Sealing and opening are in `seal.rs`, behind the feature `e2e`.

use std::{fmt, ops::Range};

use super::KeyId;
use crate::limits::{MAX_PEOPLE, MAX_TEXT_BYTES};

/// The only version there is.
pub(super) const VERSION: u8 = 1;
/// RSAES-OAEP-SHA256, HKDF-SHA256, ChaCha20-Poly1305, RSASSA-PSS-SHA256.
pub(super) const SUITE: u8 = 1;
/// Length of the authentication tag (RFC 8439 §2.5).
pub(super) const TAG_BYTES: usize = 16;

/// 2048 to 4096 bits.
const WRAPPED_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// Text, time, signature and padding.
const MAX_BODY_BYTES: usize = MAX_TEXT_BYTES + 2048;

/// Random number of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The secret of an envelope, wrapped for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose key opens it.
    pub recipient: KeyId,
    /// Where in the envelope's bytes the wrapped secret lies.
    pub(super) wrapped: Range<usize>,
}

/// An envelope whose layout is sound. Whether it can be opened is another question.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Chosen at random by the sender.
    pub message_id: MessageId,
    /// Larger in each envelope of the same sender.
    pub sequence: u64,
    /// The key that signs what is inside.
    pub sender: KeyId,
    /// One for each recipient, all different.
    pub slots: Vec<Slot>,
    pub(super) bytes: Vec<u8>,
    pub(super) header_bytes: usize,
}

/// Why bytes are not an [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It ends before its parts do.
    #[error("the envelope is cut short")]
    Short,
    /// Another version or suite.
    #[error("envelope version {0} with suite {1} is not known here")]
    Unknown(u8, u8),
    /// None, or too many.
    #[error("an envelope has 1 to {MAX_PEOPLE} recipients, this one {0}")]
    BadRecipientCount(usize),
    /// The same person twice.
    #[error("a recipient is named twice")]
    RepeatedRecipient,
    /// No RSA key of a permitted size gives such a length.
    #[error("a wrapped secret has 256 to 512 bytes, this one {0}")]
    BadWrappedLength(usize),
    /// Larger than the longest text can make it.
    #[error("the body has at most {MAX_BODY_BYTES} bytes, this one {0}")]
    LongBody(usize),
}

impl Envelope {
    /// Checks the layout of `bytes`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let mut reader = Reader { bytes: &bytes, position: 0 };
        let [version, suite] = reader.array()?;
        if (version, suite) != (VERSION, SUITE) {
            return Err(EnvelopeError::Unknown(version, suite));
        }
        let message_id = MessageId(reader.array()?);
        let sequence = u64::from_be_bytes(reader.array()?);
        let sender = KeyId(reader.array()?);
        let recipient_count = usize::from(u16::from_be_bytes(reader.array()?));
        if !(1..=MAX_PEOPLE).contains(&recipient_count) {
            return Err(EnvelopeError::BadRecipientCount(recipient_count));
        }
        let mut slots = Vec::with_capacity(recipient_count);
        for _ in 0..recipient_count {
            let recipient = KeyId(reader.array()?);
            let length = usize::from(u16::from_be_bytes(reader.array()?));
            if !WRAPPED_BYTES.contains(&length) {
                return Err(EnvelopeError::BadWrappedLength(length));
            }
            slots.push(Slot { recipient, wrapped: reader.skip(length)? });
        }
        let mut recipients: Vec<_> = slots.iter().map(|slot| slot.recipient).collect();
        recipients.sort_unstable();
        if recipients.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(EnvelopeError::RepeatedRecipient);
        }
        let header_bytes = reader.position;
        let body_bytes = bytes.len() - header_bytes;
        if body_bytes < TAG_BYTES {
            return Err(EnvelopeError::Short);
        }
        if body_bytes > MAX_BODY_BYTES {
            return Err(EnvelopeError::LongBody(body_bytes));
        }
        Ok(Self { message_id, sequence, sender, slots, bytes, header_bytes })
    }

    /// The envelope as it travels.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who can open it.
    pub fn recipients(&self) -> impl Iterator<Item = KeyId> {
        self.slots.iter().map(|slot| slot.recipient)
    }

    /// What nobody else can read.
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

    /// The header's bytes, for `(recipient, wrapped secret)` pairs.
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

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn skip(&mut self, length: usize) -> Result<Range<usize>, EnvelopeError> {
        let range = self.position..self.position + length;
        if range.end > self.bytes.len() {
            return Err(EnvelopeError::Short);
        }
        self.position = range.end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let range = self.skip(N)?;
        Ok(self.bytes[range].try_into().expect("the range has N bytes"))
    }
}
