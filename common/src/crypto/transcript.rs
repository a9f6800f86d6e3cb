//! The encoding of signed data: length-prefixed fields, so that no two lists of fields give the same bytes.

/// Bytes to sign.
pub(super) struct Transcript(Vec<u8>);

impl Transcript {
    /// Starts with the purpose of the signature, so that a signature for one purpose is never valid for another.
    pub(super) fn new(purpose: &str) -> Self {
        Self(Vec::new()).with(purpose.as_bytes())
    }

    /// Appends a field: its length as a big-endian `u32`, then its bytes.
    pub(super) fn with(mut self, field: &[u8]) -> Self {
        let length = u32::try_from(field.len()).expect("fields are far below 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
