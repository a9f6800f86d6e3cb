//! Starting on a cue: pictures and sound are where others have them, whether they come early or late. Time and device are in the
//! hands of the test.

use std::time::{Duration, Instant};

use common::media::{Epoch, Origin, PictureHead, StreamId};
use proptest::prelude::*;
use triptych_client::{
    event::{Cue, Hold},
    playback::{
        audio_buffer::{AudioBuffer, AudioChunk},
        playout::Playout,
    },
};

const STREAM: StreamId = StreamId(3);
const FRAME: Duration = Duration::from_millis(40);
const MILLI: Duration = Duration::from_millis(1);
/// Where the stream begins after a seek.
const FIRST_INDEX: u32 = 100;
const FIRST: Duration = Duration::from_secs(4);

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

/// A playout without sound whose pictures are all decoded at once.
struct Bench {
    playout: Playout<u32, u32>,
    next_index: u32,
    credit: u32,
}

impl Bench {
    fn new(cue: Option<Cue>, now: Instant) -> Self {
        let mut playout = Playout::default();
        playout.set_cue(cue, now);
        playout.begin(STREAM, Epoch(0), false, now);
        Self { playout, next_index: FIRST_INDEX, credit: 0 }
    }

    /// Sends all there is credit for, decodes and shows. Returns what is shown.
    fn turn(&mut self, now: Instant) -> Option<u32> {
        self.credit += self.playout.take_credit().map_or(0, |(.., items)| items);
        for _ in 0..std::mem::take(&mut self.credit) {
            self.playout.arrive(head(self.next_index), self.next_index, now);
            self.next_index += 1;
        }
        while let Some((head, encoded)) = self.playout.next_job(now) {
            self.playout.finish_job(head, Some(encoded), now);
        }
        let mut shown = None;
        while let Some((head, _)) = self.playout.due(now) {
            shown = Some(head.index);
        }
        shown
    }
}

#[test]
fn the_clock_waits_for_its_cue_and_that_is_no_fault_of_anyone() {
    let now = Instant::now();
    let cue = Cue { position: FIRST, at: now + 500 * MILLI };
    let mut bench = Bench::new(Some(cue), now);
    assert_eq!(bench.turn(now), Some(FIRST_INDEX), "the first picture is shown at once");
    assert_eq!(bench.playout.next_due(now), Some(now + 500 * MILLI));
    assert_eq!((bench.turn(now + 400 * MILLI), bench.playout.hold(now + 400 * MILLI)), (None, None::<Hold>));
    assert_eq!(bench.playout.clock_reading(now + 400 * MILLI), None, "it rests");
    // The window looks three milliseconds late; the clock does not.
    bench.turn(now + 503 * MILLI);
    assert_eq!(bench.playout.position(now + 503 * MILLI), Some(FIRST + 3 * MILLI));
    assert_eq!(bench.turn(now + 540 * MILLI), Some(FIRST_INDEX + 1));

    let mut bench = Bench::new(Some(cue), now);
    bench.turn(now);
    bench.playout.set_cue(None, now + 100 * MILLI);
    bench.turn(now + 100 * MILLI);
    assert_eq!(bench.turn(now + 140 * MILLI), Some(FIRST_INDEX + 1), "without a cue it goes on");
}

#[test]
fn a_pause_ends_on_the_cue_too() {
    let now = Instant::now();
    let mut bench = Bench::new(None, now);
    bench.turn(now);
    bench.turn(now + 100 * MILLI);
    bench.playout.set_paused(true, now + 100 * MILLI);
    let cue = Cue { position: FIRST + 100 * MILLI, at: now + 900 * MILLI };
    bench.playout.set_cue(Some(cue), now + 700 * MILLI);
    bench.playout.set_paused(false, now + 700 * MILLI);
    for millis in (700..1_500).step_by(10) {
        let at = now + MILLI * millis;
        bench.turn(at);
        let expected = FIRST + 100 * MILLI + MILLI * millis.saturating_sub(900);
        let position = bench.playout.position(at).unwrap();
        assert!(position.abs_diff(expected) <= FRAME, "{position:?} after {millis} ms");
    }
}

proptest! {
    /// However early or late the first picture comes: from the moment at which the clock runs it is where the cue has it, unless
    /// it is so late that too little has arrived to go there.
    #[test]
    fn the_clock_is_where_the_cue_has_it(first_after in 0u32..900, cue_after in 0u32..600, late in 0u32..7) {
        let now = Instant::now();
        let cue = Cue { position: FIRST, at: now + MILLI * cue_after };
        let mut bench = Bench::new(Some(cue), now);
        let mut running = 0;
        for millis in (first_after..2_000).step_by(8) {
            let at = now + MILLI * (millis + late);
            bench.turn(at);
            if let Some((position, at)) = bench.playout.clock_reading(at) {
                running += 1;
                prop_assert_eq!(Some(position), cue.position_at(at));
            }
        }
        prop_assert!(running > 100);
    }

    /// The same for sound, by the time at which the device says that it is heard, at any rate of the device.
    #[test]
    fn each_sample_is_heard_when_it_is_due(
        cue_after in 0u32..400,
        latency in 5u32..200,
        rate_hz in prop::sample::select(vec![44_100u32, 48_000]),
        period in 5u32..60,
    ) {
        let now = Instant::now();
        let cue = Cue { position: FIRST, at: now + MILLI * cue_after };
        let mut buffer = AudioBuffer::default();
        // Each sample says when it is due, in tenths of a millisecond after the first.
        let value = |frame: u32| i16::try_from(frame * 10_000 / 48_000).unwrap().to_le_bytes().repeat(2);
        let bytes: Vec<u8> = (0..48_000).flat_map(value).collect();
        buffer.push(AudioChunk::new(FIRST.as_nanos() as u64, &bytes));
        buffer.set_cue(Some(cue));
        buffer.open(FIRST);
        let mut heard: Vec<(Instant, f32)> = Vec::new();
        let after = |frames: u32| Duration::from_secs_f64(f64::from(frames) / f64::from(rate_hz));
        let count = rate_hz * period / 1_000;
        for turn in 0..600 / period {
            let at = now + after(turn * count);
            let mut frame = turn * count;
            buffer.fill(count as usize, rate_hz, at, at + MILLI * latency, |[left, _]| {
                heard.push((now + after(frame) + MILLI * latency, left));
                frame += 1;
            });
        }
        let begun = heard.iter().position(|(_, sample)| *sample != 0.0).expect("it is heard");
        // Without the fade, and a little more for the resampler.
        for (at, sample) in &heard[begun + 400..] {
            let position_millis = f64::from(*sample) * 32_768.0 / 10.0;
            let due = cue.position_at(*at).unwrap().saturating_sub(FIRST).as_secs_f64() * 1e3;
            prop_assert!((position_millis - due).abs() < 0.4, "{position_millis} instead of {due}");
        }
        let first_due = cue.position_at(heard[begun].0).unwrap_or_default();
        prop_assert!(first_due + MILLI >= FIRST, "silence before it is due");
    }
}

#[test]
fn sound_that_is_all_late_is_heard_nevertheless() {
    let begun = Instant::now();
    let now = begun + Duration::from_secs(2);
    let mut buffer = AudioBuffer::default();
    let loud = 16_384i16.to_le_bytes().repeat(2 * 4_800);
    buffer.push(AudioChunk::new(0, &loud));
    buffer.set_cue(Some(Cue { position: Duration::ZERO, at: begun }));
    buffer.open(Duration::ZERO);
    let mut out = Vec::new();
    buffer.fill(960, 48_000, now, now, |[left, _]| out.push(left));
    assert!(out[400] > 0.49, "to wait for more would need room for that");
}
