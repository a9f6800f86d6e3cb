//! What attackers do. All of them stay within the protocol, and most of them within the limits.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use clap::ValueEnum;
use common::{
    limits::MAX_CREDIT,
    media::{Delivery, Epoch, Position, Quality, SeekRequest, SetQualityRequest, StreamId, VideoId},
    message::{Blob, ClientMessage, ServerMessage},
    test_messages::watch_message,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::{
    honest::envelope,
    keys::Keys,
    link::{Keys as LinkKeys, Link, WINDOW_ITEMS},
    member::{Member, block, hello, join_message},
};

/// Connections of an attack that floods before login.
const SILENT: usize = 600;
const HALF_OPEN: usize = 10_000;
/// Half-open connections that are held at a time; more would need more file descriptors than programs usually have.
const HALF_OPEN_HELD: usize = 2_000;
/// Members that flood at once.
const FLOODERS: usize = 20;
/// Members that fill the room, beside the honest people.
const CROWD: usize = 230;
/// Messages in a block that is written at once.
const BLOCK_MESSAGES: usize = 64;

/// The attacks, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Nothing; what honest people notice of each other
    None,
    /// Connections that say nothing, opened again when they are closed
    SilentConnections,
    /// Ten thousand connections that say half of a `Hello`
    HalfOpenConnections,
    /// Four connections repeat a `Join` under a taken name, in a room with many similar names
    RepeatedJoin,
    /// Members join and quit
    Churn,
    /// Three members say as much as they can
    Bursts3,
    /// Six members do
    Bursts6,
    /// Thirty members do
    Bursts30,
    /// Members do not read while another says as much as it can
    DeafMembers,
    /// Members watch 1440p with the largest credit and do not read
    DeafViewers,
    /// A full room requests the directory and does not read
    DirectoryUnread,
    /// A full room requests the directory
    Directory,
    /// Members flood `Pong`
    Pongs,
    /// Members flood `Grant`
    Grants,
    /// Members flood `AskStatistics`
    Statistics,
    /// Members flood `AskThumbnail`
    Thumbnails,
    /// Members seek wildly
    Seeks,
    /// Members open the video again and again
    Watches,
    /// Members change the quality again and again
    Qualities,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no attack is skipped");
        write!(f, "{}", value.get_name())
    }
}

/// The server under attack.
pub struct Target<'a> {
    pub address: SocketAddr,
    pub keys: &'a Keys,
}

impl Attack {
    /// Honest people who only listen meanwhile.
    pub fn guests(self) -> usize {
        match self {
            Self::RepeatedJoin => 230,
            _ => 8,
        }
    }

    /// Attacks until the future is dropped.
    ///
    /// # Errors
    /// When the attack cannot begin.
    pub async fn run(self, target: &Target<'_>) -> Result<()> {
        match self {
            Self::None => std::future::pending().await,
            Self::SilentConnections => target.hold_connections(SILENT, SILENT, Bytes::new()).await,
            Self::HalfOpenConnections => {
                let half = block([hello()]);
                target.hold_connections(HALF_OPEN_HELD, HALF_OPEN, half.slice(..half.len() / 2)).await
            }
            Self::RepeatedJoin => all((0..4).map(|number| target.repeat_join(number))).await,
            Self::Churn => all((0..FLOODERS).map(|number| target.come_and_go(number))).await,
            Self::Bursts3 => target.burst(3).await,
            Self::Bursts6 => target.burst(6).await,
            Self::Bursts30 => target.burst(30).await,
            Self::DeafMembers => {
                let deaf = all((1..=FLOODERS).map(|number| target.be_deaf(number, Bytes::new())));
                tokio::select! { result = deaf => result, result = target.burst(1) => result }
            }
            Self::DeafViewers => {
                let video = target.video().await?;
                let watch = watch_message(StreamId(1), video, Quality::Only(1440), Position::START);
                let grant = ClientMessage::Grant { stream: StreamId(1), epoch: Epoch(0), items: MAX_CREDIT };
                let watch = block([watch, grant]);
                all((0..FLOODERS).map(|number| target.be_deaf(number, watch.clone()))).await
            }
            Self::DirectoryUnread => {
                let questions = block((0..60).map(|_| ClientMessage::AskDirectory));
                all((0..CROWD).map(|number| target.be_deaf(number, questions.clone()))).await
            }
            Self::Directory => target.flood(CROWD, |_| block([ClientMessage::AskDirectory])).await,
            Self::Pongs => target.flood_with(ClientMessage::Pong { number: 0 }).await,
            Self::Grants => {
                target
                    .flood_with(ClientMessage::Grant { stream: StreamId(1), epoch: Epoch(0), items: MAX_CREDIT })
                    .await
            }
            Self::Statistics => target.flood_with(ClientMessage::AskStatistics).await,
            Self::Thumbnails => {
                let video = target.video().await?;
                target.flood_with(ClientMessage::AskThumbnail { video }).await
            }
            Self::Seeks | Self::Watches | Self::Qualities => target.steer(self).await,
        }
    }
}

/// Runs all attackers, and waits on when none is left: that the server disconnects them is what should happen.
async fn all(attackers: impl Iterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    let mut attackers: FuturesUnordered<_> = attackers.collect();
    let mut last = None;
    while let Some(result) = attackers.next().await {
        last = result.err();
    }
    if let Some(error) = last {
        eprintln!("all attackers were disconnected, the last one because: {error:#}");
    }
    std::future::pending().await
}

impl Target<'_> {
    async fn member(&self, number: usize) -> Result<Member> {
        Member::join(self.address, &format!("attacker-{number}"), self.keys.attacker(number)).await
    }

    /// The video that honest people watch.
    async fn video(&self) -> Result<VideoId> {
        let link = Link::join(self.address, "scout", &LinkKeys::fresh()).await?;
        Ok(link.video()?.id)
    }

    /// Keeps up to `held` connections open which send only `start`, until `in_total` were opened; then each one that the server
    /// closes is opened again.
    async fn hold_connections(&self, held: usize, in_total: usize, start: Bytes) -> Result<()> {
        let opened = AtomicU64::new(0);
        let hold = || async {
            loop {
                let Ok(mut stream) = TcpStream::connect(self.address).await else {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let count = opened.fetch_add(1, Ordering::Relaxed) + 1;
                if stream.write_all(&start).await.is_err() {
                    continue;
                }
                let mut byte = [0];
                if count < in_total as u64 && held < in_total {
                    // Abandoned after a second, so that the whole number is reached.
                    let _ = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await;
                } else {
                    let _ = stream.read(&mut byte).await;
                }
            }
        };
        all((0..held).map(|_| hold())).await
    }

    /// Repeats one `Join` for a name that is taken, as fast as the server takes it.
    async fn repeat_join(&self, number: usize) -> Result<()> {
        loop {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(&block([hello()])).await?;
            let mut prefix = [0; 4];
            if stream.read_exact(&mut prefix).await.is_err() {
                continue;
            }
            let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
            stream.read_exact(&mut frame).await?;
            let ServerMessage::Challenge { nonce, .. } = common::codec::decode_server(&frame)? else {
                // Refused because there are too many connections: tried again.
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            let join = join_message("guest-1", self.keys.attacker(number), nonce);
            let joins = block(std::iter::repeat_n(join, BLOCK_MESSAGES));
            let (mut incoming, mut outgoing) = stream.split();
            let reading = async { tokio::io::copy(&mut incoming, &mut tokio::io::sink()).await.map(drop) };
            let writing = async {
                loop {
                    outgoing.write_all(&joins).await?;
                }
            };
            // Refused in the end, and then tried on the next connection.
            let _: std::io::Result<()> = tokio::select! { result = reading => result, result = writing => result };
        }
    }

    async fn come_and_go(&self, number: usize) -> Result<()> {
        loop {
            match self.member(number).await {
                Ok(mut member) => member.send(block([ClientMessage::Quit])).await?,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// `count` members say as much as they can.
    async fn burst(&self, count: usize) -> Result<()> {
        all((0..count).map(|number| async move {
            let member = self.member(number).await?;
            let (key_id, mut said) = (member.key_id, (number as u64 + 1) << 32);
            let next = move || {
                said += BLOCK_MESSAGES as u64;
                let envelope = |at| Blob(envelope(key_id, said + at));
                block((0..BLOCK_MESSAGES as u64).map(|at| ClientMessage::Say { envelope: envelope(at) }))
            };
            member.flood(next).await
        }))
        .await
    }

    async fn be_deaf(&self, number: usize, block: Bytes) -> Result<()> {
        self.member(number).await?.be_deaf(block).await
    }

    /// `count` members send what `next` gives for their number.
    async fn flood(&self, count: usize, next: impl Fn(usize) -> Bytes) -> Result<()> {
        let next = &next;
        all((0..count).map(|number| async move { self.member(number).await?.flood(|| next(number)).await })).await
    }

    async fn flood_with(&self, message: ClientMessage) -> Result<()> {
        let messages = block(std::iter::repeat_n(message, BLOCK_MESSAGES));
        self.flood(FLOODERS, |_| messages.clone()).await
    }

    /// Members start streams, seek in them, or change their quality.
    async fn steer(&self, attack: Attack) -> Result<()> {
        let video = self.video().await?;
        let watch = |stream, quality| {
            let stream = StreamId(stream);
            let grant = ClientMessage::Grant { stream, epoch: Epoch(0), items: WINDOW_ITEMS };
            [watch_message(stream, video, quality, Position::START), grant]
        };
        let steer = |number: usize| async move {
            let mut member = self.member(number).await?;
            member.send(block(watch(1, Quality::Triptych))).await?;
            let mut count = 1;
            // A linear congruential generator, so that every run seeks to the same pictures.
            let mut place = number as u32;
            member
                .flood(move || {
                    count += 1;
                    place = place.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let (stream, epoch, at) = (StreamId(1), Epoch(count), Position::Picture((place >> 8) % 630));
                    let grant = ClientMessage::Grant { stream, epoch, items: WINDOW_ITEMS };
                    let quality = if count % 2 == 0 { Quality::Only(1440) } else { Quality::Triptych };
                    match attack {
                        Attack::Watches => block(watch(count, quality)),
                        Attack::Qualities => block([
                            ClientMessage::SetQuality(SetQualityRequest {
                                stream,
                                epoch,
                                quality,
                                at,
                                delivery: Delivery::FULL,
                            }),
                            grant,
                        ]),
                        _ => block([ClientMessage::Seek(SeekRequest { stream, epoch, to: at }), grant]),
                    }
                })
                .await
        };
        all((0..FLOODERS).map(steer)).await
    }
}
