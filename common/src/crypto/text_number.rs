//! The number that a text has among those of its sender to one recipient, or to everyone. It lies inside the encryption: the
//! recipient learns from it what is missing, and the relay does not.

use super::reader::Reader;

/// Which of a sender's texts one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextNumber {
    /// Which count it belongs to: a sequence number of the sender from when it began to count, so a later count is higher.
    pub count: u64,
    /// From 1 on. A text that is sent again keeps its number.
    pub number: u32,
}

impl TextNumber {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 12;

    /// `count 8 | number 4`, big endian.
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.count.to_be_bytes());
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Reads [`Self::to_bytes`]; `None` when bytes are missing or the number is 0.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = u64::from_be_bytes(reader.array()?);
        let number = u32::from_be_bytes(reader.array()?);
        (number > 0).then_some(Self { count, number })
    }
}
