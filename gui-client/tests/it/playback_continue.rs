//! An epoch that continues another, as a change of the delivery begins it: no picture twice or out of order, no sample lost
//! or heard twice, and no stop of the clock.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::media::{Epoch, Origin, PictureHead, Position, SoundFormat, SoundHead, StreamId};
use proptest::prelude::*;
use triptych_client::playback::{
    audio_buffer::{AudioBuffer, AudioChunk},
    playout::{Arrival, Device, Playout, WINDOW_ITEMS},
};

const STREAM: StreamId = StreamId(7);

/// Audio frames that the device takes at a time: 10 ms.
const PERIOD_FRAMES: u64 = 480;

/// Audio frames of a chunk of the soundtrack.
const CHUNK_FRAMES: u64 = 4_800;

#[derive(Debug, Clone, Copy)]
enum Item {
    Picture(PictureHead),
    /// Numbers of its first audio frame and of the one after its last.
    Sound(SoundHead, u64, u64),
}

/// A server that sends pictures of 30 frames/s with sound as `docs/PROTOCOL.md` says, a client's buffers, and a sound device.
struct Bench {
    has_sound: bool,
    playout: Playout<u32, u32>,
    audio: AudioBuffer,
    now: Instant,
    device_due: Instant,
    epoch: Epoch,
    credit: u32,
    step: u32,
    next_picture: u32,
    next_audio_frame: u64,
    /// Items of earlier epochs that are on their way.
    on_their_way: VecDeque<Item>,
    shown: Vec<PictureHead>,
    /// Numbers of the audio frames that were heard.
    heard: Vec<u64>,
}

fn pts_nanos(picture: u32) -> u64 {
    u64::from(picture) * 1_000_000_000 / 30
}

fn audio_nanos(frame: u64) -> u64 {
    frame * 1_000_000_000 / 48_000
}

/// The number of an audio frame as its two samples.
fn samples(frame: u64) -> [u8; 4] {
    let low = ((frame % 30_000) as i16).to_le_bytes();
    let high = ((frame / 30_000) as i16).to_le_bytes();
    [low[0], low[1], high[0], high[1]]
}

impl Bench {
    fn new(has_sound: bool) -> Self {
        let now = Instant::now();
        let mut playout = Playout::default();
        playout.begin(STREAM, Epoch(0), has_sound, now);
        playout.set_device(if has_sound { Device::Ready } else { Device::Absent }, now);
        let mut bench = Self {
            has_sound,
            playout,
            audio: AudioBuffer::default(),
            now,
            device_due: now,
            epoch: Epoch(0),
            credit: 0,
            step: 1,
            next_picture: 0,
            next_audio_frame: 0,
            on_their_way: VecDeque::new(),
            shown: Vec::new(),
            heard: Vec::new(),
        };
        bench.grant();
        bench
    }

    fn grant(&mut self) {
        if let Some((_, epoch, items)) = self.playout.take_credit() {
            assert_eq!(epoch, self.epoch);
            self.credit += items;
        }
    }

    /// The next item of the epoch.
    fn next_item(&mut self) -> Item {
        let (stream, epoch, index) = (STREAM, self.epoch, self.next_picture);
        let sound_nanos = audio_nanos(self.next_audio_frame);
        if self.has_sound && sound_nanos < pts_nanos(index) {
            let first = self.next_audio_frame;
            // Where chunks begin is the server's choice, so those of two epochs may overlap.
            let is_even = self.epoch.0.is_multiple_of(2);
            self.next_audio_frame =
                if is_even { (first / CHUNK_FRAMES + 1) * CHUNK_FRAMES } else { first + CHUNK_FRAMES };
            return Item::Sound(
                SoundHead { stream, epoch, pts_nanos: sound_nanos, format: SoundFormat::Pcm },
                first,
                self.next_audio_frame,
            );
        }
        self.next_picture = (index / self.step + 1) * self.step;
        let duration_nanos = pts_nanos(self.next_picture) - pts_nanos(index);
        Item::Picture(PictureHead {
            stream,
            epoch,
            index,
            height: 240,
            pts_nanos: pts_nanos(index),
            duration_nanos,
            jpeg_bytes: 1,
            origin: Origin::Memory,
        })
    }

    fn take(&mut self, item: Item) -> Arrival {
        match item {
            Item::Picture(head) => self.playout.arrive(head, head.index, self.now),
            Item::Sound(head, first, end) => {
                let pcm: Vec<u8> = (first..end).flat_map(samples).collect();
                let mut chunk = AudioChunk::new(head.pts_nanos, &pcm);
                let arrival = self.playout.arrive_sound(head, chunk.duration(), self.now);
                if let Arrival::Overlapping { until } = arrival {
                    chunk.skip_before(until);
                }
                if matches!(arrival, Arrival::Queued | Arrival::Overlapping { .. }) {
                    self.audio.push(chunk);
                }
                arrival
            }
        }
    }

    /// The server sends up to this many items, as far as it has credit.
    fn send(&mut self, count: u32) {
        for _ in 0..count.min(self.credit) {
            self.credit -= 1;
            let item = self.next_item();
            let arrival = self.take(item);
            assert!(!matches!(arrival, Arrival::Stale | Arrival::BeyondCredit), "{arrival:?} {item:?}");
        }
    }

    /// The client asks for another step; meanwhile the server sends up to `late` items of the old epoch. Those are on their
    /// way until [`Self::answer`].
    fn ask(&mut self, step: u32, late: u32) -> bool {
        let Some(Position::Time(nanos)) = self.playout.continue_at() else { return false };
        for _ in 0..late.min(self.credit) {
            let item = self.next_item();
            self.on_their_way.push_back(item);
        }
        self.epoch = Epoch(self.epoch.0 + 1);
        self.playout.continue_in(self.epoch);
        (self.credit, self.step) = (0, step);
        self.grant();
        // The picture on display at that time, and the first audio frame that is not before it.
        self.next_picture = (0..).take_while(|&picture| pts_nanos(picture) <= nanos).last().unwrap_or_default();
        self.next_audio_frame = (pts_nanos(self.next_picture) * 48_000).div_ceil(1_000_000_000);
        while audio_nanos(self.next_audio_frame) < pts_nanos(self.next_picture) {
            self.next_audio_frame += 1;
        }
        true
    }

    /// What was on its way arrives.
    fn answer(&mut self) {
        while let Some(item) = self.on_their_way.pop_front() {
            let arrival = self.take(item);
            assert!(!matches!(arrival, Arrival::Stale | Arrival::BeyondCredit), "{arrival:?} {item:?}");
        }
    }

    fn tick(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            while let Some((head, encoded)) = self.playout.next_job(self.now) {
                self.playout.finish_job(head, Some(encoded), self.now);
            }
            if self.has_sound && self.device_due <= self.now {
                let heard = &mut self.heard;
                self.audio.fill(PERIOD_FRAMES as usize, 48_000, self.device_due, self.device_due, |[low, high]| {
                    let (low, high) = ((low * 32_768.0).round(), (high * 32_768.0).round());
                    heard.push(low as u64 + 30_000 * high as u64);
                });
                self.device_due += Duration::from_millis(10);
            }
            self.playout.hear(self.audio.heard(), self.now);
            let shown = self.playout.due(self.now);
            self.shown.extend(shown.map(|(head, _)| head));
            match self.playout.sound_from() {
                Some(from) => self.audio.open(from),
                None => self.audio.close(),
            }
            self.grant();
        }
    }

    /// Each picture that was shown begins where the one before ends, or before that when the step became smaller.
    fn assert_pictures_follow(&self) {
        for pair in self.shown.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            assert!(after.index > before.index, "{before:?} {after:?}");
            let end_nanos = before.pts_nanos + before.duration_nanos;
            assert!(after.pts_nanos <= end_nanos + 7 * 33_333_334, "{before:?} {after:?}");
        }
    }

    /// Each audio frame is heard once, in order, and none is left out.
    fn assert_sound_is_whole(&self) {
        // Silence before and after is zero; the first 5 ms are faded in, and their numbers cannot be read.
        let first = self.heard.iter().position(|&number| number > 240).unwrap_or(self.heard.len());
        let numbers: Vec<u64> = self.heard[first..].iter().copied().take_while(|&number| number != 0).collect();
        for (place, pair) in numbers.windows(2).enumerate() {
            assert_eq!(pair[1], pair[0] + 1, "after {place} audio frames");
        }
    }
}

#[test]
fn a_change_during_playback_is_neither_seen_nor_heard() {
    let mut bench = Bench::new(true);
    bench.send(WINDOW_ITEMS);
    for (round, step) in [2, 1, 4, 1, 2, 8, 1].into_iter().enumerate() {
        for _ in 0..40 {
            bench.tick(Duration::from_millis(10));
            bench.send(8);
        }
        assert!(bench.ask(step, 3), "round {round}");
        bench.tick(Duration::from_millis(100));
        bench.answer();
    }
    bench.tick(Duration::from_millis(200));
    bench.assert_pictures_follow();
    bench.assert_sound_is_whole();
    assert!(bench.heard.len() > 100_000 && bench.heard.iter().filter(|&&number| number > 0).count() > 100_000);
    let tally = bench.playout.stop().expect("it plays").tally;
    assert_eq!(
        (tally.stalls, tally.under_runs, tally.stale, tally.beyond_credit, tally.seeks),
        (0, 0, 0, 0, 0),
        "{tally:?}"
    );
    assert!(tally.repeated > 0 && tally.shown > 40, "{tally:?}");
}

#[test]
fn what_is_on_its_way_is_taken_only_until_the_new_epoch_arrives() {
    let mut bench = Bench::new(false);
    bench.send(10);
    assert!(bench.ask(1, 0));
    let old = PictureHead { epoch: Epoch(0), index: 10, pts_nanos: pts_nanos(10), ..shape() };
    assert_eq!(bench.playout.arrive(old, 10, bench.now), Arrival::Queued, "the new epoch has not begun");
    bench.send(1);
    let next = PictureHead { index: 11, pts_nanos: pts_nanos(11), ..old };
    assert_eq!(bench.playout.arrive(next, 11, bench.now), Arrival::Stale);
    bench.playout.seek(Epoch(9), bench.now);
    let continued = PictureHead { epoch: Epoch(1), ..next };
    assert_eq!(bench.playout.arrive(continued, 11, bench.now), Arrival::Stale, "a seek continues nothing");
}

#[test]
fn an_epoch_is_continued_where_neither_a_picture_nor_sound_is_missing() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.playout.continue_at(), None, "nothing has arrived");
    bench.send(1);
    assert_eq!(bench.playout.continue_at(), None, "the sound begins with this picture, and has not arrived");
    bench.send(1);
    assert_eq!(bench.playout.continue_at(), Some(Position::Time(pts_nanos(1))), "the sound reaches to 100 ms");
    bench.send(3);
    let position = bench.playout.continue_at();
    assert_eq!(position, Some(Position::Time(100_000_000)), "the next picture is later than the next sound");
    bench.playout.source_ended(STREAM, Epoch(0), bench.now);
    assert_eq!(bench.playout.continue_at(), None, "there is nothing more to come");
}

fn shape() -> PictureHead {
    PictureHead {
        stream: STREAM,
        epoch: Epoch(0),
        index: 0,
        height: 240,
        pts_nanos: 0,
        duration_nanos: 33_333_333,
        jpeg_bytes: 1,
        origin: Origin::Memory,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Send(u32),
    Ask { step: u32, late: u32 },
    Answer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (5u64..120).prop_map(Step::Pass),
        4 => (1u32..20).prop_map(Step::Send),
        2 => (1u32..=8, 0u32..12).prop_map(|(step, late)| Step::Ask { step, late }),
        2 => Just(Step::Answer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is asked for when, and however much is on its way meanwhile.
    #[test]
    fn no_sample_and_no_picture_is_lost_or_repeated(has_sound: bool, steps in prop::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new(has_sound);
        for step in steps {
            match step {
                Step::Pass(millis) => bench.tick(Duration::from_millis(millis)),
                Step::Send(count) => {
                    bench.answer();
                    bench.send(count);
                }
                Step::Ask { step, late } => {
                    bench.answer();
                    bench.ask(step, late);
                }
                Step::Answer => bench.answer(),
            }
        }
        bench.answer();
        bench.assert_pictures_follow();
        let tally = bench.playout.stop().expect("it plays").tally;
        prop_assert_eq!((tally.stale, tally.beyond_credit, tally.seeks), (0, 0, 0));
        // A stall fades the sound, so that the numbers around it cannot be read.
        if tally.stalls + tally.under_runs == 0 {
            bench.assert_sound_is_whole();
        }
    }
}
