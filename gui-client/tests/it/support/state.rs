//! Driving the state without a window, and reading it.

use triptych_client::{
    event::NetCommand,
    state::{
        State,
        action::{Action, Peer},
        conversation::{Delivery, Message},
        effect::Effect,
    },
};

use super::scenes::{bob, moment};

/// The commands among the effects.
pub fn commands(effects: Vec<Effect>) -> Vec<NetCommand> {
    let command = |effect| if let Effect::Net(command) = effect { Some(command) } else { None };
    effects.into_iter().filter_map(command).collect()
}

pub fn bob_peer() -> Peer {
    Peer::Person(bob().id())
}

/// Opens the conversation, types the text and presses Enter.
pub fn write(state: &mut State, peer: Peer, text: &str) -> Vec<NetCommand> {
    state.handle(Action::Select(peer), moment());
    state.handle(Action::EditDraft(text.into()), moment());
    commands(state.handle(Action::Send, moment()))
}

pub fn messages(state: &State, peer: Peer) -> Vec<Message> {
    state.conversations.get(peer).map_or_else(Vec::new, |conversation| conversation.messages.iter().cloned().collect())
}

pub fn draft(state: &State, peer: Peer) -> &str {
    state.conversations.get(peer).map_or("", |conversation| conversation.draft.as_str())
}

pub fn unread(state: &State, peer: Peer) -> u32 {
    state.conversations.get(peer).map_or(0, |conversation| conversation.unread_count)
}

pub fn only_delivery(state: &State, peer: Peer) -> Delivery {
    let messages = messages(state, peer);
    assert_eq!(messages.len(), 1);
    messages[0].delivery.clone()
}

/// Name and presence of each contact, in the order of the list.
pub fn contact_names(state: &State) -> Vec<(String, bool)> {
    state.contacts().iter().map(|contact| (contact.name.to_string(), contact.is_online)).collect()
}
