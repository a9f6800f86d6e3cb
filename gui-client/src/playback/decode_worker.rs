//! The thread that decodes pictures, thumbnails and previews, and the state that it shares with [`super::player`].

use std::{
    collections::{HashSet, VecDeque},
    panic::{self, AssertUnwindSafe},
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use common::{
    limits::{MAX_PREVIEWS, PREVIEW_HEIGHT, PREVIEW_WIDTH, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH},
    media::{PictureHead, StreamId},
};

use super::{
    audio_output::AudioOutput,
    ladder::Ladder,
    picture::{Picture, PictureDecoder, PictureError},
    playout::{LOOKAHEAD_PICTURES, Playout},
};
use crate::event::SmallPicture;

/// Pixel buffers kept for reuse: those decoded ahead, one on the screen, and one on its way back.
pub(super) const POOL_BUFFERS: usize = LOOKAHEAD_PICTURES + 2;

/// Small pictures that may wait to be decoded: all previews of a video, and more thumbnails than the state keeps on their way.
pub(super) const MAX_QUEUED_SMALL: usize = MAX_PREVIEWS + 32;

/// What turns a JPEG into pixels: [`PictureDecoder`], or a stand-in in tests.
pub(super) trait Decode {
    /// As [`PictureDecoder::decode`].
    fn decode(
        &mut self,
        jpeg: &[u8],
        largest: (u32, u32),
        display_size: (u32, u32),
        buffer: Vec<u32>,
    ) -> Result<Picture, PictureError>;
}

impl Decode for PictureDecoder {
    fn decode(
        &mut self,
        jpeg: &[u8],
        largest: (u32, u32),
        display_size: (u32, u32),
        buffer: Vec<u32>,
    ) -> Result<Picture, PictureError> {
        PictureDecoder::decode(self, jpeg, largest, display_size, buffer)
    }
}

pub(super) struct Shared {
    pub(super) audio: AudioOutput,
    pub(super) inner: Mutex<Inner>,
    /// Signals the thread: a job arrived, there is room for another picture, or the player is being dropped.
    pub(super) changed: Condvar,
    /// Makes the window draw a frame.
    pub(super) wake: Box<dyn Fn() + Send + Sync>,
}

pub(super) struct Inner {
    pub(super) playout: Playout<Vec<u8>, Picture>,
    pub(super) ladder: Ladder,
    pub(super) pool: Vec<Vec<u32>>,
    pub(super) display_size: (u32, u32),
    /// Width and height of the largest picture that the stream was announced with.
    pub(super) largest: (u32, u32),
    /// What of a stream was logged already: each kind once, because a server can repeat it without end.
    pub(super) logged: HashSet<(StreamId, &'static str)>,
    /// Small pictures to decode when no picture of the stream waits.
    pub(super) small: VecDeque<(SmallPicture, Vec<u8>)>,
    pub(super) decoded_small: Vec<(SmallPicture, Option<Picture>)>,
    pub(super) is_closing: bool,
}

/// What the thread works on.
enum DecodeJob {
    Picture { head: PictureHead, jpeg: Vec<u8>, largest: (u32, u32), display_size: (u32, u32), buffer: Vec<u32> },
    Small { key: SmallPicture, jpeg: Vec<u8> },
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Poisoning is ignored: after a panic under the lock, at worst one picture is missing; the buffer itself stays valid.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Decodes until the player is dropped.
    pub(super) fn run<D: Decode>(&self, new_decoder: impl Fn() -> D) {
        let mut decoder = new_decoder();
        let mut decode = |jpeg: &[u8], largest, display_size, buffer| {
            // The JPEG comes from another computer. Should the decoder panic on it, this picture is lost and not the thread,
            // without which no video would play until the program is restarted. The decoder itself may be half changed and
            // is replaced.
            panic::catch_unwind(AssertUnwindSafe(|| decoder.decode(jpeg, largest, display_size, buffer)))
                .unwrap_or_else(|_| {
                    decoder = new_decoder();
                    Err(PictureError::DecoderPanicked)
                })
        };
        while let Some(job) = self.next_job() {
            match job {
                DecodeJob::Picture { head, jpeg, largest, display_size, buffer } => {
                    let begun = Instant::now();
                    let decoded = decode(&jpeg, largest, display_size, buffer);
                    let took = begun.elapsed();
                    drop(jpeg);
                    if let Err(error) = &decoded
                        && self.lock().logged.insert((head.stream, "unreadable"))
                    {
                        let (stream, index) = (head.stream.0, head.index);
                        tracing::warn!(stream, index, %error, "dropped a picture that cannot be decoded; further ones are not logged");
                    }
                    self.finish(head, decoded.ok(), took);
                }
                DecodeJob::Small { key, jpeg } => {
                    let largest = match key {
                        SmallPicture::Thumbnail(_) => (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT),
                        SmallPicture::Preview(_) => (PREVIEW_WIDTH, PREVIEW_HEIGHT),
                    };
                    let decoded = decode(&jpeg, largest, (u32::MAX, u32::MAX), Vec::new());
                    if let Err(error) = &decoded {
                        tracing::debug!(?key, %error, "a small picture cannot be decoded");
                    }
                    self.lock().decoded_small.push((key, decoded.ok()));
                    (self.wake)();
                }
            }
        }
    }

    fn finish(&self, head: PictureHead, picture: Option<Picture>, took: Duration) {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.playout.count_decoding(took);
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

    /// Waits for something to decode; `None` when the player is being dropped.
    fn next_job(&self) -> Option<DecodeJob> {
        let mut inner = self.lock();
        loop {
            if inner.is_closing {
                return None;
            }
            if let Some((head, jpeg)) = inner.playout.next_job(Instant::now()) {
                let buffer = inner.pool.pop().unwrap_or_default();
                let (largest, display_size) = (inner.largest, inner.display_size);
                return Some(DecodeJob::Picture { head, jpeg, largest, display_size, buffer });
            }
            if let Some((key, jpeg)) = inner.small.pop_front() {
                return Some(DecodeJob::Small { key, jpeg });
            }
            inner = self.changed.wait(inner).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}
