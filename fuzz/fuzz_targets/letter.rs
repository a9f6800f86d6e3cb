//! A letter from a member: a changed one is never opened. The input replaces bytes of the letter that opens.
#![no_main]

use std::sync::LazyLock;

use common::crypto::{
    Envelope, Identity, SessionKeys,
    letter::{attempt, open},
    test_keys,
};
use libfuzzer_sys::fuzz_target;

#[path = "../vectors.rs"]
mod vectors;

static ADA: LazyLock<Identity> = LazyLock::new(test_keys::ada);
static BOB: LazyLock<Identity> = LazyLock::new(test_keys::bob);
static SESSIONS: LazyLock<SessionKeys> = LazyLock::new(test_keys::session_keys);

static LETTER: LazyLock<Vec<u8>> = LazyLock::new(vectors::letter_that_opens);

/// The real letter with some bytes replaced and cut, or the input itself, as its first byte says.
fn candidate(input: &[u8]) -> Vec<u8> {
    let Some((0, changes)) = input.split_first().map(|(choice, rest)| (choice % 2, rest)) else {
        return input.get(1..).unwrap_or_default().to_vec();
    };
    let mut bytes = LETTER.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    if let [cut] = changes.chunks_exact(3).remainder() {
        bytes.truncate(bytes.len() - usize::from(*cut));
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let bytes = candidate(input);
    let Ok(envelope) = Envelope::parse(bytes.clone()) else { return };
    assert_eq!(envelope.as_bytes(), bytes);
    let opened = open(&envelope, &BOB, &SESSIONS, ADA.public_key());
    assert_eq!(opened.is_ok(), bytes == *LETTER, "a changed letter was opened");
    let _ = attempt(&envelope, &BOB);
});
