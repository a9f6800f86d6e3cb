//! The chat: the list of people, the conversation with its composer, and the view of the wire.

mod composer;
pub(super) mod conversation;
pub(super) mod people;
pub(super) mod wire;
