//! Frames of a dishonest server that bring pictures in parts: joining them never panics, holds no more than one picture, and
//! gives none that is longer than announced.
#![no_main]

use common::{
    codec::decode_server, limits::MAX_PICTURE_BYTES, message::ServerMessage, picture_parts::PictureJoiner, validate,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    let mut joiner = PictureJoiner::default();
    // Each frame is preceded by its length in one byte.
    let mut rest = frames;
    while let Some((&length, after)) = rest.split_first() {
        let (frame, next) = after.split_at(after.len().min(length.into()));
        rest = next;
        let Ok(message) = decode_server(frame) else { continue };
        let Ok(message) = validate::server_message(message) else { return };
        match joiner.take(message) {
            Ok(Some(ServerMessage::Picture { head, jpeg })) => assert_eq!(jpeg.0.len(), head.jpeg_bytes as usize),
            Ok(_) => {}
            Err(_) => return,
        }
        assert!(joiner.held_bytes() <= MAX_PICTURE_BYTES);
    }
});
