//! Tests of sealing and opening: mostly of envelopes that must not open.

use proptest::prelude::*;

use super::{
    CannotOpen, Envelope, EnvelopeError, Identity, Message, PublicKey, SealError, attempt, open, seal, test_keys,
};
use crate::limits::MAX_TEXT_BYTES;

fn message(text: &str) -> Message {
    Message { sent_unix_millis: 1_770_000_000_123, text: text.to_owned() }
}

fn keys(people: &[&Identity]) -> Vec<PublicKey> {
    people.iter().map(|person| person.public_key().clone()).collect()
}

/// The envelope with one byte changed, if its layout still holds.
fn with_flipped(envelope: &Envelope, position: usize) -> Option<Envelope> {
    let mut bytes = envelope.as_bytes().to_vec();
    bytes[position] ^= 1;
    Envelope::parse(bytes).ok()
}

#[test]
fn each_recipient_and_no_other_key_opens_an_envelope() {
    let (ada, bob, eve) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let to_bob = seal(&message("Hallo, 世界! 🦀\nzweite Zeile"), 1, &ada, &keys(&[&bob])).unwrap();
    assert_eq!(open(&to_bob, &bob, ada.public_key()).map(|l| l.text).unwrap(), "Hallo, 世界! 🦀\nzweite Zeile");
    assert_eq!(open(&to_bob, &eve, ada.public_key()).err(), Some(CannotOpen));
    assert_eq!(attempt(&to_bob, &eve), Err(CannotOpen));
    assert_eq!(attempt(&to_bob, &bob), Ok(()), "an attempt is a real one");

    let to_both = seal(&message("all"), 2, &ada, &keys(&[&bob, &eve, &bob])).unwrap();
    assert_eq!(to_both.slots().len(), 2, "a repeated recipient counts once");
    for reader in [&bob, &eve] {
        assert!(open(&to_both, reader, ada.public_key()).is_ok_and(|l| l == message("all")));
    }
}

#[test]
fn the_sender_must_be_who_the_header_says() {
    let (ada, bob, eve) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let envelope = seal(&message("x"), 1, &ada, &keys(&[&bob])).unwrap();
    assert_eq!(open(&envelope, &bob, eve.public_key()).err(), Some(CannotOpen));

    // Eve puts Ada's key id over her own message.
    let mut forged = seal(&message("x"), 1, &eve, &keys(&[&bob])).unwrap();
    let sender_at = 1 + 1 + 16 + 8;
    forged.bytes[sender_at..sender_at + 32].copy_from_slice(&ada.public_key().id().0);
    let forged = Envelope::parse(forged.bytes).unwrap();
    assert_eq!(open(&forged, &bob, ada.public_key()).err(), Some(CannotOpen));
}

#[test]
fn a_recipient_cannot_pass_the_message_on_in_the_senders_name() {
    // Bob moves the body he got from Ada under a header for Eve, with the secret wrapped for Eve.
    let (ada, bob, eve) = (test_keys::ada(), test_keys::bob(), test_keys::eve());
    let to_bob = seal(&message("for Bob"), 1, &ada, &keys(&[&bob])).unwrap();
    let to_eve = seal(&message("for Eve"), 1, &ada, &keys(&[&eve])).unwrap();
    let spliced = [to_eve.header(), to_bob.body()].concat();
    let spliced = Envelope::parse(spliced).unwrap();
    assert_eq!(open(&spliced, &eve, ada.public_key()).err(), Some(CannotOpen));
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    let envelope = seal(&message("short"), 1, &ada, &keys(&[&bob])).unwrap();
    for position in (0..envelope.as_bytes().len()).step_by(7) {
        if let Some(changed) = with_flipped(&envelope, position) {
            assert_eq!(open(&changed, &bob, ada.public_key()).err(), Some(CannotOpen), "byte {position}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    let bytes = seal(&message("short"), 1, &ada, &keys(&[&bob])).unwrap().as_bytes().to_vec();
    for length in 0..bytes.len() {
        let opened = Envelope::parse(bytes[..length].to_vec()).map(|cut| open(&cut, &bob, ada.public_key()));
        assert!(matches!(opened, Err(EnvelopeError::Short) | Ok(Err(CannotOpen))), "{length} bytes");
    }
}

#[test]
fn layouts_that_lie_are_refused_with_the_reason() {
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    let bytes = seal(&message("x"), 1, &ada, &keys(&[&bob])).unwrap().as_bytes().to_vec();
    let changed = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Envelope::parse(bytes).err()
    };
    assert_eq!(changed(0, &[2]), Some(EnvelopeError::Unknown(2, 1)));
    assert_eq!(changed(58, &[0, 0]), Some(EnvelopeError::BadRecipientCount(0)));
    assert_eq!(changed(58, &[0xff, 0xff]), Some(EnvelopeError::BadRecipientCount(65_535)));
    assert_eq!(changed(92, &[0, 1]), Some(EnvelopeError::BadWrappedLength(1)));
    assert_eq!(
        Envelope::parse([&bytes[..], &[0; 20_000]].concat()).err().map(|e| matches!(e, EnvelopeError::LongBody(_))),
        Some(true)
    );
}

#[test]
fn texts_up_to_the_limit_fit_and_longer_ones_are_refused_before_sealing() {
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    let longest = "ž".repeat(MAX_TEXT_BYTES / 2);
    let envelope = seal(&message(&longest), 1, &ada, &keys(&[&bob])).unwrap();
    assert!(open(&envelope, &bob, ada.public_key()).is_ok_and(|l| l.text == longest));
    let refused = seal(&message(&(longest + "x")), 1, &ada, &keys(&[&bob])).err();
    assert_eq!(refused, Some(SealError::LongText(MAX_TEXT_BYTES + 1)));
    assert_eq!(seal(&message("x"), 1, &ada, &[]).err(), Some(SealError::BadRecipientCount(0)));
}

#[test]
fn texts_of_similar_length_look_alike_and_equal_texts_do_not() {
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    let sealed = |text| seal(&message(text), 1, &ada, &keys(&[&bob])).unwrap();
    assert_eq!(sealed("yes").as_bytes().len(), sealed("no, never").as_bytes().len());
    assert_ne!(sealed("yes").body(), sealed("yes").body());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_comes_out_as_it_went_in(text in ".{0,400}", sequence: u64, sent_unix_millis: u64) {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let message = Message { sent_unix_millis, text };
        let sealed = seal(&message, sequence, &ada, &keys(&[&bob])).unwrap();
        let travelled = Envelope::parse(sealed.as_bytes().to_vec()).unwrap();
        prop_assert_eq!(travelled.sequence, sequence);
        prop_assert!(open(&travelled, &bob, ada.public_key()).is_ok_and(|opened| opened == message));
    }

    #[test]
    fn noise_is_no_envelope(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Envelope::parse(noise).is_err());
    }
}
