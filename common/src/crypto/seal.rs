//! Seals a message into an envelope and opens it again. The notation is that of `docs/PROTOCOL.md`, section 8.
//!
//! ```text
//! s          32 fresh random bytes
//! wrapped_i  RSAES-OAEP(pk_i, s), SHA-256, label "triptych envelope v1"
//! h          SHA-256(header)                 the header holds every wrapped_i
//! k | n      HKDF-SHA256(ikm = s, salt = h, info = "triptych envelope v1 key and nonce"), 32 + 12 bytes
//! σ          RSASSA-PSS(sk_sender, transcript(h, time, text))
//! body       ChaCha20-Poly1305(k, n, aad = header, time | text | σ | padding)
//! ```
//! The signature covers the recipients (through h) and lies inside the encryption. So a recipient cannot pass the
//! message on as if it had been written to another person, and a relay cannot strip the signature.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{AeadInOut, Nonce, Tag},
};
use hkdf::Hkdf;
use rand::{RngExt, rng};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Identity, PublicKey,
    envelope::{Envelope, MessageId, TAG_BYTES},
    sha256,
    transcript::Transcript,
};
use crate::limits::{MAX_RECIPIENTS, MAX_TEXT_BYTES};

const LABEL: &[u8] = b"triptych envelope v1";
const INFO: &[u8] = b"triptych envelope v1 key and nonce";
/// The plaintext is padded to a multiple of this, so that its length reveals little about the length of the text.
const PADDING_BYTES: usize = 256;
/// The number of slots of a foreign envelope that [`attempt`] tries; trying more would show nothing new.
const MAX_ATTEMPTED_SLOTS: usize = 4;

/// The plaintext of an envelope: a chat message with its time.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// The message, up to [`MAX_TEXT_BYTES`] of UTF-8.
    pub text: String,
}

/// Why a message cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This number of recipients is 0 or exceeds [`MAX_RECIPIENTS`].
    #[error("A message needs 1 to {MAX_RECIPIENTS} recipients, not {0}.")]
    BadRecipientCount(usize),
    /// The text has this number of bytes, more than [`MAX_TEXT_BYTES`].
    #[error("This message has {0} bytes, more than the limit of {MAX_TEXT_BYTES}. Shorten it or send it in parts.")]
    LongText(usize),
}

/// The envelope is not for this key, or is damaged, or is not from that sender. The cause is hidden on purpose, so that
/// failures leave no decryption oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key does not open the envelope")]
pub struct CannotOpen;

/// Seals `message` for `recipients`; duplicates among them count once. `sequence` must be larger than in the sender's
/// last envelope.
///
/// # Errors
/// [`SealError`] when the text is too long, or there are no recipients or too many.
pub fn seal(
    message: &Message,
    sequence: u64,
    sender: &Identity,
    recipients: &[PublicKey],
) -> Result<Envelope, SealError> {
    if message.text.len() > MAX_TEXT_BYTES {
        return Err(SealError::LongText(message.text.len()));
    }
    let mut recipients: Vec<_> = recipients.iter().collect();
    recipients.sort_unstable_by_key(|key| key.id());
    recipients.dedup();
    if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
        return Err(SealError::BadRecipientCount(recipients.len()));
    }
    let secret = Zeroizing::new(rng().random::<[u8; 32]>());
    let slots: Vec<_> = recipients.iter().map(|key| (key.id(), key.wrap(LABEL, secret.as_slice()))).collect();
    let header = Envelope::write_header(MessageId(rng().random()), sequence, sender.public_key().id(), &slots);
    let header_hash = sha256(&header);

    let signature = sender.sign(&to_be_signed(&header_hash, message));
    let inside = Zeroizing::new(write_inside(message, &signature));
    let (cipher, nonce) = body_cipher(&secret, &header_hash);
    let mut bytes = [&header[..], &inside].concat();
    let tag = cipher
        .encrypt_inout_detached(&nonce, &header, bytes[header.len()..].as_mut().into())
        .expect("the body is far below the cipher's limit");
    bytes.extend_from_slice(&tag);
    Ok(Envelope::parse(bytes).expect("an envelope just written has a valid layout"))
}

/// Opens an envelope that is addressed to `identity` and claims to be from `sender`.
///
/// # Errors
/// [`CannotOpen`], for every cause alike.
pub fn open(envelope: &Envelope, identity: &Identity, sender: &PublicKey) -> Result<Message, CannotOpen> {
    let me = identity.public_key().id();
    let slot = envelope.slots().iter().find(|slot| slot.recipient == me).ok_or(CannotOpen)?;
    if envelope.sender != sender.id() {
        return Err(CannotOpen);
    }
    let secret = identity.unwrap(LABEL, envelope.wrapped(slot)).ok_or(CannotOpen)?;
    let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| CannotOpen)?;
    let header_hash = sha256(envelope.header());
    let (cipher, nonce) = body_cipher(secret, &header_hash);
    let (ciphertext, tag) = envelope.body().split_at(envelope.body().len() - TAG_BYTES);
    let tag = Tag::<ChaCha20Poly1305>::try_from(tag).map_err(|_| CannotOpen)?;
    let mut inside = Zeroizing::new(ciphertext.to_vec());
    cipher
        .decrypt_inout_detached(&nonce, envelope.header(), inside.as_mut_slice().into(), &tag)
        .map_err(|_| CannotOpen)?;
    let (message, signature) = read_inside(&inside).ok_or(CannotOpen)?;
    if sender.verify(&to_be_signed(&header_hash, &message), signature) { Ok(message) } else { Err(CannotOpen) }
}

/// Tries to decrypt an envelope for other recipients with the key of `identity`, to demonstrate that it fails.
///
/// # Errors
/// Always [`CannotOpen`], unless RSA is broken.
pub fn attempt(envelope: &Envelope, identity: &Identity) -> Result<(), CannotOpen> {
    let header_hash = sha256(envelope.header());
    for slot in envelope.slots().iter().take(MAX_ATTEMPTED_SLOTS) {
        let Some(secret) = identity.unwrap(LABEL, envelope.wrapped(slot)) else { continue };
        let Ok(secret) = secret.as_slice().try_into() else { continue };
        let (cipher, nonce) = body_cipher(secret, &header_hash);
        let (ciphertext, tag) = envelope.body().split_at(envelope.body().len() - TAG_BYTES);
        let tag = Tag::<ChaCha20Poly1305>::try_from(tag).map_err(|_| CannotOpen)?;
        let mut inside = Zeroizing::new(ciphertext.to_vec());
        if cipher.decrypt_inout_detached(&nonce, envelope.header(), inside.as_mut_slice().into(), &tag).is_ok() {
            return Ok(());
        }
    }
    Err(CannotOpen)
}

fn body_cipher(secret: &[u8; 32], header_hash: &[u8; 32]) -> (ChaCha20Poly1305, Nonce<ChaCha20Poly1305>) {
    let mut output = Zeroizing::new([0u8; 44]);
    Hkdf::<Sha256>::new(Some(header_hash), secret)
        .expand(INFO, output.as_mut_slice())
        .expect("44 bytes are within HKDF's output limit");
    let (key, nonce) = output.split_at(32);
    let cipher = ChaCha20Poly1305::new_from_slice(key).expect("32 bytes");
    (cipher, Nonce::<ChaCha20Poly1305>::try_from(nonce).expect("12 bytes"))
}

fn to_be_signed(header_hash: &[u8; 32], message: &Message) -> Vec<u8> {
    // The label keeps an older word for a message; changing it would change the wire.
    Transcript::new("triptych letter v1")
        .with(header_hash)
        .with(&message.sent_unix_millis.to_be_bytes())
        .with(message.text.as_bytes())
        .into_bytes()
}

/// `time 8 | text length 4 | text | signature length 2 | signature | zeros`
fn write_inside(message: &Message, signature: &[u8]) -> Vec<u8> {
    let mut inside = Vec::with_capacity(MAX_TEXT_BYTES + 1024);
    inside.extend_from_slice(&message.sent_unix_millis.to_be_bytes());
    inside.extend_from_slice(&u32::try_from(message.text.len()).expect("checked by seal").to_be_bytes());
    inside.extend_from_slice(message.text.as_bytes());
    inside.extend_from_slice(&u16::try_from(signature.len()).expect("at most 512 bytes").to_be_bytes());
    inside.extend_from_slice(signature);
    inside.resize(inside.len().next_multiple_of(PADDING_BYTES), 0);
    inside
}

fn read_inside(inside: &[u8]) -> Option<(Message, &[u8])> {
    let (time, rest) = inside.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (signature, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    if text.len() > MAX_TEXT_BYTES || padding.len() >= PADDING_BYTES || padding.iter().any(|&byte| byte != 0) {
        return None;
    }
    let text = String::from_utf8(text.to_vec()).ok()?;
    Some((Message { sent_unix_millis: u64::from_be_bytes(*time), text }, signature))
}
