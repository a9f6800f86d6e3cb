//! The layers of an envelope, from the header that everyone reads to the body that keys open, explained for a student. The
//! places of the fields come from [`Envelope::fields`].

use std::ops::Range;

use common::crypto::{Addressed, Envelope, Field, FieldName, KeyId, SessionId};

use crate::{
    event::WireOutcome,
    state::{State, wire::Passed},
};

use crate::ui::{
    chat::names::name,
    kit::{format, widgets},
};

/// The padding of a letter and of a message to everyone, as in docs/PROTOCOL.md.
const LETTER_PADDING_BYTES: usize = 256;
const EVERYONE_PADDING_BYTES: usize = 128;
/// AES-CBC adds at least one byte, up to a whole block.
const CBC_BLOCK_BYTES: usize = 16;

/// A part of an envelope.
pub(super) struct Layer {
    /// Its header, with its number.
    pub title: String,
    /// What it is for.
    pub explanation: String,
    /// What this client made of it, if that can be said of this layer alone.
    pub result: Option<String>,
    /// Its fields.
    pub lines: Vec<Line>,
    /// Where it is in the envelope.
    pub range: Range<usize>,
}

/// A field as it is shown.
pub(super) struct Line {
    /// What it is.
    pub label: &'static str,
    /// What its bytes mean; empty if nothing can be said.
    pub meaning: String,
    /// Where it is in the envelope.
    pub range: Range<usize>,
}

/// The layers of an envelope, from outside to inside.
pub(super) fn layers(state: &State, passed: &Passed, envelope: &Envelope) -> Vec<Layer> {
    let fields = envelope.fields();
    let layer = |title: &str, explanation: String, result: Option<String>, names: &[FieldName]| {
        let fields: Vec<&Field> = fields.iter().filter(|field| names.contains(&field.name)).collect();
        let (first, last) = (fields.first()?, fields.last()?);
        let range = first.range.start..last.range.end;
        let lines = fields.iter().map(|field| line(state, envelope, field)).collect();
        Some(Layer { title: title.to_owned(), explanation, result, lines, range })
    };
    let body = |title: &str| {
        let names = [
            FieldName::MegolmVersion,
            FieldName::MegolmIndex,
            FieldName::MegolmLength,
            FieldName::Ciphertext,
            FieldName::Tag,
            FieldName::MegolmMac,
            FieldName::MegolmSignature,
            FieldName::Malformed,
        ];
        layer(title, body_explanation(state, passed, envelope), body_result(passed), &names)
    };
    let header = layer("1. Header, in the clear", HEADER.to_owned(), None, &HEADER_FIELDS);
    let sender_key = [FieldName::SenderKey];
    let layers = match &envelope.addressed {
        Addressed::Everyone { .. } => vec![
            header,
            layer("2. Sender key", sender_key_text(state, passed), Some(sender_key_result(state, passed)), &sender_key),
            body("3. Megolm message"),
        ],
        Addressed::Letter { slot, session } => {
            let wrapped = [FieldName::WrappedLength, FieldName::Wrapped];
            let (rsa, hpke) = (wrapped_text(state, slot.recipient), hpke_text(state, slot.recipient, *session));
            vec![
                header,
                layer("2. RSA-OAEP: a wrapped secret", rsa, wrapped_result(state, passed), &wrapped),
                layer("3. HPKE: a second secret", hpke, hpke_result(passed), &[FieldName::Encapsulation]),
                body("4. Body: the ciphertext"),
            ]
        }
    };
    layers.into_iter().flatten().collect()
}

const HEADER: &str = "Everyone on the way reads this: who writes to whom, and when. What is encrypted below is bound to it, so that \
                      no byte of it can be changed unnoticed.";

const HEADER_FIELDS: [FieldName; 7] = [
    FieldName::Version,
    FieldName::Suite,
    FieldName::MessageId,
    FieldName::Sequence,
    FieldName::Sender,
    FieldName::Recipient,
    FieldName::Session,
];

fn wrapped_text(state: &State, recipient: KeyId) -> String {
    let whose = name(state, &recipient).possessive();
    format!("A fresh secret of 32 bytes, encrypted with {whose} public RSA key. Only {whose} private RSA key opens it.")
}

fn wrapped_result(state: &State, passed: &Passed) -> Option<String> {
    let recipient = name(state, &passed.recipient?);
    Some(match passed.outcome {
        WireOutcome::Opened | WireOutcome::SentAgain | WireOutcome::Receipt | WireOutcome::SenderKey => {
            "Your RSA key opened it.".to_owned()
        }
        WireOutcome::Foreign => "Your RSA key was tried: it does not open this.".to_owned(),
        WireOutcome::Own => format!("You made this secret and forgot it. Now {recipient} alone can have it."),
        WireOutcome::Rejected => "Your RSA key was tried. Whether it fitted is not told, not even to you.".to_owned(),
        _ => "Your RSA key was not tried.".to_owned(),
    })
}

fn hpke_text(state: &State, recipient: KeyId, session: SessionId) -> String {
    let whose = name(state, &recipient).possessive();
    let person = state.people.dictionary().and_then(|dictionary| dictionary.person(&recipient));
    let which = match person.map(|person| &person.session) {
        Some(record) if record.id() == session => {
            format!("{whose} present session key, made at {}", format::clock_seconds(record.created_unix_millis()))
        }
        _ => format!("a session key that is not {whose} present one"),
    };
    format!(
        "An encapsulation (X-Wing: X25519 and ML-KEM-768) to {which}. Its private half is never stored and is wiped after \
         minutes, so that a recording and a stolen RSA key do not open this."
    )
}

fn hpke_result(passed: &Passed) -> Option<String> {
    let text = match passed.outcome {
        WireOutcome::Opened | WireOutcome::SentAgain | WireOutcome::Receipt | WireOutcome::SenderKey => {
            "Your session key opened it."
        }
        WireOutcome::Foreign => "Not tried: without the first secret it is of no use.",
        WireOutcome::SessionKeyGone => "You do not have this session key, or do not have it any more.",
        _ => return None,
    };
    Some(text.to_owned())
}

fn sender_key_text(state: &State, passed: &Passed) -> String {
    let whose = name(state, &passed.sender).possessive();
    format!(
        "The name of {whose} sender key. The key itself went to each person online in a letter of their own; so this message is \
         encrypted once, however many read it."
    )
}

fn sender_key_result(state: &State, passed: &Passed) -> String {
    match passed.outcome {
        WireOutcome::Own => "It is yours.".to_owned(),
        WireOutcome::OpenedWithSenderKey { handed_unix_millis } => {
            format!("It was sealed for you at {}.", format::clock_seconds(handed_unix_millis))
        }
        WireOutcome::NoSenderKey => format!("{} has not handed it to you.", name(state, &passed.sender).at_start()),
        WireOutcome::Rejected | WireOutcome::TooManyFailures | WireOutcome::UnsignedName => "You have it.".to_owned(),
        _ => "Whether you have it was not looked up.".to_owned(),
    }
}

/// What is inside, if this client knows.
fn body_result(passed: &Passed) -> Option<String> {
    let text_bytes = passed.said.as_ref().map(|said| said.text.len());
    match (passed.outcome, text_bytes) {
        (WireOutcome::Own, Some(bytes)) => Some(format!("Inside is what you wrote: {bytes} bytes of text.")),
        (_, Some(bytes)) => Some(format!("Your keys opened it. Inside are {bytes} bytes of text, shown above.")),
        (WireOutcome::SenderKey, None) => {
            Some("Your keys opened it. Inside is the sender key, which is not shown.".into())
        }
        (WireOutcome::Receipt, None) => Some("Your keys opened it. Inside are the ids of messages of yours.".into()),
        (WireOutcome::Foreign, None) => Some("Closed: without the first secret there is no key for it.".into()),
        _ => None,
    }
}

fn body_explanation(state: &State, passed: &Passed, envelope: &Envelope) -> String {
    let ciphertext = envelope.fields().into_iter().find(|field| field.name == FieldName::Ciphertext);
    let ciphertext_bytes = ciphertext.map_or(0, |field| field.range.len());
    match envelope.addressed {
        Addressed::Everyone { .. } if ciphertext_bytes == 0 => {
            "This is not laid out as a message of Megolm, so no one can open it.".to_owned()
        }
        Addressed::Everyone { .. } => format!(
            "AES-256 encrypts, HMAC-SHA-256 and Ed25519 protect against changes. The key moves on with each message. Inside \
             are {} bytes, padded to a multiple of {EVERYONE_PADDING_BYTES}: the length tells little about the text.",
            ciphertext_bytes.saturating_sub(CBC_BLOCK_BYTES)
        ),
        Addressed::Letter { .. } => format!(
            "ChaCha20-Poly1305, under a key made of both secrets. Inside are {ciphertext_bytes} bytes: what is said, when, and \
             {} signature, padded to a multiple of {LETTER_PADDING_BYTES}, so that the length tells little about the text.",
            name(state, &passed.sender).possessive()
        ),
    }
}

/// What the bytes of a field mean.
fn line(state: &State, envelope: &Envelope, field: &Field) -> Line {
    let bytes = &envelope.as_bytes()[field.range.clone()];
    let person = |key: KeyId| {
        let (name, key) = (name(state, &key).to_string(), widgets::key_text(&key));
        // Two people of one name are told apart by their keys already.
        if name.contains(&key) { name } else { format!("{name} ({key})") }
    };
    let (label, meaning) = match field.name {
        FieldName::Version => ("Version", String::new()),
        FieldName::Suite => ("Suite", suite(envelope).to_owned()),
        FieldName::MessageId => ("Message id", "random".to_owned()),
        FieldName::Sequence => ("Sequence number", envelope.sequence.to_string()),
        FieldName::Sender => ("Sender", person(envelope.sender)),
        FieldName::Recipient => ("Recipient", envelope.recipient().map(person).unwrap_or_default()),
        FieldName::Session => ("Session key", "its id".to_owned()),
        FieldName::WrappedLength => {
            ("Length", format!("{} bytes", bytes.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte))))
        }
        FieldName::Wrapped => ("Wrapped secret", format!("{} bits", bytes.len() * 8)),
        FieldName::Encapsulation => ("Encapsulation", String::new()),
        FieldName::SenderKey => ("Sender key", "its id, an Ed25519 public key".to_owned()),
        FieldName::Ciphertext => ("Ciphertext", String::new()),
        FieldName::Tag => ("Tag", "shows any change".to_owned()),
        FieldName::MegolmVersion => ("Version of Megolm", String::new()),
        FieldName::MegolmIndex => {
            let number = envelope.message_index().map_or(0, |index| u64::from(index) + 1);
            ("Index", format!("message {number} under this key"))
        }
        FieldName::MegolmLength => ("Length of the ciphertext", String::new()),
        FieldName::MegolmMac => ("MAC", "shows any change".to_owned()),
        FieldName::MegolmSignature => ("Signature", "made with the sender key".to_owned()),
        FieldName::Malformed => ("Unknown", String::new()),
    };
    Line { label, meaning, range: field.range.clone() }
}

fn suite(envelope: &Envelope) -> &'static str {
    match envelope.addressed {
        Addressed::Letter { .. } => "a letter to one person",
        Addressed::Everyone { .. } => "to everyone, under a sender key",
    }
}
