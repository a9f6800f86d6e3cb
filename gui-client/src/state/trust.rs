//! Whether the people on this server still have the keys with which they were met: what the window marks, and what hinders
//! sending. The decisions are those of [`Pins`]; here they are kept by key, because names are slow to compare.

use std::collections::HashMap;

use common::{
    crypto::{KeyId, safety_number},
    name::Name,
};

use crate::{
    event::NetCommand,
    pins::{PinChange, Pins, Standing},
};

use super::{
    State,
    action::{Moment, Peer},
    effect::Effect,
};

/// People whose standing is kept, besides those that [`State::people`] knows.
const SLACK: usize = 256;

/// What is known of one key.
#[derive(Debug, Clone)]
struct Known {
    name: Name,
    standing: Standing,
    has_accepted: bool,
}

/// What the window knows of everyone's keys.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pins: Pins,
    by_key: HashMap<KeyId, Known>,
    /// Whose safety number is shown.
    pub open: Option<SafetyView>,
    /// Why keys cannot be remembered, as a sentence.
    pub trouble: Option<String>,
}

/// The safety number that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyView {
    /// The key of the other person.
    pub key: KeyId,
    /// 60 digits in groups of five, for this key and the one of this client.
    pub number: String,
}

/// Who can read what is written to a person, as far as this client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// The safety number was compared: only the two.
    Verified,
    /// The person has had this key since an earlier day: only the two, if that key was the right one.
    Pinned,
    /// This key was met today for the first time.
    New,
    /// The person has another key than before. Nothing is sent to it.
    Changed {
        /// Whether the key before was verified.
        was_verified: bool,
    },
}

impl Trust {
    /// What the window knows of this key; a key that was never listed is new.
    fn standing(&self, key: &KeyId) -> Standing {
        self.by_key.get(key).map_or(Standing::New, |known| known.standing)
    }

    /// Whether the person with this key has another one than before, which was not accepted.
    pub fn is_changed(&self, key: &KeyId) -> bool {
        matches!(self.standing(key), Standing::Changed { .. })
    }

    /// Whether the safety number of this key was compared.
    pub fn is_verified(&self, key: &KeyId) -> bool {
        matches!(self.standing(key), Standing::Known { is_verified: true, .. })
    }

    /// Whether what this key signed is to be marked: its owner has another key, and never had this one.
    pub fn is_doubtful(&self, key: &KeyId) -> bool {
        self.by_key.get(key).is_some_and(|known| !known.has_accepted)
    }

    /// Who can read what is written to the person with this key, on the day that begins at `today_unix_secs`.
    pub fn privacy(&self, key: &KeyId, today_unix_secs: u64) -> Privacy {
        match self.standing(key) {
            Standing::Changed { was_verified, .. } => Privacy::Changed { was_verified },
            Standing::Known { is_verified: true, .. } => Privacy::Verified,
            Standing::Known { first_met_unix_secs, .. } if first_met_unix_secs < today_unix_secs => Privacy::Pinned,
            Standing::Known { .. } | Standing::New => Privacy::New,
        }
    }

    /// Begins with what is remembered of a server.
    pub(super) fn begin(&mut self, pins: Pins) {
        *self = Self { pins, ..Self::default() };
    }

    /// Takes in people who are listed and were not before. Returns what is to be remembered.
    pub(super) fn meet(&mut self, newcomers: Vec<(Name, KeyId)>, unix_secs: u64) -> Option<PinChange> {
        let met = PinChange::Met(newcomers.clone());
        let is_news = self.pins.apply(&met, unix_secs);
        for (name, key) in newcomers {
            let known = self.judge(name, &key);
            self.by_key.insert(key, known);
        }
        is_news.then_some(met)
    }

    /// Bounds the memory: forgets keys that are no longer `needed`, when there are many.
    pub(super) fn forget(&mut self, known_count: usize, is_needed: impl Fn(&KeyId) -> bool) {
        if self.by_key.len() > known_count + SLACK {
            self.by_key.retain(|key, _| is_needed(key));
        }
    }

    fn decide(&mut self, change: PinChange, unix_secs: u64) -> Option<PinChange> {
        if !self.pins.apply(&change, unix_secs) {
            return None;
        }
        let judged: Vec<_> =
            self.by_key.iter().map(|(key, known)| (*key, self.judge(known.name.clone(), key))).collect();
        self.by_key.extend(judged);
        Some(change)
    }

    fn judge(&self, name: Name, key: &KeyId) -> Known {
        let (standing, has_accepted) = (self.pins.standing(&name, key), self.pins.has_accepted(&name, key));
        Known { name, standing, has_accepted }
    }

    fn name_of(&self, key: &KeyId) -> Option<Name> {
        self.by_key.get(key).map(|known| known.name.clone())
    }
}

impl State {
    /// Shows the safety number of a person who is listed: without their key there is none.
    pub(super) fn open_safety_number(&mut self, key: KeyId) {
        let Some(dictionary) = self.people.dictionary() else { return };
        let me = self.people.me().and_then(|me| dictionary.person(&me));
        self.trust.open = me.zip(dictionary.person(&key)).map(|(me, them)| SafetyView {
            key,
            number: safety_number((&me.name, &me.public_key), (&them.name, &them.public_key)),
        });
    }

    /// Takes the key of a person for the one of their name from now on. What was said with the one before is carried over.
    pub(super) fn accept_key(&mut self, key: KeyId, now: Moment) -> Vec<Effect> {
        let Standing::Changed { pinned, .. } = self.trust.standing(&key) else { return Vec::new() };
        let Some(name) = self.trust.name_of(&key) else { return Vec::new() };
        let Some(change) = self.trust.decide(PinChange::Accepted(name, key), now.unix_millis / 1000) else {
            return Vec::new();
        };
        let is_listed = self.people.dictionary().is_some_and(|dictionary| dictionary.person(&pinned).is_some());
        if !is_listed {
            self.conversations.carry_over(pinned, key);
            if self.selected == Peer::Person(pinned) {
                self.select(Peer::Person(key));
            }
        }
        vec![Effect::Net(NetCommand::Pin(change)), Effect::FocusComposer]
    }

    /// Marks the key of a person as verified, or takes the mark back. A key that was not accepted cannot be marked.
    pub(super) fn set_verified(&mut self, key: KeyId, is_verified: bool, now: Moment) -> Vec<Effect> {
        let Some(name) = self.trust.name_of(&key) else { return Vec::new() };
        let change = PinChange::Verified(name, key, is_verified);
        let decided = self.trust.decide(change, now.unix_millis / 1000);
        decided.map(|change| Effect::Net(NetCommand::Pin(change))).into_iter().collect()
    }

    /// The person with the same name whose key is the present one, if `key` is an older one of theirs.
    pub fn present_key(&self, key: &KeyId) -> Option<KeyId> {
        let name = self.people.name_of(key)?;
        self.people.online_key_of(name).filter(|holder| holder != key)
    }

    /// Remembers people who are listed and were not before.
    pub(super) fn meet(&mut self, newcomers: Vec<(Name, KeyId)>, now: Moment) -> Vec<Effect> {
        let met = self.trust.meet(newcomers, now.unix_millis / 1000);
        let people = &self.people;
        self.trust.forget(people.known_count(), |key| people.name_of(key).is_some());
        met.map(|change| Effect::Net(NetCommand::Pin(change))).into_iter().collect()
    }
}
