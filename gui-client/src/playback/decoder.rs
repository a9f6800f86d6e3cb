//! The decoding thread, and the handle by which the window steers playback and takes pictures from it.
//!
//! One lock guards the playout buffer. It is held for a few moves of pointers only, never while decoding, so the network
//! thread that puts pictures in and the window that takes them out do not wait for each other. The lock of the sound queue
//! is taken within it, never the other way round.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use common::media::{Epoch, PictureHead, SoundHead, StreamId, VideoId};

use crate::event::PictureSink;

use super::{
    picture::{Picture, PictureDecoder},
    playout::{Arrival, Device, Hold, LOOKAHEAD_PICTURES, Playout, Summary},
    sound::Sound,
    sound_queue::{duration_of, loudness},
};

/// Buffers kept for reuse: those being looked ahead, one on the screen, one on its way back.
const POOL_BUFFERS: usize = LOOKAHEAD_PICTURES + 2;

/// Small pictures that wait to be decoded; the state asks for fewer at a time.
const MOST_THUMBNAILS: usize = 32;

/// What the window files a small picture under: a video, and the fingerprint of its files.
pub type ThumbnailKey = (VideoId, u64);

/// What the window shows of a stream besides its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Which stream.
    pub stream: StreamId,
    /// Which stretch of it.
    pub epoch: Epoch,
    /// Time in the stream; none before the first picture of the stretch.
    pub position: Option<Duration>,
    /// The picture on the screen, of whatever stretch.
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
    sound: Sound,
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
    /// Small pictures to decode when nothing else is.
    thumbnails: VecDeque<(ThumbnailKey, Vec<u8>)>,
    decoded_thumbnails: Vec<(ThumbnailKey, Option<Picture>)>,
    is_closing: bool,
}

/// What the thread works on.
enum Job {
    Picture { head: PictureHead, jpeg: Vec<u8>, place: (u32, u32), buffer: Vec<u32> },
    Thumbnail { key: ThumbnailKey, jpeg: Vec<u8> },
}

impl Decoder {
    /// Starts the thread. `wake` has the window drawn again; it is called when a picture is ready sooner or later than
    /// the window could know.
    pub fn start(sound: Sound, wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            sound,
            inner: Mutex::new(Inner {
                playout: Playout::default(),
                pool: Vec::new(),
                place: (u32::MAX, u32::MAX),
                thumbnails: VecDeque::new(),
                decoded_thumbnails: Vec::new(),
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
    pub fn begin(&self, stream: StreamId, has_sound: bool, now: Instant) -> Option<Summary> {
        self.begin_at(stream, Epoch::default(), has_sound, now)
    }

    fn begin_at(&self, stream: StreamId, epoch: Epoch, has_sound: bool, now: Instant) -> Option<Summary> {
        let mut inner = self.shared.lock();
        let summary = inner.playout.begin(stream, epoch, has_sound, now);
        self.shared.silence(&inner, now);
        summary
    }

    /// Begins another stretch of the stream, also of one that has ended here.
    pub fn seek(&self, stream: StreamId, epoch: Epoch, has_sound: bool, now: Instant) {
        let mut inner = self.shared.lock();
        if inner.playout.stream() != Some(stream) {
            drop(inner);
            self.begin_at(stream, epoch, has_sound, now);
            return;
        }
        inner.playout.seek(epoch, now);
        self.shared.silence(&inner, now);
    }

    /// Stands still, or goes on.
    pub fn set_paused(&self, is_paused: bool, now: Instant) {
        let mut inner = self.shared.lock();
        self.shared.listen(&mut inner, now);
        if !is_paused && inner.playout.has_sound() {
            // Asked for before the clock goes on: a device that was closed meanwhile is waited for.
            self.shared.sound.want(true, now);
            inner.playout.set_device(self.shared.sound.device(now), now);
        }
        inner.playout.set_paused(is_paused, now);
        self.shared.listen(&mut inner, now);
    }

    /// How loud from now on, from 0 to 100.
    pub fn set_volume(&self, percent: u8) {
        self.shared.sound.queue().set_volume(loudness(percent));
    }

    /// Ends the stream at once and gives its figures.
    pub fn stop(&self) -> Option<Summary> {
        let mut inner = self.shared.lock();
        // A pause is a good moment to give the memory of large pictures back.
        inner.pool.clear();
        let summary = inner.playout.stop();
        self.shared.silence(&inner, Instant::now());
        summary
    }

    /// Nothing more of this stretch follows what has arrived.
    pub fn source_ended(&self, stream: StreamId, epoch: Epoch, now: Instant) {
        self.shared.lock().playout.source_ended(stream, epoch, now);
    }

    /// Takes in a small picture, to be decoded when nothing else is.
    pub fn thumbnail(&self, key: ThumbnailKey, jpeg: Vec<u8>) {
        let mut inner = self.shared.lock();
        if inner.thumbnails.len() < MOST_THUMBNAILS {
            inner.thumbnails.push_back((key, jpeg));
            drop(inner);
            self.shared.changed.notify_one();
        }
    }

    /// Small pictures that were decoded since the last call; none for those that could not be.
    pub fn take_thumbnails(&self) -> Vec<(ThumbnailKey, Option<Picture>)> {
        std::mem::take(&mut self.shared.lock().decoded_thumbnails)
    }

    /// How many pixels of the screen the picture's place has; larger pictures are made smaller while decoding.
    pub fn set_place(&self, width: u32, height: u32) {
        self.shared.lock().place = (width, height);
    }

    /// The picture to show now, when there is a new one.
    pub fn due(&self, now: Instant) -> Option<(PictureHead, Picture)> {
        let mut inner = self.shared.lock();
        self.shared.listen(&mut inner, now);
        let due = inner.playout.due(now);
        self.shared.listen(&mut inner, now);
        drop(inner);
        if due.is_some() {
            self.shared.changed.notify_one();
        }
        due
    }

    /// When to call [`Self::due`] again.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.shared.lock().playout.next_due(now)
    }

    /// Credit to be granted to the server now.
    pub fn take_credit(&self) -> Option<(StreamId, Epoch, u32)> {
        self.shared.lock().playout.take_credit()
    }

    /// How the stream stands; none when nothing plays.
    pub fn status(&self, now: Instant) -> Option<Status> {
        let inner = self.shared.lock();
        let playout = &inner.playout;
        Some(Status {
            stream: playout.stream()?,
            epoch: playout.epoch()?,
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
        let (arrival, is_resumed) = self.0.take_in(|playout, now| playout.arrive(head, jpeg, now));
        if is_resumed {
            (self.0.wake)();
        }
        match arrival {
            Arrival::Queued => self.0.changed.notify_one(),
            Arrival::Stale => {
                tracing::debug!(stream = head.stream.0, index = head.index, "picture of a stretch that is over");
            }
            Arrival::BeyondCredit => {
                tracing::warn!(stream = head.stream.0, index = head.index, "picture without credit dropped");
            }
        }
    }

    fn sound(&self, head: SoundHead, pcm: Vec<u8>) {
        let (arrival, is_resumed) = self.0.take_in(|playout, now| {
            let arrival = playout.arrive_sound(head, duration_of(pcm.len()), now);
            if arrival == Arrival::Queued {
                self.0.sound.queue().push(head.pts_nanos, &pcm);
            }
            arrival
        });
        if is_resumed {
            (self.0.wake)();
        }
        match arrival {
            Arrival::Queued => {}
            Arrival::Stale => tracing::debug!(stream = head.stream.0, "sound of a stretch that is over"),
            Arrival::BeyondCredit => tracing::warn!(stream = head.stream.0, "sound without credit dropped"),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves at worst a picture out; the buffer itself is sound.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Lets an item in. Also says whether it ends a stall: then those go on that are decoded already, and nobody else tells
    /// the window so.
    fn take_in(&self, item: impl FnOnce(&mut Playout<Vec<u8>, Picture>, Instant) -> Arrival) -> (Arrival, bool) {
        let mut inner = self.lock();
        let now = Instant::now();
        let was_due_known = inner.playout.next_due(now).is_some();
        let arrival = item(&mut inner.playout, now);
        self.listen(&mut inner, now);
        (arrival, !was_due_known && inner.playout.next_due(now).is_some())
    }

    /// Tells the playout how the sound stands, and the sound how the playout does.
    fn listen(&self, inner: &mut Inner, now: Instant) {
        let playout = &mut inner.playout;
        self.sound.want(playout.wants_device(), now);
        let device = self.sound.device(now);
        playout.set_device(device, now);
        playout.count_under_runs(self.sound.take_under_runs());
        let mut queue = self.sound.queue();
        playout.hear(queue.heard(), now);
        match playout.sound_from() {
            Some(from) => queue.open(from),
            None => queue.close(),
        }
        if device != Device::Ready
            && let Some(position) = playout.position(now)
        {
            queue.discard_before(position);
        }
    }

    /// What waits to be heard belongs to the past.
    fn silence(&self, inner: &Inner, now: Instant) {
        self.sound.queue().clear();
        self.sound.want(inner.playout.wants_device(), now);
    }

    fn run(&self) {
        let mut decoder = PictureDecoder::default();
        while let Some(job) = self.next_job() {
            match job {
                Job::Picture { head, jpeg, place, buffer } => {
                    let decoded = decoder.decode(&jpeg, place, buffer);
                    drop(jpeg);
                    if let Err(error) = &decoded {
                        tracing::warn!(stream = head.stream.0, index = head.index, %error, "picture dropped");
                    }
                    self.finish(head, decoded.ok());
                }
                Job::Thumbnail { key, jpeg } => {
                    let decoded = decoder.decode(&jpeg, (u32::MAX, u32::MAX), Vec::new());
                    if let Err(error) = &decoded {
                        tracing::debug!(video = key.0.0, %error, "no thumbnail");
                    }
                    self.lock().decoded_thumbnails.push((key, decoded.ok()));
                    (self.wake)();
                }
            }
        }
    }

    fn finish(&self, head: PictureHead, picture: Option<Picture>) {
        let mut inner = self.lock();
        let now = Instant::now();
        let was_due_known = inner.playout.next_due(now).is_some();
        inner.playout.finish_job(head, picture, now);
        let is_first = inner.playout.position(now).is_none();
        let is_news = !was_due_known && (inner.playout.next_due(now).is_some() || is_first);
        let is_finished = inner.playout.is_finished(now);
        drop(inner);
        if is_news || is_finished {
            (self.wake)();
        }
    }

    /// Waits for something to decode; none when it is time to go.
    fn next_job(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if inner.is_closing {
                return None;
            }
            if let Some((head, jpeg)) = inner.playout.next_job(Instant::now()) {
                let buffer = inner.pool.pop().unwrap_or_default();
                return Some(Job::Picture { head, jpeg, place: inner.place, buffer });
            }
            if let Some((key, jpeg)) = inner.thumbnails.pop_front() {
                return Some(Job::Thumbnail { key, jpeg });
            }
            inner = self.changed.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}
