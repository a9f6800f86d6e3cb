//! Playing faster and slower: positions, pictures and sound stay together at every speed, whatever is done meanwhile.

use std::time::{Duration, Instant};

use common::media::{Epoch, Origin, PictureHead, SoundFormat, SoundHead, StreamId};
use proptest::prelude::*;
use triptych_client::{
    event::Speed,
    playback::{
        audio_buffer::{AudioBuffer, AudioChunk},
        playout::{Arrival, Device, Playout},
    },
};

const STREAM: StreamId = StreamId(5);
const FRAME: Duration = Duration::from_millis(40);
const CHUNK: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(1);

/// The device takes this much at a time, and it is heard this much later.
const PERIOD: Duration = Duration::from_millis(30);
const LATENCY: Duration = Duration::from_millis(60);

/// A server that sends what it may, and a computer that is fast enough.
struct Bench {
    playout: Playout<u32, u32>,
    audio: AudioBuffer,
    has_sound: bool,
    now: Instant,
    device_due: Instant,
    epoch: Epoch,
    credit: u32,
    next_picture: u32,
    next_chunk: u32,
    /// Each picture that was shown, and the position at that time.
    shown: Vec<(u32, Duration)>,
    /// Audio frames that were handed to the device while sound was to be heard.
    heard_frames: u64,
}

impl Bench {
    fn new(has_sound: bool, speed: Speed) -> Self {
        let now = Instant::now();
        let mut playout = Playout::default();
        playout.set_speed(speed, now);
        playout.begin(STREAM, Epoch(0), has_sound, now);
        playout.set_device(if has_sound { Device::Ready } else { Device::Absent }, now);
        let mut audio = AudioBuffer::default();
        audio.set_speed(speed);
        Self {
            playout,
            audio,
            has_sound,
            now,
            device_due: now,
            epoch: Epoch(0),
            credit: 0,
            next_picture: 0,
            next_chunk: 0,
            shown: Vec::new(),
            heard_frames: 0,
        }
    }

    fn set_speed(&mut self, speed: Speed) {
        self.playout.set_speed(speed, self.now);
        self.audio.set_speed(speed);
    }

    fn seek(&mut self, picture: u32) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.playout.seek(self.epoch, self.now);
        self.audio.clear();
        self.credit = 0;
        self.next_picture = picture;
        self.next_chunk = (FRAME * picture).as_millis().div_ceil(CHUNK.as_millis()) as u32;
        self.shown.clear();
    }

    fn serve(&mut self) {
        if let Some((_, epoch, items)) = self.playout.take_credit() {
            assert_eq!(epoch, self.epoch);
            self.credit += items;
        }
        while self.credit > 0 {
            self.credit -= 1;
            let (stream, epoch) = (STREAM, self.epoch);
            let arrival = if self.has_sound && CHUNK * self.next_chunk < FRAME * self.next_picture {
                let pts_nanos = (CHUNK * self.next_chunk).as_nanos() as u64;
                let pcm: Vec<u8> = (0..4_800)
                    .flat_map(|n| {
                        let wave = (f64::from(n) * 0.05).sin() * 8_000.0;
                        (wave as i16).to_le_bytes().repeat(2)
                    })
                    .collect();
                self.audio.push(AudioChunk::new(pts_nanos, &pcm));
                self.next_chunk += 1;
                let head = SoundHead { stream, epoch, pts_nanos, format: SoundFormat::Pcm };
                self.playout.arrive_sound(head, CHUNK, self.now)
            } else {
                let index = self.next_picture;
                self.next_picture += 1;
                let head = PictureHead {
                    stream,
                    epoch,
                    index,
                    height: 240,
                    pts_nanos: (FRAME * index).as_nanos() as u64,
                    duration_nanos: FRAME.as_nanos() as u64,
                    jpeg_bytes: 1,
                    origin: Origin::Memory,
                };
                self.playout.arrive(head, index, self.now)
            };
            assert_eq!(arrival, Arrival::Queued);
        }
        while let Some((head, encoded)) = self.playout.next_job(self.now) {
            self.playout.finish_job(head, Some(encoded), self.now);
        }
    }

    fn tick(&mut self) {
        self.serve();
        if self.has_sound && self.device_due <= self.now {
            let frames = (PERIOD.as_millis() * 48) as usize;
            let is_open = self.playout.sound_from().is_some();
            self.audio.fill(frames, 48_000, self.now, self.now + LATENCY, |_| {});
            self.heard_frames += if is_open { frames as u64 } else { 0 };
            self.device_due += PERIOD;
        }
        self.playout.hear(self.audio.heard(), self.now);
        if let Some((head, _)) = self.playout.due(self.now) {
            self.shown.push((head.index, self.playout.position(self.now).expect("it is shown")));
        }
        match self.playout.sound_from() {
            Some(from) => self.audio.open(from),
            None => self.audio.close(),
        }
    }

    /// Time passes. Returns the positions, one for each millisecond.
    fn pass(&mut self, time: Duration) -> Vec<Duration> {
        let end = self.now + time;
        let mut positions = Vec::new();
        while self.now < end {
            self.now += TICK;
            self.tick();
            positions.extend(self.playout.position(self.now));
        }
        positions
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Speed(usize),
    Pause,
    Seek(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..700).prop_map(Step::Pass),
        3 => (0_usize..Speed::ALL.len()).prop_map(Step::Speed),
        1 => Just(Step::Pause),
        1 => (0_u32..2_000).prop_map(Step::Seek),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Without sound the position is exact: what has passed since the last seek, each part of it at its speed, without the
    /// pauses. Pictures come in order, none is missing, and each at its time.
    #[test]
    fn the_position_is_exact_at_every_speed(steps in prop::collection::vec(step(), 1..40)) {
        let mut bench = Bench::new(false, Speed::NORMAL);
        bench.tick();
        let (mut speed, mut is_paused, mut expected) = (Speed::NORMAL, false, Duration::ZERO);
        for step in steps {
            match step {
                Step::Pass(millis) => {
                    bench.pass(Duration::from_millis(millis));
                    if !is_paused {
                        expected += speed.stream_time(Duration::from_millis(millis));
                    }
                }
                Step::Speed(place) => {
                    speed = Speed::ALL[place];
                    bench.set_speed(speed);
                }
                Step::Pause => {
                    is_paused = !is_paused;
                    bench.playout.set_paused(is_paused, bench.now);
                }
                Step::Seek(picture) => {
                    bench.seek(picture);
                    bench.playout.set_paused(is_paused, bench.now);
                    bench.tick();
                    expected = FRAME * picture;
                }
            }
            let position = bench.playout.position(bench.now).expect("a picture is shown");
            prop_assert!(position.abs_diff(expected) < Duration::from_micros(1), "{position:?}, not {expected:?}");
            for pair in bench.shown.windows(2) {
                prop_assert_eq!(pair[1].0, pair[0].0 + 1);
            }
            for (index, at) in &bench.shown[bench.shown.len().min(1)..] {
                prop_assert!(at.abs_diff(FRAME * *index) <= Duration::from_millis(4), "{} at {:?}", index, at);
            }
        }
        let tally = bench.playout.stop().expect("it plays").tally;
        prop_assert_eq!((tally.dropped(), tally.stalls), (0, 0));
    }

    /// With sound: whatever the speeds, the position never goes back or jumps, pictures keep to the sound, none is dropped,
    /// and after each change the position advances at the new speed once the device has played what it held.
    #[test]
    fn pictures_and_sound_stay_together_when_the_speed_changes(
        places in prop::collection::vec((0_usize..Speed::ALL.len(), 300_u64..900), 1..8),
    ) {
        let mut bench = Bench::new(true, Speed::NORMAL);
        bench.pass(Duration::from_millis(600));
        let mut last = bench.playout.position(bench.now).expect("it plays");
        for (place, millis) in places {
            let speed = Speed::ALL[place];
            bench.set_speed(speed);
            // What the device and the stretching hold is heard first.
            let positions = bench.pass(LATENCY + PERIOD + Duration::from_millis(40));
            for position in &positions {
                let moved = position.checked_sub(last);
                prop_assert!(moved.is_some_and(|moved| moved <= Duration::from_millis(8)), "{:?} to {:?}", last, position);
                last = *position;
            }
            let from = last;
            bench.pass(Duration::from_millis(millis));
            last = bench.playout.position(bench.now).expect("it plays");
            let expected = speed.stream_time(Duration::from_millis(millis));
            let lasted = last.saturating_sub(from);
            prop_assert!(lasted.abs_diff(expected) <= Duration::from_millis(5), "{speed}: {lasted:?}");
        }
        let summary = bench.playout.stop().expect("it plays");
        let tally = summary.tally;
        prop_assert_eq!((tally.dropped(), tally.stalls, tally.under_runs), (0, 0, 0));
        prop_assert!(summary.offset.most <= Duration::from_millis(6), "{:?}", summary.offset);
    }
}

#[test]
fn sound_is_heard_to_its_end_and_counted_at_every_speed() {
    for speed in Speed::ALL {
        let mut audio = AudioBuffer::default();
        audio.set_speed(speed);
        let now = Instant::now();
        for chunk in 0..5_u64 {
            audio.push(AudioChunk::new(chunk * 100_000_000, &1_000_i16.to_le_bytes().repeat(2 * 4_800)));
        }
        audio.open(Duration::ZERO);
        let frames = (24_000.0 / speed.factor()) as usize + 480;
        let mut loud = 0;
        audio.fill(frames, 48_000, now, now, |[left, _]| loud += usize::from(left > 0.02));
        assert_eq!(audio.heard().map(|heard| heard.until), Some(Duration::from_millis(500)), "{speed}");
        let expected = 24_000.0 / speed.factor();
        assert!((loud as f64 - expected).abs() < 1_000.0, "{speed}: {loud} of {expected}");
    }
}

#[test]
fn a_pause_at_another_speed_fades_and_goes_on_where_it_was() {
    let mut bench = Bench::new(true, Speed::nearest(150));
    bench.pass(Duration::from_secs(2));
    bench.playout.set_paused(true, bench.now);
    bench.pass(Duration::from_secs(1));
    let paused_at = bench.playout.position(bench.now).expect("it is paused");
    bench.playout.set_paused(false, bench.now);
    let positions = bench.pass(Duration::from_secs(1));
    assert!(positions.is_sorted() && positions[0] >= paused_at);
    let advanced = positions[positions.len() - 1].saturating_sub(paused_at);
    assert!(advanced.abs_diff(Duration::from_millis(1_500)) < Duration::from_millis(150), "{advanced:?}");
    assert_eq!(bench.playout.stop().expect("it plays").tally.dropped(), 0);
}
