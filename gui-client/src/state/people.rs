//! The dictionary (who is online, with which key), and the names of people who have left.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use common::{
    crypto::{KeyId, PublicKey},
    limits::MAX_PEOPLE,
    message::Person,
    name::Name,
};

/// Keys of people who have left whose names are remembered, besides those with a conversation.
const MAX_DEPARTED: usize = 4 * MAX_PEOPLE;

/// The people who are online or were.
#[derive(Debug, Clone, Default)]
pub struct People {
    me: Option<KeyId>,
    revision: u64,
    /// The dictionary; while the connection is lost, its last state.
    dictionary: BTreeMap<Name, PublicKey>,
    is_current: bool,
    /// The last name of each key in the dictionary and of those who have left, for the wire and for contacts who are offline.
    known: HashMap<KeyId, Name>,
    /// Keys that are known but not in the dictionary, the one that left first at the front. May also name keys that have
    /// come back.
    departed: VecDeque<KeyId>,
    is_directory_asked: bool,
}

/// What has to follow a change of the dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followup {
    /// Nothing.
    None,
    /// A revision was missed: the whole dictionary has to be requested.
    AskDirectory,
}

impl People {
    /// This client's key, once it has been online.
    pub fn me(&self) -> Option<KeyId> {
        self.me
    }

    /// This client's name in the dictionary.
    pub fn my_name(&self) -> Option<&Name> {
        self.name_of(&self.me?)
    }

    /// Everyone in the dictionary except this client, by name. While the connection is lost these are the people who were
    /// online last, and none of them can be reached.
    pub fn others(&self) -> impl Iterator<Item = (&Name, &PublicKey)> {
        self.dictionary.iter().filter(|(_, key)| Some(key.id()) != self.me)
    }

    /// The keys of everyone who can be reached, this client included.
    pub fn online_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.dictionary.values().filter(|_| self.is_current)
    }

    /// The public key to encrypt with for this person, if they can be reached.
    pub fn online_key(&self, key: &KeyId) -> Option<&PublicKey> {
        let name = self.known.get(key).filter(|_| self.is_current)?;
        self.dictionary.get(name).filter(|online| online.id() == *key)
    }

    /// The last name of the person with this key.
    pub fn name_of(&self, key: &KeyId) -> Option<&Name> {
        self.known.get(key)
    }

    /// Whether someone with another key has this name in the dictionary.
    pub fn has_other_holder(&self, name: &Name, key: &KeyId) -> bool {
        self.dictionary.get(name).is_some_and(|holder| holder.id() != *key)
    }

    /// The revision of the dictionary.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn came_online(&mut self, me: KeyId, revision: u64, people: Vec<Person>) {
        self.me = Some(me);
        self.replace(revision, people);
    }

    pub(super) fn directory(&mut self, revision: u64, people: Vec<Person>) {
        // An older answer was overtaken by changes that have already been applied to a later state.
        if revision >= self.revision || self.is_directory_asked {
            self.replace(revision, people);
        }
    }

    pub(super) fn joined(&mut self, revision: u64, person: Person) -> Followup {
        if revision <= self.revision {
            return Followup::None;
        }
        self.known.insert(person.public_key.id(), person.name.clone());
        if let Some(replaced) = self.dictionary.insert(person.name, person.public_key) {
            self.depart(replaced.id());
        }
        self.advance(revision)
    }

    pub(super) fn left(&mut self, revision: u64, name: &Name) -> Followup {
        if revision <= self.revision {
            return Followup::None;
        }
        if let Some(key) = self.dictionary.remove(name) {
            self.depart(key.id());
        }
        self.advance(revision)
    }

    /// The connection is lost: no one can be reached.
    pub(super) fn went_offline(&mut self) {
        self.is_current = false;
        self.is_directory_asked = false;
    }

    fn replace(&mut self, revision: u64, people: Vec<Person>) {
        self.revision = revision;
        self.is_directory_asked = false;
        self.is_current = true;
        for key in std::mem::take(&mut self.dictionary).into_values() {
            self.depart(key.id());
        }
        for person in people {
            self.known.insert(person.public_key.id(), person.name.clone());
            self.dictionary.insert(person.name, person.public_key);
        }
    }

    fn depart(&mut self, key: KeyId) {
        self.departed.retain(|departed| *departed != key);
        self.departed.push_back(key);
    }

    /// Bounds the memory that people who left take up: a server can present any number of keys. Forgets those who left
    /// first, but none for which `is_needed` holds.
    pub(super) fn forget_departed(&mut self, is_needed: impl Fn(&KeyId) -> bool) {
        if self.departed.len() <= MAX_DEPARTED {
            return;
        }
        let present: HashSet<KeyId> = self.dictionary.values().map(PublicKey::id).collect();
        let (mut kept, mut excess) = (VecDeque::new(), self.departed.len() - MAX_DEPARTED / 2);
        for key in std::mem::take(&mut self.departed) {
            if present.contains(&key) {
                excess = excess.saturating_sub(1);
            } else if excess == 0 || is_needed(&key) {
                kept.push_back(key);
            } else {
                excess -= 1;
                self.known.remove(&key);
            }
        }
        self.departed = kept;
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

#[cfg(test)]
mod tests {
    use common::crypto::test_keys;

    use super::*;

    /// A public key without a private one: two bytes in the middle of another key are changed.
    fn person(number: u16) -> Person {
        let mut der = test_keys::bob().public_key().der().to_vec();
        for (byte, change) in der[120..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= change;
        }
        let public_key = PublicKey::from_der(&der).expect("any odd number of this length passes for a modulus");
        Person { name: Name::parse(&format!("guest-{number}")).unwrap(), public_key }
    }

    #[test]
    fn the_first_to_leave_are_forgotten_first_unless_they_are_needed() {
        let mut people = People::default();
        people.came_online(person(0).public_key.id(), 0, vec![person(0)]);
        let needed = person(2).public_key.id();
        let mut revision = 0;
        let visitors = 3 * MAX_DEPARTED as u16;
        for number in 1..visitors {
            let visitor = person(number);
            let name = visitor.name.clone();
            for _ in 0..2 {
                people.joined(revision + 1, visitor.clone());
                people.left(revision + 2, &name);
                revision += 2;
            }
            people.forget_departed(|key| *key == needed);
            assert!(people.known.len() <= MAX_DEPARTED + 2, "{}", people.known.len());
            assert_eq!(people.name_of(&visitor.public_key.id()), Some(&name), "the last to leave");
        }
        let is_known = |number| people.name_of(&person(number).public_key.id()).is_some();
        assert!(is_known(0), "online");
        assert!(is_known(2), "needed");
        assert!(is_known(visitors - 1) && is_known(visitors - MAX_DEPARTED as u16 / 2), "left just now");
        assert!(!is_known(1), "left long ago");
    }
}
