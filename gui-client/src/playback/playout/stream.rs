//! State of the current stream and epoch, apart from the buffered pictures.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, PictureHead, StreamId};

use super::{Arrival, LATENESS_LIMIT, LATENESS_LIMIT_WITH_SOUND, clock::Clock, tally::Timing};
use crate::figures::Tally;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) epoch: Epoch,
    pub(super) clock: Clock,
    pub(super) is_paused: bool,
    pub(super) is_stalled: bool,
    pub(super) last_shown: Option<PictureHead>,
    pub(super) is_source_ended: bool,
    /// Credit granted in this epoch whose items have not arrived.
    pub(super) outstanding_items: u32,
    /// Stream times at which the buffered sound chunks end.
    pub(super) sound_ends: VecDeque<Duration>,
    /// Stream time up to which pictures or sound have arrived.
    pub(super) arrived_until: Duration,
    pub(super) has_sound: bool,
    /// Pictures that could not be decoded since the last one that could.
    pub(super) unreadable_in_a_row: u32,
    /// Bytes of the pictures and the sound received in this epoch.
    pub(super) epoch_bytes: u64,
    pub(super) timing: Timing,
    pub(super) tally: Tally,
}

impl Stream {
    pub(super) fn new(id: StreamId, epoch: Epoch, has_sound: bool, now: Instant) -> Self {
        Self {
            id,
            epoch,
            clock: Clock::Unstarted,
            is_paused: false,
            is_stalled: false,
            last_shown: None,
            is_source_ended: false,
            outstanding_items: 0,
            sound_ends: VecDeque::new(),
            arrived_until: Duration::ZERO,
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
        self.clock = Clock::Unstarted;
        self.is_stalled = false;
        self.is_source_ended = false;
        self.outstanding_items = 0;
        self.sound_ends.clear();
        self.arrived_until = Duration::ZERO;
        self.unreadable_in_a_row = 0;
        self.epoch_bytes = 0;
        self.timing.seek(now);
    }

    pub(super) fn is_of(&self, head: &PictureHead) -> bool {
        (head.stream, head.epoch) == (self.id, self.epoch)
    }

    pub(super) fn admit(&mut self, stream: StreamId, epoch: Epoch) -> Arrival {
        if (stream, epoch) != (self.id, self.epoch) {
            self.tally.stale += 1;
            return Arrival::Stale;
        }
        if self.outstanding_items == 0 {
            self.tally.beyond_credit += 1;
            return Arrival::BeyondCredit;
        }
        self.outstanding_items -= 1;
        Arrival::Queued
    }

    /// Stream time; `None` before the first picture of the epoch.
    pub(super) fn position(&self, now: Instant) -> Option<Duration> {
        // At the end, pictures may last longer than the sound.
        let is_bounded = !(self.is_source_ended && self.sound_ends.is_empty());
        self.clock.position(now, is_bounded)
    }

    /// How late a picture may be and still be shown when a later one is due as well.
    pub(super) fn lateness_limit(&self) -> Duration {
        if matches!(self.clock, Clock::AudioDriven { .. }) { LATENESS_LIMIT_WITH_SOUND } else { LATENESS_LIMIT }
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
