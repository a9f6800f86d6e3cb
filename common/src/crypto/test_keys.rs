//! Fixed key pairs for tests, and many others made from them, because generating one takes seconds. They are public and must never be used
//! otherwise.

use std::time::Instant;

use super::{Identity, SessionKeys};

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

fn identity(pem: &str) -> Identity {
    Identity::from_pem(pem).expect("the fixed keys are valid")
}
