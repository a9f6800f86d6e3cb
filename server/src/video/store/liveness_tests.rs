//! The guarantee of the scheduler, tested on a simulated machine: every cursor that waits gets its frame, or an error
//! with the reason, within a bounded time, whatever the viewers, tracks, cache size and limits are. And viewers who just
//! watch, if there are places for them, do not wait for others who seek wildly.
//!
//! The simulation drives the real [`Scheduler`] with invented time. Its workers take time to open a file and to make a
//! frame; some tracks fail at a frame, some hang. Some frames are on disk, in packs that are read quickly, slowly or never, or
//! that cannot be read. Its viewers play, pull as fast as they can, pause, seek and leave.

use std::{
    sync::Arc,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    assignment::BUSY_PATIENCE,
    cache::{Make, TrackId},
    liveness_models::{Pace, Scenario, TICK, TRACK_FRAMES, TrackModel, ViewerModel, scenario, wild_scenario},
    liveness_packs::{DiskThread, PackModel, ReadModel, SimulatedPacks},
    places::Limits,
    reads::READERS,
    scheduler::{CursorEntry, Scheduler, SpawnRequest, Step},
    source::{FrameSource, Packs, SourceError, TrackOpener},
    track::{FailureCause, Reader, TURN_TIME, TrackKey, TrackKind, ViewerId, WorkerId},
};
use crate::video::{disk::PACK_FRAMES, gst::pipeline::Heartbeat};

/// How often a waiting cursor has the scheduler check what changes by time alone, as in the store.
const CHECK_TICKS: u32 = 25;

const HANG_PATIENCE: Duration = Duration::from_secs(15);

/// No cursor waits longer: a worker may hang all its patience long, after that a claim waits for its place, and then the
/// frames before the wanted one are made.
const MAX_WAIT: Duration = HANG_PATIENCE.saturating_add(BUSY_PATIENCE).saturating_add(Duration::from_secs(5));

const FRAMES_AHEAD: usize = 16;

/// Placeholder: the simulation opens the tracks itself.
struct SimulatedOpener(u64, Arc<SimulatedPacks>);

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

    fn packs(&self) -> Option<Arc<dyn Packs>> {
        Some(self.1.clone())
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
    packs: Vec<Arc<SimulatedPacks>>,
    reading: Vec<DiskThread>,
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
            packs: scenario.tracks.iter().map(|track| SimulatedPacks::new(&track.packs)).collect(),
            reading: Vec::new(),
            limits: scenario.limits,
            may_refuse: scenario.may_refuse(),
        };
        simulation.scheduler.read_from_disk();
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
        let (pixels, packs) = (self.tracks[track].pixels, self.packs[track].clone());
        let key = TrackKey { file: track as u64, kind: TrackKind::Pictures };
        self.scheduler.add_cursor(key, || Arc::new(SimulatedOpener(pixels, packs)), reader, self.now)
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
        self.step_readers();
        prop_assert!(self.reading.len() <= READERS, "{} reads", self.reading.len());
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
        for request in self.scheduler.take_read_requests() {
            let model = self.packs_of(request.track).model(&request.pack.frames);
            self.reading.push(DiskThread { request, model, ticks_left: model.read_ticks });
        }
    }

    fn packs_of(&self, track: TrackId) -> &SimulatedPacks {
        let viewer = self.viewers.iter().find(|viewer| viewer.entry.track == track).unwrap();
        &self.packs[viewer.model.track % self.tracks.len()]
    }

    /// Advances each thread that reads by one tick.
    fn step_readers(&mut self) {
        for reading in &mut self.reading {
            reading.ticks_left = reading.ticks_left.map(|ticks| ticks - 1);
        }
        let (ended, reading) = self.reading.drain(..).partition(|reading| reading.ticks_left == Some(0));
        self.reading = reading;
        for DiskThread { request, model, .. } in ended {
            let (track, frames) = (request.track, request.pack.frames);
            match model.end {
                ReadModel::Good => {
                    let bytes: Bytes = vec![0; 60].into();
                    self.scheduler.put_read(track, frames.clone().map(|frame| (frame, bytes.clone())).collect());
                }
                ReadModel::Missing => {
                    self.packs_of(track).remove(&frames);
                }
                ReadModel::Failed => {}
            }
            self.reassign();
            self.scheduler.end_read(track, frames.start, model.end == ReadModel::Failed, self.now);
            self.reassign();
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
            self.scheduler.put(track, worker, vec![0; frame_bytes].into(), Make::Decoded, self.now);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_on_a_fast_disk_needs_no_decoder(scenario in scenario(), read_ticks in 1u32..4) {
        let mut scenario = scenario;
        for track in &mut scenario.tracks {
            let pack = PackModel { read_ticks: Some(read_ticks), end: ReadModel::Good };
            track.packs = vec![Some(pack); TRACK_FRAMES.div_ceil(PACK_FRAMES)];
        }
        let mut simulation = Simulation::new(&scenario);
        simulation.may_refuse = false;
        for _ in 0..3000 {
            simulation.step()?;
            prop_assert!(simulation.threads.is_empty(), "a decoder was started");
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
