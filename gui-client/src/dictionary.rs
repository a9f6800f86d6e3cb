//! Who is online, with which key. There is one dictionary: the network task keeps it, and the window and the thread with
//! the private key see the same one, so that no letter is opened whose author the window does not list.
//!
//! A name has one key in it and a key one name, no two names look the same, and this client is always among them. What
//! would break that is refused, and the connection ends.

use std::sync::Arc;

use common::{
    crypto::{KeyId, PublicKey, SessionRecord},
    limits::MAX_PEOPLE,
    message::Person,
    name::{Fold, Name},
    validate::Breach,
};

/// A snapshot of the people online. Cheap to copy: the entries are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dictionary {
    own_key: KeyId,
    revision: u64,
    by_name: Vec<Arc<Entry>>,
    by_key: Vec<Arc<Entry>>,
    /// Each person twice, by both folds of the name.
    by_fold: Vec<(Arc<Entry>, WhichFold)>,
}

/// One of the two folds of a name.
type WhichFold = usize;

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    person: Person,
    /// Names that share one look the same.
    folds: [Fold; 2],
}

impl Entry {
    fn key(&self) -> KeyId {
        self.person.public_key.id()
    }
}

impl Dictionary {
    /// The dictionary as the server sent it to the client `own`.
    ///
    /// # Errors
    /// [`Breach`] when `people` are too many, repeat a name or a key, or lack the client itself.
    pub fn new(own: &Person, revision: u64, people: Vec<Person>) -> Result<Self, Breach> {
        let own_key = own.public_key.id();
        let mut dictionary = Self { own_key, revision, by_name: Vec::new(), by_key: Vec::new(), by_fold: Vec::new() };
        for person in people {
            dictionary.insert(person)?;
        }
        let is_listed = dictionary.person(&own_key).is_some_and(|listed| listed.name == own.name);
        if is_listed { Ok(dictionary) } else { Err(Breach::OwnEntryMissing) }
    }

    /// The revision, as the server counts the changes.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Everyone online, this client included, by name.
    pub fn people(&self) -> impl ExactSizeIterator<Item = &Person> {
        self.by_name.iter().map(|entry| &entry.person)
    }

    /// The person with this key.
    pub fn person(&self, key: &KeyId) -> Option<&Person> {
        let place = self.by_key.binary_search_by_key(key, |entry| entry.key()).ok()?;
        Some(&self.by_key[place].person)
    }

    /// The key of the person with this name.
    pub fn key_of(&self, name: &Name) -> Option<&PublicKey> {
        let place = self.by_name.binary_search_by(|entry| entry.person.name.cmp(name)).ok()?;
        Some(&self.by_name[place].person.public_key)
    }

    /// Adds a person who came online, as revision `revision`.
    ///
    /// # Errors
    /// [`Breach`] when the name, or one that looks like it, or the key is there already, or no one else fits in.
    pub fn joined(&mut self, revision: u64, person: Person) -> Result<(), Breach> {
        self.insert(person)?;
        self.revision = revision;
        Ok(())
    }

    /// Replaces the session record of a person, as revision `revision`. Whether its owner signed it is verified before it is
    /// used.
    ///
    /// # Errors
    /// [`Breach`] when no one has this name, or the record is of another key or not later than the one before.
    pub fn renewed(&mut self, revision: u64, name: &Name, session: SessionRecord) -> Result<(), Breach> {
        let by_name = self.by_name.binary_search_by(|entry| entry.person.name.cmp(name));
        let by_name = by_name.map_err(|_| Breach::UnknownRenewal(name.clone()))?;
        let before = &self.by_name[by_name];
        check_owner(&before.person.public_key, &session, name)?;
        if !session.replaces(&before.person.session) {
            return Err(Breach::OldSession(name.clone()));
        }
        let key = before.key();
        let entry =
            Arc::new(Entry { person: Person { session, ..before.person.clone() }, folds: before.folds.clone() });
        let by_key = self.by_key.iter_mut().chain([&mut self.by_name[by_name]]);
        let by_fold = self.by_fold.iter_mut().map(|(entry, _)| entry);
        by_key.chain(by_fold).filter(|other| other.key() == key).for_each(|other| *other = Arc::clone(&entry));
        self.revision = revision;
        Ok(())
    }

    /// Removes a person who went offline, as revision `revision`.
    ///
    /// # Errors
    /// [`Breach`] when no one has this name, or this client itself has it.
    pub fn left(&mut self, revision: u64, name: &Name) -> Result<(), Breach> {
        let key = self.key_of(name).map(PublicKey::id).ok_or_else(|| Breach::UnknownDeparture(name.clone()))?;
        if key == self.own_key {
            return Err(Breach::OwnEntryMissing);
        }
        self.by_name.retain(|entry| entry.key() != key);
        self.by_key.retain(|entry| entry.key() != key);
        self.by_fold.retain(|(entry, _)| entry.key() != key);
        self.revision = revision;
        Ok(())
    }

    fn insert(&mut self, person: Person) -> Result<(), Breach> {
        check_owner(&person.public_key, &person.session, &person.name)?;
        let entry = Arc::new(Entry { folds: person.name.folds(), person });
        let name = &entry.person.name;
        let by_key = match self.by_key.binary_search_by_key(&entry.key(), |entry| entry.key()) {
            Ok(place) => return Err(Breach::RepeatedKey(self.by_key[place].person.name.clone(), name.clone())),
            Err(place) => place,
        };
        if let Some(other) = entry.folds.iter().find_map(|fold| self.with_fold(fold)) {
            return Err(Breach::RepeatedName(other.name.clone(), name.clone()));
        }
        if self.by_name.len() == MAX_PEOPLE {
            return Err(Breach::TooManyPeople);
        }
        let by_name = self.by_name.partition_point(|other| other.person.name < *name);
        self.by_name.insert(by_name, Arc::clone(&entry));
        for which in 0..entry.folds.len() {
            let place = self.by_fold.partition_point(|(other, fold)| other.folds[*fold] < entry.folds[which]);
            self.by_fold.insert(place, (Arc::clone(&entry), which));
        }
        self.by_key.insert(by_key, entry);
        Ok(())
    }

    /// The person whose name has this fold.
    fn with_fold(&self, fold: &Fold) -> Option<&Person> {
        let place = self.by_fold.binary_search_by(|(entry, which)| entry.folds[*which].cmp(fold)).ok()?;
        Some(&self.by_fold[place].0.person)
    }
}

fn check_owner(key: &PublicKey, session: &SessionRecord, name: &Name) -> Result<(), Breach> {
    if session.owner() == key.id() { Ok(()) } else { Err(Breach::ForeignSession(name.clone())) }
}
