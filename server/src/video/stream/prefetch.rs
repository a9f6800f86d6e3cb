//! How far ahead of a viewer the next segments are opened and searched. Pure: it is told the time.
//!
//! A seek far into a file with few key frames takes seconds, whatever the viewer does meanwhile. So what counts is the time
//! until the viewer arrives: one who takes pictures ten times as fast as they are shown needs the next file ten times as far
//! ahead in the stream.

use std::time::Duration;

/// Time between the opening of a segment and its first picture, at the pace of the viewer.
const LEAD_NANOS: u64 = 10_000_000_000;

/// Pictures with which viewers fill their buffers, as fast as they can. They say nothing about the pace.
const BURST_PICTURES: u32 = 64;

/// Stream that must have passed before a pace is believed.
const LEAST_NANOS: u64 = 400_000_000;

/// How long a pace is remembered: between one and two of these.
const MEMORY: Duration = Duration::from_secs(1);

/// More than this makes no difference to videos of less than ten minutes, and bounds what one stall can do.
const MAX_PACE: f64 = 60.0;

/// From this pace on, all files within the lead are searched at the same time.
const HURRY: f64 = 3.0;

/// The pace at which a viewer takes pictures.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pictures: u32,
    /// Two earlier pictures, the older one first.
    marks: Option<[Mark; 2]>,
    last: Mark,
}

/// A picture that the viewer took.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// When, since the stream began.
    at: Duration,
    /// Its time in the stream.
    pts_nanos: u64,
}

impl Pace {
    /// The viewer takes a picture, so long after it began.
    pub(super) fn note(&mut self, at: Duration, pts_nanos: u64) {
        let mark = Mark { at, pts_nanos };
        (self.pictures, self.last) = (self.pictures.saturating_add(1), mark);
        if self.pictures < BURST_PICTURES {
            return;
        }
        match &mut self.marks {
            None => self.marks = Some([mark; 2]),
            Some([older, newer]) if at.saturating_sub(newer.at) >= MEMORY => (*older, *newer) = (*newer, mark),
            Some(_) => {}
        }
    }

    /// How far ahead of the last picture a segment is opened.
    pub(super) fn lead_nanos(&self) -> u64 {
        (LEAD_NANOS as f64 * self.pace().clamp(1.0, MAX_PACE)) as u64
    }

    /// Whether the viewer takes pictures so fast that searching one file after the other would take too long.
    pub(super) fn is_hurried(&self) -> bool {
        self.pace() >= HURRY
    }

    /// Time in the stream by time.
    fn pace(&self) -> f64 {
        self.marks.map_or(1.0, |[since, _]| {
            let passed_nanos = self.last.pts_nanos.saturating_sub(since.pts_nanos);
            let took_nanos = self.last.at.saturating_sub(since.at).as_nanos().max(1);
            if passed_nanos < LEAST_NANOS { 1.0 } else { passed_nanos as f64 / took_nanos as f64 }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD_NANOS: u64 = 40_000_000;

    /// A viewer that takes `burst` pictures at once, then one each `micros`.
    fn after(pictures: u64, burst: u64, micros: u64) -> Pace {
        let mut pace = Pace::default();
        for number in 0..pictures {
            pace.note(Duration::from_micros(number.saturating_sub(burst) * micros), number * PERIOD_NANOS);
        }
        pace
    }

    #[test]
    fn one_that_fills_its_buffer_and_then_plays_is_no_hurried_one() {
        for pictures in [0, 1, 36, 64, 65, 75, 80, 200, 5000] {
            let pace = after(pictures, 36, 40_000);
            assert_eq!((pace.lead_nanos(), pace.is_hurried()), (LEAD_NANOS, false), "{pictures} pictures");
        }
    }

    #[test]
    fn one_that_takes_all_it_can_get_is_served_earlier() {
        let lead = after(200, 64, 2_000).lead_nanos();
        assert!(after(200, 64, 2_000).is_hurried());
        assert!((19 * LEAD_NANOS..=21 * LEAD_NANOS).contains(&lead), "{lead}");
        assert_eq!(after(2000, 0, 1).lead_nanos(), 60 * LEAD_NANOS, "there is a limit");
    }

    #[test]
    fn one_that_has_calmed_down_is_so_within_two_seconds() {
        let mut pace = after(1000, 0, 2_000);
        let (begun, from) = (pace.last.at, pace.last.pts_nanos);
        for number in 1..=60 {
            pace.note(begun + Duration::from_millis(40 * number), from + number * PERIOD_NANOS);
        }
        assert!(pace.lead_nanos() < LEAD_NANOS * 11 / 10, "{}", pace.lead_nanos());
    }

    proptest! {
        #[test]
        fn the_lead_is_never_less_than_that_of_one_who_plays(steps in prop::collection::vec((0u64..2_000_000, 0u64..1 << 40), 0..300)) {
            let (mut pace, mut at, mut pts_nanos) = (Pace::default(), 0, 0);
            for (micros, nanos) in steps {
                (at, pts_nanos) = (at + micros, pts_nanos + nanos);
                pace.note(Duration::from_micros(at), pts_nanos);
                prop_assert!((LEAD_NANOS..=60 * LEAD_NANOS).contains(&pace.lead_nanos()));
            }
        }
    }
}
