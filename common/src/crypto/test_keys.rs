//! Fixed key pairs for tests, and many others made from them, because generating one takes seconds. They are public and must never be used
//! otherwise.

use std::time::Instant;

use super::{Identity, PublicKey, SESSION_PUBLIC_KEY_BYTES, SessionKeys, SessionRecord};
use crate::name::Name;

/// The private key of the session key of [`session_keys`].
pub const SESSION_SEED: [u8; 32] = [0x42; 32];

/// Ada, usually the sender.
pub fn ada() -> Identity {
    identity(include_str!("test_key_ada.pem"))
}

/// Bob, usually the recipient.
pub fn bob() -> Identity {
    identity(include_str!("test_key_bob.pem"))
}

/// Eve, who must not be able to read the messages of the others.
pub fn eve() -> Identity {
    identity(include_str!("test_key_eve.pem"))
}

/// A session key that is always the same, current until ten minutes from now.
pub fn session_keys() -> SessionKeys {
    SessionKeys::from_seed(&SESSION_SEED, Instant::now())
}

/// More than thirty further key pairs, made anew for each process.
pub fn crowd() -> Vec<Identity> {
    let mut sources = vec![ada(), bob(), eve()];
    let known: Vec<_> = sources.iter().map(|identity| identity.public_key().clone()).collect();
    sources.extend((0..2).map(|_| Identity::generate(2048)));
    let mut crowd = Identity::combined(&sources);
    crowd.retain(|identity| !known.contains(identity.public_key()));
    crowd
}

/// This number of key pairs, made anew. Two thousand take a minute.
pub fn crowd_of(count: usize) -> Vec<Identity> {
    let mut sources = Vec::new();
    loop {
        // Of n keys there are 2n primes, and so n(2n − 1) products of two, of which most are long enough.
        sources.push(Identity::generate(2048));
        if sources.len() * (2 * sources.len() - 1) >= count {
            let mut crowd = Identity::combined(&sources);
            if crowd.len() >= count {
                crowd.truncate(count);
                return crowd;
            }
        }
    }
}

/// A session record that the owner of `key` has not signed, for tests that do not verify it: always the same for the same
/// arguments.
pub fn unsigned_record(name: &Name, key: &PublicKey, created_unix_millis: u64) -> SessionRecord {
    let (name, signature) = (name.as_str().as_bytes(), [0; 256]);
    let name_length = u8::try_from(name.len()).expect("a name has at most 128 bytes");
    let bytes = [
        &[1][..],
        &created_unix_millis.to_be_bytes(),
        &key.id().0,
        &[0; 32],
        &[0x44; SESSION_PUBLIC_KEY_BYTES],
        &[name_length],
        name,
        &[1, 0],
        &signature,
    ];
    SessionRecord::parse(&bytes.concat()).expect("the layout is valid")
}

fn identity(pem: &str) -> Identity {
    Identity::from_pem(pem).expect("the fixed keys are valid")
}
