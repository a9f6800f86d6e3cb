//! Messages to everyone wait here until each member has the sender key. Handing it over takes a letter for each of them: seconds
//! of work and megabytes in a large room. So it is done in slices, between other work, and no faster than a server takes letters
//! from one client. Pure; time is an argument.
//!
//! ```text
//! push ─► Prepare ─► Hand, Hand, … ─► Say ─► the next message
//!           who lacks the key?  └─ a slice, once the last one was written and the pace allows it
//! ```
//! Every message is said once, in the order of [`HandOver::push`], however many people come and go: those who come later than a
//! message are handed the key for the next one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::crypto::KeyId;

/// Letters of one slice. They take about 20 ms with a key of 3072 bits, in which this client opens nothing.
pub(super) const SLICE_LETTERS: usize = 4;

/// Messages to everyone that may wait.
const MAX_WAITING: usize = 256;

/// Bytes of letters per second on average, and at once. A server reads on after 128 KiB per second and 512 KiB at once
/// (docs/PROTOCOL.md, section 11); the rest is for what this client says besides, so that a `Grant` does not wait behind letters.
const BYTES_PER_SECOND: u64 = 112 * 1024;
const BYTES_AT_ONCE: u64 = 448 * 1024;

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<T> {
    /// Nothing, until a message comes, the slice was written, or the time of [`HandOver::next_deadline`] has come.
    Nothing,
    /// Find out who lacks the key for the first message, and call [`HandOver::begin`].
    Prepare,
    /// Hand the key to these, as far as they are there, and call [`HandOver::handed`].
    Hand(Vec<KeyId>),
    /// Say this message: everyone has the key.
    Say(T),
}

/// How far the first message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Those who have the key, of whom some may have had it before.
    pub(super) handed: usize,
    /// Those who are to have it.
    pub(super) members: usize,
}

/// The messages that wait, and how far the first one is.
pub(super) struct HandOver<T> {
    messages: VecDeque<T>,
    /// Of the first message, once it is known: who lacks the key, and how many are to have it.
    lacking: Option<(VecDeque<KeyId>, usize)>,
    /// Whether a slice is on its way to the socket.
    is_writing: bool,
    /// When all letters so far will have been sent at the average rate.
    worked_off_at: Instant,
}

impl<T> HandOver<T> {
    pub(super) fn new(now: Instant) -> Self {
        Self { messages: VecDeque::new(), lacking: None, is_writing: false, worked_off_at: now }
    }

    /// Adds a message. It is returned when too many wait.
    pub(super) fn push(&mut self, message: T) -> Result<(), T> {
        if self.messages.len() >= MAX_WAITING {
            return Err(message);
        }
        self.messages.push_back(message);
        Ok(())
    }

    /// The message that is said next.
    pub(super) fn first(&self) -> Option<&T> {
        self.messages.front()
    }

    /// How far it is, once that is known.
    pub(super) fn progress(&self) -> Option<Progress> {
        let (lacking, members) = self.lacking.as_ref()?;
        Some(Progress { handed: members - lacking.len(), members: *members })
    }

    /// Notes who of `members` people lacks the key for the first message.
    pub(super) fn begin(&mut self, lacking: Vec<KeyId>, members: usize) {
        self.lacking = Some((lacking.into(), members));
    }

    /// What is to be done now.
    pub(super) fn step(&mut self, now: Instant) -> Step<T> {
        let ready_at = self.ready_at();
        let Some((lacking, _)) = &mut self.lacking else {
            return if self.messages.is_empty() { Step::Nothing } else { Step::Prepare };
        };
        if lacking.is_empty() {
            self.lacking = None;
            return self.messages.pop_front().map_or(Step::Nothing, Step::Say);
        }
        if self.is_writing || now < ready_at {
            return Step::Nothing;
        }
        Step::Hand(lacking.drain(..SLICE_LETTERS.min(lacking.len())).collect())
    }

    /// Notes that a slice of this size was given to the writer. One without letters needs no writing.
    pub(super) fn handed(&mut self, bytes: usize, now: Instant) {
        self.is_writing = bytes > 0;
        self.worked_off_at = self.worked_off_at.max(now) + time_of(bytes as u64);
    }

    /// Notes that the slice was written.
    pub(super) fn written(&mut self) {
        self.is_writing = false;
    }

    /// When the next slice is due, unless that depends on the writer.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let (lacking, _) = self.lacking.as_ref()?;
        (!lacking.is_empty() && !self.is_writing).then(|| self.ready_at())
    }

    fn ready_at(&self) -> Instant {
        self.worked_off_at.checked_sub(time_of(BYTES_AT_ONCE)).unwrap_or(self.worked_off_at)
    }
}

fn time_of(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use common::crypto::{SenderKeyId, sender_key::Speaker};
    use proptest::prelude::*;

    use super::*;

    const LETTER_BYTES: usize = 2396;

    #[test]
    fn a_large_room_takes_letters_no_faster_than_a_server_reads_them() {
        let start = Instant::now();
        let mut queue = HandOver::new(start);
        queue.push("hello").unwrap();
        assert_eq!(queue.step(start), Step::Prepare);
        queue.begin((0..2_000_u16).map(key).collect(), 2_000);
        let (mut now, mut bytes) = (start, 0);
        loop {
            match queue.step(now) {
                Step::Hand(slice) => {
                    assert!(slice.len() <= SLICE_LETTERS);
                    bytes += slice.len() * LETTER_BYTES;
                    queue.handed(slice.len() * LETTER_BYTES, now);
                    let is_last = bytes == 2_000 * LETTER_BYTES;
                    assert!(is_last || queue.step(now) == Step::Nothing, "the slice is not written yet");
                    queue.written();
                }
                Step::Nothing => now = queue.next_deadline().expect("it goes on at some time"),
                Step::Say(said) => break assert_eq!(said, "hello"),
                Step::Prepare => panic!("it was prepared"),
            }
            let allowed = 512 * 1024 + (now - start).as_millis() as usize * 128 * 1024 / 1000;
            assert!(bytes <= allowed, "{bytes} bytes after {:?}", now - start);
        }
        assert_eq!(bytes, 2_000 * LETTER_BYTES);
        assert_eq!(queue.step(now), Step::Nothing);
    }

    fn key(number: u16) -> KeyId {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        KeyId(key)
    }

    #[derive(Debug, Clone)]
    enum Event {
        Say,
        Join(u16),
        Leave(u16),
        Written,
        Pass(u16),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Say),
            3 => (0..12_u16).prop_map(Event::Join),
            2 => (0..12_u16).prop_map(Event::Leave),
            4 => Just(Event::Written),
            4 => (0..5_000_u16).prop_map(Event::Pass),
        ]
    }

    /// A message, with those who were online when it was written.
    struct Message {
        number: usize,
        members: BTreeSet<KeyId>,
    }

    /// A room around the queue, as the key thread uses it.
    struct Room {
        queue: HandOver<Message>,
        speaker: Speaker,
        departures: u64,
        seen_departures: u64,
        online: BTreeSet<KeyId>,
        /// Who has which sender key, as long as they stay.
        holds: BTreeMap<KeyId, SenderKeyId>,
        said: Vec<usize>,
        now: Instant,
    }

    impl Room {
        fn advance(&mut self) {
            loop {
                match self.queue.step(self.now) {
                    Step::Nothing => break,
                    Step::Prepare => {
                        if self.departures != self.seen_departures {
                            (self.speaker, self.seen_departures) = (Speaker::default(), self.departures);
                        }
                        let first = self.queue.first().expect("there is one to prepare");
                        let members: Vec<_> = first.members.iter().copied().collect();
                        let lacking = self.speaker.prepare(&members, self.now);
                        self.queue.begin(lacking, members.len());
                    }
                    Step::Hand(slice) => {
                        assert!(slice.len() <= SLICE_LETTERS, "a slice is short");
                        let slice: Vec<_> = slice.into_iter().filter(|key| self.online.contains(key)).collect();
                        for key in &slice {
                            self.speaker.hand_over(*key);
                            self.holds.insert(*key, self.speaker.sender_key().expect("it was prepared"));
                        }
                        // Long letters, so that the pace matters in a small room too.
                        self.queue.handed(slice.len() * 60_000, self.now);
                    }
                    Step::Say(message) => {
                        let under = self.speaker.sender_key().expect("it was prepared");
                        for member in &message.members {
                            assert_eq!(self.holds.get(member), Some(&under), "who has stayed has the key");
                        }
                        self.said.push(message.number);
                    }
                }
            }
        }

        fn leave(&mut self, person: KeyId) {
            if self.online.remove(&person) {
                self.holds.remove(&person);
                self.departures += 1;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_message_is_said_once_in_order_and_everyone_who_stays_has_the_key(
            events in prop::collection::vec(event(), 0..80),
        ) {
            let now = Instant::now();
            let mut room = Room {
                queue: HandOver::new(now),
                speaker: Speaker::default(),
                departures: 0,
                seen_departures: 0,
                online: (0..6).map(key).collect(),
                holds: BTreeMap::new(),
                said: Vec::new(),
                now,
            };
            let mut written = 0;
            for event in events {
                match event {
                    Event::Say => {
                        let members = room.online.clone();
                        room.queue.push(Message { number: written, members }).ok().expect("few wait");
                        written += 1;
                    }
                    Event::Join(person) => {
                        room.online.insert(key(person));
                    }
                    Event::Leave(person) => {
                        room.leave(key(person));
                        // Who leaves is not spoken of when it is checked who has the key.
                        for message in &mut room.queue.messages {
                            message.members.remove(&key(person));
                        }
                    }
                    Event::Written => room.queue.written(),
                    Event::Pass(millis) => room.now += Duration::from_millis(millis.into()),
                }
                room.advance();
            }
            // From here on no one comes or goes: the writer writes, time passes, and everything is said.
            for _ in 0..400 {
                room.queue.written();
                room.now = room.queue.next_deadline().map_or(room.now, |at| at.max(room.now));
                room.advance();
            }
            prop_assert_eq!(room.said, (0..written).collect::<Vec<_>>());
        }
    }
}
