//! Plays sound faster or slower and keeps its pitch: waveform similarity overlap-add (WSOLA, Verhelst and Roelands 1993).
//!
//! The output is made of blocks of the input that are laid closer together or further apart than they were. Each block is
//! taken from where, near its place, the sound is most like what would have followed the block before, and is blended with
//! that. It is pure, and allocates nothing after it was made, because the callback of the sound device runs it. The crates
//! for this (`wsola`, `timestretch`) allocate for each block and do not tell which time of the stream a sample is of.

use std::time::Duration;

use common::limits::{SOUND_CHANNELS, SOUND_RATE_HZ};

use crate::event::Speed;

/// One sample for each channel.
type Frame = [f32; SOUND_CHANNELS as usize];

/// Audio frames of a block: 10 ms.
const BLOCK: usize = SOUND_RATE_HZ as usize / 100;

/// How far from its place a block may be taken, in either direction: 8 ms. Both together are a period of 62 Hz, so deep
/// voices keep their pitch too.
const REACH: usize = SOUND_RATE_HZ as usize / 125;

/// Distance between the places, and between the samples, that are compared at first.
const COARSE: usize = 4;

/// Room for the input. At double speed, two blocks and both reaches are needed at once.
const MOST_INPUT: usize = 4 * BLOCK + 4 * REACH;

/// Places in the input are counted in hundredths of an audio frame, so that every speed is exact.
const UNIT: u64 = 100;

/// Stretches one stream of sound.
#[derive(Debug)]
pub struct Stretch {
    speed: Speed,
    /// Stream time of the first frame that came in.
    origin: Duration,
    input: Vec<Frame>,
    /// Frames that came in before the first of `input`.
    dropped: u64,
    /// The place of the next block.
    place: u64,
    /// Where in `input` the sound goes on after the last block; `None` before the first.
    natural: Option<usize>,
    block: Vec<Frame>,
    /// How many frames of the block were taken, the place of its first one, and the speed at which it was made.
    taken: usize,
    block_place: u64,
    block_speed: Speed,
}

impl Default for Stretch {
    fn default() -> Self {
        Self {
            speed: Speed::NORMAL,
            origin: Duration::ZERO,
            input: Vec::with_capacity(MOST_INPUT),
            dropped: 0,
            place: 0,
            natural: None,
            block: Vec::with_capacity(BLOCK),
            taken: 0,
            block_place: 0,
            block_speed: Speed::NORMAL,
        }
    }
}

impl Stretch {
    /// The speed of the next block.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Sets the speed from the next block on.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Whether sound has to come in through it: there is some in it, or the speed is not the normal one.
    pub fn is_active(&self) -> bool {
        self.speed != Speed::NORMAL || !self.is_empty()
    }

    /// Whether there is no sound in it.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.taken == self.block.len()
    }

    /// Forgets all sound.
    pub fn clear(&mut self) {
        self.input.clear();
        self.block.clear();
        (self.dropped, self.place, self.natural, self.taken) = (0, 0, None, 0);
    }

    /// Stream time of the next frame, if there is sound in it.
    pub fn position(&self) -> Option<Duration> {
        let next = self.block_place + self.taken as u64 * u64::from(self.block_speed.percent());
        let place = if self.taken < self.block.len() { next } else { self.place };
        (!self.is_empty()).then(|| self.time_of(place))
    }

    /// Stream time of the next block, from which on the speed is the latest one; `None` without sound.
    pub fn next_block_at(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| self.time_of(self.place))
    }

    /// Stream time of the end of all sound that came in, once all of it was taken.
    pub fn end(&self) -> Option<Duration> {
        (self.is_empty() && !self.block.is_empty()).then(|| self.time_of(self.place))
    }

    fn time_of(&self, place: u64) -> Duration {
        let nanos = u128::from(place) * 1_000_000_000 / u128::from(u64::from(SOUND_RATE_HZ) * UNIT);
        self.origin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What comes next, without taking it: for a fade.
    pub fn rest(&self) -> impl Iterator<Item = Frame> + '_ {
        let natural = self.natural.unwrap_or(0).min(self.input.len());
        self.block[self.taken..].iter().chain(&self.input[natural..]).copied()
    }

    /// The next frame; `None` when there is no more sound. `pull` brings further sound in, and `start` is the stream time of
    /// the first frame that it would bring.
    pub fn next(&mut self, start: Option<Duration>, pull: impl FnMut() -> Option<Frame>) -> Option<Frame> {
        if self.taken == self.block.len() {
            if self.is_empty() {
                self.clear();
                self.origin = start?;
            }
            self.make_block(pull);
        }
        let frame = *self.block.get(self.taken)?;
        self.taken += 1;
        Some(frame)
    }

    fn make_block(&mut self, mut pull: impl FnMut() -> Option<Frame>) {
        let percent = u64::from(self.speed.percent());
        self.block.clear();
        (self.taken, self.block_place, self.block_speed) = (0, self.place, self.speed);
        let middle = usize::try_from((self.place / UNIT).saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let needed = (middle + REACH).max(self.natural.unwrap_or(0)) + BLOCK;
        while self.input.len() < needed.min(MOST_INPUT) {
            let Some(frame) = pull() else { break };
            self.input.push(frame);
        }
        if self.input.len() < needed {
            return self.drain(middle, percent);
        }
        let from = match self.natural {
            None => middle,
            // At normal speed it simply goes on.
            Some(natural) if self.speed == Speed::NORMAL && natural.abs_diff(middle) <= REACH => natural,
            Some(natural) => self.most_alike(natural, middle),
        };
        let natural = self.natural.unwrap_or(from);
        for (index, (old, new)) in self.input[natural..][..BLOCK].iter().zip(&self.input[from..][..BLOCK]).enumerate() {
            let turn = std::f32::consts::PI * (index as f32 + 0.5) / BLOCK as f32;
            let share = 0.5 - 0.5 * turn.cos();
            self.block.push(std::array::from_fn(|channel| old[channel] + (new[channel] - old[channel]) * share));
        }
        self.place += BLOCK as u64 * percent;
        let next_middle = usize::try_from((self.place / UNIT).saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let done = (from + BLOCK).min(next_middle.saturating_sub(REACH)).min(self.input.len());
        self.input.drain(..done);
        self.dropped += done as u64;
        self.natural = Some(from + BLOCK - done);
    }

    /// The last block: there is too little sound for a comparison.
    fn drain(&mut self, middle: usize, percent: u64) {
        let left = self.input.len().saturating_sub(middle) as u64;
        let natural = self.natural.unwrap_or(0).min(self.input.len());
        let count = usize::try_from(left * UNIT / percent).unwrap_or(usize::MAX).min(self.input.len() - natural);
        // Never more than one block at a time, which is what there is room for; the rest follows.
        let count_now = count.min(BLOCK);
        self.block.extend_from_slice(&self.input[natural..natural + count_now]);
        if count_now < count {
            self.place += count_now as u64 * percent;
            self.natural = Some(natural + count_now);
        } else {
            self.place = (self.dropped + self.input.len() as u64) * UNIT;
            self.input.clear();
            self.natural = None;
        }
    }

    /// Where, at most the reach away from `middle`, the input is most like it is at `natural`.
    fn most_alike(&self, natural: usize, middle: usize) -> usize {
        let first = middle.saturating_sub(REACH);
        let coarse = self.best(natural, (first..=middle + REACH).step_by(COARSE), COARSE);
        let last = (coarse + COARSE).min(middle + REACH);
        self.best(natural, coarse.saturating_sub(COARSE).max(first)..=last, 1)
    }

    /// The place with the largest normalised cross-correlation, which looks at every `step`th frame.
    fn best(&self, natural: usize, places: impl Iterator<Item = usize>, step: usize) -> usize {
        let mono = |place: usize| self.input[place..][..BLOCK].iter().step_by(step).map(|frame| frame[0] + frame[1]);
        let mut best = (f32::NEG_INFINITY, natural);
        for place in places {
            let (mut product, mut energy) = (0.0_f32, 1e-9_f32);
            for (left, right) in mono(natural).zip(mono(place)) {
                product += left * right;
                energy += right * right;
            }
            let likeness = product / energy.sqrt();
            if likeness > best.0 {
                best = (likeness, place);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = SOUND_RATE_HZ as usize;

    fn tone(hz: f32, frames: usize) -> Vec<Frame> {
        let wave = |n: usize| (n as f32 / SECOND as f32 * hz * std::f32::consts::TAU).sin() * 0.5;
        (0..frames).map(|n| [wave(n); 2]).collect()
    }

    /// All of it, with the position of each frame.
    fn stretched(sound: &[Frame], speed: Speed) -> Vec<(Frame, Duration)> {
        let mut stretch = Stretch::default();
        stretch.set_speed(speed);
        let mut input = sound.iter().copied();
        let mut output = Vec::new();
        loop {
            let position = stretch.position();
            let start = (input.len() > 0).then_some(Duration::ZERO);
            let Some(frame) = stretch.next(start, || input.next()) else { return output };
            output.push((frame, position.unwrap_or_default()));
        }
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_loudness_and_lasts_as_the_speed_says() {
        for speed in Speed::ALL {
            for hz in [80.0, 220.0, 440.0, 1_000.0] {
                let output = stretched(&tone(hz, 2 * SECOND), speed);
                let expected = 2.0 * SECOND as f64 / speed.factor();
                assert!((output.len() as f64 - expected).abs() <= 3.0 * BLOCK as f64, "{speed} {hz}: {}", output.len());
                // Without the ends, where it is not whole.
                let middle = &output[BLOCK..output.len() - 2 * BLOCK];
                let crossings = middle.windows(2).filter(|pair| pair[0].0[0] < 0.0 && pair[1].0[0] >= 0.0).count();
                let seconds = middle.len() as f32 / SECOND as f32;
                assert!(
                    (crossings as f32 / seconds - hz).abs() <= hz * 0.01 + 1.0,
                    "{speed} {hz} Hz: {crossings} in {seconds} s"
                );
                let power = middle.iter().map(|(frame, _)| frame[0] * frame[0]).sum::<f32>() / middle.len() as f32;
                assert!((0.11..0.135).contains(&power), "{speed} {hz} Hz: {power}");
            }
        }
    }

    #[test]
    fn no_sample_jumps() {
        // A tone that becomes higher and higher: no part of it is exactly like another.
        let mut phase = 0.0_f32;
        let sweep = (0..2 * SECOND).map(|n| {
            phase += (100.0 + 400.0 * n as f32 / SECOND as f32) / SECOND as f32 * std::f32::consts::TAU;
            [phase.sin() * 0.5; 2]
        });
        let sweep: Vec<Frame> = sweep.collect();
        for speed in Speed::ALL {
            let output = stretched(&sweep, speed);
            let largest = output.windows(2).map(|pair| (pair[1].0[0] - pair[0].0[0]).abs()).fold(0.0, f32::max);
            assert!(largest < 0.09, "{speed}: {largest}, and 0.06 in the sound itself");
        }
    }

    #[test]
    fn at_normal_speed_nothing_is_changed() {
        let sound = tone(313.0, SECOND);
        let output = stretched(&sound, Speed::NORMAL);
        let is_same = output.iter().zip(&sound).all(|((left, _), right)| (left[0] - right[0]).abs() < 1e-6);
        assert!(is_same && output.len() == sound.len(), "{}", output.len());
    }

    #[test]
    fn each_frame_knows_its_time_also_across_a_change_of_speed() {
        let sound = tone(440.0, 2 * SECOND);
        let mut input = sound.iter().copied();
        let mut stretch = Stretch::default();
        let double = Speed::nearest(200);
        stretch.set_speed(double);
        let take = |stretch: &mut Stretch, input: &mut dyn Iterator<Item = Frame>, count: usize| {
            for _ in 0..count {
                stretch.next(Some(Duration::ZERO), || input.next()).expect("there is enough");
            }
            stretch.position().expect("there is sound in it")
        };
        assert_eq!(take(&mut stretch, &mut input, BLOCK / 2), Duration::from_millis(10));
        assert_eq!(take(&mut stretch, &mut input, 10 * BLOCK), Duration::from_millis(210));
        stretch.set_speed(Speed::nearest(50));
        assert_eq!(stretch.next_block_at(), Some(Duration::from_millis(220)));
        assert_eq!(take(&mut stretch, &mut input, BLOCK / 2), Duration::from_millis(220));
        assert_eq!(take(&mut stretch, &mut input, 10 * BLOCK), Duration::from_millis(270));
        stretch.set_speed(Speed::NORMAL);
        assert_eq!(take(&mut stretch, &mut input, 10 * BLOCK), Duration::from_millis(370));
    }
}
