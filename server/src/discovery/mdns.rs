//! The announcement by mDNS.

use std::{net::SocketAddr, time::Duration};

use common::discovery::{Announcement, SERVICE_TYPE};
use mdns_sd::{Error, IfKind, ServiceDaemon, ServiceInfo};
use tracing::debug;

use super::reachable::host_name;

/// How long the thread that speaks mDNS may take to say that the service is gone.
const GOODBYE_TIME: Duration = Duration::from_millis(200);

/// A service that is announced until it is dropped.
pub(super) struct MdnsService {
    daemon: ServiceDaemon,
    addresses: Vec<SocketAddr>,
    announced: Announcement,
    full_name: String,
}

impl MdnsService {
    /// Announces a server that listens on these addresses; `None` if only this computer can reach them.
    pub(super) fn start(announced: Announcement, addresses: &[SocketAddr]) -> Result<Option<Self>, Error> {
        let addresses: Vec<_> = addresses.iter().copied().filter(|address| !address.ip().is_loopback()).collect();
        if addresses.is_empty() {
            return Ok(None);
        }
        let service = service(&announced, &addresses)?;
        let full_name = service.get_fullname().to_owned();
        // From here on the thread ends with the service.
        let started = Self { daemon: ServiceDaemon::new()?, addresses, announced, full_name };
        // Programs on this computer ask its port.
        started.daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        started.daemon.register(service)?;
        Ok(Some(started))
    }

    /// Announces this from now on, if it is anything new.
    pub(super) fn announce(&mut self, announced: Announcement) {
        if announced == self.announced {
            return;
        }
        match service(&announced, &self.addresses).and_then(|service| self.daemon.register(service)) {
            Ok(()) => self.announced = announced,
            Err(error) => debug!("The announcement by mDNS is not renewed: {error}."),
        }
    }
}

impl Drop for MdnsService {
    fn drop(&mut self) {
        // Clients then take it off their lists at once. Without the goodbye they notice that it does not answer.
        let gone = self.daemon.unregister(&self.full_name).map(|answer| answer.recv_timeout(GOODBYE_TIME));
        if !matches!(gone, Ok(Ok(_))) {
            debug!("No goodbye was said by mDNS.");
        }
        if let Err(error) = self.daemon.shutdown() {
            debug!("The thread that speaks mDNS does not end: {error}.");
        }
    }
}

fn service(announced: &Announcement, addresses: &[SocketAddr]) -> Result<ServiceInfo, Error> {
    let txt = announced.to_txt();
    let given: Vec<_> = addresses.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified()).collect();
    let host = format!("{}.local.", host_name());
    let service =
        ServiceInfo::new(SERVICE_TYPE, announced.name.as_str(), &host, given.as_slice(), announced.port, &txt[..])?;
    // All addresses of the families that are listened on, also those that the computer is given later.
    let is_all = |is_v4| addresses.iter().any(|address| address.ip().is_unspecified() && address.is_ipv4() == is_v4);
    let mut service = match (is_all(true), is_all(false)) {
        (false, false) => return Ok(service),
        (true, true) => return Ok(service.enable_addr_auto()),
        (is_v4, _) => {
            let mut service = service.enable_addr_auto();
            service.set_interfaces(vec![if is_v4 { IfKind::IPv4 } else { IfKind::IPv6 }]);
            service
        }
    };
    service.set_requires_probe(true);
    Ok(service)
}
