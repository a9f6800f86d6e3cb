//! How clients find servers on their network: what a server says of itself, as a datagram that answers a probe and as the
//! TXT record of DNS-SD (RFC 6763). `docs/PROTOCOL.md`, section 17, is the normative description.
//!
//! None of it is secret and none of it is proved: anyone on the network can send the same. What a client may rely on is the
//! certificate that it meets when it connects.

mod datagram;
mod server_name;
mod txt;

pub use self::{
    datagram::{Answer, PROBE_BYTES, Probe},
    server_name::ServerName,
};

/// The type under which servers are announced by DNS-SD, as mDNS names it.
pub const SERVICE_TYPE: &str = "_triptych._tcp.local.";

/// The version of the datagrams and of the TXT record. Either end ignores what has another one.
pub const DISCOVERY_VERSION: u8 = 1;

/// A number that a server draws when it starts. By it a client recognises one server that it finds in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub [u8; 8]);

/// What a server says of itself to clients that look for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Drawn anew at each start of the server.
    pub instance: InstanceId,
    /// The name that its host has given it.
    pub name: ServerName,
    /// Its [`crate::limits::PROTOCOL_VERSION`].
    pub protocol_version: u16,
    /// The TCP port that it listens on.
    pub port: u16,
    /// People online; at most 65,535 are told.
    pub people_count: u16,
    /// Videos in its library; at most 65,535 are told.
    pub video_count: u16,
    /// SHA-256 of its certificate; `None` without TLS.
    pub certificate_hash: Option<[u8; 32]>,
}
