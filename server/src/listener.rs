//! Takes connections in: sets the socket up, does the TLS handshake, and hands over to a session.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use common::{crypto::JoinTranscript, limits::JOIN_DEADLINE};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    session::{self, Services, machine::ConnectionBinding},
    tls::Tls,
};

/// Connections at a time, those that have not joined yet included.
const MAX_CONNECTIONS: usize = 512;
/// What the kernel may hold unsent for one client; a message waits behind no more than this.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 128 * 1024;
/// How long to wait when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts until `stop`, then waits for all sessions to end.
pub async fn run(listener: TcpListener, tls: Option<Arc<Tls>>, services: Services, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            warn!("connection from {peer} turned away: {MAX_CONNECTIONS} are open");
            continue;
        };
        sessions.spawn(serve(stream, peer, tls.clone(), services.clone(), stop.clone(), place));
    }
    sessions.close();
    sessions.wait().await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    services: Services,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let join_deadline = Instant::now() + JOIN_DEADLINE;
    if let Err(error) = set_up(&stream) {
        warn!("connection from {peer}: {error}");
        return;
    }
    let Some(tls) = tls else {
        session::run(stream, peer, join_deadline, ConnectionBinding::default(), &services, &stop).await;
        return;
    };
    let handshake = timeout_at(join_deadline, TlsAcceptor::from(tls.config.clone()).accept(stream));
    let stream = tokio::select! {
        () = stop.cancelled() => return,
        stream = handshake => stream,
    };
    match stream {
        Ok(Ok(stream)) => match binding(&stream, &tls) {
            Ok(binding) => session::run(stream, peer, join_deadline, binding, &services, &stop).await,
            Err(error) => warn!("connection from {peer}: no TLS exporter: {error}"),
        },
        Ok(Err(error)) => info!("connection from {peer} ended: no TLS handshake ({error}); a client with --plaintext?"),
        Err(_) => info!("connection from {peer} ended: no TLS handshake within {} s", JOIN_DEADLINE.as_secs()),
    }
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)?;
    Ok(())
}

fn binding(stream: &TlsStream<TcpStream>, tls: &Tls) -> Result<ConnectionBinding, rustls::Error> {
    let (_, connection) = stream.get_ref();
    let channel_binding = connection.export_keying_material([0; 32], JoinTranscript::EXPORTER_LABEL, None)?;
    Ok(ConnectionBinding { channel_binding, certificate_hash: tls.certificate_hash })
}
