//! The parties: who watches which video together, and where it is when. Pure; the time is an argument.
//!
//! ```text
//! start ──► playing ◄──play, pause──► paused ──► over, with its last member
//!              └────────── seek ─────────┘
//! ```
//! An act takes effect a little later than it was asked for, at one time for all members: by then each has heard of it. When two
//! members act at once, the one that comes first holds, and the other is dropped, because it was meant for a video that plays
//! differently now. What one member does in quick succession is not dropped.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    crypto::KeyId,
    media::VideoId,
    party::{Party, PartyAct, PartyId, Schedule},
};

/// The time from an act until it takes effect: twice the longest round trip of the members, within these bounds. The upper one
/// keeps a member with a bad link from making all others wait.
const LEAST_MARGIN: Duration = Duration::from_millis(150);
const MOST_MARGIN: Duration = Duration::from_millis(500);

/// The parties of a server.
#[derive(Debug, Default)]
pub(super) struct Parties {
    parties: BTreeMap<PartyId, Group>,
    members: BTreeMap<KeyId, PartyId>,
    /// How long a message to each client and its answer took last.
    round_trips: BTreeMap<KeyId, Duration>,
    last_id: u64,
}

#[derive(Debug)]
struct Group {
    party: Party,
    members: BTreeSet<KeyId>,
    /// The revision at which the last acts began that are all of `party.by`.
    run_from: u64,
}

impl Parties {
    /// No parties. The numbers of those to come are larger than this one.
    pub(super) fn numbered_from(last_id: u64) -> Self {
        Self { last_id, ..Self::default() }
    }

    /// The party of a client.
    pub(super) fn of(&self, person: &KeyId) -> Option<&Party> {
        self.members.get(person).map(|id| &self.parties[id].party)
    }

    /// The members of a party.
    pub(super) fn members(&self, id: PartyId) -> impl Iterator<Item = &KeyId> {
        self.parties.get(&id).into_iter().flat_map(|group| &group.members)
    }

    /// Starts a party where the video is at this position now, and leaves any other.
    pub(super) fn start(
        &mut self,
        person: KeyId,
        video: VideoId,
        (position_nanos, is_playing): (u64, bool),
        now_nanos: u64,
    ) -> Party {
        self.leave(&person);
        self.last_id += 1;
        let id = PartyId(self.last_id);
        let schedule = Schedule { position_nanos, at_nanos: now_nanos, is_playing };
        let party = Party { id, video, revision: 0, schedule, by: person, act: None };
        self.parties.insert(id, Group { party, members: BTreeSet::from([person]), run_from: 0 });
        self.members.insert(person, id);
        party
    }

    /// Joins a party, and leaves any other. `None`: it is over, and nothing changes.
    pub(super) fn join(&mut self, person: KeyId, id: PartyId) -> Option<Party> {
        if !self.parties.contains_key(&id) {
            return None;
        }
        if self.members.get(&person) != Some(&id) {
            self.leave(&person);
        }
        let group = self.parties.get_mut(&id)?;
        group.members.insert(person);
        self.members.insert(person, id);
        Some(group.party)
    }

    /// Leaves the party, which is over with its last member.
    pub(super) fn leave(&mut self, person: &KeyId) {
        let Some(id) = self.members.remove(person) else { return };
        if let Some(group) = self.parties.get_mut(&id) {
            group.members.remove(person);
            if group.members.is_empty() {
                self.parties.remove(&id);
            }
        }
    }

    /// Forgets a client that is gone.
    pub(super) fn forget(&mut self, person: &KeyId) {
        self.leave(person);
        self.round_trips.remove(person);
    }

    /// Takes in how long a message to a client and its answer took.
    pub(super) fn note_round_trip(&mut self, person: KeyId, round_trip: Duration) {
        self.round_trips.insert(person, round_trip);
    }

    /// Carries out what a member does. Returns the party if anything has changed.
    pub(super) fn act(
        &mut self,
        person: KeyId,
        (id, revision): (PartyId, u64),
        act: PartyAct,
        now_nanos: u64,
    ) -> Option<Party> {
        if self.members.get(&person) != Some(&id) {
            return None;
        }
        let margin_nanos = self.margin_nanos(id);
        let Group { party, run_from, .. } = self.parties.get_mut(&id)?;
        let least_revision = if party.by == person { *run_from } else { party.revision };
        if !(least_revision..=party.revision).contains(&revision) {
            return None;
        }
        let before = party.schedule;
        // Never before what was decided last, which all members are about to do.
        let at_nanos = now_nanos.saturating_add(margin_nanos).max(before.at_nanos);
        let position_nanos = before.position_at(at_nanos);
        party.schedule = match act {
            PartyAct::Play if !before.is_playing => Schedule { position_nanos, at_nanos, is_playing: true },
            PartyAct::Pause if before.is_playing => Schedule { position_nanos, at_nanos, is_playing: false },
            PartyAct::Seek { position_nanos } => Schedule { position_nanos, at_nanos, ..before },
            PartyAct::Play | PartyAct::Pause => return None,
        };
        if party.by != person {
            *run_from = party.revision;
        }
        party.revision += 1;
        (party.by, party.act) = (person, Some(act));
        Some(*party)
    }

    fn margin_nanos(&self, id: PartyId) -> u64 {
        let longest = self.members(id).filter_map(|member| self.round_trips.get(member)).max();
        let margin = (2 * longest.copied().unwrap_or_default()).clamp(LEAST_MARGIN, MOST_MARGIN);
        u64::try_from(margin.as_nanos()).expect("half a second")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILM: VideoId = VideoId(7);
    const MARGIN_NANOS: u64 = 150_000_000;
    const SECOND_NANOS: u64 = 1_000_000_000;

    fn key(number: u8) -> KeyId {
        KeyId([number; 32])
    }

    fn schedule(position_nanos: u64, at_nanos: u64, is_playing: bool) -> Schedule {
        Schedule { position_nanos, at_nanos, is_playing }
    }

    #[test]
    fn acts_take_effect_for_all_at_one_time_that_is_still_to_come() {
        let mut parties = Parties::default();
        let [ada, bob] = [key(1), key(2)];
        let started = parties.start(ada, FILM, (5 * SECOND_NANOS, true), SECOND_NANOS);
        let id = started.id;
        assert_eq!(started.schedule, schedule(5 * SECOND_NANOS, SECOND_NANOS, true));
        assert_eq!(parties.join(bob, id), Some(started), "a newcomer changes nothing for the others");
        let paused = parties.act(bob, (id, 0), PartyAct::Pause, 2 * SECOND_NANOS).unwrap();
        let at = 2 * SECOND_NANOS + MARGIN_NANOS;
        assert_eq!(paused.schedule, schedule(6 * SECOND_NANOS + MARGIN_NANOS, at, false));
        assert_eq!((paused.revision, paused.by, paused.act), (1, bob, Some(PartyAct::Pause)));
        let again = parties.act(ada, (id, 1), PartyAct::Pause, 3 * SECOND_NANOS);
        assert_eq!(again, None, "it is paused already");
        let played = parties.act(ada, (id, 1), PartyAct::Play, 3 * SECOND_NANOS).unwrap();
        let from = 6 * SECOND_NANOS + MARGIN_NANOS;
        assert_eq!(played.schedule, schedule(from, 3 * SECOND_NANOS + MARGIN_NANOS, true));
        let act = PartyAct::Seek { position_nanos: 9 };
        let sought = parties.act(bob, (id, 2), act, 3 * SECOND_NANOS).unwrap();
        assert_eq!(sought.schedule, schedule(9, 3 * SECOND_NANOS + MARGIN_NANOS, true));
    }

    #[test]
    fn of_two_acts_at_once_the_first_holds_and_ones_own_do_not_hinder_each_other() {
        let mut parties = Parties::default();
        let [ada, bob] = [key(1), key(2)];
        let id = parties.start(ada, FILM, (0, true), 0).id;
        parties.join(bob, id);
        let seek = |position_nanos| PartyAct::Seek { position_nanos };
        assert!(parties.act(ada, (id, 0), seek(10), 0).is_some());
        assert_eq!(parties.act(bob, (id, 0), PartyAct::Pause, 0), None, "made before he saw what Ada did");
        assert!(parties.act(ada, (id, 0), seek(20), 0).is_some(), "she acted twice before the answer came");
        assert!(parties.act(bob, (id, 2), PartyAct::Pause, 0).is_some());
        assert_eq!(parties.act(ada, (id, 1), seek(30), 0), None, "her run is over");
        assert_eq!(parties.act(ada, (id, 4), seek(30), 0), None, "there is no such revision yet");
        assert_eq!(parties.of(&ada).map(|party| party.schedule.position_nanos), Some(20));
    }

    #[test]
    fn a_slow_member_delays_acts_but_not_for_long() {
        let mut parties = Parties::default();
        let [ada, bob] = [key(1), key(2)];
        let id = parties.start(ada, FILM, (0, true), 0).id;
        parties.join(bob, id);
        let mut margin = |millis: u64, revision| {
            parties.note_round_trip(bob, Duration::from_millis(millis));
            let now = revision * SECOND_NANOS;
            let party = parties.act(ada, (id, revision), PartyAct::Seek { position_nanos: 0 }, now).unwrap();
            (party.schedule.at_nanos - now) / 1_000_000
        };
        assert_eq!([margin(1, 0), margin(100, 1), margin(9_000, 2)], [150, 200, 500]);
        // Once the link is fast again, an act does not overtake the one before.
        parties.note_round_trip(bob, Duration::from_millis(1));
        let seek = PartyAct::Seek { position_nanos: 9 };
        let party = parties.act(ada, (id, 3), seek, 2 * SECOND_NANOS + 10_000_000).unwrap();
        assert_eq!(party.schedule.at_nanos, 2 * SECOND_NANOS + 500_000_000);
    }

    /// What one of five people does.
    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Start,
        Join(u64),
        Leave,
        Answer(u64),
        Act(PartyAct, u64),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let act = prop_oneof![
            Just(PartyAct::Play),
            Just(PartyAct::Pause),
            (0..SECOND_NANOS).prop_map(|position_nanos| PartyAct::Seek { position_nanos }),
        ];
        prop_oneof![
            1 => Just(Deed::Start),
            3 => (1u64..6).prop_map(Deed::Join),
            1 => Just(Deed::Leave),
            2 => (0u64..400).prop_map(Deed::Answer),
            6 => (act, 0u64..3).prop_map(|(act, behind)| Deed::Act(act, behind)),
        ]
    }

    proptest! {
        /// Whatever people do: each is in one party at most and each party has members; what members are told of one party goes
        /// up by one revision each time, its times never go back, and the video never jumps but by a seek.
        #[test]
        fn parties_stay_whole(deeds in prop::collection::vec((0u8..5, deed(), 0u64..400_000_000), 0..200)) {
            let mut parties = Parties::default();
            let mut told: BTreeMap<PartyId, Party> = BTreeMap::new();
            let mut now = 0;
            for (person, deed, passed) in deeds {
                now += passed;
                let person = key(person);
                match deed {
                    Deed::Start => {
                        let party = parties.start(person, FILM, (now / 2, true), now);
                        prop_assert!(told.insert(party.id, party).is_none(), "no number is given twice");
                    }
                    Deed::Join(id) => {
                        let joined = parties.join(person, PartyId(id));
                        prop_assert_eq!(joined, parties.parties.get(&PartyId(id)).map(|group| group.party));
                        prop_assert!(joined.is_none_or(|party| told[&party.id] == party), "all know the same");
                    }
                    Deed::Leave => parties.leave(&person),
                    Deed::Answer(millis) => parties.note_round_trip(person, Duration::from_millis(millis)),
                    Deed::Act(act, behind) => {
                        let Some(id) = parties.of(&person).map(|party| party.id) else { continue };
                        let before = told[&id];
                        let revision = before.revision.saturating_sub(behind);
                        let Some(party) = parties.act(person, (id, revision), act, now) else {
                            prop_assert_eq!(parties.of(&person), Some(&before));
                            continue;
                        };
                        prop_assert_eq!((party.revision, party.by), (before.revision + 1, person));
                        let (at, was_at) = (party.schedule.at_nanos, before.schedule.at_nanos);
                        prop_assert!(at > now && at >= was_at);
                        prop_assert!(at <= was_at.max(now + 500_000_000), "no one waits for long");
                        prop_assert!(behind == 0 || before.revision == 0 || before.by == person);
                        if !matches!(act, PartyAct::Seek { .. }) {
                            prop_assert_eq!(party.schedule.position_nanos, before.schedule.position_at(at));
                        }
                        told.insert(id, party);
                    }
                }
                let listed: usize = parties.parties.values().map(|group| group.members.len()).sum();
                prop_assert_eq!(listed, parties.members.len());
                for (id, group) in &parties.parties {
                    prop_assert!(!group.members.is_empty());
                    prop_assert!(group.members.iter().all(|member| parties.members[member] == *id));
                }
            }
            (0..5).for_each(|person| parties.forget(&key(person)));
            prop_assert!(parties.parties.is_empty() && parties.members.is_empty());
        }
    }
}
