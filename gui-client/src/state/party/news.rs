//! What has just happened in the party, to be told for a few seconds.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use common::{
    crypto::KeyId,
    name::Name,
    party::{Party, PartyAct},
};

use super::{State, Together};
use crate::state::action::Moment;

/// News are told for this long.
const SHOWN_FOR: Duration = Duration::from_secs(4);

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// This client has started the party.
    Started,
    /// Another member did something with the video.
    Acted(Name, PartyAct),
    /// Another member came.
    Came(Name),
    /// Another member left.
    Went(Name),
    /// The party that this client was in, or wanted to join, is over.
    Over,
    /// The person wanted another speed, and the party has one for all.
    Speed,
}

impl News {
    pub(super) fn at(self, now: Instant) -> Dated {
        Dated { news: self, at: now }
    }
}

/// News, and when they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dated {
    news: News,
    at: Instant,
}

impl Dated {
    /// Until when they are told.
    pub(super) fn until(&self) -> Instant {
        self.at + SHOWN_FOR
    }
}

impl Together {
    /// What is to be told now.
    pub fn news(&self, now: Instant) -> Option<&News> {
        self.news.as_ref().filter(|news| now < news.until()).map(|news| &news.news)
    }
}

impl State {
    /// Tells what a member has done. What the person did themself, they know.
    pub(super) fn note_act(&mut self, party: &Party, now: Moment) {
        let name = self.people.name_of(&party.by).filter(|_| Some(party.by) != self.people.me());
        if let (Some(name), Some(act)) = (name.cloned(), party.act) {
            self.together.news = Some(News::Acted(name, act).at(now.instant));
        }
    }

    /// Tells who came and went since the members were these.
    pub(in crate::state) fn note_companions(&mut self, before: &[KeyId], now: Moment) {
        if self.together.joined.is_none() {
            return;
        }
        let [before, after]: [BTreeSet<KeyId>; 2] = [before.to_vec(), self.companions()].map(BTreeSet::from_iter);
        let name = |key: &KeyId| self.people.name_of(key).cloned();
        let went = before.difference(&after).filter_map(name).map(News::Went);
        let came = after.difference(&before).filter_map(name).map(News::Came);
        if let Some(news) = went.chain(came).last() {
            self.together.news = Some(news.at(now.instant));
        }
    }
}
