//! Which sequence numbers of one sender were opened, so that each envelope is opened once, in whatever order they arrive. Pure.

/// Numbers that are remembered of each sender. An envelope may be overtaken by this many later ones of its sender.
pub(super) const WINDOW: usize = 64;

/// The highest numbers that were opened. Numbers are times in microseconds and not consecutive, so they are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    /// Everything up to this number is refused: it may have been opened by an earlier run of the program.
    floor: Option<u64>,
    /// In ascending order, above the floor, up to [`WINDOW`] of them. When there are as many, lower numbers are refused.
    recent: Vec<u64>,
}

impl Sequences {
    /// As an earlier run of the program left them: everything up to `highest` is refused.
    pub(super) fn up_to(highest: u64) -> Self {
        Self { floor: Some(highest), recent: Vec::new() }
    }

    /// Whether an envelope with this number was opened before, or is too old to be sure that it was not.
    pub(super) fn is_replay(&self, number: u64) -> bool {
        let is_below = self.floor.is_some_and(|floor| number <= floor);
        let is_too_old = self.recent.len() == WINDOW && number < self.recent[0];
        is_below || is_too_old || self.recent.binary_search(&number).is_ok()
    }

    /// Remembers the number of an envelope that was opened and is no replay.
    pub(super) fn note_opened(&mut self, number: u64) {
        if self.recent.len() == WINDOW {
            self.recent.remove(0);
        }
        let place = self.recent.partition_point(|recent| *recent < number);
        self.recent.insert(place, number);
    }

    /// The highest number that was opened.
    pub(super) fn highest(&self) -> Option<u64> {
        self.recent.last().copied().or(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_earlier_run_left_is_refused_up_to_its_highest_number() {
        let mut sequences = Sequences::up_to(7);
        assert_eq!([0, 6, 7, 8].map(|number| sequences.is_replay(number)), [true, true, true, false]);
        assert_eq!(sequences.highest(), Some(7));
        sequences.note_opened(9);
        assert_eq!([7, 8, 9].map(|number| sequences.is_replay(number)), [true, false, true]);
        assert_eq!(sequences.highest(), Some(9));
    }

    proptest! {
        /// Whatever the order: no number is opened twice, and one that is overtaken by fewer than [`WINDOW`] later ones is
        /// opened.
        #[test]
        fn each_number_is_opened_once_and_late_ones_within_the_window_are(
            numbers in prop::collection::vec(prop_oneof![0u64..300, any::<u64>()], 1..400),
        ) {
            let (mut sequences, mut opened) = (Sequences::default(), BTreeSet::new());
            for number in numbers {
                let later = opened.range(number..).count();
                if sequences.is_replay(number) {
                    prop_assert!(opened.contains(&number) || later >= WINDOW, "{number} was refused");
                } else {
                    prop_assert!(opened.insert(number), "{number} was opened twice");
                    sequences.note_opened(number);
                }
                prop_assert!(sequences.recent.len() <= WINDOW);
                prop_assert_eq!(sequences.highest(), opened.last().copied());
            }
        }
    }
}
