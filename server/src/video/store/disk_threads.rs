//! The threads of the disk tier: a few that read packs, and one of low priority that writes them.
//!
//! What is to be written waits by its numbers only, and the frames are taken from the cache when the writing thread is free.
//! So a slow disk takes no memory, and a frame that was evicted meanwhile is just not written.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use bytes::Bytes;

use super::{
    cache::TrackId,
    reads::{READERS, ReadRequest, WriteRequest},
};
use crate::video::disk::ReadError;

/// Packs that wait for the writing thread with their frames, the one that is being written included.
const MAX_WRITES: usize = 2;

/// By how much the priority of the writing thread is lower (`nice`). Not the lowest: the thread holds short locks, and one
/// that is not run at all beside busy decoders would make viewers wait for them.
const WRITER_NICENESS: i32 = 10;

/// Whom the threads work for.
pub(super) trait DiskUser: Send + Sync {
    /// Frames were read.
    fn put_read(self: Arc<Self>, track: TrackId, frames: Vec<(usize, Bytes)>);

    /// A read is over. `is_failed`: the system could not read.
    fn end_read(self: Arc<Self>, track: TrackId, first_frame: usize, is_failed: bool);

    /// The writing thread takes another pack.
    fn write_next(&self);
}

/// What the reading threads do.
enum Job {
    Read(ReadRequest),
    /// See whether there is more to write. Not done by the writing thread, which should not hold the scheduler's lock.
    HandOver,
}

/// Where the threads get their work. They end when it is dropped.
pub(super) struct DiskThreads {
    jobs: SyncSender<Job>,
    writes: SyncSender<WriteRequest>,
    waiting_writes: Arc<AtomicUsize>,
    /// Held while packs are handed over, so that no more of them are than the thread takes.
    hand_over: Mutex<()>,
}

impl DiskThreads {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system provides none.
    pub(super) fn start(user: &Weak<dyn DiskUser>) -> io::Result<Self> {
        // At most one read for each thread, and one hand-over for each write of those that they have not come to.
        let (jobs, received) = sync_channel(4 * READERS);
        let received = Arc::new(Mutex::new(received));
        for _ in 0..READERS {
            let (user, received) = (user.clone(), received.clone());
            thread::Builder::new().name("disk-read".into()).spawn(move || read(&user, &received))?;
        }
        let (writes, to_write) = sync_channel::<WriteRequest>(MAX_WRITES);
        let waiting_writes = Arc::<AtomicUsize>::default();
        let (waiting, done) = (waiting_writes.clone(), jobs.clone());
        thread::Builder::new().name("disk-cache".into()).spawn(move || write(&to_write, &waiting, &done))?;
        Ok(Self { jobs, writes, waiting_writes, hand_over: Mutex::default() })
    }

    /// Has a pack read. Returns whether the threads can take it.
    pub(super) fn read(&self, request: ReadRequest) -> bool {
        self.jobs.try_send(Job::Read(request)).is_ok()
    }

    /// Hands over as many packs as the writing thread takes.
    pub(super) fn write(&self, mut next: impl FnMut() -> Option<WriteRequest>) {
        let _one_at_a_time = self.hand_over.lock().unwrap_or_else(PoisonError::into_inner);
        while self.waiting_writes.load(SeqCst) < MAX_WRITES {
            let Some(request) = next() else { break };
            self.waiting_writes.fetch_add(1, SeqCst);
            if self.writes.try_send(request).is_err() {
                // The thread is gone: it panicked, and nothing is written any more.
                break;
            }
        }
    }
}

fn read(user: &Weak<dyn DiskUser>, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let (Ok(job), Some(user)) = (job, user.upgrade()) else { break };
        match job {
            Job::HandOver => user.write_next(),
            Job::Read(ReadRequest { track, packs, pack, wanted }) => {
                let mut end = ReadEnd { user: &user, track, first: pack.frames.start, is_failed: true };
                let read = packs.read(&pack, wanted, &mut |frames| user.clone().put_read(track, frames));
                if read == Err(ReadError::Failed) {
                    packs.report_delay();
                } else {
                    end.is_failed = false;
                }
            }
        }
    }
}

/// Tells the scheduler that a read is over, also by a panic.
struct ReadEnd<'a> {
    user: &'a Arc<dyn DiskUser>,
    track: TrackId,
    first: usize,
    is_failed: bool,
}

impl Drop for ReadEnd<'_> {
    fn drop(&mut self) {
        self.user.clone().end_read(self.track, self.first, self.is_failed);
    }
}

fn write(requests: &Receiver<WriteRequest>, waiting: &AtomicUsize, done: &SyncSender<Job>) {
    // On Linux this is the priority of the thread alone.
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(WRITER_NICENESS)
    {
        tracing::debug!("the thread that writes frames to disk keeps its priority: {error}");
    }
    while let Ok(WriteRequest { packs, first, frames }) = requests.recv() {
        packs.write(first, &frames, Instant::now());
        drop(frames);
        waiting.fetch_sub(1, SeqCst);
        #[expect(clippy::let_underscore_must_use, reason = "where the threads are busy, one of them does so anyway")]
        let _ = done.try_send(Job::HandOver);
    }
}
