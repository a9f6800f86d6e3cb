//! The moment at which the pictures change from one resolution to the next.

use std::time::{Duration, Instant};

use super::{
    PlayerState, Stage,
    showing::{Showing, Splice},
};

/// For this long the new resolution is announced over the picture …
const SHOWN_FOR: Duration = Duration::from_millis(1_500);

/// … and at the end it fades for this long.
const FADES_FOR: Duration = Duration::from_millis(500);

impl Showing {
    /// The resolution that the stream has at the picture on the screen.
    fn planned_height(&self) -> Option<u32> {
        self.picture_index().and(self.segment()).map(|segment| segment.height)
    }

    /// Takes in a picture with `take`, and notes a splice if it belongs to another segment than the one before. The first
    /// picture of an epoch follows none.
    pub(super) fn note_splice(&mut self, now: Instant, take: impl FnOnce(&mut Self)) {
        let before = self.planned_height();
        take(self);
        let after = self.planned_height();
        if before.is_some() && before != after {
            let text = self.short_badges().into_iter().next();
            self.splice = text.map(|text| Splice { text, at: now });
        }
    }
}

impl PlayerState {
    /// The resolution that has just begun, and how visible its announcement is, from 0 to 1.
    pub fn splice(&self, now: Instant) -> Option<(&str, f32)> {
        let showing = self.showing.as_ref().filter(|showing| showing.stage == Stage::Playing)?;
        let splice = showing.splice.as_ref()?;
        let left = SHOWN_FOR.checked_sub(now.saturating_duration_since(splice.at)).filter(|left| !left.is_zero())?;
        Some((&splice.text, (left.as_secs_f32() / FADES_FOR.as_secs_f32()).min(1.0)))
    }
}
