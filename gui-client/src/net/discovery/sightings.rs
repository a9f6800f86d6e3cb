//! Which servers are there, from what was heard of them. Pure; the time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use common::{
    address::ServerAddress,
    discovery::{Announcement, InstanceId},
};

use super::networks::preference;
use crate::event::discovery::{Familiarity, FoundServer};

/// Most servers that are told apart: anyone on the network can announce any number of them.
const MAX_SERVERS: usize = 64;
/// Most addresses of one server.
const MAX_ADDRESSES: usize = 8;
/// A server that has answered probes is gone when it has not for this time: two rounds of them.
pub(super) const ANSWER_LIFE: Duration = Duration::from_secs(10);

/// The certificates that this client remembers, and the server of the last visit.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// SHA-256 by `host:port`.
    pub(super) certificates: BTreeMap<String, [u8; 32]>,
    pub(super) last_server: Option<ServerAddress>,
}

/// A server is another one with another certificate, whatever instance it claims to be.
type ServerKey = (InstanceId, Option<[u8; 32]>);

/// What was heard of one server.
#[derive(Debug, Clone)]
struct Sighting {
    announcement: Announcement,
    /// When it last answered a probe there; `None` where it never has.
    addresses: BTreeMap<SocketAddr, Option<Instant>>,
    /// Its service in mDNS, as long as it is announced.
    service: Option<String>,
}

/// All servers that were heard of.
#[derive(Debug, Clone, Default)]
pub(super) struct Sightings(BTreeMap<ServerKey, Sighting>);

impl Sightings {
    /// A server has answered a probe from this address.
    pub(super) fn answered(&mut self, from: SocketAddr, announcement: Announcement, now: Instant) {
        let mut address = from;
        address.set_port(announcement.port);
        if let Some(sighting) = self.sighting(announcement)
            && (sighting.addresses.len() < MAX_ADDRESSES || sighting.addresses.contains_key(&address))
        {
            sighting.addresses.insert(address, Some(now));
        }
    }

    /// A server is announced by mDNS, as this service.
    pub(super) fn announced(&mut self, service: &str, addresses: &[SocketAddr], announcement: Announcement) {
        self.withdrawn(service);
        if let Some(sighting) = self.sighting(announcement) {
            sighting.service = Some(service.to_owned());
            for address in addresses {
                if sighting.addresses.len() < MAX_ADDRESSES {
                    sighting.addresses.entry(*address).or_insert(None);
                }
            }
        }
    }

    /// The service is not announced any more.
    pub(super) fn withdrawn(&mut self, service: &str) {
        for sighting in self.0.values_mut() {
            if sighting.service.as_deref() == Some(service) {
                sighting.service = None;
            }
        }
    }

    /// Forgets those that are gone.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < ANSWER_LIFE;
        self.0.retain(|_, sighting| {
            let has_answered = sighting.addresses.values().any(Option::is_some);
            // One that has never answered is where probes do not pass; its announcement has to do.
            sighting.addresses.retain(|_, answered| answered.is_none_or(is_fresh));
            let answers = sighting.addresses.values().any(Option::is_some);
            !sighting.addresses.is_empty() && (answers || !has_answered && sighting.service.is_some())
        });
    }

    /// Where probes are sent besides to networks.
    pub(super) fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.0.values().flat_map(|sighting| sighting.addresses.keys().copied()).collect()
    }

    /// The servers that are there, the known ones first.
    pub(super) fn servers(&self, memory: &Memory) -> Vec<FoundServer> {
        let mut servers: Vec<_> = self.0.values().filter_map(|sighting| found(sighting, memory)).collect();
        servers.sort_by(|one, other| {
            let key = |server: &FoundServer| (server.familiarity, server.announcement.name.as_str().to_lowercase());
            key(one).cmp(&key(other)).then_with(|| one.address.cmp(&other.address))
        });
        servers
    }

    /// What is known of the server that says this; `None` if there is no room for another.
    fn sighting(&mut self, announcement: Announcement) -> Option<&mut Sighting> {
        let key = (announcement.instance, announcement.certificate_hash);
        if !self.0.contains_key(&key) && self.0.len() >= MAX_SERVERS {
            return None;
        }
        let fresh = || Sighting { announcement: announcement.clone(), addresses: BTreeMap::new(), service: None };
        let sighting = self.0.entry(key).or_insert_with(fresh);
        sighting.announcement = announcement;
        Some(sighting)
    }
}

fn found(sighting: &Sighting, memory: &Memory) -> Option<FoundServer> {
    let hash = sighting.announcement.certificate_hash;
    let is_remembered = |address: &ServerAddress| {
        let remembered = memory.certificates.get(&address.to_string());
        remembered.is_some() && remembered == hash.as_ref()
    };
    // An address under which its certificate is remembered first: there an impostor is noticed. Then one that answers.
    let best = sighting.addresses.iter().min_by_key(|(address, answered)| {
        (!is_remembered(&written(**address)), answered.is_none(), preference(address.ip()), **address)
    });
    let address = written(*best?.0);
    let last = memory.last_server.as_ref();
    let last_hash = last.and_then(|last| memory.certificates.get(&last.to_string()));
    let familiarity = match hash {
        Some(hash) if last_hash == Some(&hash) => Familiarity::Last,
        Some(hash) if memory.certificates.values().any(|known| *known == hash) => Familiarity::Visited,
        // Without a certificate, only where it is can be recognised.
        None if last == Some(&address) => Familiarity::Last,
        _ => Familiarity::New,
    };
    Some(FoundServer { announcement: sighting.announcement.clone(), address, familiarity })
}

/// An address as one types it.
fn written(address: SocketAddr) -> ServerAddress {
    let host = match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 && v6.ip().is_unicast_link_local() => {
            format!("{}%{}", v6.ip(), v6.scope_id())
        }
        other => IpAddr::to_string(&other.ip()),
    };
    ServerAddress { host, port: address.port() }
}

#[cfg(test)]
mod tests {
    use common::discovery::ServerName;

    use super::*;

    fn server(number: u8, name: &str) -> Announcement {
        Announcement {
            instance: InstanceId([number; 8]),
            name: ServerName::parse(name).unwrap(),
            protocol_version: 5,
            port: 7878,
            people_count: 0,
            video_count: 0,
            certificate_hash: Some([number; 32]),
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn listed(sightings: &Sightings, memory: &Memory) -> Vec<(String, String, Familiarity)> {
        let line = |server: FoundServer| {
            (server.announcement.name.to_string(), server.address.to_string(), server.familiarity)
        };
        sightings.servers(memory).into_iter().map(line).collect()
    }

    #[test]
    fn one_server_at_several_addresses_is_one_line_with_the_best_of_them() {
        let (mut sightings, now, memory) = (Sightings::default(), Instant::now(), Memory::default());
        for from in ["[fe80::5%2]:40000", "[fd00::5]:7878", "192.168.1.5:7878"] {
            sightings.answered(at(from), server(1, "Lab"), now);
        }
        let line = |address: &str| vec![("Lab".to_owned(), address.to_owned(), Familiarity::New)];
        assert_eq!(listed(&sightings, &memory), line("192.168.1.5:7878"));
        sightings.answered(at("127.0.0.1:7878"), server(1, "Lab"), now);
        assert_eq!(listed(&sightings, &memory), line("127.0.0.1:7878"));
        let certificates = BTreeMap::from([("[fd00::5]:7878".to_owned(), [1; 32])]);
        let memory = Memory { certificates, last_server: None };
        assert_eq!(listed(&sightings, &memory)[0].1, "[fd00::5]:7878", "where its certificate is remembered");
    }

    #[test]
    fn the_certificate_tells_whether_a_server_was_visited_and_not_its_name_or_address() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        sightings.answered(at("10.0.0.1:7878"), server(1, "Last"), now);
        sightings.answered(at("10.0.0.2:7878"), server(2, "Visited"), now);
        let impostor =
            Announcement { instance: InstanceId([9; 8]), certificate_hash: Some([9; 32]), ..server(1, "Last") };
        sightings.answered(at("10.0.0.3:7878"), impostor, now);
        let certificates = BTreeMap::from([
            ("10.0.0.7:7878".to_owned(), [1; 32]),
            ("10.0.0.2:7878".to_owned(), [2; 32]),
            ("10.0.0.3:7878".to_owned(), [3; 32]),
        ]);
        let last_server = Some(ServerAddress::parse("10.0.0.7").unwrap());
        let lines = listed(&sightings, &Memory { certificates, last_server });
        let familiarities: Vec<_> =
            lines.iter().map(|(_, address, familiarity)| (address.as_str(), *familiarity)).collect();
        assert_eq!(
            familiarities,
            [
                ("10.0.0.1:7878", Familiarity::Last),
                ("10.0.0.2:7878", Familiarity::Visited),
                ("10.0.0.3:7878", Familiarity::New)
            ]
        );
    }

    #[test]
    fn a_server_that_stops_answering_goes_also_while_mdns_still_lists_it() {
        let (mut sightings, now, memory) = (Sightings::default(), Instant::now(), Memory::default());
        sightings.announced("lab", &[at("10.0.0.1:7878")], server(1, "Lab"));
        sightings.expire(now + 10 * ANSWER_LIFE);
        assert_eq!(listed(&sightings, &memory).len(), 1, "where probes do not pass, the announcement counts");
        sightings.answered(at("10.0.0.1:7878"), server(1, "Lab"), now);
        sightings.expire(now + ANSWER_LIFE / 2);
        assert_eq!(listed(&sightings, &memory).len(), 1);
        sightings.expire(now + ANSWER_LIFE);
        assert_eq!(listed(&sightings, &memory).len(), 0);
    }

    #[test]
    fn a_server_that_says_goodbye_goes_at_once_if_it_does_not_answer() {
        let (mut sightings, now, memory) = (Sightings::default(), Instant::now(), Memory::default());
        sightings.announced("lab", &[at("10.0.0.1:7878")], server(1, "Lab"));
        sightings.withdrawn("lab");
        sightings.expire(now);
        assert_eq!(listed(&sightings, &memory).len(), 0);
    }

    #[test]
    fn a_network_full_of_servers_takes_no_more_memory() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        for number in 0..=255 {
            for host in 0..=255 {
                sightings.answered(at(&format!("10.0.{number}.{host}:7878")), server(number, "Lab"), now);
            }
        }
        assert_eq!(sightings.0.len(), MAX_SERVERS);
        assert_eq!(sightings.addresses().len(), MAX_SERVERS * MAX_ADDRESSES);
    }
}
