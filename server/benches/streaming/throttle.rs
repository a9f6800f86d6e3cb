//! A slow link between a client and the server: a relay that passes what the server sends on at a limited rate, and all of it
//! after a delay.
//!
//! ```text
//! server ─► small receive buffer ─► token bucket ─► delay line ─► client
//! server ◄────────────────────────────── delay line ◄─────────── client
//! ```
//! The buffer is the queue of a router in front of the slow link, so the server's system notices that it is full as it
//! would there. The rate and the delay can change while it runs.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// What the relay reads at a time: a few packets.
const CHUNK_BYTES: usize = 4 * 1024;

/// The receive buffer towards the server. Linux doubles it: 50 ms at 8 Mbit/s are 50 KB.
const QUEUE_BYTES: u32 = 25 * 1024;

/// The properties of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// From the server to the client. The other direction is not limited.
    pub bits_per_second: u64,
    /// How long each byte is under way, in each direction.
    pub delay: Duration,
}

/// A relay on this machine. Connections through it end when it is dropped.
pub struct Throttle {
    address: SocketAddr,
    speed: watch::Sender<Speed>,
    _relay: AbortOnDropHandle<()>,
}

impl Throttle {
    /// Relays connections to `server`.
    pub async fn start(server: SocketAddr, speed: Speed) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (speed, changes) = watch::channel(speed);
        let relay = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let changes = changes.clone();
                connections.spawn(async move {
                    // Either end closing ends the connection, which both notice.
                    let _ = relay(client, server, changes).await;
                });
            }
        });
        Ok(Self { address, speed, _relay: AbortOnDropHandle::new(relay) })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes rate and delay, also of connections that are open.
    #[allow(dead_code, reason = "for rows that change the link while a video plays")]
    pub fn change(&self, speed: Speed) {
        self.speed.send_replace(speed);
    }
}

async fn relay(client: TcpStream, server: SocketAddr, speed: watch::Receiver<Speed>) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    // Before connecting, because the window is announced then.
    SockRef::from(&socket).set_recv_buffer_size(QUEUE_BYTES as usize)?;
    let upstream = socket.connect(server).await?;
    upstream.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let ((from_server, to_server), (from_client, to_client)) = (upstream.into_split(), client.into_split());
    let down = pass(from_server, to_client, speed.clone(), true);
    let up = pass(from_client, to_server, speed, false);
    tokio::select! { ended = down => ended, ended = up => ended }
}

/// Passes bytes on until either side closes.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    speed: watch::Receiver<Speed>,
    is_limited: bool,
) -> Result<()> {
    let mut line: VecDeque<(Instant, Bytes)> = VecDeque::new();
    let mut next_read = Instant::now();
    loop {
        let due = line.front().map(|(due, _)| *due);
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or(next_read)), if due.is_some() => {
                if let Some((_, bytes)) = line.pop_front() {
                    to.write_all(&bytes).await?;
                }
            }
            read = async {
                sleep_until(next_read).await;
                from.read_buf(&mut chunk).await
            } => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(());
                }
                let Speed { bits_per_second, delay } = *speed.borrow();
                let now = Instant::now();
                if is_limited {
                    // The timer is late by up to a millisecond, which the next chunk makes up for.
                    let took = Duration::from_nanos(bytes as u64 * 8_000_000_000 / bits_per_second.max(1));
                    next_read = next_read.max(now.checked_sub(Duration::from_millis(5)).unwrap_or(now)) + took;
                }
                line.push_back((next_read.max(now) + delay, chunk.freeze()));
            }
        }
    }
}
