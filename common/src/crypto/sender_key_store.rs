//! The sender keys of others, as they handed them over, and the messages to everyone that they open.
//!
//! A key counts only as the key of the person whose letter brought it. So no member can speak for another, or pass another's
//! message on as their own. Old keys are wiped, so that a copy of the memory opens only recent messages.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use vodozemac::megolm::{InboundGroupSession, MegolmMessage, SessionConfig, SessionKey};
use zeroize::Zeroizing;

use super::{
    CannotOpen, KeyId, Message, SenderKeyId,
    envelope::{Addressed, Envelope},
    sender_key::{MAX_AGE, id_in, read_inside},
};

/// A key with a successor is kept this long, for messages that were on their way.
const KEEP_AFTER_SUCCESSOR: Duration = Duration::from_secs(2 * 60);
/// A speaker replaces its key at the age of [`MAX_AGE`]; a member gets it at any time before that.
const MAX_KEPT: Duration = Duration::from_secs(MAX_AGE.as_secs() + KEEP_AFTER_SUCCESSOR.as_secs());
/// The keys that are kept of one person, newest last. A room where people come and go makes a key for each message.
const MAX_KEYS_PER_SENDER: usize = 8;
/// The people whose keys are kept; more than a server has online.
const MAX_SENDERS: usize = 8_192;
/// A message may be overtaken by this many others of its sender key.
const WINDOW: u32 = 64;

/// A letter's content is not a sender key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the letter holds no valid sender key")]
pub struct BadSenderKey;

/// The sender keys of the others. It has no `Debug`; the keys are zeroed when dropped. Time is passed in.
#[derive(Default)]
pub struct SenderKeyStore {
    by_sender: HashMap<KeyId, VecDeque<Held>>,
}

struct Held {
    id: SenderKeyId,
    session: InboundGroupSession,
    seen: Seen,
    accepted_at: Instant,
    wipe_at: Instant,
}

/// Which messages of a key were opened.
#[derive(Default)]
struct Seen {
    /// One more than the highest index that was opened.
    next: u32,
    /// Bit n stands for the index `next - 1 - n`.
    bits: u64,
}

impl Seen {
    /// Whether a message of this index was not opened before, and is recent enough to be sure of that.
    fn is_new(&self, index: u32) -> bool {
        match self.next.checked_sub(index) {
            None | Some(0) => true,
            Some(distance) => distance <= WINDOW && self.bits >> (distance - 1) & 1 == 0,
        }
    }

    fn insert(&mut self, index: u32) {
        match self.next.checked_sub(index) {
            None | Some(0) => {
                let steps = index - self.next + 1;
                self.bits = self.bits.checked_shl(steps).unwrap_or(0) | 1;
                self.next = index + 1;
            }
            Some(distance) => self.bits |= 1u64.checked_shl(distance - 1).unwrap_or(0),
        }
    }
}

impl SenderKeyStore {
    /// Takes the sender key that came in a letter of `sender`, whose signature was verified. A key that is held already
    /// stays as it is, so that nothing can be opened twice.
    ///
    /// # Errors
    /// [`BadSenderKey`] when the content is not a sender key.
    pub fn accept(&mut self, sender: KeyId, handover: &[u8], now: Instant) -> Result<SenderKeyId, BadSenderKey> {
        let id = id_in(handover).ok_or(BadSenderKey)?;
        let key = SessionKey::from_bytes(handover).map_err(|_| BadSenderKey)?;
        self.wipe(now);
        if !self.by_sender.contains_key(&sender) && self.by_sender.len() >= MAX_SENDERS {
            self.drop_oldest();
        }
        let held = self.by_sender.entry(sender).or_default();
        if held.iter().any(|key| key.id == id) {
            return Ok(id);
        }
        for old in held.iter_mut() {
            old.wipe_at = old.wipe_at.min(now + KEEP_AFTER_SUCCESSOR);
        }
        if held.len() >= MAX_KEYS_PER_SENDER {
            held.pop_front();
        }
        let session = InboundGroupSession::new(&key, SessionConfig::version_1());
        held.push_back(Held { id, session, seen: Seen::default(), accepted_at: now, wipe_at: now + MAX_KEPT });
        Ok(id)
    }

    /// Opens a message to everyone with the key that its sender handed over. Each message opens once.
    ///
    /// # Errors
    /// [`CannotOpen`], for every cause alike.
    pub fn open(&mut self, envelope: &Envelope, now: Instant) -> Result<Message, CannotOpen> {
        let Addressed::Everyone { sender_key } = envelope.addressed else { return Err(CannotOpen) };
        let held = self.by_sender.get_mut(&envelope.sender).ok_or(CannotOpen)?;
        let held = held.iter_mut().find(|held| held.id == sender_key && now < held.wipe_at).ok_or(CannotOpen)?;
        let body = MegolmMessage::from_bytes(envelope.body()).map_err(|_| CannotOpen)?;
        let index = body.message_index();
        // The signature is verified over the message as it is written anew, so another encoding of the same would pass.
        let is_as_written = body.to_bytes() == envelope.body();
        if !is_as_written || index == u32::MAX || !held.seen.is_new(index) {
            return Err(CannotOpen);
        }
        let inside = Zeroizing::new(held.session.decrypt(&body).map_err(|_| CannotOpen)?.plaintext);
        let message = read_inside(envelope.header(), &inside).ok_or(CannotOpen)?;
        held.seen.insert(index);
        // The ratchet moves on, so that what is older than the window cannot be read with it any more.
        held.session.advance_to(held.seen.next.saturating_sub(WINDOW));
        Ok(message)
    }

    /// Whether `sender` handed over this key: for the window, which then says since when.
    pub fn accepted_at(&self, sender: KeyId, id: SenderKeyId) -> Option<Instant> {
        self.by_sender.get(&sender)?.iter().find(|held| held.id == id).map(|held| held.accepted_at)
    }

    /// Wipes the keys of a person who left.
    pub fn sender_left(&mut self, sender: KeyId) {
        self.by_sender.remove(&sender);
    }

    /// Wipes the keys whose time is over. To be called when [`Self::next_deadline`] is reached.
    pub fn wipe(&mut self, now: Instant) {
        self.by_sender.retain(|_, held| {
            held.retain(|key| now < key.wipe_at);
            !held.is_empty()
        });
    }

    /// When [`Self::wipe`] has something to do next; `None` while no key is held.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.by_sender.values().flatten().map(|held| held.wipe_at).min()
    }

    /// What a thief finds who reads the memory now.
    #[cfg(test)]
    pub(super) fn stolen(&self) -> Vec<InboundGroupSession> {
        let held = self.by_sender.values().flatten();
        held.map(|held| InboundGroupSession::from_pickle(held.session.pickle())).collect()
    }

    fn drop_oldest(&mut self) {
        let newest = |held: &VecDeque<Held>| held.back().map(|key| key.accepted_at);
        let oldest = self.by_sender.iter().min_by_key(|(_, held)| newest(held)).map(|(sender, _)| *sender);
        if let Some(sender) = oldest {
            self.by_sender.remove(&sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{
        MessageId, TextNumber,
        sender_key::{MAX_MESSAGES, Speaker, write_header, write_inside},
    };

    const ADA: KeyId = KeyId([1; 32]);
    const BOB: KeyId = KeyId([2; 32]);
    const EVE: KeyId = KeyId([3; 32]);

    fn message(text: &str) -> Message {
        Message { sent_unix_millis: 5, number: TextNumber { count: 1, number: 1 }, text: text.to_owned() }
    }

    fn handover(speaker: &mut Speaker, member: KeyId, now: Instant) -> Zeroizing<Vec<u8>> {
        if speaker.sender_key().is_none() {
            speaker.prepare(&[], now);
        }
        speaker.hand_over(member).unwrap()
    }

    /// Ada, who speaks, and a reader who was handed her key.
    fn pair(now: Instant) -> (Speaker, SenderKeyStore) {
        let (mut ada, mut reader) = (Speaker::default(), SenderKeyStore::default());
        let key = handover(&mut ada, BOB, now);
        reader.accept(ADA, &key, now).unwrap();
        (ada, reader)
    }

    fn say(speaker: &mut Speaker, text: &str) -> Envelope {
        let envelope = speaker.seal(&message(text), 7, ADA).unwrap();
        Envelope::parse(envelope.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn who_was_handed_the_key_reads_and_nobody_else_does() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let envelope = say(&mut ada, "Hallo, 世界! 🦀");
        assert_eq!(envelope.recipient(), None);
        assert_eq!((envelope.sender, envelope.sequence), (ADA, 7));
        assert!(bob.open(&envelope, now).is_ok_and(|opened| opened == message("Hallo, 世界! 🦀")));
        assert!(SenderKeyStore::default().open(&envelope, now).is_err(), "without any key");
        let (_, mut other) = pair(now);
        assert!(other.open(&envelope, now).is_err(), "with another key of Ada's");
    }

    #[test]
    fn a_message_opens_once() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let envelope = say(&mut ada, "once");
        assert!(bob.open(&envelope, now).is_ok());
        assert!(bob.open(&envelope, now).is_err());
        // Being handed the same key again does not forget what was opened.
        let mut again = Speaker::default();
        let first = handover(&mut again, BOB, now);
        let envelope = say(&mut again, "once");
        bob.accept(ADA, &first, now).unwrap();
        assert!(bob.open(&envelope, now).is_ok());
        bob.accept(ADA, &first, now).unwrap();
        assert!(bob.open(&envelope, now).is_err());
    }

    #[test]
    fn a_newcomer_cannot_read_what_was_said_before() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let before = say(&mut ada, "before");
        let mut eve = SenderKeyStore::default();
        eve.accept(ADA, &handover(&mut ada, EVE, now), now).unwrap();
        let after = say(&mut ada, "after");
        assert!(eve.open(&before, now).is_err());
        assert!(eve.open(&after, now).is_ok());
        assert!(bob.open(&after, now).is_ok() && bob.open(&before, now).is_ok(), "Bob reads both, in any order");
    }

    #[test]
    fn who_left_cannot_read_what_is_said_after() {
        let now = Instant::now();
        let (mut ada, mut eve) = pair(now);
        ada.member_left(BOB);
        let mut bob = SenderKeyStore::default();
        bob.accept(ADA, &handover(&mut ada, BOB, now), now).unwrap();
        let envelope = say(&mut ada, "without Eve");
        assert!(eve.open(&envelope, now).is_err());
        assert!(bob.open(&envelope, now).is_ok());
    }

    #[test]
    fn nobody_speaks_for_another() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let from_ada = say(&mut ada, "from Ada");
        // Eve hands Ada's key to Bob as her own, and sends Ada's message under her own name.
        bob.accept(EVE, &handover(&mut ada, EVE, now), now).unwrap();
        let mut bytes = from_ada.as_bytes().to_vec();
        bytes[26..58].copy_from_slice(&EVE.0);
        assert!(bob.open(&Envelope::parse(bytes).unwrap(), now).is_err());
        // Eve speaks under a key of her own that Bob has from her, with Ada's name in the header.
        let mut eve = Speaker::default();
        bob.accept(EVE, &handover(&mut eve, BOB, now), now).unwrap();
        let forged = Envelope::parse(eve.seal(&message("x"), 1, ADA).unwrap().as_bytes().to_vec()).unwrap();
        assert!(bob.open(&forged, now).is_err());
        assert!(bob.open(&eve.seal(&message("x"), 1, EVE).unwrap(), now).is_ok());
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let envelope = say(&mut ada, "short");
        for position in 0..envelope.as_bytes().len() {
            let mut bytes = envelope.as_bytes().to_vec();
            bytes[position] ^= 1;
            let Ok(changed) = Envelope::parse(bytes) else { continue };
            assert!(bob.open(&changed, now).is_err(), "byte {position}");
        }
        for length in 0..envelope.as_bytes().len() {
            let cut = Envelope::parse(envelope.as_bytes()[..length].to_vec());
            assert!(cut.is_err() || cut.is_ok_and(|cut| bob.open(&cut, now).is_err()), "{length} bytes");
        }
        assert!(bob.open(&envelope, now).is_ok(), "none of this used the message up");
    }

    #[test]
    fn another_encoding_of_the_same_message_is_refused() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let envelope = say(&mut ada, "short");
        let (header, body) = envelope.as_bytes().split_at(envelope.as_bytes().len() - envelope.body().len());
        assert_eq!(body[..3], [3, 8, 0], "version, tag of the index, index");
        let (without_index, with_unknown_field) = ([3].as_slice(), [3, 8, 0, 0x18, 7].as_slice());
        for start in [without_index, with_unknown_field, &[3, 0x12, 0], &[3, 8, 0x80, 0]] {
            let bytes = [header, start, &body[3..]].concat();
            assert!(bob.open(&Envelope::parse(bytes).unwrap(), now).is_err(), "{start:?}");
        }
        assert!(bob.open(&envelope, now).is_ok());
    }

    #[test]
    fn an_inside_that_lies_is_refused() {
        use vodozemac::megolm::GroupSession;
        let now = Instant::now();
        type Change = fn(&mut Vec<u8>);
        let changes: [(&str, bool, Change); 9] = [
            ("unchanged", true, |_| {}),
            ("another header", false, |inside| inside[0] ^= 1),
            ("no UTF-8", false, |inside| inside[56] = 0xff),
            ("the number 0", false, |inside| inside[51] = 0),
            ("a text beyond the end", false, |inside| inside[52] = 1),
            ("padding that says something", false, |inside| *inside.last_mut().unwrap() = 1),
            ("padding of another length", false, |inside| inside.push(0)),
            ("a block of padding too much", false, |inside| inside.extend([0; 128])),
            ("nothing", false, Vec::clear),
        ];
        for (what, opens, change) in changes {
            let (mut session, mut bob) = (GroupSession::new(SessionConfig::version_1()), SenderKeyStore::default());
            let id = bob.accept(ADA, &session.session_key().to_bytes(), now).unwrap();
            let header = write_header(MessageId([1; 16]), 1, ADA, id);
            let mut inside = write_inside(&header, &message("inside"));
            change(&mut inside);
            let envelope = Envelope::parse([header, session.encrypt(&*inside).to_bytes()].concat()).unwrap();
            assert_eq!(bob.open(&envelope, now).is_ok(), opens, "{what}");
        }
    }

    #[test]
    fn what_is_no_sender_key_is_refused() {
        let (mut store, now) = (SenderKeyStore::default(), Instant::now());
        let key = handover(&mut Speaker::default(), BOB, now);
        for position in 0..key.len() {
            let mut changed = key.to_vec();
            changed[position] ^= 1;
            assert_eq!(store.accept(ADA, &changed, now), Err(BadSenderKey), "byte {position}");
        }
        for bad in [&key[..228], &[&key[..], &[0]].concat(), &[]] {
            assert_eq!(store.accept(ADA, bad, now), Err(BadSenderKey));
        }
        assert!(store.by_sender.is_empty());
    }

    #[test]
    fn keys_are_wiped_two_minutes_after_their_successor_and_when_they_are_old() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let late = say(&mut ada, "late");
        let mut successor = Speaker::default();
        bob.accept(ADA, &handover(&mut successor, BOB, now), now).unwrap();
        assert_eq!(bob.next_deadline(), Some(now + KEEP_AFTER_SUCCESSOR));
        let just_before = now + KEEP_AFTER_SUCCESSOR.saturating_sub(Duration::from_millis(1));
        bob.wipe(just_before);
        assert!(bob.open(&late, just_before).is_ok());
        let too_late = say(&mut ada, "too late");
        assert!(bob.open(&too_late, now + KEEP_AFTER_SUCCESSOR).is_err(), "even before it is wiped");
        bob.wipe(now + KEEP_AFTER_SUCCESSOR);
        assert_eq!(bob.next_deadline(), Some(now + MAX_KEPT));
        bob.wipe(now + MAX_KEPT);
        assert_eq!(bob.next_deadline(), None);
    }

    #[test]
    fn who_leaves_takes_their_keys_along() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        bob.sender_left(ADA);
        assert!(bob.open(&say(&mut ada, "from afar"), now).is_err());
    }

    #[test]
    fn few_keys_are_kept_of_each_sender() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let first = say(&mut ada, "first");
        for _ in 0..MAX_KEYS_PER_SENDER {
            bob.accept(ADA, &handover(&mut Speaker::default(), BOB, now), now).unwrap();
        }
        assert_eq!(bob.by_sender[&ADA].len(), MAX_KEYS_PER_SENDER);
        assert!(bob.open(&first, now).is_err());
    }

    #[test]
    fn what_is_older_than_the_window_is_refused() {
        let now = Instant::now();
        let (mut ada, mut bob) = pair(now);
        let all: Vec<_> = (0..MAX_MESSAGES).map(|n| say(&mut ada, &n.to_string())).collect();
        let highest = all.len() - 1;
        let window = WINDOW as usize;
        assert!(bob.open(&all[highest], now).is_ok());
        assert!(bob.open(&all[highest - window], now).is_err());
        assert!(bob.open(&all[highest + 1 - window], now).is_ok());
    }

    proptest! {
        /// Compared with a set of all that was opened.
        #[test]
        fn no_index_is_taken_twice(indices in prop::collection::vec(0u32..200, 1..300)) {
            let (mut seen, mut all) = (Seen::default(), BTreeSet::new());
            for index in indices {
                let highest = all.last().copied();
                let is_recent = highest.is_none_or(|highest: u32| index + WINDOW > highest);
                prop_assert_eq!(seen.is_new(index), is_recent && !all.contains(&index));
                if seen.is_new(index) {
                    seen.insert(index);
                    all.insert(index);
                }
            }
        }
    }
}
