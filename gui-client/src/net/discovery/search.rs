//! The search itself: sends probes in rounds, and listens to answers and to mDNS.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use common::discovery::{Announcement, Answer, PROBE_BYTES, Probe, SERVICE_TYPE};
use if_addrs::get_if_addrs;
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use rand::RngExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{UdpSocket, lookup_host},
    time::{sleep, sleep_until, timeout},
};

use super::{
    SearchSettings, networks,
    sightings::{Memory, Sightings},
};
use crate::{
    event::discovery::{Discovered, Looked},
    net::known_servers::KnownServers,
};

/// Pauses between the first rounds of probes: a datagram may be lost.
const FIRST_PAUSES: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(600), Duration::from_millis(900), Duration::from_millis(1200)];
/// The pause between all further rounds.
const PAUSE: Duration = Duration::from_secs(4);
/// Pause after an error of a socket, so that one that stays does not take a processor.
const ERROR_PAUSE: Duration = Duration::from_millis(200);
/// Time limit for finding the address of the last server by its name.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

/// Searches until it is dropped, and hands on each list of servers that differs from the one before.
pub(super) async fn run(settings: SearchSettings, publish: impl Fn(Discovered)) {
    let memory = memory(&settings);
    let sockets = Sockets::open();
    let token = rand::rng().random();
    let mdns = settings.asks_networks.then(Mdns::start).flatten();
    let mut sightings = Sightings::default();
    let mut looked = Looked { network_count: 0, uses_mdns: mdns.is_some() };
    let (mut round, mut next_round) = (0, tokio::time::Instant::now());
    let mut published = None;
    let last_addresses = async {
        let Some(last) = &settings.last_server else { return Vec::new() };
        match timeout(LOOKUP_TIME, lookup_host((last.host.as_str(), last.port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            _ => Vec::new(),
        }
    };
    let mut last_addresses = std::pin::pin!(last_addresses);
    let (mut asked_besides, mut is_looking_up) = (of_this_computer(&settings), true);
    loop {
        tokio::select! {
            () = sleep_until(next_round) => {
                let mut targets = asked_besides.clone();
                targets.extend(sightings.addresses());
                if settings.asks_networks {
                    let interfaces = get_if_addrs().unwrap_or_default();
                    looked.network_count = networks::count(&interfaces);
                    targets.extend(networks::of_networks(&interfaces, settings.port));
                }
                sockets.probe(&targets, token).await;
                next_round = tokio::time::Instant::now() + FIRST_PAUSES.get(round).copied().unwrap_or(PAUSE);
                round += 1;
            }
            addresses = &mut last_addresses, if is_looking_up => {
                is_looking_up = false;
                let addresses: BTreeSet<_> = addresses.into_iter().collect();
                sockets.probe(&addresses, token).await;
                asked_besides.extend(addresses);
            }
            (from, datagram) = sockets.receive() => {
                if let Some(answer) = Answer::from_bytes(&datagram).filter(|answer| answer.token == token) {
                    sightings.answered(from, answer.announcement, Instant::now());
                }
            }
            event = Mdns::next(mdns.as_ref()) => match event {
                ServiceEvent::ServiceResolved(service) => {
                    if let Some((addresses, announcement)) = understood(&service) {
                        sockets.probe(&addresses.iter().copied().collect(), token).await;
                        // Another computer's name for itself would lead to this one.
                        let of_others: Vec<_> = addresses.into_iter().filter(|address| !address.ip().is_loopback()).collect();
                        sightings.announced(&service.fullname, &of_others, announcement);
                    }
                }
                ServiceEvent::ServiceRemoved(_, service) => sightings.withdrawn(&service),
                _ => {}
            },
        }
        sightings.expire(Instant::now());
        let knows_servers = !memory.certificates.is_empty();
        let discovered = Discovered { servers: sightings.servers(&memory), looked, knows_servers };
        // Until all had a moment to answer, an empty list would only wipe out that of the search before.
        let is_known = round > 1 || !discovered.servers.is_empty();
        if is_known && published.as_ref() != Some(&discovered) {
            publish(discovered.clone());
            published = Some(discovered);
        }
    }
}

/// What this client remembers. A file that cannot be read makes every server a new one; connecting names the trouble.
fn memory(settings: &SearchSettings) -> Memory {
    let certificates = KnownServers::new(&settings.data_dir).all().unwrap_or_default();
    Memory { certificates, last_server: settings.last_server.clone() }
}

/// The places on this computer where a server may be.
fn of_this_computer(settings: &SearchSettings) -> BTreeSet<SocketAddr> {
    let ports = [Some(settings.port), settings.last_server.as_ref().map(|last| last.port)];
    ports.into_iter().flatten().flat_map(networks::of_this_computer).collect()
}

/// Addresses and announcement of a service, if it is one of a server.
fn understood(service: &ResolvedService) -> Option<(Vec<SocketAddr>, Announcement)> {
    let announcement = Announcement::from_txt(service.port, |key| service.txt_properties.get_property_val_str(key))?;
    let address = |ip: &ScopedIp| {
        let mut address = SocketAddr::new(ip.to_ip_addr(), service.port);
        if let (ScopedIp::V6(ip), SocketAddr::V6(v6)) = (ip, &mut address) {
            v6.set_scope_id(ip.scope_id().index);
        }
        address
    };
    Some((service.addresses.iter().map(address).collect(), announcement))
}

/// A socket for each family, as far as this computer has it.
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    fn open() -> Self {
        let opened = |address: SocketAddr| {
            let socket = open(address);
            socket.inspect_err(|error| tracing::debug!("no probes are sent from {address}: {error}")).ok()
        };
        Self { v4: opened((Ipv4Addr::UNSPECIFIED, 0).into()), v6: opened((Ipv6Addr::UNSPECIFIED, 0).into()) }
    }

    /// Sends a probe to each of them.
    async fn probe(&self, targets: &BTreeSet<SocketAddr>, token: [u8; 8]) {
        let probe = Probe { token }.to_bytes();
        for target in targets {
            let Some(socket) = (if target.is_ipv4() { &self.v4 } else { &self.v6 }) else { continue };
            if let Err(error) = socket.send_to(&probe, target).await {
                // A network that is down, or one that takes no broadcast.
                tracing::trace!("no probe was sent to {target}: {error}");
            }
        }
    }

    /// The next datagram, and where it came from.
    async fn receive(&self) -> (SocketAddr, Vec<u8>) {
        loop {
            let received = tokio::select! {
                received = receive_from(self.v4.as_ref()) => received,
                received = receive_from(self.v6.as_ref()) => received,
            };
            match received {
                Ok(received) => return received,
                // On some systems this reports that no one listens where a probe went.
                Err(error) => {
                    tracing::trace!("no answer was received: {error}");
                    sleep(ERROR_PAUSE).await;
                }
            }
        }
    }
}

async fn receive_from(socket: Option<&UdpSocket>) -> io::Result<(SocketAddr, Vec<u8>)> {
    let Some(socket) = socket else { return std::future::pending().await };
    // One byte more than an answer has, so that a longer datagram is seen to be longer.
    let mut buffer = [0; PROBE_BYTES + 1];
    let (length, from) = socket.recv_from(&mut buffer).await?;
    Ok((from, buffer.get(..length).unwrap_or_default().to_vec()))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv4() {
        socket.set_broadcast(true)?;
    } else {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// What mDNS finds. Its thread ends when this is dropped.
struct Mdns {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

impl Mdns {
    /// Begins to look; `None` if that is impossible here.
    fn start() -> Option<Self> {
        let unused = |error: &mdns_sd::Error| tracing::debug!("servers are not looked for by mDNS: {error}");
        let daemon = ServiceDaemon::new().inspect_err(unused).ok()?;
        match daemon.browse(SERVICE_TYPE).inspect_err(unused) {
            Ok(events) => Some(Self { daemon, events }),
            Err(_) => {
                end(&daemon);
                None
            }
        }
    }

    /// The next event; none ever comes without mDNS.
    async fn next(mdns: Option<&Self>) -> ServiceEvent {
        let Some(mdns) = mdns else { return std::future::pending().await };
        match mdns.events.recv_async().await {
            Ok(event) => event,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Mdns {
    fn drop(&mut self) {
        end(&self.daemon);
    }
}

fn end(daemon: &ServiceDaemon) {
    if let Err(error) = daemon.shutdown() {
        tracing::debug!("the thread that speaks mDNS does not end: {error}");
    }
}
