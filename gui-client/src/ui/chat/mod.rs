//! The chat: the list of people, the conversation with its composer, and the view of the wire.

mod composer;
pub(super) mod conversation;
pub(super) mod keys;
mod link_question;
mod message_text;
mod messages;
mod names;
pub(super) mod people;
pub(super) mod shortcuts;
pub(super) mod trust;
pub(super) mod wire;
