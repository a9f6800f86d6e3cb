//! The latest envelopes that the server relayed. Every client receives all of them, and only the recipients can open one.

use std::collections::VecDeque;

use crate::event::WireEntry;

/// Envelopes that are kept; beyond that the oldest is dropped.
const MAX_ENTRIES: usize = 500;

/// An envelope with its time of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The time of arrival, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
    /// What can be seen of the envelope, and whether it could be opened.
    pub entry: WireEntry,
}

/// A bounded list of envelopes.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    entries: VecDeque<Passed>,
    total: u64,
    dropped: u64,
}

impl Wire {
    /// The envelopes that are kept, newest first.
    pub fn newest_first(&self) -> impl ExactSizeIterator<Item = &Passed> {
        self.entries.iter().rev()
    }

    /// Envelopes in this list so far, kept or not; those that were dropped do not count.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Envelopes that were dropped unopened because too many arrived at once.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn note_dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    pub(super) fn push(&mut self, entry: WireEntry, unix_millis: u64) {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Passed { unix_millis, entry });
        self.total += 1;
    }
}
