//! The last envelopes that passed by: everybody gets all of them, and each opens for its recipients only.

use std::collections::VecDeque;

use crate::event::WireEntry;

/// Envelopes kept; the oldest fall away.
const MAX_ENTRIES: usize = 500;

/// An envelope and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
    /// What was seen of it.
    pub entry: WireEntry,
}

/// The list, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    entries: VecDeque<Passed>,
    total: u64,
}

impl Wire {
    /// Envelopes, newest first.
    pub fn newest_first(&self) -> impl ExactSizeIterator<Item = &Passed> {
        self.entries.iter().rev()
    }

    /// How many came in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn push(&mut self, entry: WireEntry, unix_millis: u64) {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Passed { unix_millis, entry });
        self.total += 1;
    }
}
