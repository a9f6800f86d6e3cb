//! The public key of a person, as held by the dictionary, and its id.

use std::{fmt, sync::Arc};

use rsa::{
    BoxedUint, RsaPublicKey,
    pkcs8::{DecodePublicKey, EncodePublicKey},
    pss,
    signature::Verifier,
    traits::PublicKeyParts,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use super::sha256;

/// The SHA-256 of a public key's DER form; identifies the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId(pub [u8; 32]);

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::short_fingerprint(&self.0))
    }
}

/// An RSA public key of 2048 to 4096 bits with exponent 65537. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    rsa: RsaPublicKey,
    der: Vec<u8>,
    id: KeyId,
}

/// Why bytes are not a [`PublicKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not DER `SubjectPublicKeyInfo` of an RSA key, in its one canonical form.
    #[error("not an RSA public key in DER (SubjectPublicKeyInfo)")]
    NotRsa,
    /// The modulus has this number of bits: too few to be secure, or too many to be fast.
    #[error("the RSA key has {0} bits, not 2048 to 4096")]
    BadSize(u32),
    /// The public exponent is not 65537.
    #[error("the public exponent of the RSA key is not 65537")]
    BadExponent,
}

impl PublicKey {
    /// Parses DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] when the bytes are not canonical DER of an RSA key, or its size or exponent is not supported.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let rsa = RsaPublicKey::from_public_key_der(der).map_err(|_| KeyError::NotRsa)?;
        let key = Self::from_rsa(rsa)?;
        if key.der() == der { Ok(key) } else { Err(KeyError::NotRsa) }
    }

    pub(super) fn from_rsa(rsa: RsaPublicKey) -> Result<Self, KeyError> {
        let bits = rsa.n().bits_vartime();
        if !(2048..=4096).contains(&bits) {
            return Err(KeyError::BadSize(bits));
        }
        if rsa.e() != &BoxedUint::from(65_537u64) {
            return Err(KeyError::BadExponent);
        }
        let der = rsa.to_public_key_der().map_err(|_| KeyError::NotRsa)?.into_vec();
        let id = KeyId(sha256(&der));
        Ok(Self(Arc::new(Inner { rsa, der, id })))
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The SHA-256 of [`Self::der`].
    pub fn id(&self) -> KeyId {
        self.0.id
    }

    /// The length of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.0.rsa.n().bits_vartime()
    }

    /// Whether `signature` was made over `message` with this key (RSASSA-PSS, SHA-256, salt of 32 bytes).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        pss::Signature::try_from(signature).is_ok_and(|signature| {
            pss::VerifyingKey::<Sha256>::new(self.0.rsa.clone()).verify(message, &signature).is_ok()
        })
    }

    /// Encrypts 32 bytes with RSAES-OAEP (RFC 8017 §7.1.1; SHA-256).
    #[cfg(feature = "e2e")]
    pub(super) fn wrap(&self, label: &[u8], secret: &[u8]) -> Vec<u8> {
        let padding = rsa::Oaep::<Sha256>::new_with_label(label);
        self.0.rsa.encrypt(&mut rand::rng(), padding, secret).expect("32 bytes fit into OAEP with 2048 bits or more")
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RSA-{} {:?}", self.bits(), self.id())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.der())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let der: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        Self::from_der(&der).map_err(serde::de::Error::custom)
    }
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use super::*;
    use crate::crypto::test_keys;

    #[test]
    fn a_key_survives_its_der_form() {
        let key = test_keys::ada().public_key().clone();
        assert_eq!(PublicKey::from_der(key.der()), Ok(key.clone()));
        assert_eq!(key.bits(), 2048);
    }

    #[test]
    fn only_good_rsa_keys_are_taken() {
        let der = test_keys::ada().public_key().der().to_vec();
        assert_eq!(PublicKey::from_der(b"noise"), Err(KeyError::NotRsa));
        assert_eq!(PublicKey::from_der(&der[..der.len() - 1]), Err(KeyError::NotRsa));
        assert_eq!(PublicKey::from_der(&[&der[..], &[0]].concat()), Err(KeyError::NotRsa), "trailing byte");

        let key = |bits: u32, e: u64| {
            // Any odd number of the right length will do, because the test never needs its factors.
            let n = BoxedUint::from_be_slice(&vec![0xff; bits as usize / 8], bits).unwrap();
            PublicKey::from_rsa(RsaPublicKey::new(n, BoxedUint::from(e)).unwrap()).map(|_| ())
        };
        assert_eq!(key(1024, 65_537), Err(KeyError::BadSize(1024)));
        assert_eq!(key(8192, 65_537), Err(KeyError::BadSize(8192)));
        assert_eq!(key(2048, 3), Err(KeyError::BadExponent));
        assert_eq!(key(4096, 65_537), Ok(()));
    }
}
