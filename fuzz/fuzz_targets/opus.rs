//! Chunks of sound in Opus from a server: decoding them never panics, and each lasts as long as it says.
#![no_main]

use common::{
    media::{Epoch, StreamId},
    opus_sound::OpusSound,
};
use libfuzzer_sys::fuzz_target;

// The file and not the crate, because building a window takes ten minutes.
#[path = "../../gui-client/src/playback/opus_decoder.rs"]
mod opus_decoder;

use opus_decoder::OpusDecoder;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = OpusDecoder::default();
    // Each chunk is preceded by its length in two bytes.
    let mut rest = bytes;
    while let Some((&length, after)) = rest.split_first_chunk() {
        let (chunk, next) = after.split_at(after.len().min(u16::from_be_bytes(length).into()));
        rest = next;
        let Some(sound) = OpusSound::parse(chunk) else { continue };
        assert_eq!(decoder.decode(StreamId(1), Epoch(0), &sound).frames.len(), sound.audio_frames);
    }
});
