//! Accepts connections: gives each a place or turns it away, configures the socket, performs the TLS handshake, and runs a
//! session on it.

mod turn_away;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use common::crypto::JoinTranscript;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::turn_away::TurnAway;
use crate::{
    admission::{Admission, NoPlace, Place, Source},
    descriptors::{Spare, are_exhausted},
    listeners::Listeners,
    log_limiter::EventKind,
    session::{self, Arrival, Services, machine::ConnectionBinding, notices::Refusal},
    tls::Tls,
};

/// Bytes that the kernel may hold unsent for one client (`TCP_NOTSENT_LOWAT`), which a message waits behind: half a part of
/// a picture, because the rest of that part waits too. At 8 Mbit/s beside 1440p a message took 152 ms with 128 KiB, 78 ms with
/// 32 KiB and 61 ms with this.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 16 * 1024;
/// A congestion control that keeps the queues of routers short, where a message waits too. Through a router that queues up to
/// 500 ms at 8 Mbit/s, a message beside 1440p took 85 ms, and 208 ms with `cubic`.
#[cfg(target_os = "linux")]
const CONGESTION_CONTROL: &[u8] = b"bbr";
/// Connections that are being closed while others have their places already. With more, accepting waits for them: a crowd
/// could otherwise connect faster than the server closes, and take all descriptors.
const MAX_CLOSING: usize = 32;
/// Pause after a failed `accept`, so that one that keeps failing does not take a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked whether a client waits while there are no descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection takes to close that lost its place because there are no descriptors.
const CLOSING_PAUSE: Duration = Duration::from_millis(5);

/// Accepts connections until `stop` is cancelled, then waits for all sessions to end. Dropping the returned future stops the
/// sessions too.
pub(crate) async fn run(mut listeners: Listeners, tls: Option<Arc<Tls>>, services: Services, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let admission = Admission::new(&services.limits);
    let stop = stop.child_token();
    let _stops_sessions = stop.clone().drop_guard();
    let turn_away = TurnAway::new(tls.clone(), services.log.clone(), sessions.clone(), stop.clone());
    let spare = Spare::default();
    let max_open = services.limits.connections().saturating_add(MAX_CLOSING).min(Semaphore::MAX_PERMITS);
    let open = Arc::new(Semaphore::new(max_open));
    loop {
        spare.refill();
        let next = async {
            let open = open.clone().acquire_owned().await.expect("the semaphore is never closed");
            listeners.accept().await.map(|(stream, peer)| (stream, peer, open))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer, open)) => match place(&admission, &stream, peer).await {
                Ok(place) => {
                    let (tls, services, stop) = (tls.clone(), services.clone(), stop.clone());
                    sessions.spawn(async move {
                        // Given back when the connection is closed, which is later than its place may be.
                        let _open: OwnedSemaphorePermit = open;
                        serve(stream, peer, tls, services, stop, place).await;
                    });
                }
                Err(no_place) => turn_away.tell(stream, peer, no_place.into(), None),
            },
            // No connection loses its place when no other waits for it.
            Err(error) if are_exhausted(&error) && !listeners.is_connection_waiting() => sleep(EXHAUSTED_PAUSE).await,
            Err(error) if are_exhausted(&error) => {
                warn_of(&services, &error);
                match admission.make_room(Instant::now().into_std()) {
                    Ok(()) => {
                        sleep(CLOSING_PAUSE).await;
                        continue;
                    }
                    Err(NoPlace::NotYet(until)) => {
                        sleep_until(until.into()).await;
                        continue;
                    }
                    // All have joined: the next one is told.
                    Err(_) => {}
                }
                let Some(in_use) = spare.give_up() else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                // With a time limit: another thread may have been given the descriptor, and the client may be gone.
                match timeout(ACCEPT_PAUSE, listeners.accept()).await {
                    Ok(Ok((stream, peer))) => turn_away.tell(stream, peer, Refusal::exhausted(), Some(in_use)),
                    _ => sleep(ACCEPT_PAUSE).await,
                }
            }
            Err(error) => {
                warn_of(&services, &error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    sessions.close();
    sessions.wait().await;
}

/// Gets a place for a connection. That takes milliseconds if many connect at once, and nobody else is accepted meanwhile.
async fn place(admission: &Admission, stream: &TcpStream, peer: SocketAddr) -> Result<Place, NoPlace> {
    // Without a local address the connection is gone already; what it is counted as does not matter then.
    let source = Source::of(peer, stream.local_addr().unwrap_or(peer));
    loop {
        match admission.admit(source, Instant::now().into_std()) {
            Err(NoPlace::NotYet(until)) => sleep_until(until.into()).await,
            decided => return decided,
        }
    }
}

fn warn_of(services: &Services, error: &io::Error) {
    let address = std::net::Ipv4Addr::UNSPECIFIED.into();
    if let Some(unlogged) = services.log.admit(EventKind::AcceptFailed, address) {
        warn!("Cannot accept a connection{unlogged}: {error}.");
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    services: Services,
    stop: CancellationToken,
    place: Place,
) {
    let handshake_deadline = Instant::now() + services.limits.handshake_deadline;
    let admitted = |kind| services.log.admit(kind, peer.ip());
    if let Err(error) = configure(&stream) {
        if let Some(unlogged) = admitted(EventKind::SocketFailed) {
            warn!("The connection from {peer} cannot be configured{unlogged}: {error}.");
        }
        return;
    }
    let Some(tls) = tls else {
        let arrival = Arrival { place, peer, binding: ConnectionBinding::default(), handshake_deadline };
        session::run(stream, arrival, &services, &stop).await;
        return;
    };
    let handshake = timeout_at(handshake_deadline, tls.accept(stream));
    let stream = tokio::select! {
        () = stop.cancelled() => return,
        () = place.displaced() => {
            if let Some(unlogged) = admitted(EventKind::Displaced) {
                info!("The connection from {peer} lost its place to a newer one before its TLS handshake{unlogged}.");
            }
            return;
        }
        stream = handshake => stream,
    };
    let failure = match stream {
        Ok(Ok(stream)) => match binding(&stream, &tls) {
            Ok(binding) => {
                let arrival = Arrival { place, peer, binding, handshake_deadline };
                session::run(stream, arrival, &services, &stop).await;
                return;
            }
            Err(error) => format!("TLS gives no keying material: {error}"),
        },
        Ok(Err(error)) => format!("{error}; a client with --plaintext does this, for example"),
        Err(_) => format!("not done within {} s", services.limits.handshake_deadline.as_secs()),
    };
    if let Some(unlogged) = admitted(EventKind::HandshakeFailed) {
        info!("The TLS handshake with {peer} failed ({failure}){unlogged}.");
    }
}

fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    #[cfg(target_os = "linux")]
    #[expect(
        clippy::let_underscore_must_use,
        reason = "a system that does not have it, or does not let its users choose it, keeps its own"
    )]
    let _ = socket2::SockRef::from(stream).set_tcp_congestion(CONGESTION_CONTROL);
    Ok(())
}

fn binding(stream: &TlsStream<TcpStream>, tls: &Tls) -> Result<ConnectionBinding, rustls::Error> {
    let (_, connection) = stream.get_ref();
    let channel_binding = connection.export_keying_material([0; 32], JoinTranscript::EXPORTER_LABEL, None)?;
    Ok(ConnectionBinding { channel_binding, certificate_hash: tls.certificate_hash })
}
