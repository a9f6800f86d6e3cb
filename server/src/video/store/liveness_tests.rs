//! The guarantee of the scheduler, tested on a simulated machine: every cursor that waits gets its frame, or an error
//! with the reason, within a bounded time, whatever the viewers, tracks, cache size and limits are.
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
    track::{FailureCause, TrackKey, TrackKind, WorkerId},
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

#[derive(Debug, Clone)]
struct TrackModel {
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
    /// After how many ticks it seeks, and to which frame, one seek after the other.
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
        can_hang || turn * self.viewers.len() as u32 >= BUSY_PATIENCE
    }
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let rarely = |frames: std::ops::Range<usize>| prop_oneof![8 => Just(None), 1 => frames.prop_map(Some)];
    let pixels = prop_oneof![Just(0), Just(1), Just(4), Just(40)];
    let track = (pixels, 1usize..200, 1u32..40, 1u32..6, rarely(0..TRACK_FRAMES), rarely(0..TRACK_FRAMES));
    let track = track.prop_map(|(pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame)| {
        TrackModel { pixels, frame_bytes, open_ticks, frame_ticks, failing_frame, hanging_frame }
    });
    let pace = prop_oneof![
        Just(Pace::Unthrottled),
        (2u32..6).prop_map(Pace::Playing),
        prop_oneof![100u32..400, 1500u32..2500].prop_map(Pace::Stepping),
    ];
    // Viewers are mostly close to each other, where the decisions are difficult.
    let place = || prop_oneof![3 => 0usize..60, 1 => 0..TRACK_FRAMES];
    let seeks = prop::collection::vec((1u32..600, place()), 0..4);
    let leaves_after = prop_oneof![3 => Just(None), 1 => (1u32..2000).prop_map(Some)];
    let viewer = (0usize..4, place(), pace, seeks, leaves_after)
        .prop_map(|(track, start, pace, seeks, leaves_after)| ViewerModel { track, start, pace, seeks, leaves_after });
    let cache_bytes = prop_oneof![Just(0u64), 1u64..5_000, Just(1 << 20)];
    let limits = (1usize..6, 4u64..64).prop_map(|(workers, pixels)| Limits { workers, pixels });
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
    entry: CursorEntry,
    frame: usize,
    waiting_since: Option<Instant>,
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
            viewers: Vec::new(),
            threads: Vec::new(),
            limits: scenario.limits,
            may_refuse: scenario.may_refuse(),
        };
        for model in &scenario.viewers {
            let number = model.track % scenario.tracks.len();
            let track = &scenario.tracks[number];
            let key = TrackKey { file: number as u64, kind: TrackKind::Pictures };
            let entry = simulation.scheduler.add_cursor(key, || Arc::new(SimulatedOpener(track.pixels)), now);
            simulation.models.push((entry.track, track.clone()));
            let frame = model.start;
            simulation.viewers.push(Viewer {
                model: model.clone(),
                entry,
                frame,
                waiting_since: None,
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
            && self.tick >= ticks * (viewer.seeks as u32 + 1)
        {
            viewer.seeks += 1;
            (viewer.frame, viewer.waiting_since, viewer.next_take) = (place, None, self.tick);
            self.want(number);
            return Ok(());
        }
        if self.tick < viewer.next_take || viewer.frame >= TRACK_FRAMES {
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
                prop_assert!(waited <= MAX_WAIT, "viewer {number} has waited for frame {frame} for {waited:?}");
            }
        }
        Ok(())
    }

    fn want(&mut self, viewer: usize) {
        let Viewer { entry, frame, .. } = &self.viewers[viewer];
        let frames = *frame..(frame + FRAMES_AHEAD).min(TRACK_FRAMES).max(*frame);
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
