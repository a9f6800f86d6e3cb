//! What was said on each server, kept for the run of the program: leaving a server hides the conversations and drafts, and
//! coming back shows them again, also under another name. What was written under another name says so.

use std::{collections::HashMap, mem};

use common::{crypto::KeyId, limits::DEFAULT_PORT, name::Name};

use super::{
    State,
    action::Peer,
    conversation::{Author, Conversations, Delivery},
    people::People,
    wire::Wire,
};

/// A server, as far as the spelling of its address tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Server(String);

impl Server {
    /// `address` is what the form holds. Case, spaces around it and the default port are left out.
    fn at(address: &str) -> Self {
        let address = address.trim().to_lowercase();
        let default_port = format!(":{DEFAULT_PORT}");
        let host = address.strip_suffix(&default_port).unwrap_or(&address);
        // A bare IPv6 address consists of colons, so what looks like a port is a part of it.
        let has_port = !host.contains(':') || host.ends_with(']');
        let host = if has_port { host } else { &address };
        Self(host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }
}

/// What the window shows of one server.
#[derive(Debug, Clone, Default)]
struct History {
    people: People,
    conversations: Conversations,
    wire: Wire,
    selected: Peer,
}

/// The server whose history is shown, and the histories of the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Histories {
    current: Option<Server>,
    others: HashMap<Server, History>,
}

impl Conversations {
    /// This client has another key from now on than the one with which it was `name`. What was written before keeps that
    /// name. No receipt for it can come any more, and what has not arrived would be another message, of another author.
    pub(super) fn change_identity(&mut self, name: &Name) {
        for conversation in self.by_peer.values_mut() {
            for message in conversation.messages.iter_mut().filter(|message| message.author == Author::Me) {
                message.written_as.get_or_insert_with(|| name.clone());
                message.dispatch.iter_mut().for_each(|dispatch| dispatch.sealed = None);
                if let Delivery::Waiting(draft) = message.delivery {
                    message.delivery = Delivery::Failed(draft, format!("Not sent: it was written as {name}."));
                }
            }
        }
        (self.awaited, self.unconfirmed, self.waiting) = Default::default();
    }
}

impl State {
    /// Shows the history of the server in the form, an empty one at the first visit, and keeps that of the server before.
    /// `me` is the key that this client has there now. Returns whether it had another one before.
    pub(super) fn take_up_history(&mut self, me: KeyId) -> bool {
        let server = Server::at(&self.connection.address);
        if self.histories.current.as_ref() != Some(&server) {
            self.switch_server(server);
        }
        let before = self.people.me().filter(|before| *before != me);
        if let Some(name) = before.and_then(|_| self.people.my_name()).cloned() {
            self.conversations.change_identity(&name);
            self.refused_by = None;
        }
        before.is_some()
    }

    fn switch_server(&mut self, server: Server) {
        let mut next = self.histories.others.remove(&server).unwrap_or_default();
        next.conversations.continue_numbering(&self.conversations);
        let last = History {
            people: mem::replace(&mut self.people, next.people),
            conversations: mem::replace(&mut self.conversations, next.conversations),
            wire: mem::replace(&mut self.wire, next.wire),
            selected: mem::replace(&mut self.selected, next.selected),
        };
        self.raised = None;
        self.refused_by = None;
        if let Some(last_server) = self.histories.current.replace(server) {
            self.histories.others.insert(last_server, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_an_address_makes_no_other_server() {
        for (one, other) in [("lab", " LAB "), ("lab", "lab:7878"), ("[::1]", "[::1]:7878"), ("::1", "[::1]")] {
            assert_eq!(Server::at(one), Server::at(other), "{one:?} and {other:?}");
        }
        for (one, other) in [("lab", "lab:7879"), ("lab", "lab2"), ("fe80::7878", "fe80:"), ("[::1]:99", "[::1]")] {
            assert_ne!(Server::at(one), Server::at(other), "{one:?} and {other:?}");
        }
    }
}
