//! The sequence numbers of envelopes that were opened, so that each is opened once.

use std::collections::HashMap;

use common::{crypto::KeyId, limits::MAX_PEOPLE};

/// Senders whose last sequence number is remembered. All people online fit.
const MAX_REMEMBERED_SENDERS: usize = 2 * MAX_PEOPLE;

/// Sequence numbers of opened messages. They outlive a connection, so that an envelope that was opened once is not opened
/// again on the next one.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    opened: HashMap<KeyId, LastOpened>,
    /// Messages opened in all.
    opened_count: u64,
}

/// The message with the highest sequence number that a sender's key opened.
#[derive(Debug)]
struct LastOpened {
    /// A message with this number or a lower one is a replay.
    sequence: u64,
    /// Its place among all messages opened.
    opened_as: u64,
}

impl Sequences {
    pub(super) fn is_replay(&self, sender: &KeyId, sequence: u64) -> bool {
        self.opened.get(sender).is_some_and(|last| sequence <= last.sequence)
    }

    /// Remembers an opened message. Beyond [`MAX_REMEMBERED_SENDERS`], the sender whose last message is oldest is forgotten,
    /// but none that is online: a server could otherwise fill the memory with keys, or replay a message of someone present.
    pub(super) fn note_opened(&mut self, sender: KeyId, sequence: u64, is_online: impl Fn(&KeyId) -> bool) {
        self.opened_count += 1;
        self.opened.insert(sender, LastOpened { sequence, opened_as: self.opened_count });
        if self.opened.len() > MAX_REMEMBERED_SENDERS {
            let offline = self.opened.iter().filter(|(key, _)| !is_online(key));
            let oldest = offline.min_by_key(|(_, last)| last.opened_as).map(|(key, _)| *key);
            oldest.and_then(|key| self.opened.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_forgotten_oldest_first_and_never_while_they_are_online() {
        let key = |number: usize| {
            let mut key = KeyId([0; 32]);
            key.0[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        let mut sequences = Sequences::default();
        let is_online = |online: &KeyId| *online == key(0);
        for number in 0..3 * MAX_REMEMBERED_SENDERS {
            sequences.note_opened(key(number), 7, is_online);
        }
        assert_eq!(sequences.opened.len(), MAX_REMEMBERED_SENDERS);
        assert!(sequences.is_replay(&key(0), 7), "online");
        assert!(sequences.is_replay(&key(3 * MAX_REMEMBERED_SENDERS - 1), 7), "recent");
        assert!(!sequences.is_replay(&key(1), 7), "left long ago");
        assert!(!sequences.is_replay(&key(0), 8), "a later message");
    }
}
