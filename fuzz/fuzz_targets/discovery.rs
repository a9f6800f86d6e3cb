//! A datagram from anyone on the network: reading it never panics, and what is read is what was sent.
#![no_main]

use common::discovery::{Answer, PROBE_BYTES, Probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(probe) = Probe::from_bytes(bytes) {
        assert_eq!(Probe::from_bytes(&probe.to_bytes()), Some(probe));
    }
    if let Some(answer) = Answer::from_bytes(bytes) {
        assert_eq!(answer.to_bytes(), bytes);
        assert!(bytes.len() <= PROBE_BYTES);
    }
});
