//! What members watch, as far as they let others know, and which changes of it the others are told next. Pure; the time is
//! an argument.
//!
//! A member who turns from video to video would otherwise have each turn sent to everyone. So changes are gathered: the room is
//! told at most once in [`INTERVAL`], of at most [`MAX_CHANGES`] people, of each where that person is by then. The first
//! change after a rest goes out at once.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use common::{crypto::KeyId, media::VideoId, message::Viewing, party::PartyId};

/// The least time between two messages to the room.
const INTERVAL: Duration = Duration::from_secs(1);

/// People in one message to the room. With [`INTERVAL`], each member is sent at most 9 KB in a second however many turn to
/// something else, a hundredth of what the room may say; of 2,000 who all do so, the last is told of after ten seconds.
const MAX_CHANGES: usize = 200;

/// What the members watch.
#[derive(Debug, Default)]
pub(super) struct Viewings {
    /// Members that watch something, or did when the room was told last.
    members: BTreeMap<KeyId, Member>,
    /// Members of whom the room is to be told something, the one who changed first at the front. Each is there once, and may
    /// have left.
    changed: VecDeque<KeyId>,
    /// When the room may be told next.
    next_at: Option<Instant>,
}

/// What a member watches, and in which party.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Watched {
    /// `None` if that is nothing or not to be known.
    pub(super) video: Option<VideoId>,
    pub(super) party: Option<PartyId>,
}

impl Watched {
    const NOTHING: Self = Self { video: None, party: None };

    fn by(self, person: KeyId) -> Viewing {
        Viewing { person, video: self.video, party: self.party }
    }
}

#[derive(Debug, Default)]
struct Member {
    now: Watched,
    told: Watched,
    is_queued: bool,
}

/// What is to be done about changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell the room this.
    Tell(Vec<Viewing>),
    /// Ask again at this time.
    Wait(Instant),
    /// Nothing, until something changes.
    Rest,
}

impl Viewings {
    /// Takes in what a member watches. Returns whether the room has to be told.
    pub(super) fn set(&mut self, person: KeyId, watched: Watched) -> bool {
        let member = self.members.entry(person).or_default();
        member.now = watched;
        if member.is_queued {
            return false;
        }
        if member.now == member.told {
            if member.now == Watched::NOTHING {
                self.members.remove(&person);
            }
            return false;
        }
        member.is_queued = true;
        self.changed.push_back(person);
        true
    }

    /// Forgets a member who left. The others see that in the dictionary. Returns whether newcomers were told of it.
    pub(super) fn left(&mut self, person: &KeyId) -> bool {
        self.members.remove(person).is_some_and(|member| member.told != Watched::NOTHING)
    }

    /// What the room was told, for those who were not there.
    pub(super) fn told(&self) -> impl Iterator<Item = Viewing> {
        let watching = self.members.iter().filter(|(_, member)| member.told != Watched::NOTHING);
        watching.map(|(person, member)| member.told.by(*person))
    }

    /// What the room is to be told now, if anything.
    pub(super) fn next(&mut self, now: Instant) -> Step {
        if self.changed.is_empty() {
            return Step::Rest;
        }
        if let Some(next_at) = self.next_at.filter(|next_at| now < *next_at) {
            return Step::Wait(next_at);
        }
        let mut changes = Vec::new();
        while changes.len() < MAX_CHANGES
            && let Some(person) = self.changed.pop_front()
        {
            let Some(member) = self.members.get_mut(&person) else { continue };
            // One who left and came back is there twice, and told of once.
            if !std::mem::take(&mut member.is_queued) {
                continue;
            }
            if member.now != member.told {
                member.told = member.now;
                changes.push(member.now.by(person));
            }
            if member.now == Watched::NOTHING {
                self.members.remove(&person);
            }
        }
        if changes.is_empty() {
            return Step::Rest;
        }
        self.next_at = Some(now + INTERVAL);
        Step::Tell(changes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u16) -> KeyId {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        KeyId(key)
    }

    fn watched(video: Option<u64>) -> Watched {
        Watched { video: video.map(VideoId), party: None }
    }

    fn viewing(number: u16, video: Option<u64>) -> Viewing {
        watched(video).by(key(number))
    }

    #[test]
    fn the_first_change_goes_out_at_once_and_what_follows_is_gathered() {
        let (mut viewings, start) = (Viewings::default(), Instant::now());
        assert_eq!(viewings.next(start), Step::Rest);
        assert!(viewings.set(key(1), watched(Some(7))));
        assert_eq!(viewings.next(start), Step::Tell(vec![viewing(1, Some(7))]));
        assert!(viewings.set(key(1), watched(Some(8))));
        for video in [9, 10, 11] {
            assert!(!viewings.set(key(1), watched(Some(video))), "it is gathered already");
        }
        assert!(viewings.set(key(2), watched(Some(7))));
        assert_eq!(viewings.next(start), Step::Wait(start + INTERVAL));
        assert_eq!(viewings.told().collect::<Vec<_>>(), [viewing(1, Some(7))], "newcomers hear what all have heard");
        let changes = vec![viewing(1, Some(11)), viewing(2, Some(7))];
        assert_eq!(viewings.next(start + INTERVAL), Step::Tell(changes.clone()));
        assert_eq!(viewings.next(start + INTERVAL), Step::Rest);
        assert_eq!(viewings.told().collect::<Vec<_>>(), changes);
    }

    #[test]
    fn who_is_back_where_they_were_and_who_left_is_not_told_of() {
        let (mut viewings, start) = (Viewings::default(), Instant::now());
        viewings.set(key(1), watched(Some(7)));
        viewings.set(key(2), watched(Some(7)));
        viewings.next(start);
        viewings.set(key(1), watched(None));
        viewings.set(key(1), watched(Some(7)));
        viewings.set(key(2), watched(None));
        assert!(viewings.left(&key(2)));
        viewings.set(key(3), watched(Some(9)));
        assert!(!viewings.left(&key(3)), "no one was told of that");
        assert_eq!(viewings.next(start + INTERVAL), Step::Rest);
        assert_eq!(viewings.told().collect::<Vec<_>>(), [viewing(1, Some(7))]);
    }

    /// Whether alone or in one of two parties.
    fn watching() -> impl Strategy<Value = Watched> {
        let video = (0u64..3, prop::option::of(0u64..2));
        prop::option::of(video).prop_map(|watched| {
            watched.map_or(Watched::NOTHING, |(video, party)| Watched {
                video: Some(VideoId(video)),
                party: party.map(PartyId),
            })
        })
    }

    fn note(people: &mut BTreeMap<KeyId, Watched>, person: KeyId, watched: Watched) {
        if watched == Watched::NOTHING {
            people.remove(&person);
        } else {
            people.insert(person, watched);
        }
    }

    proptest! {
        /// Whatever members do, and however seldom the room is told: all who listen from the start, and all who come later, know in
        /// the end what each one watches, and no message is longer or comes sooner than it may.
        #[test]
        fn everyone_knows_in_the_end_what_each_one_watches(
            steps in prop::collection::vec((0u16..400, watching(), 0u64..700, 0u8..10), 0..600),
        ) {
            let (mut viewings, start) = (Viewings::default(), Instant::now());
            let (mut truth, mut heard) = (BTreeMap::new(), BTreeMap::new());
            let (mut now, mut last) = (start, None);
            let mut hear = |viewings: &mut Viewings, heard: &mut BTreeMap<KeyId, Watched>, now: Instant| {
                let step = viewings.next(now);
                if let Step::Tell(changes) = &step {
                    assert!(!changes.is_empty() && changes.len() <= MAX_CHANGES);
                    assert!(last.is_none_or(|last| now >= last + INTERVAL));
                    last = Some(now);
                    for Viewing { person, video, party } in changes {
                        note(heard, *person, Watched { video: *video, party: *party });
                    }
                }
                step
            };
            for (number, watched, passed_millis, kind) in steps {
                now += Duration::from_millis(passed_millis / 100);
                if kind == 0 {
                    viewings.left(&key(number));
                    // The dictionary says so.
                    truth.remove(&key(number));
                    heard.remove(&key(number));
                } else {
                    viewings.set(key(number), watched);
                    note(&mut truth, key(number), watched);
                }
                hear(&mut viewings, &mut heard, now);
                let told = viewings.told().map(|v| (v.person, Watched { video: v.video, party: v.party }));
                let told: BTreeMap<_, _> = told.collect();
                prop_assert_eq!(&told, &heard, "a newcomer knows what the others know");
            }
            for _ in 0..10 {
                match hear(&mut viewings, &mut heard, now) {
                    Step::Tell(_) => {}
                    Step::Wait(next_at) => now = next_at,
                    Step::Rest => break,
                }
            }
            prop_assert_eq!(hear(&mut viewings, &mut heard, now), Step::Rest);
            prop_assert_eq!(&heard, &truth);
            prop_assert!(viewings.members.len() <= truth.len(), "no one is kept who watches nothing");
        }
    }
}
