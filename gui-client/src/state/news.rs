//! Where the new messages of a conversation begin.

/// Identifies a message among all that this client has shown in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(pub u64);

/// The new messages of a conversation: from one on to the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    pub first: Option<Serial>,
    /// Whether the end has been in sight since; the mark stays until the conversation is left.
    pub is_seen: bool,
}

impl News {
    /// What is new in two conversations of which `later` is appended to this one.
    pub(super) fn followed_by(self, later: Self) -> Self {
        if self.first.is_some() && !self.is_seen { self } else { later }
    }
}
