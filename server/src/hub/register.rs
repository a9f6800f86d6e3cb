//! To whom names belong: a name stays with the key that was last online under it, also while its owner is away. Plain data;
//! [`super::names_file`] keeps it over restarts.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use common::{
    crypto::KeyId,
    name::{Fold, Name},
};

/// Days after which a name is free again if its owner does not come back.
pub const DAYS_KEPT: u64 = 30;
/// Most names that are kept.
pub const MAX_NAMES: usize = 4_096;

const SECONDS_KEPT: u64 = DAYS_KEPT * 24 * 60 * 60;
/// Owners who were seen over at least this time are known; the others are dropped before them.
const KNOWN_AFTER_SECONDS: u64 = 60 * 60;

/// A name and its owner. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The owner's key.
    pub key: KeyId,
    /// The name.
    pub name: Name,
    /// When the owner first joined under this name.
    pub first_seen: u64,
    /// When the owner was last online.
    pub last_seen: u64,
}

/// The names and their owners: each key owns one name, the one that it joined with last.
#[derive(Debug, Default)]
pub struct Register {
    entries: BTreeMap<KeyId, Arc<Entry>>,
    owners: BTreeMap<Fold, KeyId>,
    change_count: u64,
}

impl Register {
    /// Takes in what was kept. Of names that clash, the one whose owner was seen last stays.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| Reverse(entry.last_seen));
        let mut register = Self::default();
        for entry in entries.into_iter().take(MAX_NAMES) {
            let folds = entry.name.folds();
            let is_free = folds.iter().all(|fold| !register.owners.contains_key(fold));
            if is_free && !register.entries.contains_key(&entry.key) {
                register.insert(entry, folds);
            }
        }
        register.change_count = 0;
        register
    }

    /// Whether `key` may join under a name with these folds: whether all names that look like it belong to that key, or to
    /// nobody any more.
    pub fn is_open_to(&self, key: Option<KeyId>, folds: &[Fold; 2], now_seconds: u64) -> bool {
        self.owners_of(folds).all(|entry| Some(entry.key) == key || is_released(entry, now_seconds))
    }

    /// Notes that `key` is online under a name that [is open to it](Self::is_open_to). `is_online` tells which keys are, so
    /// that no name of theirs is dropped when there are too many.
    pub fn joined(
        &mut self,
        key: KeyId,
        name: &Name,
        folds: [Fold; 2],
        now_seconds: u64,
        is_online: impl Fn(&KeyId) -> bool,
    ) {
        if self.entries.get(&key).is_some_and(|entry| entry.name == *name) {
            return self.seen([key], now_seconds);
        }
        let outdated: Vec<KeyId> = self.owners_of(&folds).map(|entry| entry.key).chain([key]).collect();
        for key in outdated {
            self.remove(&key);
        }
        if self.entries.len() >= MAX_NAMES {
            let absent = self.entries.values().filter(|entry| !is_online(&entry.key));
            let dropped = absent.min_by_key(|entry| (is_known(entry), entry.last_seen)).map(|entry| entry.key);
            if let Some(key) = dropped {
                self.remove(&key);
            }
        }
        self.insert(Entry { key, name: name.clone(), first_seen: now_seconds, last_seen: now_seconds }, folds);
    }

    /// Notes that these keys are online, or were until now.
    pub fn seen(&mut self, keys: impl IntoIterator<Item = KeyId>, now_seconds: u64) {
        for key in keys {
            if let Some(entry) = self.entries.get_mut(&key) {
                Arc::make_mut(entry).last_seen = now_seconds;
                self.change_count += 1;
            }
        }
    }

    /// How many changes there were since the register was made.
    pub fn change_count(&self) -> u64 {
        self.change_count
    }

    /// The names to keep. Cheap: the entries are shared.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.values().cloned().collect()
    }

    fn owners_of(&self, folds: &[Fold; 2]) -> impl Iterator<Item = &Arc<Entry>> {
        folds.iter().filter_map(|fold| self.owners.get(fold)).filter_map(|key| self.entries.get(key))
    }

    fn insert(&mut self, entry: Entry, folds: [Fold; 2]) {
        for fold in folds {
            self.owners.insert(fold, entry.key);
        }
        self.entries.insert(entry.key, Arc::new(entry));
        self.change_count += 1;
    }

    fn remove(&mut self, key: &KeyId) {
        if let Some(entry) = self.entries.remove(key) {
            for fold in entry.name.folds() {
                self.owners.remove(&fold);
            }
            self.change_count += 1;
        }
    }
}

/// Whether a name is free again because its owner has not come back.
fn is_released(entry: &Entry, now_seconds: u64) -> bool {
    now_seconds.saturating_sub(entry.last_seen) > SECONDS_KEPT
}

/// Whether an owner came back. Who joins with thousands of keys in a row drops only the like of them.
fn is_known(entry: &Entry) -> bool {
    entry.last_seen.saturating_sub(entry.first_seen) >= KNOWN_AFTER_SECONDS
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn key(number: u64) -> KeyId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        KeyId(id)
    }

    fn join(register: &mut Register, number: u64, name: &str, now: u64) -> bool {
        let name = Name::parse(name).unwrap();
        let folds = name.folds();
        let is_open = register.is_open_to(Some(key(number)), &folds, now);
        if is_open {
            register.joined(key(number), &name, folds, now, |_| false);
        }
        is_open
    }

    #[test]
    fn a_name_stays_with_its_key_until_thirty_days_after_the_owner_was_there() {
        let mut register = Register::default();
        assert!(join(&mut register, 1, "Ada", NOW));
        register.seen([key(1)], NOW + 100);
        for look_alike in ["Ada", "ada", "ADA", "\u{410}d\u{430}"] {
            if let Ok(name) = Name::parse(look_alike) {
                assert!(!register.is_open_to(Some(key(2)), &name.folds(), NOW + 200), "{look_alike}");
                assert!(!register.is_open_to(None, &name.folds(), NOW + 200), "{look_alike} is not suggested");
            }
        }
        assert!(join(&mut register, 1, "ADA", NOW + 200), "its owner may write it differently");
        assert!(!join(&mut register, 2, "Ada", NOW + 200 + SECONDS_KEPT));
        assert!(join(&mut register, 2, "Ada", NOW + 201 + SECONDS_KEPT));
        assert!(!join(&mut register, 1, "Ada", NOW + 202 + SECONDS_KEPT), "now it is the other's");
    }

    #[test]
    fn a_key_owns_one_name() {
        let mut register = Register::default();
        assert!(join(&mut register, 1, "ada", NOW));
        assert!(join(&mut register, 1, "bob", NOW));
        assert!(join(&mut register, 2, "ada", NOW));
        assert_eq!((register.entries.len(), register.owners.len()), (2, 2));
    }

    #[test]
    fn a_clock_that_is_set_back_releases_nothing() {
        let mut register = Register::default();
        assert!(join(&mut register, 1, "ada", NOW));
        assert!(!join(&mut register, 2, "ada", 0));
    }

    #[test]
    fn thousands_of_new_keys_drop_neither_known_owners_nor_those_online() {
        let mut register = Register::default();
        assert!(join(&mut register, 1, "known", NOW));
        register.seen([key(1)], NOW + KNOWN_AFTER_SECONDS);
        let online = Name::parse("online").unwrap();
        register.joined(key(2), &online, online.folds(), NOW, |_| false);
        for number in 0..2 * MAX_NAMES as u64 {
            let name = Name::parse(&format!("n{number}")).unwrap();
            register.joined(key(1000 + number), &name, name.folds(), NOW + 10_000, |id| *id == key(2));
        }
        assert_eq!(register.entries.len(), MAX_NAMES);
        assert!(register.owners.len() <= 2 * MAX_NAMES);
        assert!(!join(&mut register, 3, "known", NOW + 10_000));
        assert!(!join(&mut register, 3, "online", NOW + 10_000));
    }

    #[test]
    fn what_was_kept_is_taken_in_without_clashes() {
        let entry = |number, name: &str, last_seen| Entry {
            key: key(number),
            name: Name::parse(name).unwrap(),
            first_seen: 1,
            last_seen,
        };
        let register =
            Register::new(vec![entry(1, "ada", 5), entry(2, "ADA", 9), entry(2, "bob", 3), entry(3, "eve", 4)]);
        let mut names: Vec<_> = register.entries().iter().map(|entry| entry.name.as_str().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["ADA", "eve"]);
        assert_eq!(register.change_count(), 0);
    }

    proptest! {
        /// Whatever happens: names of different owners never clash, and the folds are exactly those of the entries.
        #[test]
        fn owners_and_entries_agree(events in vec((0u64..6, 0usize..6, 0u64..3 * SECONDS_KEPT), 1..60)) {
            const NAMES: [&str; 6] = ["ada", "ADA", "Paul", "PauI", "pauI", "TOM"];
            let mut register = Register::default();
            let mut now = NOW;
            for (number, name, passed) in events {
                now += passed / 8;
                join(&mut register, number, NAMES[name], now);
                let mut folds: Vec<(Fold, KeyId)> = Vec::new();
                for entry in register.entries() {
                    folds.extend(entry.name.folds().into_iter().map(|fold| (fold, entry.key)));
                }
                folds.sort();
                folds.dedup();
                let owners: Vec<_> = register.owners.iter().map(|(fold, key)| (fold.clone(), *key)).collect();
                prop_assert_eq!(folds, owners);
            }
        }
    }
}
