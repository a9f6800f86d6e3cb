//! Sound between the network and the device: chunks go in, the frames that are due come out, and with each the moment at
//! which it will be heard. It knows no device and no clock.
//!
//! What comes out is silence while the buffer is closed (pause, stall, seek) and when it runs dry. Going in and out is faded
//! over a few milliseconds, so that nothing clicks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use common::limits::{SOUND_CHANNELS, SOUND_RATE_HZ};

use super::playout::Heard;

/// Left and right.
pub type AudioFrame = [f32; SOUND_CHANNELS as usize];

/// Bytes of a frame as it comes: 16 bits for each channel.
const FRAME_BYTES: usize = 2 * SOUND_CHANNELS as usize;

/// Frames over which sound fades in and out: 5 ms.
const FADE_FRAMES: usize = SOUND_RATE_HZ as usize / 200;

/// Time constant of a change of volume: 10 ms.
const VOLUME_FRAMES: f32 = SOUND_RATE_HZ as f32 / 100.0;

/// A device's word on its delay that differs by more than this from what was expected is taken at once; less is noise, of
/// which a tenth is taken.
const DELAY_JUMP: Duration = Duration::from_millis(25);
const DELAY_SMOOTHING: i32 = 10;

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
        Self { start: Duration::from_nanos(pts_nanos), frames, next: 0 }
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

/// The buffer.
#[derive(Debug)]
pub struct AudioBuffer {
    chunks: VecDeque<AudioChunk>,
    spent: SpentChunks,
    is_open: bool,
    heard: Option<Heard>,
    /// What is faded out after closing; heard, but not counted as played.
    tail: Vec<AudioFrame>,
    tail_next: usize,
    fade_in: usize,
    volume: f32,
    wished_volume: f32,
    /// For devices with another rate: the four frames around the moment that is wanted, and how far it is between the
    /// middle two.
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
            heard: None,
            tail: Vec::with_capacity(FADE_FRAMES),
            tail_next: 0,
            fade_in: 0,
            volume: 1.0,
            wished_volume: 1.0,
            around: [SILENCE; 4],
            between: 0.0,
            last_fill: None,
        }
    }
}

impl AudioBuffer {
    /// Adds a chunk behind those that wait.
    pub fn push(&mut self, chunk: AudioChunk) {
        if !chunk.frames.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Takes out the chunks that are done with and puts `empty` in the place of their list. The caller drops them after it
    /// has released the lock.
    pub fn exchange_spent(&mut self, empty: SpentChunks) -> SpentChunks {
        std::mem::replace(&mut self.spent, empty)
    }

    /// Forgets everything: another epoch begins, or none.
    pub fn clear(&mut self) {
        self.close();
        while let Some(chunk) = self.chunks.pop_front() {
            self.spent.add(chunk);
        }
        self.heard = None;
    }

    /// Sound is to be heard, from this time in the stream on.
    pub fn open(&mut self, from: Duration) {
        if !self.is_open {
            self.is_open = true;
            self.heard = None;
            self.fade_in = 0;
            self.around = [SILENCE; 4];
            self.between = 0.0;
            self.discard_before(from);
        }
    }

    /// Silence from now on; what waits stays.
    pub fn close(&mut self) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        self.heard = None;
        self.tail.clear();
        self.tail_next = 0;
        let rest = self.chunks.iter().flat_map(|chunk| &chunk.frames[chunk.next..]);
        self.tail.extend(rest.take(FADE_FRAMES).map(|&frame| to_float(frame)));
    }

    /// Throws away what lies before this time in the stream.
    pub fn discard_before(&mut self, position: Duration) {
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

    /// How loud from now on, as a factor of the amplitude.
    pub fn set_volume(&mut self, factor: f32) {
        self.wished_volume = factor.clamp(0.0, 1.0);
    }

    /// What is being heard; none while closed, and until the device has taken something.
    pub fn heard(&self) -> Option<Heard> {
        self.heard
    }

    /// When the device last asked for something.
    pub fn last_fill(&self) -> Option<Instant> {
        self.last_fill
    }

    /// Another device begins.
    pub fn forget_fills(&mut self) {
        self.last_fill = None;
    }

    /// Gives the device the next `count` frames at its own rate; the first of them is heard at `heard_at`.
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
            } else {
                if !is_anchored && let Some(position) = self.front_position() {
                    is_anchored = true;
                    let ahead = Duration::from_secs_f64(index as f64 / f64::from(rate_hz.max(1)));
                    self.anchor(position, heard_at + ahead);
                }
                self.next_at(rate_hz)
            };
            self.volume += (self.wished_volume - self.volume) / VOLUME_FRAMES;
            put(frame.map(|sample| sample * self.volume));
        }
    }

    /// Notes when what comes next is heard.
    fn anchor(&mut self, position: Duration, at: Instant) {
        let mut heard = Heard { position, at, until: position };
        if let Some(known) = self.heard
            && let Some(ahead) = position.checked_sub(known.position)
        {
            let expected = known.at + ahead;
            let (later, earlier) = (at.saturating_duration_since(expected), expected.saturating_duration_since(at));
            if later + earlier <= DELAY_JUMP {
                heard.at = expected + later.div_f64(DELAY_SMOOTHING.into()) - earlier.div_f64(DELAY_SMOOTHING.into());
            }
        }
        self.heard = Some(heard);
    }

    fn front_position(&self) -> Option<Duration> {
        self.chunks.front().map(|chunk| chunk.start + frames_to_duration(chunk.next))
    }

    /// The next frame at the rate of the stream; none when the buffer is dry.
    fn pop(&mut self) -> Option<AudioFrame> {
        let chunk = self.chunks.front_mut()?;
        let frame = *chunk.frames.get(chunk.next)?;
        chunk.next += 1;
        let until = chunk.start + frames_to_duration(chunk.next);
        if chunk.next == chunk.frames.len()
            && let Some(chunk) = self.chunks.pop_front()
        {
            self.spent.add(chunk);
        }
        if let Some(heard) = &mut self.heard {
            heard.until = until;
        }
        let fade = self.fade_in as f32 / FADE_FRAMES as f32;
        self.fade_in = (self.fade_in + 1).min(FADE_FRAMES);
        Some(to_float(frame).map(|sample| sample * fade))
    }

    /// The next frame at the rate of the device.
    fn next_at(&mut self, rate_hz: u32) -> AudioFrame {
        if rate_hz == SOUND_RATE_HZ {
            return self.pop().unwrap_or(SILENCE);
        }
        self.between += f64::from(SOUND_RATE_HZ) / f64::from(rate_hz.max(1));
        while self.between >= 1.0 {
            self.between -= 1.0;
            let next = self.pop().unwrap_or(SILENCE);
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

/// The value between the middle two of four, on the smooth curve through them (Catmull and Rom).
fn cubic([before, left, right, after]: [f32; 4], at: f32) -> f32 {
    let a = (3.0 * (left - right) - before + after) / 2.0;
    let b = before - 2.5 * left + 2.0 * right - after / 2.0;
    let c = (right - before) / 2.0;
    ((a * at + b) * at + c) * at + left
}

fn to_float(frame: [i16; SOUND_CHANNELS as usize]) -> AudioFrame {
    frame.map(|sample| f32::from(sample) / 32_768.0)
}

/// What a volume in percent means for the amplitude: a cube, because ears count in ratios.
pub fn loudness(percent: u8) -> f32 {
    (f32::from(percent.min(100)) / 100.0).powi(3)
}
