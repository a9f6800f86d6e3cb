//! How much memory all send queues together take: bytes that several queues share count once, for as long as any of them
//! holds them. And how much was sent from all of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;

/// What a frame costs besides its bytes: the allocations that hold and count it.
const FRAME_OVERHEAD_BYTES: u64 = 160;

/// The memory of a set of send queues. Cheap to clone; all clones count the same memory.
#[derive(Clone, Default)]
pub struct SendMemory(Arc<Counts>);

#[derive(Default)]
struct Counts {
    held_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl SendMemory {
    /// Bytes that are held now.
    pub fn held_bytes(&self) -> u64 {
        self.0.held_bytes.load(Relaxed)
    }

    /// Bytes that all queues together have sent so far.
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent_bytes.load(Relaxed)
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.0.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes until the result is dropped.
    pub(super) fn charge(&self, bytes: u64) -> Charge {
        self.0.held_bytes.fetch_add(bytes, Relaxed);
        Charge { memory: self.clone(), bytes }
    }
}

/// Bytes that count until this is dropped.
pub(super) struct Charge {
    memory: SendMemory,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.0.held_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// A piece of a frame whose bytes count once, however many frames and queues hold it.
#[derive(Clone)]
pub struct SharedBytes(Arc<(Bytes, Charge)>);

impl SharedBytes {
    /// Counts the bytes in `memory` for as long as a clone of the result exists.
    pub fn new(memory: &SendMemory, bytes: Bytes) -> Self {
        let charge = memory.charge(bytes.len() as u64 + FRAME_OVERHEAD_BYTES);
        Self(Arc::new((bytes, charge)))
    }

    /// The bytes, which are counted as long as this exists.
    pub fn bytes(&self) -> Bytes {
        self.0.0.clone()
    }
}

/// A frame of the control lane, in one or more pieces. Cheap to clone; the clones share their bytes.
#[derive(Clone)]
pub struct ControlFrame(Arc<[SharedBytes]>);

impl ControlFrame {
    /// A frame in one piece.
    pub fn new(memory: &SendMemory, bytes: Bytes) -> Self {
        Self(Arc::new([SharedBytes::new(memory, bytes)]))
    }

    /// A frame whose pieces may be parts of other frames too.
    pub fn of_pieces(pieces: impl Into<Arc<[SharedBytes]>>) -> Self {
        Self(pieces.into())
    }

    /// The length of the frame.
    pub fn len(&self) -> usize {
        self.pieces().map(|piece| piece.len()).sum()
    }

    /// Whether the frame has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = Bytes> {
        self.0.iter().map(SharedBytes::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_bytes_count_once_and_until_the_last_holder_is_gone() {
        let memory = SendMemory::default();
        let part = SharedBytes::new(&memory, Bytes::from(vec![0; 1000]));
        let frames: Vec<_> = (0..50).map(|_| ControlFrame::of_pieces([part.clone(), part.clone()])).collect();
        assert_eq!(frames[0].len(), 2000);
        drop(part);
        assert_eq!(memory.held_bytes(), 1000 + FRAME_OVERHEAD_BYTES);
        drop(frames);
        assert_eq!(memory.held_bytes(), 0);
    }
}
