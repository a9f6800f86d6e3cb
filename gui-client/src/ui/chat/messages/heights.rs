//! How high the rows of a conversation are, and which part of it is in sight. Only rows that are drawn are measured; the
//! others keep the height that they had, or an estimate. What is in sight stays where it is when that turns out to be
//! wrong, when messages come or go above it, and when the width changes. Pure.

use std::collections::HashMap;

use crate::state::conversation::{Conversation, Serial};

/// Width of a letter of running text, on average, in points.
const LETTER_WIDTH: f32 = 7.0;

/// Height of a line of running text, in points.
const LINE_HEIGHT: f32 = 19.0;

/// Height of a row besides its lines, in points.
const ROW_REST: f32 = 18.0;

/// What lies over the upper edge of the visible part: the day.
pub(super) const COVERED: f32 = 32.0;

/// The place that stays where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    /// The end of the conversation is at the lower edge.
    End,
    /// The row of this message begins at this distance below the upper edge, in points.
    Row(Serial, f32),
}

/// The heights of all rows, in points.
#[derive(Debug, Default)]
pub(super) struct Heights {
    rows: Vec<(Serial, f32)>,
    /// The state of the conversation that the rows are of.
    revision: Option<u64>,
}

impl Heights {
    /// Takes in which messages there are, and how wide the rows are.
    pub(super) fn follow(&mut self, conversation: &Conversation, width: f32) {
        if self.revision == Some(conversation.revision()) {
            return;
        }
        self.revision = Some(conversation.revision());
        let before: HashMap<_, _> = self.rows.drain(..).collect();
        let estimate = |text: &str| {
            let lines = text.lines().map(|line| (line.len() as f32 * LETTER_WIDTH / width.max(1.0)).floor() + 1.0);
            lines.sum::<f32>() * LINE_HEIGHT + ROW_REST
        };
        let rows = conversation.messages.iter().map(|message| {
            let known = before.get(&message.serial).copied();
            (message.serial, known.unwrap_or_else(|| estimate(&message.text)))
        });
        self.rows = rows.collect();
    }

    /// The number of rows.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The row of this message.
    pub(super) fn find(&self, serial: Serial) -> Option<usize> {
        self.rows.iter().position(|(other, _)| *other == serial)
    }

    /// The message of this row.
    pub(super) fn serial(&self, index: usize) -> Option<Serial> {
        Some(self.rows.get(index)?.0)
    }

    /// The height of this row.
    pub(super) fn height(&self, index: usize) -> f32 {
        self.rows.get(index).map_or(0.0, |(_, height)| *height)
    }

    /// Where this row begins, or where the last one ends.
    pub(super) fn top(&self, index: usize) -> f32 {
        self.rows[..index].iter().map(|(_, height)| height).sum()
    }

    /// The height of all rows.
    pub(super) fn total(&self) -> f32 {
        self.top(self.rows.len())
    }

    /// The row that this height is in, and where that begins.
    pub(super) fn row_at(&self, y: f32) -> Option<(usize, f32)> {
        let mut top = 0.0;
        for (index, (_, height)) in self.rows.iter().enumerate() {
            if y < top + height {
                return Some((index, top));
            }
            top += height;
        }
        None
    }

    /// Measures the rows that are in sight with this anchor, and returns where the visible part begins. While the anchor is the
    /// end, the row `least` does not leave the visible part.
    pub(super) fn settle(
        &mut self,
        anchor: Anchor,
        least: Option<Serial>,
        view_height: f32,
        mut measure: impl FnMut(usize) -> f32,
    ) -> f32 {
        let mut take = |rows: &mut Vec<(Serial, f32)>, index: usize| {
            rows[index].1 = measure(index);
            rows[index].1
        };
        let mut least = least.and_then(|serial| self.find(serial));
        let mut row = match anchor {
            Anchor::End => None,
            Anchor::Row(serial, top) => self.nearest(serial).map(|index| (index, top)),
        };
        loop {
            let Some((index, top)) = row else {
                // From the end up.
                let (mut height, mut first) = (0.0, self.count());
                while first > 0 && height < view_height {
                    first -= 1;
                    height += take(&mut self.rows, first);
                }
                let offset = (self.total() - view_height).max(0.0);
                match least.take().filter(|least| offset > 0.0 && self.top(*least) < offset + COVERED) {
                    Some(least) => row = Some((least, COVERED)),
                    None => return offset,
                }
                continue;
            };
            let mut bottom = top;
            for other in index..self.count() {
                if bottom >= view_height {
                    break;
                }
                bottom += take(&mut self.rows, other);
            }
            if bottom < view_height {
                (row, least) = (None, None);
                continue;
            }
            let (mut first_top, mut first) = (top, index);
            while first_top > 0.0 && first > 0 {
                first -= 1;
                first_top -= take(&mut self.rows, first);
            }
            if first_top > 0.0 {
                row = Some((0, 0.0));
                continue;
            }
            return self.top(index) - top;
        }
    }

    /// The row of this message; if it is gone, the first one, because the oldest go first.
    fn nearest(&self, serial: Serial) -> Option<usize> {
        self.find(serial).or_else(|| self.rows.first().filter(|(first, _)| *first > serial).map(|_| 0))
    }

    /// What is to stay where it is from now on: the first of the rows `shown` that begins in sight, or else the row that covers
    /// the upper edge.
    pub(super) fn anchor_at(&self, offset: f32, view_height: f32, shown: std::ops::Range<usize>) -> Anchor {
        if offset + view_height >= self.total() - END_TOLERANCE {
            return Anchor::End;
        }
        let mut top = self.top(shown.start.min(self.count()));
        for (serial, height) in self.rows.get(shown).unwrap_or_default() {
            if (offset..offset + view_height).contains(&top) {
                return Anchor::Row(*serial, top - offset);
            }
            top += height;
        }
        match self.row_at(offset.max(0.0)) {
            Some((index, top)) => Anchor::Row(self.rows[index].0, top - offset),
            None => Anchor::End,
        }
    }
}

/// The end counts as in sight up to this distance from it, in points.
const END_TOLERANCE: f32 = 4.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heights(rows: &[f32]) -> Heights {
        let rows = rows.iter().enumerate().map(|(index, height)| (Serial(index as u64), *height)).collect();
        Heights { rows, revision: None }
    }

    proptest! {
        /// Whatever the rows were thought to be: those in sight are measured, the visible part is within the conversation, and a
        /// row that was in sight stays where it is, unless an end of the conversation would leave a gap.
        #[test]
        fn a_row_in_sight_stays_where_it_is(
            rows in prop::collection::vec((10u32..400, 10u32..400), 1..60),
            start in 0.0..1.0f32,
            view_height in 50u32..600,
            scrolled in -300i32..300,
        ) {
            let view_height = view_height as f32;
            let (thought, real): (Vec<_>, Vec<_>) = rows.iter().map(|(a, b)| (*a as f32, *b as f32)).unzip();
            let mut heights = heights(&thought);
            let mut anchor = Anchor::Row(Serial((start * (rows.len() - 1) as f32) as u64), 0.0);
            for delta in [0.0, scrolled as f32, 0.0] {
                let mut measured = vec![false; rows.len()];
                let offset = heights.settle(anchor, None, view_height, |index| { measured[index] = true; real[index] });
                let most = (heights.total() - view_height).max(0.0);
                prop_assert!((-0.01..=most + 0.01).contains(&offset), "{} of {}", offset, most);
                let visible: Vec<usize> = (0..rows.len())
                    .filter(|index| heights.top(*index) < offset + view_height && heights.top(index + 1) > offset)
                    .collect();
                prop_assert!(visible.iter().all(|index| measured[*index]), "{:?} {:?}", visible, measured);
                if let Anchor::Row(serial, top) = anchor {
                    let shown_at = heights.top(serial.0 as usize) - offset;
                    let is_at_end = offset <= 0.01 || offset >= most - 0.01;
                    prop_assert!(is_at_end || (shown_at - top).abs() < 0.01, "{} instead of {}", shown_at, top);
                }
                let offset = (offset + delta).clamp(0.0, most);
                let shown = visible.first().copied().unwrap_or(0)..visible.last().map_or(0, |last| last + 1);
                anchor = heights.anchor_at(offset, view_height, shown);
            }
        }
    }

    #[test]
    fn the_end_stays_at_the_lower_edge_unless_new_messages_would_leave_the_view() {
        let mut four = heights(&[100.0; 4]);
        assert_eq!(four.settle(Anchor::End, None, 150.0, |_| 100.0), 250.0);
        assert_eq!(four.settle(Anchor::End, Some(Serial(3)), 150.0, |_| 100.0), 250.0, "it is in sight");
        assert_eq!(
            four.settle(Anchor::End, Some(Serial(1)), 150.0, |_| 100.0),
            100.0 - COVERED,
            "it is the first one in sight"
        );
        assert_eq!(four.settle(Anchor::End, Some(Serial(0)), 900.0, |_| 100.0), 0.0, "everything is in sight");
    }

    #[test]
    fn the_oldest_take_the_place_of_a_message_that_is_gone() {
        let mut rows = heights(&[100.0; 4]);
        rows.rows.remove(0);
        assert_eq!(rows.settle(Anchor::Row(Serial(0), -50.0), None, 150.0, |_| 100.0), 50.0);
        assert_eq!(rows.settle(Anchor::Row(Serial(9), 0.0), None, 150.0, |_| 100.0), 150.0, "of another account");
    }
}
