//! The dictionary (who is online, with which key) and what is known of those who left.

use std::collections::{BTreeMap, HashMap};

use common::{
    crypto::{KeyId, PublicKey},
    message::Person,
    name::Name,
};

/// Who is online and who was.
#[derive(Debug, Clone, Default)]
pub struct People {
    me: Option<KeyId>,
    revision: u64,
    /// The dictionary; while the link is gone, as it was last.
    dictionary: BTreeMap<Name, PublicKey>,
    is_current: bool,
    /// Every key that was ever in the dictionary, with the last name it had: for the wire and for greyed contacts.
    known: HashMap<KeyId, Name>,
    is_directory_asked: bool,
}

/// What a change of the dictionary needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followup {
    /// Nothing.
    None,
    /// A revision was missed: the whole dictionary has to be asked for.
    AskDirectory,
}

impl People {
    /// The own key.
    pub fn me(&self) -> Option<KeyId> {
        self.me
    }

    /// The own name in the dictionary.
    pub fn my_name(&self) -> Option<&Name> {
        self.name_of(&self.me?)
    }

    /// Everybody in the dictionary but this client, by name. While the link is gone these are the people who were online
    /// last, and none of them can be reached.
    pub fn others(&self) -> impl Iterator<Item = (&Name, &PublicKey)> {
        self.dictionary.iter().filter(|(_, key)| Some(key.id()) != self.me)
    }

    /// Everybody who can be reached, this client too.
    pub fn online_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.dictionary.values().filter(|_| self.is_current)
    }

    /// What to encrypt with for whoever holds this key, while online.
    pub fn online_key(&self, key: &KeyId) -> Option<&PublicKey> {
        let name = self.known.get(key).filter(|_| self.is_current)?;
        self.dictionary.get(name).filter(|online| online.id() == *key)
    }

    /// The last name that this key had.
    pub fn name_of(&self, key: &KeyId) -> Option<&Name> {
        self.known.get(key)
    }

    /// The number of the dictionary's state.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn came_online(&mut self, me: KeyId, revision: u64, people: Vec<Person>) {
        self.me = Some(me);
        self.replace(revision, people);
    }

    pub(super) fn directory(&mut self, revision: u64, people: Vec<Person>) {
        // A change that overtook the answer has already been applied to a later state.
        if revision >= self.revision || self.is_directory_asked {
            self.replace(revision, people);
        }
    }

    pub(super) fn joined(&mut self, revision: u64, person: Person) -> Followup {
        if revision <= self.revision {
            return Followup::None;
        }
        self.known.insert(person.public_key.id(), person.name.clone());
        self.dictionary.insert(person.name, person.public_key);
        self.advance(revision)
    }

    pub(super) fn left(&mut self, revision: u64, name: &Name) -> Followup {
        if revision <= self.revision {
            return Followup::None;
        }
        self.dictionary.remove(name);
        self.advance(revision)
    }

    /// The link is gone: nobody can be reached.
    pub(super) fn went_offline(&mut self) {
        self.is_current = false;
        self.is_directory_asked = false;
    }

    fn replace(&mut self, revision: u64, people: Vec<Person>) {
        self.revision = revision;
        self.is_directory_asked = false;
        self.is_current = true;
        self.dictionary.clear();
        for person in people {
            self.known.insert(person.public_key.id(), person.name.clone());
            self.dictionary.insert(person.name, person.public_key);
        }
    }

    fn advance(&mut self, revision: u64) -> Followup {
        let is_next = revision == self.revision + 1;
        self.revision = revision;
        if is_next || self.is_directory_asked {
            return Followup::None;
        }
        self.is_directory_asked = true;
        Followup::AskDirectory
    }
}
