//! The queue in which messages that wait keep their order.

use super::peer::Peer;
use crate::event::DraftId;

/// Messages that may wait in all conversations together. A server takes thirty at once, and ten a second after that.
pub const MAX_WAITING: usize = 100;

/// The messages that wait, in the order in which they were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue(Vec<(DraftId, Peer)>);

impl Queue {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_WAITING
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The peers for whom something waits; one may come several times.
    pub(super) fn peers(&self) -> impl Iterator<Item = Peer> {
        self.0.iter().map(|(_, peer)| *peer)
    }

    pub(super) fn push(&mut self, draft: DraftId, peer: Peer) {
        self.0.push((draft, peer));
    }

    /// Takes a message out. Returns for whom it was waiting, if it was.
    pub(super) fn withdraw(&mut self, draft: DraftId) -> Option<Peer> {
        let place = self.0.iter().position(|(waiting, _)| *waiting == draft)?;
        Some(self.0.remove(place).1)
    }

    /// Takes out those for whose peers `is_ready` holds, in their order.
    pub(super) fn take_ready(&mut self, is_ready: impl Fn(Peer) -> bool) -> Vec<(DraftId, Peer)> {
        self.0.extract_if(.., |(_, peer)| is_ready(*peer)).collect()
    }

    /// What waits for one peer waits for another one from now on.
    pub(super) fn redirect(&mut self, from: Peer, to: Peer) {
        self.0.iter_mut().filter(|(_, peer)| *peer == from).for_each(|(_, peer)| *peer = to);
    }
}
