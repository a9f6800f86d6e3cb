//! An envelope from a member: parsing it never panics and keeps its bytes, and only the real letter is ever opened.
#![no_main]

use std::{sync::LazyLock, time::Instant};

use common::crypto::{Addressed, Envelope, Identity, SessionKeys, letter, sender_key_store::SenderKeyStore, test_keys};
use libfuzzer_sys::fuzz_target;

#[path = "../vectors.rs"]
mod vectors;

static ADA: LazyLock<Identity> = LazyLock::new(test_keys::ada);
static BOB: LazyLock<Identity> = LazyLock::new(test_keys::bob);
static SESSIONS: LazyLock<SessionKeys> = LazyLock::new(test_keys::session_keys);

/// The only envelope that may be opened.
static LETTER: LazyLock<Vec<u8>> = LazyLock::new(vectors::letter_that_opens);

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::parse(bytes.to_vec()) else { return };
    assert_eq!(envelope.as_bytes(), bytes);
    assert!(bytes.ends_with(envelope.body()));
    let is_opened = match envelope.addressed {
        Addressed::Letter { .. } => letter::open(&envelope, &BOB, &SESSIONS, ADA.public_key()).is_ok(),
        Addressed::Everyone { .. } => SenderKeyStore::default().open(&envelope, Instant::now()).is_ok(),
    };
    assert_eq!(is_opened, bytes == *LETTER, "a changed envelope was opened, or the real one was not");
    assert_eq!(envelope.recipient().is_some(), matches!(envelope.addressed, Addressed::Letter { .. }));
});
