//! Which picture is due: a pure buffer between the network, the decoder, the screen and the sound device. It knows no
//! thread and no clock; every call brings the time along.
//!
//! A stream is watched in epochs, one for each place that the person goes to. What carries the number of an older
//! epoch is stale. The clock of an epoch starts when its first picture is shown. With a sound device the sound that is
//! being heard is the clock; without one, time itself. When the server leaves us without items the clock stands still
//! ("buffering") and nothing is dropped; when this computer is too slow the clock runs on, and pictures that are overdue
//! are dropped, before they are decoded if possible.
//!
//! ```text
//! Unstarted ──first picture──> Standing ──enough waits here──> Running (no sound or no device) ─┐
//!     ^                           ^                       └──> Sounding (the device is ready) ──┤
//!     └──────── seek ─────────────┴────────────────── pause, stall ─────────────────────────────┘
//! ```

mod clock;
mod stream;
mod tally;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, PictureHead, SoundHead, StreamId};

use crate::event::{Hold, SEEK_PATIENCE};

pub use self::{
    clock::Heard,
    tally::{Offset, Summary, Tally},
};

use self::{
    clock::Clock,
    stream::{Stream, end_of, pts},
};

/// Pictures and sound chunks that the server may have on their way to us or that wait here: about 0.8 s at 30 frames/s
/// with sound, and about 15 MB at 1440p.
pub const WINDOW_ITEMS: u32 = 36;

/// As many while paused: the picture of the place that was gone to, and the sound before it.
pub const PAUSED_WINDOW_ITEMS: u32 = 4;

/// Decoded pictures that wait for their time. Few: one of 2560x1440 takes 14.7 MB.
pub const LOOKAHEAD_PICTURES: usize = 4;

/// Credit is returned in lots of this size, to spare the wire a message for each item.
const GRANT_LOT_ITEMS: u32 = 4;

/// A picture that is later than this is dropped if a later one is due as well. Up to it, a hiccup of the window is made
/// up for by showing pictures in quick succession.
const LATENESS_LIMIT: Duration = Duration::from_millis(150);

/// The same while sound is heard: it does not wait, and lips that come later than this are noticed.
const LATENESS_LIMIT_WITH_SOUND: Duration = Duration::from_millis(60);

/// A picture is shown up to this long before its time, because timers round.
const EARLINESS_LIMIT: Duration = Duration::from_millis(2);

/// With sound, the clock starts once so much of the stream waits: more than the device takes at once.
const START_SPAN: Duration = Duration::from_millis(100);

/// After a stall the clock goes on once so many pictures wait …
const RESUME_PICTURES: usize = 8;

/// … or so much of the stream.
const RESUME_SPAN: Duration = Duration::from_millis(300);

/// So many pictures in a row that cannot be decoded are more than a hiccup: the window says so.
const UNREADABLE_PICTURES: u32 = 4;

/// How often to look whether the device has begun to sound.
const LISTEN_INTERVAL: Duration = Duration::from_millis(5);

/// Times are rounded to nanoseconds, and samples are 20.8 µs apart.
const SOUND_TOLERANCE: Duration = Duration::from_micros(50);

/// What became of an item that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It waits for its time.
    Queued,
    /// It belongs to a stream or an epoch that is over.
    Stale,
    /// The server sent more than was granted.
    BeyondCredit,
}

/// Whether sound can be heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// There is none, or none that works.
    #[default]
    Absent,
    /// It is being opened: worth waiting for.
    Opening,
    /// It takes samples.
    Ready,
}

/// The buffer. `E` is a picture as it came, `P` one to show.
#[derive(Debug)]
pub struct Playout<E, P> {
    stream: Option<Stream>,
    device: Device,
    encoded: VecDeque<(PictureHead, E)>,
    decoding: Option<PictureHead>,
    decoded: VecDeque<(PictureHead, P)>,
}

impl<E, P> Default for Playout<E, P> {
    fn default() -> Self {
        Self {
            stream: None,
            device: Device::Absent,
            encoded: VecDeque::new(),
            decoding: None,
            decoded: VecDeque::new(),
        }
    }
}

impl<E, P> Playout<E, P> {
    /// Begins a stream, or takes one up again that has ended; what is left of the one before falls away, and its
    /// figures come back.
    ///
    /// With `has_sound`, the device is wanted before the first chunk is here.
    pub fn begin(&mut self, id: StreamId, epoch: Epoch, has_sound: bool, now: Instant) -> Option<Summary> {
        let summary = self.stop();
        self.stream = Some(Stream::new(id, epoch, has_sound, now));
        summary
    }

    /// Begins another epoch of the stream. The picture that was shown last stays until there is one of the new epoch.
    pub fn seek(&mut self, epoch: Epoch, now: Instant) {
        let waiting = self.waiting_pictures();
        let Some(stream) = &mut self.stream else { return };
        self.encoded.clear();
        self.decoded.clear();
        stream.tally.unshown_at_seek += waiting as u64;
        stream.seek(epoch, now);
    }

    /// Ends the stream at once and gives its figures.
    pub fn stop(&mut self) -> Option<Summary> {
        let waiting = self.waiting_pictures();
        self.encoded.clear();
        self.decoded.clear();
        let mut stream = self.stream.take()?;
        stream.tally.unshown_at_stop = waiting as u64;
        Some(stream.timing.summary(stream.id, stream.tally))
    }

    /// Stands still, or goes on.
    pub fn set_paused(&mut self, is_paused: bool, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        if is_paused && stream.clock.is_going() {
            stream.stand(now);
        }
        if is_paused {
            stream.timing.break_off();
        }
        stream.is_paused = is_paused;
        self.go_if_filled(now);
    }

    /// Whether sound can be heard from now on.
    pub fn set_device(&mut self, device: Device, now: Instant) {
        if self.device == device {
            return;
        }
        self.device = device;
        let Some(stream) = &mut self.stream else { return };
        if device != Device::Ready && matches!(stream.clock, Clock::Sounding { .. }) {
            // It was unplugged: on without it.
            let at = stream.position(now).unwrap_or_default();
            stream.clock = Clock::Running { since: now, at };
        } else if device == Device::Ready && matches!(stream.clock, Clock::Running { .. }) {
            stream.stand(now);
        }
        self.go_if_filled(now);
    }

    /// What the device says of the sound.
    pub fn hear(&mut self, heard: Option<Heard>, now: Instant) {
        let (Some(stream), Some(heard)) = (&mut self.stream, heard) else { return };
        let position = stream.position(now);
        let Clock::Sounding { from, heard: known } = &mut stream.clock else { return };
        // What the device says of its delay varies a little; the time does not run backwards for it.
        *from = (*from).max(position.unwrap_or_default());
        *known = Some(heard);
        while stream.sound_ends.front().is_some_and(|&end| end <= heard.until + SOUND_TOLERANCE) {
            stream.sound_ends.pop_front();
            stream.tally.sounds_played += 1;
        }
    }

    /// The device ran out of samples although it had been given them in time.
    pub fn count_under_runs(&mut self, count: u64) {
        if let Some(stream) = &mut self.stream {
            stream.tally.under_runs += count;
        }
    }

    /// From which time in the stream on sound is to be heard now; none when it is to be silent.
    pub fn sound_from(&self) -> Option<Duration> {
        match self.stream.as_ref()?.clock {
            Clock::Sounding { from, .. } => Some(from),
            _ => None,
        }
    }

    /// Whether the stream has sound.
    pub fn has_sound(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.has_sound)
    }

    /// Whether a device would be of use now.
    pub fn wants_device(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.has_sound && !stream.is_paused)
    }

    /// The stream that plays.
    pub fn stream(&self) -> Option<StreamId> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// Its epoch.
    pub fn epoch(&self) -> Option<Epoch> {
        self.stream.as_ref().map(|stream| stream.epoch)
    }

    /// Takes in a picture from the server.
    pub fn arrive(&mut self, head: PictureHead, encoded: E, now: Instant) -> Arrival {
        let is_drained = self.encoded.is_empty() && self.decoded.is_empty();
        let Some(stream) = &mut self.stream else { return Arrival::Stale };
        let arrival = stream.admit(head.stream, head.epoch);
        if arrival != Arrival::Queued {
            return arrival;
        }
        if is_drained
            && matches!(stream.clock, Clock::Running { .. })
            && stream.position(now).is_some_and(|position| position > pts(&head))
        {
            // Late although credit was there and nothing waited here: not our doing, so the clock waits for it.
            stream.stall(pts(&head));
        }
        stream.arrived_until = stream.arrived_until.max(end_of(&head));
        self.encoded.push_back((head, encoded));
        self.go_if_filled(now);
        Arrival::Queued
    }

    /// Takes note of sound from the server, which lasts for `duration`.
    pub fn arrive_sound(&mut self, head: SoundHead, duration: Duration, now: Instant) -> Arrival {
        let Some(stream) = &mut self.stream else { return Arrival::Stale };
        let arrival = stream.admit(head.stream, head.epoch);
        if arrival == Arrival::Queued {
            let end = Duration::from_nanos(head.pts_nanos).saturating_add(duration);
            stream.has_sound = true;
            stream.sound_ends.push_back(end);
            stream.arrived_until = stream.arrived_until.max(end);
            if self.device == Device::Ready && matches!(stream.clock, Clock::Running { .. }) {
                // It had been started without.
                stream.stand(now);
            }
            self.go_if_filled(now);
        }
        arrival
    }

    /// No more items of this epoch follow those that have arrived.
    pub fn source_ended(&mut self, id: StreamId, epoch: Epoch, now: Instant) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == id && stream.epoch == epoch) {
            stream.is_source_ended = true;
            self.go_if_filled(now);
        }
    }

    /// The next picture to decode, when there is room for it. Overdue ones are dropped on the way.
    pub fn next_job(&mut self, now: Instant) -> Option<(PictureHead, E)> {
        if self.decoding.is_some() || self.decoded.len() >= LOOKAHEAD_PICTURES {
            return None;
        }
        let stream = self.stream.as_mut()?;
        if stream.clock.is_going()
            && let Some(position) = stream.position(now)
            && let Some((front, _)) = self.encoded.front()
            && position > pts(front) + stream.lateness_limit()
        {
            // Too slow: go on with the first picture that is not due yet, or else the last one there is.
            while self.encoded.get(1).is_some_and(|(second, _)| pts(second) <= position) {
                self.encoded.pop_front();
                stream.tally.late_at_decoder += 1;
            }
        }
        let job = self.encoded.pop_front()?;
        self.decoding = Some(job.0);
        Some(job)
    }

    /// Takes a picture back from the decoder; `None` when it could not be read. One of an
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
        self.go_if_filled(now);
    }

    /// The picture to show now, when there is a new one. Called at [`Self::next_due`] and whenever else.
    pub fn due(&mut self, now: Instant) -> Option<(PictureHead, P)> {
        let is_drained = self.waiting_pictures() == 0;
        let stream = self.stream.as_mut()?;
        let Some(position) = stream.position(now) else {
            // The first picture of an epoch is shown whenever it is there, also while paused.
            let (head, picture) = self.decoded.pop_front()?;
            stream.clock = Clock::Standing { at: pts(&head) };
            stream.show(head, now);
            self.go_if_filled(now);
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

    /// When [`Self::due`] will have something new to say, as far as is known. Pictures that are still being decoded
    /// announce themselves.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let stream = self.stream.as_ref().filter(|stream| stream.clock.is_going())?;
        if matches!(stream.clock, Clock::Sounding { heard: None, .. }) {
            return Some(now + LISTEN_INTERVAL);
        }
        let due = match self.decoded.front() {
            Some((head, _)) => stream.clock.instant_of(pts(head))?,
            // Nothing follows: this is when the last picture has stood its time, or when the stall begins.
            None if self.waiting_pictures() == 0 => {
                stream.clock.instant_of(end_of(stream.last_shown.as_ref()?))? + EARLINESS_LIMIT
            }
            None => return None,
        };
        // What is due by the clock but not by what the device has got is looked for again soon, not at once.
        let is_waiting_for_sound = due <= now && matches!(stream.clock, Clock::Sounding { .. });
        Some(if is_waiting_for_sound { now + LISTEN_INTERVAL } else { due })
    }

    /// Credit to be granted to the server now, in items.
    pub fn take_credit(&mut self) -> Option<(StreamId, Epoch, u32)> {
        let held = self.held_items();
        let stream = self.stream.as_mut().filter(|stream| !stream.is_source_ended)?;
        let window = if stream.is_paused { PAUSED_WINDOW_ITEMS } else { WINDOW_ITEMS };
        let items = window.saturating_sub(held + stream.outstanding_items);
        if items < GRANT_LOT_ITEMS {
            return None;
        }
        stream.outstanding_items += items;
        Some((stream.id, stream.epoch, items))
    }

    /// Time in the stream at `now`: of the clock, or of the picture that stands still. None before the first picture of
    /// the epoch.
    pub fn position(&self, now: Instant) -> Option<Duration> {
        let stream = self.stream.as_ref()?;
        let shown_end = stream.last_shown.as_ref().map_or(Duration::ZERO, end_of);
        Some(stream.position(now)?.min(shown_end))
    }

    /// Decoded pictures that wait for their time.
    pub fn decoded_count(&self) -> usize {
        self.decoded.len()
    }

    /// The picture that was shown last, of whatever epoch.
    pub fn last_shown(&self) -> Option<PictureHead> {
        self.stream.as_ref()?.last_shown
    }

    /// Why the picture stands still although it should not.
    pub fn hold(&self, now: Instant) -> Option<Hold> {
        let stream = self.stream.as_ref()?;
        if stream.unreadable_in_a_row >= UNREADABLE_PICTURES {
            return Some(Hold::Unreadable);
        }
        match stream.clock {
            Clock::Unstarted => {
                let is_slow = stream.timing.seeking_for(now).is_some_and(|waited| waited > SEEK_PATIENCE);
                let hold = if stream.unreadable_in_a_row > 0 { Hold::Unreadable } else { Hold::Source };
                is_slow.then_some(hold)
            }
            Clock::Standing { .. } => (stream.is_stalled && !stream.is_paused).then_some(Hold::Source),
            Clock::Running { .. } | Clock::Sounding { .. } => {
                let end = end_of(stream.last_shown.as_ref()?);
                let is_overdue = stream.position(now)? > end + LATENESS_LIMIT.saturating_mul(2);
                let is_undecoded = self.decoded.is_empty() && self.waiting_pictures() > 0;
                (is_undecoded && is_overdue).then_some(Hold::Decoder)
            }
        }
    }

    /// Whether everything that came was shown and has stood its time.
    pub fn is_finished(&self, now: Instant) -> bool {
        let Some(stream) = &self.stream else { return false };
        let has_stood = match (stream.position(now), &stream.last_shown) {
            (Some(position), Some(head)) => position >= end_of(head),
            _ => true,
        };
        stream.is_source_ended && self.waiting_pictures() == 0 && has_stood
    }

    fn waiting_pictures(&self) -> usize {
        let is_decoding = matches!((&self.stream, &self.decoding), (Some(stream), Some(head)) if stream.is_of(head));
        self.encoded.len() + self.decoded.len() + usize::from(is_decoding)
    }

    fn held_items(&self) -> u32 {
        let sounds = self.stream.as_ref().map_or(0, |stream| stream.sound_ends.len());
        u32::try_from(self.waiting_pictures() + sounds).unwrap_or(u32::MAX)
    }

    fn go_if_filled(&mut self, now: Instant) {
        let (waiting, held) = (self.waiting_pictures(), self.held_items());
        let Some(stream) = &mut self.stream else { return };
        let Clock::Standing { at } = stream.clock else { return };
        let sounds_on = stream.sound_ends.back().is_some_and(|&end| end > at);
        if stream.is_paused || sounds_on && self.device == Device::Opening {
            return;
        }
        // The picture of a moment comes before its sound.
        let lacks_sound = stream.has_sound && !sounds_on && self.device != Device::Absent;
        let span = stream.arrived_until.saturating_sub(at);
        let is_enough = match (stream.is_stalled, sounds_on) {
            (true, _) => (waiting >= RESUME_PICTURES || span >= RESUME_SPAN) && !self.decoded.is_empty(),
            (false, true) => span >= START_SPAN,
            (false, false) => true,
        };
        // All that may come is here: there is nothing to wait for.
        let is_all = stream.outstanding_items == 0 && held + GRANT_LOT_ITEMS > WINDOW_ITEMS;
        let is_rest = stream.is_source_ended && (!self.decoded.is_empty() || waiting == 0);
        if is_enough && !lacks_sound || is_all || is_rest {
            stream.is_stalled = false;
            stream.clock = match self.device {
                Device::Ready if sounds_on => Clock::Sounding { from: at, heard: None },
                _ => Clock::Running { since: now, at },
            };
        }
    }
}
