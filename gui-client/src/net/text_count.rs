//! Which texts of one count have arrived. A sender numbers its texts to one recipient, or to everyone, from 1 on; so the
//! recipient knows which ones are missing, and tells a text that was sent again from a new one. Pure.

/// Ranges of missing texts that are kept. When there are more, the oldest are given up: the window goes on showing that they are
/// missing, and a text of them that comes after all is taken for one from before the beginning.
const MAX_GAPS: usize = 32;

/// What has arrived of one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextCount {
    /// Which count it is: a sender begins a new one, with a higher number, when it has forgotten the last.
    pub(super) count: u64,
    /// Nothing is known of the numbers below this one, and none of them is missing.
    begin: u32,
    /// The highest number that has arrived, or the one before the first that will.
    highest: u32,
    /// Ranges `(first, last)` of numbers that have not arrived, in ascending order, from `begin` to below `highest`.
    gaps: Vec<(u32, u32)>,
}

/// What a text is among those of its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Later than all that have arrived; this number of texts is missing right before it.
    Next {
        /// 0 if the text before it has arrived.
        missing_count: u32,
    },
    /// It was missing.
    Late,
    /// It has arrived before: it was sent again.
    Again,
    /// From before the beginning of what is known.
    Before,
}

impl TextCount {
    /// A count of which nothing has arrived, and the first text to arrive has the number `next`.
    pub(super) fn beginning_with(count: u64, next: u32) -> Self {
        Self { count, begin: next, highest: next.saturating_sub(1), gaps: Vec::new() }
    }

    /// Takes in that the text with this number has arrived.
    pub(super) fn note(&mut self, number: u32) -> Place {
        if number > self.highest {
            let missing_count = number - self.highest - 1;
            if missing_count > 0 {
                self.gaps.push((self.highest + 1, number - 1));
                self.give_up_the_oldest();
            }
            self.highest = number;
            return Place::Next { missing_count };
        }
        let gap = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&number));
        match gap {
            Some(index) => {
                let (first, last) = self.gaps.remove(index);
                let rest = [(first, number.saturating_sub(1)), (number.saturating_add(1), last)];
                let rest = rest.into_iter().filter(|(first, last)| first <= last);
                self.gaps.splice(index..index, rest);
                self.give_up_the_oldest();
                Place::Late
            }
            None if number < self.begin => Place::Before,
            None => Place::Again,
        }
    }

    fn give_up_the_oldest(&mut self) {
        while self.gaps.len() > MAX_GAPS {
            self.begin = self.gaps.remove(0).1.saturating_add(1);
        }
    }

    /// In one word for the disk: `count:begin:highest:gaps`, where gaps are `first-last` between commas.
    pub(super) fn to_word(&self) -> String {
        let gaps: Vec<_> = self.gaps.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        format!("{}:{}:{}:{}", self.count, self.begin, self.highest, gaps.join(","))
    }

    /// Reads what [`Self::to_word`] wrote; `None` when it is not sound.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let mut parts = word.split(':');
        let (count, begin, highest) =
            (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let gaps = parts.next()?.split(',').filter(|gap| !gap.is_empty());
        let gap = |gap: &str| {
            let (first, last) = gap.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let gaps: Vec<(u32, u32)> = gaps.map(gap).collect::<Option<_>>()?;
        let mut least = begin;
        for (first, last) in &gaps {
            if *first < least || last < first || *last >= highest {
                return None;
            }
            least = last + 1;
        }
        (gaps.len() <= MAX_GAPS && parts.next().is_none()).then_some(Self { count, begin, highest, gaps })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_that_was_missing_comes_late_and_one_that_was_there_again() {
        let mut count = TextCount::beginning_with(9, 1);
        let places = [1, 5, 3, 5, 3, 4, 2, 6].map(|number| count.note(number));
        let next = |missing_count| Place::Next { missing_count };
        let expected = [next(0), next(3), Place::Late, Place::Again, Place::Again, Place::Late, Place::Late, next(0)];
        assert_eq!(places, expected);
        assert_eq!(count.gaps, []);
    }

    #[test]
    fn a_newcomer_misses_nothing_that_was_said_before_it_came() {
        let mut count = TextCount::beginning_with(9, 8);
        assert_eq!([10, 7, 9].map(|n| count.note(n)), [Place::Next { missing_count: 2 }, Place::Before, Place::Late]);
    }

    #[test]
    fn a_sender_that_lies_costs_little_memory_and_nothing_overflows() {
        let mut count = TextCount::beginning_with(u64::MAX, 0);
        for number in (0..400_000).step_by(2).chain([u32::MAX, u32::MAX - 1, 0]) {
            count.note(number);
        }
        assert_eq!(count.gaps.len(), MAX_GAPS);
        assert_eq!(count.note(1), Place::Before, "it was given up");
        assert!(count.to_word().len() < 1024);
        assert_eq!(TextCount::from_word(&count.to_word()), Some(count));
    }

    #[test]
    fn words_that_are_not_sound_are_refused() {
        for word in
            ["", "1:1:5", "1:1:5:2-3:", "1:1:5:3-2", "1:1:5:2-5", "1:3:5:2-2", "1:1:9:4-5,2-2", "x:1:5:", "1:1:5:2"]
        {
            assert_eq!(TextCount::from_word(word), None, "{word}");
        }
        assert!(TextCount::from_word("1:1:9:2-2,4-5").is_some());
    }

    proptest! {
        /// In whatever order texts arrive, repeat and get lost, with restarts in between: each is new once, and what is missing
        /// is exactly what has not arrived.
        #[test]
        fn what_is_missing_is_what_has_not_arrived(
            numbers in prop::collection::vec((1u32..60, prop::bool::weighted(0.1)), 1..120),
        ) {
            let (mut count, mut arrived) = (TextCount::beginning_with(5, 1), BTreeSet::new());
            for (number, is_restarted) in numbers {
                let highest = arrived.last().copied().unwrap_or(0);
                let expected = match arrived.insert(number) {
                    false => Place::Again,
                    true if number > highest => Place::Next { missing_count: number - highest - 1 },
                    true => Place::Late,
                };
                prop_assert_eq!(count.note(number), expected);
                let missing: BTreeSet<u32> = count.gaps.iter().flat_map(|(first, last)| *first..=*last).collect();
                let highest = arrived.last().copied().unwrap_or(0);
                prop_assert_eq!(missing, (1..highest).filter(|number| !arrived.contains(number)).collect());
                if is_restarted {
                    count = TextCount::from_word(&count.to_word()).expect("it was just written");
                }
            }
        }
    }
}
