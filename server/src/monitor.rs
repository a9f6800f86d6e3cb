//! What a server does right now, for the console of the one who runs it.

use common::{media::Statistics, name::Name};

use crate::{
    hub::Hub,
    video::{
        store::Store,
        stream::{Watch, Watchers},
    },
};

/// Looks at a server while it runs. Cheap to clone; as long as it exists, so does the frame store with its threads.
#[derive(Clone)]
pub struct Monitor {
    hub: Hub,
    store: Store,
    watchers: Watchers,
}

/// What a server does at one moment, and what it has done so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The names of those who are online, in alphabetical order.
    pub people: Vec<Name>,
    /// Who watches what, in the order in which they began.
    pub watches: Vec<Watch>,
    /// Bytes that were sent to all clients so far.
    pub sent_bytes: u64,
    /// The frame store.
    pub store: Statistics,
}

impl Monitor {
    pub(crate) fn new(hub: Hub, store: Store, watchers: Watchers) -> Self {
        Self { hub, store, watchers }
    }

    /// How things are now.
    pub fn figures(&self) -> Figures {
        Figures {
            people: self.hub.names(),
            watches: self.watchers.list(),
            sent_bytes: self.hub.sent_bytes(),
            store: self.store.statistics(),
        }
    }
}
