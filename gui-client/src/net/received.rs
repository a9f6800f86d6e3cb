//! What this client remembers of the envelopes that it opened, for each sender, so that none is opened again: not on the next
//! connection, and not by the next run of the program. Pure; [`super::received_file`] keeps it on the disk.

use std::collections::HashMap;

use common::{
    crypto::{KeyId, TextNumber},
    limits::MAX_PEOPLE,
};

use super::{
    sequences::Sequences,
    text_count::{Place, TextCount},
};

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
    /// Of the texts to this client.
    letters: Option<TextCount>,
    /// Of the texts to everyone, since this client came online.
    to_everyone: Option<TextCount>,
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
    /// Which texts to this client have arrived.
    pub(super) letters: Option<TextCount>,
}

impl Received {
    /// As an earlier run left it, the sender whose last envelope is oldest first.
    pub(super) fn of_an_earlier_run(remembered: impl IntoIterator<Item = Remembered>) -> Self {
        let mut received = Self::default();
        for Remembered { sender, highest, letters } in remembered {
            received.opened_count += 1;
            let (sequences, opened_as) = (Sequences::up_to(highest), received.opened_count);
            received.senders.insert(sender, Sender { sequences, letters, opened_as, ..Sender::default() });
        }
        received
    }

    /// This client comes online: what is said to everyone before it is handed a sender key is not for it.
    pub(super) fn begin_connection(&mut self) {
        self.senders.values_mut().for_each(|sender| sender.to_everyone = None);
    }

    /// Takes in a sender key, with the number of the next text to everyone. Of those before it, this client misses none that it
    /// knew nothing of.
    pub(super) fn note_sender_key(&mut self, sender: KeyId, next: TextNumber) {
        let to_everyone = &mut self.senders.entry(sender).or_default().to_everyone;
        if to_everyone.as_ref().is_none_or(|known| known.count < next.count) {
            *to_everyone = Some(TextCount::beginning_with(next.count, next.number));
        }
    }

    /// Takes in a text, and says what it is among those of its sender to this client, or to everyone.
    pub(super) fn note_text(&mut self, sender: KeyId, is_to_everyone: bool, number: TextNumber) -> Place {
        let sender = self.senders.entry(sender).or_default();
        let (known, first) = match is_to_everyone {
            true => (&mut sender.to_everyone, number.number),
            false => (&mut sender.letters, 1),
        };
        if known.as_ref().is_none_or(|known| known.count < number.count) {
            *known = Some(TextCount::beginning_with(number.count, first));
        }
        let known = known.as_mut().filter(|known| known.count == number.count);
        known.map_or(Place::Before, |known| known.note(number.number))
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
        let remembered = |(key, sender): (&KeyId, &Sender)| {
            let (highest, letters) = (sender.sequences.highest()?, sender.letters.clone());
            Some(Remembered { sender: *key, highest, letters })
        };
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
    fn texts_are_counted_for_this_client_and_for_everyone_and_a_later_count_replaces_the_one_before() {
        let (mut received, next) = (Received::default(), |missing_count| Place::Next { missing_count });
        let mut note =
            |is_to_everyone, count, number| received.note_text(key(1), is_to_everyone, TextNumber { count, number });
        assert_eq!(note(false, 10, 3), next(2), "the first two letters are missing");
        assert_eq!(note(true, 10, 3), next(0), "and nothing that was said to everyone before");
        assert_eq!(note(false, 10, 3), Place::Again);
        assert_eq!(note(false, 10, 1), Place::Late);
        assert_eq!(note(false, 11, 1), next(0), "the sender was restarted");
        assert_eq!(note(false, 10, 2), Place::Before);
        assert_eq!(note(true, 10, 5), next(1));
    }

    #[test]
    fn of_what_is_said_to_everyone_a_newcomer_misses_what_comes_after_its_first_sender_key() {
        let mut received = Received::default();
        let number = |number| TextNumber { count: 10, number };
        let note = |received: &mut Received, n| received.note_text(key(1), true, number(n));
        received.note_sender_key(key(1), number(8));
        assert_eq!(note(&mut received, 9), Place::Next { missing_count: 1 });
        // The next sender key comes when 10 has been said.
        received.note_sender_key(key(1), number(11));
        assert_eq!(note(&mut received, 11), Place::Next { missing_count: 1 });
        received.begin_connection();
        received.note_sender_key(key(1), number(20));
        assert_eq!(note(&mut received, 20), Place::Next { missing_count: 0 }, "it was away");
    }

    #[test]
    fn the_next_run_refuses_everything_up_to_the_highest_number_of_each_sender() {
        let mut received = Received::default();
        for (sender, sequence) in [(1, 10), (2, 70), (1, 30), (1, 20)] {
            received.note_opened(key(sender), sequence, |_| true);
        }
        for number in 1..=3 {
            received.note_text(key(1), false, TextNumber { count: 10, number });
        }
        let remembered = received.remembered();
        let order: Vec<_> = remembered.iter().map(|one| (one.sender, one.highest)).collect();
        assert_eq!(order, [(key(2), 70), (key(1), 30)], "the latest sender last");
        let mut next = Received::of_an_earlier_run(remembered);
        let number = TextNumber { count: 10, number: 4 };
        assert_eq!(next.note_text(key(1), false, number), Place::Next { missing_count: 0 });
        let refused = |sender: usize, sequence: u64| next.is_replay(&key(sender), sequence);
        assert!(refused(1, 30) && refused(1, 25) && refused(2, 70) && !refused(1, 31) && !refused(3, 1));
    }
}
