//! The guarantee of the scheduler, tested on a simulated machine: every cursor that waits gets its frame, or an error
//! with the reason, within a bounded time, whatever the viewers, tracks, cache size and limits are. And viewers who just
//! watch, if there are places for them, do not wait for others who seek wildly.
//!
//! The simulation drives the real [`Scheduler`] with invented time. Its workers take time to open a file and to make a
//! frame; some tracks fail at a frame, some hang. Its viewers play, pull as fast as they can, pause, seek and leave.

use std::{
    sync::Arc,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    assignment::BUSY_PATIENCE,
    cache::TrackId,
    places::Limits,
    scheduler::{CursorEntry, Scheduler, SpawnRequest, Step},
    source::{FrameSource, SourceError, TrackOpener},
    track::{FailureCause, Reader, TURN_TIME, TrackKey, TrackKind, ViewerId, WorkerId},
};
use crate::video::gst::pipeline::Heartbeat;

/// One step of the simulation.
const TICK: Duration = Duration::from_millis(10);

/// How often a waiting cursor has the scheduler check what changes by time alone, as in the store.
const CHECK_TICKS: u32 = 25;

const HANG_PATIENCE: Duration = Duration::from_secs(15);

/// No cursor waits longer: a worker may hang all its patience long, after that a claim waits for its place, and then the
/// frames before the wanted one are made.
const MAX_WAIT: Duration = HANG_PATIENCE.saturating_add(BUSY_PATIENCE).saturating_add(Duration::from_secs(5));

const FRAMES_AHEAD: usize = 16;
const TRACK_FRAMES: usize = 300;

/// Frames of the tracks between which viewers seek wildly.
const WILD_FRAMES: usize = 3000;

#[derive(Debug, Clone)]
struct TrackModel {
    frames: usize,
    pixels: u64,
    frame_bytes: usize,
    open_ticks: u32,
    frame_ticks: u32,
    failing_frame: Option<usize>,
    hanging_frame: Option<usize>,
}

#[derive(Debug, Clone)]
struct ViewerModel {
    track: usize,
    start: usize,
    pace: Pace,
    /// At which ticks it seeks, ascending, and to which frames.
    seeks: Vec<(u32, usize)>,
    leaves_after: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Takes a frame as soon as there is one.
    Unthrottled,
    /// Takes a frame every this many ticks.
    Playing(u32),
    /// Takes one frame, then waits for this many ticks.
    Stepping(u32),
}

#[derive(Debug, Clone)]
struct Scenario {
    tracks: Vec<TrackModel>,
    viewers: Vec<ViewerModel>,
    cache_bytes: u64,
    limits: Limits,
}

impl Scenario {
    fn may_refuse(&self) -> bool {
        let can_hang = self.tracks.iter().any(|track| track.hanging_frame.is_some());
        let longest_open = self.tracks.iter().map(|track| TICK * track.open_ticks).max().unwrap_or_default();
        let turn = Duration::from_millis(1500) + longest_open;
        can_hang || TURN_TIME + turn * self.viewers.len() as u32 >= BUSY_PATIENCE
    }
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let rarely = |frames: std::ops::Range<usize>| prop_oneof![8 => Just(None), 1 => frames.prop_map(Some)];
    let pixels = prop_oneof![Just(0), Just(1), Just(4), Just(40)];
    let track = (pixels, 1usize..200, 1u32..40, 1u32..6, rarely(0..TRACK_FRAMES), rarely(0..TRACK_FRAMES));
    let track = track.prop_map(|(pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame)| {
        let frames = TRACK_FRAMES;
        TrackModel { frames, pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame }
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

/// Placeholder: the simulation opens the tracks itself.
struct SimulatedOpener(u64);

impl TrackOpener for SimulatedOpener {
    fn open(&self, _: usize, _: Heartbeat, _: &dyn Fn() -> bool) -> Result<Box<dyn FrameSource>, SourceError> {
        unreachable!("the simulation opens nothing")
    }

    fn name(&self) -> String {
        "simulated".to_owned()
    }

    fn pixels(&self) -> u64 {
        self.0
    }
}

struct Viewer {
    model: ViewerModel,
    reader: Reader,
    entry: CursorEntry,
    frame: usize,
    waiting_since: Option<Instant>,
    longest_wait: Duration,
    next_take: u32,
    seeks: usize,
    is_gone: bool,
}

/// A worker's thread.
struct Thread {
    request: SpawnRequest,
    model: TrackModel,
    frame: usize,
    is_open: bool,
    /// Work left on the present frame; `None` while it rests.
    ticks_left: Option<u32>,
}

struct Simulation {
    scheduler: Scheduler,
    now: Instant,
    tick: u32,
    models: Vec<(TrackId, TrackModel)>,
    tracks: Vec<TrackModel>,
    viewers: Vec<Viewer>,
    threads: Vec<Thread>,
    limits: Limits,
    /// Whether a viewer may be told that all decoders are in use: because one hangs, or because the turns of all viewers
    /// together take longer than [`BUSY_PATIENCE`].
    may_refuse: bool,
}

impl Simulation {
    fn new(scenario: &Scenario) -> Self {
        let now = Instant::now();
        let mut simulation = Self {
            scheduler: Scheduler::new(scenario.cache_bytes, scenario.limits, HANG_PATIENCE),
            now,
            tick: 0,
            models: Vec::new(),
            tracks: scenario.tracks.clone(),
            viewers: Vec::new(),
            threads: Vec::new(),
            limits: scenario.limits,
            may_refuse: scenario.may_refuse(),
        };
        for model in &scenario.viewers {
            let number = model.track % scenario.tracks.len();
            let reader = Reader { viewer: ViewerId(simulation.viewers.len() as u64 + 1), ..Reader::SERVER }.turned(now);
            let entry = simulation.add_cursor(reader, number);
            simulation.models.push((entry.track, scenario.tracks[number].clone()));
            let frame = model.start;
            simulation.viewers.push(Viewer {
                model: model.clone(),
                reader,
                entry,
                frame,
                waiting_since: None,
                longest_wait: Duration::ZERO,
                next_take: 0,
                seeks: 0,
                is_gone: false,
            });
        }
        for viewer in 0..simulation.viewers.len() {
            simulation.want(viewer);
        }
        simulation
    }

    fn add_cursor(&mut self, reader: Reader, track: usize) -> CursorEntry {
        let pixels = self.tracks[track].pixels;
        let key = TrackKey { file: track as u64, kind: TrackKind::Pictures };
        self.scheduler.add_cursor(key, || Arc::new(SimulatedOpener(pixels)), reader, self.now)
    }

    fn step(&mut self) -> Result<(), TestCaseError> {
        self.tick += 1;
        self.now += TICK;
        for viewer in 0..self.viewers.len() {
            self.step_viewer(viewer)?;
        }
        if self.tick.is_multiple_of(CHECK_TICKS) && self.viewers.iter().any(|viewer| viewer.waiting_since.is_some()) {
            self.scheduler.give_up_hung(self.now);
            self.reassign();
        }
        self.step_threads();
        let started = self.threads.iter().filter(|thread| !self.is_hung(thread)).count();
        prop_assert!(started <= self.limits.workers, "{started} workers");
        Ok(())
    }

    fn step_viewer(&mut self, number: usize) -> Result<(), TestCaseError> {
        let viewer = &mut self.viewers[number];
        if viewer.is_gone {
            return Ok(());
        }
        if viewer.model.leaves_after.is_some_and(|ticks| self.tick >= ticks) {
            viewer.is_gone = true;
            viewer.waiting_since = None;
            self.scheduler.remove_cursor(viewer.entry.track, viewer.entry.cursor);
            self.reassign();
            return Ok(());
        }
        if let Some(&(ticks, place)) = viewer.model.seeks.get(viewer.seeks)
            && self.tick >= ticks
        {
            viewer.seeks += 1;
            (viewer.frame, viewer.waiting_since, viewer.next_take) = (place, None, self.tick);
            // A new epoch has a new cursor.
            let (track, cursor) = (viewer.entry.track, viewer.entry.cursor);
            let model = viewer.model.track % self.tracks.len();
            self.scheduler.remove_cursor(track, cursor);
            let reader = self.viewers[number].reader.turned(self.now);
            self.viewers[number].reader = reader;
            self.viewers[number].entry = self.add_cursor(reader, model);
            self.want(number);
            return Ok(());
        }
        let frames = self.tracks[viewer.model.track % self.tracks.len()].frames;
        if self.tick < viewer.next_take || viewer.frame >= frames {
            return Ok(());
        }
        let (track, frame) = (viewer.entry.track, viewer.frame);
        match self.scheduler.take(track, frame, self.now) {
            Some(outcome) => {
                if outcome == Err(FailureCause::Busy) {
                    prop_assert!(self.may_refuse, "viewer {number} is refused although its turn should have come");
                    // The viewer is told, and tries again later.
                    viewer.next_take = self.tick + 600;
                    viewer.waiting_since = None;
                    return Ok(());
                }
                viewer.waiting_since = None;
                // A frame that cannot be made is passed over, as by a viewer that seeks past it.
                viewer.frame += 1;
                viewer.next_take = self.tick
                    + match viewer.model.pace {
                        Pace::Unthrottled => 0,
                        Pace::Playing(ticks) | Pace::Stepping(ticks) => ticks,
                    };
                self.want(number);
            }
            None => {
                let since = *viewer.waiting_since.get_or_insert(self.now);
                let waited = self.now.duration_since(since);
                viewer.longest_wait = viewer.longest_wait.max(waited);
                prop_assert!(waited <= MAX_WAIT, "viewer {number} has waited for frame {frame} for {waited:?}");
            }
        }
        Ok(())
    }

    fn want(&mut self, viewer: usize) {
        let Viewer { entry, frame, model, .. } = &self.viewers[viewer];
        let end = self.tracks[model.track % self.tracks.len()].frames;
        let frames = *frame..(frame + FRAMES_AHEAD).min(end).max(*frame);
        self.scheduler.want(entry.track, entry.cursor, frames, self.now);
        self.reassign();
    }

    fn reassign(&mut self) {
        self.scheduler.reassign(self.now);
        for request in self.scheduler.take_spawns() {
            let model = self.models.iter().find(|(track, _)| *track == request.track).unwrap().1.clone();
            let frame = request.frame;
            self.threads.push(Thread { request, model, frame, is_open: false, ticks_left: None });
        }
    }

    /// Advances each worker's thread by one tick.
    fn step_threads(&mut self) {
        let mut ended: Vec<(TrackId, WorkerId, Option<String>)> = Vec::new();
        let mut made: Vec<(TrackId, WorkerId, usize)> = Vec::new();
        for thread in &mut self.threads {
            let (track, worker) = (thread.request.track, thread.request.worker);
            let Some(left) = &mut thread.ticks_left else {
                match self.scheduler.step(track, worker) {
                    Step::Make => {
                        let open_ticks = if thread.is_open { 0 } else { thread.model.open_ticks };
                        thread.ticks_left = Some(open_ticks + thread.model.frame_ticks);
                    }
                    Step::Leave => ended.push((track, worker, None)),
                    Step::Rest(_) => {}
                }
                continue;
            };
            if thread.model.hanging_frame == Some(thread.frame) {
                continue;
            }
            if thread.request.is_cancelled.load(Relaxed) && !thread.is_open {
                ended.push((track, worker, None));
                continue;
            }
            *left -= 1;
            thread.request.heartbeat.beat();
            if *left > 0 {
                continue;
            }
            (thread.is_open, thread.ticks_left) = (true, None);
            if thread.model.failing_frame == Some(thread.frame) {
                ended.push((track, worker, Some("it fails here".to_owned())));
            } else {
                made.push((track, worker, thread.model.frame_bytes));
                thread.frame += 1;
            }
        }
        for (track, worker, frame_bytes) in made {
            self.scheduler.put(track, worker, vec![0; frame_bytes].into(), self.now);
            self.reassign();
        }
        for (track, worker, cause) in ended {
            self.threads.retain(|thread| thread.request.worker != worker);
            self.scheduler.remove_worker(track, worker, cause, self.now);
            self.reassign();
        }
        if self.tick.is_multiple_of(200) {
            // Idle workers check from time to time whether they should end.
            self.reassign();
        }
    }

    fn is_hung(&self, thread: &Thread) -> bool {
        thread.model.hanging_frame == Some(thread.frame)
            && self.scheduler.step(thread.request.track, thread.request.worker) == Step::Leave
    }
}

/// Viewers that just watch, each in a file of its own, and others that seek all the time. There is a place for each that
/// watches and two more. With only one more, a viewer that watches waits up to a second longer than this in one of a hundred
/// cases.
fn wild_scenario() -> impl Strategy<Value = (usize, Scenario)> {
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

proptest! {
    // `PROPTEST_CASES` sets another number of cases.
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_waiting_cursor_gets_its_frame_or_a_reason(scenario in scenario()) {
        let mut simulation = Simulation::new(&scenario);
        for _ in 0..6000 {
            simulation.step()?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_just_watches_does_not_wait_for_those_who_seek_wildly((watchers, scenario) in wild_scenario()) {
        // To open the file and make the frame, and what the scheduler needs to notice. When another viewer has taken its decoder
        // along to another place, the one who came last may keep a decoder for a second.
        let TrackModel { open_ticks, frame_ticks, .. } = scenario.tracks[0];
        let limit = TICK * (open_ticks + frame_ticks + 2 * CHECK_TICKS) + Duration::from_secs(1);
        let mut simulation = Simulation::new(&scenario);
        simulation.may_refuse = true;
        // At the beginning all of them have just turned.
        let settled = TURN_TIME + Duration::from_secs(3);
        while TICK * simulation.tick < settled {
            simulation.step()?;
        }
        simulation.viewers.iter_mut().for_each(|viewer| viewer.longest_wait = Duration::ZERO);
        let begun: Vec<_> = simulation.viewers[..watchers].iter().map(|viewer| viewer.frame).collect();
        for _ in 0..800 {
            simulation.step()?;
        }
        for (viewer, begun) in simulation.viewers[..watchers].iter().zip(begun) {
            prop_assert!(viewer.longest_wait <= limit, "{:?} of {limit:?}", viewer.longest_wait);
            let Pace::Playing(pace) = viewer.model.pace else { unreachable!("watchers play") };
            let due = begun + (800 / pace) as usize;
            // It may have had to wait once.
            let late = (limit.as_millis() / (TICK * pace).as_millis()) as usize;
            prop_assert!(viewer.frame + late >= due, "frame {} of {due}", viewer.frame);
        }
    }
}
