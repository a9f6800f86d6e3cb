//! What the playout buffer tells the window about itself: why it waits, how far it reaches, what came and how long it took.

use std::time::{Duration, Instant};

use common::media::{Epoch, PictureHead, StreamId};

use super::{Device, LATENESS_LIMIT, Playout, UNREADABLE_PICTURES, clock::Clock, stream::end_of};
use crate::{
    event::{Hold, SEEK_PATIENCE},
    figures::Figures,
};

impl<E, P> Playout<E, P> {
    /// Why there is no new picture although there should be one.
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
            Clock::Stopped { .. } => {
                // After a seek too the clock waits for more than one picture. A device that is being opened is no fault of
                // the server.
                let is_source = stream.is_stalled || self.device != Device::Opening;
                (is_source && !stream.is_paused && stream.waits_until.is_none()).then_some(Hold::Source)
            }
            Clock::Running { .. } | Clock::AudioDriven { .. } => {
                let end = end_of(stream.last_shown.as_ref()?);
                let is_overdue = stream.position(now)? > end + LATENESS_LIMIT.saturating_mul(2);
                let is_undecoded = self.decoded.is_empty() && self.waiting_pictures() > 0;
                (is_undecoded && is_overdue).then_some(Hold::Decoder)
            }
        }
    }

    /// Whether every picture was shown, the last one for its duration.
    pub fn is_finished(&self, now: Instant) -> bool {
        let Some(stream) = &self.stream else { return false };
        let is_over = match (stream.position(now), &stream.last_shown) {
            (Some(position), Some(head)) => position >= end_of(head),
            _ => true,
        };
        stream.is_source_ended && self.waiting_pictures() == 0 && is_over
    }

    /// Counts packets of sound that could not be decoded.
    pub fn count_broken_sound(&mut self, packets: u64) {
        if let Some(stream) = &mut self.stream {
            stream.tally.broken_sounds += packets;
        }
    }

    /// Counts bytes of an item that was queued.
    pub fn count_bytes(&mut self, bytes: u64) {
        if let Some(stream) = &mut self.stream {
            stream.tally.received_bytes += bytes;
        }
    }

    /// Counts bytes that arrive of an item, which may not be whole yet. A large picture takes long on a slow link, and who
    /// waits for it is to be told that it comes.
    pub fn count_part(&mut self, of: StreamId, epoch: Epoch, bytes: u64) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.id == of && stream.includes(epoch)) {
            stream.epoch_bytes += bytes;
        }
    }

    /// Counts the time that it took to decode a picture.
    pub fn count_decoding(&mut self, took: Duration) {
        if let Some(stream) = &mut self.stream {
            stream.timing.decoded(took);
        }
    }

    /// Stream time up to which all pictures of the epoch have arrived; `None` before the first.
    pub fn buffered_until(&self) -> Option<Duration> {
        let stream = self.stream.as_ref()?;
        let of_epoch = |head: &&PictureHead| stream.is_of(head);
        let encoded = self.encoded.back().map(|(head, _)| head);
        let decoded = self.decoded.back().map(|(head, _)| head);
        let last = encoded.or(self.decoding.as_ref().filter(of_epoch)).or(decoded);
        last.or(stream.last_shown.as_ref().filter(of_epoch)).map(end_of)
    }

    /// Bytes of pictures and sound that have arrived in this epoch.
    pub fn epoch_bytes(&self) -> u64 {
        self.stream.as_ref().map_or(0, |stream| stream.epoch_bytes)
    }

    /// The figures of the stream; `None` without one.
    pub fn figures(&self, now: Instant) -> Option<Figures> {
        let stream = self.stream.as_ref()?;
        let buffered = self.buffered_until().unwrap_or_default();
        Some(Figures {
            stream: stream.id,
            tally: stream.tally,
            buffered: buffered.saturating_sub(self.position(now).unwrap_or(buffered)),
            buffered_pictures: self.waiting_pictures(),
            first_picture_after: stream.timing.first_picture_after(),
            seek_picture_after: stream.timing.last_seek(),
            decoding: stream.timing.decoding,
        })
    }
}
