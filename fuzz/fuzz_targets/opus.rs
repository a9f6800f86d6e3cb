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

fuzz_target!(|chunks: Vec<Vec<u8>>| {
    let mut decoder = OpusDecoder::default();
    for sound in chunks.iter().filter_map(|bytes| OpusSound::parse(bytes)) {
        assert_eq!(decoder.decode(StreamId(1), Epoch(0), &sound).frames.len(), sound.audio_frames);
    }
});
