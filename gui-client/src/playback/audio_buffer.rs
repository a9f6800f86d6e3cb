//! The audio buffer: chunks go in, audio frames at the rate of the device come out, and it tracks which stream time is heard
//! when. It opens no device and reads no clock.
//!
//! It outputs silence while it is closed (pause, stall, seek) and when it runs dry. Opening and closing fade over a few
//! milliseconds, to avoid clicks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::limits::{SOUND_CHANNELS, SOUND_RATE_HZ};

use super::{playout::Heard, stretch::Stretch};
use crate::event::{Cue, Speed};

/// One sample for each channel: left and right, from -1 to 1.
pub type AudioFrame = [f32; SOUND_CHANNELS as usize];

/// Bytes of an audio frame on the wire: 16 bits for each channel.
const FRAME_BYTES: usize = 2 * SOUND_CHANNELS as usize;

/// Length of fades in audio frames: 5 ms.
const FADE_FRAMES: usize = SOUND_RATE_HZ as usize / 200;

/// Time constant of volume changes in audio frames: 10 ms.
const VOLUME_FRAMES: f32 = SOUND_RATE_HZ as f32 / 100.0;

/// Latency jumps larger than this are applied immediately. Smaller ones are noise and are smoothed: one part in
/// [`DELAY_SMOOTHING`] is applied.
const DELAY_JUMP: Duration = Duration::from_millis(25);
const DELAY_SMOOTHING: i32 = 10;

/// Sound that begins late on its cue has this much after it, or else it would run dry at once.
const LEAST_AHEAD: Duration = Duration::from_millis(100);

/// Room for chunks, allocated in advance. Credit bounds how many wait here: [`super::playout::WINDOW_ITEMS`] at most.
const MAX_CHUNKS: usize = 128;

const SILENCE: AudioFrame = [0.0; SOUND_CHANNELS as usize];

fn frames_to_duration(frames: usize) -> Duration {
    Duration::from_nanos((frames as u64).saturating_mul(1_000_000_000) / u64::from(SOUND_RATE_HZ))
}

/// A chunk of sound, converted from the bytes of the wire before anything is locked.
#[derive(Debug)]
pub struct AudioChunk {
    start: Duration,
    frames: Vec<[i16; SOUND_CHANNELS as usize]>,
    /// Index of the frame that the device gets next.
    next: usize,
}

impl AudioChunk {
    /// Converts little-endian 16-bit samples, interleaved by channel, that begin at `pts_nanos` in the stream. An
    /// incomplete frame at the end is left out.
    pub fn new(pts_nanos: u64, pcm: &[u8]) -> Self {
        let frames = pcm
            .chunks_exact(FRAME_BYTES)
            .map(|bytes| [i16::from_le_bytes([bytes[0], bytes[1]]), i16::from_le_bytes([bytes[2], bytes[3]])])
            .collect();
        Self::from_frames(pts_nanos, frames)
    }

    /// The same for audio frames that were decoded.
    pub fn from_frames(pts_nanos: u64, frames: Vec<[i16; SOUND_CHANNELS as usize]>) -> Self {
        Self { start: Duration::from_nanos(pts_nanos), frames, next: 0 }
    }

    /// Leaves out the audio frames before this stream time.
    pub fn skip_before(&mut self, until: Duration) {
        // Both times are rounded to whole nanoseconds; to the nearest audio frame, they are exact.
        let ahead_nanos = until.saturating_sub(self.start).as_nanos();
        let frames = (ahead_nanos * u128::from(SOUND_RATE_HZ) + 500_000_000) / 1_000_000_000;
        self.next = self.frames.len().min(usize::try_from(frames).unwrap_or(usize::MAX));
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        frames_to_duration(self.frames.len())
    }
}

/// Chunks that the buffer is done with. They are collected, so that their memory is freed by the thread that brings new
/// ones and not under the lock of the device's callback.
#[derive(Debug)]
pub struct SpentChunks(Vec<AudioChunk>);

impl SpentChunks {
    /// An empty list with room for as many chunks as the buffer holds; allocates.
    pub fn with_room() -> Self {
        Self(Vec::with_capacity(MAX_CHUNKS))
    }

    /// Number of chunks that will be freed.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn add(&mut self, chunk: AudioChunk) {
        // Growing would allocate. More chunks than this come from a server that sends without credit.
        if self.0.len() < self.0.capacity() {
            self.0.push(chunk);
        }
    }
}

/// Audio that waits to be heard.
#[derive(Debug)]
pub struct AudioBuffer {
    chunks: VecDeque<AudioChunk>,
    spent: SpentChunks,
    is_open: bool,
    /// Where the stream is to be when. Output begins accordingly.
    cue: Option<Cue>,
    /// Whether it is open and no sound has come out yet, because its cue decides which.
    awaits_cue: bool,
    heard: Option<Heard>,
    /// Frames that fade out after closing. They are heard but not counted as played.
    tail: Vec<AudioFrame>,
    tail_next: usize,
    fade_in: usize,
    stretch: Stretch,
    /// A change of the speed that no sample has reached yet: the stream time of it, and the speed before.
    next_turn: Option<(Duration, Speed)>,
    /// The last one that samples have reached.
    turn: Option<(Duration, Speed)>,
    volume: f32,
    target_volume: f32,
    /// Resampler for devices with another rate: the four frames around the current instant, and its position between the
    /// middle two, from 0 to 1.
    around: [AudioFrame; 4],
    between: f64,
    last_fill: Option<Instant>,
}

impl Default for AudioBuffer {
    fn default() -> Self {
        Self {
            chunks: VecDeque::with_capacity(MAX_CHUNKS),
            spent: SpentChunks::with_room(),
            is_open: false,
            cue: None,
            awaits_cue: false,
            heard: None,
            tail: Vec::with_capacity(FADE_FRAMES),
            tail_next: 0,
            fade_in: 0,
            stretch: Stretch::default(),
            next_turn: None,
            turn: None,
            volume: 1.0,
            target_volume: 1.0,
            around: [SILENCE; 4],
            between: 0.0,
            last_fill: None,
        }
    }
}

impl AudioBuffer {
    /// Adds a chunk behind those that wait.
    pub fn push(&mut self, chunk: AudioChunk) {
        if chunk.next < chunk.frames.len() {
            self.chunks.push_back(chunk);
        }
    }

    /// Takes out the chunks that are done with and puts `empty` in the place of their list. The caller drops them after it
    /// has released the lock.
    pub fn exchange_spent(&mut self, empty: SpentChunks) -> SpentChunks {
        std::mem::replace(&mut self.spent, empty)
    }

    /// Discards everything, for another epoch or stream.
    pub fn clear(&mut self) {
        self.close();
        while let Some(chunk) = self.chunks.pop_front() {
            self.spent.add(chunk);
        }
        self.forget_stretched();
        self.heard = None;
    }

    /// Plays at this speed from now on, with the pitch that the sound has. What the device was handed stays as it is.
    pub fn set_speed(&mut self, speed: Speed) {
        let before = self.stretch.speed();
        if speed == before {
            return;
        }
        if self.is_open
            && let Some(at) = self.stretch.next_block_at().or_else(|| self.chunk_position())
        {
            // Of several changes before one sample, the first counts: the others were never heard.
            self.next_turn = self.next_turn.filter(|(turn, _)| *turn == at).or(Some((at, before)));
        }
        self.stretch.set_speed(speed);
    }

    fn forget_stretched(&mut self) {
        self.stretch.clear();
        (self.turn, self.next_turn) = (None, None);
    }

    /// Starts output at this stream time; earlier frames are discarded.
    pub fn open(&mut self, from: Duration) {
        if !self.is_open {
            self.is_open = true;
            self.awaits_cue = self.cue.is_some();
            self.heard = None;
            self.fade_in = 0;
            self.around = [SILENCE; 4];
            self.between = 0.0;
            (self.turn, self.next_turn) = (None, None);
            self.discard_before(from);
        }
    }

    /// Has output begin with the sound that is due when it is heard, the next time that it is opened; `None`: with the first.
    pub fn set_cue(&mut self, cue: Option<Cue>) {
        self.cue = cue;
    }

    /// Whether the sound that waits is not to be heard yet at this time. Discards what should have been heard before.
    fn is_early(&mut self, at: Instant) -> bool {
        let (Some(cue), Some(front), true) = (self.cue, self.front_position(), self.awaits_cue) else { return false };
        let due = cue.position_at(at);
        if due.is_none_or(|due| due < front) {
            return true;
        }
        self.awaits_cue = false;
        let end = self.chunks.back().map(|chunk| chunk.start + chunk.duration());
        // If nearly all of it is late, it is played nevertheless: to wait for more would need room for that.
        if let Some(due) = due.filter(|due| end.is_some_and(|end| *due + LEAST_AHEAD < end)) {
            self.discard_before(due);
        }
        false
    }

    /// Fades out and outputs silence; the buffered frames are kept.
    pub fn close(&mut self) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        self.heard = None;
        self.tail.clear();
        self.tail_next = 0;
        let chunks = self.chunks.iter().flat_map(|chunk| &chunk.frames[chunk.next..]);
        let rest = self.stretch.rest().chain(chunks.map(|&frame| to_float(frame)));
        self.tail.extend(rest.take(FADE_FRAMES));
    }

    /// Discards the frames before this stream time.
    pub fn discard_before(&mut self, position: Duration) {
        if self.stretch.position().is_some_and(|stretched| stretched < position) {
            self.forget_stretched();
        }
        while let Some(chunk) = self.chunks.front_mut() {
            let ahead = position.saturating_sub(chunk.start);
            let frames = (ahead.as_secs_f64() * f64::from(SOUND_RATE_HZ)) as usize;
            chunk.next = chunk.next.max(frames.min(chunk.frames.len()));
            if chunk.next < chunk.frames.len() {
                return;
            }
            if let Some(chunk) = self.chunks.pop_front() {
                self.spent.add(chunk);
            }
        }
    }

    /// Sets the volume as a factor of the amplitude, from 0 to 1.
    pub fn set_volume(&mut self, factor: f32) {
        self.target_volume = factor.clamp(0.0, 1.0);
    }

    /// The audio position being heard; `None` while closed, and until the device has taken samples.
    pub fn heard(&self) -> Option<Heard> {
        self.heard
    }

    /// When the device last requested samples.
    pub fn last_fill(&self) -> Option<Instant> {
        self.last_fill
    }

    /// Forgets the requests of an earlier device.
    pub fn forget_fills(&mut self) {
        self.last_fill = None;
    }

    /// Passes the next `count` frames, at the rate of the device, to `put`; the first of them is heard at `heard_at`.
    pub fn fill(
        &mut self,
        count: usize,
        rate_hz: u32,
        now: Instant,
        heard_at: Instant,
        mut put: impl FnMut(AudioFrame),
    ) {
        self.last_fill = Some(now);
        let mut is_anchored = false;
        for index in 0..count {
            let frame = if !self.is_open {
                self.next_of_tail()
            } else if self.awaits_cue && self.is_early(heard_at + ahead(index, rate_hz)) {
                SILENCE
            } else {
                if (!is_anchored || self.next_turn.is_some())
                    && let Some(position) = self.front_position()
                    && (!is_anchored || self.next_turn.is_some_and(|(turn, _)| turn <= position))
                {
                    is_anchored = true;
                    self.anchor(position, heard_at + ahead(index, rate_hz));
                }
                self.next_at(rate_hz)
            };
            self.volume += (self.target_volume - self.volume) / VOLUME_FRAMES;
            put(frame.map(|sample| sample * self.volume));
        }
    }

    /// Records that the frame at `position` is heard at `at`.
    fn anchor(&mut self, position: Duration, at: Instant) {
        let turned = self.next_turn.take_if(|(turn, _)| *turn <= position);
        self.turn = turned.or(self.turn);
        // Until samples of the new speed come, it is the one before.
        let speed = self.next_turn.map_or(self.stretch.speed(), |(_, before)| before);
        let mut heard = Heard { position, at, until: position, speed, turn: self.turn };
        if let Some(known) = self.heard
            && position >= known.position
            && let Some(expected) = known.instant_of(position)
        {
            let (later, earlier) = (at.saturating_duration_since(expected), expected.saturating_duration_since(at));
            if later + earlier <= DELAY_JUMP {
                let smoothed = expected + later.div_f64(DELAY_SMOOTHING.into());
                heard.at = smoothed.checked_sub(earlier.div_f64(DELAY_SMOOTHING.into())).unwrap_or(smoothed);
            }
        }
        self.heard = Some(heard);
    }

    /// Stream time of the next frame.
    fn front_position(&self) -> Option<Duration> {
        self.stretch.position().or_else(|| self.chunk_position())
    }

    fn chunk_position(&self) -> Option<Duration> {
        self.chunks.front().map(|chunk| chunk.start + frames_to_duration(chunk.next))
    }

    /// The next frame at the rate and the speed of the stream; `None` when the buffer is dry.
    fn next(&mut self) -> Option<AudioFrame> {
        let start = self.chunk_position();
        let (chunks, spent) = (&mut self.chunks, &mut self.spent);
        let mut chunks_until = None;
        let mut pop = || {
            let chunk = chunks.front_mut()?;
            let frame = *chunk.frames.get(chunk.next)?;
            chunk.next += 1;
            chunks_until = Some(chunk.start + frames_to_duration(chunk.next));
            if chunk.next == chunk.frames.len()
                && let Some(chunk) = chunks.pop_front()
            {
                spent.add(chunk);
            }
            Some(to_float(frame))
        };
        let frame = if self.stretch.is_active() { self.stretch.next(start, pop) } else { pop() }?;
        if let Some(heard) = &mut self.heard {
            heard.until = self.stretch.position().or(chunks_until).or(self.stretch.end()).unwrap_or(heard.until);
        }
        let fade = self.fade_in as f32 / FADE_FRAMES as f32;
        self.fade_in = (self.fade_in + 1).min(FADE_FRAMES);
        Some(frame.map(|sample| sample * fade))
    }

    /// The next frame at the rate of the device.
    fn next_at(&mut self, rate_hz: u32) -> AudioFrame {
        if rate_hz == SOUND_RATE_HZ {
            return self.next().unwrap_or(SILENCE);
        }
        self.between += f64::from(SOUND_RATE_HZ) / f64::from(rate_hz.max(1));
        while self.between >= 1.0 {
            self.between -= 1.0;
            let next = self.next().unwrap_or(SILENCE);
            self.around = [self.around[1], self.around[2], self.around[3], next];
        }
        let between = self.between as f32;
        std::array::from_fn(|channel| cubic(self.around.map(|frame| frame[channel]), between))
    }

    fn next_of_tail(&mut self) -> AudioFrame {
        let Some(&frame) = self.tail.get(self.tail_next) else { return SILENCE };
        self.tail_next += 1;
        let fade = 1.0 - self.tail_next as f32 / FADE_FRAMES as f32;
        frame.map(|sample| sample * fade)
    }
}

/// How much later than the first frame this one is heard.
fn ahead(index: usize, rate_hz: u32) -> Duration {
    Duration::from_secs_f64(index as f64 / f64::from(rate_hz.max(1)))
}

/// Catmull-Rom interpolation between the middle two of four samples. There is no low-pass filter, so a device with a lower
/// rate than the stream aliases.
fn cubic([before, left, right, after]: [f32; 4], at: f32) -> f32 {
    let a = (3.0 * (left - right) - before + after) / 2.0;
    let b = before - 2.5 * left + 2.0 * right - after / 2.0;
    let c = (right - before) / 2.0;
    ((a * at + b) * at + c) * at + left
}

fn to_float(frame: [i16; SOUND_CHANNELS as usize]) -> AudioFrame {
    frame.map(|sample| f32::from(sample) / 32_768.0)
}

/// The amplitude factor for a volume in percent: its cube, because loudness is perceived in ratios.
pub fn loudness(percent: u8) -> f32 {
    (f32::from(percent.min(100)) / 100.0).powi(3)
}
