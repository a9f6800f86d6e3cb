//! Keys, proofs and envelopes: RSA-OAEP, RSA-PSS, HPKE and Megolm, combined as specified in `docs/PROTOCOL.md`, sections 7
//! and 8.
//!
//! Everything that needs a private key is behind the feature `e2e`, which only the client enables. The server can read
//! the header of an envelope and verify a proof, but its binary contains no code that could decrypt a message.

mod envelope;
mod envelope_fields;
pub mod fingerprint;
mod proof;
mod public_key;
mod reader;
mod safety_number;
mod session_record;
mod transcript;

#[cfg(feature = "e2e")]
mod identity;
#[cfg(all(test, feature = "test-keys"))]
mod known_answers;
#[cfg(feature = "e2e")]
pub mod letter;
#[cfg(all(test, feature = "test-keys"))]
mod letter_tests;
#[cfg(all(test, feature = "test-keys"))]
mod letter_vectors;
#[cfg(feature = "e2e")]
pub mod sender_key;
#[cfg(feature = "e2e")]
pub mod sender_key_store;
#[cfg(feature = "e2e")]
mod session_keys;
#[cfg(feature = "test-keys")]
pub mod test_keys;
#[cfg(feature = "e2e")]
mod text_number;
#[cfg(all(test, feature = "test-keys"))]
mod thief_tests;

pub use envelope::{Addressed, Envelope, EnvelopeError, MessageId, SenderKeyId, Slot};
pub use envelope_fields::{Field, FieldName};
pub use proof::JoinTranscript;
pub use public_key::{KeyError, KeyId, PublicKey};
pub use safety_number::safety_number;
pub use session_record::{SESSION_PUBLIC_KEY_BYTES, SessionId, SessionRecord, SessionRecordError};

#[cfg(feature = "e2e")]
pub use envelope::CannotOpen;
#[cfg(feature = "e2e")]
pub use identity::{Identity, IdentityError};
#[cfg(feature = "e2e")]
pub use letter::MAX_RECEIPT_IDS;
#[cfg(feature = "e2e")]
pub use sender_key::Message;
#[cfg(feature = "e2e")]
pub use session_keys::{KEEP_AFTER_RENEWAL, RENEW_AFTER, SessionKey, SessionKeys};
#[cfg(feature = "e2e")]
pub use text_number::TextNumber;

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

/// The first eight bytes of a hash as four groups of four hexadecimal digits, for people to compare.
pub fn short_fingerprint(hash: &[u8; 32]) -> String {
    let group = |pair: &[u8]| format!("{:02x}{:02x}", pair[0], pair[1]);
    hash[..8].chunks(2).map(group).collect::<Vec<_>>().join("-")
}
