//! The private key of a person: generation, PEM form, signing and decryption.

use pkcs8::{
    EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument,
    pkcs5::{EncryptionScheme, pbes2::Kdf},
};
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
    /// Not encrypted PKCS#8 in PEM: another kind of file, or one that was cut off.
    #[error("not a whole private key that is encrypted with a passphrase (PKCS#8 PEM)")]
    NotEncrypted,
    /// It does not decrypt to a private key.
    #[error("the passphrase is wrong, or the file is damaged")]
    WrongPassphrase,
    /// Trying a passphrase would take minutes, or memory that this computer may lack.
    #[error("its passphrase is stretched more than any program does that makes such files")]
    TooCostly,
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

    /// Encrypts as PKCS#8 PEM (`EncryptedPrivateKeyInfo`, RFC 5958 §3) under a passphrase: PBES2 (RFC 8018 §6.2) with scrypt and
    /// AES-256-CBC. Takes up to a second.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Zeroizing<String> {
        let pem = self.private.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF);
        pem.expect("the system has random numbers, and a valid key has an encrypted form")
    }

    /// Parses what [`Self::to_encrypted_pem`] makes, also with another key derivation of RFC 8018. Takes up to seconds.
    ///
    /// # Errors
    /// [`IdentityError`] says whether it is the file, the passphrase or the key.
    pub fn from_encrypted_pem(pem: &str, passphrase: &str) -> Result<Self, IdentityError> {
        let (label, document) = SecretDocument::from_pem(pem.trim()).map_err(|_| IdentityError::NotEncrypted)?;
        if label != "ENCRYPTED PRIVATE KEY" {
            return Err(IdentityError::NotEncrypted);
        }
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
        let encrypted = encrypted.map_err(|_| IdentityError::NotEncrypted)?;
        if !is_affordable(&encrypted.encryption_algorithm) {
            return Err(IdentityError::TooCostly);
        }
        let decrypted = encrypted.decrypt(passphrase).map_err(|_| IdentityError::WrongPassphrase)?;
        // There is no tag: a wrong passphrase shows in that no key comes out. One that comes out and is no RSA key is another kind.
        let info = PrivateKeyInfoRef::try_from(decrypted.as_bytes()).map_err(|_| IdentityError::WrongPassphrase)?;
        Ok(Self::from_rsa(RsaPrivateKey::try_from(info).map_err(|_| IdentityError::NotRsa)?)?)
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

/// Whether a key derivation takes no more than seconds and 1 GiB: the file says how costly it is, and may come from anyone.
fn is_affordable(scheme: &EncryptionScheme) -> bool {
    let Some(parameters) = scheme.pbes2() else { return true };
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let block_bytes = u64::from(scrypt.block_size) * 128;
            let memory_bytes = scrypt.cost_parameter.checked_mul(block_bytes);
            memory_bytes.is_some_and(|bytes| bytes <= 1 << 30) && scrypt.parallelization <= 16
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= 10_000_000,
        _ => false,
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
    fn an_identity_survives_its_encrypted_form_with_its_passphrase_only() {
        let ada = test_keys::ada();
        let pem = ada.to_encrypted_pem("žluťoučký kůň");
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let again = Identity::from_encrypted_pem(&pem, "žluťoučký kůň").map(|again| again.public_key().clone());
        assert_eq!(again.as_ref(), Ok(ada.public_key()));
        for wrong in ["", "žluťoučký kůň ", "zlutoucky kun"] {
            assert_eq!(
                Identity::from_encrypted_pem(&pem, wrong).err(),
                Some(IdentityError::WrongPassphrase),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_file_that_is_cut_off_damaged_or_of_another_kind_is_named() {
        let pem = test_keys::bob().to_encrypted_pem("x");
        let cut: String = pem.chars().take(pem.len() / 2).collect();
        let plain = test_keys::bob().to_pem();
        for text in ["", "hello", &cut, &plain] {
            assert_eq!(Identity::from_encrypted_pem(text, "x").err(), Some(IdentityError::NotEncrypted), "{text:.30}");
        }
        assert_eq!(Identity::from_pem(&pem).err(), Some(IdentityError::NotRsa), "nor is it taken for a plain key");
        // A key of elliptic curves (`openssl genpkey`), passphrase `x`.
        let other_kind = include_str!("test_key_ed25519_encrypted.pem");
        assert_eq!(Identity::from_encrypted_pem(other_kind, "x").err(), Some(IdentityError::NotRsa));
        assert_eq!(Identity::from_encrypted_pem(other_kind, "y").err(), Some(IdentityError::WrongPassphrase));
        // One that asks for 16 GiB of memory for scrypt.
        let costly = include_str!("test_key_costly_encrypted.pem");
        assert_eq!(Identity::from_encrypted_pem(costly, "x").err(), Some(IdentityError::TooCostly));
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
