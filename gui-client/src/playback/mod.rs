//! From JPEG bytes to the picture that is due: a decoding thread and a pure playout buffer.
//!
//! ```text
//! net thread --JPEG--> Playout.encoded --> thread "triptych-decode" --RGBA--> Playout.decoded --due--> window
//!      ^                                                                                                |
//!      └───────────────────────────── credit: one for each picture shown or dropped ────────────────────┘
//! ```

pub mod decoder;
pub mod picture;
pub mod playout;
