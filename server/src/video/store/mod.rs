//! The frame store: encoded frames of all videos in one bounded cache, made once however many viewers want them.
//!
//! ```text
//! reel ─► Cursor ─► desk ─► producer thread ─► Source (GStreamer) ─┐
//!           ▲         (who makes what)                             │
//!           └────────── cache ◄────────────────────────────────────┘
//! ```
//!
//! A frame here is any item that is made in order and kept under a number: a JPEG, or a tenth of a second of sound.

mod cache;
mod picture_source;
pub(crate) mod prewarm;
mod scheduler;
pub(crate) mod sound_source;
mod track;
mod worker;

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use common::media::Statistics;
use tokio::{sync::Notify, time::timeout};

use self::{
    cache::TrackId,
    scheduler::{Desk, Start},
    track::Number,
};
pub(crate) use self::{
    picture_source::PictureOpener,
    scheduler::{Part, TrackKey},
    track::Failure,
};
use super::gst::pipeline::{DecodeError, Heartbeat, PATIENCE};

/// A source reports a hung pipeline itself after [`PATIENCE`]; this is for one that hangs with it.
const LAST_PATIENCE: Duration = PATIENCE.saturating_add(Duration::from_secs(5));

/// How often one who waits looks whether somebody hangs.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Makes the frames of a track, one after the other.
pub(crate) trait Source: Send {
    /// The frame after the last one, or the one with which the source was opened.
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, DecodeError>;
}

/// Opens a track anywhere.
pub(crate) trait Opener: Send + Sync {
    /// A source whose first frame is `frame`. `heartbeat` beats whenever something comes out of the file.
    fn open(
        &self,
        frame: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn Source>, DecodeError>;
    /// What the track is called in the log, and how its producers' threads are.
    fn name(&self) -> String;
    /// Size of a raw picture, which tells what a decoder takes; 0 for sound.
    fn pixels(&self) -> u64;
}

/// Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    desk: Mutex<Desk>,
    patience: Duration,
    hits: AtomicU64,
    misses: AtomicU64,
    decoded: AtomicU64,
    viewers: AtomicU32,
}

/// One reader of one track. Dropping it says that nothing is wanted any more.
pub(crate) struct Cursor {
    shared: Arc<Shared>,
    track: TrackId,
    number: Number,
    changed: Arc<Notify>,
    /// Whether what it gets counts as a hit or a miss.
    is_counted: bool,
}

impl Store {
    /// A store that holds so many bytes at most, and a little more only while what viewers wait for is larger than that.
    pub fn new(cache_bytes: u64) -> Self {
        Self::with_patience(cache_bytes, LAST_PATIENCE)
    }

    fn with_patience(cache_bytes: u64, patience: Duration) -> Self {
        let shared = Shared {
            desk: Mutex::new(Desk::new(cache_bytes)),
            patience,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            decoded: AtomicU64::new(0),
            viewers: AtomicU32::new(0),
        };
        Self(Arc::new(shared))
    }

    /// What it did and holds.
    pub fn statistics(&self) -> Statistics {
        let desk = self.0.desk();
        Statistics {
            viewers: self.0.viewers.load(Relaxed),
            decoders: u32::try_from(desk.producer_count()).unwrap_or(u32::MAX),
            hits: self.0.hits.load(Relaxed),
            misses: self.0.misses.load(Relaxed),
            decoded: self.0.decoded.load(Relaxed),
            held_bytes: desk.cache.held_bytes(),
            cache_bytes: desk.cache.limit_bytes(),
        }
    }

    /// Notes that a viewer came, or went.
    pub(crate) fn count_viewer(&self, is_coming: bool) {
        if is_coming {
            self.0.viewers.fetch_add(1, Relaxed)
        } else {
            self.0.viewers.fetch_sub(1, Relaxed)
        };
    }

    /// A new reader of a track, which is opened with `opener` if it was not before.
    pub(crate) fn cursor(&self, key: TrackKey, opener: impl FnOnce() -> Arc<dyn Opener>) -> Cursor {
        let entry = self.0.desk().enter(key, opener);
        Cursor {
            shared: self.0.clone(),
            track: entry.track,
            number: entry.cursor,
            changed: entry.changed,
            is_counted: true,
        }
    }

    /// Keeps no other openings for ever than these.
    pub(crate) fn keep_warm_only(&self, is_warm: impl Fn(&TrackKey) -> bool) {
        self.0.desk().keep_warm_only(is_warm);
    }

    /// Forgets what was made of videos that are gone.
    pub(crate) fn forget(&self, is_gone: impl Fn(&TrackKey) -> bool) {
        self.0.desk().forget(is_gone);
    }
}

impl Cursor {
    /// One that is nobody's who watches.
    pub(crate) fn uncounted(mut self) -> Self {
        self.is_counted = false;
        self
    }

    /// Says which frames are wanted: the first one now, the others soon. They are made, and kept as long as they are wanted.
    pub(crate) fn want(&self, frames: Range<usize>) {
        let starts = self.shared.desk().want(self.track, self.number, frames);
        self.shared.start(starts);
    }

    /// Whether a frame is held.
    pub(crate) fn has(&self, frame: usize) -> bool {
        self.shared.desk().cache.has(self.track, frame)
    }

    /// Waits for a frame, which must be wanted. May be cancelled.
    pub(crate) async fn get(&self, frame: usize) -> Result<Bytes, Failure> {
        let mut is_first_look = true;
        loop {
            // Created before looking, so that nothing that happens between looking and waiting is missed.
            let changed = self.changed.notified();
            {
                let mut desk = self.shared.desk();
                let held = desk.cache.take(self.track, frame);
                if std::mem::take(&mut is_first_look) && self.is_counted {
                    let counter = if held.is_some() { &self.shared.hits } else { &self.shared.misses };
                    counter.fetch_add(1, Relaxed);
                }
                if let Some(bytes) = held {
                    return Ok(bytes);
                }
                if let Some(failure) = desk.failure(self.track, frame) {
                    return Err(failure);
                }
            }
            if timeout(LOOK_AROUND.min(self.shared.patience), changed).await.is_err() {
                let starts = self.shared.desk().look_around(self.shared.patience);
                self.shared.start(starts);
            }
        }
    }

    /// Has the first frames of the track kept for ever.
    pub(crate) fn keep_warm(&self, frames: usize) {
        self.shared.desk().keep_warm(self.track, frames);
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let starts = self.shared.desk().leave(self.track, self.number);
        self.shared.start(starts);
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic under the lock could at worst leave a frame out of the books.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, mut starts: Vec<Start>) {
        while let Some(start) = starts.pop() {
            let (track, number) = (start.track, start.producer);
            if let Err(error) = worker::spawn(self.clone(), start) {
                let cause = format!("there is no thread to decode with: {error}");
                starts.extend(self.desk().fail(track, number, Some(cause)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
