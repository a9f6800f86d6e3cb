//! The playout buffer: decides which picture is due. It is pure: it starts no thread and reads no clock, and every call
//! passes the time.
//!
//! A seek or a change of quality begins a new epoch of the stream; items that carry an older one are stale. The clock of an
//! epoch starts when its first picture is shown. A change of the delivery begins an epoch too, but one that continues the one
//! before: what has arrived stays, and the clock runs on. With an audio device, the audio position being heard is the clock; without
//! one, the system clock is. When the server delivers too little, the clock stops (a stall) and nothing is dropped. When this
//! computer is too slow, the clock runs on and overdue pictures are dropped, before they are decoded if possible.
//!
//! ```text
//! Unstarted ──first picture──> Stopped ──enough is buffered──> Running (no sound or no device) ──┐
//!     ^                           ^                        └──> AudioDriven (the device is ready) ──┤
//!     └──────── seek ─────────────┴─────────────────── pause, stall ───────────────────────────────┘
//! ```

mod clock;
mod cue;
mod measure;
mod stream;
mod supply;
mod tally;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, PictureHead, SoundHead, StreamId};

use crate::event::{Cue, Speed};

pub use self::{
    clock::Heard,
    supply::Supply,
    tally::{Offset, Summary},
};

use self::{
    clock::Clock,
    cue::Start,
    stream::{Stream, end_of, pts},
};

/// Credit window: pictures and sound chunks that are in flight or buffered here, at most. About 0.8 s at 30 frames/s with
/// sound, and about 15 MB at 1440p.
pub const WINDOW_ITEMS: u32 = 36;

/// Credit window while paused: enough for the picture of a seek and the sound around it.
pub const PAUSED_WINDOW_ITEMS: u32 = 4;

/// Pictures decoded ahead of their time, at most. Few, because one of 2560x1440 takes 14.7 MB.
pub const LOOKAHEAD_PICTURES: usize = 4;

/// Credit is granted in lots of at least this size, which saves a message for each item.
pub const GRANT_LOT_ITEMS: u32 = 4;

/// A picture that is later than this is dropped if a later one is due as well. After a shorter hiccup of the window, the
/// pictures are shown in quick succession instead.
const LATENESS_LIMIT: Duration = Duration::from_millis(150);

/// The same while audio is heard: audio does not wait, and lip-sync errors beyond this are noticeable.
const LATENESS_LIMIT_WITH_SOUND: Duration = Duration::from_millis(60);

/// A picture may be shown this much before its time, because timers round.
const EARLINESS_LIMIT: Duration = Duration::from_millis(2);

/// With sound, the clock starts once this much of the stream is buffered: more than the device takes at once.
const START_SPAN: Duration = Duration::from_millis(100);

/// After a stall the clock starts again once this many pictures are buffered …
const RESUME_PICTURES: usize = 8;

/// … or this much of the stream.
const RESUME_SPAN: Duration = Duration::from_millis(300);

/// After this many pictures in a row that cannot be decoded, the window says so.
const UNREADABLE_PICTURES: u32 = 4;

/// Polling interval while the device has samples but has not reported an audio position.
const AUDIO_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Tolerance in comparing times of samples: times are rounded to nanoseconds, and samples are 20.8 µs apart.
const SOUND_TOLERANCE: Duration = Duration::from_micros(50);

/// What [`Playout`] did with an item that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is buffered.
    Queued,
    /// It is buffered, but its sound before this stream time has arrived before and is to be left out.
    Overlapping {
        /// The end of the sound that has arrived.
        until: Duration,
    },
    /// It was dropped: it had arrived in the epoch that this one continues.
    Repeated,
    /// It was dropped: its stream or epoch is over.
    Stale,
    /// It was dropped: the server sent more than was granted.
    BeyondCredit,
}

/// State of the audio device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// There is none that works.
    #[default]
    Absent,
    /// It is being opened; playback waits for it.
    Opening,
    /// It takes samples.
    Ready,
}

/// The playout buffer of one stream. `E` is an encoded picture, `P` a decoded one.
#[derive(Debug)]
pub struct Playout<E, P> {
    stream: Option<Stream>,
    device: Device,
    speed: Speed,
    /// Where the stream is to be when its clock starts.
    cue: Option<Cue>,
    encoded: VecDeque<(PictureHead, E)>,
    decoding: Option<PictureHead>,
    decoded: VecDeque<(PictureHead, P)>,
    /// Credit is granted in lots of this size.
    lot_items: u32,
}

impl<E, P> Default for Playout<E, P> {
    fn default() -> Self {
        Self {
            stream: None,
            device: Device::Absent,
            speed: Speed::NORMAL,
            cue: None,
            encoded: VecDeque::new(),
            decoding: None,
            decoded: VecDeque::new(),
            lot_items: GRANT_LOT_ITEMS,
        }
    }
}

impl<E, P> Playout<E, P> {
    /// Begins a stream, or resumes one that has ended. Drops what is left of the one before and returns its figures.
    ///
    /// With `has_sound`, the device is opened before the first chunk arrives.
    pub fn begin(&mut self, id: StreamId, epoch: Epoch, has_sound: bool, now: Instant) -> Option<Summary> {
        let summary = self.stop();
        self.stream = Some(Stream::new(id, epoch, has_sound, self.speed, now));
        summary
    }

    /// Begins another epoch of the stream. The picture on the screen stays until the new epoch has one.
    pub fn seek(&mut self, epoch: Epoch, now: Instant) {
        let waiting = self.waiting_pictures();
        let Some(stream) = &mut self.stream else { return };
        self.encoded.clear();
        self.decoded.clear();
        stream.tally.unshown_at_seek += waiting as u64;
        stream.seek(epoch, now);
    }

    /// Ends the stream at once and returns its figures.
    pub fn stop(&mut self) -> Option<Summary> {
        let waiting = self.waiting_pictures();
        self.encoded.clear();
        self.decoded.clear();
        let mut stream = self.stream.take()?;
        stream.tally.unshown_at_stop = waiting as u64;
        Some(stream.timing.summary(stream.id, stream.tally))
    }

    /// Pauses or resumes.
    pub fn set_paused(&mut self, is_paused: bool, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        if is_paused && stream.clock.is_running() {
            stream.stop_clock(now);
        }
        if is_paused {
            stream.timing.interrupt();
        }
        stream.is_paused = is_paused;
        self.start_if_ready(now);
    }

    /// Plays this stream, and those after it, at this speed from now on.
    pub fn set_speed(&mut self, speed: Speed, now: Instant) {
        self.speed = speed;
        if let Some(stream) = &mut self.stream {
            stream.set_speed(speed, now);
        }
    }

    /// Takes the state of the audio device.
    pub fn set_device(&mut self, device: Device, now: Instant) {
        if self.device == device {
            return;
        }
        self.device = device;
        let Some(stream) = &mut self.stream else { return };
        if device != Device::Ready && matches!(stream.clock, Clock::AudioDriven { .. }) {
            // It was unplugged: continue without it.
            let at = stream.position(now).unwrap_or_default();
            stream.run_clock(at, now);
        } else if device == Device::Ready && matches!(stream.clock, Clock::Running { .. }) {
            stream.stop_clock(now);
        }
        self.start_if_ready(now);
    }

    /// Takes the audio position that the device reports.
    pub fn hear(&mut self, heard: Option<Heard>, now: Instant) {
        let (Some(stream), Some(heard)) = (&mut self.stream, heard) else { return };
        let position = stream.position(now);
        let Clock::AudioDriven { from, heard: known } = &mut stream.clock else { return };
        // The reported latency varies a little; the clock must not run backwards because of it.
        *from = (*from).max(position.unwrap_or_default());
        *known = Some(heard);
        while stream.sound_ends.front().is_some_and(|&end| end <= heard.until + SOUND_TOLERANCE) {
            stream.sound_ends.pop_front();
            stream.tally.sounds_played += 1;
        }
    }

    /// Counts under-runs of the device although samples were supplied in time.
    pub fn count_under_runs(&mut self, count: u64) {
        if let Some(stream) = &mut self.stream {
            stream.tally.under_runs += count;
        }
    }

    /// The stream time from which audio is to be heard; `None` while it is to be silent.
    pub fn sound_from(&self) -> Option<Duration> {
        match self.stream.as_ref()?.clock {
            Clock::AudioDriven { from, .. } => Some(from),
            _ => None,
        }
    }

    /// Whether the stream has sound.
    pub fn has_sound(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.has_sound)
    }

    /// Whether an audio device is needed now.
    pub fn wants_device(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.has_sound && !stream.is_paused)
    }

    /// The current stream.
    pub fn stream(&self) -> Option<StreamId> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// Its current epoch.
    pub fn epoch(&self) -> Option<Epoch> {
        self.stream.as_ref().map(|stream| stream.epoch)
    }

    /// Takes a picture from the server.
    pub fn arrive(&mut self, head: PictureHead, encoded: E, now: Instant) -> Arrival {
        let is_drained = self.encoded.is_empty() && self.decoded.is_empty();
        let Some(stream) = &mut self.stream else { return Arrival::Stale };
        let mut arrival = stream.admit(head.stream, head.epoch);
        if arrival == Arrival::Queued {
            arrival = stream.take_picture(&head);
        }
        if arrival != Arrival::Queued {
            return arrival;
        }
        if is_drained
            && matches!(stream.clock, Clock::Running { .. })
            && stream.position(now).is_some_and(|position| position > pts(&head))
        {
            // Late although there was credit and the buffer was empty: the server is to blame, so the clock waits.
            stream.stall(pts(&head));
        }
        stream.tally.receive(&head);
        self.encoded.push_back((head, encoded));
        self.start_if_ready(now);
        Arrival::Queued
    }

    /// Counts a chunk of sound from the server that lasts for `duration`. The samples themselves go to the audio buffer.
    pub fn arrive_sound(&mut self, head: SoundHead, duration: Duration, now: Instant) -> Arrival {
        let Some(stream) = &mut self.stream else { return Arrival::Stale };
        let mut arrival = stream.admit(head.stream, head.epoch);
        if arrival == Arrival::Queued {
            let start = Duration::from_nanos(head.pts_nanos);
            arrival = stream.take_sound(head.epoch, start, start.saturating_add(duration));
        }
        if matches!(arrival, Arrival::Queued | Arrival::Overlapping { .. }) {
            stream.has_sound = true;
            if self.device == Device::Ready && matches!(stream.clock, Clock::Running { .. }) {
                // The clock had been started without sound.
                stream.stop_clock(now);
            }
            self.start_if_ready(now);
        }
        arrival
    }

    /// The server sends no more items of this epoch.
    pub fn source_ended(&mut self, id: StreamId, epoch: Epoch, now: Instant) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == id && stream.epoch == epoch) {
            stream.is_source_ended = true;
            self.start_if_ready(now);
        }
    }

    /// The next picture to decode, if there is room for it. Drops overdue ones first.
    pub fn next_job(&mut self, now: Instant) -> Option<(PictureHead, E)> {
        if self.decoding.is_some() || self.decoded.len() >= LOOKAHEAD_PICTURES {
            return None;
        }
        let stream = self.stream.as_mut()?;
        if stream.clock.is_running()
            && let Some(position) = stream.position(now)
            && let Some((front, _)) = self.encoded.front()
            && position > pts(front) + stream.lateness_limit()
        {
            // Decoding is too slow: continue with the first picture that is not due yet, or else the last one.
            while self.encoded.get(1).is_some_and(|(second, _)| pts(second) <= position) {
                self.encoded.pop_front();
                stream.tally.late_at_decoder += 1;
            }
        }
        let job = self.encoded.pop_front()?;
        self.decoding = Some(job.0);
        Some(job)
    }

    /// Takes a picture from the decoder; `None` when it cannot be decoded. One of an
    /// earlier epoch is dropped.
    pub fn finish_job(&mut self, head: PictureHead, picture: Option<P>, now: Instant) {
        self.decoding = None;
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.is_of(&head)) else { return };
        match picture {
            Some(picture) => {
                stream.unreadable_in_a_row = 0;
                self.decoded.push_back((head, picture));
            }
            None => {
                stream.unreadable_in_a_row += 1;
                stream.tally.broken += 1;
            }
        }
        self.start_if_ready(now);
    }

    /// The picture to show now, if there is a new one. Call it at [`Self::next_due`]; earlier calls do no harm.
    pub fn due(&mut self, now: Instant) -> Option<(PictureHead, P)> {
        let is_drained = self.waiting_pictures() == 0;
        if self.stream.as_ref()?.waits_until.is_some_and(|cue| cue <= now) {
            self.start_if_ready(now);
        }
        let stream = self.stream.as_mut()?;
        let Some(position) = stream.position(now) else {
            // The first picture of an epoch is shown as soon as it is decoded, even while paused.
            let (head, picture) = self.decoded.pop_front()?;
            stream.clock = Clock::Stopped { at: pts(&head) };
            stream.show(head, now);
            self.start_if_ready(now);
            return Some((head, picture));
        };
        if matches!(stream.clock, Clock::Running { .. }) {
            while stream.sound_ends.front().is_some_and(|&end| end <= position) {
                stream.sound_ends.pop_front();
                stream.tally.sounds_unheard += 1;
            }
        }
        while self.decoded.len() > 1
            && position > pts(&self.decoded[0].0) + stream.lateness_limit()
            && position >= pts(&self.decoded[1].0)
        {
            self.decoded.pop_front();
            stream.tally.late_at_display += 1;
        }
        if !stream.is_paused && self.decoded.front().is_some_and(|(head, _)| position + EARLINESS_LIMIT >= pts(head)) {
            let (head, picture) = self.decoded.pop_front()?;
            stream.show(head, now);
            return Some((head, picture));
        }
        stream.stall_if_dry(position, is_drained);
        None
    }

    /// When to call [`Self::due`] again; `None` while that depends on a picture that has yet to arrive or to be decoded.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let stream = self.stream.as_ref()?;
        if stream.waits_until.is_some() {
            return stream.waits_until;
        }
        if !stream.clock.is_running() {
            return None;
        }
        if matches!(stream.clock, Clock::AudioDriven { heard: None, .. }) {
            return Some(now + AUDIO_POLL_INTERVAL);
        }
        let due = match self.decoded.front() {
            Some((head, _)) => stream.clock.instant_of(pts(head))?,
            // Nothing follows: at this time the last picture has been shown for its duration, or a stall begins.
            None if self.waiting_pictures() == 0 => {
                stream.clock.instant_of(end_of(stream.last_shown.as_ref()?))? + EARLINESS_LIMIT
            }
            None => return None,
        };
        // Due by the clock, but the samples handed to the device do not reach that far: poll instead of spinning.
        let is_waiting_for_sound = due <= now && matches!(stream.clock, Clock::AudioDriven { .. });
        Some(if is_waiting_for_sound { now + AUDIO_POLL_INTERVAL } else { due })
    }

    /// Credit to be granted to the server now, in items; `None` when it is too little to be worth a message.
    pub fn take_credit(&mut self) -> Option<(StreamId, Epoch, u32)> {
        let held = self.held_items();
        let stream = self.stream.as_mut().filter(|stream| !stream.is_source_ended)?;
        let window = stream.window_items();
        let items = window.saturating_sub(held + stream.outstanding_items);
        if items < self.lot_items.min(window) {
            return None;
        }
        stream.outstanding_items += items;
        Some((stream.id, stream.epoch, items))
    }

    /// Stream time at `now`, at most the end of the picture on the screen. `None` before the first picture of the epoch.
    pub fn position(&self, now: Instant) -> Option<Duration> {
        let stream = self.stream.as_ref()?;
        let shown_end = stream.last_shown.as_ref().map_or(Duration::ZERO, end_of);
        Some(stream.position(now)?.min(shown_end))
    }

    /// Number of pictures that are decoded and not yet shown.
    pub fn decoded_count(&self) -> usize {
        self.decoded.len()
    }

    /// The picture that was shown last, possibly of an earlier epoch.
    pub fn last_shown(&self) -> Option<PictureHead> {
        self.stream.as_ref()?.last_shown
    }

    fn waiting_pictures(&self) -> usize {
        let is_decoding = matches!((&self.stream, &self.decoding), (Some(stream), Some(head)) if stream.is_of(head));
        self.encoded.len() + self.decoded.len() + usize::from(is_decoding)
    }

    fn held_items(&self) -> u32 {
        let sounds = self.stream.as_ref().map_or(0, |stream| stream.sound_ends.len());
        u32::try_from(self.waiting_pictures() + sounds).unwrap_or(u32::MAX)
    }

    fn start_if_ready(&mut self, now: Instant) {
        let (waiting, held) = (self.waiting_pictures(), self.held_items());
        let Some(stream) = &mut self.stream else { return };
        stream.waits_until = None;
        let Clock::Stopped { at } = stream.clock else { return };
        let has_sound_ahead = stream.sound_ends.back().is_some_and(|&end| end > at);
        if stream.is_paused || has_sound_ahead && self.device == Device::Opening {
            return;
        }
        // The picture of a moment comes before its sound.
        let lacks_sound = stream.has_sound && !has_sound_ahead && self.device != Device::Absent;
        let span = stream.arrived_until.saturating_sub(at);
        let is_enough = match (stream.is_stalled, has_sound_ahead) {
            (true, _) => (waiting >= RESUME_PICTURES || span >= RESUME_SPAN) && !self.decoded.is_empty(),
            (false, true) => span >= START_SPAN,
            (false, false) => true,
        };
        // All that may come is here: there is nothing to wait for.
        let is_all = stream.outstanding_items == 0 && held + self.lot_items > WINDOW_ITEMS;
        let is_rest = stream.is_source_ended && (!self.decoded.is_empty() || waiting == 0);
        if is_enough && !lacks_sound || is_all || is_rest {
            let has_device = self.device == Device::Ready && has_sound_ahead;
            let until = (!stream.is_source_ended).then_some(stream.arrived_until);
            let since = match self.cue.map(|cue| cue::start(cue, at, until, has_device, now)) {
                Some(Start::Later(cue)) => {
                    stream.waits_until = Some(cue);
                    return;
                }
                Some(Start::Since(since)) => since,
                None => now,
            };
            stream.is_stalled = false;
            if has_device {
                stream.clock = Clock::AudioDriven { from: at, heard: None };
            } else {
                stream.run_clock(at, since);
            }
        }
    }
}
