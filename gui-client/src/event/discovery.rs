//! What the search for servers tells the window.

use common::{address::ServerAddress, discovery::Announcement};

/// What is known of a server that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Familiarity {
    /// It is the one of the last visit: its certificate is the one remembered for that address.
    Last,
    /// Its certificate is one that this client remembers.
    Visited,
    /// This client has never visited a server with this certificate.
    New,
}

/// A server that was found on the network. What it says of itself is not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundServer {
    /// What it says of itself.
    pub announcement: Announcement,
    /// Where to connect to; of several ways the one that works longest.
    pub address: ServerAddress,
    /// Whether it was visited before.
    pub familiarity: Familiarity,
}

/// Where was looked for servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Networks of this computer that were asked by broadcast.
    pub network_count: usize,
    /// Whether it was asked by mDNS.
    pub uses_mdns: bool,
}

/// All servers that are there now, in the order in which they are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The servers.
    pub servers: Vec<FoundServer>,
    /// Where was looked for them.
    pub looked: Looked,
    /// Whether this client remembers the certificate of any server, found or not.
    pub knows_servers: bool,
}
