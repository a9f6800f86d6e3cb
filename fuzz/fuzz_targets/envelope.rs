//! An envelope from a member: parsing it never panics, keeps its bytes, and a changed one is never opened.
#![no_main]

use std::sync::LazyLock;

use common::crypto::{Envelope, Identity, open, test_keys};
use libfuzzer_sys::fuzz_target;

static ADA: LazyLock<Identity> = LazyLock::new(test_keys::ada);
static BOB: LazyLock<Identity> = LazyLock::new(test_keys::bob);

/// The envelope of `docs/vectors`, from Ada to Bob: the only one that may be opened.
static VECTOR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let hex = include_str!("../../docs/vectors/envelope.hex");
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(byte).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::parse(bytes.to_vec()) else { return };
    assert_eq!(envelope.as_bytes(), bytes);
    let recipients: Vec<_> = envelope.recipients().collect();
    assert_eq!(recipients.len(), envelope.slots().len());
    if recipients.contains(&BOB.public_key().id()) {
        let opened = open(&envelope, &BOB, ADA.public_key());
        assert!(opened.is_err() || bytes == *VECTOR, "a changed envelope was opened");
    }
});
