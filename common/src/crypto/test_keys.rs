//! Three fixed key pairs for tests, because making one takes seconds. They are public, so worth nothing.

use super::Identity;

/// The first person of every test.
pub fn ada() -> Identity {
    identity(include_str!("test_key_ada.pem"))
}

/// The second.
pub fn bob() -> Identity {
    identity(include_str!("test_key_bob.pem"))
}

/// The one who must not be able to read.
pub fn eve() -> Identity {
    identity(include_str!("test_key_eve.pem"))
}

fn identity(pem: &str) -> Identity {
    Identity::from_pem(pem).expect("the fixed keys are sound")
}
