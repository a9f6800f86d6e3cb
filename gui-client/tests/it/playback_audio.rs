//! Sound as the clock: the queue alone, and with the playout, with time and device in the hands of the test.

use std::time::{Duration, Instant};

use common::media::{Epoch, Origin, PictureHead, SoundFormat, SoundHead, StreamId};
use proptest::prelude::*;
use triptych_client::{
    event::Hold,
    playback::{
        audio_buffer::{AudioBuffer, AudioChunk, SpentChunks, loudness},
        playout::{Arrival, Device, PAUSED_WINDOW_ITEMS, Playout, WINDOW_ITEMS},
    },
};

const STREAM: StreamId = StreamId(1);
const FRAME: Duration = Duration::from_millis(40);
const CHUNK: Duration = Duration::from_millis(50);
const CHUNK_BYTES: usize = 2_400 * 4;
const PERIOD: Duration = Duration::from_millis(30);
const PERIOD_FRAMES: usize = 1_440;

/// Both channels at this value.
fn pcm(frames: usize, value: i16) -> Vec<u8> {
    value.to_le_bytes().repeat(2 * frames)
}

/// What the device gets in one go.
fn fill(queue: &mut AudioBuffer, count: usize, rate_hz: u32, now: Instant) -> Vec<f32> {
    let mut out = Vec::new();
    queue.fill(count, rate_hz, now, now + Duration::from_millis(60), |[left, right]| {
        assert_eq!(left, right);
        out.push(left);
    });
    assert_eq!(out.len(), count);
    out
}

#[test]
fn sound_is_played_with_its_timestamps() {
    let now = Instant::now();
    let mut queue = AudioBuffer::default();
    queue.push(AudioChunk::new(1_000_000_000, &pcm(4_800, 16_384)));
    assert!(fill(&mut queue, 480, 48_000, now).iter().all(|&sample| sample == 0.0), "closed");
    queue.open(Duration::from_millis(1_010));
    let out = fill(&mut queue, 960, 48_000, now);
    assert!(out[0] < 0.01 && (out[400] - 0.5).abs() < 0.001, "faded in, then as it is");
    let heard = queue.heard().expect("some sound is still in the device");
    assert_eq!(heard.position(now + Duration::from_millis(60)), Duration::from_millis(1_010));
    assert_eq!(heard.until, Duration::from_millis(1_030));
    // 70 ms are left; then it is dry, and the time does not go on.
    let out = fill(&mut queue, 4_800, 48_000, now + Duration::from_millis(20));
    assert!(out[3_300] > 0.49 && out[3_400] == 0.0);
    assert_eq!(queue.heard().map(|heard| heard.until), Some(Duration::from_millis(1_100)));
    queue.close();
    assert_eq!(queue.heard(), None);
}

#[test]
fn a_pause_fades_out_and_loses_nothing() {
    let now = Instant::now();
    let mut queue = AudioBuffer::default();
    queue.push(AudioChunk::new(0, &pcm(9_600, 16_384)));
    queue.open(Duration::ZERO);
    fill(&mut queue, 4_800, 48_000, now);
    queue.close();
    let out = fill(&mut queue, 480, 48_000, now);
    assert!(out[0] > 0.45 && out.is_sorted_by(|a, b| a >= b) && out[479] == 0.0, "five milliseconds, no click");
    queue.open(Duration::from_millis(40));
    fill(&mut queue, 480, 48_000, now);
    let heard = queue.heard().expect("it goes on");
    assert_eq!(
        heard.position,
        Duration::from_millis(100),
        "it resumes at the position of the device, not of the listener"
    );
    queue.clear();
    assert!(fill(&mut queue, 480, 48_000, now)[300..].iter().all(|&sample| sample == 0.0));
}

#[test]
fn another_rate_keeps_time_and_shape() {
    let now = Instant::now();
    for rate_hz in [8_000, 44_100, 96_000] {
        let mut queue = AudioBuffer::default();
        let tone = |n: usize| (f64::from(n as u32) * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 16_000.0;
        let bytes = (0..48_000).flat_map(|n| pcm(1, tone(n) as i16)).collect::<Vec<_>>();
        queue.push(AudioChunk::new(0, &bytes));
        queue.open(Duration::ZERO);
        let out = fill(&mut queue, rate_hz as usize / 2, rate_hz, now);
        let until = queue.heard().expect("it plays").until;
        assert!(until.abs_diff(Duration::from_millis(500)) < Duration::from_millis(1), "{rate_hz}: {until:?}");
        let crossings = out.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((218..=221).contains(&crossings), "{rate_hz}: {crossings} waves in half a second");
        let peak = out.iter().copied().fold(0.0, f32::max);
        assert!((0.45..0.5).contains(&peak), "{rate_hz}: {peak}");
    }
}

#[test]
fn volume_is_smooth_and_perceptual() {
    let now = Instant::now();
    let mut queue = AudioBuffer::default();
    queue.push(AudioChunk::new(0, &pcm(48_000, 16_384)));
    queue.open(Duration::ZERO);
    fill(&mut queue, 4_800, 48_000, now);
    queue.set_volume(loudness(50));
    let out = fill(&mut queue, 9_600, 48_000, now);
    assert!(out.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.002), "no step");
    assert!((out[9_599] - 0.0625).abs() < 0.001, "half of the way is an eighth of the amplitude");
    queue.set_volume(loudness(0));
    assert!(fill(&mut queue, 9_600, 48_000, now)[9_599].abs() < 0.001);
}

#[test]
fn odd_bytes_and_empty_chunks_do_no_harm() {
    let mut queue = AudioBuffer::default();
    queue.push(AudioChunk::new(u64::MAX, &[1, 2, 3]));
    queue.push(AudioChunk::new(u64::MAX, &[]));
    queue.push(AudioChunk::new(u64::MAX, &pcm(10, 5)));
    queue.open(Duration::ZERO);
    fill(&mut queue, 100, 0, Instant::now());
    assert_eq!(AudioChunk::new(0, &[0; 19_203]).duration(), Duration::from_millis(100));
}

#[test]
fn used_chunks_are_returned_to_be_freed_outside_the_lock() {
    let mut queue = AudioBuffer::default();
    let spent = |queue: &mut AudioBuffer| queue.exchange_spent(SpentChunks::with_room()).count();
    for index in 0..10 {
        queue.push(AudioChunk::new(index * 10_000_000, &pcm(480, 5)));
    }
    assert_eq!(spent(&mut queue), 0);
    queue.open(Duration::from_millis(20));
    assert_eq!(spent(&mut queue), 2, "skipped");
    fill(&mut queue, 3 * 480, 48_000, Instant::now());
    assert_eq!(spent(&mut queue), 3, "played");
    queue.discard_before(Duration::from_millis(60));
    assert_eq!(spent(&mut queue), 1, "discarded");
    queue.clear();
    assert_eq!(spent(&mut queue), 4, "cleared");
    assert_eq!(spent(&mut queue), 0);
}

// ---- With the playout

/// Server, playout, queue and a device that takes 30 ms at a time and needs another 60 until it is heard.
struct Bench {
    playout: Playout<u32, u32>,
    queue: AudioBuffer,
    now: Instant,
    epoch: u32,
    credit: u32,
    next_picture: u32,
    next_chunk: u32,
    last_picture: u32,
    device_due: Instant,
    under_way: bool,
}

impl Bench {
    fn new(device: Device) -> Self {
        let now = Instant::now();
        let mut playout = Playout::default();
        playout.begin(STREAM, Epoch(0), true, now);
        playout.set_device(device, now);
        let mut bench = Self {
            playout,
            queue: AudioBuffer::default(),
            now,
            epoch: 0,
            credit: 0,
            next_picture: 0,
            next_chunk: 0,
            last_picture: 500,
            device_due: now,
            under_way: device == Device::Ready,
        };
        bench.listen();
        bench
    }

    fn listen(&mut self) {
        self.playout.hear(self.queue.heard(), self.now);
        match self.playout.sound_from() {
            Some(from) => self.queue.open(from),
            None => self.queue.close(),
        }
        if let Some((stream, epoch, items)) = self.playout.take_credit() {
            assert_eq!((stream, epoch), (STREAM, Epoch(self.epoch)));
            self.credit += items;
        }
    }

    /// The server sends what it may, in the order of time, a picture before sound of the same time.
    fn send(&mut self) {
        while self.credit > 0 && self.next_picture < self.last_picture {
            self.credit -= 1;
            let arrival = if CHUNK * self.next_chunk < FRAME * self.next_picture {
                let head = self.sound_head(self.next_chunk);
                self.queue.push(AudioChunk::new(head.pts_nanos, &pcm(CHUNK_BYTES / 4, 1_000)));
                self.next_chunk += 1;
                self.playout.arrive_sound(head, CHUNK, self.now)
            } else {
                let head = self.head(self.next_picture);
                self.next_picture += 1;
                self.playout.arrive(head, head.index, self.now)
            };
            assert_eq!(arrival, Arrival::Queued);
        }
        self.decode();
    }

    fn decode(&mut self) {
        while let Some((head, encoded)) = self.playout.next_job(self.now) {
            self.playout.finish_job(head, Some(encoded), self.now);
        }
    }

    fn head(&self, index: u32) -> PictureHead {
        PictureHead {
            stream: STREAM,
            epoch: Epoch(self.epoch),
            index,
            height: 240,
            pts_nanos: (FRAME * index).as_nanos() as u64,
            duration_nanos: FRAME.as_nanos() as u64,
            jpeg_bytes: 1,
            origin: Origin::Memory,
        }
    }

    fn sound_head(&self, chunk: u32) -> SoundHead {
        SoundHead {
            stream: STREAM,
            epoch: Epoch(self.epoch),
            pts_nanos: (CHUNK * chunk).as_nanos() as u64,
            format: SoundFormat::Pcm,
        }
    }

    /// A moment later; returns the picture that is shown then.
    fn tick(&mut self, passed: Duration) -> Option<u32> {
        self.now += passed;
        while self.under_way && self.device_due <= self.now {
            let heard_at = self.device_due + 2 * PERIOD;
            self.queue.fill(PERIOD_FRAMES, 48_000, self.device_due, heard_at, |_| {});
            self.device_due += PERIOD;
        }
        self.listen();
        let shown = self.playout.due(self.now).map(|(head, _)| head.index);
        self.listen();
        shown
    }

    /// Plays for a while without disturbance, and returns the pictures that were shown.
    fn play(&mut self, time: Duration) -> Vec<u32> {
        let end = self.now + time;
        let mut shown = Vec::new();
        while self.now < end {
            self.send();
            shown.extend(self.tick(Duration::from_millis(2)));
        }
        shown
    }

    fn seek(&mut self, picture: u32) {
        self.epoch += 1;
        self.playout.seek(Epoch(self.epoch), self.now);
        self.queue.clear();
        self.credit = 0;
        self.next_picture = picture;
        self.next_chunk = (FRAME * picture).as_millis() as u32 / 50;
        self.listen();
    }
}

#[test]
fn pictures_follow_the_sound_that_is_heard() {
    let mut bench = Bench::new(Device::Ready);
    assert_eq!(bench.credit, WINDOW_ITEMS);
    let shown = bench.play(Duration::from_secs(4));
    assert!(shown.len() > 90 && shown.windows(2).all(|pair| pair[1] == pair[0] + 1), "{shown:?}");
    let summary = bench.playout.stop().expect("it plays");
    assert_eq!((summary.tally.dropped(), summary.tally.stalls, summary.tally.under_runs), (0, 0, 0));
    assert!(summary.tally.sounds_played > 70);
    assert!(summary.offset.count > 80 && summary.offset.most < Duration::from_millis(5), "{:?}", summary.offset);
}

#[test]
fn sound_that_comes_after_its_picture_is_heard_all_the_same() {
    let mut bench = Bench::new(Device::Ready);
    let head = bench.head(0);
    bench.playout.arrive(head, 0, bench.now);
    (bench.next_picture, bench.credit) = (1, bench.credit - 1);
    bench.decode();
    assert_eq!(bench.tick(Duration::from_millis(1)), Some(0));
    for _ in 0..20 {
        assert_eq!(bench.tick(Duration::from_millis(5)), None, "it waits for its sound");
    }
    assert_eq!(bench.playout.hold(bench.now), Some(Hold::Source), "which the server has not sent yet");
    bench.play(Duration::from_secs(2));
    let summary = bench.playout.stop().expect("it plays");
    assert_eq!((summary.tally.sounds_unheard, summary.tally.stalls), (0, 0));
    assert!(summary.tally.sounds_played > 30, "{:?}", summary.tally);
}

#[test]
fn the_first_picture_does_not_wait_for_the_device() {
    let mut bench = Bench::new(Device::Opening);
    bench.send();
    assert_eq!(bench.tick(Duration::from_millis(1)), Some(0));
    for _ in 0..50 {
        assert_eq!(bench.tick(Duration::from_millis(5)), None, "but the time does");
    }
    assert_eq!(bench.playout.hold(bench.now), None, "the server is not to blame");
    bench.playout.set_device(Device::Ready, bench.now);
    (bench.under_way, bench.device_due) = (true, bench.now);
    assert_eq!(bench.play(Duration::from_secs(1))[..3], [1, 2, 3]);
}

#[test]
fn without_a_device_time_is_the_clock_and_credit_comes_back() {
    let mut bench = Bench::new(Device::Absent);
    let shown = bench.play(Duration::from_secs(4));
    assert!(shown.len() > 95, "{}", shown.len());
    // A device appears: after a short pause the sound is the clock.
    bench.playout.set_device(Device::Ready, bench.now);
    (bench.under_way, bench.device_due) = (true, bench.now);
    bench.play(Duration::from_secs(1));
    // The device is unplugged.
    bench.under_way = false;
    bench.playout.set_device(Device::Absent, bench.now);
    let shown = bench.play(Duration::from_secs(2));
    assert!(shown.len() > 45, "{}", shown.len());
    let summary = bench.playout.stop().expect("it plays");
    assert!(summary.tally.sounds_unheard > 70 && summary.tally.sounds_played > 10, "{:?}", summary.tally);
    assert_eq!((summary.tally.dropped(), summary.tally.stalls), (0, 0));
}

#[test]
fn a_pause_holds_both_and_grants_nothing() {
    let mut bench = Bench::new(Device::Ready);
    let before = *bench.play(Duration::from_secs(2)).last().expect("it plays");
    bench.playout.set_paused(true, bench.now);
    bench.listen();
    let position = bench.playout.position(bench.now);
    assert_eq!(bench.playout.sound_from(), None);
    bench.credit = 0;
    assert_eq!(bench.play(Duration::from_secs(5)), [0u32; 0]);
    assert_eq!((bench.credit, bench.playout.position(bench.now)), (0, position));
    assert_eq!((bench.playout.hold(bench.now), bench.playout.next_due(bench.now)), (None, None));
    bench.playout.set_paused(false, bench.now);
    bench.listen();
    let after = bench.play(Duration::from_secs(2));
    assert_eq!(after[0], before + 1);
    let summary = bench.playout.stop().expect("it plays");
    assert_eq!((summary.tally.dropped(), summary.tally.under_runs), (0, 0));
    assert!(summary.offset.most < Duration::from_millis(5), "{:?}", summary.offset);
    assert!((summary.mean_frames_per_second() - 25.0).abs() < 1.5, "pauses do not count");
}

#[test]
fn when_sound_runs_out_both_wait_until_there_is_enough() {
    let mut bench = Bench::new(Device::Ready);
    bench.play(Duration::from_secs(2));
    let mut shown = Vec::new();
    for _ in 0..1_000 {
        bench.decode();
        shown.extend(bench.tick(Duration::from_millis(2)));
    }
    assert_eq!(bench.playout.hold(bench.now), Some(Hold::Source));
    assert_eq!(bench.playout.next_due(bench.now), None, "a window at rest is not woken");
    shown.extend(bench.play(Duration::from_secs(2)));
    assert!(shown.windows(2).all(|pair| pair[1] == pair[0] + 1), "{shown:?}");
    let summary = bench.playout.stop().expect("it plays");
    assert_eq!((summary.tally.stalls, summary.tally.under_runs, summary.tally.dropped()), (1, 1, 0));
    assert!(summary.offset.most < Duration::from_millis(5), "{:?}", summary.offset);
}

#[test]
fn seeking_shows_exactly_that_picture_also_while_paused() {
    let mut bench = Bench::new(Device::Ready);
    bench.play(Duration::from_secs(1));
    let (old, old_sound) = (bench.head(bench.next_picture), bench.sound_head(bench.next_chunk));
    bench.playout.set_paused(true, bench.now);
    bench.seek(200);
    assert_eq!(bench.playout.arrive(old, 0, bench.now), Arrival::Stale);
    assert_eq!(bench.playout.arrive_sound(old_sound, CHUNK, bench.now), Arrival::Stale);
    assert_eq!(bench.credit, PAUSED_WINDOW_ITEMS, "no more than the picture needs");
    assert_eq!(bench.playout.last_shown().map(|head| head.index < 200), Some(true), "the old picture stays");
    assert_eq!(bench.playout.position(bench.now), None);
    assert_eq!(bench.play(Duration::from_secs(1)), [200]);
    assert_eq!(bench.playout.position(bench.now), Some(FRAME * 200));
    bench.playout.set_paused(false, bench.now);
    bench.listen();
    let shown = bench.play(Duration::from_secs(1));
    assert_eq!(shown[..2], [201, 202]);
    bench.seek(20);
    assert_eq!(bench.play(Duration::from_secs(1))[..2], [20, 21]);
    let summary = bench.playout.stop().expect("it plays");
    assert_eq!((summary.tally.seeks, summary.tally.stale, summary.tally.dropped()), (2, 2, 0));
    assert!(summary.seek_median.is_some_and(|median| median < Duration::from_millis(100)));
    assert!(summary.offset.most < Duration::from_millis(5), "{:?}", summary.offset);
}

#[test]
fn the_last_picture_is_shown_for_its_duration_after_the_sound_has_ended() {
    let mut bench = Bench::new(Device::Ready);
    bench.last_picture = 50;
    let mut shown = bench.play(Duration::from_millis(1_500));
    bench.playout.source_ended(STREAM, Epoch(9), bench.now);
    bench.playout.source_ended(STREAM, Epoch(0), bench.now);
    shown.extend(bench.play(Duration::from_millis(1_000)));
    assert_eq!(shown, (0..50).collect::<Vec<_>>());
    assert!(bench.playout.is_finished(bench.now));
    assert_eq!(bench.playout.stop().map(|summary| summary.tally.under_runs), Some(0));
}

#[derive(Debug, Clone)]
enum Step {
    Play(u64),
    Starve(u64),
    Pause(bool),
    Seek(u32),
    Device(Device),
}

fn step() -> impl Strategy<Value = Step> {
    let device = prop_oneof![Just(Device::Absent), Just(Device::Opening), Just(Device::Ready)];
    prop_oneof![
        (0u64..600).prop_map(Step::Play),
        (0u64..600).prop_map(Step::Starve),
        prop::bool::ANY.prop_map(Step::Pause),
        (0u32..480).prop_map(Step::Seek),
        device.prop_map(Step::Device),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is done: within an epoch pictures come in order, from exactly the one that was gone to; time does not
    /// run backwards; credit keeps its bounds; and once all is well again the video plays to its end.
    #[test]
    fn nothing_that_is_done_breaks_the_playout(steps in prop::collection::vec(step(), 1..25)) {
        let mut bench = Bench::new(Device::Ready);
        let mut last = None;
        let mut expected = Some(0);
        let mut position = Duration::ZERO;
        for step in steps.into_iter().chain([Step::Device(Device::Ready), Step::Pause(false)]) {
            let (time, is_sending) = match step {
                Step::Play(millis) => (millis, true),
                Step::Starve(millis) => (millis, false),
                Step::Pause(is_paused) => { bench.playout.set_paused(is_paused, bench.now); (0, false) }
                Step::Seek(picture) => {
                    bench.seek(picture);
                    (last, expected, position) = (None, Some(picture), Duration::ZERO);
                    (0, false)
                }
                Step::Device(device) => {
                    bench.playout.set_device(device, bench.now);
                    bench.under_way = device == Device::Ready;
                    bench.device_due = bench.now;
                    (0, false)
                }
            };
            bench.listen();
            for _ in 0..time / 4 {
                if is_sending { bench.send(); }
                if let Some(index) = bench.tick(Duration::from_millis(4)) {
                    prop_assert!(last.is_none_or(|last| index > last), "in order and once");
                    if let Some(expected) = expected.take() { prop_assert_eq!(index, expected); }
                    last = Some(index);
                }
                let now = bench.playout.position(bench.now).unwrap_or(position);
                prop_assert!(now >= position, "{:?} after {:?}", now, position);
                position = now;
                prop_assert!(bench.credit <= WINDOW_ITEMS);
            }
        }
        bench.last_picture = bench.next_picture.max(500);
        for _ in 0..30_000 {
            bench.send();
            bench.tick(Duration::from_millis(4));
            if bench.next_picture >= bench.last_picture {
                bench.playout.source_ended(STREAM, Epoch(bench.epoch), bench.now);
            }
            if bench.playout.is_finished(bench.now) { break; }
        }
        prop_assert!(bench.playout.is_finished(bench.now), "{:?}", bench.playout);
    }
}
