//! A notification of the desktop.

use super::peer::Peer;

/// A notification as the desktop is to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Who wrote.
    pub title: String,
    /// What was written, or by whom else; may be empty.
    pub text: String,
    /// The conversation that a click on it opens.
    pub opens: Peer,
}
