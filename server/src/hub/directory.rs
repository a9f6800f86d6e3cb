//! The dictionary of clients online, name → public key. Plain data.

use std::collections::BTreeMap;

use common::{
    crypto::{KeyId, PublicKey},
    message::Person,
    name::{Fold, Name},
};

/// The clients online, and a revision that counts the changes.
#[derive(Debug)]
pub struct Directory {
    max_people: usize,
    revision: u64,
    people: BTreeMap<Name, (PublicKey, [Fold; 2])>,
    /// The folds of all names, so that a look-alike is found without folding them anew.
    folds: BTreeMap<Fold, Name>,
    keys: BTreeMap<KeyId, Name>,
}

/// A person who wants to be entered. Made outside of locks, because folding a name takes tens of microseconds.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// The person.
    pub person: Person,
    /// The folds of the person's name.
    pub folds: [Fold; 2],
}

/// Why a person cannot be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterError {
    /// The name, or one that looks like it, is online with another key.
    NameInUse {
        /// The requested name.
        name: Name,
        /// A similar name that is free.
        suggestion: Option<Name>,
    },
    /// The name, or one that looks like it, belongs to a person who is away.
    NameOwned {
        /// The requested name.
        name: Name,
        /// A similar name that is free.
        suggestion: Option<Name>,
    },
    /// The key is online under this very name: an earlier connection, which may be broken, or a second client.
    StillOnline {
        /// The requested name.
        name: Name,
        /// A similar name that is free.
        suggestion: Option<Name>,
    },
    /// The key is online under this other name.
    KeyInUse(Name),
    /// This number of people is online, and no more are let in.
    Full(usize),
}

impl From<Person> for Entrant {
    fn from(person: Person) -> Self {
        let folds = person.name.folds();
        Self { person, folds }
    }
}

impl Directory {
    /// An empty dictionary for at most `max_people` people.
    pub fn new(max_people: usize) -> Self {
        let (people, folds, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { max_people, revision: 0, people, folds, keys }
    }

    /// Whether a person could be entered now. The error names no suggestion.
    ///
    /// # Errors
    /// [`EnterError`] when the key or the name is online, or the directory is full.
    pub fn check(&self, Entrant { person, folds }: &Entrant) -> Result<(), EnterError> {
        match self.keys.get(&person.public_key.id()) {
            Some(name) if *name == person.name => {
                return Err(EnterError::StillOnline { name: name.clone(), suggestion: None });
            }
            Some(other) => return Err(EnterError::KeyInUse(other.clone())),
            None => {}
        }
        if !self.is_free(folds) {
            return Err(EnterError::NameInUse { name: person.name.clone(), suggestion: None });
        }
        if self.people.len() >= self.max_people {
            return Err(EnterError::Full(self.people.len()));
        }
        Ok(())
    }

    /// Enters a person and raises the revision.
    ///
    /// # Errors
    /// Those of [`Directory::check`].
    pub fn enter(&mut self, entrant: Entrant) -> Result<(), EnterError> {
        self.check(&entrant)?;
        let Entrant { person, folds } = entrant;
        self.folds.extend(folds.iter().map(|fold| (fold.clone(), person.name.clone())));
        self.keys.insert(person.public_key.id(), person.name.clone());
        self.people.insert(person.name, (person.public_key, folds));
        self.revision += 1;
        Ok(())
    }

    /// Whether no name with one of these folds is online.
    pub fn is_free(&self, folds: &[Fold; 2]) -> bool {
        !folds.iter().any(|fold| self.folds.contains_key(fold))
    }

    /// The name under which a key is online.
    pub fn name_of(&self, key: &KeyId) -> Option<&Name> {
        self.keys.get(key)
    }

    /// Whether a key is online.
    pub fn has_key(&self, key: &KeyId) -> bool {
        self.keys.contains_key(key)
    }

    /// The keys online.
    pub fn keys(&self) -> Vec<KeyId> {
        self.keys.keys().copied().collect()
    }

    /// Removes a person and raises the revision. Returns the key, if there was one of that name.
    pub fn remove(&mut self, name: &Name) -> Option<KeyId> {
        let (public_key, folds) = self.people.remove(name)?;
        let key = public_key.id();
        self.keys.remove(&key);
        for fold in folds {
            self.folds.remove(&fold);
        }
        self.revision += 1;
        Some(key)
    }

    /// Counts that a person has a new session key.
    pub fn renewed(&mut self) {
        self.revision += 1;
    }

    /// How many changes there were so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::test_keys;

    use super::*;

    fn person(name: &str, identity: common::crypto::Identity) -> Person {
        let (name, public_key) = (Name::parse(name).unwrap(), identity.public_key().clone());
        let session = test_keys::unsigned_record(&name, &public_key, 1);
        Person { name, public_key, session, since_unix_secs: 0 }
    }

    impl Directory {
        fn take(&mut self, person: Person) -> Result<(), EnterError> {
            self.enter(person.into())
        }
    }

    #[test]
    fn each_change_counts_once() {
        let mut directory = Directory::new(9);
        directory.take(person("ada", test_keys::ada())).unwrap();
        directory.take(person("bob", test_keys::bob())).unwrap();
        assert_eq!(directory.remove(&Name::parse("ada").unwrap()), Some(test_keys::ada().public_key().id()));
        assert_eq!(directory.remove(&Name::parse("ada").unwrap()), None);
        assert_eq!(directory.revision(), 3);
        assert_eq!(directory.people.keys().map(Name::as_str).collect::<Vec<_>>(), ["bob"]);
        directory.renewed();
        assert_eq!(directory.revision(), 4);
    }

    #[test]
    fn a_taken_name_or_its_double_is_refused() {
        let mut directory = Directory::new(9);
        directory.take(person("Paul", test_keys::ada())).unwrap();
        for double in ["Paul", "paul", "PauI", "PAUL"] {
            let name = Name::parse(double).unwrap();
            let refused = directory.take(person(double, test_keys::eve()));
            assert_eq!(refused, Err(EnterError::NameInUse { name, suggestion: None }));
        }
        assert_eq!(directory.revision(), 1);
    }

    #[test]
    fn nothing_is_left_of_a_person_who_was_removed() {
        let mut directory = Directory::new(9);
        directory.take(person("Paul", test_keys::ada())).unwrap();
        directory.remove(&Name::parse("Paul").unwrap());
        assert!(directory.folds.is_empty() && directory.keys.is_empty() && directory.people.is_empty());
        directory.take(person("PauI", test_keys::ada())).unwrap();
    }

    #[test]
    fn one_key_has_one_name() {
        let mut directory = Directory::new(9);
        directory.take(person("ada", test_keys::ada())).unwrap();
        let other_name = directory.take(person("bob", test_keys::ada()));
        assert_eq!(other_name, Err(EnterError::KeyInUse(Name::parse("ada").unwrap())));
        let same_name = directory.take(person("ada", test_keys::ada()));
        assert!(matches!(same_name, Err(EnterError::StillOnline { .. })), "a second window of the same person");
    }
}
