//! A message from a dishonest server: checking it never panics, and what was checked and cleaned passes again unchanged.
#![no_main]

use common::{codec::decode_server, validate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let Ok(message) = decode_server(frame) else { return };
    if let Ok(message) = validate::server_message(message) {
        assert_eq!(validate::server_message(message.clone()).as_ref(), Ok(&message));
    }
});
