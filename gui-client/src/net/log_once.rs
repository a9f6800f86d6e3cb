//! One log line for each kind of thing that a server should not do, for each connection. A server could otherwise fill the
//! disk; and of what it sent, the line holds the kind and the size, because the rest may be anything.

use std::collections::HashSet;

/// The kinds that were logged on a connection.
#[derive(Debug, Default)]
pub(super) struct LogOnce(HashSet<&'static str>);

impl LogOnce {
    /// Whether this is the first of its kind.
    pub(super) fn is_first(&mut self, kind: &'static str) -> bool {
        self.0.insert(kind)
    }
}
