//! Pulls every video of a folder over TCP as fast as it comes, and prints what that took.
//!
//! ```text
//! cargo run --release -p server --example stream_rate -- FOLDER [--paced]
//! ```
//! With `--paced` each picture is granted when it would be shown, as a client does it. `scripts/bench.sh` sets the
//! figures beside those of bare `gst-launch-1.0` pipelines.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use common::{
    codec::{decode_server, encode_client, framing},
    crypto::{Identity, JoinTranscript, test_keys},
    limits::{MAX_SERVER_FRAME_BYTES, PROTOCOL_VERSION},
    media::{Epoch, Position, Quality, StreamId, VideoInfo},
    message::{Blob, ClientMessage, EndReason, MAGIC, ServerMessage},
};
use futures_util::StreamExt;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::{
    codec::{FramedRead, LengthDelimitedCodec},
    sync::CancellationToken,
};
use triptych_server::{Server, Settings, video};

/// Credit of a viewer that takes all it can get.
const CREDIT: u32 = 64;

struct Viewer {
    frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    writer: OwnedWriteHalf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from).context("name a folder with videos")?;
    let is_paced = std::env::args().any(|argument| argument == "--paced");
    video::init()?;
    let settings =
        Settings { listen: "127.0.0.1:0".parse()?, videos: folder, certificate_dir: None, cache_bytes: 512 << 20 };
    let server = Server::bind(&settings).await?;
    let address = server.local_addr()?;
    let videos = server.library().listing().videos;
    tokio::spawn(server.run(CancellationToken::new()));

    let mut viewer = Viewer::join(TcpStream::connect(address).await?, &test_keys::ada()).await?;
    for (number, video) in (1..).zip(&videos) {
        viewer.watch(StreamId(number), video, is_paced).await?;
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak_kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux says VmHWM")?;
    println!("peak memory of server and viewer: {}", peak_kib.trim());
    Ok(())
}

impl Viewer {
    async fn join(stream: TcpStream, identity: &Identity) -> Result<Self> {
        stream.set_nodelay(true)?;
        let (read_half, writer) = stream.into_split();
        let mut viewer = Self { frames: FramedRead::new(read_half, framing(MAX_SERVER_FRAME_BYTES)), writer };
        let client_nonce = [0; 32];
        let software = "stream_rate".to_owned();
        let hello =
            ClientMessage::Hello { magic: MAGIC, protocol_version: PROTOCOL_VERSION, software, nonce: client_nonce };
        viewer.say(&hello).await?;
        let ServerMessage::Challenge { nonce: server_nonce, .. } = viewer.hear().await? else { bail!("no challenge") };
        let public_key_der = identity.public_key().der();
        let (channel_binding, certificate_hash) = ([0; 32], [0; 32]);
        let transcript = JoinTranscript {
            channel_binding,
            certificate_hash,
            client_nonce,
            server_nonce,
            name: "viewer",
            public_key_der,
        };
        let proof = Blob(identity.sign(&transcript.to_bytes()));
        viewer
            .say(&ClientMessage::Join { name: "viewer".into(), public_key: Blob(public_key_der.to_vec()), proof })
            .await?;
        let ServerMessage::Welcome { .. } = viewer.hear().await? else { bail!("no welcome") };
        Ok(viewer)
    }

    async fn watch(&mut self, stream: StreamId, video: &VideoInfo, is_paced: bool) -> Result<()> {
        let asked_at = Instant::now();
        self.say(&ClientMessage::Watch { stream, video: video.id, quality: Quality::Triptych, from: Position::START })
            .await?;
        self.say(&ClientMessage::Grant { stream, epoch: Epoch(0), items: CREDIT }).await?;
        let (mut arrivals, mut bytes) = (Vec::new(), 0);
        loop {
            match self.hear().await? {
                ServerMessage::StreamStarted { .. } => {}
                ServerMessage::Picture { head, jpeg } => {
                    arrivals.push((Instant::now(), head.height));
                    bytes += jpeg.0.len();
                    if is_paced {
                        let due = arrivals[0].0 + Duration::from_nanos(head.pts_nanos);
                        tokio::time::sleep_until(due.into()).await;
                    }
                    self.say(&ClientMessage::Grant { stream, epoch: Epoch(0), items: 1 }).await?;
                }
                ServerMessage::StreamEnded { reason: EndReason::Finished, .. } => break,
                other => bail!("the stream went wrong: {other:?}"),
            }
        }
        report(video, asked_at, &arrivals, bytes);
        Ok(())
    }

    async fn say(&mut self, message: &ClientMessage) -> Result<()> {
        Ok(self.writer.write_all(&encode_client(message)).await?)
    }

    /// The next message that is no ping.
    async fn hear(&mut self) -> Result<ServerMessage> {
        loop {
            let frame = self.frames.next().await.context("the server closed the connection")??;
            match decode_server(&frame)? {
                ServerMessage::Ping { number } => self.say(&ClientMessage::Pong { number }).await?,
                message => return Ok(message),
            }
        }
    }
}

fn report(video: &VideoInfo, asked_at: Instant, arrivals: &[(Instant, u32)], bytes: usize) {
    let Some((first, last)) = arrivals.first().zip(arrivals.last()) else { return };
    let gaps = || arrivals.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let splices = arrivals.windows(2).filter(|pair| pair[0].1 != pair[1].1).map(|pair| pair[1].0 - pair[0].0);
    let mut sorted: Vec<_> = gaps().collect();
    sorted.sort_unstable();
    println!(
        "{:?}: {} pictures in {:.2} s = {:.1} pictures/s, {:.1} MB/s; first after {:.1} ms; gaps: median {:.1} ms, \
         longest {:.1} ms, at the splices {:.1?} ms",
        video.title,
        arrivals.len(),
        (last.0 - asked_at).as_secs_f64(),
        arrivals.len() as f64 / (last.0 - asked_at).as_secs_f64(),
        bytes as f64 / 1e6 / (last.0 - asked_at).as_secs_f64(),
        millis(first.0 - asked_at),
        sorted.get(sorted.len() / 2).copied().map_or(0.0, millis),
        sorted.last().copied().map_or(0.0, millis),
        splices.map(millis).collect::<Vec<_>>(),
    );
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
