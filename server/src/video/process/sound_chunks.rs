//! The sound of a file in chunks of a tenth of a second, counted from the time at which the first picture of the file is
//! shown.
//!
//! Time stamps decide where samples go: a gap becomes silence, an overlap is dropped, and what lies behind the end of
//! the file is silence. So sound never fails a stream; a file whose sound breaks is silent from there on.

use std::path::Path;

use common::limits::{SOUND_CHANNELS, SOUND_CHUNK_NANOS, SOUND_RATE_HZ};

use super::protocol::SoundJob;
use crate::video::gst::{
    pipeline::{DecodeError, Heartbeat},
    sound_decoder::{DecodedSound, SoundDecoder, audio_frames_to_nanos},
};

/// Bytes of one audio frame: a 16-bit sample for each channel.
pub(crate) const AUDIO_FRAME_BYTES: usize = 2 * SOUND_CHANNELS as usize;

/// Audio frames in a chunk.
pub(crate) const CHUNK_AUDIO_FRAMES: u64 = SOUND_RATE_HZ as u64 * SOUND_CHUNK_NANOS / 1_000_000_000;

/// Time stamps that differ by less than this from where the sound before them ended are rounding errors: 5 ms.
const JITTER_AUDIO_FRAMES: u64 = SOUND_RATE_HZ as u64 / 200;

/// Silence made at a time. Sound behind a longer gap waits until the gap is filled.
const MAX_SILENCE_BYTES: usize = 10 * SOUND_RATE_HZ as usize * AUDIO_FRAME_BYTES;

/// The sound of a file, from one chunk on.
pub(super) struct SoundChunks {
    /// `None` after the end, or after an error.
    decoder: Option<SoundDecoder>,
    /// Decoded samples that belong to no finished chunk yet, from `at` on.
    samples: Vec<u8>,
    /// Where `samples` begins, in audio frames from the first picture.
    at: u64,
    /// Decoded sound that begins further on than `samples` reaches.
    waiting: Option<DecodedSound>,
}

impl SoundChunks {
    /// Starts to decode. `warn` receives a clause about the file when it has no sound that can be decoded; then all is
    /// silent.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) fn open(
        path: &Path,
        job: &SoundJob,
        is_wanted: &dyn Fn() -> bool,
        warn: &dyn Fn(String),
    ) -> Result<Self, DecodeError> {
        let at = job.first_chunk.saturating_mul(CHUNK_AUDIO_FRAMES);
        let start_nanos = job.origin_nanos.saturating_add(audio_frames_to_nanos(at));
        let decoder = SoundDecoder::open(
            path,
            &job.track,
            &job.decoder,
            job.origin_nanos,
            start_nanos,
            Heartbeat::default(),
            is_wanted,
        );
        let decoder = match decoder {
            Err(DecodeError::Cancelled) => return Err(DecodeError::Cancelled),
            Err(error) => {
                warn(format!("plays without sound: {error}"));
                None
            }
            Ok(decoder) => Some(decoder),
        };
        Ok(Self { decoder, samples: Vec::new(), at, waiting: None })
    }

    /// The next chunk.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(super) fn next(&mut self, is_wanted: &dyn Fn() -> bool, warn: &dyn Fn(String)) -> Result<Vec<u8>, DecodeError> {
        let chunk_bytes = CHUNK_AUDIO_FRAMES as usize * AUDIO_FRAME_BYTES;
        while self.samples.len() < chunk_bytes {
            let Some(decoder) = &mut self.decoder else { break };
            let pulled = self.waiting.take().map_or_else(|| decoder.pull(is_wanted), Ok);
            match pulled {
                Ok(sound) => self.place(sound),
                Err(DecodeError::Cancelled) => return Err(DecodeError::Cancelled),
                Err(DecodeError::Missing) => self.decoder = None,
                Err(error) => {
                    warn(format!("has no sound from {:.1} s on: {error}", self.seconds()));
                    self.decoder = None;
                }
            }
        }
        self.samples.resize(self.samples.len().max(chunk_bytes), 0);
        let rest = self.samples.split_off(chunk_bytes);
        let chunk = std::mem::replace(&mut self.samples, rest);
        self.at += CHUNK_AUDIO_FRAMES;
        Ok(chunk)
    }

    fn seconds(&self) -> f64 {
        self.at as f64 / f64::from(SOUND_RATE_HZ)
    }

    /// Appends what was decoded at its place.
    fn place(&mut self, (start, bytes): DecodedSound) {
        let end = self.at + (self.samples.len() / AUDIO_FRAME_BYTES) as u64;
        let end_signed = i64::try_from(end).unwrap_or(i64::MAX);
        let gap = start.saturating_sub(end_signed);
        if gap.unsigned_abs() <= JITTER_AUDIO_FRAMES && !self.samples.is_empty() {
            self.samples.extend_from_slice(&bytes);
        } else if gap >= 0 {
            let silence = usize::try_from(gap).unwrap_or(usize::MAX).saturating_mul(AUDIO_FRAME_BYTES);
            self.samples.resize(self.samples.len() + silence.min(MAX_SILENCE_BYTES), 0);
            if silence <= MAX_SILENCE_BYTES {
                self.samples.extend_from_slice(&bytes);
            } else {
                self.waiting = Some((start, bytes));
            }
        } else {
            let skipped = usize::try_from(gap.unsigned_abs()).unwrap_or(usize::MAX).saturating_mul(AUDIO_FRAME_BYTES);
            self.samples.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn source() -> SoundChunks {
        SoundChunks { decoder: None, samples: Vec::new(), at: 100, waiting: None }
    }

    fn audio_frames(source: &SoundChunks) -> Vec<u8> {
        source.samples.chunks(AUDIO_FRAME_BYTES).map(|frame| frame[0]).collect()
    }

    #[test]
    fn samples_before_the_wanted_place_are_dropped() {
        let mut source = source();
        source.place((97, Bytes::from_static(&[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5])));
        assert_eq!(audio_frames(&source), [4, 5]);
    }

    #[test]
    fn a_gap_is_silent_and_jitter_is_none() {
        let mut source = source();
        source.place((102, Bytes::from_static(&[1; 4])));
        source.place((103 + JITTER_AUDIO_FRAMES as i64, Bytes::from_static(&[2; 4])));
        assert_eq!(audio_frames(&source), [0, 0, 1, 2]);
        source.place((104 + JITTER_AUDIO_FRAMES as i64 + 1, Bytes::from_static(&[3; 4])));
        assert_eq!(source.samples.len() / AUDIO_FRAME_BYTES, 4 + JITTER_AUDIO_FRAMES as usize + 1 + 1);
    }

    #[test]
    fn sound_behind_a_long_silence_keeps_its_beginning() {
        let mut source = source();
        let late = 100 + 25 * i64::from(SOUND_RATE_HZ);
        source.place((late, Bytes::from_static(&[7; 4])));
        while let Some(piece) = source.waiting.take() {
            source.place(piece);
        }
        assert_eq!(
            (audio_frames(&source).len(), audio_frames(&source).last()),
            (25 * SOUND_RATE_HZ as usize + 1, Some(&7))
        );
    }

    #[test]
    fn behind_the_end_there_is_silence() {
        let mut source = source();
        source.place((100, Bytes::from_static(&[9; 4])));
        let chunk = source.next(&|| true, &|_| ()).unwrap();
        assert_eq!((chunk.len(), chunk[0], chunk[4]), (19_200, 9, 0));
        assert!(source.next(&|| true, &|_| ()).unwrap().iter().all(|&byte| byte == 0));
    }
}
