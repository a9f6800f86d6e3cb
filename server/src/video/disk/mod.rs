//! The disk tier of the frame store: encoded frames in files, so that a restarted server, or a film longer than the memory
//! for frames, needs no decoder for what was played or prepared before.
//!
//! ```text
//! FOLDER/CACHEDIR.TAG                               backup programs leave the folder out
//!        lock                                       who is alone in the folder removes what was left behind
//!        733a6827236eab4b/                          one folder for each source file: its fingerprint
//!                         pictures-1-1-630-96-16.pack
//! ```
//!
//! A *pack* is a file with up to sixteen consecutive frames of one track. It is written beside its place and renamed when it is
//! whole, its header has checksums of itself and of each frame, and nothing else says what is in it: there is no list of packs
//! to repair. So servers and commands may share a folder, any pack may vanish at any time, and the worst that a damaged one
//! causes is that its frames are decoded again.

mod folder;
mod index;
mod pack;
mod tier;

pub use self::tier::{DiskError, DiskSettings};
pub(crate) use self::{
    pack::{PACK_FRAMES, PackName, TrackKind, TrackName},
    tier::{DiskTier, ReadError, WriteError},
};

#[cfg(test)]
mod tests;
