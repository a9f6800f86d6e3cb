//! Messages beside pictures on a slow link: row 12.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use common::{
    crypto::{Identity, test_keys},
    media::{Epoch, Position, Quality, StreamId},
    message::{Blob, ClientMessage, ServerMessage},
    test_messages::{self, watch_message},
};
use tokio::time::{Instant as TokioInstant, interval_at};

use super::Bench;
use crate::{
    clips::Clip,
    link::{Keys, Link, Received, WINDOW_ITEMS},
    pull::Pull,
    served::Served,
    table::{Row, Table, median, millis, quantile},
    throttle::{Speed, Throttle},
};

/// A link that carries a tenth of a 1440p video.
const SPEED: Speed = Speed { bits_per_second: 8_000_000, delay: Duration::from_millis(1), queue: Duration::ZERO };

/// Messages of each measurement, and how often one is sent: as often as a member may.
const MESSAGES: usize = 150;
const MESSAGE_INTERVAL: Duration = Duration::from_millis(110);

impl Bench {
    /// Row 12: a message to oneself over 8 Mbit/s, while 1440p flows as fast as that, and on the same link alone.
    pub async fn chat_beside_pictures(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let (served, mut link) = Served::start_idle(&self.server, &clip.videos, None).await?;
        // All pictures are in memory, so that only the link is measured.
        Pull::all(&mut link, StreamId(1), clip).await?;
        drop(link);
        let throttle = Throttle::start(served.address(), SPEED).await?;
        let link = Link::join(throttle.address(), "chatter", &Keys::of(test_keys::bob())).await?;
        let mut chatter = Chatter { link, identity: test_keys::bob(), sequence: 0, stream: 0, bytes: 0 };
        let idle = chatter.times(false).await.context("on the link alone")?;
        let begun = Instant::now();
        let beside = chatter.times(true).await.context("beside pictures")?;
        let rate = chatter.bytes as f64 * 8.0 / begun.elapsed().as_secs_f64() / 1e6;
        let p99 = quantile(&beside, 0.99);
        table.add(Row {
            what: format!("12 chat beside 1440p at 8 Mbit/s (pictures: {rate:.1})"),
            baseline: "the same link, idle".into(),
            measured: format!(
                "{:.1} (99 %: {p99:.1}) / {:.1} (99 %: {:.1}) ms",
                median(&beside),
                median(&idle),
                quantile(&idle, 0.99)
            ),
            ratio: format!("{:.1}", median(&beside) / median(&idle)),
            target: "99 %: <= 150 ms".into(),
            is_met: Some(p99 <= 150.0),
        });
        Ok(())
    }
}

/// A client that writes to itself.
struct Chatter {
    link: Link,
    identity: Identity,
    sequence: u64,
    stream: u32,
    /// Bytes of the pictures that have arrived.
    bytes: u64,
}

impl Chatter {
    /// How long each message took, in milliseconds.
    async fn times(&mut self, is_watching: bool) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        if is_watching {
            self.watch()?;
            // Until the link is full.
            while self.bytes < 4_000_000 {
                self.receive().await?;
            }
            self.bytes = 0;
        }
        let mut ticks = interval_at(TokioInstant::now(), MESSAGE_INTERVAL);
        let mut sent: Option<(Vec<u8>, Instant)> = None;
        while times.len() < MESSAGES {
            tokio::select! {
                _ = ticks.tick(), if sent.is_none() => {
                    self.sequence += 1;
                    let letter = test_messages::letter("How is the picture there?", self.sequence, &self.identity, &self.identity);
                    let envelope = letter.as_bytes().to_vec();
                    sent = Some((envelope.clone(), Instant::now()));
                    self.link.send(&[ClientMessage::Say { envelope: Blob(envelope) }])?;
                }
                relayed = self.receive() => {
                    let Some(envelope) = relayed? else { continue };
                    let (_, at) = sent.take_if(|(own, _)| *own == envelope).context("an envelope that was not sent")?;
                    times.push(millis(at.elapsed()));
                }
            }
        }
        Ok(times)
    }

    /// The next envelope, or `None` after another message. Cancel safe.
    async fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        let grant = |stream: u32| ClientMessage::Grant { stream: StreamId(stream), epoch: Epoch(0), items: 1 };
        match self.link.receive().await? {
            Received::Picture(head) => {
                self.bytes += u64::from(head.jpeg_bytes);
                self.link.send(&[grant(self.stream)])?;
            }
            Received::Sound(_) => self.link.send(&[grant(self.stream)])?,
            Received::Message(ServerMessage::StreamEnded { .. }) => self.watch()?,
            Received::Message(ServerMessage::Relayed { envelope }) => return Ok(Some(envelope.0)),
            Received::Message(ServerMessage::Refused { message, .. }) => bail!("refused: {message}"),
            Received::Message(_) => {}
        }
        Ok(None)
    }

    fn watch(&mut self) -> Result<()> {
        self.stream += 1;
        let (stream, video) = (StreamId(self.stream), self.link.video()?.id);
        self.link.send(&[
            watch_message(stream, video, Quality::Only(1440), Position::START),
            ClientMessage::Grant { stream, epoch: Epoch(0), items: WINDOW_ITEMS },
        ])
    }
}
