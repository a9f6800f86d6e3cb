//! Tells connections that get no place why, as far as that costs little.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use common::{codec::encode_server, limits::MAX_GREETING_BYTES, message::ServerMessage};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{
    descriptors::SpareInUse,
    log_limiter::{EventKind, EventLog},
    session::notices::Refusal,
    tls::Tls,
};

/// Most connections that are told at a time; those beyond are closed without a word.
const MAX_TOLD: usize = 16;
/// How long telling one may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// The same when it takes the descriptor in reserve, for which others wait.
const TIME_LIMIT_OF_SPARE: Duration = Duration::from_millis(300);

/// Tells those who get no place.
pub(super) struct TurnAway {
    slots: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
    log: EventLog,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl TurnAway {
    pub(super) fn new(tls: Option<Arc<Tls>>, log: EventLog, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { slots: Arc::new(Semaphore::new(MAX_TOLD)), tls, log, tasks, stop }
    }

    /// Tells one in a task of its own. `spare` is put back when its connection is closed.
    pub(super) fn tell(&self, stream: TcpStream, peer: SocketAddr, refusal: Refusal, spare: Option<SpareInUse>) {
        if let Some(unlogged) = self.log.admit(EventKind::TurnedAway, peer.ip()) {
            warn!("The connection from {peer} was turned away{unlogged}. {}", refusal.message);
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else { return };
        let (tls, stop) = (self.tls.clone(), self.stop.clone());
        let time_limit = if spare.is_some() { TIME_LIMIT_OF_SPARE } else { TIME_LIMIT };
        self.tasks.spawn(async move {
            let telling = async move {
                match tls {
                    None => say(stream, refusal).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => say(stream, refusal).await,
                        Err(_) => None,
                    },
                }
            };
            // Whether it was told or not, the connection is closed here, and with it the descriptor is free.
            tokio::select! {
                () = stop.cancelled() => {}
                _ = timeout(time_limit, telling) => {}
            }
            drop((slot, spare));
        });
    }
}

/// Sends the refusal, then waits for the client to close: closing a socket with unread input resets the connection, and the
/// refusal would be lost with it. `None` when the client is gone, or says more than a greeting.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, refusal: Refusal) -> Option<()> {
    stream.write_all(&encode_server(&ServerMessage::from(refusal))).await.ok()?;
    stream.shutdown().await.ok()?;
    let mut greeting = [0; MAX_GREETING_BYTES];
    while stream.read(&mut greeting).await.ok()? > 0 {}
    Some(())
}
