//! Decodes sound in Opus to samples. The bytes come from another computer: whatever they are, what comes of a chunk lasts as
//! long as it says, and a packet that is broken is silence.

use std::panic::{self, AssertUnwindSafe};

use common::{
    limits::{OPUS_PACKET_AUDIO_FRAMES, SOUND_CHANNELS, SOUND_RATE_HZ},
    media::{Epoch, StreamId},
    opus_sound::OpusSound,
};

const CHANNELS: usize = SOUND_CHANNELS as usize;

/// What comes of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedSound {
    /// As many audio frames as the chunk says; a sample for each channel.
    pub frames: Vec<[i16; CHANNELS]>,
    /// Packets that could not be decoded.
    pub broken_packets: u64,
}

/// Decodes the chunks of a stream one after the other.
#[derive(Default)]
pub struct OpusDecoder {
    /// `None` if it is to begin anew.
    decoder: Option<opus_pure::OpusDecoder>,
    /// What it has decoded last.
    epoch: Option<(StreamId, Epoch)>,
}

impl OpusDecoder {
    /// Decodes the next chunk of an epoch. Begins anew with another epoch, and where the chunk says so.
    pub fn decode(&mut self, stream: StreamId, epoch: Epoch, sound: &OpusSound<'_>) -> DecodedSound {
        let is_continued = self.epoch.replace((stream, epoch)) == Some((stream, epoch)) && sound.skip_audio_frames == 0;
        if !is_continued {
            self.decoder = None;
        }
        let mut frames = Vec::with_capacity(sound.packets.len() * OPUS_PACKET_AUDIO_FRAMES);
        let mut broken_packets = 0;
        for packet in &sound.packets {
            let decoded = self.decode_packet(packet);
            broken_packets += u64::from(decoded.is_none());
            frames.extend(decoded.unwrap_or([[0; CHANNELS]; OPUS_PACKET_AUDIO_FRAMES]));
        }
        frames.drain(..sound.skip_audio_frames.min(frames.len()));
        frames.resize(sound.audio_frames, [0; CHANNELS]);
        DecodedSound { frames, broken_packets }
    }

    fn decode_packet(&mut self, packet: &[u8]) -> Option<[[i16; CHANNELS]; OPUS_PACKET_AUDIO_FRAMES]> {
        let mut frames = [[0; CHANNELS]; OPUS_PACKET_AUDIO_FRAMES];
        let begun = self.decoder.take().map_or_else(|| opus_pure::OpusDecoder::new(SOUND_RATE_HZ as i32, CHANNELS), Ok);
        let mut decoder = begun.ok()?;
        // Should the decoder panic, this packet is lost and not the thread, which is the connection's. A decoder that panicked may
        // be half changed and is not used again.
        let decoded = panic::catch_unwind(AssertUnwindSafe(|| {
            decoder.decode_s16(packet, OPUS_PACKET_AUDIO_FRAMES, frames.as_flattened_mut())
        }));
        let audio_frames = decoded.ok()?;
        self.decoder = Some(decoder);
        (audio_frames.ok()? == OPUS_PACKET_AUDIO_FRAMES).then_some(frames)
    }
}
