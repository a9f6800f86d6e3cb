//! The envelopes that wait for the thread with the private key, in the order of their arrival. The queue is bounded, and
//! when it is full the oldest envelope of the sender with the largest share of it gives way: a sender who floods loses
//! their own envelopes and no one else's. Pure.

use std::collections::{HashMap, VecDeque};

use common::crypto::KeyId;

/// Envelopes that may wait.
pub(super) const MAX_ENVELOPES: usize = 256;
/// Size of all envelopes that may wait. The longest has about 12 KiB.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A bounded queue of envelopes, or of what stands for them.
#[derive(Debug)]
pub(super) struct EnvelopeQueue<T> {
    waiting: VecDeque<Waiting<T>>,
    by_sender: HashMap<KeyId, Share>,
    all: Share,
}

/// What of the queue belongs to a sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    envelopes: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    sender: KeyId,
    bytes: usize,
    envelope: T,
}

impl<T> Default for EnvelopeQueue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), by_sender: HashMap::new(), all: Share::default() }
    }
}

impl<T> EnvelopeQueue<T> {
    /// Appends an envelope of `bytes` bytes. Returns those that gave way to it, which may include itself.
    pub(super) fn push(&mut self, sender: KeyId, bytes: usize, envelope: T) -> Vec<T> {
        self.waiting.push_back(Waiting { sender, bytes, envelope });
        for share in [self.by_sender.entry(sender).or_default(), &mut self.all] {
            share.envelopes += 1;
            share.bytes += bytes;
        }
        let mut dropped = Vec::new();
        while self.all.envelopes > MAX_ENVELOPES {
            dropped.extend(self.drop_one(sender, |share| share.envelopes));
        }
        while self.all.bytes > MAX_BYTES {
            dropped.extend(self.drop_one(sender, |share| share.bytes));
        }
        dropped
    }

    /// Takes the envelope that has waited longest.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.remove(0)
    }

    /// Drops the oldest envelope of the sender with the largest share; of several, of the one who has just sent.
    fn drop_one(&mut self, latest: KeyId, size: impl Fn(&Share) -> usize) -> Option<T> {
        let largest = self.by_sender.iter().max_by_key(|(sender, share)| (size(share), **sender == latest, **sender));
        let largest = *largest?.0;
        let oldest = self.waiting.iter().position(|waiting| waiting.sender == largest)?;
        self.remove(oldest)
    }

    fn remove(&mut self, place: usize) -> Option<T> {
        let Waiting { sender, bytes, envelope } = self.waiting.remove(place)?;
        for share in self.by_sender.get_mut(&sender).into_iter().chain([&mut self.all]) {
            share.envelopes -= 1;
            share.bytes -= bytes;
        }
        if self.by_sender.get(&sender).is_some_and(|share| share.envelopes == 0) {
            self.by_sender.remove(&sender);
        }
        Some(envelope)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JUNK: KeyId = KeyId([9; 32]);

    fn honest(number: u8) -> KeyId {
        KeyId([number; 32])
    }

    /// What happens to the queue.
    #[derive(Debug, Clone)]
    enum Step {
        Honest(u8),
        Junk { count: usize, bytes: usize },
        Take(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0u8..4).prop_map(Step::Honest),
            (1usize..600, 300usize..200_000).prop_map(|(count, bytes)| Step::Junk { count, bytes }),
            (0usize..40).prop_map(Step::Take),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        /// Four people write; one member sends junk without end. Whatever the order, and however slowly the queue is
        /// emptied, nothing of the four is lost, and each one's letters come out in order.
        #[test]
        fn a_flood_costs_no_one_else_a_letter(steps in steps()) {
            let mut queue = EnvelopeQueue::default();
            let mut sent = [0u32; 4];
            let mut taken = [0u32; 4];
            let mut take = |queue: &mut EnvelopeQueue<(KeyId, u32)>| -> Result<bool, TestCaseError> {
                let Some((sender, number)) = queue.pop() else { return Ok(false) };
                if sender != JUNK {
                    let place = usize::from(sender.0[0]);
                    prop_assert_eq!(number, taken[place], "in order and without a gap");
                    taken[place] += 1;
                }
                Ok(true)
            };
            for step in steps {
                match step {
                    // About what a person can write while the queue is not emptied: less than the flood has in it.
                    Step::Honest(who) => {
                        let place = usize::from(who);
                        let dropped = queue.push(honest(who), 700, (honest(who), sent[place]));
                        sent[place] += 1;
                        prop_assert!(dropped.iter().all(|(sender, _)| *sender == JUNK));
                    }
                    Step::Junk { count, bytes } => for _ in 0..count {
                        let dropped = queue.push(JUNK, bytes, (JUNK, 0));
                        prop_assert!(dropped.iter().all(|(sender, _)| *sender == JUNK));
                    },
                    Step::Take(count) => for _ in 0..count {
                        take(&mut queue)?;
                    },
                }
                prop_assert!(queue.waiting.len() <= MAX_ENVELOPES && queue.all.bytes <= MAX_BYTES);
            }
            while take(&mut queue)? {}
            prop_assert_eq!(taken, sent);
            prop_assert!(queue.by_sender.is_empty() && queue.all == Share::default());
        }
    }
}
