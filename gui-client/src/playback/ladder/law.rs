//! Decides which level of the ladder to take: down at once when the link cannot carry the level, up with patience.
//!
//! | | when | to |
//! |---|---|---|
//! | down | the link is measured to be slower than the level takes, and the buffer shrinks | the best level that takes at most 0.8 of the link |
//! | up | the buffer was full throughout the patience, and the link is measured to carry more | the next level if it takes at most 0.7 of the link; a higher one if that takes at most half |
//!
//! The patience is 5 s at first, and doubles up to 160 s each time that a step up was undone within a minute. A slow server is no
//! reason to go down: then the link is measured to be faster than the level takes. So is a paused player none, and what this
//! computer does not decode in time still waits in the buffer.

use std::time::{Duration, Instant};

use super::{
    levels::Level,
    rate::{PartArrival, Rate, RateMeter},
};
use crate::playback::playout::{Supply, WINDOW_ITEMS};

/// A level to go down to takes at most this share of what the link carries.
const DOWN_SHARE: f64 = 0.8;

/// The next level up takes at most this share.
const UP_SHARE: f64 = 0.7;

/// A level more than one step up takes at most this share.
const LEAP_SHARE: f64 = 0.5;

/// While the buffer shrinks, a level that has taken more than this share of the link for this long is left before the buffer is
/// nearly empty. One measurement alone may be wrong.
const DRAINING_SHARE: f64 = 0.95;
const DRAINING_FOR: Duration = Duration::from_millis(450);

/// While it is nearly empty, one that takes more than this share is left. It is more than a level may take that is gone down
/// to, so that a link that varies a little does not lead further down.
const LOW_SHARE: f64 = 0.88;

/// The buffer shrinks when it holds less than this share of what it can.
const DRAINING_FILL: f64 = 0.7;

/// A level that takes more than this share of the link is left after this long, even if the buffer shrinks only slowly, unless
/// it was filled to [`WHOLE_FILL`] meanwhile, or all that was granted arrived.
const OVERLOAD_SHARE: f64 = 0.98;
const OVERLOAD_FOR: Duration = Duration::from_millis(1_200);
const WHOLE_FILL: f64 = 0.88;

/// The buffer was full if it held this share at some time within [`FULL_EVERY`].
const FULL_FILL: f64 = 0.7;
const FULL_EVERY: Duration = Duration::from_millis(1_500);

/// The buffer is nearly empty when less than this waits in it, or less than [`LOW_FILL`] …
const LOW: Duration = Duration::from_millis(400);
const LOW_FILL: f64 = 0.4;

/// … for this long.
const LOW_FOR: Duration = Duration::from_millis(300);

/// After a seek, an empty buffer says nothing for this long.
const GRACE: Duration = Duration::from_secs(1);

/// After a step down, the next one waits for at least this long.
const DWELL: Duration = Duration::from_secs(1);

const LEAST_PATIENCE: Duration = Duration::from_secs(5);
const MOST_PATIENCE: Duration = Duration::from_secs(160);

/// A step up that lasts for this long was right.
const PROOF: Duration = Duration::from_secs(60);

/// Without a measurement, the patience is this many times as long.
const BLIND: u32 = 4;

/// The memory of the law. Time is passed in.
#[derive(Debug, Default)]
pub struct Law {
    meter: RateMeter,
    /// When playback of this epoch was seen to run for the first time since the last seek.
    playing_since: Option<Instant>,
    changed_at: Option<Instant>,
    went_up_at: Option<Instant>,
    last_full_at: Option<Instant>,
    full_since: Option<Instant>,
    low_since: Option<Instant>,
    overloaded_since: Option<Instant>,
    draining_since: Option<Instant>,
    patience: Option<Duration>,
}

impl Law {
    /// Takes in that bytes arrived.
    pub fn arrived(&mut self, part: PartArrival, now: Instant) {
        self.meter.arrived(part, now);
    }

    /// Takes in that credit was granted.
    pub fn granted(&mut self, items: u32, now: Instant) {
        self.meter.granted(items, now);
    }

    /// A seek, or a stream: the buffer is empty, and that is not the link's fault.
    pub fn sought(&mut self) {
        self.meter.begin_epoch();
        (self.playing_since, self.low_since, self.full_since, self.last_full_at) = (None, None, None, None);
        self.overloaded_since = None;
    }

    /// Another level begins, in an epoch that continues the one before.
    pub fn changed(&mut self, is_up: bool, now: Instant) {
        self.meter.begin_epoch();
        match self.went_up_at.map(|at| now.saturating_duration_since(at) < PROOF) {
            // The last step up was right.
            Some(false) => self.patience = None,
            Some(true) if !is_up => self.patience = Some((self.patience() * 2).min(MOST_PATIENCE)),
            // Only a step up that lasts takes back what earlier ones have cost.
            Some(true) | None => {}
        }
        self.went_up_at = is_up.then_some(now);
        self.changed_at = Some(now);
        (self.full_since, self.last_full_at, self.low_since, self.overloaded_since) = (None, None, None, None);
    }

    /// How fast the link is.
    pub fn rate(&self, now: Instant) -> Rate {
        self.meter.rate(now)
    }

    fn patience(&self) -> Duration {
        self.patience.unwrap_or(LEAST_PATIENCE)
    }

    /// The level to change to, as its place in `levels`; `None` to stay. `span` is how much of the stream a full buffer
    /// holds at the current level. To be asked whenever something arrives, and now and then when nothing does.
    pub fn decide(
        &mut self,
        now: Instant,
        supply: Option<Supply>,
        span: Duration,
        current: &Level,
        levels: &[Level],
    ) -> Option<usize> {
        let Some(supply) = supply else {
            // Paused, or the end: what happens then is not the link's doing.
            (self.low_since, self.full_since, self.last_full_at, self.playing_since) = (None, None, None, None);
            self.overloaded_since = None;
            return None;
        };
        if supply.is_playing {
            self.playing_since.get_or_insert(now);
        }
        let fill = supply.buffered.as_secs_f64() / span.as_secs_f64().max(0.001);
        self.note_full(supply, fill, now);
        self.note_low(supply, fill, now);
        let since_change = self.changed_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let rate = self.meter.rate(now);
        self.note_overload(supply, rate, current, now);
        self.note_draining(fill, rate, current, now);
        if since_change >= DWELL
            && let Some(fast) = rate.fast
            && supply.outstanding_items > 0
            && self.is_short(fast, current, now)
        {
            return self.down(fast, current, levels);
        }
        self.up(rate, current, levels, now)
    }

    fn note_full(&mut self, supply: Supply, fill: f64, now: Instant) {
        let held = f64::from(supply.held_items) / f64::from(WINDOW_ITEMS);
        if held.max(fill) >= FULL_FILL && !supply.is_stalled {
            self.last_full_at = Some(now);
            self.full_since.get_or_insert(now);
        } else if self.last_full_at.is_none_or(|at| now.saturating_duration_since(at) > FULL_EVERY) {
            self.full_since = None;
        }
    }

    fn note_low(&mut self, supply: Supply, fill: f64, now: Instant) {
        let low = LOW + self.meter.round_trip().unwrap_or_default().min(LOW);
        let is_low = supply.is_stalled || supply.buffered < low && fill < LOW_FILL;
        let is_after_grace = self.playing_since.is_some_and(|since| now.saturating_duration_since(since) > GRACE);
        if is_low && is_after_grace {
            self.low_since.get_or_insert(now);
        } else {
            self.low_since = None;
        }
    }

    fn note_overload(&mut self, supply: Supply, rate: Rate, current: &Level, now: Instant) {
        // With large lots the buffer is seldom filled so far, but then all that was granted arrives before the next grant.
        let is_filled = f64::from(supply.held_items) >= WHOLE_FILL * f64::from(WINDOW_ITEMS);
        let is_whole = is_filled || supply.outstanding_items == 0;
        let is_too_much = rate.fast.is_some_and(|fast| current.bytes_per_second > fast * OVERLOAD_SHARE);
        if is_too_much && !is_whole {
            self.overloaded_since.get_or_insert(now);
        } else {
            self.overloaded_since = None;
        }
    }

    fn note_draining(&mut self, fill: f64, rate: Rate, current: &Level, now: Instant) {
        let is_too_much = rate.fast.is_some_and(|fast| current.bytes_per_second > fast * DRAINING_SHARE);
        if fill < DRAINING_FILL && is_too_much {
            self.draining_since.get_or_insert(now);
        } else {
            self.draining_since = None;
        }
    }

    /// Whether the link carries too little for the level.
    fn is_short(&self, rate: f64, current: &Level, now: Instant) -> bool {
        let lasts = |since: Option<Instant>, least: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= least)
        };
        lasts(self.draining_since, DRAINING_FOR)
            || lasts(self.overloaded_since, OVERLOAD_FOR)
            || lasts(self.low_since, LOW_FOR) && current.bytes_per_second > rate * LOW_SHARE
    }

    fn down(&self, rate: f64, current: &Level, levels: &[Level]) -> Option<usize> {
        let mut lower =
            levels.iter().enumerate().filter(|(_, level)| level.bytes_per_second < current.bytes_per_second * 0.9);
        let fits = lower.clone().find(|(_, level)| level.bytes_per_second <= rate * DOWN_SHARE);
        fits.or_else(|| lower.next_back()).map(|(place, _)| place)
    }

    fn up(&self, rate: Rate, current: &Level, levels: &[Level], now: Instant) -> Option<usize> {
        let full_for = now.saturating_duration_since(self.full_since?);
        let mut higher =
            levels.iter().enumerate().filter(|(_, level)| level.bytes_per_second > current.bytes_per_second * 1.1);
        let (next, next_level) = higher.clone().next_back()?;
        if full_for < self.patience() {
            return None;
        }
        let Some(rate) = rate.slow.zip(rate.fast).map(|(slow, fast)| slow.min(fast)).or(rate.slow) else {
            return (full_for >= self.patience() * BLIND).then_some(next);
        };
        let leap = higher.find(|(_, level)| level.bytes_per_second <= rate * LEAP_SHARE);
        leap.map(|(place, _)| place).or((next_level.bytes_per_second <= rate * UP_SHARE).then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_up_that_is_undone_doubles_the_patience_until_one_lasts() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut law = Law::default();
        assert_eq!(law.patience(), LEAST_PATIENCE);
        for (round, seconds) in (0..).zip([10, 20, 40, 80, 160, 160]) {
            law.changed(true, at(1_000 * round));
            law.changed(false, at(1_000 * round + 59));
            assert_eq!(law.patience(), Duration::from_secs(seconds));
            law.changed(false, at(1_000 * round + 70));
            assert_eq!(law.patience(), Duration::from_secs(seconds), "a further step down undoes nothing");
        }
        law.changed(true, at(10_000));
        assert_eq!(law.patience(), MOST_PATIENCE, "it has not lasted yet");
        law.changed(false, at(10_061));
        assert_eq!(law.patience(), LEAST_PATIENCE);
    }
}
