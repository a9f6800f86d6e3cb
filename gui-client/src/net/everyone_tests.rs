//! Messages to everyone in rooms where people come and go, with letters that cost nothing.

use std::sync::{Arc, LazyLock};

use common::{
    codec::decode_client,
    crypto::{letter, test_keys},
    name::Name,
    test_messages,
};

use super::*;
use crate::{dictionary::Dictionary, net::hand_over::SLICE_LETTERS};

/// A letter to show around: what is in it does not matter here.
static LETTER: LazyLock<Envelope> =
    LazyLock::new(|| test_messages::letter("x", 1, &test_keys::ada(), &test_keys::bob()));

/// Seals nothing, and cannot for some people.
#[derive(Default)]
struct Stub {
    number: u64,
    /// The number of the last text.
    said: u32,
    refused: Vec<KeyId>,
}

impl Sealer for Stub {
    fn letter(&mut self, to: &Person, content: Content) -> Result<Envelope, String> {
        let Content::SenderKey(next, _) = content else { panic!("no sender key") };
        assert_eq!(next, self.text_number(None));
        if self.refused.contains(&to.public_key.id()) {
            return Err(letter::SealError::BadSessionKey.to_string());
        }
        Ok(LETTER.clone())
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn text_number(&mut self, to: Option<KeyId>) -> TextNumber {
        assert_eq!(to, None);
        TextNumber { count: 1, number: self.said + 1 }
    }

    fn note_said(&mut self, _: Option<KeyId>, number: TextNumber) {
        self.said = number.number;
    }
}

/// A person with a key of their own, for which no private key exists: Ada's with another modulus. Number 0 is Ada.
fn person(number: u16) -> Person {
    let mut der = test_keys::ada().public_key().der().to_vec();
    if number > 0 {
        der[100..102].copy_from_slice(&number.to_be_bytes());
    }
    let (name, public_key) = (Name::parse(&format!("p{number}")).unwrap(), PublicKey::from_der(&der).unwrap());
    let session = test_keys::unsigned_record(&name, &public_key, 1);
    Person { name, public_key, session, since_unix_secs: 0 }
}

fn id(number: u16) -> KeyId {
    person(number).public_key.id()
}

/// Ada's view of the people with these numbers.
fn people(numbers: &[u16], revision: u64, departures: u64) -> People {
    let listed: Vec<_> = [&[0], numbers].concat().into_iter().map(person).collect();
    People { dictionary: Arc::new(Dictionary::new(&listed[0], revision, listed.clone()).unwrap()), departures }
}

fn message(draft: u64, people: &People) -> Seal {
    let recipients = people.dictionary.people().map(|person| person.public_key.clone()).collect();
    Seal {
        draft: DraftId(draft),
        recipients,
        text: format!("text {draft}"),
        written_unix_millis: 5,
        people: people.clone(),
        again: None,
    }
}

/// Ada's messages, and what came of them so far.
struct Bench {
    everyone: Everyone,
    sealer: Stub,
    now: Instant,
    /// To whom letters went, slice by slice.
    slices: Vec<Vec<KeyId>>,
    said: Vec<(DraftId, Vec<KeyId>)>,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self { everyone: Everyone::new(id(0), now), sealer: Stub::default(), now, slices: vec![], said: vec![] }
    }

    fn advance(&mut self) {
        while let Some(done) = self.everyone.step(self.now, &mut self.sealer) {
            match done {
                Done::Slice(frames) => self.slices.push(recipients(&frames)),
                Done::Sealed(draft, sealed, left_out) => {
                    assert!(sealed.is_ok());
                    self.said.push((draft, left_out));
                }
            }
        }
    }

    /// The writer has written, and as much time has passed as the next slice needs.
    fn go_on(&mut self) {
        self.everyone.slice_written();
        self.now = self.everyone.next_deadline().map_or(self.now, |at| at.max(self.now));
        self.advance();
    }
}

fn recipients(mut frames: &[u8]) -> Vec<KeyId> {
    let mut recipients = Vec::new();
    while let Some((length, rest)) = frames.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let ClientMessage::Hand { to, .. } = decode_client(frame).unwrap() else { panic!("no letter") };
        recipients.push(to);
        frames = rest;
    }
    recipients
}

#[test]
fn the_key_goes_out_in_slices_and_the_message_after_the_last_one() {
    let room = people(&(1..=2_000).collect::<Vec<_>>(), 1, 0);
    let mut ada = Bench::new();
    ada.everyone.push(message(1, &room)).ok().unwrap();
    ada.everyone.push(message(2, &room)).ok().unwrap();
    ada.advance();
    assert_eq!(ada.slices.len(), 1, "until it is written");
    ada.advance();
    assert_eq!((ada.slices.len(), ada.said.len()), (1, 0));
    let of = |handed| Some((DraftId(1), Progress { handed, members: 2_000 }));
    assert_eq!(ada.everyone.progress(), of(SLICE_LETTERS));
    while ada.said.is_empty() {
        let before = ada.slices.len();
        ada.go_on();
        assert_eq!(ada.slices.len(), before + 1, "each slice brings it further");
    }
    assert_eq!(ada.said, [(DraftId(1), vec![]), (DraftId(2), vec![])]);
    assert!(ada.slices.iter().all(|slice| slice.len() <= SLICE_LETTERS));
    let mut handed = ada.slices.concat();
    handed.sort_unstable();
    handed.dedup();
    assert_eq!((handed.len(), ada.slices.concat().len()), (2_000, 2_000), "to each once, for both");
}

#[test]
fn who_leaves_meanwhile_is_passed_over_and_who_comes_gets_the_key_for_the_next_message() {
    let before = people(&[1, 2, 3, 4, 5, 6, 7, 8], 1, 0);
    let mut ada = Bench::new();
    ada.everyone.push(message(1, &before)).ok().unwrap();
    ada.advance();
    // Of those who have no key yet all but 8 leave, and 9 comes.
    let handed = ada.slices.concat();
    let gone: Vec<_> = (1..=7).filter(|number| !handed.contains(&id(*number))).collect();
    let here: Vec<_> = (1..=9).filter(|number| !gone.contains(number)).collect();
    let after = people(&here, 9, gone.len() as u64);
    ada.everyone.note_people(&after);
    ada.everyone.push(message(2, &after)).ok().unwrap();
    ada.go_on();
    let handed = ada.slices.concat();
    assert!(gone.iter().all(|number| !handed.contains(&id(*number))), "who has left is handed nothing");
    assert!(handed.contains(&id(8)), "who has stayed is");
    assert_eq!(ada.said, [(DraftId(1), vec![])]);
    // The next message is said under a key that none of those who left has.
    let slices_before = ada.slices.len();
    while ada.said.len() < 2 {
        ada.go_on();
    }
    let mut again = ada.slices[slices_before - 1..].concat();
    again.retain(|key| *key != id(8) || !ada.slices[..slices_before - 1].concat().contains(key));
    for number in here {
        assert!(again.contains(&id(number)), "{number} is handed the new key");
    }
}

#[test]
fn who_cannot_be_written_to_is_named_and_tried_again_with_the_next_message() {
    let room = people(&[1, 2, 3], 1, 0);
    let mut ada = Bench::new();
    ada.sealer.refused = vec![id(2)];
    ada.everyone.push(message(1, &room)).ok().unwrap();
    ada.advance();
    assert_eq!(ada.said, [(DraftId(1), vec![id(2)])], "the others read it all the same");
    ada.everyone.slice_written();
    ada.everyone.push(message(2, &room)).ok().unwrap();
    ada.advance();
    assert_eq!(ada.said.last(), Some(&(DraftId(2), vec![id(2)])));
    ada.sealer.refused.clear();
    ada.everyone.push(message(3, &room)).ok().unwrap();
    ada.advance();
    assert_eq!(ada.said.last(), Some(&(DraftId(3), vec![])));
    assert_eq!(ada.slices.last(), Some(&vec![id(2)]), "and no one else is handed the key again");
}
