//! A frame from a peer: decoding it never panics, and what can be decoded is encoded as the same bytes.
#![no_main]

use common::codec::{PREFIX_BYTES, decode_client, decode_greeting, decode_server, encode_client, encode_server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(message) = decode_client(frame) {
        assert_eq!(&encode_client(&message)[PREFIX_BYTES..], frame);
    }
    if let Ok(message) = decode_server(frame) {
        assert_eq!(&encode_server(&message)[PREFIX_BYTES..], frame);
    }
    let _ = decode_greeting(frame);
});
