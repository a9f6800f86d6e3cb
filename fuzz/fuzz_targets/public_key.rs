//! A public key from a peer: parsing it never panics, and a key has one form only.
#![no_main]

use common::crypto::PublicKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    if let Ok(key) = PublicKey::from_der(der) {
        assert_eq!(key.der(), der);
        assert!((2048..=4096).contains(&key.bits()));
        assert!(!key.verify(b"message", &der[..der.len().min(256)]));
    }
});
