//! The decoding thread, and the handle by which the window feeds it and takes pictures from it.
//!
//! One lock guards the playout buffer. It is held for a few moves of pointers only, never while decoding, so the network
//! thread that puts pictures in and the window that takes them out do not wait for each other.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use common::media::{PictureHead, StreamId};

use crate::event::PictureSink;

use super::{
    picture::{Picture, PictureDecoder},
    playout::{Arrival, Hold, LOOKAHEAD_PICTURES, Playout, Summary},
};

/// Buffers kept for reuse: those being looked ahead, one on the screen, one on its way back.
const POOL_BUFFERS: usize = LOOKAHEAD_PICTURES + 2;

/// What the window shows of a stream besides its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Which stream.
    pub stream: StreamId,
    /// Time in the stream.
    pub position: Duration,
    /// The picture on the screen.
    pub shown: Option<PictureHead>,
    /// Why it stands still.
    pub hold: Option<Hold>,
    /// Whether everything was shown and has stood its time.
    pub is_finished: bool,
}

/// Owns the decoding thread.
pub struct Decoder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Where the network thread puts pictures.
struct Sink(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    /// Something arrived, room was made, or it is time to go.
    changed: Condvar,
    /// Has the window drawn again.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Inner {
    playout: Playout<Vec<u8>, Picture>,
    pool: Vec<Vec<u32>>,
    place: (u32, u32),
    is_closing: bool,
}

/// What the thread works on.
struct Job {
    head: PictureHead,
    jpeg: Vec<u8>,
    place: (u32, u32),
    buffer: Vec<u32>,
}

impl Decoder {
    /// Starts the thread. `wake` has the window drawn again; it is called when a picture is ready sooner or later than
    /// the window could know.
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                playout: Playout::default(),
                pool: Vec::new(),
                place: (u32::MAX, u32::MAX),
                is_closing: false,
            }),
            changed: Condvar::new(),
            wake: Box::new(wake),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new().name("triptych-decode".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where the network thread puts pictures.
    pub fn sink(&self) -> Arc<dyn PictureSink> {
        Arc::new(Sink(Arc::clone(&self.shared)))
    }

    /// Begins a stream; the figures of the one before come back.
    pub fn begin(&self, stream: StreamId, now: Instant) -> Option<Summary> {
        self.shared.lock().playout.begin(stream, now)
    }

    /// Ends the stream at once and gives its figures.
    pub fn stop(&self) -> Option<Summary> {
        let mut inner = self.shared.lock();
        // A pause is a good moment to give the memory of large pictures back.
        inner.pool.clear();
        inner.playout.stop()
    }

    /// No more pictures follow those that have arrived.
    pub fn source_ended(&self, stream: StreamId, now: Instant) {
        self.shared.lock().playout.source_ended(stream, now);
    }

    /// How many pixels of the screen the picture's place has; larger pictures are made smaller while decoding.
    pub fn set_place(&self, width: u32, height: u32) {
        self.shared.lock().place = (width, height);
    }

    /// The picture to show now, when there is a new one.
    pub fn due(&self, now: Instant) -> Option<(PictureHead, Picture)> {
        let due = self.shared.lock().playout.due(now);
        if due.is_some() {
            self.shared.changed.notify_one();
        }
        due
    }

    /// When to call [`Self::due`] again.
    pub fn next_due(&self) -> Option<Instant> {
        self.shared.lock().playout.next_due()
    }

    /// Credit to be granted to the server now.
    pub fn take_credit(&self) -> Option<(StreamId, u32)> {
        self.shared.lock().playout.take_credit()
    }

    /// How the stream stands; none when nothing plays.
    pub fn status(&self, now: Instant) -> Option<Status> {
        let inner = self.shared.lock();
        let playout = &inner.playout;
        Some(Status {
            stream: playout.stream()?,
            position: playout.position(now),
            shown: playout.last_shown(),
            hold: playout.hold(now),
            is_finished: playout.is_finished(now),
        })
    }

    /// Decoded pictures that wait for their time.
    pub fn decoded_count(&self) -> usize {
        self.shared.lock().playout.decoded_count()
    }

    /// Takes back the buffer of a picture that is no longer shown.
    pub fn recycle(&self, pixels: Vec<u32>) {
        let mut inner = self.shared.lock();
        if inner.pool.len() < POOL_BUFFERS && inner.playout.stream().is_some() {
            inner.pool.push(pixels);
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the decoding thread panicked");
        }
    }
}

impl PictureSink for Sink {
    fn picture(&self, head: PictureHead, jpeg: Vec<u8>) {
        let mut inner = self.0.lock();
        let was_due_known = inner.playout.next_due().is_some();
        let arrival = inner.playout.arrive(head, jpeg, Instant::now());
        // The picture that ends a stall lets those go on that are decoded already; nobody else says so to the window.
        let is_resumed = !was_due_known && inner.playout.next_due().is_some();
        drop(inner);
        if is_resumed {
            (self.0.wake)();
        }
        match arrival {
            Arrival::Queued => self.0.changed.notify_one(),
            Arrival::Stale => {
                tracing::debug!(stream = head.stream.0, index = head.index, "picture of a stream that is over")
            }
            Arrival::BeyondCredit => {
                tracing::warn!(stream = head.stream.0, index = head.index, "picture without credit dropped");
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves at worst a picture out; the buffer itself is sound.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn run(&self) {
        let mut decoder = PictureDecoder::default();
        while let Some(Job { head, jpeg, place, buffer }) = self.next_job() {
            let decoded = decoder.decode(&jpeg, place, buffer);
            drop(jpeg);
            if let Err(error) = &decoded {
                tracing::warn!(stream = head.stream.0, index = head.index, %error, "picture dropped");
            }
            let mut inner = self.lock();
            let now = Instant::now();
            let was_due_known = inner.playout.next_due().is_some();
            inner.playout.finish_job(head, decoded.ok(), now);
            let is_news =
                !was_due_known && (inner.playout.next_due().is_some() || inner.playout.last_shown().is_none());
            let is_finished = inner.playout.is_finished(now);
            drop(inner);
            if is_news || is_finished {
                (self.wake)();
            }
        }
    }

    /// Waits for a picture to decode; none when it is time to go.
    fn next_job(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if inner.is_closing {
                return None;
            }
            if let Some((head, jpeg)) = inner.playout.next_job(Instant::now()) {
                let buffer = inner.pool.pop().unwrap_or_default();
                return Some(Job { head, jpeg, place: inner.place, buffer });
            }
            inner = self.changed.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}
