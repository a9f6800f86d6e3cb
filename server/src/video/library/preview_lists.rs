//! The previews that are kept, who reads them, and which video is next to have some made. Pure: the threads are in
//! [`previews`](super::previews).
//!
//! * A list belongs to a video in one state of its files. Readers take from it what is there and wait for what is to come; they
//!   say where they are themselves.
//! * Previews of one video at a time are made. A video whose turn takes long goes to the end of the queue when others wait.
//! * All lists together hold a limited number of bytes. Beyond it, the one that was asked for least recently is emptied, also
//!   while it is read: its readers then go without the rest.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use common::media::VideoId;

/// A video, and the fingerprint of its files.
pub(super) type ListKey = (VideoId, u64);

/// How long previews of one video are made while another one waits.
const TURN: Duration = Duration::from_secs(3);

/// What a list and each preview count for beside their bytes.
const ENTRY_BYTES: usize = 256;

/// A small picture of a place in a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preview {
    /// When it is shown, in the time of the triptych.
    pub(crate) stream_nanos: u64,
    /// A JPEG.
    pub(crate) jpeg: Bytes,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// All frames were tried, or no others can be made.
    Done,
    /// It was not wanted any more, or others waited.
    Interrupted,
    /// The system could not do it now. A later reader has it tried again.
    Postponed,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Got {
    /// The preview that it asked for.
    Preview(Preview),
    /// It may come later.
    Later,
    /// No further one comes.
    End,
}

/// The turn of a list.
#[derive(Debug, Clone)]
pub(super) struct Turn<V> {
    pub(super) key: ListKey,
    /// What the previews are made from.
    pub(super) source: V,
    /// Frames that were tried before, in the order of the plan.
    pub(super) tried: usize,
    /// Tells the turns of a list apart: it may be emptied and wanted again while previews are made for it.
    number: u64,
}

/// All lists. `V` is what the previews are made from.
#[derive(Debug)]
pub(super) struct PreviewLists<V> {
    lists: HashMap<ListKey, List<V>>,
    /// Those whose turn comes, in this order.
    queue: VecDeque<ListKey>,
    /// Whether there is a thread that takes turns.
    has_maker: bool,
    turns: u64,
    max_bytes: usize,
    used_bytes: usize,
    /// Counts requests, to tell which list was asked for least recently.
    requests: u64,
}

#[derive(Debug)]
struct List<V> {
    source: V,
    previews: Vec<Preview>,
    used_bytes: usize,
    /// Frames that were tried, in the order of the plan.
    tried: usize,
    /// The number of its turn, while that lasts.
    turn: Option<u64>,
    /// Whether no further previews are made.
    is_complete: bool,
    /// Whether it was emptied to make room, so that its readers go without the rest.
    is_emptied: bool,
    readers: usize,
    requested: u64,
}

impl<V: Clone> PreviewLists<V> {
    pub(super) fn new(max_bytes: usize) -> Self {
        let (lists, queue) = (HashMap::new(), VecDeque::new());
        Self { lists, queue, has_maker: false, turns: 0, max_bytes, used_bytes: 0, requests: 0 }
    }

    /// Adds a reader. Returns whether a maker has to be started, which counts as there from now on, and what the previews are
    /// made from, which `source` says if the list is new.
    pub(super) fn enter(&mut self, key: ListKey, source: impl FnOnce() -> V) -> (bool, V) {
        self.requests += 1;
        let list = self.lists.entry(key).or_insert_with(|| List {
            source: source(),
            previews: Vec::new(),
            used_bytes: 0,
            tried: 0,
            turn: None,
            is_complete: false,
            is_emptied: true,
            readers: 0,
            requested: 0,
        });
        if std::mem::take(&mut list.is_emptied) {
            list.used_bytes = ENTRY_BYTES;
            self.used_bytes += ENTRY_BYTES;
        }
        (list.readers, list.requested) = (list.readers + 1, self.requests);
        if list.is_wanted() && list.turn.is_none() && !self.queue.contains(&key) {
            self.queue.push_back(key);
        }
        let source = list.source.clone();
        self.make_room(key);
        (!self.queue.is_empty() && !std::mem::replace(&mut self.has_maker, true), source)
    }

    /// Removes a reader.
    pub(super) fn leave(&mut self, key: ListKey) {
        if let Some(list) = self.lists.get_mut(&key) {
            list.readers -= 1;
            if list.is_emptied && list.readers == 0 {
                self.remove(key);
            }
        }
    }

    /// The preview with this number, in the order in which they are made.
    pub(super) fn get(&self, key: ListKey, number: usize) -> Got {
        let Some(list) = self.lists.get(&key).filter(|list| !list.is_emptied) else { return Got::End };
        match list.previews.get(number) {
            Some(preview) => Got::Preview(preview.clone()),
            None if list.is_complete => Got::End,
            None => Got::Later,
        }
    }

    /// Whose turn it is. `None` if no previews are wanted: the maker must then end.
    pub(super) fn next_turn(&mut self) -> Option<Turn<V>> {
        while let Some(key) = self.queue.pop_front() {
            if let Some(list) = self.lists.get_mut(&key).filter(|list| list.is_wanted()) {
                self.turns += 1;
                list.turn = Some(self.turns);
                return Some(Turn { key, source: list.source.clone(), tried: list.tried, number: self.turns });
            }
        }
        self.has_maker = false;
        None
    }

    /// Whether a turn that has lasted this long goes on.
    pub(super) fn goes_on(&self, turn: &Turn<V>, lasted: Duration) -> bool {
        let waits = |key: &ListKey| *key != turn.key && self.lists.get(key).is_some_and(List::is_wanted);
        self.lists.get(&turn.key).is_some_and(|list| list.turn == Some(turn.number) && list.is_wanted())
            && (lasted < TURN || !self.queue.iter().any(waits))
    }

    /// Takes in that frames up to this number were tried, and what came of the last of them.
    pub(super) fn put(&mut self, turn: &Turn<V>, tried: usize, preview: Option<Preview>) {
        let Some(list) = self.of_turn(turn) else { return };
        list.tried = list.tried.max(tried);
        if let Some(preview) = preview {
            let bytes = ENTRY_BYTES + preview.jpeg.len();
            list.previews.push(preview);
            list.used_bytes += bytes;
            self.used_bytes += bytes;
            self.make_room(turn.key);
        }
    }

    /// Ends a turn.
    pub(super) fn end_turn(&mut self, turn: &Turn<V>, end: TurnEnd) {
        let Some(list) = self.of_turn(turn) else { return };
        list.turn = None;
        match end {
            TurnEnd::Done => list.is_complete = true,
            TurnEnd::Interrupted if list.is_wanted() => self.queue.push_back(turn.key),
            TurnEnd::Interrupted => {}
            TurnEnd::Postponed => self.empty(turn.key),
        }
    }

    /// Takes in that the maker has ended in the middle of a turn, which would end so again. Returns whether another maker has to
    /// be started, for those who wait.
    pub(super) fn maker_failed(&mut self, turn: &Turn<V>) -> bool {
        self.end_turn(turn, TurnEnd::Done);
        self.has_maker = !self.queue.is_empty();
        self.has_maker
    }

    fn of_turn(&mut self, turn: &Turn<V>) -> Option<&mut List<V>> {
        self.lists.get_mut(&turn.key).filter(|list| list.turn == Some(turn.number))
    }

    /// Empties the lists that were asked for least recently, except this one, until the limit is kept.
    fn make_room(&mut self, kept: ListKey) {
        while self.used_bytes > self.max_bytes {
            let others = self.lists.iter().filter(|(key, list)| **key != kept && !list.is_emptied);
            let Some((&oldest, _)) = others.min_by_key(|(_, list)| list.requested) else { return };
            self.empty(oldest);
        }
    }

    fn empty(&mut self, key: ListKey) {
        let Some(list) = self.lists.get_mut(&key) else { return };
        self.used_bytes -= list.used_bytes;
        (list.used_bytes, list.tried, list.turn) = (0, 0, None);
        (list.is_complete, list.is_emptied) = (false, true);
        list.previews = Vec::new();
        if list.readers == 0 {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: ListKey) {
        if let Some(list) = self.lists.remove(&key) {
            self.used_bytes -= list.used_bytes;
        }
    }
}

impl<V> List<V> {
    /// Whether previews are to be made.
    fn is_wanted(&self) -> bool {
        self.readers > 0 && !self.is_complete && !self.is_emptied
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames of each video.
    const FRAMES: usize = 5;

    fn key(video: u64) -> ListKey {
        (VideoId(video), 1)
    }

    fn preview(number: usize, bytes: usize) -> Preview {
        Preview { stream_nanos: number as u64, jpeg: vec![0; bytes].into() }
    }

    /// The lists with the maker of a test, which makes one frame at a time.
    struct Room {
        lists: PreviewLists<()>,
        turn: Option<(Turn<()>, usize)>,
        /// Whether a maker was to be started and has not ended.
        has_maker: bool,
        /// Which list each reader reads, and how many previews it has.
        readers: Vec<(ListKey, usize, bool)>,
    }

    impl Room {
        fn new(max_bytes: usize) -> Self {
            Self { lists: PreviewLists::new(max_bytes), turn: None, has_maker: false, readers: Vec::new() }
        }

        fn enter(&mut self, video: u64) {
            let (starts, ()) = self.lists.enter(key(video), || ());
            assert!(!(starts && self.has_maker), "two makers");
            self.has_maker |= starts;
            self.readers.push((key(video), 0, false));
        }

        fn leave(&mut self, reader: usize) {
            if !self.readers.is_empty() {
                let (key, ..) = self.readers.swap_remove(reader % self.readers.len());
                self.lists.leave(key);
            }
        }

        fn read(&mut self) {
            for (key, read, is_over) in &mut self.readers {
                while !*is_over {
                    match self.lists.get(*key, *read) {
                        Got::Preview(_) => *read += 1,
                        Got::Later => break,
                        Got::End => *is_over = true,
                    }
                }
            }
        }

        /// What the maker does next.
        fn make(&mut self, lasted: Duration, bytes: usize) {
            if !self.has_maker {
                return;
            }
            let Some((turn, tried)) = self.turn.take() else {
                self.turn = self.lists.next_turn().map(|turn| {
                    let tried = turn.tried;
                    (turn, tried)
                });
                self.has_maker = self.turn.is_some();
                return;
            };
            if !self.lists.goes_on(&turn, lasted) {
                self.lists.end_turn(&turn, TurnEnd::Interrupted);
            } else if tried == FRAMES {
                self.lists.end_turn(&turn, TurnEnd::Done);
            } else {
                self.lists.put(&turn, tried + 1, Some(preview(tried, bytes)));
                self.turn = Some((turn, tried + 1));
            }
        }

        fn check(&self) {
            let used: usize = self.lists.lists.values().map(|list| list.used_bytes).sum();
            assert_eq!(used, self.lists.used_bytes);
            for (key, list) in &self.lists.lists {
                let is_cared_for = list.turn.is_some() || self.lists.queue.contains(key);
                assert!(!list.is_wanted() || self.has_maker && is_cared_for, "{key:?} is forgotten");
            }
        }
    }

    #[test]
    fn a_turn_ends_when_its_last_reader_leaves_and_goes_on_where_it_was() {
        let mut room = Room::new(usize::MAX);
        room.enter(1);
        (0..3).for_each(|_| room.make(Duration::ZERO, 10));
        room.leave(0);
        (0..3).for_each(|_| room.make(Duration::ZERO, 10));
        assert!(!room.has_maker, "nothing is made that has no reader");
        room.enter(1);
        room.make(Duration::ZERO, 10);
        assert_eq!(room.turn.as_ref().unwrap().1, 2, "what was made is not made again");
    }

    #[test]
    fn a_long_turn_makes_way_for_others_and_only_then() {
        let mut room = Room::new(usize::MAX);
        room.enter(1);
        (0..2).for_each(|_| room.make(TURN, 10));
        assert!(room.turn.is_some(), "none waits");
        room.enter(2);
        (0..2).for_each(|_| room.make(TURN, 10));
        assert_eq!(room.turn.as_ref().unwrap().0.key, key(2));
    }

    #[test]
    fn what_cannot_be_made_now_is_tried_again_for_the_next_reader_and_what_fails_is_not() {
        let mut lists = PreviewLists::new(usize::MAX);
        for (end, is_tried_again) in [(TurnEnd::Postponed, true), (TurnEnd::Done, false)] {
            assert!(lists.enter(key(1), || ()).0);
            let turn = lists.next_turn().unwrap();
            lists.end_turn(&turn, end);
            assert_eq!(lists.get(key(1), 0), Got::End);
            lists.leave(key(1));
            assert!(lists.next_turn().is_none());
            assert_eq!(lists.enter(key(1), || ()).0, is_tried_again, "{end:?}");
            lists.leave(key(1));
            lists.next_turn();
        }
    }

    #[test]
    fn a_maker_that_fails_leaves_the_others_to_the_next() {
        let mut lists = PreviewLists::new(usize::MAX);
        lists.enter(key(1), || ());
        lists.enter(key(2), || ());
        let turn = lists.next_turn().unwrap();
        assert!(lists.maker_failed(&turn), "video 2 waits");
        assert_eq!(lists.get(key(1), 0), Got::End);
        assert_eq!(lists.next_turn().unwrap().key, key(2));
    }

    #[test]
    fn the_list_asked_for_least_recently_goes_first() {
        let mut room = Room::new(2 * (ENTRY_BYTES + FRAMES * (ENTRY_BYTES + 100)));
        for video in [1, 2, 1, 3] {
            room.enter(video);
            (0..FRAMES + 3).for_each(|_| room.make(Duration::ZERO, 100));
        }
        assert_eq!([1, 2, 3].map(|video| room.lists.get(key(video), 0) == Got::End), [false, true, false]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter(u64),
        Leave(usize),
        Read,
        Make(bool, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0_u64..4).prop_map(Step::Enter),
            2 => any::<usize>().prop_map(Step::Leave),
            1 => Just(Step::Read),
            8 => (any::<bool>(), 0_usize..2_000).prop_map(|(is_late, bytes)| Step::Make(is_late, bytes)),
        ]
    }

    proptest! {
        /// Whatever happens, the limit is kept, no wanted list is forgotten, and every reader comes to an end: with all
        /// previews, or because its list was emptied.
        #[test]
        fn every_reader_comes_to_an_end(steps in prop::collection::vec(step(), 0..200), max_bytes in 4_000_usize..30_000) {
            let mut room = Room::new(max_bytes);
            for step in steps {
                match step {
                    Step::Enter(video) => room.enter(video),
                    Step::Leave(reader) => room.leave(reader),
                    Step::Read => room.read(),
                    Step::Make(is_late, bytes) => room.make(if is_late { TURN } else { Duration::ZERO }, bytes),
                }
                room.check();
                let largest = ENTRY_BYTES + FRAMES * (ENTRY_BYTES + 2_000);
                prop_assert!(room.lists.used_bytes <= max_bytes.max(largest), "{}", room.lists.used_bytes);
            }
            // A turn that is always late makes at least one step when it has begun.
            (0..4 * (FRAMES + 3)).for_each(|_| room.make(Duration::ZERO, 10));
            room.read();
            prop_assert!(!room.has_maker, "the maker ends when nothing is left to do");
            prop_assert!(room.readers.iter().all(|(.., is_over)| *is_over), "{:?}", room.readers);
            while !room.readers.is_empty() {
                room.leave(0);
                room.check();
            }
        }
    }
}
