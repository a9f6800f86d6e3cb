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

use common::{crypto::KeyId, media::VideoId, message::Viewing};

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

#[derive(Debug, Default)]
struct Member {
    now: Option<VideoId>,
    told: Option<VideoId>,
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
    /// Takes in what a member watches, `None` if that is nothing or not to be known. Returns whether the room has to be told.
    pub(super) fn set(&mut self, person: KeyId, video: Option<VideoId>) -> bool {
        let member = self.members.entry(person).or_default();
        member.now = video;
        if member.is_queued {
            return false;
        }
        if member.now == member.told {
            if member.now.is_none() {
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
        self.members.remove(person).is_some_and(|member| member.told.is_some())
    }

    /// What the room was told, for those who were not there.
    pub(super) fn told(&self) -> impl Iterator<Item = Viewing> {
        let watching = self.members.iter().filter(|(_, member)| member.told.is_some());
        watching.map(|(person, member)| Viewing { person: *person, video: member.told })
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
                changes.push(Viewing { person, video: member.now });
            }
            if member.now.is_none() {
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

    fn viewing(number: u16, video: Option<u64>) -> Viewing {
        Viewing { person: key(number), video: video.map(VideoId) }
    }

    #[test]
    fn the_first_change_goes_out_at_once_and_what_follows_is_gathered() {
        let (mut viewings, start) = (Viewings::default(), Instant::now());
        assert_eq!(viewings.next(start), Step::Rest);
        assert!(viewings.set(key(1), Some(VideoId(7))));
        assert_eq!(viewings.next(start), Step::Tell(vec![viewing(1, Some(7))]));
        assert!(viewings.set(key(1), Some(VideoId(8))));
        for video in [9, 10, 11] {
            assert!(!viewings.set(key(1), Some(VideoId(video))), "it is gathered already");
        }
        assert!(viewings.set(key(2), Some(VideoId(7))));
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
        viewings.set(key(1), Some(VideoId(7)));
        viewings.set(key(2), Some(VideoId(7)));
        viewings.next(start);
        viewings.set(key(1), None);
        viewings.set(key(1), Some(VideoId(7)));
        viewings.set(key(2), None);
        assert!(viewings.left(&key(2)));
        viewings.set(key(3), Some(VideoId(9)));
        assert!(!viewings.left(&key(3)), "no one was told of that");
        assert_eq!(viewings.next(start + INTERVAL), Step::Rest);
        assert_eq!(viewings.told().collect::<Vec<_>>(), [viewing(1, Some(7))]);
    }

    proptest! {
        /// Whatever members do, and however seldom the room is told: all who listen from the start, and all who come later, know in
        /// the end what each one watches, and no message is longer or comes sooner than it may.
        #[test]
        fn everyone_knows_in_the_end_what_each_one_watches(
            steps in prop::collection::vec((0u16..400, prop::option::of(0u64..3), 0u64..700, 0u8..10), 0..600),
        ) {
            let (mut viewings, start) = (Viewings::default(), Instant::now());
            let (mut truth, mut heard) = (BTreeMap::new(), BTreeMap::new());
            let (mut now, mut last) = (start, None);
            let mut hear = |viewings: &mut Viewings, heard: &mut BTreeMap<KeyId, VideoId>, now: Instant| {
                let step = viewings.next(now);
                if let Step::Tell(changes) = &step {
                    assert!(!changes.is_empty() && changes.len() <= MAX_CHANGES);
                    assert!(last.is_none_or(|last| now >= last + INTERVAL));
                    last = Some(now);
                    for Viewing { person, video } in changes {
                        match video {
                            Some(video) => heard.insert(*person, *video),
                            None => heard.remove(person),
                        };
                    }
                }
                step
            };
            for (number, video, passed_millis, kind) in steps {
                now += Duration::from_millis(passed_millis / 100);
                if kind == 0 {
                    viewings.left(&key(number));
                    // The dictionary says so.
                    truth.remove(&key(number));
                    heard.remove(&key(number));
                } else {
                    viewings.set(key(number), video.map(VideoId));
                    match video {
                        Some(video) => truth.insert(key(number), VideoId(video)),
                        None => truth.remove(&key(number)),
                    };
                }
                hear(&mut viewings, &mut heard, now);
                let told: BTreeMap<_, _> = viewings.told().map(|v| (v.person, v.video.unwrap())).collect();
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
