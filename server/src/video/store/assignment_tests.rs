//! The decisions of the assignment in situations that once went wrong, and in others that are easily decided wrongly.

use std::ops::Range;

use super::*;
use crate::video::store::cache::Make;
use crate::video::store::track::{Failure, FailureCause, Reader};

const A: TrackId = TrackId(1);
const B: TrackId = TrackId(2);
const FRAME_BYTES: usize = 100;

/// The state of a store at one instant.
struct Situation {
    tracks: BTreeMap<TrackId, Track>,
    cache: Cache,
    reads: Reads,
    limits: Limits,
    start: Instant,
    now: Instant,
}

impl Situation {
    fn new(cache_frames: usize) -> Self {
        let start = Instant::now();
        let cache = Cache::new((cache_frames * FRAME_BYTES) as u64);
        let limits = Limits { workers: 2, workers_per_viewer: 4, pixels: 100, scrubbing_pixels: 100 };
        Self {
            tracks: BTreeMap::new(),
            cache,
            reads: Reads::new(2),
            limits,
            start,
            now: start + Duration::from_secs(100),
        }
    }

    fn track(&mut self, id: TrackId) -> &mut Track {
        let track = || Track { pixels: 10, frame_bytes: FRAME_BYTES as u64, ..Track::default() };
        self.tracks.entry(id).or_insert_with(track)
    }

    /// A cursor of a viewer of its own that never turned. Seconds are counted from the start of the situation; the current
    /// time is second 100.
    fn cursor(self, track: TrackId, frames: Range<usize>, since_second: u64) -> Self {
        let viewer = 100 + self.tracks.values().map(|track| track.wants.len() as u64).sum::<u64>();
        self.cursor_of(viewer, None, track, frames, since_second)
    }

    /// A cursor of a viewer that turned at that second.
    fn cursor_of(
        mut self,
        viewer: u64,
        turned_second: Option<u64>,
        track: TrackId,
        frames: Range<usize>,
        since_second: u64,
    ) -> Self {
        let since = self.start + Duration::from_secs(since_second);
        let turned_at = turned_second.map(|second| self.start + Duration::from_secs(second));
        let reader = Reader { viewer: ViewerId(viewer), turned_at, has_turned_again: turned_second.is_some() };
        let wants = &mut self.track(track).wants;
        wants.insert(wants.len() as u64, Want { frames, end: usize::MAX, since, reader });
        self
    }

    fn worker(
        mut self,
        track: TrackId,
        id: WorkerId,
        position: usize,
        phase: fn(Instant) -> Phase,
        second: u64,
    ) -> Self {
        let since = self.start + Duration::from_secs(second);
        let worker = Worker { position, phase: phase(since), opened_for: ViewerId(id), since };
        self.track(track).workers.insert(id, worker);
        self
    }

    fn held(mut self, track: TrackId, frames: Range<usize>) -> Self {
        self.track(track);
        for frame in frames {
            self.cache.put(track, frame, vec![0; FRAME_BYTES].into(), Make::Decoded, |_, _| true);
        }
        self
    }

    fn assign(&self) -> Assignment {
        assign(&self.tracks, &self.cache, &self.reads, &self.limits, self.now)
    }
}

impl Assignment {
    /// Where workers start.
    fn places(&self) -> Vec<(TrackId, usize)> {
        self.starts.iter().map(|start| (start.track, start.frame)).collect()
    }
}

fn idle(since: Instant) -> Phase {
    Phase::Idle { since }
}

fn working(since: Instant) -> Phase {
    Phase::Working { target: usize::MAX, since }
}

fn opening(_: Instant) -> Phase {
    Phase::Opening
}

#[test]
fn a_viewer_that_lacks_one_frame_ahead_does_not_hide_one_that_waits() {
    // The first viewer is paused and has stepped by one frame, and its worker has left.
    let situation = Situation::new(1000).held(A, 0..17).cursor(A, 2..18, 99).cursor(A, 100..116, 99);
    assert_eq!(situation.assign().places(), [(A, 100)]);
}

#[test]
fn with_a_full_cache_a_viewer_ahead_of_a_paused_one_is_served() {
    for start in 17..40 {
        let situation = Situation::new(0).held(A, 3..4).cursor(A, 3..19, 50).cursor(A, start..start + 16, 99);
        let situation = situation.worker(A, 1, 4, idle, 60);
        let assignment = situation.assign();
        let is_reached = assignment.targets.get(&1).is_some_and(|&target| target >= start);
        assert!(is_reached || assignment.places() == [(A, start)], "{start}: {assignment:?}");
    }
}

#[test]
fn a_video_that_does_not_fit_takes_no_worker_until_it_can_start() {
    // The large one needs half of the pixels, and both others work.
    let mut situation = Situation::new(1000).cursor(B, 0..16, 99).cursor(A, 0..16, 99).cursor(A, 50..66, 99);
    situation.track(B).pixels = 1000;
    situation.track(A).pixels = 40;
    situation.limits.workers = 8;
    let mut situation = situation.worker(A, 1, 0, working, 100).worker(A, 2, 50, working, 100);
    let assignment = situation.assign();
    assert_eq!((assignment.places(), assignment.cancels), (vec![], vec![]));
    // One of them has nothing more to do: it makes room, and is not replaced by another worker of the small track.
    situation = situation.held(A, 50..66).cursor(A, 200..216, 100);
    let rests_since = situation.start + Duration::from_secs(99);
    situation.track(A).workers.get_mut(&2).unwrap().phase = idle(rests_since);
    let assignment = situation.assign();
    assert_eq!((assignment.places(), assignment.cancels), (vec![], vec![2]));
    situation.track(A).workers.remove(&2);
    let assignment = situation.assign();
    assert_eq!((assignment.places(), assignment.cancels), (vec![(B, 0)], vec![]));
}

#[test]
fn a_claim_takes_the_place_of_a_busy_worker_when_it_has_waited() {
    let busy = |waiting_since| {
        let situation = Situation::new(1000).cursor_of(1, Some(80), A, 0..16, 99).cursor_of(2, Some(90), A, 50..66, 99);
        let situation = situation.cursor_of(3, Some(95), B, 0..16, waiting_since);
        situation.worker(A, 1, 0, working, 90).worker(A, 2, 50, working, 80).assign()
    };
    assert_eq!(busy(100).cancels, [0; 0]);
    assert_eq!(busy(99).cancels, [2], "the worker of the viewer that came last");
}

#[test]
fn viewers_are_told_when_no_decoder_becomes_free() {
    let waiting = |since| {
        let situation = Situation::new(1000).cursor(A, 0..16, 99).cursor(A, 50..66, 99).cursor(B, 7..23, since);
        situation.worker(A, 1, 0, opening, 0).worker(A, 2, 50, opening, 0).assign().refusals
    };
    assert_eq!(waiting(91), []);
    assert_eq!(waiting(90), [Refusal { track: B, frame: 7, reason: RefusalReason::Busy }]);
}

#[test]
fn a_viewer_that_waits_is_not_hidden_by_one_that_only_lacks_frames_ahead() {
    let mut situation = Situation::new(1000).held(A, 20..24).cursor(A, 20..36, 90).cursor(A, 30..46, 90);
    situation.limits.workers = 1;
    let situation = situation.cursor(B, 0..16, 99).worker(B, 1, 0, opening, 0);
    assert_eq!(situation.assign().refusals, [Refusal { track: A, frame: 30, reason: RefusalReason::Busy }]);
}

#[test]
fn no_decoder_is_started_on_a_track_with_hung_decoders() {
    let mut situation = Situation::new(1000).cursor(A, 0..16, 100);
    situation.track(A).hung = [7, 8].into();
    let expected = Refusal { track: A, frame: 0, reason: RefusalReason::Hung };
    assert_eq!((situation.assign().places(), situation.assign().refusals), (vec![], vec![expected]));
}

#[test]
fn of_two_idle_workers_at_one_place_only_one_makes_the_frame() {
    let situation = Situation::new(1000).cursor(A, 5..21, 100);
    let situation = situation.worker(A, 1, 5, idle, 99).worker(A, 2, 5, idle, 99);
    assert_eq!(situation.assign().targets.len(), 1);
}

#[test]
fn a_frame_that_just_failed_is_not_tried_again() {
    let mut situation = Situation::new(1000).cursor(A, 8..24, 100).worker(A, 1, 5, idle, 99);
    let at = situation.now;
    situation.track(A).failures.insert(7, Failure { cause: FailureCause::Busy, at });
    let assignment = situation.assign();
    assert_eq!((assignment.targets.len(), assignment.places()), (0, vec![(A, 8)]));
}

#[test]
fn frames_wanted_soon_wait_for_room_and_the_frame_wanted_now_does_not() {
    let situation = Situation::new(4).held(A, 0..4).cursor(A, 0..16, 100).worker(A, 1, 4, idle, 99);
    assert_eq!(situation.assign().targets, BTreeMap::new());
    let situation = situation.cursor(A, 6..22, 100);
    assert_eq!(situation.assign().targets, BTreeMap::from([(1, 6)]));
}

#[test]
fn idle_workers_leave_later_when_a_viewer_is_about_to_need_them() {
    let leaves = |idle_since, frames| {
        Situation::new(1000).held(A, 0..16).cursor(A, frames, 50).worker(A, 1, 16, idle, idle_since).assign().cancels
    };
    assert_eq!((leaves(100, 0..0), leaves(99, 0..0)), (vec![], vec![1]));
    assert_eq!((leaves(86, 0..16), leaves(85, 0..16)), (vec![], vec![1]));
}

#[test]
fn a_worker_at_the_end_of_all_that_is_wanted_leaves_at_once() {
    let leaves = |phase: fn(Instant) -> Phase, ends: &[usize]| {
        let mut situation = Situation::new(1000).held(A, 0..16).worker(A, 1, 16, phase, 100);
        for &end in ends {
            situation = situation.cursor(A, 4..16, 99);
            situation.track(A).wants.last_entry().unwrap().get_mut().end = end;
        }
        situation.assign().cancels
    };
    for phase in [idle, working] {
        assert_eq!(leaves(phase, &[16]), [1]);
        assert_eq!(leaves(phase, &[10, 16]), [1]);
        assert_eq!(leaves(phase, &[16, 17]), [0; 0], "another viewer goes on");
        assert_eq!(leaves(phase, &[]), [0; 0], "its viewer turns, and may go on there");
    }
}

#[test]
fn a_viewer_that_plays_on_after_a_long_pause_has_its_file_opened_while_frames_are_left() {
    // Its decoder has left. The first frames are shown, and sixteen are wanted.
    let places = |shown| Situation::new(1000).held(A, 0..16).cursor(A, shown..shown + 16, 100).assign().places();
    assert_eq!(places(0), []);
    assert_eq!(places(1), [], "a single step would have the file searched each time");
    assert_eq!(places(2), [(A, 16)]);
}

#[test]
fn opening_a_file_is_cancelled_when_its_viewer_has_left() {
    let situation = Situation::new(1000).cursor(A, 500..516, 100).worker(A, 1, 0, opening, 100);
    let assignment = situation.assign();
    assert_eq!((assignment.cancels.as_slice(), assignment.places()), (&[1][..], vec![(A, 500)]));
}

#[test]
fn a_viewer_that_just_plays_takes_the_place_of_one_that_has_just_turned_and_not_the_other_way_round() {
    let house = |turned_second| {
        let of_claim = |since| {
            let situation = Situation::new(1000).cursor_of(1, None, A, 0..16, 50);
            let situation = situation.cursor_of(2, Some(99), A, 50..66, 99);
            let situation = situation.worker(A, 1, 0, working, 50).worker(A, 2, 50, opening, 99);
            situation.cursor_of(3, turned_second, B, 0..16, since).assign().cancels
        };
        // It waits since this moment, and since a while.
        (of_claim(100), of_claim(91))
    };
    assert_eq!(house(Some(50)), (vec![2], vec![2]), "the decoder that is being opened for a seek");
    assert_eq!(house(Some(99)), (vec![], vec![]), "a seek takes no place of one that plays");
}

#[test]
fn a_viewer_that_rests_between_frames_keeps_its_decoder_and_one_that_is_paused_gives_it_up() {
    let cancels = |idle_millis| {
        let mut situation = Situation::new(1000).held(A, 0..16).cursor_of(1, None, A, 0..16, 50);
        situation.limits.workers = 1;
        let situation = situation.worker(A, 1, 16, idle, 100).cursor_of(2, Some(99), B, 0..16, 99);
        let mut situation = situation;
        let since = situation.start + Duration::from_secs(100).saturating_sub(Duration::from_millis(idle_millis));
        situation.track(A).workers.get_mut(&1).unwrap().phase = idle(since);
        situation.assign().cancels
    };
    assert_eq!((cancels(40), cancels(600)), (vec![], vec![1]));
}

#[test]
fn a_viewer_that_turns_again_and_again_opens_one_decoder_at_a_time() {
    let mut situation = Situation::new(1000).cursor_of(1, Some(99), A, 500..516, 100);
    situation.limits.workers = 8;
    let situation = situation.worker(A, 1, 0, opening, 99);
    let assignment = situation.assign();
    assert_eq!(
        (assignment.cancels.as_slice(), assignment.places()),
        (&[1][..], vec![]),
        "first the other has to leave"
    );
    let mut situation = situation;
    situation.track(A).workers.clear();
    assert_eq!(situation.assign().places(), [(A, 500)]);
}

#[test]
fn a_viewer_that_turned_once_may_open_the_next_file_while_it_opens_the_first() {
    let mut situation =
        Situation::new(1000).cursor_of(1, Some(99), A, 0..16, 99).cursor_of(1, Some(99), B, 500..516, 99);
    situation.limits.workers = 8;
    let mut situation = situation.worker(A, 1, 0, opening, 99);
    situation.track(A).workers.get_mut(&1).unwrap().opened_for = ViewerId(1);
    assert_eq!(situation.assign().places(), [], "one that turns again and again");
    for track in [A, B] {
        situation.track(track).wants.values_mut().for_each(|want| want.reader.has_turned_again = false);
    }
    assert_eq!(situation.assign().places(), [(B, 500)]);
}

#[test]
fn a_viewer_has_a_limited_number_of_decoders_of_its_own() {
    let of = |workers_per_viewer, other_viewers| {
        let mut situation = Situation::new(1000).cursor_of(7, Some(50), A, 500..516, 100);
        situation.limits = Limits { workers: 16, workers_per_viewer, pixels: 1000, scrubbing_pixels: 1000 };
        for worker in 0..4 {
            let place = worker as usize * 50;
            situation = situation.worker(A, 70 + worker, place, idle, 100);
            situation.track(A).workers.get_mut(&(70 + worker)).unwrap().opened_for = ViewerId(7);
            if other_viewers {
                situation = situation.cursor_of(8 + worker, Some(50), A, place..place + 16, 100);
            }
        }
        let assignment = situation.assign();
        (assignment.cancels.len(), assignment.places().len())
    };
    assert_eq!(of(4, false), (4, 1), "one gives way, and a track that gets another one keeps none without a viewer");
    assert_eq!(of(4, true), (0, 1), "those that serve others are not its own");
}

#[test]
fn viewers_who_scrub_share_few_decoders_and_leave_the_others_to_those_who_do_not() {
    // Each track has 10 pixels; the second viewer comes to a place of its own.
    let with = |turned_second, serves, other_phase: fn(Instant) -> Phase, since| {
        let situation = Situation::new(1000).worker(A, 1, 0, working, 90);
        let mut situation = if serves { situation.cursor_of(1, Some(99), A, 0..16, 99) } else { situation };
        situation.limits.workers = 8;
        situation.limits.scrubbing_pixels = 10;
        situation.track(A).workers.get_mut(&1).unwrap().phase = other_phase(situation.start);
        let assignment = situation.cursor_of(2, turned_second, B, 50..66, since).assign();
        (assignment.cancels.clone(), assignment.places())
    };
    assert_eq!(with(Some(99), true, working, 100), (vec![], vec![]), "it waits for its turn");
    assert_eq!(with(Some(99), true, working, 98), (vec![1], vec![]), "they take turns");
    assert_eq!(with(Some(99), false, idle, 100), (vec![1], vec![]), "what serves nobody is in the way");
    assert_eq!(with(None, true, working, 100), (vec![], vec![(B, 50)]), "one that watches takes another place");
}
