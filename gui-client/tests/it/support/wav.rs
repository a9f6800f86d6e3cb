//! Files with sound of which a test knows every sample.

use std::{fs, path::Path};

use common::limits::SOUND_RATE_HZ;

/// Writes samples of two channels as RIFF with 16 bits.
pub fn write_wav(path: &Path, frames: &[[i16; 2]]) {
    let samples: Vec<u8> = frames.as_flattened().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + samples.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend(SOUND_RATE_HZ.to_le_bytes());
    bytes.extend((4 * SOUND_RATE_HZ).to_le_bytes());
    bytes.extend(b"\x04\0\x10\0data");
    bytes.extend((samples.len() as u32).to_le_bytes());
    bytes.extend(samples);
    fs::write(path, bytes).unwrap();
}
