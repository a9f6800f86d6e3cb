//! Decodes and plays a stream: a thread for pictures, a thread for the audio device, and the pure playout buffer that decides
//! which picture is due.
//!
//! ```text
//! net thread ─┬─JPEG─> Playout.encoded ──> "triptych-decode" ──RGBA──> Playout.decoded ──due──> window
//!     ^       │                                                              ^
//!     │       │                                                  audio position: the clock
//!     │       │                                                              │
//!     │       └─PCM──> AudioBuffer ──────> "triptych-sound" and the device ───┘
//!     └───────────── credit: for each picture shown or dropped, and each chunk handed to the device
//! ```

pub mod audio_buffer;
pub mod audio_output;
mod decode_worker;
pub mod ladder;
mod link;
pub mod opus_decoder;
pub mod picture;
pub mod player;
pub mod playout;
pub mod stretch;
