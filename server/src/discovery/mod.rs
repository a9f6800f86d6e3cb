//! Lets clients on the network find this server: answers probes over UDP, and announces it by mDNS. It stops when dropped.

mod answer_rate;
mod mdns;
mod probes;
mod reachable;

use std::{net::SocketAddr, time::Duration};

use common::{
    discovery::{Announcement, InstanceId, ServerName},
    limits::PROTOCOL_VERSION,
};
use rand::RngExt;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tracing::warn;

pub use self::reachable::{Interfaces, TypedAddresses};
use self::{mdns::MdnsService, probes::answer_probes};

/// How often the announcement by mDNS is compared with the numbers of people and videos: each change of it is sent to the
/// whole network. Answers to probes have the numbers of the moment.
const MDNS_INTERVAL: Duration = Duration::from_secs(10);

/// How many people are online, and how many videos there are.
pub(crate) type Counts = std::sync::Arc<dyn Fn() -> (usize, usize) + Send + Sync>;

/// What is told to those who look for servers.
#[derive(Clone)]
pub(crate) struct Told {
    fixed: Announcement,
    counts: Counts,
}

impl Told {
    /// With a fresh instance number. `port` is the one that clients connect to.
    pub(crate) fn new(name: ServerName, port: u16, certificate_hash: Option<[u8; 32]>, counts: Counts) -> Self {
        let fixed = Announcement {
            instance: InstanceId(rand::rng().random()),
            name,
            protocol_version: PROTOCOL_VERSION,
            port,
            people_count: 0,
            video_count: 0,
            certificate_hash,
        };
        Self { fixed, counts }
    }

    /// What holds now.
    fn now(&self) -> Announcement {
        let (people, videos) = (self.counts)();
        let saturated = |count| u16::try_from(count).unwrap_or(u16::MAX);
        Announcement { people_count: saturated(people), video_count: saturated(videos), ..self.fixed.clone() }
    }
}

/// The tasks that let clients find this server. Dropping it ends them, and takes the announcement back.
pub(crate) struct Discovery {
    _tasks: JoinSet<()>,
}

impl Discovery {
    /// Begins to answer and to announce for a server that listens on these addresses. What cannot be done is logged: the
    /// server also works for clients that are given its address.
    pub(crate) fn start(told: Told, addresses: &[SocketAddr]) -> Self {
        let mut tasks = JoinSet::new();
        for &address in addresses {
            match probes::open(address) {
                Ok(socket) => drop(tasks.spawn(answer_probes(socket, told.clone()))),
                Err(error) => warn!("Clients cannot find this server by broadcast: UDP on {address}: {error}."),
            }
        }
        match MdnsService::start(told.now(), addresses) {
            Ok(Some(service)) => drop(tasks.spawn(keep_announced(service, told))),
            // Only programs on this computer can reach it, and they ask its port.
            Ok(None) => {}
            Err(error) => warn!("Clients cannot find this server by mDNS: {error}."),
        }
        Self { _tasks: tasks }
    }
}

/// Keeps the announcement true. It is taken back when this future is dropped.
async fn keep_announced(mut service: MdnsService, told: Told) {
    let mut looks = interval(MDNS_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        looks.tick().await;
        service.announce(told.now());
    }
}
