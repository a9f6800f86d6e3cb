//! The state of one track: which frames its cursors want, and what its workers do. Plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    cache::{Cache, TrackId},
    source::Packs,
};
pub(crate) use crate::video::disk::TrackKind;

/// How long a frame that could not be made is not tried again.
const FAILURE_TIME: Duration = Duration::from_secs(5);

/// Number of a cursor.
pub(super) type CursorId = u64;

/// Number of a worker.
pub(super) type WorkerId = u64;

/// How long a viewer counts as turning after it opened a video, sought or changed the quality. A crowd that turns all the
/// time is served behind viewers that just play.
pub(super) const TURN_TIME: Duration = Duration::from_secs(2);

/// Whom a cursor reads for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) viewer: ViewerId,
    /// When the viewer turned last: opened a video, sought or changed the quality. `None` if it never did.
    pub(super) turned_at: Option<Instant>,
    /// Whether it had turned less than [`TURN_TIME`] before that.
    pub(super) has_turned_again: bool,
}

/// Number of a viewer: one client, whatever it watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ViewerId(pub(super) u64);

impl Reader {
    /// The server itself, which prewarms.
    pub(super) const SERVER: Self = Self { viewer: ViewerId(0), turned_at: None, has_turned_again: false };

    /// The same viewer when it turns now.
    pub(super) fn turned(self, now: Instant) -> Self {
        Self { turned_at: Some(now), has_turned_again: self.is_turning(now), ..self }
    }

    /// Whether the viewer has just turned.
    pub(super) fn is_turning(&self, now: Instant) -> bool {
        self.turned_at.is_some_and(|turned_at| now.saturating_duration_since(turned_at) < TURN_TIME)
    }

    /// Whether the viewer turns again and again.
    pub(super) fn is_scrubbing(&self, now: Instant) -> bool {
        self.has_turned_again && self.is_turning(now)
    }
}

/// Which track: the pictures or the sound of one file, in one version of that file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TrackKey {
    /// Fingerprint of the file: another one after the file was replaced.
    pub(crate) file: u64,
    pub(crate) kind: TrackKind,
}

/// A track with its cursors and workers.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Pixels of a raw picture, 0 for sound.
    pub(super) pixels: u64,
    pub(super) wants: BTreeMap<CursorId, Want>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    /// Workers that hung and were given up, whose threads still exist.
    pub(super) hung: BTreeSet<WorkerId>,
    /// Frames that could not be made.
    pub(super) failures: BTreeMap<usize, Failure>,
    /// The first frames of the track, up to this one, are never evicted.
    pub(super) warm_frames: usize,
    /// Size of the newest frame, an estimate for the next one.
    pub(super) frame_bytes: u64,
    /// Its frames on disk, if there is a disk tier.
    pub(super) packs: Option<Arc<dyn Packs>>,
}

/// A frame that is wanted and not held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missing {
    pub(super) frame: usize,
    /// Since when a cursor has wanted it now; `None` if all want it soon.
    pub(super) urgent_since: Option<Instant>,
}

/// What a cursor wants: the first frame now, the others soon.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) frames: Range<usize>,
    /// The cursor never wants this frame, nor any behind it.
    pub(super) end: usize,
    /// Since when the cursor has waited for the first frame, or since it was last told that the frame failed.
    pub(super) since: Instant,
    pub(super) reader: Reader,
}

/// A decoder that makes the frames of a track in order.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    /// The frame that it makes next.
    pub(super) position: usize,
    pub(super) phase: Phase,
    /// For whom it was started.
    pub(super) opened_for: ViewerId,
    /// When it was started, or made its first frame.
    pub(super) since: Instant,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Opens the file and makes its first frame.
    Opening,
    /// Makes frames up to its target, without a pause since then.
    Working { target: usize, since: Instant },
    /// Has had no work since then.
    Idle { since: Instant },
    /// Ends as soon as it notices.
    Leaving,
}

/// Why a frame cannot be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) cause: FailureCause,
    pub(super) at: Instant,
}

/// What a failure is due to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FailureCause {
    /// The file, or its decoder; the text says what is wrong.
    #[error("{0}")]
    Source(String),
    /// Every decoder is in use for other viewers.
    #[error("every decoder is in use")]
    Busy,
}

impl Want {
    /// Whether a worker serves this want: it makes frames of it on the way from its position to its target, or rests where
    /// the want goes on.
    pub(super) fn is_served_by(&self, position: usize, target: Option<usize>) -> bool {
        let end = target.unwrap_or(position);
        !self.frames.is_empty() && self.frames.start <= end && position <= self.frames.end
    }
}

impl Track {
    /// What a cursor wants up to the first frame that failed lately: no worker gets past that one.
    pub(super) fn reachable(&self, want: &Want, now: Instant) -> Range<usize> {
        let failed = self.failures.range(want.frames.clone()).find(|(_, failure)| failure.is_fresh(now));
        want.frames.start..failed.map_or(want.frames.end, |(&frame, _)| frame)
    }

    /// Whether one of these frames failed lately.
    pub(super) fn has_failed_in(&self, frames: Range<usize>, now: Instant) -> bool {
        self.failures.range(frames).any(|(_, failure)| failure.is_fresh(now))
    }

    /// Why a frame cannot be made, if that was found out less than [`FAILURE_TIME`] ago.
    pub(super) fn failure(&self, frame: usize, now: Instant) -> Option<&Failure> {
        self.failures.get(&frame).filter(|failure| failure.is_fresh(now))
    }

    /// Whether a viewer is about to need the frame that an idle worker makes next: one that is paused, or close to the
    /// next segment.
    pub(super) fn is_parked(&self, worker: &Worker) -> bool {
        self.wants.values().any(|want| want.is_served_by(worker.position, None))
    }

    /// Whether every cursor ends before a worker's position. Without cursors it is not known where the next one will be.
    pub(super) fn is_finished_at(&self, position: usize) -> bool {
        !self.wants.is_empty() && self.wants.values().all(|want| want.end <= position)
    }

    /// Whether a frame must not be evicted.
    pub(super) fn needs(&self, frame: usize) -> bool {
        frame < self.warm_frames || self.wants.values().any(|want| want.frames.contains(&frame))
    }

    /// Whether a cursor waits for a frame.
    pub(super) fn is_awaited(&self, frame: usize) -> bool {
        self.wants.values().any(|want| want.frames.start == frame && !want.frames.is_empty())
    }

    /// Bytes of the held frames that must not be evicted.
    pub(super) fn needed_bytes(&self, id: TrackId, cache: &Cache) -> u64 {
        let wanted = self.wants.values().map(|want| want.frames.clone());
        let ranges = union(wanted.chain(std::iter::once(0..self.warm_frames)).collect());
        ranges.into_iter().map(|range| cache.held_bytes_in(id, range)).sum()
    }
}

/// Joins ranges that touch or overlap; ascending, without empty ones.
pub(super) fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, joined| {
        let is_joined = next.start <= joined.end;
        if is_joined {
            joined.end = joined.end.max(next.end);
        }
        is_joined
    });
    ranges
}

impl Failure {
    /// Whether it is too early to try the frame again.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < FAILURE_TIME
    }
}
