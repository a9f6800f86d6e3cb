//! The list of people to write to, and the number of unread messages.

use common::{crypto::KeyId, media::VideoId, name::Name};

use super::{State, natural_order, peer::Peer};

/// A row of the list of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Identifies the person.
    pub key: KeyId,
    /// The last name that the person had.
    pub name: Name,
    /// Whether a message can be sent now.
    pub is_online: bool,
    /// Messages that have not been read.
    pub unread_count: u32,
    /// The video that the person watches and lets others know of.
    pub watched: Option<VideoId>,
    /// When the person left, in milliseconds since 1970-01-01 UTC, if that was seen.
    pub left_unix_millis: Option<u64>,
}

/// Characters of a draft that the list shows.
const DRAFT_CHARS: usize = 120;

impl State {
    /// Everyone to write to: first those with unread messages, then those online, then those who left and with whom there
    /// is a conversation; by name within each group. While the connection is lost, the people who were online last keep
    /// their places.
    pub fn contacts(&self) -> Vec<Contact> {
        let listed = self.people.others_in_order();
        let is_listed = |key: &KeyId| self.people.dictionary().is_some_and(|people| people.person(key).is_some());
        let contact = |key: &KeyId| {
            let is_online = self.people.online_key(key).is_some();
            let unread_count = self.conversations.get(Peer::Person(*key)).map_or(0, |c| c.unread_count);
            let (watched, left_unix_millis) = (self.people.watched_by(key), self.people.left_at(key));
            let name = self.people.name_of(key)?.clone();
            Some(Contact { key: *key, name, is_online, unread_count, watched, left_unix_millis })
        };
        let gone = self.conversations.persons().filter(|key| !is_listed(key));
        let mut gone: Vec<Contact> = gone.filter_map(|key| contact(&key)).collect();
        gone.sort_by_cached_key(|contact| (natural_order::key(contact.name.as_str()), contact.key));
        let mut contacts: Vec<Contact> = listed.iter().filter_map(contact).chain(gone).collect();
        let is_on_top = |contact: &Contact| contact.unread_count > 0 || self.raised == Some(Peer::Person(contact.key));
        // Keeps the order within each group.
        contacts.sort_by_key(|contact| !is_on_top(contact));
        contacts
    }

    /// What was begun to be written to `peer`, on one line, unless that conversation is open.
    pub fn draft_in_list(&self, peer: Peer) -> Option<String> {
        let draft = self.conversations.get(peer).filter(|_| peer != self.selected)?.outgoing();
        let line = draft.split_whitespace().collect::<Vec<_>>().join(" ");
        (!line.is_empty()).then(|| line.chars().take(DRAFT_CHARS).collect())
    }

    /// Unread messages of all conversations of this account.
    pub fn unread_count(&self) -> u32 {
        self.conversations.unread_count()
    }
}
