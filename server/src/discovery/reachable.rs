//! The addresses at which clients reach this server, as one types them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use common::limits::DEFAULT_PORT;
use if_addrs::get_if_addrs;
use tracing::debug;

/// The addresses and the name of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// Addresses that other computers can use; the one from which this computer sends to other networks comes first.
    pub addresses: Vec<IpAddr>,
    /// Its name, as far as it is one for DNS: the first label.
    pub host_name: String,
}

/// How clients reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedAddresses {
    /// The one that most can use, with its port.
    pub first: SocketAddr,
    /// What can be typed in clients, with the port only where it has to be given.
    pub typed: Vec<String>,
}

impl Interfaces {
    /// As they are now.
    pub fn look() -> Self {
        let interfaces = get_if_addrs().unwrap_or_else(|error| {
            debug!("The addresses of this computer are not known: {error}.");
            Vec::new()
        });
        let mut addresses: Vec<_> = interfaces.iter().map(if_addrs::Interface::ip).collect();
        addresses.retain(|ip| is_usable(*ip));
        let first = source_of_packets();
        addresses.sort_by_key(|ip| (ip.is_ipv6(), Some(*ip) != first, *ip));
        addresses.dedup();
        Self { addresses, host_name: host_name() }
    }

    /// How clients reach a server that listens on these addresses, of which there is at least one. `is_announced` says
    /// whether mDNS knows the name of this computer.
    pub fn typed_addresses(&self, listening: &[SocketAddr], is_announced: bool) -> TypedAddresses {
        let mut reachable: Vec<SocketAddr> = Vec::new();
        for address in listening {
            let (ip, port) = (address.ip(), address.port());
            if ip.is_unspecified() {
                let of_family = self.addresses.iter().filter(|other| other.is_ipv4() == ip.is_ipv4());
                reachable.extend(of_family.map(|ip| SocketAddr::new(*ip, port)));
            } else {
                reachable.push(*address);
            }
        }
        let port = listening.first().map_or(DEFAULT_PORT, SocketAddr::port);
        if reachable.is_empty() {
            // Without a network, only this computer itself can.
            reachable.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        }
        let mut typed: Vec<_> = reachable.iter().map(|address| written(*address)).collect();
        if is_announced && reachable.iter().any(|address| !address.ip().is_loopback()) {
            let name = format!("{}.local", self.host_name);
            typed.push(if port == DEFAULT_PORT { name } else { format!("{name}:{port}") });
        }
        TypedAddresses { first: reachable[0], typed }
    }
}

fn written(address: SocketAddr) -> String {
    if address.port() == DEFAULT_PORT { address.ip().to_string() } else { address.to_string() }
}

/// The address from which this computer sends to other networks. Connecting a UDP socket sends nothing; it only selects the
/// source address (192.0.2.1 is for documentation, RFC 5737).
fn source_of_packets() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// Loopback addresses are of no use to others, and link-local IPv6 addresses need a zone that differs from computer to
/// computer.
fn is_usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unspecified() && !ip.is_unicast_link_local(),
    }
}

/// The name of this computer, as far as it is one for DNS: its first label.
pub(super) fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let label = name.split('.').next().unwrap_or_default();
    let valid: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let trimmed = valid.trim_matches('-');
    if trimmed.is_empty() { "triptych".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(listening: &[&str], is_announced: bool) -> Vec<String> {
        let here = Interfaces {
            addresses: ["10.0.0.5", "192.168.1.5", "fd00::2"].map(|ip| ip.parse().unwrap()).into(),
            host_name: "lab".into(),
        };
        let listening: Vec<_> = listening.iter().map(|address| address.parse().unwrap()).collect();
        here.typed_addresses(&listening, is_announced).typed
    }

    #[test]
    fn every_address_is_given_as_it_is_typed() {
        let all = ["10.0.0.5", "192.168.1.5", "fd00::2", "lab.local"];
        assert_eq!(typed(&["0.0.0.0:7878", "[::]:7878"], true), all);
        let all = ["10.0.0.5:99", "192.168.1.5:99", "[fd00::2]:99", "lab.local:99"];
        assert_eq!(typed(&["0.0.0.0:99", "[::]:99"], true), all);
        assert_eq!(typed(&["0.0.0.0:99"], false), ["10.0.0.5:99", "192.168.1.5:99"]);
        assert_eq!(typed(&["[::1]:99"], false), ["[::1]:99"]);
        assert_eq!(typed(&["127.0.0.1:7878"], true), ["127.0.0.1"], "a name would lead others to it");
        for text in typed(&["0.0.0.0:99", "[::]:99"], true) {
            assert_eq!(common::address::ServerAddress::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn without_a_network_this_computer_is_left() {
        let here = Interfaces { addresses: Vec::new(), host_name: "lab".into() };
        let addresses = here.typed_addresses(&["0.0.0.0:99".parse().unwrap()], true);
        assert_eq!(addresses.typed, ["127.0.0.1:99"]);
        assert_eq!(addresses.first, "127.0.0.1:99".parse().unwrap());
    }
}
