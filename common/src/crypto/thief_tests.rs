//! Thieves: one has RSA keys and a recording of all that clients were sent, another has had the memory of a running client
//! for a moment. Each test says what the thief reads, and what not. Time is passed in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use vodozemac::megolm::{InboundGroupSession, MegolmMessage, SessionConfig, SessionKey as MegolmKey};

use super::{
    Addressed, Envelope, Identity, JoinTranscript, KEEP_AFTER_RENEWAL, Message, RENEW_AFTER, SessionKey, SessionKeys,
    SessionRecord, TextNumber,
    letter::{Content, Letter, decrypt, open_with, seal, unwrap},
    sender_key::{MAX_MESSAGES, Speaker},
    sender_key_store::SenderKeyStore,
    test_keys,
};
use crate::name::Name;

const NUMBER: TextNumber = TextNumber { count: 1, number: 1 };
const MINUTE: Duration = Duration::from_secs(60);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn record(owner: &Identity, session: &SessionKey, created: u64) -> SessionRecord {
    SessionRecord::sign(session.public_key(), created, owner, &name("Bob"), &[0; 32])
}

fn text(text: &str) -> Letter {
    Letter { sent_unix_millis: 5, content: Content::Text(NUMBER, text.to_owned()) }
}

/// A letter from Ada to Bob, whose present session key this is.
fn to_bob(letter: &Letter, session: &SessionKey) -> Envelope {
    let bob = test_keys::bob();
    seal(letter, 7, &test_keys::ada(), bob.public_key(), &record(&bob, session, 1)).unwrap()
}

fn line(speaker: &mut Speaker, text: &str) -> Envelope {
    let message = Message { sent_unix_millis: 5, number: NUMBER, text: text.to_owned() };
    speaker.seal(&message, 7, test_keys::ada().public_key().id()).unwrap()
}

/// Prepares the speaker, and returns what it hands to Bob if he has yet to be handed something.
fn hand_over(speaker: &mut Speaker, now: Instant) -> Option<Letter> {
    let bob = test_keys::bob().public_key().id();
    let is_due = speaker.prepare(&[bob], now).contains(&bob);
    is_due.then(|| Letter { sent_unix_millis: 5, content: Content::SenderKey(NUMBER, speaker.hand_over(bob).unwrap()) })
}

/// What a thief can do with a sender key, without the limits that an honest reader keeps.
fn reads(sender_key: &mut InboundGroupSession, line: &Envelope) -> bool {
    sender_key.decrypt(&MegolmMessage::from_bytes(line.body()).unwrap()).is_ok()
}

/// The numbers of those that `reads` holds for, which follow each other.
fn span(reads: impl Iterator<Item = bool>) -> Range<usize> {
    let read: Vec<usize> = reads.enumerate().filter(|(_, is_read)| *is_read).map(|(number, _)| number).collect();
    let Some((first, last)) = read.first().zip(read.last()) else { return 0..0 };
    assert_eq!(read.len(), last - first + 1, "{read:?}");
    *first..last + 1
}

#[test]
fn a_thief_of_the_rsa_keys_with_a_recording_of_everything_reads_nothing_of_the_past() {
    let now = Instant::now();
    let (sessions, mut speaker) = (SessionKeys::new(now), Speaker::default());
    let handed = to_bob(&hand_over(&mut speaker, now).unwrap(), sessions.current());
    let letter = to_bob(&text("secret"), sessions.current());
    let said = line(&mut speaker, "to everyone");
    drop((sessions, speaker));

    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    // A session key of the thief's own, and one that is known to all.
    for session in [SessionKey::generate(), SessionKey::from_seed(&test_keys::SESSION_SEED)] {
        for envelope in [&handed, &letter] {
            assert!(open_with(envelope, &bob, &session, ada.public_key()).is_err());
            // RSA gives the secret, which is half of what it takes.
            let Addressed::Letter { slot, .. } = &envelope.addressed else { panic!("not a letter") };
            let psk = unwrap(envelope, slot, &bob).unwrap();
            assert!(decrypt(envelope, &psk, &session).is_none());
            assert!(unwrap(envelope, slot, &ada).is_none(), "the sender's key does not even give that");
        }
    }
    // No sender key can be taken out of the letter that handed it over, and without one nothing can be tried.
    assert!(SenderKeyStore::default().open(&said, now).is_err());
}

#[test]
fn a_thief_of_an_rsa_key_is_its_owner_from_then_on_and_no_one_else_to_the_owner() {
    let (ada, bob, thief) = (test_keys::ada(), test_keys::bob(), test_keys::bob());
    // What the thief gets: it can join as Bob, and letters to the session key that it then publishes are its own to read.
    let der = bob.public_key().der().to_vec();
    let transcript = JoinTranscript {
        channel_binding: [1; 32],
        certificate_hash: [2; 32],
        client_nonce: [3; 32],
        server_nonce: [4; 32],
        name: "Bob",
        public_key_der: &der,
    }
    .to_bytes();
    assert!(bob.public_key().verify(&transcript, &thief.sign(&transcript)));
    let (of_thief, of_bob) = (SessionKey::generate(), SessionKey::generate());
    let published = record(&thief, &of_thief, 2);
    assert!(
        published.verify(bob.public_key(), &name("Bob"), &[0; 32]) && published.replaces(&record(&bob, &of_bob, 1))
    );
    let misled = seal(&text("for Bob"), 7, &ada, bob.public_key(), &published).unwrap();
    assert!(open_with(&misled, &thief, &of_thief, ada.public_key()).is_ok());

    // What it does not get: letters to the session key that Bob publishes, and a voice as anyone else, not even to Bob.
    let letter = to_bob(&text("for Bob"), &of_bob);
    assert!(open_with(&letter, &thief, &of_thief, ada.public_key()).is_err());
    let mut bytes =
        seal(&text("from Ada"), 8, &thief, bob.public_key(), &record(&bob, &of_bob, 1)).unwrap().as_bytes().to_vec();
    bytes[26..58].copy_from_slice(&ada.public_key().id().0);
    let forged = Envelope::parse(bytes).unwrap();
    for claimed in [&ada, &bob] {
        assert!(open_with(&forged, &bob, &of_bob, claimed.public_key()).is_err(), "no key-compromise impersonation");
    }
}

#[test]
fn a_thief_of_the_memory_reads_letters_of_the_twelve_minutes_before_and_ten_after() {
    let start = Instant::now();
    let (ada, bob) = (test_keys::ada(), test_keys::bob());
    for stolen_at in [21, 25] {
        let (mut sessions, mut letters, mut thief) = (SessionKeys::new(start), Vec::new(), Vec::new());
        for minute in 0..45 {
            sessions.wipe_and_renew(start + MINUTE * minute);
            letters.push(to_bob(&text("secret"), sessions.current()));
            if minute == stolen_at {
                thief = sessions.stolen();
            }
        }
        let opens = |letter| thief.iter().any(|session| open_with(letter, &bob, session, ada.public_key()).is_ok());
        let read = span(letters.iter().map(opens));
        // The key in use, and for two minutes the one before.
        let expected = if stolen_at == 21 { 10..30 } else { 20..30 };
        assert_eq!(read, expected);
        let stolen_at = u64::from(stolen_at);
        assert!(read.start as u64 + (RENEW_AFTER + KEEP_AFTER_RENEWAL).as_secs() / 60 >= stolen_at);
        assert!(read.end as u64 <= stolen_at + RENEW_AFTER.as_secs() / 60);
    }
}

#[test]
fn a_thief_of_a_listeners_memory_reads_few_earlier_messages_to_everyone_and_later_ones_until_the_key_is_renewed() {
    let now = Instant::now();
    let ada = test_keys::ada().public_key().id();
    let (mut speaker, mut bob) = (Speaker::default(), SenderKeyStore::default());
    let (mut lines, mut thief) = (Vec::new(), Vec::new());
    for number in 0..150 {
        if let Some(Letter { content: Content::SenderKey(_, key), .. }) = hand_over(&mut speaker, now) {
            bob.accept(ada, &key, now).unwrap();
        }
        lines.push(line(&mut speaker, "secret"));
        assert!(bob.open(&lines[number], now).is_ok());
        if number == 79 {
            thief = bob.stolen();
        }
    }
    // Bob keeps the ratchet 64 messages back, for those that overtake each other.
    let read = span(lines.iter().map(|line| thief.iter_mut().any(|sender_key| reads(sender_key, line))));
    assert_eq!(read, 16..MAX_MESSAGES as usize);
}

#[test]
fn a_thief_of_a_speakers_memory_reads_nothing_earlier_and_later_messages_until_the_key_is_renewed() {
    let (start, bob) = (Instant::now(), test_keys::bob().public_key().id());
    let (mut speaker, mut lines, mut thief) = (Speaker::default(), Vec::new(), None);
    for number in 0..90 {
        speaker.prepare(&[bob], start + MINUTE * number);
        if number == 30
            && let Some(key) = speaker.hand_over(bob)
        {
            // The ratchet in the memory is the one that is handed over.
            let key = MegolmKey::from_bytes(&key).unwrap();
            thief = Some(InboundGroupSession::new(&key, SessionConfig::version_1()));
        }
        lines.push(line(&mut speaker, "secret"));
    }
    let mut thief = thief.unwrap();
    assert_eq!(span(lines.iter().map(|line| reads(&mut thief, line))), 30..60, "until it is an hour old");
}

#[test]
fn a_thief_of_the_memory_loses_what_is_said_to_everyone_once_session_and_sender_key_are_renewed() {
    let start = Instant::now();
    let (bob, ada) = (test_keys::bob(), test_keys::ada());
    let (mut sessions, mut speaker) = (SessionKeys::new(start), Speaker::default());
    // The memory of Bob's client is stolen before Ada says anything. She hands over a key in each of these minutes.
    let thief = sessions.stolen();
    let is_handed_to_thief = [5, 65].map(|minute| {
        sessions.wipe_and_renew(start + MINUTE * minute);
        let handed = hand_over(&mut speaker, start + MINUTE * minute).unwrap();
        let handed = to_bob(&handed, sessions.current());
        thief.iter().any(|session| open_with(&handed, &bob, session, ada.public_key()).is_ok())
    });
    // So with the first one it reads on for up to an hour after the session key was renewed, and then no more.
    assert_eq!(is_handed_to_thief, [true, false]);
}
