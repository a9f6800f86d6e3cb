//! Many clients at once.

use std::sync::{Mutex, PoisonError};

use common::{
    codec::encode_client,
    crypto::{Envelope, Identity, PublicKey, test_keys},
    message::{Blob, ClientMessage, Person},
    name::Name,
    test_messages::letter,
};

/// Keys that were made, for the whole run of the tests.
static PEMS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// `count` different key pairs.
pub fn identities(count: usize) -> Vec<Identity> {
    super::guard::alive();
    let mut pems = PEMS.lock().unwrap_or_else(PoisonError::into_inner);
    if pems.is_empty() {
        pems.extend(test_keys::crowd().iter().map(|identity| identity.to_pem().to_string()));
    }
    assert!(count <= pems.len(), "{count} of {} keys", pems.len());
    pems.iter().take(count).map(|pem| Identity::from_pem(pem).unwrap()).collect()
}

/// A letter with a text of that many bytes, from the sender to itself.
pub fn envelope(sender: &Identity, text_bytes: usize) -> Envelope {
    letter(&"x".repeat(text_bytes), 1, sender, sender)
}

/// The frame of a `Say` with such an envelope.
pub fn say_frame(sender: &Identity, text_bytes: usize) -> Vec<u8> {
    let envelope = Blob(envelope(sender, text_bytes).as_bytes().to_vec());
    encode_client(&ClientMessage::Say { envelope }).to_vec()
}

/// The person with this key and number, whose session record is not signed.
pub fn person(number: usize, public_key: PublicKey) -> Person {
    let name = Name::parse(&format!("p{number}")).unwrap();
    let session = test_keys::unsigned_record(&name, &public_key, 1);
    Person { name, public_key, session, since_unix_secs: 0 }
}

/// A public key for which no private key exists: Ada's with another modulus.
pub fn public_key(number: usize) -> PublicKey {
    let mut der = test_keys::ada().public_key().der().to_vec();
    der[100..102].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
    PublicKey::from_der(&der).unwrap()
}
