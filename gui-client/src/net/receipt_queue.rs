//! The receipts that wait to be sealed: one letter confirms up to 64 messages of a person. While envelopes wait to be opened,
//! receipts wait with them, so that a flood of messages costs few letters. Pure; the time is passed in.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use common::crypto::{KeyId, MAX_RECEIPT_IDS, MessageId};

/// Time between two receipts to one person, so that they cost little of what this client may say.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest time that a receipt waits while there is other work, once its pause is over.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages of which receipts may wait. Those of further ones are not sent, and their senders may send them again.
const MAX_WAITING: usize = 4_096;

/// Receipts that wait, in the order in which the people are due.
#[derive(Debug, Default)]
pub(super) struct ReceiptQueue {
    waiting: VecDeque<Waiting>,
    waiting_count: usize,
    /// When the last receipt was taken for a person, as long as their pause lasts.
    last_taken: HashMap<KeyId, Instant>,
}

#[derive(Debug)]
struct Waiting {
    receipt: Receipt,
    /// Its first message came then.
    since: Instant,
}

/// That these messages were opened and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Who sent them.
    pub(super) to: KeyId,
    /// One to [`MAX_RECEIPT_IDS`].
    pub(super) ids: Vec<MessageId>,
}

impl ReceiptQueue {
    /// Adds a message to be confirmed.
    pub(super) fn push(&mut self, to: KeyId, id: MessageId, now: Instant) {
        if self.waiting_count >= MAX_WAITING {
            return;
        }
        let with_room =
            |waiting: &&mut Waiting| waiting.receipt.to == to && waiting.receipt.ids.len() < MAX_RECEIPT_IDS;
        match self.waiting.iter_mut().find(with_room) {
            Some(waiting) if waiting.receipt.ids.contains(&id) => return,
            Some(waiting) => waiting.receipt.ids.push(id),
            None => self.waiting.push_back(Waiting { receipt: Receipt { to, ids: vec![id] }, since: now }),
        }
        self.waiting_count += 1;
    }

    /// Takes a receipt whose time has come: after the pause of its person, when there is nothing else to do, when it is full,
    /// or when it has waited long enough.
    pub(super) fn take(&mut self, is_idle: bool, now: Instant) -> Option<Receipt> {
        self.last_taken.retain(|_, taken| now.saturating_duration_since(*taken) < PAUSE);
        let is_due = |waiting: &Waiting| {
            let has_waited = now.saturating_duration_since(waiting.since) >= PATIENCE;
            !self.last_taken.contains_key(&waiting.receipt.to)
                && (is_idle || has_waited || waiting.receipt.ids.len() >= MAX_RECEIPT_IDS)
        };
        let place = self.waiting.iter().position(is_due)?;
        let Waiting { receipt, .. } = self.waiting.remove(place)?;
        self.waiting_count -= receipt.ids.len();
        self.last_taken.insert(receipt.to, now);
        Some(receipt)
    }

    /// When [`Self::take`] gives something, if there is nothing else to do until then.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let ready_at = |waiting: &Waiting| self.last_taken.get(&waiting.receipt.to).map_or(now, |taken| *taken + PAUSE);
        self.waiting.iter().map(ready_at).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADA: KeyId = KeyId([1; 32]);
    const BOB: KeyId = KeyId([2; 32]);

    fn id(number: usize) -> MessageId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        MessageId(id)
    }

    #[test]
    fn the_first_goes_at_once_and_the_next_together_after_the_pause() {
        let (mut queue, now) = (ReceiptQueue::default(), Instant::now());
        queue.push(ADA, id(0), now);
        assert_eq!(queue.take(true, now), Some(Receipt { to: ADA, ids: vec![id(0)] }));
        for number in [1, 2, 1] {
            queue.push(ADA, id(number), now);
        }
        queue.push(BOB, id(3), now);
        assert_eq!(queue.take(true, now), Some(Receipt { to: BOB, ids: vec![id(3)] }), "Bob's pause is his own");
        assert_eq!(queue.take(true, now), None);
        assert_eq!(queue.next_deadline(now), Some(now + PAUSE));
        assert_eq!(queue.take(true, now + PAUSE), Some(Receipt { to: ADA, ids: vec![id(1), id(2)] }));
        assert_eq!(queue.next_deadline(now), None);
    }

    #[test]
    fn while_there_is_work_receipts_wait_until_they_are_full_or_old() {
        let (mut queue, now) = (ReceiptQueue::default(), Instant::now());
        queue.push(BOB, id(1), now);
        assert_eq!(queue.take(false, now), None);
        for number in 0..2 * MAX_RECEIPT_IDS {
            queue.push(ADA, id(number), now);
        }
        assert_eq!(queue.take(false, now).map(|receipt| receipt.ids.len()), Some(MAX_RECEIPT_IDS));
        assert_eq!(queue.take(false, now), None);
        assert_eq!(queue.take(false, now + PATIENCE).map(|receipt| receipt.to), Some(BOB));
    }

    #[test]
    fn a_flood_takes_bounded_memory() {
        let (mut queue, now) = (ReceiptQueue::default(), Instant::now());
        for number in 0..3 * MAX_WAITING {
            queue.push(ADA, id(number), now);
        }
        assert_eq!(queue.waiting.iter().map(|waiting| waiting.receipt.ids.len()).sum::<usize>(), MAX_WAITING);
    }

    proptest! {
        /// Whatever else there is to do: every message is confirmed once, to its sender, in letters of at most 64, and within a
        /// bounded time after the last came.
        #[test]
        fn every_message_is_confirmed_once_and_soon(
            steps in prop::collection::vec((0u8..4, 0usize..40, prop::bool::ANY, 0u64..400), 1..60),
        ) {
            let (mut queue, mut now) = (ReceiptQueue::default(), Instant::now());
            let (mut pushed, mut taken) = (Vec::new(), Vec::new());
            let mut take = |queue: &mut ReceiptQueue, is_idle, now| -> Result<bool, TestCaseError> {
                let Some(receipt) = queue.take(is_idle, now) else { return Ok(false) };
                prop_assert!((1..=MAX_RECEIPT_IDS).contains(&receipt.ids.len()));
                taken.extend(receipt.ids.into_iter().map(|id| (receipt.to, id)));
                Ok(true)
            };
            for (sender, count, is_idle, millis) in steps {
                for _ in 0..count {
                    let one = (KeyId([sender; 32]), id(pushed.len()));
                    queue.push(one.0, one.1, now);
                    pushed.push(one);
                }
                take(&mut queue, is_idle, now)?;
                now += Duration::from_millis(millis);
            }
            // A letter for each full receipt and each person, with a pause before each: never idle, it takes this long.
            let letters = pushed.len() / MAX_RECEIPT_IDS + 4;
            for _ in 0..=letters {
                now += PATIENCE;
                while take(&mut queue, false, now)? {}
            }
            for all in [&mut pushed, &mut taken] {
                all.sort_unstable_by_key(|(to, id)| (*to, id.0));
            }
            prop_assert_eq!(taken, pushed);
            prop_assert_eq!((queue.waiting.len(), queue.waiting_count), (0, 0));
        }
    }
}
