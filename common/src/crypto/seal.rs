//! Sealing and opening. Notation as in `docs/PROTOCOL.md`, section "Envelope".
//!
//! ```text
//! s          32 fresh random bytes
//! wrapped_i  RSAES-OAEP(pk_i, s), SHA-256, label "triptych envelope v1"
//! h          SHA-256(header)                 the header holds every wrapped_i
//! k | n      HKDF-SHA256(ikm = s, salt = h, info = "triptych envelope v1 key and nonce"), 32 + 12 bytes
//! σ          RSASSA-PSS(sk_sender, transcript(h, time, text))
//! body       ChaCha20-Poly1305(k, n, aad = header, time | text | σ | padding)
//! ```
//! The signature names the recipients (through h) and lies inside the encryption, so a recipient can neither pass the
//! letter on as if it had been written to somebody else, nor can a relay strip it.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{AeadInOut, Nonce, Tag},
};
use hkdf::Hkdf;
use rand::{RngExt, rng};
use rsa::Oaep;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Identity, PublicKey,
    envelope::{Envelope, MessageId, TAG_BYTES},
    sha256,
    transcript::Transcript,
};
use crate::limits::{MAX_PEOPLE, MAX_TEXT_BYTES};

const LABEL: &[u8] = b"triptych envelope v1";
const INFO: &[u8] = b"triptych envelope v1 key and nonce";
/// What is inside is filled up to a multiple of this, so that its length says little about the text's.
const PADDING_BYTES: usize = 256;
/// A stranger's envelope to many is tried on this many of its slots, which is as convincing as trying them all.
const MAX_ATTEMPTED_SLOTS: usize = 4;

/// What an envelope holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// At most [`MAX_TEXT_BYTES`].
    pub text: String,
}

/// Why a letter cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Nobody, or more than can be online.
    #[error("a message goes to 1 to {MAX_PEOPLE} people, not to {0}")]
    BadRecipientCount(usize),
    /// Longer than an envelope holds.
    #[error("a message has at most {MAX_TEXT_BYTES} bytes of text, this one has {0}")]
    LongText(usize),
}

/// The envelope is not for this key, or not sound, or not from that sender. Which of these it is, nobody learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key does not open the envelope")]
pub struct CannotOpen;

/// Seals `letter` for `recipients`, repeated ones once. `sequence` must be larger than in the sender's last envelope.
pub fn seal(
    letter: &Letter,
    sequence: u64,
    sender: &Identity,
    recipients: &[PublicKey],
) -> Result<Envelope, SealError> {
    if letter.text.len() > MAX_TEXT_BYTES {
        return Err(SealError::LongText(letter.text.len()));
    }
    let mut recipients: Vec<_> = recipients.iter().collect();
    recipients.sort_unstable_by_key(|key| key.id());
    recipients.dedup();
    if !(1..=MAX_PEOPLE).contains(&recipients.len()) {
        return Err(SealError::BadRecipientCount(recipients.len()));
    }
    let secret = Zeroizing::new(rng().random::<[u8; 32]>());
    let slots: Vec<_> = recipients.iter().map(|key| (key.id(), wrap(key, &secret))).collect();
    let header = Envelope::write_header(MessageId(rng().random()), sequence, sender.public_key().id(), &slots);
    let header_hash = sha256(&header);

    let signature = sender.sign(&to_be_signed(&header_hash, letter));
    let inside = Zeroizing::new(write_inside(letter, &signature));
    let (cipher, nonce) = body_cipher(&secret, &header_hash);
    let mut bytes = [&header[..], &inside].concat();
    let tag = cipher
        .encrypt_inout_detached(&nonce, &header, bytes[header.len()..].as_mut().into())
        .expect("the body is far below the cipher's limit");
    bytes.extend_from_slice(&tag);
    Ok(Envelope::parse(bytes).expect("what was just written can be read"))
}

/// Opens an envelope that is addressed to `identity` and says to be from `sender`.
pub fn open(envelope: &Envelope, identity: &Identity, sender: &PublicKey) -> Result<Letter, CannotOpen> {
    let me = identity.public_key().id();
    let slot = envelope.slots.iter().find(|slot| slot.recipient == me).ok_or(CannotOpen)?;
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
    let (letter, signature) = read_inside(&inside).ok_or(CannotOpen)?;
    if sender.verify(&to_be_signed(&header_hash, &letter), signature) { Ok(letter) } else { Err(CannotOpen) }
}

/// Really tries `identity`'s key on an envelope that is for others.
///
/// # Errors
/// [`CannotOpen`], always: it would take a broken RSA to come out otherwise.
pub fn attempt(envelope: &Envelope, identity: &Identity) -> Result<(), CannotOpen> {
    let header_hash = sha256(envelope.header());
    for slot in envelope.slots.iter().take(MAX_ATTEMPTED_SLOTS) {
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

fn wrap(key: &PublicKey, secret: &[u8; 32]) -> Vec<u8> {
    key.rsa()
        .encrypt(&mut rng(), Oaep::<Sha256>::new_with_label(LABEL), secret)
        .expect("32 bytes fit into OAEP with a key of 2048 bits or more")
}

fn body_cipher(secret: &[u8; 32], header_hash: &[u8; 32]) -> (ChaCha20Poly1305, Nonce<ChaCha20Poly1305>) {
    let mut output = Zeroizing::new([0u8; 44]);
    Hkdf::<Sha256>::new(Some(header_hash), secret)
        .expand(INFO, output.as_mut_slice())
        .expect("44 bytes are within what HKDF gives");
    let (key, nonce) = output.split_at(32);
    let cipher = ChaCha20Poly1305::new_from_slice(key).expect("32 bytes");
    (cipher, Nonce::<ChaCha20Poly1305>::try_from(nonce).expect("12 bytes"))
}

fn to_be_signed(header_hash: &[u8; 32], letter: &Letter) -> Vec<u8> {
    Transcript::new("triptych letter v1")
        .with(header_hash)
        .with(&letter.sent_unix_millis.to_be_bytes())
        .with(letter.text.as_bytes())
        .into_bytes()
}

/// `time 8 | text length 4 | text | signature length 2 | signature | zeros`
fn write_inside(letter: &Letter, signature: &[u8]) -> Vec<u8> {
    let mut inside = Vec::with_capacity(MAX_TEXT_BYTES + 1024);
    inside.extend_from_slice(&letter.sent_unix_millis.to_be_bytes());
    inside.extend_from_slice(&u32::try_from(letter.text.len()).expect("checked by seal").to_be_bytes());
    inside.extend_from_slice(letter.text.as_bytes());
    inside.extend_from_slice(&u16::try_from(signature.len()).expect("at most 512 bytes").to_be_bytes());
    inside.extend_from_slice(signature);
    inside.resize(inside.len().next_multiple_of(PADDING_BYTES), 0);
    inside
}

fn read_inside(inside: &[u8]) -> Option<(Letter, &[u8])> {
    let (time, rest) = inside.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (signature, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    if text.len() > MAX_TEXT_BYTES || padding.len() >= PADDING_BYTES || padding.iter().any(|&byte| byte != 0) {
        return None;
    }
    let text = String::from_utf8(text.to_vec()).ok()?;
    Some((Letter { sent_unix_millis: u64::from_be_bytes(*time), text }, signature))
}
