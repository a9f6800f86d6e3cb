//! The speed at which a video is played.

use std::{fmt, time::Duration};

/// A speed: one of [`Speed::ALL`], or the normal one, trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Speed {
    percent: u32,
}

impl Default for Speed {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl Speed {
    /// As it was recorded.
    pub const NORMAL: Self = Self { percent: 100 };

    /// Every speed, from slow to fast.
    pub const ALL: [Self; 6] = [
        Self { percent: 50 },
        Self { percent: 75 },
        Self::NORMAL,
        Self { percent: 125 },
        Self { percent: 150 },
        Self { percent: 200 },
    ];

    /// The most that the normal speed is trimmed by: no one hears that.
    pub const MOST_TRIM_PERCENT: i8 = 2;

    /// The normal speed and this many percent, to make up for being behind, or ahead of, others.
    pub fn trimmed(percent: i8) -> Self {
        let percent = percent.clamp(-Self::MOST_TRIM_PERCENT, Self::MOST_TRIM_PERCENT);
        Self { percent: Self::NORMAL.percent.saturating_add_signed(percent.into()) }
    }

    /// The one of [`Self::ALL`] that is nearest to this speed.
    pub fn nearest(percent: u32) -> Self {
        Self::ALL.into_iter().min_by_key(|speed| speed.percent.abs_diff(percent)).unwrap_or_default()
    }

    /// In percent of the speed at which it was recorded.
    pub fn percent(self) -> u32 {
        self.percent
    }

    /// As a factor.
    pub fn factor(self) -> f64 {
        f64::from(self.percent) / 100.0
    }

    /// The speed this number of steps away, at most the fastest and at least the slowest.
    pub fn changed_by(self, steps: i8) -> Self {
        let place = Self::ALL.iter().position(|speed| *speed == self).unwrap_or_default();
        Self::ALL[place.saturating_add_signed(steps.into()).min(Self::ALL.len() - 1)]
    }

    /// How much of a stream is played in this time.
    pub fn stream_time(self, time: Duration) -> Duration {
        time.saturating_mul(self.percent) / 100
    }

    /// How long it takes to play this much of a stream.
    pub fn real_time(self, stream_time: Duration) -> Duration {
        stream_time.saturating_mul(100) / self.percent
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×", self.factor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_follow_each_other_and_keep_their_bounds() {
        let texts = Speed::ALL.map(|speed| speed.to_string());
        assert_eq!(texts, ["0.5×", "0.75×", "1×", "1.25×", "1.5×", "2×"]);
        for pair in Speed::ALL.windows(2) {
            assert_eq!((pair[0].changed_by(1), pair[1].changed_by(-1)), (pair[1], pair[0]));
        }
        assert_eq!(Speed::ALL[5].changed_by(1), Speed::ALL[5]);
        assert_eq!(Speed::ALL[0].changed_by(-3), Speed::ALL[0]);
        assert_eq!(
            (Speed::nearest(0), Speed::nearest(160), Speed::nearest(u32::MAX)),
            (Speed::ALL[0], Speed::ALL[4], Speed::ALL[5])
        );
    }

    #[test]
    fn stream_time_and_real_time_are_the_same_at_normal_speed() {
        let time = Duration::from_nanos(33_333_333);
        assert_eq!((Speed::NORMAL.stream_time(time), Speed::NORMAL.real_time(time)), (time, time));
        let double = Speed::nearest(200);
        assert_eq!((double.stream_time(time), double.real_time(2 * time)), (2 * time, time));
    }
}
