//! The thread that decodes pictures, and what it shares with the player.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard},
    time::Instant,
};

use common::media::PictureHead;

use super::{
    audio_output::AudioOutput,
    picture::{Picture, PictureDecoder},
    playout::{LOOKAHEAD_PICTURES, Playout},
};
use crate::event::ThumbnailKey;

/// Buffers kept for reuse: those being looked ahead, one on the screen, one on its way back.
pub(super) const POOL_BUFFERS: usize = LOOKAHEAD_PICTURES + 2;

/// Small pictures that wait to be decoded; the state asks for fewer at a time.
pub(super) const MOST_THUMBNAILS: usize = 32;

pub(super) struct Shared {
    pub(super) audio: AudioOutput,
    pub(super) inner: Mutex<Inner>,
    /// Something arrived, room was made, or it is time to go.
    pub(super) changed: Condvar,
    /// Has the window drawn again.
    pub(super) wake: Box<dyn Fn() + Send + Sync>,
}

pub(super) struct Inner {
    pub(super) playout: Playout<Vec<u8>, Picture>,
    pub(super) pool: Vec<Vec<u32>>,
    pub(super) display_size: (u32, u32),
    /// Small pictures to decode when nothing else is.
    pub(super) thumbnails: VecDeque<(ThumbnailKey, Vec<u8>)>,
    pub(super) decoded_thumbnails: Vec<(ThumbnailKey, Option<Picture>)>,
    pub(super) is_closing: bool,
}

/// What the thread works on.
enum DecodeJob {
    Picture { head: PictureHead, jpeg: Vec<u8>, display_size: (u32, u32), buffer: Vec<u32> },
    Thumbnail { key: ThumbnailKey, jpeg: Vec<u8> },
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves at worst a picture out; the buffer itself is sound.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn run(&self) {
        let mut decoder = PictureDecoder::default();
        while let Some(job) = self.next_job() {
            match job {
                DecodeJob::Picture { head, jpeg, display_size, buffer } => {
                    let decoded = decoder.decode(&jpeg, display_size, buffer);
                    drop(jpeg);
                    if let Err(error) = &decoded {
                        tracing::warn!(stream = head.stream.0, index = head.index, %error, "picture dropped");
                    }
                    self.finish(head, decoded.ok());
                }
                DecodeJob::Thumbnail { key, jpeg } => {
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
    fn next_job(&self) -> Option<DecodeJob> {
        let mut inner = self.lock();
        loop {
            if inner.is_closing {
                return None;
            }
            if let Some((head, jpeg)) = inner.playout.next_job(Instant::now()) {
                let buffer = inner.pool.pop().unwrap_or_default();
                return Some(DecodeJob::Picture { head, jpeg, display_size: inner.display_size, buffer });
            }
            if let Some((key, jpeg)) = inner.thumbnails.pop_front() {
                return Some(DecodeJob::Thumbnail { key, jpeg });
            }
            inner = self.changed.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}
