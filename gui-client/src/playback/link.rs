//! The player's side of the ladder for slow links: what it is told, and how playback goes on in another delivery.

use std::time::Instant;

use common::media::{Delivery, Epoch, StreamId, StreamStart, VariantInfo};

use super::{
    decode_worker::{Inner, Shared},
    ladder::rate::PartArrival,
    player::Player,
};
use crate::event::{LadderSettings, StreamPart};

impl Player {
    /// Says which variants the video of the stream has that has just begun, how it is delivered, and what the ladder may do.
    pub fn begin_ladder(&self, variants: &[VariantInfo], delivery: Delivery, settings: LadderSettings) {
        let mut inner = self.shared.lock();
        inner.ladder.begin(variants, delivery);
        inner.ladder.set(settings);
    }

    /// Says how the epoch is delivered that has just begun, and what the ladder may do.
    pub fn set_ladder(&self, delivery: Delivery, settings: LadderSettings) {
        let mut inner = self.shared.lock();
        inner.ladder.set_delivery(delivery);
        inner.ladder.set(settings);
    }

    /// Takes in what the server says about the stream.
    pub fn stream_started(&self, start: &StreamStart) {
        let mut inner = self.shared.lock();
        if inner.playout.stream() == Some(start.stream) {
            inner.ladder.started(start);
        }
    }

    /// Goes on in another epoch of the stream, which was requested in this delivery from
    /// [`crate::event::PlaybackStatus::continue_at`]: what has arrived is played, and what arrives twice is dropped.
    pub fn continue_in(&self, stream: StreamId, epoch: Epoch, delivery: Delivery, now: Instant) {
        let inner = &mut *self.shared.lock();
        if inner.playout.stream() == Some(stream) {
            inner.playout.continue_in(epoch);
            inner.ladder.continued(delivery, inner.playout.arrived_until(), now);
        }
    }
}

impl Shared {
    /// Takes in that a part arrived. Returns whether another delivery is wanted since, of which the window does not know.
    pub(super) fn measure(&self, part: StreamPart) -> bool {
        let inner = &mut *self.lock();
        if inner.playout.stream() != Some(part.stream) {
            return false;
        }
        let now = Instant::now();
        let StreamPart { bytes, is_first, picture_bytes, epoch, .. } = part;
        let is_current = inner.playout.epoch() == Some(epoch);
        inner.playout.count_part(part.stream, epoch, bytes as u64);
        inner.ladder.arrived(PartArrival { bytes, is_first, is_current, picture_bytes }, now);
        inner.climb(now)
    }
}

impl Inner {
    /// Has the ladder decide. Returns whether it wants another delivery since.
    pub(super) fn climb(&mut self, now: Instant) -> bool {
        let was_content = self.ladder.wanted().is_none();
        let wanted = self.ladder.decide(self.playout.supply(now), self.playout.arrived_until(), now);
        was_content && wanted.is_some()
    }
}
