//! The envelopes that this client sealed for all, until the server relays them back. The sender that an envelope names proves
//! nothing to this client, which cannot open what it sealed itself: an envelope is its own if it is, byte by byte, one that it
//! has sent, and the first that comes back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use common::crypto::{Envelope, sha256};

/// Envelopes that may be on their way. Far fewer are: each takes milliseconds to seal, and the queues before the socket are short.
const MAX_AWAITED: usize = 4096;

/// What one connection has sent. The thread with the private key notes it, the network task looks it up.
#[derive(Clone, Default)]
pub(super) struct Echoes(Arc<Mutex<Awaited>>);

impl Echoes {
    /// Notes an envelope that is about to be sent.
    pub(super) fn expect(&self, envelope: &Envelope) {
        self.lock().expect(sha256(envelope.as_bytes()));
    }

    /// Whether this is an envelope that was sent. It is no longer when it comes again.
    pub(super) fn take(&self, envelope: &Envelope) -> bool {
        self.lock().take(sha256(envelope.as_bytes()))
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        // Poisoning is ignored: each change is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SHA-256 of the envelopes, in the order of sending. A server that keeps the order returns the first one next.
#[derive(Debug, Default)]
struct Awaited(VecDeque<[u8; 32]>);

impl Awaited {
    fn expect(&mut self, hash: [u8; 32]) {
        if self.0.len() == MAX_AWAITED {
            self.0.pop_front();
        }
        self.0.push_back(hash);
    }

    fn take(&mut self, hash: [u8; 32]) -> bool {
        let place = self.0.iter().position(|awaited| *awaited == hash);
        place.and_then(|place| self.0.remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use common::{crypto::test_keys, test_messages::letter};

    use super::*;

    #[test]
    fn what_was_sent_comes_back_once_and_in_any_order() {
        let (ada, bob) = (test_keys::ada(), test_keys::bob());
        let echoes = Echoes::default();
        let sent: Vec<Envelope> = (1..=3).map(|number| letter("x", number, &ada, &bob)).collect();
        sent.iter().for_each(|envelope| echoes.expect(envelope));
        assert!(!echoes.take(&letter("x", 1, &ada, &bob)), "the same text, sealed once more");
        for number in [1, 0, 2] {
            assert!(echoes.take(&sent[number]));
            assert!(!echoes.take(&sent[number]), "a repetition");
        }
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut awaited = Awaited::default();
        let hash = |number: usize| sha256(&number.to_be_bytes());
        (0..=MAX_AWAITED).for_each(|number| awaited.expect(hash(number)));
        assert_eq!(awaited.0.len(), MAX_AWAITED);
        assert!(!awaited.take(hash(0)), "the oldest gave way");
        assert!(awaited.take(hash(1)) && awaited.take(hash(MAX_AWAITED)));
    }
}
