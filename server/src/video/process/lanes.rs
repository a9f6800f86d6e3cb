//! Which lane decodes what: the frames of a job are cut into pieces at key frames, several lanes, each with a decoder, make
//! them at the same time, and they are taken in order. Pure: a lane asks [`Lanes::next`] what to do.
//!
//! ```text
//! frames   ├──── piece 0 ────┼──── piece 1 ────┼──── piece 2 ────┼──── piece 3 ────┤
//! lane 0   ═════════════════►                  ═════════════════►
//! lane 1                     ═════════════════►                  ══════►
//! taken    ─────────►
//! ```
//!
//! * A lane goes on into the next piece with the decoder that it has, unless another lane has begun that piece.
//! * One lane works at first, and a further one each time that pictures have been waited for often enough. So a viewer who
//!   turns, or watches at the video's speed, costs one decoder.
//! * A lane is at most [`MAX_WAITING`] pictures ahead of what is taken, and no lane begins a piece further ahead than there
//!   are lanes.

use std::{collections::VecDeque, ops::Range};

/// The fewest frames of a piece. Shorter ones are joined, because each piece begins with opening the file, which takes as long
/// as decoding a frame.
const MIN_PIECE_FRAMES: usize = 24;

/// Pictures of one piece that may wait to be taken, in bytes some 25 MB at 1440p.
const MAX_WAITING: usize = 64;

/// The same while one lane works: what is asked for later may never be.
const MAX_WAITING_ALONE: usize = 4;

/// How hungry those who take must be before a second lane works. A picture that they wait for counts three, one that is there
/// already takes one off. Sixteen pictures are taken at once when a viewer begins, so it is more than three for each of them.
const FIRST_HUNGER: usize = 60;

/// The same for each further lane.
const FURTHER_HUNGER: usize = 24;

const HUNGER_OF_WAITING: usize = 3;

/// What lanes make: pictures `T`, or an error `E`.
#[derive(Debug)]
pub(super) struct Lanes<T, E> {
    pieces: Vec<Piece<T, E>>,
    /// What each lane works at.
    places: Vec<Option<Place>>,
    /// The first piece that no lane has begun.
    unbegun: usize,
    /// The piece from which the next picture is taken.
    front: usize,
    /// How many lanes may work now.
    open_lanes: usize,
    /// How many may work at most.
    max_lanes: usize,
    hunger: usize,
    is_waited_for: bool,
    is_stopped: bool,
}

#[derive(Debug)]
struct Piece<T, E> {
    frames: Range<usize>,
    /// Pictures that have not been taken.
    made: VecDeque<T>,
    /// Why it has no more.
    failure: Option<E>,
    /// Pictures that have not been taken, made or not.
    left: usize,
}

/// The frame that a lane makes next.
#[derive(Debug, Clone, Copy)]
struct Place {
    piece: usize,
    frame: usize,
}

/// What a lane is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Open a decoder at this frame, and make it.
    Open(usize),
    /// Make this frame, the one after the last, with the same decoder.
    Make(usize),
    /// Close the decoder, and ask again.
    Close,
    /// Ask again when something has changed.
    Wait,
    /// End: there is nothing left to do.
    End,
}

/// What is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T, E> {
    /// The next picture.
    Picture(T),
    /// The next picture cannot be made.
    Failed(E),
    /// It is not there yet.
    Wait,
    /// There are no more.
    End,
}

/// The pieces of `frames`: cut where a frame of `cuts` (ascending) begins a closed group of pictures, but none short.
pub(super) fn pieces(frames: Range<usize>, cuts: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut pieces, mut start) = (Vec::new(), frames.start);
    for cut in cuts.into_iter().filter(|cut| frames.contains(cut)) {
        if cut >= start + MIN_PIECE_FRAMES && cut + MIN_PIECE_FRAMES <= frames.end {
            pieces.push(start..cut);
            start = cut;
        }
    }
    pieces.push(start..frames.end);
    pieces
}

impl<T, E> Lanes<T, E> {
    pub(super) fn new(pieces: Vec<Range<usize>>, lanes: usize) -> Self {
        let piece = |frames: Range<usize>| {
            let left = frames.len();
            Piece { frames, made: VecDeque::new(), failure: None, left }
        };
        Self {
            pieces: pieces.into_iter().map(piece).collect(),
            places: vec![None; lanes.max(1)],
            unbegun: 0,
            front: 0,
            open_lanes: 1,
            max_lanes: lanes,
            hunger: 0,
            is_waited_for: false,
            is_stopped: false,
        }
    }

    /// What `lane` is to do. Whatever it answers, the lane is taken to do it.
    pub(super) fn next(&mut self, lane: usize) -> Next {
        let Some(place) = self.places[lane] else { return self.begin(lane) };
        let has_reached_end = place.frame == self.pieces[place.piece].frames.end;
        let is_next_free = place.piece + 1 == self.unbegun && self.unbegun < self.pieces.len();
        if self.is_stopped || has_reached_end && !is_next_free {
            self.places[lane] = None;
            return Next::Close;
        }
        let piece = place.piece + usize::from(has_reached_end);
        if !self.has_room(piece) {
            return Next::Wait;
        }
        self.unbegun = self.unbegun.max(piece + 1);
        self.places[lane] = Some(Place { piece, frame: place.frame });
        Next::Make(place.frame)
    }

    /// The first frame that `lane` will not make after its last one, as far as that is known.
    pub(super) fn end_of(&self, lane: usize) -> usize {
        let last = self.pieces.len() - 1;
        let piece =
            self.places[lane].map_or(last, |place| if place.piece + 1 == self.unbegun { last } else { place.piece });
        self.pieces[piece].frames.end
    }

    fn begin(&mut self, lane: usize) -> Next {
        if self.is_stopped || self.unbegun == self.pieces.len() {
            return Next::End;
        }
        let working = self.places.iter().flatten().count();
        if working >= self.open_lanes || !self.has_room(self.unbegun) {
            return Next::Wait;
        }
        let frame = self.pieces[self.unbegun].frames.start;
        self.places[lane] = Some(Place { piece: self.unbegun, frame });
        self.unbegun += 1;
        Next::Open(frame)
    }

    /// Whether a picture of this piece may be made now.
    fn has_room(&self, piece: usize) -> bool {
        let waiting = |piece: usize| self.pieces[piece].made.len();
        match self.open_lanes {
            1 if piece == self.front => waiting(piece) < MAX_WAITING_ALONE,
            1 => (self.front..=piece).map(waiting).sum::<usize>() < MAX_WAITING_ALONE,
            lanes => piece <= self.front + lanes && waiting(piece) < MAX_WAITING,
        }
    }

    /// Hands over the picture that `lane` was told to make.
    pub(super) fn put(&mut self, lane: usize, picture: T) {
        if let Some(place) = &mut self.places[lane] {
            self.pieces[place.piece].made.push_back(picture);
            place.frame += 1;
        }
    }

    /// The picture that `lane` was told to make cannot be made. The frames before it are still made, those after it are not.
    pub(super) fn fail(&mut self, lane: usize, error: E) {
        if let Some(place) = self.places[lane].take() {
            self.pieces[place.piece].failure.get_or_insert(error);
            self.pieces.truncate(place.piece + 1);
            self.unbegun = self.unbegun.min(self.pieces.len());
            for place in &mut self.places {
                place.take_if(|place| place.piece >= self.pieces.len());
            }
        }
    }

    /// From now on only one lane works, because the file cannot be searched after all.
    pub(super) fn close_others(&mut self) {
        (self.open_lanes, self.max_lanes) = (1, 1);
    }

    /// Has all lanes end.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Takes the next picture, if it is there.
    pub(super) fn take(&mut self) -> Taken<T, E> {
        let Some(piece) = self.pieces.get_mut(self.front) else { return Taken::End };
        if let Some(picture) = piece.made.pop_front() {
            piece.left -= 1;
            self.front += usize::from(piece.left == 0);
            if !std::mem::take(&mut self.is_waited_for) {
                self.hunger = self.hunger.saturating_sub(1);
            }
            return Taken::Picture(picture);
        }
        if let Some(error) = piece.failure.take() {
            return Taken::Failed(error);
        }
        if !std::mem::replace(&mut self.is_waited_for, true) {
            self.hunger += HUNGER_OF_WAITING;
            let enough = if self.open_lanes == 1 { FIRST_HUNGER } else { FURTHER_HUNGER };
            if self.hunger >= enough && self.open_lanes < self.max_lanes {
                (self.open_lanes, self.hunger) = (self.open_lanes + 1, 0);
            }
        }
        Taken::Wait
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A simulated lane: the frames of its decoder, and how many steps it takes until the next picture is there.
    #[derive(Debug, Clone, Default)]
    struct Lane {
        at: Option<usize>,
        steps_left: u32,
        is_over: bool,
    }

    /// Everything that the lanes do, step by step.
    #[derive(Debug)]
    struct Machine {
        lanes: Lanes<usize, usize>,
        simulated: Vec<Lane>,
        frames_of_pieces: usize,
        failing: Option<usize>,
        made: Vec<usize>,
        taken: Vec<usize>,
        end: Option<Taken<usize, usize>>,
        most_working: usize,
    }

    impl Machine {
        fn new(pieces: Vec<Range<usize>>, lanes: usize, failing: Option<usize>) -> Self {
            let frames_of_pieces = pieces.iter().map(Range::len).sum();
            let (simulated, lanes) = (vec![Lane::default(); lanes], Lanes::new(pieces, lanes));
            let (made, taken) = (Vec::new(), Vec::new());
            Self { lanes, simulated, frames_of_pieces, failing, made, taken, end: None, most_working: 0 }
        }

        /// One lane goes on; a picture takes it `cost` steps. Returns whether something happened.
        fn step(&mut self, lane: usize, cost: u32) -> bool {
            let state = &mut self.simulated[lane];
            if state.is_over {
                return false;
            }
            if let Some(frame) = state.at {
                if state.steps_left > 0 {
                    state.steps_left -= 1;
                    return true;
                }
                state.at = None;
                if self.failing == Some(frame) {
                    self.lanes.fail(lane, frame);
                } else {
                    self.made.push(frame);
                    self.lanes.put(lane, frame);
                }
                return true;
            }
            match self.lanes.next(lane) {
                Next::Open(frame) => (state.at, state.steps_left) = (Some(frame), 2 * cost),
                Next::Make(frame) => (state.at, state.steps_left) = (Some(frame), cost),
                Next::Close => {}
                Next::End => state.is_over = true,
                Next::Wait => return false,
            }
            self.most_working = self.most_working.max(self.simulated.iter().filter(|lane| lane.at.is_some()).count());
            true
        }

        fn take(&mut self) -> bool {
            if self.end.is_some() {
                return false;
            }
            match self.lanes.take() {
                Taken::Picture(frame) => self.taken.push(frame),
                Taken::Wait => return false,
                end => self.end = Some(end),
            }
            true
        }

        /// Until nothing happens any more.
        fn finish(&mut self) {
            let mut has_moved = true;
            while has_moved {
                has_moved = self.take();
                for lane in 0..self.simulated.len() {
                    has_moved |= self.step(lane, 0);
                }
            }
        }
    }

    fn cut(start: usize, lengths: &[usize]) -> Vec<Range<usize>> {
        let mut end = start;
        let piece = |&length: &usize| {
            let piece = end..end + length;
            end = piece.end;
            piece
        };
        lengths.iter().map(piece).collect()
    }

    proptest! {
        #[test]
        fn every_frame_is_taken_once_and_in_order_whatever_the_lanes_cost(
            lengths in prop::collection::vec(1usize..90, 1..12), lanes in 1usize..5, start in 0usize..3,
            costs in prop::collection::vec(0u32..5, 4), steps in prop::collection::vec((0usize..6, 1u32..80), 0..80),
            failing in prop::option::weighted(0.3, 0usize..600), closes_at in prop::option::weighted(0.2, 0usize..60),
            stops: bool,
        ) {
            let pieces = cut(start, &lengths);
            let end = pieces.last().unwrap().end;
            let failing = failing.filter(|frame| (start..end).contains(frame));
            let mut machine = Machine::new(pieces, lanes, failing);
            for (number, (who, times)) in steps.into_iter().enumerate() {
                if closes_at == Some(number) {
                    machine.lanes.close_others();
                }
                for _ in 0..times {
                    if who < lanes { machine.step(who, costs[who]) } else { machine.take() };
                    let ahead = machine.made.len() - machine.taken.len();
                    prop_assert!(ahead <= (lanes + 2) * MAX_WAITING, "{ahead} pictures wait");
                }
            }
            if stops {
                machine.lanes.stop();
                for lane in 0..lanes {
                    // A picture that is being made, closing, and the end.
                    (0..10).for_each(|_| { machine.step(lane, 0); });
                    prop_assert!(machine.simulated[lane].is_over, "lane {lane} goes on: {machine:?}");
                }
            } else {
                machine.finish();
                let expected: Vec<_> = (start..failing.unwrap_or(end)).collect();
                prop_assert_eq!(&machine.taken, &expected);
                let is_right = match failing {
                    Some(frame) => machine.end == Some(Taken::Failed(frame)),
                    None => machine.end == Some(Taken::End),
                };
                prop_assert!(is_right, "{:?}", machine.end);
                let mut made = machine.made.clone();
                made.sort_unstable();
                made.dedup();
                prop_assert_eq!(made.len(), machine.made.len(), "no frame is made twice");
                prop_assert!(machine.simulated.iter().all(|lane| lane.is_over));
            }
        }

        #[test]
        fn pieces_are_whole_and_none_is_short(
            start in 0usize..50, length in 1usize..500, cuts in prop::collection::btree_set(0usize..600, 0..60),
        ) {
            let frames = start..start + length;
            let pieces = pieces(frames.clone(), cuts.iter().copied());
            prop_assert_eq!(pieces.concat_frames(), frames.collect::<Vec<_>>());
            for piece in &pieces[1..] {
                prop_assert!(cuts.contains(&piece.start) && piece.len() >= MIN_PIECE_FRAMES);
            }
        }
    }

    trait ConcatFrames {
        fn concat_frames(&self) -> Vec<usize>;
    }

    impl ConcatFrames for Vec<Range<usize>> {
        fn concat_frames(&self) -> Vec<usize> {
            self.iter().cloned().flatten().collect()
        }
    }

    #[test]
    fn all_lanes_work_for_one_who_takes_all_and_one_lane_for_one_who_does_not() {
        let lengths = [30; 40];
        let mut hungry = Machine::new(cut(0, &lengths), 4, None);
        while hungry.end.is_none() {
            hungry.take();
            (0..4).for_each(|lane| {
                hungry.step(lane, 3);
            });
        }
        assert_eq!((hungry.most_working, hungry.taken.len()), (4, hungry.frames_of_pieces));
        let mut calm = Machine::new(cut(0, &lengths), 4, None);
        // Sixteen as they come, then one whenever the lanes have had time for several.
        while calm.taken.len() < 16 {
            calm.take();
            (0..4).for_each(|lane| {
                calm.step(lane, 3);
            });
        }
        for _ in 0..100 {
            (0..40).for_each(|_| {
                (0..4).for_each(|lane| {
                    calm.step(lane, 3);
                })
            });
            calm.take();
        }
        assert_eq!(calm.most_working, 1);
        assert!(calm.made.len() <= calm.taken.len() + MAX_WAITING_ALONE, "{} made", calm.made.len());
    }
}
