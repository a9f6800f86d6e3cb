//! Session records: a person's short-lived *session key*, signed with the RSA key.
//!
//! ```text
//! version 01 | created 8 | owner 32 | certificate 32 | session key 1216 | name length 1 | name | signature length 2 | signature
//! ```
//! Numbers are big endian. `docs/PROTOCOL.md`, section 8, defines the record; `session_keys.rs`, behind the feature
//! `e2e`, holds the private halves.

use std::{fmt, ops::Range, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{KeyId, PublicKey, reader::Reader, sha256, transcript::Transcript};
use crate::name::Name;

/// The length of a session public key: an X-Wing encapsulation key, which is one of ML-KEM-768 and one of X25519.
pub const SESSION_PUBLIC_KEY_BYTES: usize = 1216;

/// The only version so far.
const VERSION: u8 = 1;
const PURPOSE: &str = "triptych session key v1";
/// 32 characters of UTF-8.
const MAX_NAME_BYTES: usize = 4 * crate::limits::MAX_NAME_CHARS;
/// The lengths of an RSA signature under a key of 2048 to 4096 bits.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The first 16 bytes of the SHA-256 of a session public key; says which session key a letter is sealed to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// The id of a session public key.
    pub fn of(session_public_key: &[u8]) -> Self {
        let hash = sha256(session_public_key);
        Self(*hash.first_chunk().expect("a hash has 32 bytes"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A session record with a valid layout. Whether it is signed by its owner is for [`Self::verify`] to say. Cheap to
/// clone.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    bytes: Arc<[u8]>,
    created_unix_millis: u64,
    owner: KeyId,
    certificate: [u8; 32],
    session_public_key: Range<usize>,
    name: Range<usize>,
    signature: Range<usize>,
}

/// Why bytes are not a [`SessionRecord`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionRecordError {
    /// The bytes end before the layout does.
    #[error("the session record is truncated")]
    Short,
    /// This version is not supported.
    #[error("session records of version {0} are not supported")]
    Unknown(u8),
    /// The name has this number of bytes: none, or more than the longest name.
    #[error("the name in the session record has {0} bytes, not 1 to {MAX_NAME_BYTES}")]
    BadNameLength(usize),
    /// No RSA key of a permitted size gives a signature of this number of bytes.
    #[error("the signature of the session record has {0} bytes, not 256 to 512")]
    BadSignatureLength(usize),
    /// This number of bytes follows the signature.
    #[error("{0} bytes follow the session record")]
    TrailingBytes(usize),
}

impl SessionRecord {
    /// The length of the longest record.
    pub const MAX_BYTES: usize =
        1 + 8 + 32 + 32 + SESSION_PUBLIC_KEY_BYTES + 1 + MAX_NAME_BYTES + 2 + *SIGNATURE_BYTES.end();

    /// Parses and checks the layout of `bytes`.
    ///
    /// # Errors
    /// [`SessionRecordError`] names what breaks the layout.
    pub fn parse(bytes: &[u8]) -> Result<Self, SessionRecordError> {
        use SessionRecordError::Short;
        let mut reader = Reader::new(bytes);
        let [version] = reader.array().ok_or(Short)?;
        if version != VERSION {
            return Err(SessionRecordError::Unknown(version));
        }
        let created_unix_millis = u64::from_be_bytes(reader.array().ok_or(Short)?);
        let owner = KeyId(reader.array().ok_or(Short)?);
        let certificate = reader.array().ok_or(Short)?;
        let session_public_key = reader.skip(SESSION_PUBLIC_KEY_BYTES).ok_or(Short)?;
        let [name_length] = reader.array().ok_or(Short)?;
        let name_length = usize::from(name_length);
        if !(1..=MAX_NAME_BYTES).contains(&name_length) {
            return Err(SessionRecordError::BadNameLength(name_length));
        }
        let name = reader.skip(name_length).ok_or(Short)?;
        let signature_length = reader.short().ok_or(Short)?;
        if !SIGNATURE_BYTES.contains(&signature_length) {
            return Err(SessionRecordError::BadSignatureLength(signature_length));
        }
        let signature = reader.skip(signature_length).ok_or(Short)?;
        if !reader.rest().is_empty() {
            return Err(SessionRecordError::TrailingBytes(reader.rest().len()));
        }
        Ok(Self { bytes: bytes.into(), created_unix_millis, owner, certificate, session_public_key, name, signature })
    }

    /// Whether the owner of `key` signed this record, for `name`, at the server with the certificate that has this
    /// SHA-256 (zeros on a plaintext connection).
    pub fn verify(&self, key: &PublicKey, name: &Name, certificate: &[u8; 32]) -> bool {
        self.owner == key.id()
            && self.bytes[self.name.clone()] == *name.as_str().as_bytes()
            && self.certificate == *certificate
            && key.verify(&to_be_signed(&self.bytes[..self.name.end]), &self.bytes[self.signature.clone()])
    }

    /// Signs a record for a session public key. `certificate` is the SHA-256 of the server's certificate, zeros on a
    /// plaintext connection.
    #[cfg(feature = "e2e")]
    pub fn sign(
        session_public_key: &[u8; SESSION_PUBLIC_KEY_BYTES],
        created_unix_millis: u64,
        owner: &super::Identity,
        name: &Name,
        certificate: &[u8; 32],
    ) -> Self {
        let name = name.as_str().as_bytes();
        let mut bytes = Vec::with_capacity(Self::MAX_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&created_unix_millis.to_be_bytes());
        bytes.extend_from_slice(&owner.public_key().id().0);
        bytes.extend_from_slice(certificate);
        bytes.extend_from_slice(session_public_key);
        bytes.push(u8::try_from(name.len()).expect("a name has at most 128 bytes"));
        bytes.extend_from_slice(name);
        let signature = owner.sign(&to_be_signed(&bytes));
        bytes.extend_from_slice(&u16::try_from(signature.len()).expect("at most 512 bytes").to_be_bytes());
        bytes.extend_from_slice(&signature);
        Self::parse(&bytes).expect("a record just written has a valid layout")
    }

    /// Whether a receiver that holds `held` may take this record in its place: it is of the same owner and was made
    /// later. A record that a person has replaced must not come back, since its private half may be known by then.
    pub fn replaces(&self, held: &Self) -> bool {
        self.owner == held.owner && self.created_unix_millis > held.created_unix_millis
    }

    /// Which session key this is.
    pub fn id(&self) -> SessionId {
        SessionId::of(self.session_public_key())
    }

    /// The X-Wing public key, of [`SESSION_PUBLIC_KEY_BYTES`].
    pub fn session_public_key(&self) -> &[u8] {
        &self.bytes[self.session_public_key.clone()]
    }

    /// The RSA key that should have signed the record.
    pub fn owner(&self) -> KeyId {
        self.owner
    }

    /// When the session key was made, by its owner's clock, in milliseconds since 1970-01-01 UTC.
    pub fn created_unix_millis(&self) -> u64 {
        self.created_unix_millis
    }

    /// The bytes of the record, as sent on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn to_be_signed(before_the_signature: &[u8]) -> Vec<u8> {
    Transcript::new(PURPOSE).with(before_the_signature).into_bytes()
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:?} of {:?}", self.id(), self.owner)
    }
}

impl Serialize for SessionRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes)
    }
}

impl<'de> Deserialize<'de> for SessionRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        Self::parse(&bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::test_keys;

    const CERTIFICATE: [u8; 32] = [7; 32];

    fn name(text: &str) -> Name {
        Name::parse(text).expect("the tests use valid names")
    }

    fn record(created_unix_millis: u64) -> SessionRecord {
        let session_public_key = [9; SESSION_PUBLIC_KEY_BYTES];
        SessionRecord::sign(&session_public_key, created_unix_millis, &test_keys::ada(), &name("Ada"), &CERTIFICATE)
    }

    #[test]
    fn a_record_holds_for_its_owner_name_and_server_only() {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let record = SessionRecord::parse(record(5).as_bytes()).unwrap();
        assert_eq!((record.owner(), record.created_unix_millis()), (ada.public_key().id(), 5));
        assert_eq!(record.id(), SessionId::of(&[9; SESSION_PUBLIC_KEY_BYTES]));
        assert!(record.verify(ada.public_key(), &name("Ada"), &CERTIFICATE));
        assert!(!record.verify(bob.public_key(), &name("Ada"), &CERTIFICATE));
        assert!(!record.verify(ada.public_key(), &name("ada"), &CERTIFICATE), "another name");
        assert!(!record.verify(ada.public_key(), &name("Ada"), &[0; 32]), "another server");
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let bytes = record(5).as_bytes().to_vec();
        let key = test_keys::ada().public_key().clone();
        let holds = |bytes: &[u8]| {
            SessionRecord::parse(bytes).is_ok_and(|record| record.verify(&key, &name("Ada"), &CERTIFICATE))
        };
        assert!(holds(&bytes));
        // The session key is long, and all of it goes the same way.
        let positions = (0..100).chain((100..1280).step_by(59)).chain(1280..1300).chain((1300..bytes.len()).step_by(9));
        for position in positions {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            assert!(!holds(&changed), "byte {position}");
        }
    }

    #[test]
    fn a_record_under_anothers_key_id_is_refused() {
        // Eve signs a record of her own session key, and writes Ada's key id over hers.
        let eve = test_keys::eve();
        let mut bytes = SessionRecord::sign(&[1; SESSION_PUBLIC_KEY_BYTES], 5, &eve, &name("Ada"), &CERTIFICATE)
            .as_bytes()
            .to_vec();
        let ada = test_keys::ada().public_key().clone();
        bytes[9..41].copy_from_slice(&ada.id().0);
        let forged = SessionRecord::parse(&bytes).unwrap();
        assert!(!forged.verify(&ada, &name("Ada"), &CERTIFICATE));
        assert!(!forged.verify(eve.public_key(), &name("Ada"), &CERTIFICATE));
        // The same with a signature of Eve's that covers Ada's key id.
        let signed = forged.name.end;
        let signature = eve.sign(&to_be_signed(&bytes[..signed]));
        bytes[signed + 2..].copy_from_slice(&signature);
        let forged = SessionRecord::parse(&bytes).unwrap();
        assert!(!forged.verify(eve.public_key(), &name("Ada"), &CERTIFICATE));
    }

    #[test]
    fn only_a_later_record_of_the_same_owner_replaces_one() {
        let (old, new) = (record(5), record(6));
        assert!(new.replaces(&old));
        assert!(!old.replaces(&new), "an old record must not come back");
        assert!(!record(5).replaces(&old), "two records of the same time");
        let bob = SessionRecord::sign(&[1; SESSION_PUBLIC_KEY_BYTES], 9, &test_keys::bob(), &name("Bob"), &CERTIFICATE);
        assert!(!bob.replaces(&old));
    }

    #[test]
    fn layouts_that_lie_are_refused_with_the_reason() {
        let bytes = record(5).as_bytes().to_vec();
        let changed = |at: usize, value: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            SessionRecord::parse(&bytes).err()
        };
        assert_eq!(changed(0, &[2]), Some(SessionRecordError::Unknown(2)));
        assert_eq!(changed(1289, &[0]), Some(SessionRecordError::BadNameLength(0)));
        assert_eq!(changed(1289, &[129]), Some(SessionRecordError::BadNameLength(129)));
        assert_eq!(changed(1293, &[0, 255]), Some(SessionRecordError::BadSignatureLength(255)));
        assert_eq!(changed(1293, &[2, 1]), Some(SessionRecordError::BadSignatureLength(513)));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(SessionRecord::parse(&longer).err(), Some(SessionRecordError::TrailingBytes(1)));
        for length in 0..bytes.len() {
            assert_eq!(SessionRecord::parse(&bytes[..length]).err(), Some(SessionRecordError::Short), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn noise_is_no_record(noise in prop::collection::vec(any::<u8>(), 0..3000)) {
            if let Ok(record) = SessionRecord::parse(&noise) {
                prop_assert!(!record.verify(test_keys::ada().public_key(), &name("Ada"), &CERTIFICATE));
            }
        }
    }
}
