//! What a person can have done about a file of this client that cannot be used, instead of doing it by hand, and what is said
//! where another window uses it.

use std::path::PathBuf;

use common::name::Name;

/// What to do where another window of this person is online, in a sentence.
pub const OTHER_WINDOW_REMEDY: &str = "Use that window, or join under another name in this one.";

/// Says that another window of this person is online under a name.
pub fn other_window(name: &Name) -> String {
    format!("Another Triptych window on this computer is online as {name}.")
}

/// What is done about a file, with its path, before the next attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRepair {
    /// The key of a name is set aside, and a new one made.
    NewKey(PathBuf),
    /// The people of a server are set aside: everyone there counts as new.
    NewPeople(PathBuf),
    /// The known servers are set aside: the next visit to each counts as the first.
    NewServers(PathBuf),
    /// The key of a name is closed to other users of this computer.
    CloseKey(PathBuf),
}

impl FileRepair {
    /// The words on its button.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NewKey(_) => "Set it aside and make a new key",
            Self::NewPeople(_) | Self::NewServers(_) => "Set it aside and start anew",
            Self::CloseKey(_) => "Close it to others and use it",
        }
    }
}
