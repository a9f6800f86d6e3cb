//! The handle through which the window controls playback and takes pictures, and through which the network thread delivers
//! them. The thread that decodes is in [`super::decode_worker`].
//!
//! One lock guards the playout buffer. It is held only while pointers move, never while decoding, so the network thread that
//! adds pictures and the window that takes them do not wait for each other. The lock of the audio buffer is taken while this
//! one is held, never the other way round.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use common::{
    limits::MAX_PICTURE_SIDE,
    media::{Epoch, PictureHead, SoundFormat, SoundHead, StreamId},
    opus_sound::OpusSound,
};

use super::{
    audio_buffer::{AudioChunk, loudness},
    audio_output::AudioOutput,
    decode_worker::{Decode, Inner, MAX_QUEUED_SMALL, POOL_BUFFERS, Shared},
    ladder::Ladder,
    opus_decoder::{DecodedSound, OpusDecoder},
    picture::{Picture, PictureDecoder},
    playout::{Arrival, Device, Playout, Summary},
};
use crate::{
    event::{Cue, PictureSink, PlaybackStatus, SmallPicture, Speed, StreamPart},
    figures::Figures,
};

/// Plays one stream at a time, and decodes thumbnails and previews. Owns the decode thread.
pub struct Player {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The network thread's end of a [`Player`].
struct Sink {
    shared: Arc<Shared>,
    /// Sound is decoded when it arrives: a tenth of a second takes less than a millisecond.
    opus: Mutex<OpusDecoder>,
}

impl Player {
    /// Starts the thread. `wake` makes the window draw a frame; it is called when the player has something new at a time that
    /// [`Self::next_due`] could not name. Fails when the system has no thread left.
    pub fn start(audio: AudioOutput, wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        Self::start_with(audio, wake, PictureDecoder::default)
    }

    /// Starts the thread with decoders from `new_decoder`: one at first, another when one has panicked.
    fn start_with<D: Decode>(
        audio: AudioOutput,
        wake: impl Fn() + Send + Sync + 'static,
        new_decoder: impl Fn() -> D + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            audio,
            inner: Mutex::new(Inner {
                playout: Playout::default(),
                ladder: Ladder::default(),
                pool: Vec::new(),
                display_size: (u32::MAX, u32::MAX),
                largest: (MAX_PICTURE_SIDE, MAX_PICTURE_SIDE),
                logged: HashSet::new(),
                small: VecDeque::new(),
                decoded_small: Vec::new(),
                is_closing: false,
            }),
            changed: Condvar::new(),
            wake: Box::new(wake),
        });
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new().name("triptych-decode".into()).spawn(move || worker.run(new_decoder))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where the network thread delivers pictures and sound.
    pub fn sink(&self) -> Arc<dyn PictureSink> {
        Arc::new(Sink { shared: Arc::clone(&self.shared), opus: Mutex::default() })
    }

    /// Begins a stream; returns the figures of the one before.
    pub fn begin(&self, stream: StreamId, has_sound: bool, now: Instant) -> Option<Summary> {
        self.begin_at(stream, Epoch::default(), has_sound, now)
    }

    fn begin_at(&self, stream: StreamId, epoch: Epoch, has_sound: bool, now: Instant) -> Option<Summary> {
        let mut inner = self.shared.lock();
        inner.logged.clear();
        let summary = inner.playout.begin(stream, epoch, has_sound, now);
        inner.ladder.sought();
        self.shared.reset_audio(&inner, now);
        summary
    }

    /// Begins another epoch of the stream, even of one that has ended here.
    pub fn seek(&self, stream: StreamId, epoch: Epoch, has_sound: bool, now: Instant) {
        let mut inner = self.shared.lock();
        if inner.playout.stream() != Some(stream) {
            drop(inner);
            self.begin_at(stream, epoch, has_sound, now);
            return;
        }
        inner.playout.seek(epoch, now);
        inner.ladder.sought();
        self.shared.reset_audio(&inner, now);
    }

    /// Pauses or resumes.
    pub fn set_paused(&self, is_paused: bool, now: Instant) {
        let mut inner = self.shared.lock();
        self.shared.sync_audio(&mut inner, now);
        if !is_paused && inner.playout.has_sound() {
            // Requested before the clock starts: if the device was closed meanwhile, the clock waits until it is open again.
            self.shared.audio.want(true, now);
            inner.playout.set_device(self.shared.audio.device(now), now);
        }
        inner.playout.set_paused(is_paused, now);
        self.shared.sync_audio(&mut inner, now);
    }

    /// Plays this stream, and those after it, at this speed from now on.
    pub fn set_speed(&self, speed: Speed, now: Instant) {
        let mut inner = self.shared.lock();
        self.shared.sync_audio(&mut inner, now);
        inner.playout.set_speed(speed, now);
        inner.ladder.set_speed(speed);
        self.shared.audio.buffer().set_speed(speed);
    }

    /// Has the stream be where the cue says whenever it starts, and whenever it goes on after a pause or a stall; `None`: it
    /// starts as soon as it can.
    pub fn set_cue(&self, cue: Option<Cue>, now: Instant) {
        let mut inner = self.shared.lock();
        inner.playout.set_cue(cue, now);
        self.shared.audio.buffer().set_cue(cue);
        self.shared.sync_audio(&mut inner, now);
    }

    /// Sets the volume, from 0 to 100 percent.
    pub fn set_volume(&self, percent: u8) {
        self.shared.audio.buffer().set_volume(loudness(percent));
    }

    /// Ends the stream at once and returns its figures.
    pub fn stop(&self) -> Option<Summary> {
        let mut inner = self.shared.lock();
        // Nothing plays now, so the memory of large pictures can be freed.
        inner.pool.clear();
        let summary = inner.playout.stop();
        self.shared.reset_audio(&inner, Instant::now());
        summary
    }

    /// The server sends no more items of this epoch.
    pub fn source_ended(&self, stream: StreamId, epoch: Epoch, now: Instant) {
        self.shared.lock().playout.source_ended(stream, epoch, now);
    }

    /// Queues a thumbnail or a preview, to be decoded when no picture of the stream waits. The result comes with
    /// [`Self::take_small`], in any case: when too many wait, the result is `None`.
    pub fn decode_small(&self, key: SmallPicture, jpeg: Vec<u8>) {
        let mut inner = self.shared.lock();
        if inner.small.len() < MAX_QUEUED_SMALL {
            inner.small.push_back((key, jpeg));
            drop(inner);
            self.shared.changed.notify_one();
        } else {
            inner.decoded_small.push((key, None));
            drop(inner);
            tracing::warn!(?key, "small picture dropped: {MAX_QUEUED_SMALL} wait to be decoded");
            (self.shared.wake)();
        }
    }

    /// Removes those small pictures from the queue of those to be decoded for which `is_unwanted` holds.
    pub fn cancel_small(&self, is_unwanted: impl Fn(SmallPicture) -> bool) {
        self.shared.lock().small.retain(|(queued, _)| !is_unwanted(*queued));
    }

    /// Results of [`Self::decode_small`] since the last call; `None` for those that could not be decoded.
    pub fn take_small(&self) -> Vec<(SmallPicture, Option<Picture>)> {
        std::mem::take(&mut self.shared.lock().decoded_small)
    }

    /// Sets the width and height of the largest picture that the next stream may have. A larger one is not decoded.
    pub fn set_largest_picture(&self, width: u32, height: u32) {
        self.shared.lock().largest = (width, height);
    }

    /// Sets the size of the picture on the screen, in pixels. Larger pictures are reduced while decoding.
    pub fn set_display_size(&self, width: u32, height: u32) {
        self.shared.lock().display_size = (width, height);
    }

    /// The picture to show now, if there is a new one.
    pub fn due(&self, now: Instant) -> Option<(PictureHead, Picture)> {
        let mut inner = self.shared.lock();
        self.shared.sync_audio(&mut inner, now);
        let due = inner.playout.due(now);
        self.shared.sync_audio(&mut inner, now);
        drop(inner);
        if due.is_some() {
            self.shared.changed.notify_one();
        }
        due
    }

    /// When to call [`Self::due`] again; `None` when `wake` announces it.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.shared.lock().playout.next_due(now)
    }

    /// Credit to be granted to the server now, in pictures and sound chunks.
    pub fn take_credit(&self) -> Option<(StreamId, Epoch, u32)> {
        let inner = &mut *self.shared.lock();
        inner.playout.set_lot_items(inner.ladder.lot_items());
        let credit = inner.playout.take_credit()?;
        inner.ladder.granted(credit.2, Instant::now());
        Some(credit)
    }

    /// State of the stream; `None` when nothing plays.
    pub fn status(&self, now: Instant) -> Option<PlaybackStatus> {
        let inner = &mut *self.shared.lock();
        inner.climb(now);
        let playout = &inner.playout;
        Some(PlaybackStatus {
            stream: playout.stream()?,
            epoch: playout.epoch()?,
            position_nanos: playout.position(now).map(nanos),
            clock: playout.clock_reading(now),
            shown: playout.last_shown(),
            buffered_until_nanos: playout.buffered_until().map(nanos),
            epoch_bytes: playout.epoch_bytes(),
            hold: playout.hold(now),
            is_finished: playout.is_finished(now),
            lacks_device: playout.wants_device() && self.shared.audio.is_missing(),
            continue_at: playout.continue_at(),
            wanted_delivery: inner.ladder.wanted(),
            link_bytes_per_second: inner.ladder.link_bytes_per_second().map(|rate| rate as u64),
        })
    }

    /// Figures of the stream; `None` when nothing plays. They are more work than [`Self::status`], and not meant for each
    /// frame.
    pub fn figures(&self, now: Instant) -> Option<Figures> {
        self.shared.lock().playout.figures(now)
    }

    /// Number of pictures that are decoded and not yet shown.
    pub fn decoded_count(&self) -> usize {
        self.shared.lock().playout.decoded_count()
    }

    /// Returns the pixel buffer of a picture that is no longer shown, to be used again.
    pub fn recycle(&self, pixels: Vec<u32>) {
        let mut inner = self.shared.lock();
        if inner.pool.len() < POOL_BUFFERS && inner.playout.stream().is_some() {
            inner.pool.push(pixels);
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the decode thread panicked");
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl PictureSink for Sink {
    fn part(&self, part: StreamPart) {
        if self.shared.measure(part) {
            (self.shared.wake)();
        }
    }

    fn picture(&self, head: PictureHead, jpeg: Vec<u8>) {
        let bytes = jpeg.len();
        let (arrival, is_resumed) = self.shared.take_in(bytes, |playout, now| playout.arrive(head, jpeg, now));
        if arrival == Arrival::Queued {
            self.shared.lock().ladder.picture(&head, bytes);
        }
        if is_resumed {
            (self.shared.wake)();
        }
        match arrival {
            Arrival::Queued | Arrival::Overlapping { .. } => self.shared.changed.notify_one(),
            Arrival::Repeated => {}
            Arrival::Stale => {
                tracing::debug!(
                    stream = head.stream.0,
                    index = head.index,
                    "dropped a picture of an epoch that is over"
                );
            }
            Arrival::BeyondCredit => self.shared.log_beyond_credit(head.stream, "picture"),
        }
    }

    fn sound(&self, head: SoundHead, bytes: Vec<u8>) {
        let mut chunk = match head.format {
            SoundFormat::Pcm => AudioChunk::new(head.pts_nanos, &bytes),
            SoundFormat::Opus => self.decode(head, &bytes),
        };
        let (arrival, is_resumed) = self.shared.take_in(bytes.len(), |playout, now| {
            let arrival = playout.arrive_sound(head, chunk.duration(), now);
            if let Arrival::Overlapping { until } = arrival {
                chunk.skip_before(until);
            }
            if matches!(arrival, Arrival::Queued | Arrival::Overlapping { .. }) {
                self.shared.audio.push(chunk);
            }
            arrival
        });
        if is_resumed {
            (self.shared.wake)();
        }
        match arrival {
            Arrival::Queued | Arrival::Overlapping { .. } | Arrival::Repeated => {}
            Arrival::Stale => tracing::debug!(stream = head.stream.0, "dropped sound of an epoch that is over"),
            Arrival::BeyondCredit => self.shared.log_beyond_credit(head.stream, "sound"),
        }
    }
}

impl Sink {
    /// Decodes sound in Opus. What belongs to another stream is not worth it.
    fn decode(&self, head: SoundHead, bytes: &[u8]) -> AudioChunk {
        let is_expected = self.shared.lock().playout.stream() == Some(head.stream);
        let Some(sound) = OpusSound::parse(bytes).filter(|_| is_expected) else {
            return AudioChunk::from_frames(head.pts_nanos, Vec::new());
        };
        // Poisoning is ignored: the decoder begins anew after a panic.
        let mut opus = self.opus.lock().unwrap_or_else(PoisonError::into_inner);
        let DecodedSound { frames, broken_packets } = opus.decode(head.stream, head.epoch, &sound);
        drop(opus);
        if broken_packets > 0 {
            let mut inner = self.shared.lock();
            inner.playout.count_broken_sound(broken_packets);
            if inner.logged.insert((head.stream, "unreadable sound")) {
                let stream = head.stream.0;
                tracing::warn!(stream, "sound that cannot be decoded is silence; further packets of it are not logged");
            }
        }
        AudioChunk::from_frames(head.pts_nanos, frames)
    }
}

impl Shared {
    fn log_beyond_credit(&self, stream: StreamId, kind: &'static str) {
        if self.lock().logged.insert((stream, kind)) {
            let stream = stream.0;
            tracing::warn!(stream, kind, "dropped an item that was sent without credit; further ones are not logged");
        }
    }

    /// Adds an item of this size. Also returns whether it ends a stall: then pictures that are decoded already become due,
    /// which the window does not know.
    fn take_in(
        &self,
        bytes: usize,
        item: impl FnOnce(&mut Playout<Vec<u8>, Picture>, Instant) -> Arrival,
    ) -> (Arrival, bool) {
        let mut inner = self.lock();
        let now = Instant::now();
        let was_due_known = inner.playout.next_due(now).is_some();
        let arrival = item(&mut inner.playout, now);
        if matches!(arrival, Arrival::Queued | Arrival::Overlapping { .. }) {
            inner.playout.count_bytes(bytes as u64);
        }
        self.sync_audio(&mut inner, now);
        (arrival, !was_due_known && inner.playout.next_due(now).is_some())
    }

    /// Exchanges state between playout and audio: device, audio position and under-runs one way, what is to be heard the other.
    fn sync_audio(&self, inner: &mut Inner, now: Instant) {
        let playout = &mut inner.playout;
        self.audio.want(playout.wants_device(), now);
        let device = self.audio.device(now);
        playout.set_device(device, now);
        playout.count_under_runs(self.audio.take_under_runs());
        let mut buffer = self.audio.buffer();
        playout.hear(buffer.heard(), now);
        match playout.sound_from() {
            Some(from) => buffer.open(from),
            None => buffer.close(),
        }
        if device != Device::Ready
            && let Some(position) = playout.position(now)
        {
            buffer.discard_before(position);
        }
    }

    /// Discards the buffered audio, which belongs to an earlier epoch or stream.
    fn reset_audio(&self, inner: &Inner, now: Instant) {
        self.audio.clear();
        self.audio.want(inner.playout.wants_device(), now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use common::media::{Origin, VideoId};

    use super::*;
    use crate::{event::Hold, playback::picture::PictureError};

    const STREAM: StreamId = StreamId(1);

    /// Panics on some bytes, like a JPEG decoder with a fault; makes a picture of one pixel of all others.
    struct Fragile;

    impl Decode for Fragile {
        fn decode(&mut self, jpeg: &[u8], _: (u32, u32), _: (u32, u32), _: Vec<u32>) -> Result<Picture, PictureError> {
            assert_ne!(jpeg, b"evil", "this panic is part of the test");
            Ok(Picture { width: 1, height: 1, pixels: vec![0] })
        }
    }

    fn head(index: u32) -> PictureHead {
        let duration_nanos = 20_000_000;
        let pts_nanos = u64::from(index) * duration_nanos;
        PictureHead {
            stream: STREAM,
            epoch: Epoch(0),
            index,
            height: 240,
            pts_nanos,
            duration_nanos,
            jpeg_bytes: 1,
            origin: Origin::Memory,
        }
    }

    #[test]
    fn a_picture_on_which_the_decoder_panics_is_lost_and_nothing_else() {
        // One slot: a wake that waits there covers those that come meanwhile.
        let (wakes, woken) = mpsc::sync_channel(1);
        let wake = move || _ = wakes.try_send(());
        let player = Player::start_with(AudioOutput::none(), wake, || Fragile).expect("a thread can be started");
        let wait_for = |what: &str, poll: &mut dyn FnMut() -> bool| {
            while !poll() {
                woken.recv_timeout(Duration::from_secs(20)).expect(what);
            }
        };
        let sink = player.sink();
        player.begin(STREAM, false, Instant::now());
        player.take_credit();
        for index in 0..4 {
            sink.picture(head(index), b"evil".to_vec());
        }
        let hold = || player.status(Instant::now()).and_then(|status| status.hold);
        wait_for("the window is told", &mut || hold() == Some(Hold::Unreadable));
        sink.picture(head(4), b"good".to_vec());
        wait_for("a picture after them", &mut || player.due(Instant::now()).is_some_and(|(head, _)| head.index == 4));
        assert_eq!(hold(), None);
        let key = SmallPicture::Thumbnail((VideoId(1), 1));
        player.decode_small(key, b"evil".to_vec());
        player.decode_small(key, b"good".to_vec());
        let mut thumbnails = Vec::new();
        wait_for("both thumbnails", &mut || {
            thumbnails.extend(player.take_small().into_iter().map(|(_, picture)| picture.is_some()));
            thumbnails.len() == 2
        });
        assert_eq!(thumbnails, [false, true]);
        assert_eq!(player.stop().map(|summary| summary.tally.broken), Some(4));
    }
}
