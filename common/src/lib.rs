//! The code shared by the Triptych server and its clients: the wire protocol, its cryptography, and the splice plan.
//!
//! Nothing here does I/O. The layers, bottom up: [`limits`] holds the limits of the protocol; [`name`], [`media`] and
//! [`crypto`] define the types that messages carry; [`message`] defines the messages; [`codec`] encodes and decodes
//! them, [`validate`] checks what a server sends beyond its encoding, and [`picture_parts`] takes pictures apart and joins
//! them. [`discovery`] is how clients find servers, and [`address`] how people write where one is. [`splice`] computes which
//! frames of which file make up a triptych; only the server uses it.

pub mod address;
mod bounded_list;
pub mod codec;
pub mod crypto;
pub mod discovery;
pub mod limits;
pub mod media;
pub mod message;
pub mod name;
pub mod opus_sound;
pub mod party;
pub mod picture_parts;
pub mod splice;
#[cfg(feature = "test-keys")]
pub mod test_messages;
pub mod validate;

#[cfg(all(test, feature = "test-keys"))]
mod validate_tests;
