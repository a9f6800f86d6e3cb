//! Sender keys and messages to everyone, from a member: what is no sender key is refused, and a changed message is
//! never opened.
//!
//! Under `cfg(fuzzing)`, which `cargo fuzz` sets, vodozemac verifies neither signatures nor MACs, so that the code behind
//! them is reached. What is refused is checked only with `cargo fuzz run --no-cfg-fuzzing`.
#![no_main]

use std::{cell::RefCell, time::Instant};

use common::crypto::{Envelope, KeyId, Message, TextNumber, sender_key::Speaker, sender_key_store::SenderKeyStore};
use libfuzzer_sys::fuzz_target;

const ADA: KeyId = KeyId([1; 32]);
/// Whether signatures and MACs are verified.
const VERIFIES: bool = !cfg!(fuzzing);

/// A reader who has Ada's key, the key, and a message that was not opened.
struct Scene {
    store: SenderKeyStore,
    handover: Vec<u8>,
    message: Vec<u8>,
    now: Instant,
}

thread_local! {
    static SCENE: RefCell<Scene> = RefCell::new(scene());
}

fn scene() -> Scene {
    let (mut speaker, mut store, now) = (Speaker::default(), SenderKeyStore::default(), Instant::now());
    speaker.prepare(&[], now);
    let handover = speaker.hand_over(KeyId([2; 32])).unwrap();
    store.accept(ADA, &handover, now).unwrap();
    let message =
        Message { sent_unix_millis: 1, number: TextNumber { count: 1, number: 1 }, text: "Hello, all".to_owned() };
    let message = speaker.seal(&message, 1, ADA).unwrap().as_bytes().to_vec();
    Scene { store, handover: handover.to_vec(), message, now }
}

/// `real` with some bytes replaced.
fn changed(real: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = real.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else { return };
    SCENE.with_borrow_mut(|scene| {
        let now = scene.now;
        match choice % 4 {
            0 => {
                let bytes = changed(&scene.handover, rest);
                let taken = SenderKeyStore::default().accept(ADA, &bytes, now);
                let is_sound = taken.is_ok() == (bytes == scene.handover);
                assert!(is_sound || !VERIFIES, "a changed sender key was taken");
            }
            1 => assert!(SenderKeyStore::default().accept(ADA, rest, now).is_err() || rest.len() == 229),
            2 => {
                let bytes = changed(&scene.message, rest);
                if bytes != scene.message
                    && let Ok(envelope) = Envelope::parse(bytes)
                {
                    let is_refused = scene.store.open(&envelope, now).is_err();
                    assert!(is_refused || !VERIFIES, "a changed message was opened");
                }
            }
            _ => {
                let body = scene.message.get(..90).unwrap_or_default();
                if let Ok(envelope) = Envelope::parse([body, rest].concat()) {
                    let is_refused = scene.store.open(&envelope, now).is_err();
                    assert!(is_refused || *scene.message == *envelope.as_bytes() || !VERIFIES);
                }
            }
        }
    });
});
