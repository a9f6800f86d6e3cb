//! The private key of a person: generation, PEM form, signing and decryption.

use rand::rng;
use rsa::{
    Oaep, RsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
    pss,
    signature::{RandomizedSigner, SignatureEncoding},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::public_key::{KeyError, PublicKey};

/// A person's key pair. It has no `Debug`, so that no log can leak it, and is zeroed when dropped.
pub struct Identity {
    private: RsaPrivateKey,
    public: PublicKey,
}

/// Why a text is not an [`Identity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not PKCS#8 in PEM.
    #[error("not an RSA private key in PKCS#8 PEM form")]
    NotRsa,
    /// The key has an unsupported size or exponent.
    #[error(transparent)]
    BadKey(#[from] KeyError),
}

impl Identity {
    /// The modulus length of new keys.
    pub const DEFAULT_BITS: usize = 3072;

    /// Generates a key pair. Takes seconds: never call it on the user interface's thread.
    ///
    /// # Panics
    /// When `bits` is outside 2048 to 4096.
    pub fn generate(bits: usize) -> Self {
        let private = RsaPrivateKey::new(&mut rng(), bits).expect("rsa can make keys of 2048 to 4096 bits");
        Self::from_rsa(private).expect("the key has 2048 to 4096 bits, and rsa uses exponent 65537")
    }

    /// Parses PKCS#8 PEM (RFC 5958).
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let private = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| IdentityError::NotRsa)?;
        Ok(Self::from_rsa(private)?)
    }

    /// Encodes as PKCS#8 PEM (RFC 5958).
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.private.to_pkcs8_pem(LineEnding::LF).expect("a valid key has a PEM form")
    }

    /// A key pair from each two primes of some others that together give a modulus of the full length. Takes milliseconds
    /// each instead of the time to find primes. For tests only: two of these keys are enough to factor others.
    #[cfg(feature = "test-keys")]
    pub(super) fn combined(identities: &[Self]) -> Vec<Self> {
        use rsa::traits::{PrivateKeyParts, PublicKeyParts};
        let primes: Vec<_> = identities.iter().flat_map(|identity| identity.private.primes()).collect();
        let pairs = primes.iter().enumerate().flat_map(|(n, p)| primes[..n].iter().map(move |q| (p, q)));
        let exponent = || identities[0].private.e().clone();
        let key = |(p, q): (_, _)| RsaPrivateKey::from_p_q(p, q, exponent()).ok();
        let keys = pairs.map(|(p, q)| ((**p).clone().get(), (**q).clone().get())).filter_map(key);
        keys.filter_map(|key| Self::from_rsa(key).ok()).collect()
    }

    fn from_rsa(private: RsaPrivateKey) -> Result<Self, KeyError> {
        let public = PublicKey::from_rsa(private.to_public_key())?;
        Ok(Self { private, public })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` with RSASSA-PSS, SHA-256, salt of 32 bytes (RFC 8017 §8.1).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        pss::SigningKey::<Sha256>::new(self.private.clone()).sign_with_rng(&mut rng(), message).to_vec()
    }

    /// Decrypts `wrapped` with RSAES-OAEP (RFC 8017 §7.1.2), blinded against timing attacks. `None` when that fails.
    pub(super) fn unwrap(&self, label: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let padding = Oaep::<Sha256>::new_with_label(label);
        self.private.decrypt_blinded(&mut rng(), padding, wrapped).ok().map(Zeroizing::new)
    }
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use super::*;
    use crate::crypto::test_keys;

    #[test]
    fn an_identity_survives_its_pem_form() {
        let ada = test_keys::ada();
        let again = Identity::from_pem(&ada.to_pem()).unwrap();
        assert!(ada.public_key().verify(b"text", &again.sign(b"text")));
        assert!(!ada.public_key().verify(b"other", &again.sign(b"text")));
    }

    #[test]
    fn a_new_key_has_the_size_asked_for() {
        assert_eq!(Identity::generate(2048).public_key().bits(), 2048);
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        assert_eq!(Identity::from_pem("hello").err(), Some(IdentityError::NotRsa));
    }
}
