//! How well the buffer is supplied, and how playback goes on in another epoch without losing what is buffered.

use std::time::{Duration, Instant};

use common::media::{Epoch, Position};

use super::{GRANT_LOT_ITEMS, Playout, WINDOW_ITEMS, clock::Clock, stream::pts};

/// What a playout buffer holds and still expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supply {
    /// How much of the stream waits here: from the first picture that has not been shown to the end of what has arrived.
    pub buffered: Duration,
    /// Pictures and sound chunks that wait here.
    pub held_items: u32,
    /// Pictures and sound chunks that were granted and have not arrived.
    pub outstanding_items: u32,
    /// Whether stream time advances, or would if the buffer were not empty.
    pub is_playing: bool,
    /// Whether playback waits for pictures or sound that have not arrived.
    pub is_stalled: bool,
}

impl<E, P> Playout<E, P> {
    /// What is buffered. `None` without a stream, while it is paused, and when the server has nothing more to send: then the
    /// buffer says nothing about the link.
    pub fn supply(&self, now: Instant) -> Option<Supply> {
        let stream = self.stream.as_ref().filter(|stream| !stream.is_paused && !stream.is_source_ended)?;
        let first = self
            .decoded
            .front()
            .map(|(head, _)| head)
            .or(self.decoding.as_ref())
            .or(self.encoded.front().map(|(head, _)| head));
        // A picture that is overdue still waits: that it was not shown is not the link's fault.
        let from = match (first, stream.position(now)) {
            (Some(first), Some(position)) => position.min(pts(first)),
            (Some(first), None) => pts(first),
            (None, Some(position)) => position,
            (None, None) => stream.arrived_until,
        };
        let is_started = !matches!(stream.clock, Clock::Unstarted);
        Some(Supply {
            buffered: stream.arrived_until.saturating_sub(from),
            held_items: self.held_items(),
            outstanding_items: stream.outstanding_items,
            is_playing: is_started,
            is_stalled: stream.is_stalled,
        })
    }

    /// Stream time up to which something has arrived since the last seek; zero before.
    pub fn arrived_until(&self) -> Duration {
        self.stream.as_ref().map_or(Duration::ZERO, |stream| stream.arrived_until)
    }

    /// Where another epoch has to begin to continue this one: neither a picture nor a sample is missing between them.
    /// `None` until the first picture and the first sound since the last seek have arrived, and when the server has nothing more to send.
    pub fn continue_at(&self) -> Option<Position> {
        let stream = self.stream.as_ref().filter(|stream| !stream.is_source_ended)?;
        let pictures_until = stream.pictures_until?;
        // Items come in the order of their times, so the sound may lack up to a chunk before the next picture.
        let until = match stream.sound_until {
            Some(sound_until) => pictures_until.min(sound_until),
            // It begins with the first picture, which is left to be sent with it.
            None if stream.has_sound => return None,
            None => pictures_until,
        };
        Some(Position::Time(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Goes on in an epoch that was requested from [`Self::continue_at`]. What is buffered is kept, the clock runs on, and
    /// what is on its way of the epoch before is taken until the first item of the new one arrives.
    pub fn continue_in(&mut self, epoch: Epoch) {
        if let Some(stream) = &mut self.stream {
            stream.continue_in(epoch);
        }
    }

    /// Grants credit in lots of this many items from now on. Larger lots arrive as longer trains, whose speed can be
    /// measured.
    pub fn set_lot_items(&mut self, items: u32) {
        self.lot_items = items.clamp(GRANT_LOT_ITEMS, WINDOW_ITEMS / 2);
    }
}
