//! The ladder on modelled links: what people would see.

use common::media::SoundFormat;
use proptest::prelude::*;

use super::{
    levels::Level,
    model::{Story, World, mbit, run, takes},
};
use crate::event::LadderSettings;

const AUTOMATIC: LadderSettings = LadderSettings { is_automatic: true, max_height: None };

/// The levels of a segment in 1440p, from the best on.
const LEVELS: [(u32, u8); 6] = [(1440, 1), (1440, 2), (720, 1), (720, 2), (240, 1), (240, 2)];

fn place(level: (u32, u8)) -> usize {
    LEVELS.iter().position(|&other| other == level).expect("a level of the ladder")
}

/// The best level that takes at most this share of a link with this rate.
fn fitting(world: &World, bytes_per_milli: f64, share: f64) -> usize {
    let fits = |&&(height, step): &&(u32, u8)| takes(world, height, step) <= bytes_per_milli * 1_000.0 * share;
    LEVELS.iter().find(fits).map_or(LEVELS.len() - 1, |&level| place(level))
}

fn last(story: &Story) -> (u32, u8) {
    story.last.map(|Level { height, picture_step, .. }| (height, picture_step)).expect("a stream has a level")
}

/// Where the stream must be some seconds after the link has changed: not more than the link carries, nor a level less than
/// fits well.
fn assert_settled(world: &World, story: &Story, millis: u64, rate: f64) {
    let at = place(story.level_at(millis));
    let (best, least) = (fitting(world, rate, 0.95), fitting(world, rate, 0.6));
    assert!((best..=least).contains(&at), "{:?} at {millis} ms of {world:?}: {story:?}", LEVELS[at]);
}

/// How often a worse level was taken: on a link that stays as it is, needlessly.
fn steps_down_within(story: &Story, from: u64, to: u64) -> usize {
    let levels = std::iter::once(None).chain(story.changes.iter().map(|(_, level)| Some(level.bytes_per_second)));
    let is_down = |((at, level), before): (&(u64, Level), Option<f64>)| {
        (from..to).contains(at) && before.is_none_or(|before| level.bytes_per_second < before)
    };
    story.changes.iter().zip(levels).filter(|&step| is_down(step)).count()
}

#[test]
fn a_link_that_goes_from_200_to_40_to_8_to_200_mbit() {
    for round_trip_millis in [1, 20, 100, 200] {
        for burst_bytes in [0.0, 32_768.0] {
            let world = World {
                rates: vec![(0, mbit(200.0)), (15_000, mbit(40.0)), (30_000, mbit(8.0)), (45_000, mbit(200.0))],
                round_trip_millis,
                burst_bytes,
                seconds: 80,
                ..World::default()
            };
            let story = run(&world, AUTOMATIC);
            for (from, to) in [(2_000, 15_000), (17_000, 30_000), (32_000, 45_000), (47_000, 80_000)] {
                let stall = story.longest_stall(from, to);
                assert!(stall <= 500, "{stall} ms between {from} and {to} ms of {world:?}: {story:?}");
            }
            assert_eq!(story.changes_within(0, 15_000), 0, "{story:?}");
            assert_settled(&world, &story, 18_000, mbit(40.0));
            assert_settled(&world, &story, 33_000, mbit(8.0));
            assert_eq!(story.level_at(75_000), (1440, 1), "{story:?}");
            assert_eq!(story.changes_within(18_000, 30_000), 0, "{story:?}");
            assert_eq!(story.changes_within(33_000, 45_000), 0, "{story:?}");
            assert_eq!(story.changes_within(75_000, 80_000), 0, "{story:?}");
        }
    }
}

#[test]
fn what_is_not_the_link_changes_nothing() {
    let fast = World { seconds: 40, ..World::default() };
    for (what, world) in [
        ("a paused player", World { paused: Some((5_000, 25_000)), ..fast.clone() }),
        ("a hidden window", World { hidden: Some((5_000, 25_000)), ..fast.clone() }),
        ("seeks", World { seeks: vec![5_000, 5_300, 9_000, 15_000, 15_100, 15_200], ..fast.clone() }),
        ("a decoder that hangs", World { server_pauses: vec![(5_000, 7_500), (15_000, 16_000)], ..fast.clone() }),
        ("a decoder that is too slow", World { server_picture_millis: 60, ..fast.clone() }),
        ("a slow computer", World { decode_millis: 90, ..fast.clone() }),
        ("jitter", World { jitter_millis: 80, ..fast.clone() }),
        ("the thirds of a triptych", World { segments: vec![240, 720, 1440], ..fast.clone() }),
    ] {
        let story = run(&world, AUTOMATIC);
        assert!(story.changes.is_empty(), "{what}: {story:?}");
    }
}

#[test]
fn each_third_is_sent_as_well_as_the_link_carries_it() {
    let world = World { rates: vec![(0, mbit(38.0))], segments: vec![240, 720, 1440], seconds: 60, ..World::default() };
    let story = run(&world, AUTOMATIC);
    assert_eq!(story.changes_within(0, 39_000), 0, "240p and 720p fit: {story:?}");
    assert_eq!(last(&story), (720, 1), "{story:?}");
    assert!(story.changes.len() <= 2 && story.longest_stall(1_000, 60_000) == 0, "{story:?}");
    let said = story.said_bytes_per_second.expect("it was measured") * 8.0 / 1e6;
    assert!((32.0..=44.0).contains(&said), "{said} Mbit/s");
}

#[test]
fn a_link_that_is_a_little_too_slow_is_noticed_before_the_buffer_is_empty() {
    let rates = vec![(0, mbit(124.0)), (12_000, mbit(78.0))];
    let world = World { rates, round_trip_millis: 1, has_sound: false, seconds: 24, ..World::default() };
    let story = run(&world, AUTOMATIC);
    assert_eq!(story.level_at(15_000), (1440, 2), "of 83 Mbit/s, 78 arrive: {story:?}");
    assert_eq!((story.changes.len(), story.longest_stall(1_000, 24_000)), (1, 0), "{story:?}");
}

#[test]
fn a_person_who_has_chosen_is_left_alone() {
    let world = World { rates: vec![(0, mbit(8.0))], seconds: 20, ..World::default() };
    let story = run(&world, LadderSettings::default());
    assert!(story.changes.is_empty() && story.longest_stall(0, 20_000) > 500, "{story:?}");
}

fn world() -> impl Strategy<Value = World> {
    let link = (1u64..200, 0u64..30, 32usize..256, prop::sample::select(vec![0.0, 32_768.0]));
    let video = (prop::sample::select(vec![24u32, 25, 30, 50]), any::<bool>(), 0.0f64..0.3);
    (link, video).prop_map(
        |((round_trip_millis, jitter_millis, queue_kib, burst_bytes), (fps, has_sound, variation))| World {
            round_trip_millis,
            jitter_millis,
            queue_bytes: queue_kib * 1024,
            burst_bytes,
            pictures_per_second: fps,
            has_sound,
            size_variation: variation,
            ..World::default()
        },
    )
}

#[test]
fn below_3_mbit_the_sound_is_opus_and_a_server_without_it_is_asked_once() {
    for has_opus in [true, false] {
        let world = World { rates: vec![(0, mbit(2.5))], has_opus, ..World::default() };
        let story = run(&world, AUTOMATIC);
        assert_eq!(last(&story), (240, 2), "{story:?}");
        let sound = story.last.map(|level| level.sound);
        assert_eq!(sound, Some(if has_opus { SoundFormat::Opus } else { SoundFormat::Pcm }));
        let asked = story.changes.iter().filter(|(_, level)| level.sound == SoundFormat::Opus).count();
        assert!(has_opus || asked == 1, "{story:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A link that stays as it is: it is settled soon, and then left at most once in the next minute, and no stall.
    #[test]
    fn a_constant_link_is_settled_soon_and_for_good(world in world(), megabits in 4.0f64..250.0) {
        let world = World { rates: vec![(0, mbit(megabits))], seconds: 90, ..world };
        let story = run(&world, AUTOMATIC);
        assert_settled(&world, &story, 35_000, mbit(megabits));
        prop_assert!(steps_down_within(&story, 30_000, 90_000) <= 1, "{:?} {:?}", world, story);
        let carries_least = takes(&world, 240, 2) <= megabits * 125_000.0 * 0.8;
        prop_assert!(!carries_least || story.longest_stall(5_000, 90_000) <= 500, "{:?} {:?}", world, story);
    }

    /// A link that becomes slower, by whatever: two seconds later it plays without a stall, and at a level that fits.
    #[test]
    fn after_two_seconds_a_slower_link_stalls_no_more(world in world(), before in 60.0f64..250.0, share in 0.1f64..0.9) {
        let after = (before * share).max(8.0);
        let world = World { rates: vec![(0, mbit(before)), (12_000, mbit(after))], seconds: 24, ..world };
        let story = run(&world, AUTOMATIC);
        prop_assert!(story.longest_stall(14_000, 24_000) <= 500, "{} {:?} {:?}", after, world, story);
        prop_assert!(place(story.level_at(15_000)) >= fitting(&world, mbit(after), 1.05), "{} {:?} {:?}", after, world, story);
    }
}
