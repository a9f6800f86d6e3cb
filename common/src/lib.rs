//! What the Triptych server and its clients agree on.
//!
//! Nothing here does I/O. The layers, bottom up: [`limits`] are the numbers both ends keep, [`name`], [`media`] and
//! [`crypto`] are the things that are talked about, [`message`] is what is said, [`codec`] turns it into bytes and
//! back, and [`splice`] says which frames of which file make a triptych.

pub mod codec;
pub mod crypto;
pub mod limits;
pub mod media;
pub mod message;
pub mod name;
pub mod splice;
