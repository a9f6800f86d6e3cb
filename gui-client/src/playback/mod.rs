//! From JPEG bytes to the picture that is due, and from samples to the sound that goes with it: a decoding thread, a
//! sound thread and a pure playout buffer between them.
//!
//! ```text
//! net thread ─┬─JPEG─> Playout.encoded ──> "triptych-decode" ──RGBA──> Playout.decoded ──due──> window
//!     ^       │                                                              ^
//!     │       │                                                  what is heard now: the clock
//!     │       │                                                              │
//!     │       └─PCM──> AudioBuffer ──────> "triptych-sound" and the device ───┘
//!     └───────────── credit: one for each picture shown or dropped, and each chunk handed to the device
//! ```

pub mod audio_buffer;
pub mod audio_output;
mod decode_worker;
pub mod picture;
pub mod player;
pub mod playout;
