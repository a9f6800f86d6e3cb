//! The playout buffer, with time in the hands of the test.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, Origin, PictureHead, StreamId};
use proptest::prelude::*;
use triptych_client::{
    event::Hold,
    playback::playout::{Arrival, LOOKAHEAD_PICTURES, Playout, WINDOW_ITEMS},
};

const STREAM: StreamId = StreamId(3);
const FRAME: Duration = Duration::from_millis(40);

fn head(index: u32) -> PictureHead {
    PictureHead {
        stream: STREAM,
        epoch: Epoch(0),
        index,
        height: 240,
        pts_nanos: u64::from(index) * FRAME.as_nanos() as u64,
        duration_nanos: FRAME.as_nanos() as u64,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    }
}

/// A playout, and a clock that moves when told to.
struct Bench {
    playout: Playout<u32, u32>,
    now: Instant,
    begun: Instant,
    credit: u32,
    next_index: u32,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut playout = Playout::default();
        assert_eq!(playout.begin(STREAM, Epoch(0), false, now), None);
        let mut bench = Self { playout, now, begun: now, credit: 0, next_index: 0 };
        bench.take_credit();
        bench
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn at(&mut self, since_begin: Duration) {
        self.now = self.begun + since_begin;
    }

    fn take_credit(&mut self) {
        self.take_credit_of(Epoch(0));
    }

    fn take_credit_of(&mut self, current: Epoch) {
        if let Some((stream, epoch, items)) = self.playout.take_credit() {
            assert_eq!((stream, epoch), (STREAM, current));
            self.credit += items;
        }
    }

    /// The server sends this many pictures, as far as it has credit.
    fn send(&mut self, count: u32) {
        for _ in 0..count {
            if self.credit == 0 {
                return;
            }
            self.credit -= 1;
            assert_eq!(self.playout.arrive(head(self.next_index), self.next_index, self.now), Arrival::Queued);
            self.next_index += 1;
        }
    }

    /// Decodes all pictures that may be decoded now.
    fn decode(&mut self) {
        while let Some((head, encoded)) = self.playout.next_job(self.now) {
            self.playout.finish_job(head, Some(encoded), self.now);
        }
    }

    fn shown(&mut self) -> Option<u32> {
        self.shown_of(Epoch(0))
    }

    fn shown_of(&mut self, current: Epoch) -> Option<u32> {
        let shown = self.playout.due(self.now).map(|(head, picture)| {
            assert_eq!(head.index, picture);
            picture
        });
        self.take_credit_of(current);
        shown
    }
}

#[test]
fn pictures_are_shown_by_their_timestamps_from_the_first_on() {
    let mut bench = Bench::new();
    assert_eq!(bench.credit, WINDOW_ITEMS);
    bench.send(8);
    bench.at(Duration::from_millis(300));
    bench.decode();
    assert_eq!(bench.shown(), Some(0), "the first is shown whenever it is there");
    assert_eq!(bench.shown(), None);
    assert_eq!(bench.playout.next_due(bench.now), Some(bench.now + FRAME));
    bench.pass(FRAME.saturating_sub(Duration::from_millis(5)));
    assert_eq!(bench.shown(), None, "not before its time");
    bench.pass(Duration::from_millis(5));
    assert_eq!(bench.shown(), Some(1));
    bench.pass(FRAME);
    assert_eq!(bench.shown(), Some(2));
    let summary = bench.playout.stop().expect("a stream was under way");
    assert_eq!(summary.first_picture_after, Some(Duration::from_millis(300)));
    assert_eq!(summary.shown_for, 2 * FRAME);
    assert!((summary.mean_frames_per_second() - 25.0).abs() < 0.01);
    assert_eq!((summary.tally.shown, summary.tally.dropped(), summary.tally.unshown_at_stop), (3, 0, 5));
}

#[test]
fn what_waits_reaches_to_the_end_of_the_last_picture_that_came() {
    let mut bench = Bench::new();
    assert_eq!(bench.playout.buffered_until(), None);
    bench.send(3);
    assert_eq!(bench.playout.buffered_until(), Some(3 * FRAME), "none is decoded yet");
    bench.decode();
    assert_eq!(bench.playout.buffered_until(), Some(3 * FRAME), "all are decoded");
    assert_eq!(bench.shown(), Some(0));
    bench.pass(FRAME);
    assert_eq!(bench.shown(), Some(1));
    let figures = bench.playout.figures(bench.now).expect("a stream plays");
    assert_eq!((figures.buffered, figures.buffered_pictures), (2 * FRAME, 1), "that of the picture on the screen too");
    bench.pass(FRAME);
    assert_eq!(bench.shown(), Some(2));
    assert_eq!(bench.playout.buffered_until(), Some(3 * FRAME), "only the picture on the screen is left");
    bench.playout.seek(Epoch(1), bench.now);
    assert_eq!(bench.playout.buffered_until(), None, "what came before the seek is gone");
}

#[test]
fn figures_count_what_came_and_how_long_it_took() {
    let mut bench = Bench::new();
    bench.send(2);
    bench.playout.count_bytes(500);
    bench.playout.count_part(STREAM, Epoch(0), 500);
    for millis in [8, 16] {
        bench.playout.count_decoding(Duration::from_millis(millis));
    }
    bench.pass(Duration::from_millis(70));
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    bench.playout.seek(Epoch(1), bench.now);
    assert_eq!(bench.playout.epoch_bytes(), 0, "bytes of an epoch are counted from the seek on");
    bench.take_credit_of(Epoch(1));
    bench.pass(Duration::from_millis(30));
    let sought = PictureHead { epoch: Epoch(1), origin: Origin::Disk, ..head(9) };
    assert_eq!(bench.playout.arrive(sought, 9, bench.now), Arrival::Queued);
    bench.playout.count_bytes(300);
    for (stream, epoch, bytes) in [(STREAM, Epoch(0), 1), (StreamId(99), Epoch(1), 2), (STREAM, Epoch(1), 300)] {
        bench.playout.count_part(stream, epoch, bytes);
    }
    bench.decode();
    assert_eq!(bench.shown_of(Epoch(1)), Some(9));
    let figures = bench.playout.figures(bench.now).expect("a stream plays");
    let tally = figures.tally;
    assert_eq!((tally.received, tally.received_span), (3, 3 * FRAME));
    assert_eq!((tally.from_memory, tally.from_disk, tally.from_decoder), (2, 1, 0));
    assert_eq!((figures.tally.received_bytes, bench.playout.epoch_bytes()), (800, 300));
    assert_eq!(figures.first_picture_after, Some(Duration::from_millis(70)));
    assert_eq!(figures.seek_picture_after, Some(Duration::from_millis(30)));
    let decoding = figures.decoding.expect("two were decoded");
    assert_eq!((decoding.recent, decoding.most), (Duration::from_millis(9), Duration::from_millis(16)));
}

#[test]
fn only_a_few_pictures_are_decoded_ahead() {
    let mut bench = Bench::new();
    bench.send(20);
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    assert!(bench.playout.next_job(bench.now).is_some(), "one was shown, so there is room for one");
    assert!(bench.playout.next_job(bench.now).is_none(), "one at a time");
    let ahead = LOOKAHEAD_PICTURES as u32;
    bench.playout.finish_job(head(ahead), Some(ahead), bench.now);
    assert_eq!(bench.playout.decoded_count(), LOOKAHEAD_PICTURES, "it was wanted");
    assert!(bench.playout.next_job(bench.now).is_none());
}

#[test]
fn after_a_short_delay_of_the_window_no_picture_is_dropped() {
    let mut bench = Bench::new();
    bench.send(8);
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    bench.pass(FRAME * 3 + Duration::from_millis(20));
    assert_eq!(bench.shown(), Some(1), "late, but not by much");
    assert_eq!(bench.shown(), Some(2));
    assert_eq!(bench.shown(), Some(3));
    assert_eq!(bench.shown(), None);
    assert_eq!(bench.playout.stop().map(|summary| summary.tally.dropped()), Some(0));
}

#[test]
fn after_a_long_delay_of_the_window_late_pictures_are_dropped_and_counted_by_cause() {
    let mut bench = Bench::new();
    bench.send(20);
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    // Decoded: 1 to 3. Due by now: up to 10.
    bench.pass(FRAME * 10);
    assert_eq!(bench.shown(), Some(3));
    bench.decode();
    assert_eq!(bench.shown(), Some(10));
    let tally = bench.playout.stop().expect("a stream was under way").tally;
    assert_eq!((tally.late_at_display, tally.late_at_decoder, tally.stalls), (2, 6, 0));
}

#[test]
fn when_pictures_run_out_the_clock_stops_and_none_is_dropped() {
    let mut bench = Bench::new();
    bench.send(3);
    bench.decode();
    for index in 0..3 {
        assert_eq!(bench.shown(), Some(index));
        bench.pass(FRAME);
    }
    bench.pass(Duration::from_millis(10));
    assert_eq!(bench.shown(), None);
    assert_eq!(bench.playout.hold(bench.now), Some(Hold::Source));
    assert_eq!(bench.playout.next_due(bench.now), None, "a window at rest is not woken");
    assert_eq!(bench.playout.position(bench.now), Some(FRAME * 3), "the clock is stopped");
    bench.pass(Duration::from_secs(5));
    bench.send(2);
    bench.decode();
    assert_eq!(bench.playout.hold(bench.now), Some(Hold::Source), "two pictures are too few to resume");
    bench.send(8);
    bench.decode();
    assert_eq!(bench.playout.hold(bench.now), None);
    for index in 3..13 {
        assert_eq!(bench.shown(), Some(index));
        bench.decode();
        bench.pass(FRAME);
    }
    let tally = bench.playout.stop().expect("a stream was under way").tally;
    assert_eq!((tally.shown, tally.dropped(), tally.stalls), (13, 0, 1));
}

#[test]
fn a_picture_that_comes_late_over_the_wire_stops_the_clock_even_before_the_window_looks() {
    let mut bench = Bench::new();
    bench.send(1);
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    bench.pass(Duration::from_secs(1));
    bench.send(10);
    assert_eq!(bench.playout.hold(bench.now), Some(Hold::Source));
    bench.decode();
    assert_eq!(bench.shown(), Some(1));
    assert_eq!(bench.playout.stop().map(|summary| summary.tally.dropped()), Some(0));
}

#[test]
fn a_slow_decoder_drops_before_decoding_and_always_gets_on() {
    let mut bench = Bench::new();
    bench.send(24);
    let mut shown = Vec::new();
    for _ in 0..40 {
        bench.send(24);
        let job = bench.playout.next_job(bench.now);
        bench.pass(FRAME * 3);
        if let Some((head, encoded)) = job {
            bench.playout.finish_job(head, Some(encoded), bench.now);
        }
        shown.extend(bench.shown());
    }
    assert!(shown.len() > 30, "a picture for each that was decoded: {}", shown.len());
    assert!(shown.is_sorted());
    let tally = bench.playout.stop().expect("a stream was under way").tally;
    assert!(tally.late_at_decoder > 40, "two of three are left out: {tally:?}");
    assert_eq!(tally.late_at_display, 0);
    assert_eq!(tally.stalls, 0, "it is not the server's fault");
}

#[test]
fn the_stream_ends_when_the_last_picture_has_been_shown_for_its_duration() {
    let mut bench = Bench::new();
    bench.send(2);
    bench.decode();
    bench.playout.source_ended(STREAM, Epoch(0), bench.now);
    assert_eq!(bench.shown(), Some(0));
    bench.pass(FRAME);
    assert_eq!(bench.shown(), Some(1));
    assert!(!bench.playout.is_finished(bench.now));
    let end = bench.playout.next_due(bench.now).expect("the end is announced");
    bench.now = end;
    assert_eq!(bench.shown(), None);
    assert!(bench.playout.is_finished(bench.now));
    assert_eq!(bench.playout.hold(bench.now), None);
    assert_eq!(bench.playout.take_credit(), None, "nothing is granted after the end");
}

#[test]
fn a_stream_that_ends_in_a_stall_plays_out() {
    let mut bench = Bench::new();
    bench.send(1);
    bench.decode();
    assert_eq!(bench.shown(), Some(0));
    bench.pass(FRAME * 2);
    assert_eq!(bench.shown(), None);
    bench.pass(FRAME * 50);
    bench.send(1);
    bench.playout.source_ended(STREAM, Epoch(0), bench.now);
    bench.decode();
    assert_eq!(bench.shown(), Some(1));
    bench.pass(FRAME);
    assert!(bench.playout.is_finished(bench.now));
}

#[test]
fn an_empty_stream_ends_at_once() {
    let mut bench = Bench::new();
    assert!(!bench.playout.is_finished(bench.now));
    bench.playout.source_ended(StreamId(99), Epoch(0), bench.now);
    assert!(!bench.playout.is_finished(bench.now), "another one ended");
    bench.playout.source_ended(STREAM, Epoch(0), bench.now);
    assert!(bench.playout.is_finished(bench.now));
    assert_eq!(bench.playout.stop().map(|summary| summary.first_picture_after), Some(None));
}

#[test]
fn stale_surplus_and_broken_pictures_are_counted() {
    let mut bench = Bench::new();
    let stranger = PictureHead { stream: StreamId(2), ..head(0) };
    assert_eq!(bench.playout.arrive(stranger, 0, bench.now), Arrival::Stale);
    bench.send(WINDOW_ITEMS);
    assert_eq!(bench.playout.arrive(head(WINDOW_ITEMS), 0, bench.now), Arrival::BeyondCredit);
    let (first, _) = bench.playout.next_job(bench.now).expect("pictures wait");
    bench.playout.finish_job(first, None, bench.now);
    bench.decode();
    assert_eq!(bench.shown(), Some(1), "the first that can be read starts the clock");
    let tally = bench.playout.stop().expect("a stream was under way").tally;
    assert_eq!((tally.stale, tally.beyond_credit, tally.broken), (1, 1, 1));
}

#[test]
fn what_is_decoded_for_a_stream_that_is_over_is_not_shown() {
    let mut bench = Bench::new();
    bench.send(3);
    let (old, picture) = bench.playout.next_job(bench.now).expect("pictures wait");
    let summary = bench.playout.begin(StreamId(4), Epoch(0), false, bench.now).expect("the first gives its figures");
    assert_eq!((summary.stream, summary.tally.unshown_at_stop), (STREAM, 3));
    bench.playout.finish_job(old, Some(picture), bench.now);
    assert_eq!(bench.playout.decoded_count(), 0);
    assert_eq!(bench.playout.due(bench.now), None);
    assert_eq!(bench.playout.arrive(old, 0, bench.now), Arrival::Stale);
    assert_eq!(bench.playout.take_credit(), Some((StreamId(4), Epoch(0), WINDOW_ITEMS)));
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Send(u32),
    Decode { is_broken: bool },
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..200).prop_map(Step::Pass),
        (1u32..30).prop_map(Step::Send),
        prop::bool::weighted(0.1).prop_map(|is_broken| Step::Decode { is_broken }),
        Just(Step::Look),
        Just(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens: pictures are shown in order and at most once, each that arrived is shown, dropped or still
    /// there, credit is never lost and never exceeds the window, and the buffers keep their bounds.
    #[test]
    fn nothing_is_lost_or_shown_twice(steps in prop::collection::vec(step(), 1..200)) {
        let mut bench = Bench::new();
        let mut jobs: VecDeque<(PictureHead, u32)> = VecDeque::new();
        let mut last_shown = None;
        let mut shown_count = 0u64;
        for step in steps {
            match step {
                Step::Pass(millis) => bench.pass(Duration::from_millis(millis)),
                Step::Send(count) => bench.send(count),
                Step::Decode { is_broken } => {
                    jobs.extend(bench.playout.next_job(bench.now));
                    if let Some((head, encoded)) = jobs.pop_front() {
                        bench.playout.finish_job(head, (!is_broken).then_some(encoded), bench.now);
                    }
                }
                Step::Look => {
                    let before = bench.playout.position(bench.now);
                    if let Some(index) = bench.shown() {
                        prop_assert!(last_shown < Some(index), "in order and once");
                        last_shown = Some(index);
                        shown_count += 1;
                    }
                    prop_assert!(bench.playout.position(bench.now) >= before || last_shown == Some(0));
                }
            }
            prop_assert!(bench.credit <= WINDOW_ITEMS);
        }
        // From here on nothing goes wrong, and the stream must reach its end.
        bench.playout.source_ended(STREAM, Epoch(0), bench.now);
        for _ in 0..2_000 {
            bench.decode();
            if bench.shown().is_some() {
                shown_count += 1;
            }
            if bench.playout.is_finished(bench.now) {
                break;
            }
            bench.pass(Duration::from_millis(20));
        }
        prop_assert!(bench.playout.is_finished(bench.now), "a stream ends");
        let tally = bench.playout.stop().expect("a stream was under way").tally;
        prop_assert_eq!(tally.shown, shown_count);
        prop_assert_eq!(u64::from(bench.next_index), tally.shown + tally.dropped());
    }

    /// A server that keeps up and a decoder that keeps up: every picture is shown, each within a timer's rounding of
    /// its time, whatever the frame rate.
    #[test]
    fn undelayed_pictures_are_shown_at_their_times(frame_micros in 8_000u64..100_000, jitter_micros in 0u64..3_000) {
        let mut bench = Bench::new();
        let start = bench.now;
        let head = |index: u32| PictureHead {
            pts_nanos: u64::from(index) * frame_micros * 1_000,
            duration_nanos: frame_micros * 1_000,
            ..head(index)
        };
        let mut next = 0;
        let mut shown = 0;
        while shown < 150 {
            while bench.credit > 0 && next < 150 {
                bench.credit -= 1;
                bench.playout.arrive(head(next), next, bench.now);
                next += 1;
            }
            bench.decode();
            if let Some((picture, _)) = bench.playout.due(bench.now) {
                let due = start + Duration::from_nanos(picture.pts_nanos);
                let error = bench.now.max(due) - bench.now.min(due);
                prop_assert!(error <= Duration::from_micros(jitter_micros + 2_000));
                shown += 1;
            }
            bench.take_credit();
            bench.decode();
            if let Some(due) = bench.playout.next_due(bench.now) {
                bench.now = bench.now.max(due) + Duration::from_micros(jitter_micros);
            }
        }
        let tally = bench.playout.stop().expect("a stream was under way").tally;
        prop_assert_eq!((tally.shown, tally.dropped(), tally.stalls), (150, 0, 0));
    }
}
