//! The guarantees of the relay queue, on a simulated room with invented time: every sender goes on, every client that reads
//! gets every message and is not cut off, memory is bounded, and who says little does not wait for who says much.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// One step of the simulation.
const TICK: Duration = Duration::from_millis(10);

const KIB: u64 = 1024;

/// The rate of a server without flags.
const RATE: RoomRate = RoomRate { bytes_per_second: 768 * KIB, messages_per_second: 500 };

/// The envelope of a text of 8 KiB to 256 people with keys of 4096 bits.
const LARGEST: u64 = 150 * KIB;

#[derive(Debug, Clone)]
struct MemberModel {
    /// Bytes that it reads per second.
    reads_per_second: u64,
    /// Sizes of the messages that it says, one after the other.
    says: Vec<u64>,
    /// The tick of the first of them.
    from_tick: u64,
    /// The ticks from one to the next. 0 for one that says them as fast as it may.
    every_ticks: u64,
}

#[derive(Debug, Clone)]
struct Scenario {
    members: Vec<MemberModel>,
    limit_bytes: u64,
}

struct Member {
    model: MemberModel,
    said: usize,
    waiting_since: Option<Instant>,
    /// Messages that it has not read: the number, the bytes left, and since when it waits.
    unread: VecDeque<(usize, u64, Instant)>,
    unused_bytes: u64,
    heard: usize,
    is_online: bool,
    longest_wait: Duration,
}

struct Room {
    queue: RelayQueue,
    limit_bytes: u64,
    now: Instant,
    tick: u64,
    members: Vec<Member>,
    /// Of each message its size, and how many have not read it.
    messages: Vec<(u64, usize)>,
    held_bytes: u64,
}

impl Room {
    fn new(scenario: Scenario) -> Self {
        let now = Instant::now();
        let member = |model| Member {
            model,
            said: 0,
            waiting_since: None,
            unread: VecDeque::new(),
            unused_bytes: 0,
            heard: 0,
            is_online: true,
            longest_wait: Duration::ZERO,
        };
        Self {
            queue: RelayQueue::new(RATE, now),
            limit_bytes: scenario.limit_bytes,
            now,
            tick: 0,
            members: scenario.members.into_iter().map(member).collect(),
            messages: Vec::new(),
            held_bytes: 0,
        }
    }

    fn step(&mut self) {
        (self.tick, self.now) = (self.tick + 1, self.now + TICK);
        let now = self.now;
        for number in 0..self.members.len() {
            self.speak(number);
        }
        loop {
            let memory = Memory { held_bytes: self.held_bytes, limit_bytes: self.limit_bytes };
            let members = &self.members;
            let laggards = || {
                let online = members.iter().enumerate().filter(|(_, member)| member.is_online);
                let laggard = |(number, member): (usize, &Member)| {
                    let bytes = member.unread.iter().map(|(_, left, _)| left).sum();
                    let since = member.unread.front()?.2;
                    Some(Laggard { member: MemberId(number as u64), bytes, since })
                };
                online.filter_map(laggard).collect()
            };
            match self.queue.next_step(memory, laggards, now) {
                Step::Relay(MemberId(number)) => self.relay(number as usize),
                Step::CutOff(laggard) => self.cut_off(laggard.member.0 as usize),
                Step::Wait(_, at) => {
                    assert!(at > now);
                    break;
                }
                Step::Idle => break,
            }
        }
        for number in 0..self.members.len() {
            self.read(number);
        }
    }

    fn read(&mut self, number: usize) {
        let member = &mut self.members[number];
        let tick_bytes = member.model.reads_per_second * TICK.as_millis() as u64 / 1000;
        member.unused_bytes = if member.unread.is_empty() { 0 } else { member.unused_bytes + tick_bytes };
        let mut read = Vec::new();
        while let Some((message, left, _)) = member.unread.front_mut() {
            let taken = member.unused_bytes.min(*left);
            (*left, member.unused_bytes) = (*left - taken, member.unused_bytes - taken);
            if *left > 0 {
                break;
            }
            read.push(*message);
            member.heard += 1;
            member.unread.pop_front();
        }
        read.into_iter().for_each(|message| self.release(message));
    }

    fn release(&mut self, message: usize) {
        let (bytes, unread) = &mut self.messages[message];
        *unread -= 1;
        if *unread == 0 {
            self.held_bytes -= *bytes;
        }
    }

    fn speak(&mut self, number: usize) {
        let member = &mut self.members[number];
        let is_ready = self.tick >= member.model.from_tick + member.said as u64 * member.model.every_ticks;
        if let Some(&bytes) = member.model.says.get(member.said)
            && is_ready
            && member.is_online
            && member.waiting_since.is_none()
        {
            member.waiting_since = Some(self.now);
            self.queue.enter(MemberId(number as u64), bytes, self.now);
        }
    }

    fn relay(&mut self, number: usize) {
        self.queue.relayed(MemberId(number as u64), self.now);
        let member = &mut self.members[number];
        let since = member.waiting_since.take().expect("only who waits is relayed");
        member.longest_wait = member.longest_wait.max(self.now - since);
        let bytes = member.model.says[member.said];
        member.said += 1;
        let message = self.messages.len();
        let mut readers = 0;
        for member in self.members.iter_mut().filter(|member| member.is_online) {
            member.unread.push_back((message, bytes, self.now));
            readers += 1;
        }
        self.messages.push((bytes, readers));
        self.held_bytes += bytes;
        // It may have the next one ready.
        self.speak(number);
    }

    fn cut_off(&mut self, number: usize) {
        let member = &mut self.members[number];
        (member.is_online, member.waiting_since) = (false, None);
        for (message, ..) in std::mem::take(&mut member.unread) {
            self.release(message);
        }
        self.queue.forget(MemberId(number as u64));
    }
}

/// A member that says what it has to say as fast as it may.
fn talker(reads_per_second: u64, says: Vec<u64>, from_tick: u64) -> MemberModel {
    MemberModel { reads_per_second, says, from_tick, every_ticks: 0 }
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let reads_per_second = prop_oneof![
        4 => Just(RATE.bytes_per_second),
        2 => Just(100 * RATE.bytes_per_second),
        1 => Just(0),
        1 => 1u64..RATE.bytes_per_second,
    ];
    let size = prop_oneof![Just(366), Just(LARGEST), 366..LARGEST];
    let says = prop_oneof![
        1 => Just(Vec::new()),
        3 => prop::collection::vec(size.clone(), 1..60),
        1 => size.prop_map(|size| vec![size; 60]),
    ];
    let member = (reads_per_second, says, 0u64..500)
        .prop_map(|(reads_per_second, says, from_tick)| talker(reads_per_second, says, from_tick));
    // What the room may say while a client may be deaf has to fit.
    let limit_bytes = READ_PATIENCE.as_secs() * RATE.bytes_per_second + LARGEST..16 * KIB * KIB;
    (prop::collection::vec(member, 1..8), limit_bytes)
        .prop_map(|(members, limit_bytes)| Scenario { members, limit_bytes })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn senders_go_on_and_readers_stay_and_memory_is_bounded(scenario in scenario()) {
        let said_bytes: u64 = scenario.members.iter().flat_map(|member| &member.says).sum();
        let work = Duration::from_millis(1000 * said_bytes / RATE.bytes_per_second + 2 * 60 * 8);
        // Each of those that do not read can make the others wait once.
        let limit = work + (READ_PATIENCE + Duration::from_secs(1)) * 8 + Duration::from_secs(5);
        let mut room = Room::new(scenario);
        let is_done = |room: &Room| room.members.iter().all(|member| {
            let has_heard_all = member.unread.is_empty() || member.model.reads_per_second < RATE.bytes_per_second;
            !member.is_online || (member.said == member.model.says.len() && has_heard_all)
        });
        while !is_done(&room) {
            room.step();
            prop_assert!(TICK * room.tick as u32 <= limit, "not done after {limit:?}");
            prop_assert!(room.held_bytes <= room.limit_bytes, "{} bytes", room.held_bytes);
            for member in &room.members {
                prop_assert!(member.is_online || member.model.reads_per_second < RATE.bytes_per_second);
            }
        }
        for member in room.members.iter().filter(|member| member.model.reads_per_second >= RATE.bytes_per_second) {
            prop_assert_eq!(member.heard, room.messages.len(), "each message comes to each who reads");
        }
    }
}

/// Fast enough for anything.
const FAST: u64 = 100 * RATE.bytes_per_second;

const AMPLE: u64 = 64 * KIB * KIB;

#[test]
fn who_says_little_does_not_wait_for_who_says_much() {
    for (flooders, bytes) in [(1, LARGEST), (3, LARGEST), (30, LARGEST), (30, 366), (100, 2000), (254, LARGEST)] {
        let mut members = vec![talker(FAST, vec![bytes; 10_000], 0); flooders];
        // A line every two seconds.
        members.push(MemberModel { every_ticks: 200, ..talker(FAST, vec![1000; 10], 100) });
        let mut room = Room::new(Scenario { members, limit_bytes: AMPLE });
        for _ in 0..2000 {
            room.step();
        }
        let quiet = &room.members[flooders];
        assert_eq!(quiet.said, 10);
        assert!(quiet.longest_wait <= 25 * TICK, "{flooders} x {bytes}: {:?}", quiet.longest_wait);
    }
}

#[test]
fn members_who_say_much_get_even_shares_in_bytes() {
    let sizes = [LARGEST, LARGEST / 7, 10_000, LARGEST];
    let members = sizes.map(|bytes| talker(FAST, vec![bytes; 20_000], 0)).to_vec();
    let mut room = Room::new(Scenario { members, limit_bytes: AMPLE });
    for _ in 0..3000 {
        room.step();
    }
    let said: Vec<u64> = room.members.iter().zip(sizes).map(|(member, bytes)| member.said as u64 * bytes).collect();
    let (least, most) = (said.iter().min().unwrap(), said.iter().max().unwrap());
    assert!(most - least <= 2 * LARGEST, "{said:?}");
    let total: u64 = said.iter().sum();
    let expected = RATE.bytes_per_second * (30 + BURST.as_secs());
    assert!(total.abs_diff(expected) <= 2 * LARGEST, "{total} of {expected}");
}

#[test]
fn a_quiet_room_relays_at_once() {
    let members = vec![talker(FAST, vec![LARGEST; 5], 0)];
    let mut room = Room::new(Scenario { members, limit_bytes: AMPLE });
    room.step();
    assert_eq!(room.members[0].said, 5);
}

#[test]
fn of_those_that_do_not_read_the_one_that_holds_most_is_cut_off() {
    let start = Instant::now();
    let laggard = |number, bytes, second| {
        let since = start + Duration::from_secs(second);
        Laggard { member: MemberId(number), bytes, since }
    };
    let laggards = [laggard(1, 500, 9), laggard(2, 100, 0), laggard(3, 200, 1), laggard(4, 50, 0)];
    let cut_off_at = |second| to_cut_off(&laggards, start + Duration::from_secs(second)).map(|found| found.member.0);
    assert_eq!((cut_off_at(8), cut_off_at(9), cut_off_at(10), cut_off_at(18)), (None, Some(2), Some(3), Some(1)));
}
