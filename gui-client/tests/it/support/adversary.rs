//! The keys of someone who is not to be trusted, and what they open.

use std::time::Instant;

use common::{
    crypto::{
        Addressed, Envelope, Identity, KeyId, Message, MessageId, PublicKey, SessionKeys, SessionRecord, TextNumber,
        letter::{self, Content, Letter},
        sender_key::Speaker,
        sender_key_store::SenderKeyStore,
    },
    message::Person,
    name::Name,
};

/// A key pair with session keys of its own, and the sender keys that it was handed.
pub struct Adversary {
    pub identity: Identity,
    sessions: SessionKeys,
    sender_keys: SenderKeyStore,
    entry: Person,
}

/// What an envelope gives to those who try to open it.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Nothing,
    Text(String),
    SenderKey(Vec<u8>),
}

impl Adversary {
    /// Under this name, on servers without TLS.
    pub fn new(name: &str, identity: Identity) -> Self {
        let (name, sessions) = (Name::parse(name).unwrap(), SessionKeys::new(Instant::now()));
        let session = SessionRecord::sign(sessions.current().public_key(), 1, &identity, &name, &[0; 32]);
        let entry = Person { name, public_key: identity.public_key().clone(), session, since_unix_secs: 0 };
        Self { identity, sessions, sender_keys: SenderKeyStore::default(), entry }
    }

    /// The entry of a dictionary that lists these keys.
    pub fn entry(&self) -> Person {
        self.entry.clone()
    }

    pub fn key(&self) -> KeyId {
        self.entry.public_key.id()
    }

    /// Tries everything that these keys can do on an envelope that claims to be from `sender`.
    pub fn open(&mut self, envelope: &[u8], sender: &PublicKey) -> Got {
        let envelope = Envelope::parse(envelope.to_vec()).unwrap();
        if let Addressed::Everyone { .. } = envelope.addressed {
            let opened = self.sender_keys.open(&envelope, Instant::now());
            return opened.map_or(Got::Nothing, |message| Got::Text(message.text));
        }
        match letter::open(&envelope, &self.identity, &self.sessions, sender).map(|letter| letter.content) {
            Ok(Content::Text(_, text)) => Got::Text(text),
            Ok(Content::SenderKey(_, key)) => {
                self.sender_keys.accept(envelope.sender, &key, Instant::now()).unwrap();
                Got::SenderKey(key.to_vec())
            }
            _ => Got::Nothing,
        }
    }

    /// The messages that a receipt of this person confirms.
    pub fn receipt(&self, envelope: &[u8], from: &Person) -> Vec<MessageId> {
        let envelope = Envelope::parse(envelope.to_vec()).unwrap();
        match letter::open(&envelope, &self.identity, &self.sessions, &from.public_key).unwrap().content {
            Content::Receipt(ids) => ids,
            _ => panic!("no receipt"),
        }
    }

    /// A letter to this person, in the name of this key.
    pub fn letter(&self, to: &Person, sequence: u64, content: Content) -> Vec<u8> {
        let letter = Letter { sent_unix_millis: 5, content };
        letter::seal(&letter, sequence, &self.identity, &to.public_key, &to.session).unwrap().as_bytes().to_vec()
    }

    /// The same with a text.
    pub fn text(&self, to: &Person, sequence: u64, text: &str) -> Vec<u8> {
        self.letter(to, sequence, Content::Text(TextNumber { count: sequence, number: 1 }, text.to_owned()))
    }

    /// The first message to everyone under a new sender key: the letter that hands the key to this person, and the message.
    pub fn line_to_everyone(&self, to: &Person, sequence: u64, text: &str) -> (Vec<u8>, Vec<u8>) {
        let (mut speaker, me) = (Speaker::default(), self.key());
        speaker.prepare(&[to.public_key.id()], Instant::now());
        let key = speaker.hand_over(to.public_key.id()).expect("it was just prepared");
        let number = TextNumber { count: sequence, number: 1 };
        let message = Message { sent_unix_millis: 5, number, text: text.to_owned() };
        let line = speaker.seal(&message, sequence + 1, me).unwrap();
        (self.letter(to, sequence, Content::SenderKey(number, key)), line.as_bytes().to_vec())
    }
}
