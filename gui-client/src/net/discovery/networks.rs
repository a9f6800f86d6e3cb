//! Where probes go.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use if_addrs::{IfAddr, Interface};

/// All nodes of a link (RFC 4291 §2.7.1): like a broadcast, which IPv6 does not have.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The addresses that reach all computers of this computer's networks, at this port.
pub(super) fn of_networks(interfaces: &[Interface], port: u16) -> BTreeSet<SocketAddr> {
    let mut targets = BTreeSet::new();
    for interface in interfaces.iter().filter(|interface| !interface.is_loopback()) {
        match &interface.addr {
            IfAddr::V4(address) => targets.extend(address.broadcast.map(|ip| SocketAddr::new(ip.into(), port))),
            IfAddr::V6(_) => {
                let everyone = |scope| SocketAddr::V6(SocketAddrV6::new(ALL_NODES, port, 0, scope));
                targets.extend(interface.index.map(everyone));
            }
        }
    }
    if targets.iter().any(SocketAddr::is_ipv4) {
        // Also where the system does not know the width of the network.
        targets.insert(SocketAddr::new(Ipv4Addr::BROADCAST.into(), port));
    }
    targets
}

/// How many networks these interfaces belong to: cards and their like, not addresses.
pub(super) fn count(interfaces: &[Interface]) -> usize {
    let names: BTreeSet<_> =
        interfaces.iter().filter(|interface| !interface.is_loopback()).map(|interface| &interface.name).collect();
    names.len()
}

/// This computer, at this port.
pub(super) fn of_this_computer(port: u16) -> [SocketAddr; 2] {
    [SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)]
}

/// Which way to a server is taken if there are several; the lowest number is best.
pub(super) fn preference(ip: IpAddr) -> u8 {
    match ip {
        ip if ip.is_loopback() => 0,
        IpAddr::V4(ip) if ip.is_link_local() => 3,
        IpAddr::V4(_) => 1,
        // Works on one link only, and is written with the name of that link.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 4,
        IpAddr::V6(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(name: &str, index: u32, addr: IfAddr) -> Interface {
        Interface { name: name.into(), addr, index: Some(index), oper_status: IfOperStatus::Up, is_p2p: false }
    }

    fn v4(ip: &str, broadcast: Option<&str>) -> IfAddr {
        let parse = |text: &str| text.parse().unwrap();
        let netmask = parse("255.255.255.0");
        IfAddr::V4(Ifv4Addr { ip: parse(ip), netmask, prefixlen: 24, broadcast: broadcast.map(parse) })
    }

    fn v6(ip: &str) -> IfAddr {
        IfAddr::V6(Ifv6Addr { ip: ip.parse().unwrap(), netmask: Ipv6Addr::UNSPECIFIED, prefixlen: 64, broadcast: None })
    }

    #[test]
    fn each_network_is_asked_once_in_each_family() {
        let interfaces = [
            interface("lo", 1, v4("127.0.0.1", None)),
            interface("lo", 1, v6("::1")),
            interface("eth0", 2, v4("192.168.1.5", Some("192.168.1.255"))),
            interface("eth0", 2, v6("fd00::5")),
            interface("eth0", 2, v6("fe80::5")),
            interface("wlan0", 3, v4("10.0.0.5", Some("10.0.0.255"))),
        ];
        let expected: BTreeSet<SocketAddr> =
            ["192.168.1.255:7878", "10.0.0.255:7878", "255.255.255.255:7878", "[ff02::1%2]:7878"]
                .map(|target| target.parse().unwrap())
                .into();
        assert_eq!(of_networks(&interfaces, 7878), expected);
        assert_eq!(count(&interfaces), 2);
        assert_eq!(of_networks(&interfaces[..2], 7878), BTreeSet::new(), "without a network nothing is sent to one");
    }
}
