//! State of the current stream and epoch, apart from the buffered pictures.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, PictureHead, StreamId};

use super::{
    Arrival, LATENESS_LIMIT, LATENESS_LIMIT_WITH_SOUND, PAUSED_WINDOW_ITEMS, SOUND_TOLERANCE, WINDOW_ITEMS,
    clock::Clock, tally::Timing,
};
use crate::{event::Speed, figures::Tally};

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) epoch: Epoch,
    /// The epoch of the last seek. Those since then continue it, and their pictures follow each other.
    pub(super) first_epoch: Epoch,
    /// The epoch that this one continues, and its credit whose items have not arrived; `None` once items of this one arrive.
    pub(super) continued: Option<(Epoch, u32)>,
    pub(super) clock: Clock,
    /// The speed at which it is played.
    pub(super) speed: Speed,
    pub(super) is_paused: bool,
    /// When the clock starts, if all that it needs is there and only its cue has not come.
    pub(super) waits_until: Option<Instant>,
    pub(super) is_stalled: bool,
    pub(super) last_shown: Option<PictureHead>,
    pub(super) is_source_ended: bool,
    /// Credit granted in this epoch whose items have not arrived.
    pub(super) outstanding_items: u32,
    /// Stream times at which the buffered sound chunks end.
    pub(super) sound_ends: VecDeque<Duration>,
    /// Stream time up to which pictures or sound have arrived.
    pub(super) arrived_until: Duration,
    /// Stream time up to which pictures have arrived since the last seek; `None` before the first.
    pub(super) pictures_until: Option<Duration>,
    /// The same for sound.
    pub(super) sound_until: Option<Duration>,
    pub(super) has_sound: bool,
    /// Pictures that could not be decoded since the last one that could.
    pub(super) unreadable_in_a_row: u32,
    /// Bytes of the pictures and the sound received in this epoch.
    pub(super) epoch_bytes: u64,
    pub(super) timing: Timing,
    pub(super) tally: Tally,
}

impl Stream {
    pub(super) fn new(id: StreamId, epoch: Epoch, has_sound: bool, speed: Speed, now: Instant) -> Self {
        Self {
            id,
            epoch,
            first_epoch: epoch,
            continued: None,
            clock: Clock::Unstarted,
            speed,
            is_paused: false,
            waits_until: None,
            is_stalled: false,
            last_shown: None,
            is_source_ended: false,
            outstanding_items: 0,
            sound_ends: VecDeque::new(),
            arrived_until: Duration::ZERO,
            pictures_until: None,
            sound_until: None,
            has_sound,
            unreadable_in_a_row: 0,
            epoch_bytes: 0,
            timing: Timing::new(now),
            tally: Tally::default(),
        }
    }

    /// Resets everything that belongs to the epoch before, except the picture on the screen.
    pub(super) fn seek(&mut self, epoch: Epoch, now: Instant) {
        self.tally.seeks += 1;
        self.epoch = epoch;
        self.first_epoch = epoch;
        self.continued = None;
        self.clock = Clock::Unstarted;
        self.waits_until = None;
        self.is_stalled = false;
        self.is_source_ended = false;
        self.outstanding_items = 0;
        self.sound_ends.clear();
        self.arrived_until = Duration::ZERO;
        self.pictures_until = None;
        self.sound_until = None;
        self.unreadable_in_a_row = 0;
        self.epoch_bytes = 0;
        self.timing.seek(now);
    }

    /// Goes on in another epoch, with all that has arrived.
    pub(super) fn continue_in(&mut self, epoch: Epoch) {
        self.continued = Some((self.epoch, self.outstanding_items));
        self.epoch = epoch;
        self.outstanding_items = 0;
    }

    pub(super) fn is_of(&self, head: &PictureHead) -> bool {
        head.stream == self.id && self.includes(head.epoch)
    }

    /// Whether an epoch is this one, or one that it continues.
    pub(super) fn includes(&self, epoch: Epoch) -> bool {
        (self.first_epoch..=self.epoch).contains(&epoch)
    }

    /// Whether an item is of this epoch, or of the one that it continues, and was granted.
    pub(super) fn admit(&mut self, stream: StreamId, epoch: Epoch) -> Arrival {
        let outstanding_items = match &mut self.continued {
            _ if stream != self.id => None,
            Some((before, items)) if *before == epoch => Some(items),
            _ if epoch == self.epoch => {
                // The server sends nothing of the epoch before any more.
                self.continued = None;
                Some(&mut self.outstanding_items)
            }
            _ => None,
        };
        let Some(outstanding_items) = outstanding_items else {
            self.tally.stale += 1;
            return Arrival::Stale;
        };
        if *outstanding_items == 0 {
            self.tally.beyond_credit += 1;
            return Arrival::BeyondCredit;
        }
        *outstanding_items -= 1;
        Arrival::Queued
    }

    /// Takes in that a picture arrived. In an epoch that continues another, it may have been there before.
    pub(super) fn take_picture(&mut self, head: &PictureHead) -> Arrival {
        if head.epoch != self.first_epoch && self.pictures_until.is_some_and(|until| pts(head) < until) {
            self.tally.repeated += 1;
            return Arrival::Repeated;
        }
        self.pictures_until = self.pictures_until.max(Some(end_of(head)));
        self.arrived_until = self.arrived_until.max(end_of(head));
        Arrival::Queued
    }

    /// Takes in that sound arrived, as [`Self::take_picture`] does. What was there before is told apart by the audio frame.
    pub(super) fn take_sound(&mut self, epoch: Epoch, start: Duration, end: Duration) -> Arrival {
        let until = self.sound_until.filter(|_| epoch != self.first_epoch);
        if until.is_some_and(|until| end <= until + SOUND_TOLERANCE) {
            self.tally.repeated += 1;
            return Arrival::Repeated;
        }
        self.sound_until = self.sound_until.max(Some(end));
        self.arrived_until = self.arrived_until.max(end);
        self.sound_ends.push_back(end);
        match until {
            Some(until) if start < until => Arrival::Overlapping { until },
            _ => Arrival::Queued,
        }
    }

    /// Stream time; `None` before the first picture of the epoch.
    pub(super) fn position(&self, now: Instant) -> Option<Duration> {
        // At the end, pictures may last longer than the sound.
        let is_bounded = !(self.is_source_ended && self.sound_ends.is_empty());
        self.clock.position(now, is_bounded)
    }

    /// Items that may be in flight or buffered now.
    pub(super) fn window_items(&self) -> u32 {
        if self.is_paused { PAUSED_WINDOW_ITEMS } else { WINDOW_ITEMS }
    }

    /// How late a picture may be, in stream time, and still be shown when a later one is due as well.
    pub(super) fn lateness_limit(&self) -> Duration {
        let has_sound = matches!(self.clock, Clock::AudioDriven { .. });
        self.speed.stream_time(if has_sound { LATENESS_LIMIT_WITH_SOUND } else { LATENESS_LIMIT })
    }

    /// Starts the system clock: stream time is, or was, this at that instant.
    pub(super) fn run_clock(&mut self, at: Duration, since: Instant) {
        self.clock = Clock::Running { since, at, speed: self.speed };
    }

    /// Plays at this speed from now on. With sound, the samples tell when that begins to be heard.
    pub(super) fn set_speed(&mut self, speed: Speed, now: Instant) {
        self.speed = speed;
        if matches!(self.clock, Clock::Running { .. }) {
            let at = self.position(now).unwrap_or_default();
            self.run_clock(at, now);
        }
    }

    pub(super) fn stop_clock(&mut self, now: Instant) {
        let at = self.position(now).unwrap_or_default();
        self.clock = Clock::Stopped { at };
    }

    pub(super) fn stall(&mut self, at: Duration) {
        self.tally.stalls += 1;
        self.is_stalled = true;
        self.clock = Clock::Stopped { at };
    }

    /// Begins a stall when the buffer has run dry and the source has not ended.
    pub(super) fn stall_if_dry(&mut self, position: Duration, is_drained: bool) {
        if self.is_source_ended {
            return;
        }
        match self.clock {
            Clock::Running { .. } if is_drained => {
                if let Some(end) = self.last_shown.as_ref().map(end_of).filter(|&end| position > end) {
                    self.stall(end);
                }
            }
            Clock::AudioDriven { heard: Some(heard), .. } if self.sound_ends.is_empty() && position >= heard.until => {
                self.tally.under_runs += 1;
                self.stall(position);
            }
            _ => {}
        }
    }

    pub(super) fn show(&mut self, head: PictureHead, now: Instant) {
        if let Clock::AudioDriven { heard: Some(heard), .. } = self.clock {
            self.timing.offset.note(heard.position(now).abs_diff(pts(&head)));
        }
        self.timing.shown(now);
        self.last_shown = Some(head);
        self.tally.shown += 1;
    }
}

pub(super) fn pts(head: &PictureHead) -> Duration {
    Duration::from_nanos(head.pts_nanos)
}

pub(super) fn end_of(head: &PictureHead) -> Duration {
    Duration::from_nanos(head.pts_nanos.saturating_add(head.duration_nanos))
}
