//! The other side of a conversation.

use common::crypto::KeyId;

/// The other side of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Everyone who is online; a message is encrypted once, under a key that each of them was handed.
    #[default]
    Everyone,
    /// The person with this key.
    Person(KeyId),
}
