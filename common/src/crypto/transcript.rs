//! What is signed: fields with their lengths in front, so that no two lists of fields give the same bytes.

/// Bytes to be signed.
pub(super) struct Transcript(Vec<u8>);

impl Transcript {
    /// Begins with what the signature is for, so that one made for one purpose never serves another.
    pub(super) fn new(purpose: &str) -> Self {
        Self(Vec::new()).with(purpose.as_bytes())
    }

    /// Adds a field: big-endian `u32` length, then its bytes.
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
