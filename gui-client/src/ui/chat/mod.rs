//! The chat: the list of people, the conversation with its composer, and the view of the wire.

mod composer;
pub(super) mod conversation;
pub(super) mod keys;
mod link_question;
mod message_text;
mod names;
pub(super) mod people;
mod reading_place;
pub(super) mod trust;
pub(super) mod wire;
