//! What happens on the simulated machine in [`liveness_tests`](super::liveness_tests): its tracks and viewers.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    assignment::BUSY_PATIENCE,
    liveness_packs::{PackModel, packs},
    places::Limits,
    track::TURN_TIME,
};

/// One step of the simulation.
pub(super) const TICK: Duration = Duration::from_millis(10);

pub(super) const TRACK_FRAMES: usize = 300;

/// Frames of the tracks between which viewers seek wildly.
const WILD_FRAMES: usize = 3000;

#[derive(Debug, Clone)]
pub(super) struct TrackModel {
    pub(super) frames: usize,
    pub(super) pixels: u64,
    pub(super) frame_bytes: usize,
    pub(super) open_ticks: u32,
    pub(super) frame_ticks: u32,
    pub(super) failing_frame: Option<usize>,
    pub(super) hanging_frame: Option<usize>,
    /// What is on disk: for each sixteen frames the pack with them, if there is one.
    pub(super) packs: Vec<Option<PackModel>>,
}

#[derive(Debug, Clone)]
pub(super) struct ViewerModel {
    pub(super) track: usize,
    pub(super) start: usize,
    pub(super) pace: Pace,
    /// At which ticks it seeks, ascending, and to which frames.
    pub(super) seeks: Vec<(u32, usize)>,
    pub(super) leaves_after: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// Takes a frame as soon as there is one.
    Unthrottled,
    /// Takes a frame every this many ticks.
    Playing(u32),
    /// Takes one frame, then waits for this many ticks.
    Stepping(u32),
}

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) tracks: Vec<TrackModel>,
    pub(super) viewers: Vec<ViewerModel>,
    pub(super) cache_bytes: u64,
    pub(super) limits: Limits,
}

impl Scenario {
    pub(super) fn may_refuse(&self) -> bool {
        let can_hang = self.tracks.iter().any(|track| track.hanging_frame.is_some());
        let longest_open = self.tracks.iter().map(|track| TICK * track.open_ticks).max().unwrap_or_default();
        let turn = Duration::from_millis(1500) + longest_open;
        can_hang || TURN_TIME + turn * self.viewers.len() as u32 >= BUSY_PATIENCE
    }
}

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let rarely = |frames: std::ops::Range<usize>| prop_oneof![8 => Just(None), 1 => frames.prop_map(Some)];
    let pixels = prop_oneof![Just(0), Just(1), Just(4), Just(40)];
    let track =
        (pixels, 1usize..200, 1u32..40, 1u32..6, rarely(0..TRACK_FRAMES), rarely(0..TRACK_FRAMES), packs(TRACK_FRAMES));
    let track =
        track.prop_map(|(pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame, packs)| {
            let frames = TRACK_FRAMES;
            TrackModel { frames, pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame, packs }
        });
    let pace = prop_oneof![
        Just(Pace::Unthrottled),
        (2u32..6).prop_map(Pace::Playing),
        prop_oneof![100u32..400, 1500u32..2500].prop_map(Pace::Stepping),
    ];
    // Viewers are mostly close to each other, where the decisions are difficult.
    let place = || prop_oneof![3 => 0usize..60, 1 => 0..TRACK_FRAMES];
    let seeks = prop::collection::vec((1u32..600, place()), 0..4).prop_map(ascending);
    let leaves_after = prop_oneof![3 => Just(None), 1 => (1u32..2000).prop_map(Some)];
    let viewer = (0usize..4, place(), pace, seeks, leaves_after)
        .prop_map(|(track, start, pace, seeks, leaves_after)| ViewerModel { track, start, pace, seeks, leaves_after });
    let cache_bytes = prop_oneof![Just(0u64), 1u64..5_000, Just(1 << 20)];
    let limits = (1usize..6, 1usize..5, 4u64..64, 1u64..64).prop_map(
        |(workers, workers_per_viewer, pixels, scrubbing_pixels)| Limits {
            workers,
            workers_per_viewer,
            pixels,
            scrubbing_pixels,
        },
    );
    (prop::collection::vec(track, 1..4), prop::collection::vec(viewer, 1..9), cache_bytes, limits)
        .prop_map(|(tracks, viewers, cache_bytes, limits)| Scenario { tracks, viewers, cache_bytes, limits })
}

/// Viewers that just watch, each in a file of its own, and others that seek all the time. There is a place for each that
/// watches and two more. With only one more, a viewer that watches waits up to a second longer than this in one of a hundred
/// cases.
pub(super) fn wild_scenario() -> impl Strategy<Value = (usize, Scenario)> {
    let watching = (1usize..4, 3u32..6);
    let interval = prop_oneof![3 => 1u32..60, 1 => 190u32..400];
    let seeking = prop::collection::vec((0usize..6, prop::collection::vec((interval, 0..WILD_FRAMES), 100)), 1..8);
    let open_ticks = 1u32..40;
    // As much as is wanted at a time, and little more.
    let cache_bytes = 20_000u64..40_000;
    let scrubbing_pixels = prop_oneof![Just(1000u64), 1u64..4];
    (watching, seeking, open_ticks, 0usize..2, 1usize..5, (cache_bytes, scrubbing_pixels)).prop_map(
        |((watchers, pace), seeking, open_ticks, more_places, workers_per_viewer, (cache_bytes, scrubbing_pixels))| {
            let model = TrackModel {
                frames: WILD_FRAMES,
                pixels: 1,
                frame_bytes: 100,
                open_ticks,
                frame_ticks: 1,
                failing_frame: None,
                hanging_frame: None,
                packs: Vec::new(),
            };
            let watcher = |track| ViewerModel {
                track,
                start: 0,
                pace: Pace::Playing(pace),
                seeks: Vec::new(),
                leaves_after: None,
            };
            let seeker = |(track, seeks): (usize, Vec<(u32, usize)>)| {
                let seeks = ascending(seeks);
                ViewerModel { track, start: 0, pace: Pace::Playing(pace), seeks, leaves_after: None }
            };
            let viewers = (0..watchers).map(watcher).chain(seeking.into_iter().map(seeker)).collect();
            let workers = watchers + 2 + more_places;
            let limits = Limits { workers, workers_per_viewer, pixels: 1000, scrubbing_pixels };
            (watchers, Scenario { tracks: vec![model; 6], viewers, cache_bytes, limits })
        },
    )
}

/// Turns the intervals between seeks into times.
fn ascending(mut seeks: Vec<(u32, usize)>) -> Vec<(u32, usize)> {
    let mut at = 0;
    for (ticks, _) in &mut seeks {
        at += *ticks;
        *ticks = at;
    }
    seeks
}
