//! The keys of the people on one server, as this client has met them: trust on first use. Whether a person still has the
//! key that was met first is decided here, and nowhere else; the files are kept by `net`, the marks are drawn by `ui`.
//!
//! A name stands for itself and for all that look like it, as for the server: otherwise `BOB` could come in the place of
//! `bob` without a word.

use std::collections::{BTreeMap, HashMap};

use common::{
    crypto::KeyId,
    name::{Fold, Name},
};

/// People remembered per server: as many as a server may list at a time, and a few more.
pub const MAX_PINS: usize = 4_096;

/// Keys remembered of one person besides the present one, so that what was written with them is not marked.
const MAX_EARLIER_KEYS: usize = 8;

const DAY_SECS: u64 = 86_400;

/// One person as this client knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name under which the person was met.
    pub name: Name,
    /// The key that belongs to it: met first, or accepted since.
    pub key: KeyId,
    /// Keys that belonged to it before, the latest last.
    pub earlier: Vec<KeyId>,
    /// When this key was first met, in seconds since 1970-01-01 UTC.
    pub first_met_unix_secs: u64,
    /// When it was last met; exact to a day, so that the file is not written at each meeting.
    pub last_met_unix_secs: u64,
    /// Whether the safety number was compared.
    pub is_verified: bool,
}

/// What a name with a key is to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Neither this name nor one that looks like it was met before.
    New,
    /// The name has the key that it had.
    Known {
        /// When the key was first met, in seconds since 1970-01-01 UTC.
        first_met_unix_secs: u64,
        /// Whether the safety number was compared.
        is_verified: bool,
    },
    /// The name has another key than it had, and the person at this client has not accepted that.
    Changed {
        /// The key that it had.
        pinned: KeyId,
        /// Whether the safety number of that key was compared.
        was_verified: bool,
    },
}

/// A change of what is remembered; applied to the window's copy and to the file alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinChange {
    /// These people are online.
    Met(Vec<(Name, KeyId)>),
    /// The person at this client takes this key for the one of this name from now on.
    Accepted(Name, KeyId),
    /// The safety number of this name and key was compared (`true`), or the mark was taken back.
    Verified(Name, KeyId, bool),
}

/// The people of one server that this client has met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    by_name: BTreeMap<Name, Pin>,
    /// Which of those names look like this.
    by_fold: HashMap<Fold, Name>,
}

impl Pins {
    /// The pins of a file. Of two that look the same, or share a name, the later one is kept.
    pub fn new(pins: impl IntoIterator<Item = Pin>) -> Self {
        let mut new = Self::default();
        for pin in pins {
            new.insert(pin);
        }
        new
    }

    /// All pins, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Pin> {
        self.by_name.values()
    }

    /// What this name with this key is to this client.
    pub fn standing(&self, name: &Name, key: &KeyId) -> Standing {
        match self.find(name) {
            None => Standing::New,
            Some(pin) if pin.key == *key => {
                Standing::Known { first_met_unix_secs: pin.first_met_unix_secs, is_verified: pin.is_verified }
            }
            Some(pin) => Standing::Changed { pinned: pin.key, was_verified: pin.is_verified },
        }
    }

    /// Whether this key belongs to this name, or did before it was replaced by one that was accepted. What it signed is not
    /// marked.
    pub fn has_accepted(&self, name: &Name, key: &KeyId) -> bool {
        self.find(name).is_none_or(|pin| pin.key == *key || pin.earlier.contains(key))
    }

    /// Takes in a change at this time. Returns whether anything is different afterwards that is worth writing to the disk.
    pub fn apply(&mut self, change: &PinChange, unix_secs: u64) -> bool {
        match change {
            PinChange::Met(people) => {
                // All are met: `any` would stop at the first that changes something.
                people.iter().filter(|(name, key)| self.meet(name, key, unix_secs)).count() > 0
            }
            PinChange::Accepted(name, key) => self.accept(name, key, unix_secs),
            PinChange::Verified(name, key, is_verified) => {
                let Some(pin) = self.find_mut(name).filter(|pin| pin.key == *key) else { return false };
                std::mem::replace(&mut pin.is_verified, *is_verified) != *is_verified
            }
        }
    }

    fn meet(&mut self, name: &Name, key: &KeyId, unix_secs: u64) -> bool {
        match self.find_mut(name) {
            None => {
                self.insert(Pin {
                    name: name.clone(),
                    key: *key,
                    earlier: Vec::new(),
                    first_met_unix_secs: unix_secs,
                    last_met_unix_secs: unix_secs,
                    is_verified: false,
                });
                true
            }
            Some(pin) if pin.key == *key && pin.last_met_unix_secs / DAY_SECS < unix_secs / DAY_SECS => {
                pin.last_met_unix_secs = unix_secs;
                true
            }
            Some(_) => false,
        }
    }

    fn accept(&mut self, name: &Name, key: &KeyId, unix_secs: u64) -> bool {
        let mut earlier = Vec::new();
        if let Some(before) = self.find(name).cloned() {
            if before.key == *key {
                return false;
            }
            earlier = before.earlier;
            earlier.push(before.key);
            earlier.retain(|earlier| earlier != key);
            let excess = earlier.len().saturating_sub(MAX_EARLIER_KEYS);
            earlier.drain(..excess);
        }
        self.insert(Pin {
            name: name.clone(),
            key: *key,
            earlier,
            first_met_unix_secs: unix_secs,
            last_met_unix_secs: unix_secs,
            is_verified: false,
        });
        true
    }

    /// The name under which this one is pinned. Folds are slow to make, and most names are spelt as before.
    fn pinned_name<'a>(&'a self, name: &'a Name) -> Option<&'a Name> {
        if self.by_name.contains_key(name) {
            return Some(name);
        }
        name.folds().into_iter().find_map(|fold| self.by_fold.get(&fold))
    }

    fn find(&self, name: &Name) -> Option<&Pin> {
        self.by_name.get(self.pinned_name(name)?)
    }

    fn find_mut(&mut self, name: &Name) -> Option<&mut Pin> {
        let pinned = self.pinned_name(name)?.clone();
        self.by_name.get_mut(&pinned)
    }

    /// Puts a pin in the place of all whose names look like its own.
    fn insert(&mut self, pin: Pin) {
        let folds = pin.name.folds();
        while let Some(other) = folds.iter().find_map(|fold| self.by_fold.get(fold)).cloned() {
            self.remove(&other);
        }
        self.by_fold.extend(folds.map(|fold| (fold, pin.name.clone())));
        let name = pin.name.clone();
        self.by_name.insert(name.clone(), pin);
        if self.by_name.len() > MAX_PINS {
            self.forget_one(&name);
        }
    }

    /// Forgets the person who was met last the longest time ago, but none who was verified as long as there are others. Of
    /// those met on the same day, the newest go first: a server that invents people displaces those, and not friends.
    fn forget_one(&mut self, except: &Name) {
        let others = self.by_name.values().filter(|pin| pin.name != *except);
        let age = |pin: &&Pin| {
            (pin.is_verified, pin.last_met_unix_secs / DAY_SECS, std::cmp::Reverse(pin.first_met_unix_secs))
        };
        if let Some(name) = others.min_by_key(age).map(|pin| pin.name.clone()) {
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &Name) {
        self.by_name.remove(name);
        name.folds().iter().for_each(|fold| {
            self.by_fold.remove(fold);
        });
    }
}

#[cfg(test)]
mod tests;
