//! Reads the fields of a binary layout one after another, and tells when the bytes end too early.

use std::ops::Range;

/// A position in `bytes`.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The number of bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The bytes that were not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// The position of the next `length` bytes, which count as read; `None` when there are fewer.
    pub(super) fn skip(&mut self, length: usize) -> Option<Range<usize>> {
        let range = self.position..self.position.checked_add(length)?;
        if range.end > self.bytes.len() {
            return None;
        }
        self.position = range.end;
        Some(range)
    }

    /// The next `length` bytes; `None` when there are fewer.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        self.skip(length).map(|range| &self.bytes[range])
    }

    /// The next `N` bytes; `None` when there are fewer.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).map(|bytes| bytes.try_into().expect("take gives N bytes"))
    }

    /// The next two bytes as a big-endian number.
    pub(super) fn short(&mut self) -> Option<usize> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }
}
