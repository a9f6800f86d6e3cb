//! Sender keys: one speaker's key for messages to everyone (suite 3), which ratchets with each message. The notation is
//! that of `docs/PROTOCOL.md`, section 8.
//!
//! ```text
//! sender key  a Megolm session: a ratchet, handed to each member in a letter, and an Ed25519 key that signs
//! body        Megolm's message, of SHA-256(header) | time | text length | text | padding
//! ```
//! So a message to everyone has the same size in a room of any size. A member without the key cannot read it, and a member
//! who received the key later cannot read earlier messages, because the ratchet only moves forwards. `sender_key_store.rs` holds
//! the keys of the others.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use vodozemac::megolm::{GroupSession, SessionConfig};
use zeroize::Zeroizing;

use super::{
    KeyId, MessageId, SenderKeyId,
    envelope::{Envelope, SENDER_KEY_SUITE, VERSION},
    reader::Reader,
    sha256,
    text_number::TextNumber,
};
use crate::limits::MAX_TEXT_BYTES;

/// A sender key is replaced after this many messages.
pub const MAX_MESSAGES: u32 = 100;

/// A sender key is replaced at this age.
pub const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// A sender key in a letter: version 1, index 4, ratchet 128, Ed25519 public key 32, signature 64.
pub(super) const HANDOVER_BYTES: usize = 229;
/// Where the Ed25519 public key is in it, which is the sender key's id.
const ID_AT: usize = 1 + 4 + 128;
/// The plaintext is padded to a multiple of this, so that its length reveals little about the length of the text.
const PADDING_BYTES: usize = 128;

/// What is inside a message to everyone.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// Its number among all that the sender has said to everyone.
    pub number: TextNumber,
    /// The text, up to [`MAX_TEXT_BYTES`] of UTF-8.
    pub text: String,
}

/// The text of a message is too long: its number of bytes exceeds [`MAX_TEXT_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("This message has {0} bytes, more than the limit of {MAX_TEXT_BYTES}. Shorten it or send it in parts.")]
pub struct LongText(pub usize);

/// This client's own sender key, and who has it. It has no `Debug`; the key is zeroed when dropped. Time is passed in.
///
/// To say something: [`Self::prepare`], seal [`Self::hand_over`] in a letter for each member it names, then
/// [`Self::seal`]. Call [`Self::member_left`] as soon as someone leaves.
#[derive(Default)]
pub struct Speaker {
    current: Option<OwnKey>,
}

struct OwnKey {
    session: GroupSession,
    made_at: Instant,
    /// Members that the key was handed to.
    holders: BTreeSet<KeyId>,
}

impl OwnKey {
    fn new(now: Instant) -> Self {
        Self { session: GroupSession::new(SessionConfig::version_1()), made_at: now, holders: BTreeSet::new() }
    }
}

/// Whether a key of this age, under which this many messages were sealed, needs a successor.
fn is_used_up(age: Duration, message_count: u32) -> bool {
    age >= MAX_AGE || message_count >= MAX_MESSAGES
}

impl Speaker {
    /// Gets the key ready for the next message to `members`, and returns those who have yet to be handed it. The key is
    /// a new one when there is none, when it is used up, or when one of its holders is no longer a member.
    pub fn prepare(&mut self, members: &[KeyId], now: Instant) -> Vec<KeyId> {
        let is_good = |key: &OwnKey| {
            let age = now.saturating_duration_since(key.made_at);
            !is_used_up(age, key.session.message_index()) && key.holders.iter().all(|holder| members.contains(holder))
        };
        if !self.current.as_ref().is_some_and(is_good) {
            self.current = Some(OwnKey::new(now));
        }
        let key = self.current.as_ref().expect("there is one now");
        members.iter().filter(|member| !key.holders.contains(member)).copied().collect()
    }

    /// The key as it is now, to be sealed in a letter for `member`, who can then read what is sealed from now on.
    /// `None` before [`Self::prepare`].
    pub fn hand_over(&mut self, member: KeyId) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.current.as_mut()?;
        key.holders.insert(member);
        Some(Zeroizing::new(key.session.session_key().to_bytes()))
    }

    /// Notes that `member` did not get the key after all: the letter with it could not be sealed.
    pub fn take_back(&mut self, member: KeyId) {
        if let Some(key) = &mut self.current {
            key.holders.remove(&member);
        }
    }

    /// Drops the key if `member` has it, so that it cannot read what is said after it left. It may be back under the
    /// same RSA key by the time of the next message, without the sender key and perhaps on another computer.
    pub fn member_left(&mut self, member: KeyId) {
        self.current.take_if(|key| key.holders.contains(&member));
    }

    /// The id of the key that the next message is sealed under.
    pub fn sender_key(&self) -> Option<SenderKeyId> {
        self.current.as_ref().map(|key| sender_key_id(&key.session))
    }

    /// Seals `message` under the key that was prepared, for all who hold it. `sender` is the id of this client's RSA
    /// key; `sequence` must be larger than in its last envelope.
    ///
    /// # Errors
    /// [`LongText`] when the text is too long.
    ///
    /// # Panics
    /// Before [`Self::prepare`], or when [`Self::member_left`] came in between.
    pub fn seal(&mut self, message: &Message, sequence: u64, sender: KeyId) -> Result<Envelope, LongText> {
        self.seal_as(message, MessageId::random(), sequence, sender)
    }

    /// The same with this message id: of a message that is sent again, and is the same one for its readers.
    ///
    /// # Errors
    /// As [`Self::seal`].
    ///
    /// # Panics
    /// As [`Self::seal`].
    pub fn seal_as(
        &mut self,
        message: &Message,
        message_id: MessageId,
        sequence: u64,
        sender: KeyId,
    ) -> Result<Envelope, LongText> {
        if message.text.len() > MAX_TEXT_BYTES {
            return Err(LongText(message.text.len()));
        }
        let key = self.current.as_mut().expect("prepare was called");
        let id = sender_key_id(&key.session);
        let header = write_header(message_id, sequence, sender, id);
        let body = key.session.encrypt(write_inside(&header, message)).to_bytes();
        Ok(Envelope::parse([header, body].concat()).expect("an envelope just written has a valid layout"))
    }
}

fn sender_key_id(session: &GroupSession) -> SenderKeyId {
    let bytes = Zeroizing::new(session.session_key().to_bytes());
    id_in(&bytes).expect("a sender key has 229 bytes")
}

/// The id of the sender key in a letter's content.
pub(super) fn id_in(handover: &[u8]) -> Option<SenderKeyId> {
    let id = handover.get(ID_AT..)?.first_chunk()?;
    (handover.len() == HANDOVER_BYTES).then_some(SenderKeyId(*id))
}

pub(super) fn write_header(message_id: MessageId, sequence: u64, sender: KeyId, sender_key: SenderKeyId) -> Vec<u8> {
    let mut header = vec![VERSION, SENDER_KEY_SUITE];
    header.extend_from_slice(&message_id.0);
    header.extend_from_slice(&sequence.to_be_bytes());
    header.extend_from_slice(&sender.0);
    header.extend_from_slice(&sender_key.0);
    header
}

/// `SHA-256(header) 32 | time 8 | count 8 | number 4 | text length 4 | text | zeros`
pub(super) fn write_inside(header: &[u8], message: &Message) -> Zeroizing<Vec<u8>> {
    // Reserved in full: a buffer that grows would leave copies of the text behind.
    let mut inside = Zeroizing::new(Vec::with_capacity(message.text.len() + 56 + PADDING_BYTES));
    inside.extend_from_slice(&sha256(header));
    inside.extend_from_slice(&message.sent_unix_millis.to_be_bytes());
    inside.extend_from_slice(&message.number.to_bytes());
    inside.extend_from_slice(&u32::try_from(message.text.len()).expect("checked by seal").to_be_bytes());
    inside.extend_from_slice(message.text.as_bytes());
    let padded_bytes = inside.len().next_multiple_of(PADDING_BYTES);
    inside.resize(padded_bytes, 0);
    inside
}

pub(super) fn read_inside(header: &[u8], inside: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(inside);
    if reader.array()? != sha256(header) {
        return None;
    }
    let sent_unix_millis = u64::from_be_bytes(reader.array()?);
    let number = TextNumber::read(&mut reader)?;
    let length = usize::try_from(u32::from_be_bytes(reader.array()?)).ok()?;
    let text = String::from_utf8(reader.take(length)?.to_vec()).ok()?;
    let padding = reader.rest();
    let is_padded = inside.len().is_multiple_of(PADDING_BYTES) && padding.len() < PADDING_BYTES;
    if text.len() > MAX_TEXT_BYTES || !is_padded || padding.iter().any(|&byte| byte != 0) {
        return None;
    }
    Some(Message { sent_unix_millis, number, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: KeyId = KeyId([1; 32]);
    const BOB: KeyId = KeyId([2; 32]);
    const EVE: KeyId = KeyId([3; 32]);
    const NUMBER: TextNumber = TextNumber { count: 1, number: 1 };

    fn prepared(speaker: &mut Speaker, members: &[KeyId], now: Instant) -> Option<SenderKeyId> {
        for member in speaker.prepare(members, now) {
            speaker.hand_over(member);
        }
        speaker.sender_key()
    }

    #[test]
    fn a_key_is_handed_to_each_member_once_and_to_newcomers() {
        let (mut speaker, now) = (Speaker::default(), Instant::now());
        assert!(speaker.hand_over(BOB).is_none(), "there is no key yet");
        assert_eq!(speaker.prepare(&[BOB, EVE], now), [BOB, EVE]);
        let first = prepared(&mut speaker, &[BOB, EVE], now);
        assert_eq!(speaker.prepare(&[BOB, EVE], now), []);
        assert_eq!(speaker.prepare(&[ADA, BOB, EVE], now), [ADA]);
        assert_eq!(prepared(&mut speaker, &[ADA, BOB, EVE], now), first, "a newcomer needs no new key");
        speaker.take_back(EVE);
        assert_eq!(speaker.prepare(&[ADA, BOB, EVE], now), [EVE]);
        assert_eq!(speaker.sender_key(), first);
    }

    #[test]
    fn who_leaves_takes_the_key_out_of_use() {
        let (mut speaker, now) = (Speaker::default(), Instant::now());
        let first = prepared(&mut speaker, &[BOB, EVE], now);
        let without_eve = prepared(&mut speaker, &[BOB], now);
        assert_ne!(without_eve, first);
        // Bob leaves and is back before the next message.
        speaker.member_left(BOB);
        assert_eq!(speaker.prepare(&[BOB], now), [BOB], "he is handed the key again");
        assert_ne!(prepared(&mut speaker, &[BOB], now), without_eve);
        let before = speaker.sender_key();
        speaker.member_left(EVE);
        assert_eq!(speaker.sender_key(), before, "Eve did not have this key");
    }

    #[test]
    fn a_key_is_replaced_after_an_hour_or_a_hundred_messages() {
        let (mut speaker, now) = (Speaker::default(), Instant::now());
        let first = prepared(&mut speaker, &[BOB], now);
        let just_before = now + MAX_AGE.saturating_sub(Duration::from_millis(1));
        assert_eq!(prepared(&mut speaker, &[BOB], just_before), first);
        let second = prepared(&mut speaker, &[BOB], now + MAX_AGE);
        assert_ne!(second, first);
        let message = Message { sent_unix_millis: 1, number: NUMBER, text: "x".into() };
        for sequence in 0..u64::from(MAX_MESSAGES) {
            assert_eq!(prepared(&mut speaker, &[BOB], now + MAX_AGE), second);
            speaker.seal(&message, sequence, ADA).unwrap();
        }
        assert_ne!(prepared(&mut speaker, &[BOB], now + MAX_AGE), second);
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_and_uses_no_key_up() {
        let (mut speaker, now) = (Speaker::default(), Instant::now());
        prepared(&mut speaker, &[BOB], now);
        let text = "x".repeat(MAX_TEXT_BYTES + 1);
        let refused = speaker.seal(&Message { sent_unix_millis: 1, number: NUMBER, text }, 1, ADA).err();
        assert_eq!(refused, Some(LongText(MAX_TEXT_BYTES + 1)));
        assert_eq!(speaker.current.unwrap().session.message_index(), 0);
    }
}
