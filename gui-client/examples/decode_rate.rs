//! Measures how long decoding a JPEG takes, at full size and scaled down.
//!
//! ```text
//! cargo run --release -p gui-client --example decode_rate -- PICTURE.jpg …
//! ```

use std::time::{Duration, Instant};

use anyhow::Result;
use common::limits::MAX_PICTURE_SIDE;
use triptych_client::playback::picture::PictureDecoder;

const ROUNDS: usize = 61;
const LARGEST: (u32, u32) = (MAX_PICTURE_SIDE, MAX_PICTURE_SIDE);

fn main() -> Result<()> {
    for path in std::env::args().skip(1) {
        let jpeg = std::fs::read(&path)?;
        let mut decoder = PictureDecoder::default();
        let whole = decoder.decode(&jpeg, LARGEST, (u32::MAX, u32::MAX), Vec::new())?;
        print!("{path}, {}x{}:", whole.width, whole.height);
        for divisor in 1..=4 {
            let place = ((whole.width / divisor) as u32, (whole.height / divisor) as u32);
            let mut buffer = Vec::new();
            let mut times = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                let begun = Instant::now();
                buffer = decoder.decode(&jpeg, LARGEST, place, buffer)?.pixels;
                times.push(begun.elapsed());
            }
            times.sort_unstable();
            print!(" 1/{divisor} {:.2} ms", millis(times[ROUNDS / 2]));
        }
        println!();
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
