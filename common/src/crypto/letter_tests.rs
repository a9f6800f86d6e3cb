//! Tests of letters: mostly of letters that must not open, and what each adversary holds when they do not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::time::Instant;

use hpke::{Deserializable, Kem, kem::XWing};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{
    Addressed, CannotOpen, Envelope, EnvelopeError, Identity, MessageId, PublicKey, RENEW_AFTER, SessionKey,
    SessionKeys, SessionRecord, TextNumber,
    letter::{
        Content, Letter, SealError, attempt, decrypt, open, open_with, seal, seal_as, seal_under, to_be_signed, unwrap,
        write_header, write_inside,
    },
    test_keys,
};
use crate::{
    codec::{PREFIX_BYTES, encode_client},
    limits::{MAX_CLIENT_FRAME_BYTES, MAX_TEXT_BYTES},
    message::{Blob, ClientMessage},
    name::Name,
};

const NAME: &str = "Ada";
const NUMBER: TextNumber = TextNumber { count: 1_779_364_800_000_000, number: 1 };

fn text(text: &str) -> Letter {
    Letter { sent_unix_millis: 1_780_000_000_000, content: Content::Text(NUMBER, text.to_owned()) }
}

/// One who can be written to: an RSA key, and session keys.
struct Reader {
    identity: Identity,
    sessions: SessionKeys,
}

impl Reader {
    fn new(identity: Identity) -> Self {
        Self { identity, sessions: SessionKeys::new(Instant::now()) }
    }

    fn record(&self) -> SessionRecord {
        record(&self.identity, self.sessions.current())
    }

    fn key(&self) -> &PublicKey {
        self.identity.public_key()
    }

    fn open(&self, envelope: &Envelope, sender: &Identity) -> Result<Letter, CannotOpen> {
        open(envelope, &self.identity, &self.sessions, sender.public_key())
    }
}

fn record(owner: &Identity, session: &SessionKey) -> SessionRecord {
    SessionRecord::sign(session.public_key(), 1, owner, &Name::parse(NAME).expect("a valid name"), &[0; 32])
}

fn sealed(letter: &Letter, sender: &Identity, to: &Reader) -> Envelope {
    seal(letter, 7, sender, to.key(), &to.record()).expect("the letter can be sealed")
}

fn parts(envelope: &Envelope) -> (&super::Slot, super::SessionId) {
    match &envelope.addressed {
        Addressed::Letter { slot, session } => (slot, *session),
        Addressed::Everyone { .. } => panic!("not a letter"),
    }
}

fn session_public_key(session: &SessionKey) -> <XWing as Kem>::PublicKey {
    <XWing as Kem>::PublicKey::from_bytes(session.public_key()).expect("a key that was just made")
}

#[test]
fn the_recipient_and_nobody_else_opens_a_letter() {
    let (ada, bob, eve) = (test_keys::ada(), Reader::new(test_keys::bob()), Reader::new(test_keys::eve()));
    for content in [
        Content::Text(NUMBER, "Hallo, 世界! 🦀\nzweite Zeile".to_owned()),
        Content::Text(TextNumber { count: u64::MAX, number: u32::MAX }, String::new()),
        Content::SenderKey(NUMBER, Zeroizing::new(vec![5; 229])),
        Content::Receipt(vec![MessageId([3; 16])]),
        Content::Receipt((0..64).map(|number| MessageId([number; 16])).collect()),
    ] {
        let letter = Letter { sent_unix_millis: 5, content };
        let envelope = Envelope::parse(sealed(&letter, &ada, &bob).as_bytes().to_vec()).unwrap();
        assert_eq!((envelope.sequence, envelope.sender), (7, ada.public_key().id()));
        assert_eq!(envelope.recipient(), Some(bob.key().id()));
        assert!(bob.open(&envelope, &ada).is_ok_and(|opened| opened == letter));
        assert_eq!(eve.open(&envelope, &ada).err(), Some(CannotOpen));
        assert_eq!(attempt(&envelope, &eve.identity), Err(CannotOpen));
        assert_eq!(attempt(&envelope, &bob.identity), Ok(()), "an attempt is a real one");
    }
}

#[test]
fn the_rsa_key_alone_opens_nothing() {
    // A thief has Bob's RSA key and the recording, and no session key that existed at the time.
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let envelope = sealed(&text("secret"), &ada, &bob);
    let thief = Reader::new(test_keys::bob());
    assert_eq!(thief.open(&envelope, &ada).err(), Some(CannotOpen));
    // The thief gets the secret that RSA wrapped, and even so not the text, whatever session key is tried with it.
    let psk = unwrap(&envelope, parts(&envelope).0, &thief.identity).unwrap();
    assert!(decrypt(&envelope, &psk, thief.sessions.current()).is_none());
    assert!(decrypt(&envelope, &psk, bob.sessions.current()).is_some(), "with Bob's session key it would open");
}

#[test]
fn the_session_key_alone_opens_nothing() {
    // A thief has seen the session key in Bob's memory, and has not got the RSA key.
    let (ada, bob, eve) = (test_keys::ada(), Reader::new(test_keys::bob()), test_keys::eve());
    let envelope = sealed(&text("secret"), &ada, &bob);
    let session = bob.sessions.current();
    assert!(unwrap(&envelope, parts(&envelope).0, &eve).is_none());
    for guess in [[0; 32], [0xff; 32], super::sha256(envelope.header())] {
        assert!(decrypt(&envelope, &guess, session).is_none());
    }
    assert_eq!(open_with(&envelope, &eve, session, ada.public_key()).err(), Some(CannotOpen));
}

#[test]
fn a_letter_to_an_expired_session_key_stays_closed() {
    let (ada, mut bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let start = Instant::now();
    bob.sessions = SessionKeys::new(start);
    let envelope = sealed(&text("late"), &ada, &bob);
    assert!(bob.sessions.wipe_and_renew(start + RENEW_AFTER));
    assert!(bob.open(&envelope, &ada).is_ok(), "it was on its way");
    bob.sessions.wipe_and_renew(start + RENEW_AFTER + super::KEEP_AFTER_RENEWAL);
    assert_eq!(bob.open(&envelope, &ada).err(), Some(CannotOpen));
    assert!(bob.open(&sealed(&text("again"), &ada, &bob), &ada).is_ok(), "sealed again, it opens");
}

#[test]
fn every_letter_has_a_secret_of_its_own() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let (first, second) = (sealed(&text("same"), &ada, &bob), sealed(&text("same"), &ada, &bob));
    let psk = |envelope: &Envelope| unwrap(envelope, parts(envelope).0, &bob.identity).unwrap();
    assert_ne!(psk(&first), psk(&second));
    assert_ne!(first.message_id, second.message_id);
    assert_ne!(first.body(), second.body());
    // The secret of one letter does not open another.
    assert!(decrypt(&second, &psk(&first), bob.sessions.current()).is_none());
    // Nor does the wrapped secret of one letter, put into another in place of its own.
    let (wrapped, other) = (parts(&first).0.wrapped.clone(), parts(&second).0.wrapped.clone());
    let mut spliced = second.as_bytes().to_vec();
    spliced[other].copy_from_slice(&first.as_bytes()[wrapped]);
    assert_eq!(bob.open(&Envelope::parse(spliced).unwrap(), &ada).err(), Some(CannotOpen));
}

#[test]
fn a_letter_that_is_sent_again_keeps_its_id_and_shares_nothing_else() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let first = sealed(&text("same"), &ada, &bob);
    let again = seal_as(&text("same"), first.message_id, 8, &ada, bob.key(), &bob.record()).unwrap();
    assert_eq!(again.message_id, first.message_id);
    let psk = |envelope: &Envelope| unwrap(envelope, parts(envelope).0, &bob.identity).unwrap();
    assert_ne!(psk(&first), psk(&again));
    assert_ne!(first.body(), again.body());
    assert!([&first, &again].iter().all(|letter| bob.open(letter, &ada).is_ok_and(|opened| opened == text("same"))));
}

#[test]
fn the_sender_must_be_who_the_header_says() {
    let (ada, bob, eve) = (test_keys::ada(), Reader::new(test_keys::bob()), test_keys::eve());
    let envelope = sealed(&text("x"), &ada, &bob);
    assert_eq!(bob.open(&envelope, &eve).err(), Some(CannotOpen));
    // Eve sends Ada's letter again as her own, and her own as Ada's.
    for (real, shown) in [(&ada, &eve), (&eve, &ada)] {
        let mut bytes = sealed(&text("x"), real, &bob).as_bytes().to_vec();
        bytes[26..58].copy_from_slice(&shown.public_key().id().0);
        let forged = Envelope::parse(bytes).unwrap();
        assert_eq!(forged.sender, shown.public_key().id());
        assert_eq!(bob.open(&forged, shown).err(), Some(CannotOpen));
        assert_eq!(bob.open(&forged, real).err(), Some(CannotOpen));
    }
}

#[test]
fn a_recipient_cannot_pass_the_letter_on_in_the_senders_name() {
    // Bob takes what Ada signed out of her letter to him, and seals it for Eve under a header that names Ada.
    let (ada, bob, eve) = (test_keys::ada(), Reader::new(test_keys::bob()), Reader::new(test_keys::eve()));
    let to_bob = sealed(&text("for Bob"), &ada, &bob);
    let psk = unwrap(&to_bob, parts(&to_bob).0, &bob.identity).unwrap();
    let inside = decrypt(&to_bob, &psk, bob.sessions.current()).unwrap();
    let session = eve.sessions.current();
    let wrapped = eve.key().wrap(b"triptych letter v2", psk.as_slice());
    let header =
        write_header(to_bob.message_id, to_bob.sequence, ada.public_key().id(), eve.key().id(), session.id(), &wrapped);
    let forged = seal_under(header, &psk, &session_public_key(session), |_| inside).unwrap();
    let psk = unwrap(&forged, parts(&forged).0, &eve.identity).unwrap();
    assert!(decrypt(&forged, &psk, session).is_some(), "Eve decrypts it, and only the signature gives it away");
    assert_eq!(eve.open(&forged, &ada).err(), Some(CannotOpen));
}

/// A letter from Ada to Bob whose inside was changed after it was signed, or before.
fn with_inside(bob: &Reader, change: impl FnOnce(&mut Vec<u8>)) -> Envelope {
    let ada = test_keys::ada();
    let (psk, session) = ([9; 32], bob.sessions.current());
    let wrapped = bob.key().wrap(b"triptych letter v2", &psk);
    let header = write_header(MessageId([1; 16]), 7, ada.public_key().id(), bob.key().id(), session.id(), &wrapped);
    seal_under(header, &psk, &session_public_key(session), |header| {
        let letter = text("inside");
        let mut inside = write_inside(&letter, &ada.sign(&to_be_signed(header, &letter)));
        change(&mut inside);
        inside
    })
    .unwrap()
}

#[test]
fn an_inside_that_lies_is_refused() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    assert!(bob.open(&with_inside(&bob, |_| {}), &ada).is_ok(), "unchanged, it opens");
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 14] = [
        ("another kind", |inside| inside[0] = 1),
        ("an unknown kind", |inside| inside[0] = 3),
        ("another time", |inside| inside[8] ^= 1),
        ("another count", |inside| inside[13] ^= 1),
        ("the number 0", |inside| inside[24] = 0),
        ("another text", |inside| inside[25] ^= 1),
        ("no UTF-8", |inside| inside[25] = 0xff),
        ("a longer content", |inside| inside[12] += 1),
        ("a content beyond the end", |inside| inside[9] = 0xff),
        ("another signature", |inside| inside[37] ^= 1),
        ("a signature of another length", |inside| inside[32] ^= 1),
        ("padding that says something", |inside| *inside.last_mut().unwrap() = 1),
        ("padding of another length", |inside| inside.push(0)),
        ("a block of padding too much", |inside| inside.extend([0; 256])),
    ];
    for (what, change) in changes {
        assert_eq!(bob.open(&with_inside(&bob, change), &ada).err(), Some(CannotOpen), "{what}");
    }
    assert_eq!(bob.open(&with_inside(&bob, Vec::clear), &ada).err(), Some(CannotOpen), "nothing inside");
}

#[test]
fn a_receipt_names_1_to_64_messages() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    // Texts, which have a number of 12 bytes before them, signed as receipts.
    for (bytes, is_receipt) in [(16, true), (15, false), (17, false), (64 * 16, true), (65 * 16, false)] {
        let content = &*"x".repeat(bytes - 12);
        let (psk, session) = ([9; 32], bob.sessions.current());
        let wrapped = bob.key().wrap(b"triptych letter v2", &psk);
        let id = ada.public_key().id();
        let header = write_header(MessageId([1; 16]), 7, id, bob.key().id(), session.id(), &wrapped);
        let envelope = seal_under(header, &psk, &session_public_key(session), |header| {
            let letter = text(content);
            let mut signed = to_be_signed(header, &letter);
            let kind_at = 4 + 18 + 4 + 32 + 4;
            signed[kind_at] = 2;
            let mut inside = write_inside(&letter, &ada.sign(&signed));
            inside[0] = 2;
            inside
        })
        .unwrap();
        assert_eq!(bob.open(&envelope, &ada).is_ok(), is_receipt, "{bytes} bytes");
    }
}

#[test]
fn no_changed_byte_of_the_header_goes_unnoticed() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let envelope = sealed(&text("short"), &ada, &bob);
    let header_bytes = envelope.header().len();
    // The secret as it was, for what does not change it: RSA takes milliseconds.
    let psk = unwrap(&envelope, parts(&envelope).0, &bob.identity).unwrap();
    for position in (0..header_bytes).chain((header_bytes..envelope.as_bytes().len()).step_by(7)) {
        let mut bytes = envelope.as_bytes().to_vec();
        bytes[position] ^= 1;
        let Ok(changed) = Envelope::parse(bytes) else { continue };
        // Even by a reader who does not look at the addresses in the header.
        let secret = match position {
            108.. if !parts(&envelope).0.wrapped.contains(&position) => Some(psk.clone()),
            _ => changed.slot().and_then(|slot| unwrap(&changed, slot, &bob.identity)),
        };
        let inside = secret.and_then(|psk| decrypt(&changed, &psk, bob.sessions.current()));
        assert!(inside.is_none(), "byte {position}");
        if position < 108 || position % 41 == 0 {
            assert_eq!(bob.open(&changed, &ada).err(), Some(CannotOpen), "byte {position}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let bytes = sealed(&text("short"), &ada, &bob).as_bytes().to_vec();
    for length in (0..bytes.len()).step_by(3) {
        let opened = Envelope::parse(bytes[..length].to_vec()).map(|cut| bob.open(&cut, &ada));
        assert!(matches!(opened, Err(EnvelopeError::Short) | Ok(Err(CannotOpen))), "{length} bytes");
    }
}

#[test]
fn layouts_that_lie_are_refused_with_the_reason() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let bytes = sealed(&text("x"), &ada, &bob).as_bytes().to_vec();
    let changed = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Envelope::parse(bytes).err()
    };
    assert_eq!(changed(0, &[2]), Some(EnvelopeError::Unknown(2, 2)));
    assert_eq!(changed(106, &[0, 255]), Some(EnvelopeError::BadWrappedLength(255)));
    assert_eq!(changed(106, &[2, 1]), Some(EnvelopeError::BadWrappedLength(513)));
    let long = Envelope::parse([&bytes[..], &[0; 20_000]].concat()).err();
    assert!(matches!(long, Some(EnvelopeError::LongBody(_))), "{long:?}");
}

#[test]
fn the_longest_envelope_fits_the_longest_frame_of_a_client() {
    let key = test_keys::ada().public_key().id();
    let header = write_header(MessageId([1; 16]), u64::MAX, key, key, super::SessionId([2; 16]), &[3; 512]);
    let with_body = |bytes: usize| Envelope::parse([&header[..], &[4; 1120], &vec![5; bytes]].concat());
    let longest = with_body(10_240).unwrap().as_bytes().to_vec();
    assert!(with_body(10_241).is_err());
    let frame = encode_client(&ClientMessage::Hand { to: key, envelope: Blob(longest) });
    assert!(frame.len() - PREFIX_BYTES <= MAX_CLIENT_FRAME_BYTES, "{} bytes", frame.len());
}

#[test]
fn what_cannot_be_sealed_is_refused_with_the_reason() {
    let (ada, bob, eve) = (test_keys::ada(), Reader::new(test_keys::bob()), Reader::new(test_keys::eve()));
    let longest = "ž".repeat(MAX_TEXT_BYTES / 2);
    assert!(bob.open(&sealed(&text(&longest), &ada, &bob), &ada).is_ok_and(|opened| opened == text(&longest)));
    let refused = seal(&text(&(longest + "x")), 1, &ada, bob.key(), &bob.record()).err();
    assert_eq!(refused, Some(SealError::LongText(MAX_TEXT_BYTES + 1)));
    for count in [0, 65] {
        let letter = Letter { sent_unix_millis: 1, content: Content::Receipt(vec![MessageId([0; 16]); count]) };
        assert_eq!(seal(&letter, 1, &ada, bob.key(), &bob.record()).err(), Some(SealError::BadReceipt(count)));
    }
    // A server that lists Eve's record for Bob would have Eve's session key open the letter.
    assert_eq!(seal(&text("x"), 1, &ada, bob.key(), &eve.record()).err(), Some(SealError::ForeignSession));
    // Coefficients of ML-KEM's public key must be below 3329 (FIPS 203 §7.2).
    let name = Name::parse(NAME).unwrap();
    let unusable = SessionRecord::sign(&[0xff; 1216], 1, &bob.identity, &name, &[0; 32]);
    assert_eq!(seal(&text("x"), 1, &ada, bob.key(), &unusable).err(), Some(SealError::BadSessionKey));
}

#[test]
fn texts_of_similar_length_and_other_contents_look_alike() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let bytes = |content| sealed(&Letter { sent_unix_millis: 1, content }, &ada, &bob).as_bytes().len();
    let short = bytes(Content::Text(NUMBER, "yes".into()));
    assert_eq!(short, bytes(Content::Text(NUMBER, "no, never".into())));
    assert_eq!(short, bytes(Content::Receipt(vec![MessageId([0; 16])])));
}

#[test]
fn an_envelope_of_another_suite_is_no_letter() {
    let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
    let mut bytes = sealed(&text("x"), &ada, &bob).as_bytes().to_vec();
    // Under the number of a message to everyone, its recipient is taken for the id of a sender key.
    bytes[1] = 3;
    let relabelled = Envelope::parse(bytes.clone()).unwrap();
    assert_eq!(relabelled.recipient(), None);
    assert_eq!(bob.open(&relabelled, &ada).err(), Some(CannotOpen));
    assert_eq!(attempt(&relabelled, &bob.identity), Err(CannotOpen));
    for suite in [0, 1, 4] {
        bytes[1] = suite;
        assert_eq!(Envelope::parse(bytes.clone()).err(), Some(EnvelopeError::Unknown(1, suite)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_comes_out_as_it_went_in(said in ".{0,400}", sequence: u64, sent_unix_millis: u64) {
        let (ada, bob) = (test_keys::ada(), Reader::new(test_keys::bob()));
        let letter = Letter { sent_unix_millis, content: Content::Text(NUMBER, said) };
        let sealed = seal(&letter, sequence, &ada, bob.key(), &bob.record()).unwrap();
        let travelled = Envelope::parse(sealed.as_bytes().to_vec()).unwrap();
        prop_assert_eq!(travelled.sequence, sequence);
        prop_assert!(bob.open(&travelled, &ada).is_ok_and(|opened| opened == letter));
    }

    #[test]
    fn noise_is_no_envelope(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Envelope::parse(noise).is_err());
    }
}
