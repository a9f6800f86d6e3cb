//! The dictionary (who is online, with which key), and the names of people who have left.

use std::{
    cell::OnceCell,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use common::{
    crypto::{KeyId, PublicKey},
    media::VideoId,
    message::Viewing,
    name::Name,
    party::PartyId,
};

use super::{
    natural_order,
    party::listing::{self, ListedParty},
};
use crate::dictionary::Dictionary;

/// Keys of people who have left whose names are remembered, besides those with a conversation.
const MAX_DEPARTED: usize = 1_024;

/// The people who are online or were.
#[derive(Debug, Clone, Default)]
pub struct People {
    me: Option<KeyId>,
    /// Everyone online; while the connection is lost, its last state. `None` before the first connection.
    dictionary: Option<Arc<Dictionary>>,
    is_current: bool,
    /// The last name of each key in the dictionary and of those who have left, for the wire and for contacts who are offline.
    known: HashMap<KeyId, Name>,
    /// Keys that are known but not in the dictionary, the one that left first at the front. May also name keys that have
    /// come back.
    departed: VecDeque<KeyId>,
    /// When those who have left did so, as far as that was seen.
    left_unix_millis: HashMap<KeyId, u64>,
    /// What those in the dictionary watch, as far as they let others know.
    watched: HashMap<KeyId, (VideoId, Option<PartyId>)>,
    /// The parties that follow from that, made when they are asked for.
    parties: OnceCell<Vec<ListedParty>>,
    /// Everyone in the dictionary except this client, in the order of the list of people. It is made when the list is
    /// drawn and not with each change, because many can come within one frame.
    in_order: OnceCell<Vec<KeyId>>,
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
        let people = self.dictionary.iter().flat_map(|dictionary| dictionary.people());
        people.map(|person| (&person.name, &person.public_key)).filter(|(_, key)| Some(key.id()) != self.me)
    }

    /// The number of people in the dictionary without this client.
    pub fn others_count(&self) -> usize {
        self.dictionary.as_ref().map_or(0, |dictionary| dictionary.people().len().saturating_sub(1))
    }

    /// The keys of everyone in the dictionary except this client, in the order of the list of people: by name, as people
    /// expect names to be sorted.
    pub(super) fn others_in_order(&self) -> &[KeyId] {
        self.in_order.get_or_init(|| {
            let mut others: Vec<_> = self.others().map(|(name, key)| (name, key.id())).collect();
            others.sort_by_cached_key(|(name, key)| (natural_order::key(name.as_str()), *key));
            others.into_iter().map(|(_, key)| key).collect()
        })
    }

    /// The keys of everyone who can be reached, this client included.
    pub fn online_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.current().into_iter().flat_map(|dictionary| dictionary.people().map(|person| &person.public_key))
    }

    /// The public key to encrypt with for this person, if they can be reached.
    pub fn online_key(&self, key: &KeyId) -> Option<&PublicKey> {
        Some(&self.current()?.person(key)?.public_key)
    }

    /// The last name of the person with this key; `None` for a key that was never in the dictionary, or so long ago that it
    /// is forgotten.
    pub fn name_of(&self, key: &KeyId) -> Option<&Name> {
        self.known.get(key)
    }

    /// Whether someone with another key has this name in the dictionary.
    pub fn has_other_holder(&self, name: &Name, key: &KeyId) -> bool {
        let holder = self.dictionary.as_ref().and_then(|dictionary| dictionary.key_of(name));
        holder.is_some_and(|holder| holder.id() != *key)
    }

    /// The key with which someone who can be reached has this name.
    pub fn online_key_of(&self, name: &Name) -> Option<KeyId> {
        Some(self.current()?.key_of(name)?.id())
    }

    /// The number of keys whose names are known.
    pub(super) fn known_count(&self) -> usize {
        self.known.len()
    }

    /// The dictionary, also while the connection is lost.
    pub fn dictionary(&self) -> Option<&Arc<Dictionary>> {
        self.dictionary.as_ref()
    }

    /// What the person with this key watches, if they are online and let others know.
    pub fn watched_by(&self, key: &KeyId) -> Option<VideoId> {
        self.watched.get(key).map(|(video, _)| *video).filter(|_| self.is_current)
    }

    /// The party of the person with this key, if they are online.
    pub fn party_of(&self, key: &KeyId) -> Option<PartyId> {
        self.watched.get(key).filter(|_| self.is_current)?.1
    }

    /// The parties of the server, the one that began first at the front, each with its members by name.
    pub fn parties(&self) -> &[ListedParty] {
        self.parties.get_or_init(|| {
            let in_party =
                |(key, (video, party)): (&KeyId, &(VideoId, Option<PartyId>))| Some((*key, *video, (*party)?));
            let mut watching: Vec<_> = self.watched.iter().filter(|_| self.is_current).filter_map(in_party).collect();
            watching.sort_by_cached_key(|(key, ..)| {
                (self.name_of(key).map(|name| natural_order::key(name.as_str())), *key)
            });
            listing::list(watching.into_iter())
        })
    }

    /// One of them.
    pub fn party(&self, id: PartyId) -> Option<&ListedParty> {
        self.parties().iter().find(|party| party.id == id)
    }

    /// Takes in what people watch. Those who are not in the dictionary are left out: what they watch follows the dictionary
    /// with them in it.
    pub(super) fn watch(&mut self, viewings: &[Viewing]) {
        let is_listed = |key: &KeyId| self.dictionary.as_ref().is_some_and(|people| people.person(key).is_some());
        for Viewing { person, video, party } in viewings {
            match video {
                Some(video) if is_listed(person) => self.watched.insert(*person, (*video, *party)),
                _ => self.watched.remove(person),
            };
        }
        self.parties.take();
    }

    fn current(&self) -> Option<&Arc<Dictionary>> {
        self.dictionary.as_ref().filter(|_| self.is_current)
    }

    pub(super) fn came_online(&mut self, me: KeyId, dictionary: Arc<Dictionary>) {
        self.me = Some(me);
        self.watched.clear();
        // Who left meanwhile left at some time that is not known.
        self.change(dictionary, None);
    }

    /// Takes in who is online now, at this time by the calendar, if it is known when the others left. Returns those who are listed and were not before, without this client.
    pub(super) fn change(&mut self, dictionary: Arc<Dictionary>, unix_millis: Option<u64>) -> Vec<(Name, KeyId)> {
        let before = self.dictionary.take();
        let is_new =
            |key: &KeyId| Some(*key) != self.me && before.as_ref().is_none_or(|before| before.person(key).is_none());
        let listed = dictionary.people().map(|person| (person.name.clone(), person.public_key.id()));
        let newcomers = listed.filter(|(_, key)| is_new(key)).collect();
        // After a whole dictionary, what everyone watches is told anew.
        if before.as_ref().is_some_and(|before| before.revision() + 1 != dictionary.revision()) {
            self.watched.clear();
        }
        self.watched.retain(|key, _| dictionary.person(key).is_some());
        if let Some(before) = before {
            let gone = before.people().map(|person| person.public_key.id());
            gone.filter(|key| dictionary.person(key).is_none()).for_each(|key| self.depart(key, unix_millis));
        }
        self.left_unix_millis.retain(|key, _| dictionary.person(key).is_none());
        for person in dictionary.people() {
            let key = person.public_key.id();
            if self.known.get(&key) != Some(&person.name) {
                self.known.insert(key, person.name.clone());
            }
        }
        self.dictionary = Some(dictionary);
        self.in_order.take();
        self.parties.take();
        self.is_current = true;
        newcomers
    }

    /// The connection is lost: no one can be reached.
    pub(super) fn went_offline(&mut self) {
        self.is_current = false;
        self.parties.take();
    }

    /// When the person with this key left, in milliseconds since 1970-01-01 UTC; `None` for those who are in the dictionary,
    /// and when it is not known.
    pub fn left_at(&self, key: &KeyId) -> Option<u64> {
        self.left_unix_millis.get(key).copied()
    }

    fn depart(&mut self, key: KeyId, unix_millis: Option<u64>) {
        match unix_millis {
            Some(time) => self.left_unix_millis.insert(key, time),
            None => self.left_unix_millis.remove(&key),
        };
        self.departed.retain(|departed| *departed != key);
        self.departed.push_back(key);
    }

    /// Bounds the memory that people who left take up: a server can present any number of keys. Forgets those who left
    /// first, but none for which `is_needed` holds.
    pub(super) fn forget_departed(&mut self, is_needed: impl Fn(&KeyId) -> bool) {
        if self.departed.len() <= MAX_DEPARTED {
            return;
        }
        let is_present = |key: &KeyId| self.dictionary.as_ref().is_some_and(|people| people.person(key).is_some());
        let (mut kept, mut excess) = (VecDeque::new(), self.departed.len() - MAX_DEPARTED / 2);
        for key in std::mem::take(&mut self.departed) {
            if is_present(&key) {
                excess = excess.saturating_sub(1);
            } else if excess == 0 || is_needed(&key) {
                kept.push_back(key);
            } else {
                excess -= 1;
                self.known.remove(&key);
                self.left_unix_millis.remove(&key);
            }
        }
        self.departed = kept;
    }
}

#[cfg(test)]
mod tests {
    use common::{crypto::test_keys, message::Person};

    use super::*;

    /// A public key without a private one: two bytes in the middle of another key are changed.
    fn person(number: u16) -> Person {
        let mut der = test_keys::bob().public_key().der().to_vec();
        for (byte, change) in der[120..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= change;
        }
        let public_key = PublicKey::from_der(&der).expect("any odd number of this length passes for a modulus");
        let name = Name::parse(&format!("guest-{number}")).unwrap();
        let session = test_keys::unsigned_record(&name, &public_key, 1);
        Person { name, public_key, session, since_unix_secs: 0 }
    }

    #[test]
    fn the_first_to_leave_are_forgotten_first_unless_they_are_needed() {
        let mut people = People::default();
        let alone = Arc::new(Dictionary::new(&person(0), 0, vec![person(0)]).unwrap());
        people.came_online(person(0).public_key.id(), Arc::clone(&alone));
        let needed = person(2).public_key.id();
        let visitors = 3 * MAX_DEPARTED as u16;
        for number in 1..visitors {
            let visitor = person(number);
            let name = visitor.name.clone();
            let mut with_visitor = Dictionary::clone(&alone);
            with_visitor.joined(1, visitor.clone()).unwrap();
            for _ in 0..2 {
                people.change(Arc::new(with_visitor.clone()), Some(0));
                people.change(Arc::clone(&alone), Some(0));
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
