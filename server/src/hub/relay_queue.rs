//! Decides whose message is relayed next, and when: one pure function of who wants to speak, what was relayed so far, the
//! memory for unsent messages, what waits for each client, and the time.
//!
//! What all members together may have relayed is limited, since it is multiplied by the number of people online. The limit
//! is shared evenly among those who want to speak, by fair queueing: each member has a virtual time up to which its share
//! is used, and the message whose end is earliest in virtual time goes next (self-clocked fair queueing; S. J. Golestani,
//! *A Self-Clocked Fair Queueing Scheme for Broadband Applications*, 1994). Members within their share may also use a
//! reserve that the others leave untouched, so that a member who says little does not wait for those who say much.
//!
//! While the memory for unsent messages is short, the senders wait. Only if a client has not read a message for
//! [`READ_PATIENCE`] by then, the one that holds most is cut off. So a client that reads as fast as the room may speak is
//! never cut off, whatever the others say; `relay_queue_tests.rs` tests this on a simulated room.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How much work may be ahead of the room's rate before members who are beyond their share wait.
const BURST: Duration = Duration::from_secs(2);

/// The same for members within their share.
const BURST_WITH_RESERVE: Duration = Duration::from_secs(3);

/// A member that is ahead of its share by up to this much work counts as being within it: some messages at once.
const SHARE_TOLERANCE: Duration = Duration::from_millis(50);

/// A client whose oldest message has waited for longer than this may be cut off when memory is short.
pub(super) const READ_PATIENCE: Duration = Duration::from_secs(8);

/// How often it is looked at whether there is memory again.
const MEMORY_CHECK: Duration = Duration::from_millis(20);

/// The number of a client that is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MemberId(pub(super) u64);

/// What all members together may have relayed on average.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomRate {
    pub(super) bytes_per_second: u64,
    pub(super) messages_per_second: u64,
}

/// What is held in the outboxes of all clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) held_bytes: u64,
    pub(super) limit_bytes: u64,
}

/// A client for which messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Laggard {
    pub(super) member: MemberId,
    /// Bytes that wait for it.
    pub(super) bytes: u64,
    /// Since when the oldest message has waited.
    pub(super) since: Instant,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nobody wants to speak.
    Idle,
    /// Relay the message of this member.
    Relay(MemberId),
    /// This member is next, and may speak at that time at the earliest.
    Wait(MemberId, Instant),
    /// Cut this client off, then ask again.
    CutOff(Laggard),
}

/// The members who want to speak or have spoken lately.
pub(super) struct RelayQueue {
    rate: RoomRate,
    /// When everything that was relayed so far is worked off at the room's rate.
    worked_off_at: Instant,
    /// Up to when the share of a member who says nothing is used, in units of work. Passes at the pace at which each of
    /// those who speak gets its share.
    virtual_time: Duration,
    /// When `virtual_time` was right.
    updated_at: Instant,
    speakers: BTreeMap<MemberId, Speaker>,
}

#[derive(Debug)]
struct Speaker {
    /// Up to when its share is used, in virtual time.
    used_until: Duration,
    /// The size of the message that it wants to have relayed.
    waiting_bytes: Option<u64>,
}

impl RoomRate {
    /// The work of relaying a message.
    fn work(&self, bytes: u64) -> Duration {
        let nanos = |units: u64, per_second: u64| units.saturating_mul(1_000_000_000) / per_second.max(1);
        Duration::from_nanos(nanos(bytes, self.bytes_per_second).max(nanos(1, self.messages_per_second)))
    }
}

impl RelayQueue {
    pub(super) fn new(rate: RoomRate, now: Instant) -> Self {
        Self { rate, worked_off_at: now, virtual_time: Duration::ZERO, updated_at: now, speakers: BTreeMap::new() }
    }

    /// A member wants to have a message relayed. It has no other that waits.
    pub(super) fn enter(&mut self, member: MemberId, bytes: u64, now: Instant) {
        self.pass_time(now);
        let used_until = self.virtual_time;
        let speaker = self.speakers.entry(member).or_insert(Speaker { used_until, waiting_bytes: None });
        speaker.waiting_bytes = Some(bytes);
    }

    /// A member does not wait any more.
    pub(super) fn withdraw(&mut self, member: MemberId) {
        if let Some(speaker) = self.speakers.get_mut(&member) {
            speaker.waiting_bytes = None;
        }
    }

    /// A member is not online any more.
    pub(super) fn forget(&mut self, member: MemberId) {
        self.speakers.remove(&member);
    }

    /// The message of a member is relayed now.
    pub(super) fn relayed(&mut self, member: MemberId, now: Instant) {
        self.pass_time(now);
        let Some(speaker) = self.speakers.get_mut(&member) else { return };
        let work = self.rate.work(speaker.waiting_bytes.take().unwrap_or_default());
        speaker.used_until = speaker.used_until.max(self.virtual_time) + work;
        self.worked_off_at = self.worked_off_at.max(now) + work;
    }

    /// What is to be done. `laggards` is asked for the clients with messages that wait, if memory is short.
    pub(super) fn next_step(&mut self, memory: Memory, laggards: impl FnOnce() -> Vec<Laggard>, now: Instant) -> Step {
        self.pass_time(now);
        let Some((member, wait, bytes)) = self.next_speaker(now) else { return Step::Idle };
        if !wait.is_zero() {
            return Step::Wait(member, now + wait);
        }
        if memory.held_bytes + bytes <= memory.limit_bytes {
            return Step::Relay(member);
        }
        let laggards = laggards();
        match to_cut_off(&laggards, now) {
            Some(laggard) => Step::CutOff(laggard),
            // Nothing waits: what holds the memory is about to be freed, or is not held for anyone.
            None if laggards.is_empty() => Step::Relay(member),
            None => Step::Wait(member, now + MEMORY_CHECK),
        }
    }

    /// The member who may speak first, how long it has to wait, and the size of its message.
    fn next_speaker(&self, now: Instant) -> Option<(MemberId, Duration, u64)> {
        let ahead = self.worked_off_at.saturating_duration_since(now);
        let speaker_count = self.speaker_count();
        let waiting = self.speakers.iter().filter_map(|(&member, speaker)| {
            let bytes = speaker.waiting_bytes?;
            let begin = speaker.used_until.max(self.virtual_time);
            let beyond_share = begin.saturating_sub(self.virtual_time + SHARE_TOLERANCE);
            let within_share = (beyond_share * speaker_count).max(ahead.saturating_sub(BURST_WITH_RESERVE));
            let wait = within_share.min(ahead.saturating_sub(BURST));
            Some((wait, begin + self.rate.work(bytes), member, bytes))
        });
        waiting.min().map(|(wait, _, member, bytes)| (member, wait, bytes))
    }

    /// Advances the virtual time, and forgets members who are within their share and say nothing.
    fn pass_time(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.updated_at);
        self.virtual_time += passed / self.speaker_count();
        self.updated_at = self.updated_at.max(now);
        let virtual_time = self.virtual_time;
        self.speakers.retain(|_, speaker| speaker.waiting_bytes.is_some() || speaker.used_until > virtual_time);
    }

    fn speaker_count(&self) -> u32 {
        u32::try_from(self.speakers.len()).unwrap_or(u32::MAX).max(1)
    }
}

/// The client to cut off when memory is short: of those that have not read a message for [`READ_PATIENCE`], the one that
/// holds most.
pub(super) fn to_cut_off(laggards: &[Laggard], now: Instant) -> Option<Laggard> {
    let is_deaf = |laggard: &&Laggard| now.saturating_duration_since(laggard.since) > READ_PATIENCE;
    laggards.iter().filter(is_deaf).max_by_key(|laggard| laggard.bytes).copied()
}

#[cfg(test)]
#[path = "relay_queue_tests.rs"]
mod tests;
