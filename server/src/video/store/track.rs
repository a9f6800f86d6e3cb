//! A track as the desk sees it: who wants which of its frames, and who makes which.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    sync::{Arc, Condvar, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    Opener,
    cache::{Cache, TrackId},
};
use crate::video::gst::pipeline::{Heartbeat, Watchdog};

/// Frames that a producer rather makes on the way than leave to another one, which would have to open the file and
/// search it: about 100 ms of work at 1440p.
pub(crate) const REACH_FRAMES: usize = 12;

/// So long a frame that could not be made is not tried again.
pub(crate) const FAILURE_TIME: Duration = Duration::from_secs(5);

/// Numbers of cursors and producers.
pub(crate) type Number = u64;

/// Why a frame cannot be had.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) cause: String,
    pub(crate) at: Instant,
}

/// A track with its readers and makers.
pub(crate) struct Track {
    pub(crate) opener: Arc<dyn Opener>,
    /// What each cursor wants: the first frame now, the others soon.
    pub(crate) wants: BTreeMap<Number, Range<usize>>,
    pub(crate) producers: BTreeMap<Number, Producer>,
    pub(crate) failures: BTreeMap<usize, Failure>,
    /// So many frames from the first on are never given up.
    pub(crate) warm: usize,
    pub(crate) changed: Arc<Notify>,
}

/// Somebody who makes the frames of a track one after the other.
pub(crate) struct Producer {
    pub(crate) number: Number,
    /// The frame that it makes next.
    pub(crate) position: usize,
    pub(crate) idle_since: Option<Instant>,
    pub(crate) is_opening: bool,
    pub(crate) is_retired: bool,
    pub(crate) is_wanted: Arc<AtomicBool>,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) watchdog: Watchdog,
    pub(crate) wake: Arc<Condvar>,
    /// Size of the last frame, which tells about the next.
    pub(crate) frame_bytes: u64,
}

impl Track {
    /// Whether somebody is about to need what the producer makes next.
    pub(crate) fn is_parked(&self, producer: &Producer) -> bool {
        let is_here = |frames: &Range<usize>| frames.start <= producer.position && producer.position <= frames.end;
        self.wants.values().any(|frames| !frames.is_empty() && is_here(frames))
    }

    /// Whether somebody waits for one of these frames.
    pub(crate) fn is_waited_for(&self, cache: &Cache, track: TrackId, frames: RangeInclusive<usize>) -> bool {
        let is_waiting = |wanted: &Range<usize>| {
            !wanted.is_empty() && frames.contains(&wanted.start) && !cache.has(track, wanted.start)
        };
        self.wants.values().any(is_waiting)
    }

    /// Wanted frames that are not held, ascending; behind one that cannot be made none is worth making.
    pub(crate) fn missing<'a>(&'a self, cache: &'a Cache, track: TrackId) -> impl Iterator<Item = usize> + 'a {
        let cut = |wanted: &Range<usize>| {
            let mut failures = self.failures.range(wanted.clone());
            let failed = failures.find(|(_, failure)| failure.at.elapsed() < FAILURE_TIME).map(|(&frame, _)| frame);
            wanted.start..failed.unwrap_or(wanted.end)
        };
        let mut ranges: Vec<_> = self.wants.values().map(cut).filter(|range| !range.is_empty()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut done = 0;
        let frames = ranges.into_iter().flat_map(move |range| {
            let rest = range.start.max(done)..range.end;
            done = done.max(range.end);
            rest
        });
        frames.filter(move |&frame| !cache.has(track, frame))
    }
}

impl Producer {
    pub(crate) fn retire(&mut self) {
        self.is_retired = true;
        self.wake.notify_all();
    }
}
