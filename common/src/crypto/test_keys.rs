//! Three fixed key pairs for tests, because generating one takes seconds. They are public and must never be used
//! otherwise.

use super::Identity;

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

fn identity(pem: &str) -> Identity {
    Identity::from_pem(pem).expect("the fixed keys are valid")
}
