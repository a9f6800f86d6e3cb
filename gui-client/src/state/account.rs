//! What was said under each account, kept for the run of the program: leaving a server or joining under another name
//! hides the conversations and drafts, and coming back shows them again.

use std::{collections::HashMap, mem};

use common::{crypto::KeyId, limits::DEFAULT_PORT};

use super::{State, action::Peer, conversation::Conversations, people::People, wire::Wire};

/// A server and the key that is used there. Each name has a key of its own, so another name is another account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Account {
    address: String,
    key: KeyId,
}

impl Account {
    /// `address` is what the form holds. The spelling does not matter: case, spaces around it and the default port are
    /// left out.
    pub(super) fn new(address: &str, key: KeyId) -> Self {
        let address = address.trim().to_lowercase();
        let default_port = format!(":{DEFAULT_PORT}");
        let host = address.strip_suffix(&default_port).unwrap_or(&address);
        // A bare IPv6 address consists of colons, so what looks like a port is a part of it.
        let has_port = !host.contains(':') || host.ends_with(']');
        let host = if has_port { host } else { &address };
        Self { address: host.trim_start_matches('[').trim_end_matches(']').to_owned(), key }
    }
}

/// What the window shows of one account.
#[derive(Debug, Clone, Default)]
struct History {
    people: People,
    conversations: Conversations,
    wire: Wire,
    selected: Peer,
}

/// The account that is shown, and the histories of the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Accounts {
    current: Option<Account>,
    others: HashMap<Account, History>,
}

impl State {
    /// Shows the history of this account, an empty one at the first visit, and keeps that of the account before.
    pub(super) fn switch_account(&mut self, account: Account) {
        if self.accounts.current.as_ref() == Some(&account) {
            return;
        }
        let mut next = self.accounts.others.remove(&account).unwrap_or_default();
        next.conversations.continue_numbering(&self.conversations);
        let last = History {
            people: mem::replace(&mut self.people, next.people),
            conversations: mem::replace(&mut self.conversations, next.conversations),
            wire: mem::replace(&mut self.wire, next.wire),
            selected: mem::replace(&mut self.selected, next.selected),
        };
        self.raised = None;
        self.refused_by = None;
        if let Some(last_account) = self.accounts.current.replace(account) {
            self.accounts.others.insert(last_account, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_an_address_makes_no_other_account() {
        let key = KeyId([1; 32]);
        let account = |address: &str| Account::new(address, key);
        for (one, other) in [("lab", " LAB "), ("lab", "lab:7878"), ("[::1]", "[::1]:7878"), ("::1", "[::1]")] {
            assert_eq!(account(one), account(other), "{one:?} and {other:?}");
        }
        for (one, other) in [("lab", "lab:7879"), ("lab", "lab2"), ("fe80::7878", "fe80:"), ("[::1]:99", "[::1]")] {
            assert_ne!(account(one), account(other), "{one:?} and {other:?}");
        }
        assert_ne!(account("lab"), Account::new("lab", KeyId([2; 32])), "another key is another account");
    }
}
