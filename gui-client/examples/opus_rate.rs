//! Measures how long decoding sound in Opus takes.
//!
//! ```text
//! cargo run --release -p gui-client --example opus_rate -- SOUND.opus …
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use common::{
    limits::OPUS_PACKET_AUDIO_FRAMES,
    media::{Epoch, StreamId},
    opus_sound::OpusSound,
};
use triptych_client::playback::opus_decoder::OpusDecoder;

/// Packets in a chunk.
const CHUNK_PACKETS: usize = 5;

fn main() -> Result<()> {
    for path in std::env::args().skip(1) {
        let packets = packets_of(&std::fs::read(&path)?).with_context(|| format!("{path} is not an Ogg file"))?;
        let bytes: usize = packets.iter().map(Vec::len).sum();
        let mut decoder = OpusDecoder::default();
        let begun = Instant::now();
        for chunk in packets.chunks(CHUNK_PACKETS) {
            let packets: Vec<&[u8]> = chunk.iter().map(|packet| &packet[..]).collect();
            let audio_frames = packets.len() * OPUS_PACKET_AUDIO_FRAMES;
            let sound = OpusSound { skip_audio_frames: 0, audio_frames, packets };
            anyhow::ensure!(decoder.decode(StreamId(0), Epoch(0), &sound).broken_packets == 0, "{path} is damaged");
        }
        let took = begun.elapsed();
        let seconds = (packets.len() as u64 * 20) as f64 / 1000.0;
        let per_minute = Duration::from_secs_f64(took.as_secs_f64() * 60.0 / seconds);
        println!("{path}, {seconds} s: {:.0} bytes/s, {per_minute:.0?} for a minute", bytes as f64 / seconds);
    }
    Ok(())
}

/// The packets of an Ogg file (RFC 3533) without its two headers.
fn packets_of(ogg: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut packets, mut packet, mut rest) = (Vec::new(), Vec::new(), ogg);
    while !rest.is_empty() {
        let count = usize::from(*rest.get(26)?);
        let (lengths, mut bodies) = rest.get(27..)?.split_at_checked(count)?;
        for &length in lengths {
            let (part, after) = bodies.split_at_checked(length.into())?;
            packet.extend(part);
            bodies = after;
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = bodies;
    }
    Some(packets.split_off(packets.len().min(2)))
}
