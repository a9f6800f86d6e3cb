//! Accepts connections: configures the socket, performs the TLS handshake, and runs a session on it.

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

/// Bytes that the kernel may hold unsent for one client (`TCP_NOTSENT_LOWAT`); a message waits behind at most this much.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 128 * 1024;
/// Pause after a failed `accept`, which usually means that the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until `stop` is cancelled, then waits for all sessions to end. Dropping the returned future stops the
/// sessions too.
pub(crate) async fn run(listener: TcpListener, tls: Option<Arc<Tls>>, services: Services, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let max_connections = services.limits.max_connections;
    let permits = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
    let stop = stop.child_token();
    let _stops_sessions = stop.clone().drop_guard();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                warn!("Cannot accept a connection: {error}.");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            warn!("The connection from {peer} was rejected because {max_connections} connections are open already.");
            continue;
        };
        sessions.spawn(serve(stream, peer, tls.clone(), services.clone(), stop.clone(), permit));
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
    _permit: OwnedSemaphorePermit,
) {
    let join_deadline = Instant::now() + JOIN_DEADLINE;
    if let Err(error) = configure(&stream) {
        warn!("The connection from {peer} cannot be configured: {error}.");
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
            Err(error) => warn!("The connection from {peer} was closed because TLS gives no keying material: {error}."),
        },
        Ok(Err(error)) => {
            info!("The TLS handshake with {peer} failed ({error}). A client with --plaintext does this, for example.")
        }
        Err(_) => {
            info!("The connection from {peer} was closed: no TLS handshake within {} s.", JOIN_DEADLINE.as_secs())
        }
    }
}

fn configure(stream: &TcpStream) -> io::Result<()> {
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
