//! A session record from a member: parsing it never panics, keeps its bytes, and only the real one verifies.
#![no_main]

use std::sync::LazyLock;

use common::{
    crypto::{Identity, SessionRecord, test_keys},
    name::Name,
};
use libfuzzer_sys::fuzz_target;

static BOB: LazyLock<Identity> = LazyLock::new(test_keys::bob);
static NAME: LazyLock<Name> = LazyLock::new(|| Name::parse("Bob").unwrap());

/// The record that changed ones are made from.
static RECORD: LazyLock<SessionRecord> = LazyLock::new(|| {
    SessionRecord::sign(test_keys::session_keys().current().public_key(), 1_780_000_000_000, &BOB, &NAME, &[7; 32])
});

/// The real record with some bytes replaced, or the input itself, as its first byte says.
fn candidate(input: &[u8]) -> Vec<u8> {
    let Some((0, changes)) = input.split_first().map(|(choice, rest)| (choice % 2, rest)) else {
        return input.get(1..).unwrap_or_default().to_vec();
    };
    let mut bytes = RECORD.as_bytes().to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let bytes = candidate(input);
    let Ok(record) = SessionRecord::parse(&bytes) else { return };
    assert_eq!(record.as_bytes(), bytes);
    assert!(bytes.len() <= SessionRecord::MAX_BYTES);
    let holds = record.verify(BOB.public_key(), &NAME, &[7; 32]);
    assert_eq!(holds, bytes == RECORD.as_bytes(), "a changed record verifies");
    assert!(!record.replaces(&record));
});
