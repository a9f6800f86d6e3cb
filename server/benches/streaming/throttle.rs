//! A slow link between a client and the server: a relay that passes what the server sends on at a limited rate, and all of it
//! after a delay.
//!
//! ```text
//! server ─► small receive buffer ─► queue ─► token bucket ─► delay line ─► client
//! server ◄────────────────────────────────────── delay line ◄─────────── client
//! ```
//! Buffer and queue are those of a router in front of the slow link, so the server's system notices that they are full as it
//! would there. Rate, queue and delay can change while it runs; what waits in the queue then leaves it at the new rate.

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
const RECEIVE_BYTES: u32 = 25 * 1024;

/// The properties of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// From the server to the client. The other direction is not limited.
    pub bits_per_second: u64,
    /// How long each byte is under way, in each direction.
    pub delay: Duration,
    /// How long the last byte waits when the router's queue is full; never less than the receive buffer holds.
    pub queue: Duration,
}

impl Speed {
    /// How long the link takes to send this many bytes.
    fn time_of(&self, bytes: usize) -> Duration {
        Duration::from_nanos(bytes as u64 * 8_000_000_000 / self.bits_per_second.max(1))
    }

    /// What may wait besides the receive buffer.
    fn queue_bytes(&self) -> usize {
        let bytes = self.bits_per_second as f64 / 8.0 * self.queue.as_secs_f64();
        (bytes as usize).saturating_sub(2 * RECEIVE_BYTES as usize)
    }
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

    /// Changes the link, also for connections that are open.
    #[allow(dead_code, reason = "the client's benchmark changes the link while a video plays")]
    pub fn change(&self, speed: Speed) {
        self.speed.send_replace(speed);
    }
}

async fn relay(client: TcpStream, server: SocketAddr, speed: watch::Receiver<Speed>) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    // Before connecting, because the window is announced then.
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES as usize)?;
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
    let (mut queue, mut queued_bytes): (VecDeque<Bytes>, usize) = (VecDeque::new(), 0);
    let mut line: VecDeque<(Instant, Bytes)> = VecDeque::new();
    // When the link has sent what it was given.
    let mut free_at = Instant::now();
    loop {
        let link = *speed.borrow();
        let due = line.front().map(|(due, _)| *due);
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or(free_at)), if due.is_some() => {
                if let Some((_, bytes)) = line.pop_front() {
                    to.write_all(&bytes).await?;
                }
            }
            () = sleep_until(free_at), if !queue.is_empty() => {
                let Some(bytes) = queue.pop_front() else { continue };
                queued_bytes -= bytes.len();
                let now = Instant::now();
                if is_limited {
                    // The timer is late by up to a millisecond, which the next chunk makes up for.
                    let begun = free_at.max(now.checked_sub(Duration::from_millis(5)).unwrap_or(now));
                    free_at = begun + link.time_of(bytes.len());
                }
                line.push_back((free_at.max(now) + link.delay, bytes));
            }
            read = from.read_buf(&mut chunk), if queue.is_empty() || queued_bytes < link.queue_bytes() => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(());
                }
                queued_bytes += bytes;
                queue.push_back(chunk.freeze());
            }
        }
    }
}
