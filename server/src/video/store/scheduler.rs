//! Who wants which frames, who makes which, and who should make what next. Everything here happens under the store's
//! lock; no thread is started and nothing is waited for.
//!
//! A *cursor* wants a few frames of a track, the first of them now. A *producer* makes the frames of a track one after
//! the other from some place on. A wanted frame that is not held falls to the producer that will come to it soonest;
//! when none will come to it soon, a new one is started there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ops::Range,
    sync::{
        Arc, Condvar,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use common::media::VideoId;
use tokio::sync::Notify;

use super::{
    Opener,
    cache::{Cache, TrackId},
    track::{FAILURE_TIME, Failure, Number, Producer, REACH_FRAMES, Track},
};
use crate::video::gst::pipeline::{Heartbeat, Watchdog};

/// More decoders than this only take memory and time from each other …
const MAX_PRODUCERS: usize = 16;

/// … and their pictures together have no more pixels than this, because a decoder holds some dozen raw ones. A single
/// one may be larger.
const MAX_PIXELS: u64 = MAX_PRODUCERS as u64 * 2560 * 1440;

/// Idle producers without a viewer that a track keeps when a new one starts on it.
const MAX_IDLE_PER_TRACK: usize = 1;

/// A producer is let go after so much time without work …
const IDLE_TIME: Duration = Duration::from_secs(2);

/// … and after so much when somebody is about to need it: a viewer that pauses, or one that comes to the next segment.
const PARKED_TIME: Duration = Duration::from_secs(15);

/// Which track of which state of which video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TrackKey {
    pub(crate) video: VideoId,
    pub(crate) fingerprint: u64,
    pub(crate) part: Part,
}

/// One of the tracks of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The pictures of the variant with this index.
    Pictures(usize),
    /// The sound.
    Sound,
}

/// What is to be done once the lock is free again.
pub(crate) struct Start {
    pub(crate) track: TrackId,
    pub(crate) producer: Number,
    pub(crate) frame: usize,
    pub(crate) opener: Arc<dyn Opener>,
    pub(crate) is_wanted: Arc<AtomicBool>,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) wake: Arc<Condvar>,
}

/// What an idle producer does next.
pub(crate) enum Order {
    /// Make the frames up to this one.
    Make(usize),
    /// Wait for so long.
    Rest(Duration),
    /// End.
    Leave,
}

pub(crate) struct Desk {
    pub(crate) cache: Cache,
    tracks: HashMap<TrackId, Track>,
    ids: HashMap<TrackKey, TrackId>,
    last_number: Number,
    producer_count: usize,
    /// Of the pictures of all producers together.
    pixels: u64,
    /// Tracks that wait for a producer to become free, in the order in which they began to.
    starving: VecDeque<TrackId>,
}

impl Desk {
    pub(crate) fn new(cache_bytes: u64) -> Self {
        Self {
            cache: Cache::new(cache_bytes),
            tracks: HashMap::new(),
            ids: HashMap::new(),
            last_number: 0,
            producer_count: 0,
            pixels: 0,
            starving: VecDeque::new(),
        }
    }

    pub(crate) fn producer_count(&self) -> usize {
        self.producer_count
    }

    /// A new cursor on a track, which wants nothing yet.
    pub(crate) fn enter(&mut self, key: TrackKey, opener: impl FnOnce() -> Arc<dyn Opener>) -> Entry {
        let number = self.next_number();
        let track = *self.ids.entry(key).or_insert(TrackId(number));
        let fresh = || Track {
            opener: opener(),
            wants: BTreeMap::new(),
            producers: BTreeMap::new(),
            failures: BTreeMap::new(),
            warm: 0,
            changed: Arc::default(),
        };
        let found = self.tracks.entry(track).or_insert_with(fresh);
        // Also one that wants nothing yet keeps the track from being forgotten.
        found.wants.insert(number, 0..0);
        let changed = found.changed.clone();
        Entry { track, cursor: number, changed }
    }

    /// The cursor is gone.
    pub(crate) fn leave(&mut self, track: TrackId, cursor: Number) -> Vec<Start> {
        if let Some(found) = self.tracks.get_mut(&track) {
            found.wants.remove(&cursor);
        }
        self.dispatch(track)
    }

    /// Sets what a cursor wants.
    pub(crate) fn want(&mut self, track: TrackId, cursor: Number, frames: Range<usize>) -> Vec<Start> {
        let Some(found) = self.tracks.get_mut(&track) else { return Vec::new() };
        if found.wants.get(&cursor) == Some(&frames) {
            return Vec::new();
        }
        found.wants.insert(cursor, frames);
        self.dispatch(track)
    }

    /// Why a frame cannot be had, if that was found out lately.
    pub(crate) fn failure(&self, track: TrackId, frame: usize) -> Option<Failure> {
        let failure = self.tracks.get(&track)?.failures.get(&frame)?;
        (failure.at.elapsed() < FAILURE_TIME).then(|| failure.clone())
    }

    /// Takes note that the first `frames` of the track are to be kept for ever, and no others.
    pub(crate) fn keep_warm(&mut self, track: TrackId, frames: usize) {
        if let Some(found) = self.tracks.get_mut(&track) {
            found.warm = frames;
        }
    }

    /// Keeps nothing for ever but what is said here.
    pub(crate) fn keep_warm_only(&mut self, is_warm: impl Fn(&TrackKey) -> bool) {
        for (_, id) in self.ids.iter().filter(|(key, _)| !is_warm(key)) {
            if let Some(track) = self.tracks.get_mut(id) {
                track.warm = 0;
            }
        }
    }

    /// Forgets the tracks of videos that are gone, but for those that somebody still watches.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(&TrackKey) -> bool) {
        let tracks = &mut self.tracks;
        let cache = &self.cache;
        let mut gone = BTreeSet::new();
        self.ids.retain(|key, id| {
            let Some(track) = tracks.get_mut(id) else { return false };
            if is_gone(key) {
                track.warm = 0;
            }
            let is_used = !track.wants.is_empty() || !track.producers.is_empty();
            let is_kept = is_used || (!is_gone(key) && (track.warm > 0 || cache.has_any(*id)));
            if !is_kept {
                tracks.remove(id);
                gone.insert(*id);
            }
            is_kept
        });
        self.cache.forget(|track| gone.contains(&track));
    }

    /// A producer has made the frame at its position.
    pub(crate) fn put(&mut self, track: TrackId, producer: Number, bytes: bytes::Bytes) {
        let Some(found) = self.tracks.get_mut(&track) else { return };
        let changed = found.changed.clone();
        let Some(worker) = found.producers.get_mut(&producer) else { return };
        let frame = worker.position;
        worker.position += 1;
        worker.is_opening = false;
        worker.is_wanted.store(true, Relaxed);
        worker.frame_bytes = bytes.len() as u64;
        found.failures.remove(&frame);
        let tracks = &self.tracks;
        if !self.cache.has(track, frame) {
            self.cache.put(track, frame, bytes, |track, frame| is_needed(tracks, track, frame));
        }
        changed.notify_waiters();
    }

    /// What a producer that has nothing to do is to do.
    pub(crate) fn order(&mut self, track: TrackId, producer: Number) -> (Order, Vec<Start>) {
        let target = self.target(track, producer);
        let Some(found) = self.tracks.get_mut(&track) else { return (Order::Leave, Vec::new()) };
        let Some(worker) = found.producers.get_mut(&producer) else { return (Order::Leave, Vec::new()) };
        if worker.is_retired {
            return (Order::Leave, self.remove(track, producer));
        }
        if let Some(target) = target {
            if worker.idle_since.take().is_some() {
                // Its silence until now was its right.
                worker.watchdog = Watchdog::new(&worker.heartbeat);
            }
            return (Order::Make(target), Vec::new());
        }
        // Somebody may have been waiting for a producer that can be spared: perhaps for this one.
        let starts = match worker.idle_since {
            Some(_) => Vec::new(),
            None => {
                worker.idle_since = Some(Instant::now());
                self.feed_starving()
            }
        };
        let idle = self.tracks.get(&track).and_then(|found| Some((found, found.producers.get(&producer)?)));
        let Some((found, worker)) = idle else { return (Order::Leave, starts) };
        let limit = if found.is_parked(worker) { PARKED_TIME } else { IDLE_TIME };
        let idle_time = worker.idle_since.map_or(Duration::ZERO, |since| since.elapsed());
        if worker.is_retired || idle_time >= limit {
            let more = self.remove(track, producer);
            return (Order::Leave, starts.into_iter().chain(more).collect());
        }
        // Not longer than this at a time, because who parks here may leave meanwhile.
        (Order::Rest((limit - idle_time).min(IDLE_TIME)), starts)
    }

    /// A producer ends because it could not make its next frame.
    pub(crate) fn fail(&mut self, track: TrackId, producer: Number, cause: Option<String>) -> Vec<Start> {
        if let Some(found) = self.tracks.get_mut(&track)
            && let Some(worker) = found.producers.get(&producer)
            && let Some(cause) = cause
        {
            found.failures.retain(|_, failure| failure.at.elapsed() < FAILURE_TIME);
            found.failures.insert(worker.position, Failure { cause, at: Instant::now() });
            found.changed.notify_waiters();
        }
        self.remove(track, producer)
    }

    /// Gives up producers that hang and do not even say so, and looks once more for somebody to make what is wanted.
    pub(crate) fn look_around(&mut self, patience: Duration) -> Vec<Start> {
        let mut hung = Vec::new();
        for (&track, found) in &mut self.tracks {
            for (&number, producer) in &mut found.producers {
                if producer.idle_since.is_none() && producer.watchdog.is_silent_for(&producer.heartbeat, patience) {
                    hung.push((track, number));
                }
            }
        }
        let cause = format!("nothing came out of it for {} s", patience.as_secs());
        let failed: Vec<_> =
            hung.into_iter().flat_map(|(track, number)| self.fail(track, number, Some(cause.clone()))).collect();
        let tracks: Vec<_> = self.tracks.keys().copied().collect();
        failed.into_iter().chain(tracks.into_iter().flat_map(|track| self.dispatch(track))).collect()
    }

    fn next_number(&mut self) -> Number {
        self.last_number += 1;
        self.last_number
    }

    /// Wakes the producers of a track that have work now, calls those off that open a file for nobody, and starts new
    /// ones where none will come soon.
    fn dispatch(&mut self, track: TrackId) -> Vec<Start> {
        let Some(found) = self.tracks.get(&track) else { return Vec::new() };
        let mut numbers: Vec<Number> = Vec::new();
        for (&number, producer) in &found.producers {
            if producer.is_opening {
                let reach = producer.position..=producer.position + REACH_FRAMES;
                let is_wanted = found.wants.values().any(|w| w.start <= *reach.end() && w.end > *reach.start());
                producer.is_wanted.store(is_wanted, Relaxed);
            }
            if producer.idle_since.is_some() {
                numbers.push(number);
            }
        }
        for number in numbers {
            if self.target(track, number).is_some()
                && let Some(producer) = self.tracks.get(&track).and_then(|found| found.producers.get(&number))
            {
                producer.wake.notify_all();
            }
        }
        let mut starts = Vec::new();
        while let Some(frame) = self.uncovered(track) {
            match self.start(track, frame) {
                Some(start) => starts.push(start),
                None => {
                    self.starve(track);
                    break;
                }
            }
        }
        starts
    }

    fn start(&mut self, track: TrackId, frame: usize) -> Option<Start> {
        let pixels = self.tracks.get(&track)?.opener.pixels();
        let is_light = self.pixels == 0 || self.pixels.saturating_add(pixels) <= MAX_PIXELS;
        if self.producer_count >= MAX_PRODUCERS || !is_light {
            self.retire_one();
            return None;
        }
        let producer = self.next_number();
        let found = self.tracks.get_mut(&track)?;
        let is_spare = |producer: &&Producer| producer.idle_since.is_some() && !found.is_parked(producer);
        let mut spare: Vec<_> = found.producers.values().filter(is_spare).collect();
        spare.sort_by_key(|producer| producer.idle_since);
        let kept = spare.len().saturating_sub(MAX_IDLE_PER_TRACK);
        let spare: BTreeSet<_> = spare[..kept].iter().map(|producer| producer.number).collect();
        for producer in found.producers.values_mut().filter(|producer| spare.contains(&producer.number)) {
            producer.retire();
        }
        let (is_wanted, heartbeat) = (Arc::new(AtomicBool::new(true)), Heartbeat::default());
        let wake = Arc::new(Condvar::new());
        found.producers.insert(
            producer,
            Producer {
                number: producer,
                position: frame,
                idle_since: None,
                is_opening: true,
                is_retired: false,
                is_wanted: is_wanted.clone(),
                watchdog: Watchdog::new(&heartbeat),
                heartbeat: heartbeat.clone(),
                wake: wake.clone(),
                frame_bytes: 0,
            },
        );
        self.producer_count += 1;
        self.pixels += pixels;
        Some(Start { track, producer, frame, opener: found.opener.clone(), is_wanted, heartbeat, wake })
    }

    /// Asks the producer to leave that has been idle for longest, rather one that nobody is about to need. One at a time.
    fn retire_one(&mut self) {
        let all = || self.tracks.iter().flat_map(|(&id, track)| track.producers.values().map(move |p| (id, track, p)));
        if all().any(|(_, _, producer)| producer.is_retired) {
            return;
        }
        let idle = all().filter(|(_, _, producer)| producer.idle_since.is_some());
        let longest = idle.min_by_key(|(_, track, producer)| (track.is_parked(producer), producer.idle_since));
        if let Some((track, number)) = longest.map(|(id, _, producer)| (id, producer.number))
            && let Some(producer) = self.tracks.get_mut(&track).and_then(|found| found.producers.get_mut(&number))
        {
            producer.retire();
        }
    }

    fn remove(&mut self, track: TrackId, producer: Number) -> Vec<Start> {
        if let Some(found) = self.tracks.get_mut(&track)
            && found.producers.remove(&producer).is_some()
        {
            self.producer_count -= 1;
            self.pixels -= found.opener.pixels();
        }
        self.starve(track);
        self.feed_starving()
    }

    fn starve(&mut self, track: TrackId) {
        if !self.starving.contains(&track) {
            self.starving.push_back(track);
        }
    }

    fn feed_starving(&mut self) -> Vec<Start> {
        std::mem::take(&mut self.starving).into_iter().flat_map(|track| self.dispatch(track)).collect()
    }

    /// The frame up to which a producer is to work, when there is one that nobody else comes to sooner.
    fn target(&mut self, track: TrackId, producer: Number) -> Option<usize> {
        let found = self.tracks.get(&track)?;
        let worker = found.producers.get(&producer)?;
        let position = worker.position;
        let target = found.missing(&self.cache, track).find(|&frame| frame >= position)?;
        let is_nearer = |other: &Producer| (position + 1..=target).contains(&other.position) && !other.is_retired;
        if target > position + REACH_FRAMES || found.producers.values().any(is_nearer) {
            return None;
        }
        let is_waited_for = found.is_waited_for(&self.cache, track, target..=target + REACH_FRAMES);
        let (tracks, frame_bytes) = (&self.tracks, worker.frame_bytes);
        // What is only wanted soon waits for room; what somebody waits for is made in any case.
        let has_room = self.cache.make_room(frame_bytes, |track, frame| is_needed(tracks, track, frame));
        (is_waited_for || has_room).then_some(target)
    }

    /// The first wanted frame that no producer will come to soon.
    fn uncovered(&self, track: TrackId) -> Option<usize> {
        let found = self.tracks.get(&track)?;
        let covers = |producer: &Producer, frame: usize| {
            !producer.is_retired
                && producer.is_wanted.load(Relaxed)
                && (producer.position..=producer.position + REACH_FRAMES).contains(&frame)
        };
        let is_covered = |frame: usize| found.producers.values().any(|producer| covers(producer, frame));
        // Those that follow a covered frame are left to the same producer, which will come to them.
        let mut last_covered = None;
        let first = found.missing(&self.cache, track).find(|&frame| {
            let is_next = last_covered.is_some_and(|last| frame <= last + REACH_FRAMES);
            if is_next || is_covered(frame) {
                last_covered = Some(frame);
                return false;
            }
            true
        })?;
        // Nobody's decoder is taken away for a frame or two that are not even due.
        let is_urgent = |wanted: &Range<usize>| {
            let missing = || wanted.clone().filter(|&frame| !self.cache.has(track, frame)).count();
            wanted.contains(&first) && (wanted.start == first || 2 * missing() >= wanted.len())
        };
        found.wants.values().any(is_urgent).then_some(first)
    }
}

/// A new cursor's place.
pub(crate) struct Entry {
    pub(crate) track: TrackId,
    pub(crate) cursor: Number,
    /// Notified whenever a frame of the track comes or fails.
    pub(crate) changed: Arc<Notify>,
}

fn is_needed(tracks: &HashMap<TrackId, Track>, track: TrackId, frame: usize) -> bool {
    tracks
        .get(&track)
        .is_some_and(|track| frame < track.warm || track.wants.values().any(|frames| frames.contains(&frame)))
}
