//! The dictionary of clients online, name → public key. Plain data.

use std::collections::BTreeMap;

use common::{crypto::PublicKey, limits::MAX_PEOPLE, message::Person, name::Name};

/// The clients online, and a revision that counts the changes.
#[derive(Debug, Default)]
pub struct Directory {
    revision: u64,
    people: BTreeMap<Name, PublicKey>,
}

/// Why a person cannot be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterError {
    /// The name, or one that looks like it, is taken.
    NameInUse {
        /// The requested name.
        name: Name,
        /// A similar name that is free.
        suggestion: Name,
    },
    /// The key is online under this other name.
    KeyInUse(Name),
    /// [`MAX_PEOPLE`] are online.
    Full,
}

impl Directory {
    /// Enters a person and raises the revision.
    pub fn enter(&mut self, person: Person) -> Result<(), EnterError> {
        let has_other_name = |(name, key): &(&Name, &PublicKey)| **key == person.public_key && **name != person.name;
        if let Some((name, _)) = self.people.iter().find(has_other_name) {
            return Err(EnterError::KeyInUse(name.clone()));
        }
        if self.is_taken(&person.name) {
            let suggestion = person.name.next_free(|name| self.is_taken(name));
            return Err(EnterError::NameInUse { name: person.name, suggestion });
        }
        if self.people.len() >= MAX_PEOPLE {
            return Err(EnterError::Full);
        }
        self.people.insert(person.name, person.public_key);
        self.revision += 1;
        Ok(())
    }

    /// Removes a person and raises the revision. Returns whether there was one of that name.
    pub fn remove(&mut self, name: &Name) -> bool {
        let was_online = self.people.remove(name).is_some();
        self.revision += u64::from(was_online);
        was_online
    }

    /// How many changes there were so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All people, sorted by name.
    pub fn people(&self) -> Vec<Person> {
        let person = |(name, key): (&Name, &PublicKey)| Person { name: name.clone(), public_key: key.clone() };
        self.people.iter().map(person).collect()
    }

    fn is_taken(&self, name: &Name) -> bool {
        self.people.keys().any(|taken| taken.is_confusable_with(name))
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::test_keys;

    use super::*;

    fn person(name: &str, identity: common::crypto::Identity) -> Person {
        Person { name: Name::parse(name).unwrap(), public_key: identity.public_key().clone() }
    }

    #[test]
    fn each_change_counts_once() {
        let mut directory = Directory::default();
        directory.enter(person("ada", test_keys::ada())).unwrap();
        directory.enter(person("bob", test_keys::bob())).unwrap();
        assert!(directory.remove(&Name::parse("ada").unwrap()));
        assert!(!directory.remove(&Name::parse("ada").unwrap()));
        assert_eq!(directory.revision(), 3);
        assert_eq!(directory.people(), [person("bob", test_keys::bob())]);
    }

    #[test]
    fn a_taken_name_or_its_double_is_refused_with_a_free_one() {
        let mut directory = Directory::default();
        directory.enter(person("ada", test_keys::ada())).unwrap();
        directory.enter(person("Ada-2", test_keys::bob())).unwrap();
        let refused = directory.enter(person("ADA", test_keys::eve()));
        let suggestion = Name::parse("ADA-3").unwrap();
        assert_eq!(refused, Err(EnterError::NameInUse { name: Name::parse("ADA").unwrap(), suggestion }));
        assert_eq!(directory.revision(), 2);
    }

    #[test]
    fn one_key_has_one_name() {
        let mut directory = Directory::default();
        directory.enter(person("ada", test_keys::ada())).unwrap();
        let other_name = directory.enter(person("bob", test_keys::ada()));
        assert_eq!(other_name, Err(EnterError::KeyInUse(Name::parse("ada").unwrap())));
        let same_name = directory.enter(person("ada", test_keys::ada()));
        assert!(matches!(same_name, Err(EnterError::NameInUse { .. })), "a second window of the same person");
    }
}
