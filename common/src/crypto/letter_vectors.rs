//! The committed letters of `docs/vectors/letters.txt`: one that opens, and more that must not, each sealed by a sender
//! who does one thing wrong. `WRITE_VECTORS=1 cargo test -p common --all-features --lib letter_vectors` makes them anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::{fmt::Write, fs, path::PathBuf};

use hpke::{
    Deserializable, Kem, OpModeS, PskBundle, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing,
};
use rand::rng;

use super::{
    CannotOpen, Envelope, Identity, SessionId, SessionKey, TextNumber,
    letter::{Content, Letter, open},
    sha256, test_keys,
    transcript::Transcript,
};

const TEXT: &str = "Hello, Bob! Grüße, 你好";
const TIME: u64 = 1_780_000_000_000;
const NUMBER: TextNumber = TextNumber { count: 1_779_999_000_000_000, number: 7 };

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors/letters.txt")
}

/// The content of a letter with this text.
fn content(text: &[u8]) -> Vec<u8> {
    [&NUMBER.count.to_be_bytes()[..], &NUMBER.number.to_be_bytes(), text].concat()
}

/// What a sender does; the default is what the protocol says.
struct Sender {
    signer: Identity,
    oaep_label: &'static [u8],
    has_psk: bool,
    psk_id: Option<[u8; 16]>,
    info: &'static [u8],
    session: SessionId,
    is_encapsulation_signed: bool,
    kind: u8,
    content: Vec<u8>,
    padding: fn(&mut Vec<u8>),
    has_header_as_associated_data: bool,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            signer: test_keys::ada(),
            oaep_label: b"triptych letter v2",
            has_psk: true,
            psk_id: None,
            info: b"triptych letter v2",
            session: session_key().id(),
            is_encapsulation_signed: true,
            kind: 0,
            content: content(TEXT.as_bytes()),
            padding: |inside| inside.resize(inside.len().next_multiple_of(256), 0),
            has_header_as_associated_data: true,
        }
    }
}

fn session_key() -> SessionKey {
    SessionKey::from_seed(&test_keys::SESSION_SEED)
}

impl Sender {
    /// A letter from Ada to Bob. Written out step by step, so that it shares nothing with `letter.rs` but the crates.
    fn seal(self) -> Vec<u8> {
        let (psk, message_id) = ([0x77; 32], [0x11; 16]);
        let wrapped = test_keys::bob().public_key().wrap(self.oaep_label, &psk);
        let mut header = vec![1, 2];
        header.extend_from_slice(&message_id);
        header.extend_from_slice(&42u64.to_be_bytes());
        header.extend_from_slice(&test_keys::ada().public_key().id().0);
        header.extend_from_slice(&test_keys::bob().public_key().id().0);
        header.extend_from_slice(&self.session.0);
        header.extend_from_slice(&[1, 0]);
        header.extend_from_slice(&wrapped);
        let up_to_wrapped = header.len();
        let psk_id = self.psk_id.unwrap_or(message_id);
        let mode = OpModeS::Psk(PskBundle::new(&psk, &psk_id).unwrap());
        let mode = if self.has_psk { mode } else { OpModeS::Base };
        let public_key = <XWing as Kem>::PublicKey::from_bytes(session_key().public_key()).unwrap();
        let info = [self.info, &sha256(&header)].concat();
        let (encapsulation, mut context) =
            hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(&mode, &public_key, &info, &mut rng())
                .unwrap();
        header.extend_from_slice(&encapsulation.to_bytes());
        let signed = if self.is_encapsulation_signed { &header[..] } else { &header[..up_to_wrapped] };
        let transcript = Transcript::new("triptych letter v2").with(&sha256(signed)).with(&[self.kind]);
        let transcript = transcript.with(&TIME.to_be_bytes()).with(&self.content).into_bytes();
        let mut inside = vec![self.kind];
        inside.extend_from_slice(&TIME.to_be_bytes());
        inside.extend_from_slice(&u32::try_from(self.content.len()).unwrap().to_be_bytes());
        inside.extend_from_slice(&self.content);
        inside.extend_from_slice(&[1, 0]);
        inside.extend_from_slice(&self.signer.sign(&transcript));
        (self.padding)(&mut inside);
        let associated = if self.has_header_as_associated_data { &header[..] } else { &[] };
        let body = context.seal(&inside, associated).unwrap();
        [header, body].concat()
    }
}

/// Names and bytes of the letters; only the first opens.
fn letters() -> Vec<(&'static str, Vec<u8>)> {
    let good = || Sender::default().seal();
    let cut = |count: usize| good()[..good().len() - count].to_vec();
    let with = |at: usize, bytes: &[u8]| {
        let mut letter = good();
        letter[at..at + bytes.len()].copy_from_slice(bytes);
        letter
    };
    vec![
        ("opens", good()),
        ("signed by another key", Sender { signer: test_keys::eve(), ..Sender::default() }.seal()),
        ("signed without the encapsulation", Sender { is_encapsulation_signed: false, ..Sender::default() }.seal()),
        ("sealed without the wrapped secret", Sender { has_psk: false, ..Sender::default() }.seal()),
        ("another psk_id", Sender { psk_id: Some([0x12; 16]), ..Sender::default() }.seal()),
        ("another info", Sender { info: b"triptych letter v1", ..Sender::default() }.seal()),
        ("another OAEP label", Sender { oaep_label: b"triptych envelope v1", ..Sender::default() }.seal()),
        ("another session id", Sender { session: SessionId([0; 16]), ..Sender::default() }.seal()),
        ("no associated data", Sender { has_header_as_associated_data: false, ..Sender::default() }.seal()),
        ("an unknown kind", Sender { kind: 3, ..Sender::default() }.seal()),
        ("a receipt for half a message", Sender { kind: 2, content: vec![1; 24], ..Sender::default() }.seal()),
        ("a receipt for no message", Sender { kind: 2, content: vec![], ..Sender::default() }.seal()),
        ("a receipt for too many messages", Sender { kind: 2, content: vec![1; 65 * 16], ..Sender::default() }.seal()),
        ("a sender key that is too short", Sender { kind: 1, content: vec![1; 12 + 228], ..Sender::default() }.seal()),
        ("a text with the number 0", Sender { content: vec![0; 12], ..Sender::default() }.seal()),
        ("a text without a number", Sender { content: vec![1; 11], ..Sender::default() }.seal()),
        ("a text that is not UTF-8", Sender { content: content(&[0xc3, 0x28]), ..Sender::default() }.seal()),
        ("a text that is too long", Sender { content: content(&[b'x'; 8193]), ..Sender::default() }.seal()),
        ("no padding", Sender { padding: |_| (), ..Sender::default() }.seal()),
        ("padding that is not zero", Sender { padding: |inside| inside.resize(512, 1), ..Sender::default() }.seal()),
        ("too much padding", Sender { padding: |inside| inside.resize(768, 0), ..Sender::default() }.seal()),
        ("another sender", with(26, &test_keys::eve().public_key().id().0)),
        ("another recipient", with(58, &test_keys::eve().public_key().id().0)),
        ("another sequence", with(18, &43u64.to_be_bytes())),
        ("the last byte is missing", cut(1)),
        ("not a letter: the body is missing", cut(528)),
        ("not a letter: an unknown version", with(0, &[2])),
        ("not a letter: an unknown suite", with(1, &[0])),
        ("not a letter: a short wrapped secret", with(106, &[0, 255])),
    ]
}

/// The committed letters, as names and bytes.
fn committed() -> Vec<(String, Vec<u8>)> {
    let text = fs::read_to_string(path()).unwrap();
    let blocks = text.split("\n\n").filter(|block| !block.starts_with('#'));
    let read = |block: &str| {
        let (name, hex) = block.split_once('\n').unwrap();
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        (name.to_owned(), digits.chunks(2).map(byte).collect())
    };
    blocks.map(read).collect()
}

#[test]
fn only_the_first_committed_letter_opens() {
    if std::env::var_os("WRITE_VECTORS").is_some() {
        write_the_letters();
    }
    let committed = committed();
    let names: Vec<_> = committed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, letters().iter().map(|(name, _)| *name).collect::<Vec<_>>(), "the file is up to date");
    let (ada, bob, sessions) = (test_keys::ada(), test_keys::bob(), test_keys::session_keys());
    for (name, bytes) in committed {
        let opened = Envelope::parse(bytes).map(|envelope| open(&envelope, &bob, &sessions, ada.public_key()));
        match name.as_str() {
            "opens" => {
                let letter = Letter { sent_unix_millis: TIME, content: Content::Text(NUMBER, TEXT.to_owned()) };
                assert!(opened.unwrap().is_ok_and(|opened| opened == letter));
            }
            name if name.starts_with("not a letter") => assert!(opened.is_err(), "{name}"),
            name => assert_eq!(opened.map(Result::err), Ok(Some(CannotOpen)), "{name}"),
        }
    }
}

#[test]
fn a_letter_made_anew_has_the_same_fate() {
    let (ada, bob, sessions) = (test_keys::ada(), test_keys::bob(), test_keys::session_keys());
    for (name, bytes) in letters() {
        let opened = Envelope::parse(bytes).map(|envelope| open(&envelope, &bob, &sessions, ada.public_key()));
        assert_eq!(matches!(opened, Ok(Ok(_))), name == "opens", "{name}");
        assert_eq!(opened.is_err(), name.starts_with("not a letter"), "{name}");
    }
}

fn write_the_letters() {
    let mut text = "# Letters from Ada to Bob, as section 8 of PROTOCOL.md says. Each block is a name and the bytes in hexadecimal.\n\
        # Only the first opens.\n"
        .to_owned();
    for (name, bytes) in letters() {
        write!(text, "\n{name}\n").unwrap();
        for line in bytes.chunks(64) {
            line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
            text.push('\n');
        }
    }
    fs::write(path(), text).unwrap();
}
