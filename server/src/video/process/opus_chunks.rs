//! The sound of a file in Opus: chunks of a tenth of a second, each made of whole packets, as [`OpusSound`] lays them out.
//!
//! ```text
//! chunk     0         1         2               chunk n has the sound of the tenth of a second n - 1
//! sound     (silence) |0.0 s    |0.1 s
//! packets   |.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|     of 20 ms; each begins where it says, since the encoder's delay is made up for
//! ```
//!
//! The chunk of silence before the first picture has the packets that a decoder is given before the first one that is heard.
//! An encoder begins a chunk early, which it drops, so that it has converged: so it makes nearly the same packets wherever it
//! begins.

use std::{collections::VecDeque, path::Path};

use bytes::Bytes;
use common::{limits::OPUS_PACKET_AUDIO_FRAMES, opus_sound::OpusSound};

use super::{
    protocol::SoundJob,
    sound_chunks::{AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES, SoundChunks},
};
use crate::video::gst::{
    opus_encoder::{DELAY_AUDIO_FRAMES, OpusEncoder},
    pipeline::DecodeError,
};

/// Packets in a chunk.
pub(crate) const CHUNK_PACKETS: usize = CHUNK_AUDIO_FRAMES as usize / OPUS_PACKET_AUDIO_FRAMES;

/// The chunk of the track that has the sound of this tenth of a second.
pub(crate) const fn opus_chunk_of(tenth: usize) -> usize {
    tenth + 1
}

/// Chunks that are encoded and dropped before the first.
const DROPPED_CHUNKS: u64 = 1;

/// A packet of silence (RFC 6716 §3.1: CELT, full band, 20 ms, stereo; its only bit of content says that it is silent).
const SILENT_PACKET: &[u8] = &[0xfc, 0xff, 0xfe];

/// The sound of a file in Opus, from one chunk on.
pub(super) struct OpusChunks {
    sound: SoundChunks,
    encoder: OpusEncoder,
    /// Chunks of silence that are encoded before the sound begins.
    silent_chunks: u64,
    /// Packets that belong to no finished chunk yet.
    packets: VecDeque<Bytes>,
    /// Packets that are still to be dropped.
    surplus_packets: usize,
    is_begun: bool,
}

impl OpusChunks {
    /// Starts to decode and encode. `warn` as for [`SoundChunks::open`].
    ///
    /// # Errors
    /// `Cancelled`, and `Pipeline` when there is no encoder.
    pub(super) fn open(
        path: &Path,
        job: &SoundJob,
        is_wanted: &dyn Fn() -> bool,
        warn: &dyn Fn(String),
    ) -> Result<Self, DecodeError> {
        let before = opus_chunk_of(0) as u64 + DROPPED_CHUNKS;
        let first_chunk = job.first_chunk.saturating_sub(before);
        let encoder = OpusEncoder::start()?;
        Ok(Self {
            sound: SoundChunks::open(path, &SoundJob { first_chunk, ..job.clone() }, is_wanted, warn)?,
            encoder,
            silent_chunks: before.saturating_sub(job.first_chunk),
            packets: VecDeque::new(),
            surplus_packets: DROPPED_CHUNKS as usize * CHUNK_PACKETS,
            is_begun: false,
        })
    }

    /// The next chunk.
    ///
    /// # Errors
    /// Those of [`OpusEncoder::encode`].
    pub(super) fn next(&mut self, is_wanted: &dyn Fn() -> bool, warn: &dyn Fn(String)) -> Result<Bytes, DecodeError> {
        while self.packets.len() < self.surplus_packets + CHUNK_PACKETS {
            let mut pcm = if self.silent_chunks > 0 {
                self.silent_chunks -= 1;
                Bytes::from(vec![0; CHUNK_AUDIO_FRAMES as usize * AUDIO_FRAME_BYTES])
            } else {
                Bytes::from(self.sound.next(is_wanted, warn)?)
            };
            if !std::mem::replace(&mut self.is_begun, true) {
                // The first packet then begins where this chunk does.
                pcm = pcm.slice(DELAY_AUDIO_FRAMES * AUDIO_FRAME_BYTES..);
            }
            self.packets.extend(self.encoder.encode(pcm, is_wanted)?);
        }
        self.packets.drain(..std::mem::take(&mut self.surplus_packets));
        let packets: Vec<Bytes> = self.packets.drain(..CHUNK_PACKETS).collect();
        Ok(chunk(packets.iter().map(|packet| &packet[..])))
    }
}

/// A chunk of silence.
pub(crate) fn silent_opus_chunk() -> Bytes {
    chunk(std::iter::repeat_n(SILENT_PACKET, CHUNK_PACKETS))
}

fn chunk<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Bytes {
    OpusSound { skip_audio_frames: 0, audio_frames: CHUNK_AUDIO_FRAMES as usize, packets: packets.collect() }.encode()
}

/// Whether a worker process sent a chunk of this kind.
pub(super) fn is_opus_chunk(bytes: &[u8]) -> bool {
    OpusSound::parse(bytes)
        .is_some_and(|sound| sound.skip_audio_frames == 0 && sound.audio_frames == CHUNK_AUDIO_FRAMES as usize)
}
