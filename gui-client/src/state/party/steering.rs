//! How a video gets back to where the party has it: a little faster or slower, which no one hears or sees, or by a jump. Pure.
//!
//! Small errors are left alone, because measuring has some itself; a correction goes on until nothing is left. A jump costs
//! the picture for a moment, so it comes only when an error is large and stays, and less and less often when it does not help:
//! a link that carries too little cannot be jumped over.

use std::time::{Duration, Instant};

use crate::event::Speed;

/// An error from which on the speed is changed …
const TRIM_FROM_NANOS: u64 = 10_000_000;

/// … after it has lasted this long: one reading may be off.
const TRIM_AFTER: Duration = Duration::from_millis(100);

/// A correction ends at this error.
const TRIM_UNTIL_NANOS: u64 = 2_000_000;

/// An error from which on it goes at the highest trim. What the sound device holds still has the speed of before, so a
/// correction goes on a little beyond its end; at the lower trim that is a millisecond.
const FULL_TRIM_FROM_NANOS: u64 = 30_000_000;

/// An error from which on the video jumps, after it has lasted this long.
const JUMP_FROM_NANOS: u64 = 300_000_000;
const JUMP_AFTER: Duration = Duration::from_millis(300);

/// The least time between two jumps, which doubles with each that did not help …
const LEAST_REST: Duration = Duration::from_secs(2);
const MOST_REST: Duration = Duration::from_secs(30);

/// … and how far ahead of the party a jump aims, because it takes a while. Doubles likewise.
const LEAST_LEAD: Duration = Duration::from_millis(300);
const MOST_LEAD: Duration = Duration::from_millis(2_400);

/// A jump has helped if no further one was needed for this long after it.
const HELPED_AFTER: Duration = Duration::from_secs(60);

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Correction {
    /// Play at this speed from now on.
    Speed(Speed),
    /// Go to where the party will be after this time.
    Jump(Duration),
}

/// The correction that is under way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steering {
    /// By how many percent the speed is changed.
    trim_percent: i8,
    /// Since when the error is worth a change of the speed, and since when a jump.
    trim_since: Option<Instant>,
    jump_since: Option<Instant>,
    /// When the video went elsewhere last, and when it did so to correct an error.
    jumped_at: Option<Instant>,
    corrected_at: Option<Instant>,
    /// Corrections in a row that have not helped.
    vain_jumps: u32,
}

impl Steering {
    /// Decides about an error: how far the video is ahead of the party. `None`: everything stays as it is.
    pub(super) fn decide(&mut self, error_nanos: i64, now: Instant) -> Option<Correction> {
        let size = error_nanos.unsigned_abs();
        let lasts =
            |since: Option<Instant>, time| since.is_some_and(|since| now.saturating_duration_since(since) >= time);
        self.jump_since = (size > JUMP_FROM_NANOS).then(|| self.jump_since.unwrap_or(now));
        if lasts(self.jump_since, JUMP_AFTER) && self.is_rested(now) {
            return Some(Correction::Jump(self.jump(now)));
        }
        self.trim_since = (size >= TRIM_FROM_NANOS).then(|| self.trim_since.unwrap_or(now));
        let is_behind = error_nanos < 0;
        let is_over = size <= TRIM_UNTIL_NANOS || is_behind != (self.trim_percent > 0);
        let percent = match size >= FULL_TRIM_FROM_NANOS {
            true => Speed::MOST_TRIM_PERCENT,
            false => 1,
        };
        let percent = if is_behind { percent } else { -percent };
        if self.trim_percent != 0 && is_over || self.trim_percent == 0 && !lasts(self.trim_since, TRIM_AFTER) {
            return self.trim(0);
        }
        // Only ever less until it is over: more would mean that it grows although it is corrected.
        let is_more =
            self.trim_percent != 0 && percent.abs() > self.trim_percent.abs() && size < 2 * FULL_TRIM_FROM_NANOS;
        if is_more { None } else { self.trim(percent) }
    }

    fn jump(&mut self, now: Instant) -> Duration {
        let is_vain = self.corrected_at.is_some_and(|at| now.saturating_duration_since(at) <= HELPED_AFTER);
        self.vain_jumps = if is_vain { self.vain_jumps.saturating_add(1) } else { 0 };
        self.corrected_at = Some(now);
        self.moved(now);
        self.lead()
    }

    /// The video goes elsewhere, because the party does. That takes a while, too.
    pub(super) fn moved(&mut self, now: Instant) {
        self.jumped_at = Some(now);
        (self.jump_since, self.trim_since) = (None, None);
    }

    /// How far ahead of the party a jump aims now.
    pub(super) fn lead(&self) -> Duration {
        doubled(LEAST_LEAD, self.vain_jumps, MOST_LEAD)
    }

    /// Nothing is to be corrected for now, since the video rests. Returns whether the speed was changed.
    pub(super) fn rest(&mut self) -> bool {
        (self.jump_since, self.trim_since) = (None, None);
        std::mem::take(&mut self.trim_percent) != 0
    }

    fn is_rested(&self, now: Instant) -> bool {
        let rest = doubled(LEAST_REST, self.vain_jumps, MOST_REST);
        self.jumped_at.is_none_or(|at| now.saturating_duration_since(at) >= rest)
    }

    fn trim(&mut self, percent: i8) -> Option<Correction> {
        let before = std::mem::replace(&mut self.trim_percent, percent);
        (before != percent).then(|| Correction::Speed(Speed::trimmed(percent)))
    }
}

fn doubled(least: Duration, times: u32, most: Duration) -> Duration {
    least.saturating_mul(1 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(16);
    const MILLI: f64 = 1e6;

    /// A player that is this far ahead of the party, whose speed changes after what the device holds, and whose own clock is
    /// off by some parts per million.
    struct Player {
        error_nanos: f64,
        off_ppm: f64,
        under_way: VecDeque<i8>,
        trim: i8,
        wanted: i8,
        /// How long a jump takes.
        jump_time: Duration,
        resumes_at: Option<Instant>,
        jumps: usize,
        turns: usize,
    }

    impl Player {
        fn new(error_millis: f64, off_ppm: f64, device_frames: usize, jump_time: Duration) -> Self {
            Self {
                error_nanos: error_millis * MILLI,
                off_ppm,
                under_way: VecDeque::from(vec![0; device_frames]),
                trim: 0,
                wanted: 0,
                jump_time,
                resumes_at: None,
                jumps: 0,
                turns: 0,
            }
        }

        fn frame(&mut self, steering: &mut Steering, noise_nanos: f64, now: Instant) {
            if let Some(at) = self.resumes_at {
                if now < at {
                    return;
                }
                self.resumes_at = None;
            }
            self.under_way.push_back(self.wanted);
            self.trim = self.under_way.pop_front().expect("one was put in");
            self.error_nanos += FRAME.as_nanos() as f64 * (f64::from(self.trim) / 100.0 + self.off_ppm / 1e6);
            match steering.decide((self.error_nanos + noise_nanos) as i64, now) {
                Some(Correction::Speed(speed)) => {
                    let wanted = i8::try_from(speed.percent() as i32 - 100).expect("a trim");
                    assert!(wanted.abs() <= Speed::MOST_TRIM_PERCENT);
                    self.turns += usize::from(wanted.signum() * self.wanted.signum() < 0);
                    self.wanted = wanted;
                }
                Some(Correction::Jump(lead)) => {
                    self.jumps += 1;
                    // Who is there in time waits for the others; who is not is behind by the rest.
                    self.error_nanos = -(self.jump_time.saturating_sub(lead).as_nanos() as f64);
                    self.resumes_at = Some(now + self.jump_time.max(lead));
                }
                None => {}
            }
        }
    }

    proptest! {
        /// From any error, with any device, clock and noise that occur: the error goes, stays away and does not swing, and a small
        /// one costs no jump.
        #[test]
        fn any_error_goes_and_stays_away(
            error_millis in -5_000.0f64..5_000.0,
            off_ppm in -200.0f64..200.0,
            device_frames in 0usize..13,
            jump_millis in 20u64..3_000,
            noise in prop::collection::vec(-1.5f64..1.5, 64),
        ) {
            let mut steering = Steering::default();
            let mut player = Player::new(error_millis, off_ppm, device_frames, Duration::from_millis(jump_millis));
            let mut now = Instant::now();
            let end = now + Duration::from_secs(150);
            let settled = now + Duration::from_secs(90);
            let mut turns_before = 0;
            for frame in 0.. {
                if now > end {
                    break;
                }
                player.frame(&mut steering, noise[frame % noise.len()] * MILLI, now);
                now += FRAME;
                if now < settled {
                    turns_before = player.turns;
                } else {
                    prop_assert!(player.error_nanos.abs() < 15.0 * MILLI, "{} ms", player.error_nanos / MILLI);
                }
            }
            prop_assert_eq!(player.turns, turns_before, "it does not swing");
            prop_assert!(player.turns <= 1);
            let most_jumps = if error_millis.abs() <= 298.0 { 0 } else if jump_millis <= 550 { 1 } else { 5 };
            prop_assert!(player.jumps <= most_jumps, "{} jumps", player.jumps);
        }
    }

    #[test]
    fn a_link_that_stalls_again_and_again_is_jumped_over_less_and_less_often() {
        let mut steering = Steering::default();
        let begun = Instant::now();
        let seconds = |count: u64| (0..count * 60).map(move |frame| begun + FRAME * frame as u32);
        let jumps: Vec<_> = seconds(120)
            .filter(|now| matches!(steering.decide(-900_000_000, *now), Some(Correction::Jump(_))))
            .collect();
        let gaps: Vec<_> = jumps.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(gaps[..4], [2, 4, 8, 16]);
        assert!(gaps[4..].iter().all(|gap| *gap >= 30), "{gaps:?}");
    }

    #[test]
    fn one_reading_that_is_off_changes_nothing() {
        let mut steering = Steering::default();
        let begun = Instant::now();
        for frame in 0..600u32 {
            let error = if frame % 20 == 0 { -400_000_000 } else { 4_000_000 };
            assert_eq!(steering.decide(error, begun + FRAME * frame), None, "frame {frame}");
        }
    }
}
