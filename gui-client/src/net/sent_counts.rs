//! How many texts were sealed for each recipient, and for everyone: the numbers that they carry. They last as long as the
//! program runs, so that a text that is sent again on a later connection keeps its number. Pure.

use std::collections::HashMap;

use common::{
    crypto::{KeyId, TextNumber},
    limits::MAX_PEOPLE,
};

/// Recipients whose counts are kept. Beyond that all begin anew, which their recipients notice by the number of the count.
const MAX_RECIPIENTS: usize = 2 * MAX_PEOPLE;

/// To whom a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Recipient {
    /// The owner of this key, on whichever server they are.
    Person(KeyId),
    /// Everyone on the server with this certificate (its SHA-256; zeros on a plaintext connection): what is said on another
    /// server must not look like missing here.
    Everyone([u8; 32]),
}

/// The number of the last text to each recipient; 0 when there was none yet.
#[derive(Debug, Default)]
pub(super) struct SentCounts(HashMap<Recipient, TextNumber>);

impl SentCounts {
    /// The number of the next text to `to`. `sequence` is a sequence number of this client that was not used for this before; a
    /// new count takes it.
    pub(super) fn next(&mut self, to: Recipient, sequence: u64) -> TextNumber {
        if self.0.len() >= MAX_RECIPIENTS && !self.0.contains_key(&to) {
            self.0.clear();
        }
        let beginning = TextNumber { count: sequence, number: 0 };
        let last = self.0.entry(to).or_insert(beginning);
        if last.number == u32::MAX {
            *last = beginning;
        }
        TextNumber { number: last.number + 1, ..*last }
    }

    /// The text with this number was sealed.
    pub(super) fn note_sealed(&mut self, to: Recipient, sealed: TextNumber) {
        if let Some(last) = self.0.get_mut(&to).filter(|last| last.count == sealed.count) {
            last.number = last.number.max(sealed.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: Recipient = Recipient::Person(KeyId([2; 32]));
    const HERE: Recipient = Recipient::Everyone([7; 32]);

    fn number(count: u64, number: u32) -> TextNumber {
        TextNumber { count, number }
    }

    #[test]
    fn each_recipient_has_a_count_and_what_is_not_sealed_uses_no_number_up() {
        let mut counts = SentCounts::default();
        assert_eq!([counts.next(BOB, 5), counts.next(BOB, 6)], [number(5, 1); 2]);
        counts.note_sealed(BOB, number(5, 1));
        assert_eq!(counts.next(HERE, 7), number(7, 1));
        counts.note_sealed(HERE, number(7, 1));
        assert_eq!(counts.next(Recipient::Everyone([8; 32]), 8), number(8, 1), "another server");
        assert_eq!(counts.next(HERE, 9), number(7, 2));
        assert_eq!(counts.next(BOB, 8), number(5, 2));
        counts.note_sealed(BOB, number(5, 2));
        // One that is sent again, and one of a count that was forgotten.
        counts.note_sealed(BOB, number(5, 1));
        counts.note_sealed(BOB, number(4, 90));
        assert_eq!(counts.next(BOB, 9), number(5, 3));
        counts.note_sealed(BOB, number(5, u32::MAX));
        assert_eq!(counts.next(BOB, 10), number(10, 1));
    }

    #[test]
    fn counts_take_bounded_memory_and_begin_anew_with_a_higher_number() {
        let mut counts = SentCounts::default();
        counts.note_sealed(BOB, number(0, 1));
        for sequence in 0..3 * MAX_RECIPIENTS as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&sequence.to_be_bytes());
            counts.next(Recipient::Person(KeyId(key)), sequence);
            assert!(counts.0.len() <= MAX_RECIPIENTS);
        }
        assert_eq!(counts.next(BOB, u64::MAX), number(u64::MAX, 1));
    }
}
