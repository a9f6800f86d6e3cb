//! Answers probes over UDP.

use std::{io, net::SocketAddr, time::Duration};

use common::discovery::{Answer, PROBE_BYTES, Probe};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep},
};
use tracing::debug;

use super::{Told, answer_rate::AnswerRate};

/// Pause after an error, so that one that stays does not take a processor.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Opens the socket for probes beside the one that clients connect to.
pub(super) fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Answers until it is dropped.
pub(super) async fn answer_probes(socket: UdpSocket, told: Told) {
    let mut rate = AnswerRate::default();
    // One byte more than a probe has, so that a longer datagram is seen to be longer.
    let mut buffer = [0; PROBE_BYTES + 1];
    loop {
        let (length, source) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // On some systems an answer that could not be delivered is reported here.
                debug!("No probe could be received: {error}.");
                sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let Some(Probe { token }) = buffer.get(..length).and_then(Probe::from_bytes) else { continue };
        if !rate.admit(source.ip(), Instant::now().into_std()) {
            continue;
        }
        let answer = Answer { token, announcement: told.now() }.to_bytes();
        if let Err(error) = socket.send_to(&answer, source).await {
            debug!("The probe of {source} could not be answered: {error}.");
        }
    }
}
