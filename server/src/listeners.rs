//! The sockets that clients connect to: one for each address, so that IPv4 and IPv6 are told apart by their own addresses
//! everywhere else.

use std::{
    future::poll_fn,
    io,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::AsFd,
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tracing::warn;

use crate::descriptors::is_connection_waiting;

/// Length of the kernel's queue of connections that were not accepted yet.
const LISTEN_BACKLOG: i32 = 4096;
/// How often a free port is picked that must be free in each family.
const PORT_ATTEMPTS: usize = 16;

/// Ports that are taken, but not listened on yet: a client that connects is refused.
pub(crate) struct BoundSockets(Vec<Socket>);

/// Sockets that are listened on; there is at least one.
pub(crate) struct Listeners {
    listeners: Vec<TcpListener>,
    /// Which one is asked first, so that none has to wait for another that is always busy.
    next: usize,
}

impl BoundSockets {
    /// Binds these addresses, which share one port; with port 0 it is the same free one for all. An address that this
    /// computer does not have is left out with a warning, as long as there is another.
    ///
    /// # Errors
    /// The address that cannot be bound, and why.
    pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let mut attempts = PORT_ATTEMPTS;
        loop {
            match Self::bind_once(addresses) {
                // The port that was free for one of them need not be for the next.
                Err((address, error)) if address.port() == 0 && is_in_use(&error) && attempts > 1 => attempts -= 1,
                bound => return bound.map(Self),
            }
        }
    }

    fn bind_once(addresses: &[SocketAddr]) -> Result<Vec<Socket>, (SocketAddr, io::Error)> {
        let (mut bound, mut port, mut missing) = (Vec::new(), None, None);
        for &address in addresses {
            let wanted = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
            match bind(with_scope(wanted, address)) {
                Ok((socket, bound_port)) => {
                    port = Some(bound_port);
                    bound.push(socket);
                }
                Err(error) if is_missing(&error) => missing = Some((address, error)),
                Err(error) => return Err((address, error)),
            }
        }
        match missing {
            Some((address, error)) if !bound.is_empty() => {
                let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
                warn!(
                    "The server does not listen on {address}, so clients cannot reach it there by {family}: {error}."
                );
            }
            Some(missing) => return Err(missing),
            None => {}
        }
        Ok(bound)
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn listen(self) -> io::Result<Listeners> {
        let listen = |socket: Socket| {
            socket.listen(LISTEN_BACKLOG)?;
            TcpListener::from_std(socket.into())
        };
        Ok(Listeners { listeners: self.0.into_iter().map(listen).collect::<io::Result<_>>()?, next: 0 })
    }
}

impl Listeners {
    /// The addresses that are listened on.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// The next connection, from any of them. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let count = self.listeners.len();
        for turn in 0..count {
            let index = (self.next + turn) % count;
            if let Poll::Ready(accepted) = self.listeners[index].poll_accept(context) {
                self.next = (index + 1) % count;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Whether a connection waits to be accepted at one of them.
    pub(crate) fn is_connection_waiting(&self) -> bool {
        self.listeners.iter().any(|listener| is_connection_waiting(&listener.as_fd()))
    }
}

fn bind(address: SocketAddr) -> io::Result<(Socket, u16)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((socket, bound.port()))
}

/// `wanted` with the zone of `given`, which a link-local address needs.
fn with_scope(wanted: SocketAddr, given: SocketAddr) -> SocketAddr {
    match (wanted, given) {
        (SocketAddr::V6(wanted), SocketAddr::V6(given)) => {
            let ip: Ipv6Addr = *wanted.ip();
            SocketAddrV6::new(ip, wanted.port(), given.flowinfo(), given.scope_id()).into()
        }
        (wanted, _) => wanted,
    }
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Whether this computer does not have such an address, or none of this family.
fn is_missing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(addresses: &[&str]) -> Listeners {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        BoundSockets::bind(&addresses).unwrap().listen().unwrap()
    }

    #[tokio::test]
    async fn both_families_share_a_port_and_are_accepted_from_in_turn() {
        let mut listeners = bound(&["127.0.0.1:0", "[::1]:0"]);
        let addresses = listeners.addresses().unwrap();
        // A computer without IPv6 has the first only, and is told so.
        assert!(addresses[0].is_ipv4() && addresses.iter().all(|address| address.port() == addresses[0].port()));
        let mut clients = Vec::new();
        for address in addresses.iter().chain(&addresses) {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let mut families = Vec::new();
        for _ in &clients {
            families.push(listeners.accept().await.unwrap().1.is_ipv4());
        }
        if addresses.len() == 2 {
            assert_eq!(families.iter().filter(|is_v4| **is_v4).count(), 2);
            assert_ne!(families[0], families[1], "the other family does not wait until the first has no one left");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_not_here_is_left_out_if_there_is_another() {
        // 192.0.2.77 is for documentation (RFC 5737).
        let listeners = bound(&["127.0.0.1:0", "192.0.2.77:0"]);
        assert_eq!(listeners.addresses().unwrap().len(), 1);
        let (address, error) = BoundSockets::bind(&["192.0.2.77:0".parse().unwrap()]).err().unwrap();
        assert_eq!((address.to_string().as_str(), error.kind()), ("192.0.2.77:0", io::ErrorKind::AddrNotAvailable));
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_also_if_another_address_is_free() {
        let taken = bound(&["[::1]:0", "127.0.0.1:0"]).addresses().unwrap();
        let holder = bound(&["127.0.0.1:0"]);
        let used = holder.addresses().unwrap()[0];
        let (address, error) = BoundSockets::bind(&[used]).err().unwrap();
        assert_eq!((address, error.kind()), (used, io::ErrorKind::AddrInUse));
        drop(taken);
    }
}
