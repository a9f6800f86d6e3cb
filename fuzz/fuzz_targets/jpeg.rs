//! A picture from a server: decoding it never panics, and never gives more pixels than were announced.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The file and not the crate, because building a window takes ten minutes.
#[path = "../../gui-client/src/playback/picture.rs"]
#[allow(dead_code, reason = "the client contains the decoder's panics in another file")]
mod picture;

use picture::PictureDecoder;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (largest, display, jpeg) = input;
    let [largest, display_size] = [largest, display].map(|side| (u32::from(side) * 8, u32::from(side) * 4));
    if let Ok(picture) = PictureDecoder::default().decode(jpeg, largest, display_size, Vec::new()) {
        assert_eq!(picture.pixels.len(), picture.width * picture.height);
        assert!(picture.width <= largest.0 as usize && picture.height <= largest.1 as usize);
    }
});
