//! What this client remembers of the envelopes that it opened, for each sender, so that none is opened again: not on the next
//! connection, and not by the next run of the program. Pure; [`super::received_file`] keeps it on the disk.

use std::collections::HashMap;

use common::{crypto::KeyId, limits::MAX_PEOPLE};

use super::sequences::Sequences;

/// Senders that are remembered. All people online fit.
const MAX_SENDERS: usize = 2 * MAX_PEOPLE;

/// What was opened of all senders.
#[derive(Debug, Default)]
pub(super) struct Received {
    senders: HashMap<KeyId, Sender>,
    /// Envelopes opened in all.
    opened_count: u64,
}

#[derive(Debug, Default)]
struct Sender {
    sequences: Sequences,
    /// The place of the last envelope among all that were opened.
    opened_as: u64,
}

/// What is kept of one sender for the next run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    /// The sender's key.
    pub(super) sender: KeyId,
    /// The highest sequence number that was opened; the next run refuses everything up to it.
    pub(super) highest: u64,
}

impl Received {
    /// As an earlier run left it, the sender whose last envelope is oldest first.
    pub(super) fn of_an_earlier_run(remembered: impl IntoIterator<Item = Remembered>) -> Self {
        let mut received = Self::default();
        for Remembered { sender, highest } in remembered {
            received.opened_count += 1;
            let opened_as = received.opened_count;
            received.senders.insert(sender, Sender { sequences: Sequences::up_to(highest), opened_as });
        }
        received
    }

    /// Whether an envelope of `sender` with this number was opened before, or is too old to be sure that it was not.
    pub(super) fn is_replay(&self, sender: &KeyId, sequence: u64) -> bool {
        self.senders.get(sender).is_some_and(|sender| sender.sequences.is_replay(sequence))
    }

    /// Remembers an envelope that was opened. Beyond [`MAX_SENDERS`], the sender whose last envelope is oldest is forgotten,
    /// but none that is online: a server could otherwise fill the memory with keys, or replay a message of someone present.
    pub(super) fn note_opened(&mut self, sender: KeyId, sequence: u64, is_online: impl Fn(&KeyId) -> bool) {
        self.opened_count += 1;
        let entry = self.senders.entry(sender).or_default();
        entry.opened_as = self.opened_count;
        entry.sequences.note_opened(sequence);
        if self.senders.len() > MAX_SENDERS {
            let offline = self.senders.iter().filter(|(key, _)| !is_online(key));
            let oldest = offline.min_by_key(|(_, last)| last.opened_as).map(|(key, _)| *key);
            oldest.and_then(|key| self.senders.remove(&key));
        }
    }

    /// What the next run is to remember, the sender whose last envelope is oldest first.
    pub(super) fn remembered(&self) -> Vec<Remembered> {
        let mut senders: Vec<_> = self.senders.iter().collect();
        senders.sort_unstable_by_key(|(_, sender)| sender.opened_as);
        let remembered =
            |(key, sender): (&KeyId, &Sender)| Some(Remembered { sender: *key, highest: sender.sequences.highest()? });
        senders.into_iter().filter_map(remembered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> KeyId {
        let mut key = KeyId([0; 32]);
        key.0[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn senders_are_forgotten_oldest_first_and_never_while_they_are_online() {
        let mut received = Received::default();
        let is_online = |online: &KeyId| *online == key(0);
        for number in 0..3 * MAX_SENDERS {
            received.note_opened(key(number), 7, is_online);
        }
        assert_eq!(received.senders.len(), MAX_SENDERS);
        assert!(received.is_replay(&key(0), 7), "online");
        assert!(received.is_replay(&key(3 * MAX_SENDERS - 1), 7), "recent");
        assert!(!received.is_replay(&key(1), 7), "left long ago");
        assert!(!received.is_replay(&key(0), 8), "a later message");
    }

    #[test]
    fn the_next_run_refuses_everything_up_to_the_highest_number_of_each_sender() {
        let mut received = Received::default();
        for (sender, sequence) in [(1, 10), (2, 70), (1, 30), (1, 20)] {
            received.note_opened(key(sender), sequence, |_| true);
        }
        let remembered = received.remembered();
        let order: Vec<_> = remembered.iter().map(|one| (one.sender, one.highest)).collect();
        assert_eq!(order, [(key(2), 70), (key(1), 30)], "the latest sender last");
        let next = Received::of_an_earlier_run(remembered);
        let refused = |sender: usize, sequence: u64| next.is_replay(&key(sender), sequence);
        assert!(refused(1, 30) && refused(1, 25) && refused(2, 70) && !refused(1, 31) && !refused(3, 1));
    }
}
