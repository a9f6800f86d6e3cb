//! The way to the thread with the private key. It never makes the network task wait: envelopes are dropped when too many
//! wait (see [`EnvelopeQueue`]), and the person's own messages, which go first, are refused when too many do.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use common::crypto::{Envelope, KeyId, MessageId, PublicKey};

use super::{
    envelope_queue::EnvelopeQueue,
    receipt_queue::{Receipt, ReceiptQueue},
};
use crate::{
    dictionary::Dictionary,
    event::{DraftId, SealedAs},
};

/// Messages of the person at this client that may wait to be sealed. Each takes milliseconds.
const MAX_SEALS: usize = 256;

/// A request to the thread.
pub(super) enum KeyJob {
    /// Seal a text and output the frame to be sent.
    Seal(Seal),
    /// Open an envelope that the server relayed, or try to.
    Open(Arrived),
    /// Seal a receipt and output the frame to be sent.
    Confirm(Receipt, Arc<Dictionary>),
    /// This number of envelopes was dropped because too many were waiting.
    NoteDropped(u64),
    /// Who is online now.
    People(People),
    /// No envelope waits that came before this dictionary.
    CaughtUp(Arc<Dictionary>),
    /// The last slice of letters was written: it is time for the next one.
    SliceWritten,
    /// The time that was waited for has come.
    Tick,
}

/// A message to be sealed.
pub(super) struct Seal {
    pub(super) draft: DraftId,
    pub(super) recipients: Vec<PublicKey>,
    pub(super) text: String,
    pub(super) written_unix_millis: u64,
    pub(super) people: People,
    /// How the message was sealed before, if it is sent again.
    pub(super) again: Option<Box<SealedAs>>,
}

/// Who is online.
#[derive(Clone)]
pub(super) struct People {
    /// With which session keys.
    pub(super) dictionary: Arc<Dictionary>,
    /// How often someone may have left so far.
    pub(super) departures: u64,
}

/// An envelope, and who was online when it arrived: its sender may leave before it is opened.
pub(super) struct Arrived {
    pub(super) envelope: Envelope,
    pub(super) dictionary: Arc<Dictionary>,
    /// Whether it was handed to this client only.
    pub(super) is_handed: bool,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too many wait.
    Full,
    /// The thread has ended.
    Ended,
}

#[derive(Default)]
struct Inbox {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    people: Option<People>,
    /// The latest dictionary, until the envelopes that came before it are opened.
    to_catch_up: Option<Arc<Dictionary>>,
    seals: VecDeque<Seal>,
    is_slice_written: bool,
    /// Whether the last job was a slice, so that another job comes before the next one.
    was_slice: bool,
    envelopes: EnvelopeQueue<Arrived>,
    receipts: ReceiptQueue,
    /// Who was online when the last receipt was asked for.
    dictionary: Option<Arc<Dictionary>>,
    dropped: u64,
    has_sender: bool,
    has_receiver: bool,
}

impl Waiting {
    /// Slices of letters take turns with other jobs, so that neither waits for the other for long.
    fn next(&mut self, now: Instant) -> Option<KeyJob> {
        let was_slice = std::mem::take(&mut self.was_slice);
        if !was_slice && let Some(slice) = self.slice() {
            return Some(slice);
        }
        if let Some(people) = self.people.take() {
            return Some(KeyJob::People(people));
        }
        if let Some(seal) = self.seals.pop_front() {
            return Some(KeyJob::Seal(seal));
        }
        if let Some(receipt) = self.receipt(false, now) {
            return Some(receipt);
        }
        if self.dropped > 0 {
            return Some(KeyJob::NoteDropped(std::mem::take(&mut self.dropped)));
        }
        if let Some(arrived) = self.envelopes.pop() {
            return Some(KeyJob::Open(arrived));
        }
        // What someone wrote before they left is opened, and then their sender keys are wiped.
        if let Some(dictionary) = self.to_catch_up.take() {
            return Some(KeyJob::CaughtUp(dictionary));
        }
        self.slice().or_else(|| self.receipt(true, now))
    }

    fn slice(&mut self) -> Option<KeyJob> {
        self.was_slice = std::mem::take(&mut self.is_slice_written);
        self.was_slice.then_some(KeyJob::SliceWritten)
    }

    fn receipt(&mut self, is_idle: bool, now: Instant) -> Option<KeyJob> {
        let dictionary = self.dictionary.as_ref()?;
        self.receipts.take(is_idle, now).map(|receipt| KeyJob::Confirm(receipt, Arc::clone(dictionary)))
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Poisoning is ignored: after a panic under the lock at most one job is missing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the network task. The thread ends when it is dropped.
pub(super) struct KeySender(Arc<Inbox>);

/// The end of the thread.
pub(super) struct KeyReceiver(Arc<Inbox>);

/// Both ends of an empty inbox.
pub(super) fn inbox() -> (KeySender, KeyReceiver) {
    let inbox = Arc::new(Inbox::default());
    {
        let mut waiting = inbox.lock();
        (waiting.has_sender, waiting.has_receiver) = (true, true);
    }
    (KeySender(Arc::clone(&inbox)), KeyReceiver(inbox))
}

/// Tells the thread, when it is dropped, that a slice of letters was written, or never will be.
pub(super) struct Written(Arc<Inbox>);

impl Drop for Written {
    fn drop(&mut self) {
        self.0.lock().is_slice_written = true;
        self.0.changed.notify_one();
    }
}

impl KeySender {
    /// Tells the thread who is online now. What it was told before and has not looked at is forgotten.
    pub(super) fn note_people(&self, people: People) {
        let mut waiting = self.0.lock();
        waiting.to_catch_up = Some(Arc::clone(&people.dictionary));
        waiting.people = Some(people);
        self.0.changed.notify_one();
    }

    /// Asks for a message to be sealed.
    pub(super) fn seal(&self, seal: Seal) -> Result<(), Refused> {
        let mut waiting = self.0.lock();
        if !waiting.has_receiver {
            return Err(Refused::Ended);
        }
        if waiting.seals.len() >= MAX_SEALS {
            return Err(Refused::Full);
        }
        waiting.seals.push_back(seal);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Asks for an envelope to be opened. It, or others, may be dropped instead.
    pub(super) fn open(&self, arrived: Arrived) -> Result<(), Refused> {
        let mut waiting = self.0.lock();
        if !waiting.has_receiver {
            return Err(Refused::Ended);
        }
        let (sender, bytes) = (arrived.envelope.sender, arrived.envelope.as_bytes().len());
        let dropped = waiting.envelopes.push(sender, bytes, arrived);
        waiting.dropped += dropped.len() as u64;
        self.0.changed.notify_one();
        Ok(())
    }
}

impl KeySender {
    /// Asks for a receipt. When too many wait, it is not sent.
    pub(super) fn confirm(&self, to: KeyId, message_id: MessageId, dictionary: Arc<Dictionary>) -> Result<(), Refused> {
        let mut waiting = self.0.lock();
        if !waiting.has_receiver {
            return Err(Refused::Ended);
        }
        waiting.receipts.push(to, message_id, Instant::now());
        waiting.dictionary = Some(dictionary);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Drop for KeySender {
    fn drop(&mut self) {
        self.0.lock().has_sender = false;
        self.0.changed.notify_one();
    }
}

impl KeyReceiver {
    /// Waits for the next job, or for `deadline`, which comes first; `None` when the other end was dropped. What still waits then
    /// is of no use to anyone.
    pub(super) fn next(&self, deadline: Instant) -> Option<KeyJob> {
        let mut waiting = self.0.lock();
        loop {
            if !waiting.has_sender {
                return None;
            }
            let now = Instant::now();
            if deadline <= now {
                return Some(KeyJob::Tick);
            }
            if let Some(job) = waiting.next(now) {
                return Some(job);
            }
            let until = waiting.receipts.next_deadline(now).map_or(deadline, |receipt| receipt.min(deadline));
            let left = until.saturating_duration_since(now);
            waiting = self.0.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl KeyReceiver {
    /// To be dropped when a slice of letters was written.
    pub(super) fn written(&self) -> Written {
        Written(Arc::clone(&self.0))
    }
}

impl Drop for KeyReceiver {
    fn drop(&mut self) {
        self.0.lock().has_receiver = false;
    }
}

#[cfg(test)]
mod tests {
    use common::{crypto::test_keys, test_messages::letter};

    use super::*;
    use crate::net::test_online::ada_alone;

    #[test]
    fn slices_and_other_jobs_take_turns() {
        let (sender, jobs) = inbox();
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        let dictionary = ada_alone().people;
        for number in 0..3 {
            let envelope = letter("x", number, &test_keys::ada(), &test_keys::bob());
            sender.open(Arrived { envelope, dictionary: Arc::clone(&dictionary), is_handed: false }).unwrap();
        }
        let mut order = String::new();
        for _ in 0..6 {
            // The writer is so fast that the last slice is always written.
            drop(jobs.written());
            order.push(match jobs.next(far) {
                Some(KeyJob::SliceWritten) => 's',
                Some(KeyJob::Open(_)) => 'e',
                _ => '?',
            });
        }
        assert_eq!(order, "sesese", "neither waits for the other for long");
        drop(jobs.written());
        assert!(matches!(jobs.next(far), Some(KeyJob::SliceWritten)), "alone, slices follow each other");
    }

    #[test]
    fn the_thread_hears_who_is_online_now_before_anything_else() {
        let (sender, jobs) = inbox();
        let dictionary = ada_alone().people;
        for departures in 0..3 {
            sender.note_people(People { dictionary: Arc::clone(&dictionary), departures });
        }
        let envelope = letter("x", 1, &test_keys::ada(), &test_keys::bob());
        sender.open(Arrived { envelope, dictionary, is_handed: false }).unwrap();
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        assert!(matches!(jobs.next(far), Some(KeyJob::People(People { departures: 2, .. }))), "the latest only");
        assert!(matches!(jobs.next(far), Some(KeyJob::Open(_))));
        let soon = Instant::now() + std::time::Duration::from_secs(20);
        assert!(matches!(jobs.next(soon), Some(KeyJob::CaughtUp(_))), "without waiting for another envelope");
    }
}
