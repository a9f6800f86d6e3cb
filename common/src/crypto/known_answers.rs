//! What others have computed: vectors of RFC 9180, Wycheproof's vectors of known attacks, and a second implementation
//! (aws-lc) in both directions.
//!
//! RSA goes through the functions that letters and proofs use. HPKE has no way in at ChaCha20-Poly1305 and X25519, so
//! these are the crates that it builds on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use aws_lc_rs::{
    agreement, digest, kem,
    rand::SystemRandom,
    rsa as aws_rsa,
    signature::{self, KeyPair},
};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{AeadInOut, Nonce, Tag},
};
use hpke::{
    Deserializable, Kem, OpModeR, PskBundle, Serializable,
    kem::{MlKem768, X25519HkdfSha256, XWing},
};
use rand::rng;
use rsa::pkcs8::SecretDocument;
use wycheproof::{TestResult, aead, mlkem, rsa_oaep, rsa_pss_verify, xdh};

use super::{Identity, PublicKey, test_keys};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}

#[test]
fn hpke_opens_the_vector_of_rfc_9180() {
    // Appendix A.2.2: mode_psk, HKDF-SHA256 and ChaCha20-Poly1305 as in letters. The RFC has no X-Wing; its KEM is X25519.
    type KemOfTheRfc = X25519HkdfSha256;
    let private_key = bytes("77d114e0212be51cb1d76fa99dd41cfd4d0166b08caa09074430a6c59ef17879");
    let encapsulation = bytes("2261299c3f40a9afc133b969a97f05e95be2c514e54f3de26cbe5644ac735b04");
    let psk = bytes("0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82");
    let ciphertext =
        bytes("4a177f9c0d6f15cfdf533fb65bf84aecdc6ab16b8b85b4cf65a370e07fc1d78d28fb073214525276f4a89608ff");
    let open = |psk: &[u8], psk_id: &[u8], info: &[u8]| {
        let mode = OpModeR::Psk(PskBundle::new(psk, psk_id).unwrap());
        let private_key = <KemOfTheRfc as Kem>::PrivateKey::from_bytes(&private_key).unwrap();
        let encapsulation = <KemOfTheRfc as Kem>::EncappedKey::from_bytes(&encapsulation).unwrap();
        hpke::setup_receiver::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, KemOfTheRfc>(
            &mode,
            &private_key,
            &encapsulation,
            info,
        )
        .unwrap()
        .open(&ciphertext, b"Count-0")
    };
    assert_eq!(
        open(&psk, b"Ennyn Durin aran Moria", b"Ode on a Grecian Urn").unwrap(),
        b"Beauty is truth, truth beauty"
    );
    assert!(open(&[1; 32], b"Ennyn Durin aran Moria", b"Ode on a Grecian Urn").is_err());
    assert!(open(&psk, b"Ennyn Durin", b"Ode on a Grecian Urn").is_err());
    assert!(open(&psk, b"Ennyn Durin aran Moria", b"Ode").is_err());
}

#[test]
fn rsa_oaep_of_wycheproof() {
    use rsa_oaep::TestName::{Rsa2048Sha256Mgf1Sha256, Rsa3072Sha256Mgf1Sha256, Rsa4096Sha256Mgf1Sha256};
    let mut count = 0;
    for name in [Rsa2048Sha256Mgf1Sha256, Rsa3072Sha256Mgf1Sha256, Rsa4096Sha256Mgf1Sha256] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let identity = Identity::from_pem(&group.pem).unwrap();
            for test in group.tests {
                count += 1;
                let opened = identity.unwrap(&test.label, &test.ct);
                match test.result {
                    TestResult::Invalid => assert!(opened.is_none(), "{name:?} {}", test.tc_id),
                    TestResult::Valid => assert_eq!(opened.unwrap()[..], test.pt[..], "{name:?} {}", test.tc_id),
                    // Acceptable: if it opens, then as it should.
                    TestResult::Acceptable => assert!(opened.is_none_or(|opened| opened[..] == test.pt[..])),
                }
            }
        }
    }
    assert!(count > 60, "{count} vectors");
}

#[test]
fn rsa_pss_of_wycheproof() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
    };
    let mut count = 0;
    let names = [RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32];
    // A signature with another length of salt is not ours.
    for name in names.into_iter().chain([RsaPss2048Sha256Mgf1SaltLen0]) {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_der(&group.der).unwrap();
            for test in group.tests {
                // What is invalid because its salt is not empty may be a signature of ours.
                if group.salt_size != 32 && test.result != TestResult::Valid {
                    continue;
                }
                count += 1;
                let is_valid = test.result != TestResult::Invalid && group.salt_size == 32;
                assert_eq!(key.verify(&test.msg, &test.sig), is_valid, "{name:?} {}", test.tc_id);
            }
        }
    }
    assert!(count > 200, "{count} vectors");
}

#[test]
fn chacha20_poly1305_of_wycheproof() {
    let mut count = 0;
    for group in aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap().test_groups {
        for test in group.tests.iter().filter(|test| test.nonce.len() == 12) {
            count += 1;
            let cipher = ChaCha20Poly1305::new_from_slice(&test.key).unwrap();
            let nonce = Nonce::<ChaCha20Poly1305>::try_from(&test.nonce[..]).unwrap();
            let tag = Tag::<ChaCha20Poly1305>::try_from(&test.tag[..]).unwrap();
            let mut text = test.ct.to_vec();
            let opened = cipher.decrypt_inout_detached(&nonce, &test.aad, text.as_mut_slice().into(), &tag);
            assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
            assert!(opened.is_err() || text == test.pt[..], "{}", test.tc_id);
        }
    }
    assert!(count > 250, "{count} vectors");
}

#[test]
fn x25519_of_wycheproof() {
    let mut count = 0;
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let (Ok(private), Ok(public)) =
                (<[u8; 32]>::try_from(&test.private_key[..]), <[u8; 32]>::try_from(&test.public_key[..]))
            else {
                continue;
            };
            count += 1;
            let secret = x25519_dalek::StaticSecret::from(private);
            let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(public));
            // X-Wing takes what comes out of a low order point too: its other half keeps the secret.
            assert_eq!(shared.as_bytes()[..], test.shared_secret[..], "{}", test.tc_id);
        }
    }
    assert!(count > 500, "{count} vectors");
}

#[test]
fn ml_kem_768_of_wycheproof() {
    let (mut count, mut invalid_count) = (0, 0);
    for name in [mlkem::TestName::MlKem768, mlkem::TestName::MlKem768KeyGenSeed] {
        for group in mlkem::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Ok(seed) = <MlKem768 as Kem>::PrivateKey::from_bytes(&test.seed.unwrap()) else {
                    assert_eq!(test.result, TestResult::Invalid, "{name:?} {}", test.tc_id);
                    continue;
                };
                count += 1;
                if let (Some(key), TestResult::Valid) = (&test.encaps_key, test.result) {
                    assert_eq!(MlKem768::sk_to_pk(&seed).to_bytes()[..], key[..], "{name:?} {}", test.tc_id);
                }
                let Some(ciphertext) = &test.ct else { continue };
                let Ok(ciphertext) = <MlKem768 as Kem>::EncappedKey::from_bytes(ciphertext) else {
                    assert_eq!(test.result, TestResult::Invalid, "{name:?} {}", test.tc_id);
                    continue;
                };
                let shared = MlKem768::decap(&seed, None, &ciphertext).unwrap();
                let is_equal = shared.0[..] == test.shared_secret.unwrap()[..];
                assert_eq!(is_equal, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            }
        }
    }
    // Public keys with coefficients of 3329 and more: a session key that contains one must be refused.
    for group in mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap().test_groups {
        for test in group.tests {
            let key = [&test.encaps_key.unwrap()[..], &[9; 32]].concat();
            let is_taken = <XWing as Kem>::PublicKey::from_bytes(&key).is_ok();
            assert_eq!(is_taken, test.result == TestResult::Valid, "encapsulation {}", test.tc_id);
            invalid_count += usize::from(!is_taken);
        }
    }
    assert!(count > 50 && invalid_count > 10, "{count} and {invalid_count} vectors");
}

fn pkcs8(identity: &Identity) -> Vec<u8> {
    SecretDocument::from_pem(&identity.to_pem()).unwrap().1.as_bytes().to_vec()
}

#[test]
fn rsa_oaep_agrees_with_aws_lc_in_both_directions() {
    let (bob, label) = (test_keys::bob(), b"triptych letter v2");
    let algorithm = &aws_rsa::OAEP_SHA256_MGF1SHA256;
    let private = aws_rsa::PrivateDecryptingKey::from_pkcs8(&pkcs8(&bob)).unwrap();
    let private = aws_rsa::OaepPrivateDecryptingKey::new(private).unwrap();
    let wrapped = bob.public_key().wrap(label, &[7; 32]);
    let mut room = vec![0; 256];
    assert_eq!(private.decrypt(algorithm, &wrapped, &mut room, Some(label)).unwrap(), [7; 32]);
    assert!(private.decrypt(algorithm, &wrapped, &mut room, Some(b"another label")).is_err());

    let public = aws_rsa::PublicEncryptingKey::from_der(bob.public_key().der()).unwrap();
    let public = aws_rsa::OaepPublicEncryptingKey::new(public).unwrap();
    let wrapped = public.encrypt(algorithm, &[8; 32], &mut room, Some(label)).unwrap();
    assert_eq!(bob.unwrap(label, wrapped).unwrap()[..], [8; 32]);
    assert!(bob.unwrap(b"another label", wrapped).is_none());
}

#[test]
fn rsa_pss_agrees_with_aws_lc_in_both_directions() {
    let ada = test_keys::ada();
    let pair = signature::RsaKeyPair::from_pkcs8(&pkcs8(&ada)).unwrap();
    let verifier = signature::UnparsedPublicKey::new(&signature::RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref());
    assert!(verifier.verify(b"text", &ada.sign(b"text")).is_ok());
    assert!(verifier.verify(b"other", &ada.sign(b"text")).is_err());
    let mut signed = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), b"text", &mut signed).unwrap();
    assert!(ada.public_key().verify(b"text", &signed));
    assert!(!ada.public_key().verify(b"other", &signed));
}

/// X-Wing's combiner (draft-connolly-cfrg-xwing-kem §5.3).
fn combine(ml_kem_shared: &[u8], x_shared: &[u8], x_ciphertext: &[u8], x_public: &[u8]) -> Vec<u8> {
    let input = [ml_kem_shared, x_shared, x_ciphertext, x_public, br"\.//^\"].concat();
    digest::digest(&digest::SHA3_256, &input).as_ref().to_vec()
}

fn agree(private: &agreement::PrivateKey, public: &[u8]) -> Vec<u8> {
    let public = agreement::UnparsedPublicKey::new(&agreement::X25519, public);
    agreement::agree(private, public, (), |shared| Ok(shared.to_vec())).unwrap()
}

#[test]
fn x_wing_agrees_with_aws_lc_in_both_directions() {
    // Sealed by aws-lc for a session key of ours.
    let (private, public) = XWing::gen_keypair_with_rng(&mut rng());
    let public = public.to_bytes();
    let (ml_kem_public, x_public) = public.split_at(1184);
    let key = kem::EncapsulationKey::new(&kem::ML_KEM_768, ml_kem_public).unwrap();
    let (ml_kem_ciphertext, ml_kem_shared) = key.encapsulate().unwrap();
    let ephemeral = agreement::PrivateKey::generate(&agreement::X25519).unwrap();
    let ephemeral_public = ephemeral.compute_public_key().unwrap();
    let shared = combine(ml_kem_shared.as_ref(), &agree(&ephemeral, x_public), ephemeral_public.as_ref(), x_public);
    let encapsulation = [ml_kem_ciphertext.as_ref(), ephemeral_public.as_ref()].concat();
    let encapsulation = <XWing as Kem>::EncappedKey::from_bytes(&encapsulation).unwrap();
    assert_eq!(XWing::decap(&private, None, &encapsulation).unwrap().0[..], shared[..]);

    // Sealed by us for a key of aws-lc.
    let ml_kem_private = kem::DecapsulationKey::generate(&kem::ML_KEM_768).unwrap();
    let ml_kem_public = ml_kem_private.encapsulation_key().unwrap();
    let x_private = agreement::PrivateKey::generate(&agreement::X25519).unwrap();
    let x_public = x_private.compute_public_key().unwrap();
    let public = [ml_kem_public.key_bytes().unwrap().as_ref(), x_public.as_ref()].concat();
    let public = <XWing as Kem>::PublicKey::from_bytes(&public).unwrap();
    let (shared, encapsulation) = XWing::encap_with_rng(&public, None, &mut rng()).unwrap();
    let encapsulation = encapsulation.to_bytes();
    let (ml_kem_ciphertext, x_ciphertext) = encapsulation.split_at(1088);
    let ml_kem_shared = ml_kem_private.decapsulate(ml_kem_ciphertext.into()).unwrap();
    let theirs = combine(ml_kem_shared.as_ref(), &agree(&x_private, x_ciphertext), x_ciphertext, x_public.as_ref());
    assert_eq!(shared.0[..], theirs[..]);
}
