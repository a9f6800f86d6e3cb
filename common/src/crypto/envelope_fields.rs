//! The fields of an envelope by name and place, for a view that shows them byte by byte. What is inside the encryption is
//! not among them, so this needs no key.
//!
//! A body of suite 3 is a message of Megolm: a version, two fields in the encoding of Protocol Buffers (the index, and the
//! ciphertext with its length), a MAC and a signature.

use std::ops::Range;

use super::envelope::{Addressed, ENCAPSULATION_BYTES, Envelope};

/// The tag of Megolm's message index: field 1, a varint.
const INDEX_TAG: u8 = 0x08;
/// The tag of Megolm's ciphertext: field 2, bytes with their length before them.
const CIPHERTEXT_TAG: u8 = 0x12;
/// The length of the tag that ends the body of a letter (RFC 8439 §2.5).
const TAG_BYTES: usize = 16;
/// The length of an Ed25519 signature, which ends a message of Megolm.
const SIGNATURE_BYTES: usize = 64;
/// The length of Megolm's MAC by the version of the message: HMAC-SHA-256, cut to eight bytes in version 3.
const MAC_BYTES: [(u8, usize); 2] = [(3, 8), (4, 32)];

/// What a field of an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldName {
    /// The version of the layout.
    Version,
    /// Which algorithms are used.
    Suite,
    /// The random id of the message.
    MessageId,
    /// The sequence number.
    Sequence,
    /// The id of the sender's RSA key.
    Sender,
    /// The id of the recipient's RSA key.
    Recipient,
    /// The id of the recipient's session key.
    Session,
    /// The length of the wrapped secret.
    WrappedLength,
    /// The secret that is encrypted with the recipient's RSA key.
    Wrapped,
    /// The encapsulation of HPKE: what the recipient's session key makes the second secret of.
    Encapsulation,
    /// The id of the sender key, in suite 3.
    SenderKey,
    /// The encrypted content.
    Ciphertext,
    /// The authentication tag of the ciphertext.
    Tag,
    /// The version of Megolm's message.
    MegolmVersion,
    /// Which message under its sender key this is, counted from 0, with the tag before it.
    MegolmIndex,
    /// The tag and length of Megolm's ciphertext.
    MegolmLength,
    /// Megolm's message authentication code.
    MegolmMac,
    /// Megolm's signature, made with the sender key.
    MegolmSignature,
    /// A body that is not laid out as its suite demands; no one can open it.
    Malformed,
}

/// A field of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub name: FieldName,
    /// Where it is in [`Envelope::as_bytes`].
    pub range: Range<usize>,
}

/// Fields one after another.
#[derive(Default)]
struct Fields {
    all: Vec<Field>,
    end: usize,
}

impl Fields {
    fn add(&mut self, name: FieldName, length: usize) {
        self.all.push(Field { name, range: self.end..self.end + length });
        self.end += length;
    }
}

impl Envelope {
    /// The fields, from the first byte to the last: together they are the whole envelope.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Fields::default();
        for (name, length) in [
            (FieldName::Version, 1),
            (FieldName::Suite, 1),
            (FieldName::MessageId, 16),
            (FieldName::Sequence, 8),
            (FieldName::Sender, 32),
        ] {
            fields.add(name, length);
        }
        let body_bytes = self.body().len();
        match &self.addressed {
            Addressed::Letter { slot, .. } => {
                fields.add(FieldName::Recipient, 32);
                fields.add(FieldName::Session, 16);
                fields.add(FieldName::WrappedLength, 2);
                fields.add(FieldName::Wrapped, slot.wrapped.len());
                fields.add(FieldName::Encapsulation, ENCAPSULATION_BYTES);
                fields.add(FieldName::Ciphertext, body_bytes - TAG_BYTES);
                fields.add(FieldName::Tag, TAG_BYTES);
            }
            Addressed::Everyone { .. } => {
                fields.add(FieldName::SenderKey, 32);
                match Megolm::read(self.body()) {
                    Some(megolm) => {
                        fields.add(FieldName::MegolmVersion, 1);
                        fields.add(FieldName::MegolmIndex, megolm.index_bytes);
                        fields.add(FieldName::MegolmLength, megolm.length_bytes);
                        fields.add(FieldName::Ciphertext, megolm.ciphertext_bytes);
                        fields.add(FieldName::MegolmMac, megolm.mac_bytes);
                        fields.add(FieldName::MegolmSignature, SIGNATURE_BYTES);
                    }
                    None => fields.add(FieldName::Malformed, body_bytes),
                }
            }
        }
        fields.all
    }

    /// Which message under its sender key this is, counted from 0; `None` unless it is a message to everyone.
    pub fn message_index(&self) -> Option<u32> {
        let Addressed::Everyone { .. } = self.addressed else { return None };
        Megolm::read(self.body()).map(|megolm| megolm.index)
    }
}

/// The parts of a message of Megolm.
struct Megolm {
    index: u32,
    index_bytes: usize,
    length_bytes: usize,
    ciphertext_bytes: usize,
    mac_bytes: usize,
}

impl Megolm {
    /// The lengths of the parts, if the layout is the one that Triptych's clients write.
    fn read(body: &[u8]) -> Option<Self> {
        let (version, rest) = body.split_first()?;
        let (_, mac_bytes) = *MAC_BYTES.iter().find(|(known, _)| known == version)?;
        let (index, index_bytes) = tagged_number(rest, INDEX_TAG)?;
        let rest = &rest[index_bytes..];
        let (ciphertext_bytes, length_bytes) = tagged_number(rest, CIPHERTEXT_TAG)?;
        let ciphertext_bytes = usize::try_from(ciphertext_bytes).ok()?;
        let expected_bytes = ciphertext_bytes.checked_add(mac_bytes + SIGNATURE_BYTES)?;
        (rest.len() - length_bytes == expected_bytes).then_some(Self {
            index,
            index_bytes,
            length_bytes,
            ciphertext_bytes,
            mac_bytes,
        })
    }
}

/// A number with this tag before it, in the encoding of Protocol Buffers, and the bytes that both take up.
fn tagged_number(bytes: &[u8], tag: u8) -> Option<(u32, usize)> {
    let (first, rest) = bytes.split_first()?;
    if *first != tag {
        return None;
    }
    let mut number = 0u64;
    for (place, byte) in rest.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(number).ok()?, place + 2));
        }
    }
    None
}

#[cfg(all(test, feature = "test-keys"))]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use vodozemac::megolm::MegolmMessage;

    use super::*;
    use crate::crypto::{
        KeyId, Message, SessionRecord, TextNumber,
        letter::{Content, Letter, seal},
        sender_key::Speaker,
        test_keys,
    };

    const NUMBER: TextNumber = TextNumber { count: 1, number: 1 };

    fn letter() -> Envelope {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let name = crate::name::Name::parse("bob").expect("it is a name");
        let session = SessionRecord::sign(test_keys::session_keys().current().public_key(), 1, &bob, &name, &[0; 32]);
        let letter = Letter { sent_unix_millis: 5, content: Content::Text(NUMBER, "hello".into()) };
        seal(&letter, 0x0102_0304, &ada, bob.public_key(), &session).expect("the session key is sound")
    }

    /// The third message under a sender key.
    fn to_everyone() -> Envelope {
        let mut speaker = Speaker::default();
        speaker.prepare(&[], Instant::now());
        let message = Message { sent_unix_millis: 5, number: NUMBER, text: "hello".into() };
        let mut say = || speaker.seal(&message, 7, KeyId([1; 32])).expect("the text is short");
        (say(), say(), say()).2
    }

    fn bytes_of(envelope: &Envelope, name: FieldName) -> &[u8] {
        let field = envelope.fields().into_iter().find(|field| field.name == name).expect("there is one");
        &envelope.as_bytes()[field.range]
    }

    #[test]
    fn the_fields_of_a_letter_hold_what_its_header_says() {
        let letter = letter();
        let Addressed::Letter { slot, session } = &letter.addressed else { panic!("it is a letter") };
        assert_eq!(bytes_of(&letter, FieldName::Version), [1]);
        assert_eq!(bytes_of(&letter, FieldName::Suite), [2]);
        assert_eq!(bytes_of(&letter, FieldName::MessageId), letter.message_id.0);
        assert_eq!(bytes_of(&letter, FieldName::Sequence), letter.sequence.to_be_bytes());
        assert_eq!(bytes_of(&letter, FieldName::Sender), letter.sender.0);
        assert_eq!(bytes_of(&letter, FieldName::Recipient), slot.recipient.0);
        assert_eq!(bytes_of(&letter, FieldName::Session), session.0);
        assert_eq!(bytes_of(&letter, FieldName::Wrapped), letter.wrapped(slot));
        assert_eq!(bytes_of(&letter, FieldName::WrappedLength), (slot.wrapped.len() as u16).to_be_bytes());
        let body = [bytes_of(&letter, FieldName::Ciphertext), bytes_of(&letter, FieldName::Tag)].concat();
        assert_eq!(body, letter.body());
        assert_eq!(letter.message_index(), None);
    }

    #[test]
    fn the_fields_of_a_message_to_everyone_are_those_that_megolm_reads() {
        let envelope = to_everyone();
        let megolm = MegolmMessage::from_bytes(envelope.body()).unwrap();
        let Addressed::Everyone { sender_key } = &envelope.addressed else { panic!("it is to everyone") };
        assert_eq!(bytes_of(&envelope, FieldName::SenderKey), sender_key.0);
        assert_eq!(bytes_of(&envelope, FieldName::Ciphertext), megolm.ciphertext());
        assert_eq!(bytes_of(&envelope, FieldName::MegolmMac), megolm.mac());
        assert_eq!(bytes_of(&envelope, FieldName::MegolmSignature), megolm.signature().to_bytes());
        assert_eq!((envelope.message_index(), megolm.message_index()), (Some(2), 2));
    }

    #[test]
    fn a_body_that_is_not_of_megolm_is_named_so() {
        let sound = to_everyone();
        for (at, value) in [(0, 9), (1, 0x10), (3, 0x12 ^ 1), (4, 1)] {
            let mut bytes = sound.as_bytes().to_vec();
            let body_at = bytes.len() - sound.body().len();
            bytes[body_at + at] = value;
            let envelope = Envelope::parse(bytes).unwrap();
            assert_eq!(bytes_of(&envelope, FieldName::Malformed), envelope.body(), "byte {at}");
            assert_eq!(envelope.message_index(), None);
        }
    }

    proptest! {
        #[test]
        fn every_byte_belongs_to_exactly_one_field(
            is_letter: bool,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let mut bytes = if is_letter { letter() } else { to_everyone() }.as_bytes().to_vec();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(envelope) = Envelope::parse(bytes) {
                let mut end = 0;
                for field in envelope.fields() {
                    prop_assert_eq!(field.range.start, end);
                    end = field.range.end;
                }
                prop_assert_eq!(end, envelope.as_bytes().len());
            }
        }
    }
}
