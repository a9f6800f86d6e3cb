//! What honest people do and notice: a chatter who writes to itself through the whole relay, a viewer at a video's own
//! speed, guests who listen, and newcomers. They run in a process of their own, so that attackers cost them nothing but
//! what the server lets them cost.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    io::{BufRead, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use common::{
    crypto::KeyId,
    media::{Epoch, Position, Quality, StreamId, WatchRequest},
    message::{Blob, ClientMessage, ServerMessage},
};
use tokio::{
    task::JoinSet,
    time::{Instant as TokioInstant, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    keys::Keys,
    link::{Keys as LinkKeys, Link, Received},
    member::{Member, block},
};

/// Eight messages a second, which is more than people write and less than a member may send.
const CHAT_INTERVAL: Duration = Duration::from_millis(125);
/// A message that was not relayed within this time is lost.
const CHAT_DEADLINE: Duration = Duration::from_secs(2);
/// A newcomer must be welcomed within this time.
const NEWCOMER_LIMIT: Duration = Duration::from_secs(2);
const NEWCOMER_INTERVAL: Duration = Duration::from_millis(500);
const NEWCOMERS: usize = 12;
/// The numbers of keys: the chatter, then newcomers, then guests.
const FIRST_NEWCOMER: usize = 1;
const FIRST_GUEST: usize = FIRST_NEWCOMER + NEWCOMERS;
const WATCHED_HEIGHT: u32 = 720;
/// The credit window of a viewer, and how many items it grants again at a time. Both as in the client.
const WINDOW_ITEMS: u32 = 36;
const GRANT_LOT_ITEMS: usize = 4;
const READY: &str = "ready";

/// What honest people noticed.
#[derive(Debug, Default)]
pub struct Report {
    /// How many of them were disconnected.
    pub disconnected: usize,
    /// Newcomers that tried to join.
    pub newcomers: usize,
    /// Newcomers that were welcomed in time.
    pub newcomers_served: usize,
    /// Median time until the chatter's message was back.
    pub chat_p50: Duration,
    /// 99th percentile of that.
    pub chat_p99: Duration,
    /// Messages that did not come back.
    pub chat_lost: usize,
    /// The part of the pictures that the viewer could show, at most 1.
    pub pictures: f64,
    /// The longest time for which the picture was late.
    pub longest_stall: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "{} | {} of {} ", self.disconnected, self.newcomers_served, self.newcomers)?;
        write!(f, "| {:.1}, {:.1} ms, {} ", millis(self.chat_p50), millis(self.chat_p99), self.chat_lost)?;
        write!(f, "| {:.0} %, {:.0} ms", self.pictures * 100.0, millis(self.longest_stall))
    }
}

impl Report {
    fn to_line(&self) -> String {
        let Self { disconnected, newcomers, newcomers_served, chat_lost, pictures, .. } = self;
        let times = [self.chat_p50, self.chat_p99, self.longest_stall].map(|time| time.as_secs_f64());
        format!(
            "{disconnected} {newcomers} {newcomers_served} {chat_lost} {pictures} {} {} {}",
            times[0], times[1], times[2]
        )
    }

    fn from_line(line: &str) -> Option<Self> {
        let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let &[disconnected, newcomers, newcomers_served, chat_lost, pictures, p50, p99, stall] = numbers.as_slice()
        else {
            return None;
        };
        Some(Self {
            disconnected: disconnected as usize,
            newcomers: newcomers as usize,
            newcomers_served: newcomers_served as usize,
            chat_lost: chat_lost as usize,
            pictures,
            chat_p50: Duration::from_secs_f64(p50),
            chat_p99: Duration::from_secs_f64(p99),
            longest_stall: Duration::from_secs_f64(stall),
        })
    }
}

/// The process of the honest people. Killed when dropped.
pub struct Honest {
    child: Child,
    output: std::io::BufReader<ChildStdout>,
}

impl Drop for Honest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Honest {
    /// Starts the process.
    pub fn start(address: SocketAddr, guests: usize, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("honest").arg(address.to_string()).arg(guests.to_string()).arg("--folder").arg(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = std::io::BufReader::new(child.stdout.take().context("the honest people have no output")?);
        Ok(Self { child, output })
    }

    /// Waits until everyone has joined and the video plays.
    pub fn ready(&mut self) -> Result<()> {
        let line = self.line()?;
        if line.trim() != READY {
            bail!("the honest people are not ready but say {line:?}");
        }
        Ok(())
    }

    /// Ends the measurement.
    pub fn report(&mut self) -> Result<Report> {
        // The end of its input tells the process to stop.
        drop(self.child.stdin.take());
        let line = self.line()?;
        Report::from_line(&line).with_context(|| format!("the honest people report {line:?}"))
    }

    fn line(&mut self) -> Result<String> {
        tokio::task::block_in_place(|| {
            let mut line = String::new();
            self.output.read_line(&mut line)?;
            Ok(line)
        })
    }
}

/// The main function of the process.
pub async fn be_honest(address: SocketAddr, guests: usize, folder: &Path) -> Result<()> {
    let keys = Keys::load_or_make(folder).await?;
    let stop = CancellationToken::new();
    let mut listeners = JoinSet::new();
    for number in 0..guests {
        let guest = Member::join(address, &format!("guest-{number}"), keys.honest(FIRST_GUEST + number)).await?;
        listeners.spawn(guest.listen());
    }
    let chatter = Member::join(address, "chatter", keys.honest(0)).await?;
    let viewer = Link::join(address, "viewer", &LinkKeys::fixed()).await?;
    let chatting = tokio::spawn(chat(chatter, stop.clone()));
    let (started, has_started) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(watch(viewer, started, stop.clone()));
    has_started.await.context("the video does not start")?;
    println!("{READY}");
    std::io::stdout().flush()?;
    let newcomers = tokio::spawn(welcome_newcomers(address, keys, stop.clone()));
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
    stop.cancel();
    let chat = chatting.await?;
    let watched = watching.await?;
    let (newcomers, newcomers_served) = newcomers.await?;
    let mut report = Report { newcomers, newcomers_served, chat_lost: chat.lost, ..Report::default() };
    report.disconnected = usize::from(chat.is_disconnected) + usize::from(watched.is_disconnected);
    while let Some(ended) = listeners.try_join_next() {
        eprintln!("a guest was disconnected: {:#}", ended?);
        report.disconnected += 1;
    }
    let quantile =
        |part: f64| chat.times.get(((chat.times.len() as f64 * part) as usize).min(chat.times.len().max(1) - 1));
    report.chat_p50 = quantile(0.5).copied().unwrap_or(CHAT_DEADLINE);
    report.chat_p99 = quantile(0.99).copied().unwrap_or(CHAT_DEADLINE);
    (report.pictures, report.longest_stall) = (watched.pictures, watched.longest_stall);
    println!("{}", report.to_line());
    Ok(())
}

#[derive(Default)]
struct Chat {
    /// Sorted.
    times: Vec<Duration>,
    lost: usize,
    is_disconnected: bool,
}

async fn chat(mut member: Member, stop: CancellationToken) -> Chat {
    let (mut chat, mut sent_at) = (Chat::default(), HashMap::new());
    let (mut number, mut ticks) = (0_u64, interval(CHAT_INTERVAL));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {
                number += 1;
                sent_at.insert(number, Instant::now());
                let envelope = Blob(envelope(member.key_id, number));
                if member.send(block([ClientMessage::Say { envelope }])).await.is_err() {
                    chat.is_disconnected = true;
                    break;
                }
            }
            message = member.receive() => match message {
                Ok(ServerMessage::Relayed { envelope }) => {
                    let own = message_number(&envelope.0).and_then(|number| sent_at.remove(&number));
                    chat.times.extend(own.map(|at| at.elapsed()));
                }
                Ok(_) => {}
                Err(error) => {
                    eprintln!("the chatter was disconnected: {error:#}");
                    chat.is_disconnected = true;
                    break;
                }
            },
        }
    }
    chat.times.sort();
    chat.lost = sent_at.values().filter(|at| at.elapsed() > CHAT_DEADLINE || chat.is_disconnected).count();
    chat
}

/// An envelope with a valid layout to one recipient, as small as one can be.
pub fn envelope(key_id: KeyId, number: u64) -> Vec<u8> {
    let mut bytes = vec![1, 1];
    bytes.extend_from_slice(&[0xa7; 8]);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&1_u16.to_be_bytes());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&256_u16.to_be_bytes());
    bytes.resize(bytes.len() + 256 + 16, 0);
    bytes
}

/// The number of an envelope of the chatter's. Those of attackers have numbers of their own.
fn message_number(envelope: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(envelope.get(10..18)?.try_into().ok()?))
}

#[derive(Default)]
struct Watched {
    pictures: f64,
    longest_stall: Duration,
    is_disconnected: bool,
}

/// The clock of a viewer, which waits for a picture that is late.
#[derive(Default)]
struct Clock {
    /// When the stream's time zero was shown.
    zero: Option<Instant>,
    /// Presentation times of items that have arrived and whose credit was not granted again.
    waiting: VecDeque<u64>,
    longest_stall: Duration,
}

impl Clock {
    fn arrived(&mut self, pts_nanos: u64) {
        self.waiting.push_back(pts_nanos);
        let (now, pts) = (Instant::now(), Duration::from_nanos(pts_nanos));
        let zero = self.zero.get_or_insert(now);
        let late = now.saturating_duration_since(*zero + pts);
        *zero += late;
        self.longest_stall = self.longest_stall.max(late);
    }

    fn next_lot_at(&self) -> Option<Instant> {
        Some(self.zero? + Duration::from_nanos(*self.waiting.get(GRANT_LOT_ITEMS - 1)?))
    }
}

async fn watch(mut link: Link, started: tokio::sync::oneshot::Sender<()>, stop: CancellationToken) -> Watched {
    let mut started = Some(started);
    let mut watched = Watched::default();
    let mut begun_at = Instant::now();
    let (mut stream, mut clock, mut shown) = (0, Clock::default(), 0);
    let mut period = Duration::from_millis(33);
    if let Err(error) = request(&mut link, &mut stream) {
        eprintln!("the viewer cannot watch: {error:#}");
        return watched;
    }
    let error = loop {
        let wake_at = clock.next_lot_at();
        let received = tokio::select! {
            () = stop.cancelled() => break None,
            received = link.receive() => received,
            () = sleep_until(TokioInstant::from_std(wake_at.unwrap_or(begun_at))), if wake_at.is_some() => {
                clock.waiting.drain(..GRANT_LOT_ITEMS);
                let items = GRANT_LOT_ITEMS as u32;
                match link.send(&[ClientMessage::Grant { stream: StreamId(stream), epoch: Epoch(0), items }]) {
                    Ok(()) => continue,
                    Err(error) => break Some(error),
                }
            }
        };
        match received {
            Ok(Received::Picture(head)) => {
                clock.arrived(head.pts_nanos);
                period = Duration::from_nanos(head.duration_nanos);
                shown += 1;
                if let Some(started) = started.take() {
                    // Measured from here.
                    (begun_at, shown) = (Instant::now(), 0);
                    let _ = started.send(());
                }
            }
            Ok(Received::Sound(head)) => clock.waiting.push_back(head.pts_nanos),
            Ok(Received::Message(ServerMessage::StreamEnded { reason, .. })) => {
                if reason != common::message::EndReason::Finished {
                    eprintln!("the viewer's stream ended: {reason:?}");
                }
                watched.longest_stall = watched.longest_stall.max(clock.longest_stall);
                clock = Clock::default();
                if let Err(error) = request(&mut link, &mut stream) {
                    break Some(error);
                }
            }
            Ok(Received::Message(_)) => {}
            Err(error) => break Some(error),
        }
    };
    if let Some(error) = error {
        eprintln!("the viewer was disconnected: {error:#}");
        watched.is_disconnected = true;
    }
    watched.longest_stall = watched.longest_stall.max(clock.longest_stall);
    let due = begun_at.elapsed().as_secs_f64() / period.as_secs_f64();
    watched.pictures = (f64::from(shown) / due).min(1.0);
    watched
}

fn request(link: &mut Link, stream: &mut u32) -> Result<()> {
    *stream += 1;
    let (stream, video) = (StreamId(*stream), link.video()?.id);
    link.send(&[
        ClientMessage::Watch(WatchRequest {
            stream,
            video,
            quality: Quality::Only(WATCHED_HEIGHT),
            from: Position::START,
        }),
        ClientMessage::Grant { stream, epoch: Epoch(0), items: WINDOW_ITEMS },
    ])
}

/// Returns how many newcomers tried to join, and how many of them were welcomed in time.
async fn welcome_newcomers(address: SocketAddr, keys: Keys, stop: CancellationToken) -> (usize, usize) {
    let mut joining = JoinSet::new();
    let mut ticks = interval(NEWCOMER_INTERVAL);
    for number in 0..NEWCOMERS {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let keys = keys.clone();
        joining.spawn(async move {
            let name = format!("newcomer-{number}");
            let join =
                timeout(NEWCOMER_LIMIT, Member::join(address, &name, keys.honest(FIRST_NEWCOMER + number))).await;
            match join {
                Ok(Ok(_)) => true,
                Ok(Err(error)) => {
                    eprintln!("a newcomer was not welcomed: {error:#}");
                    false
                }
                Err(_) => false,
            }
        });
    }
    let served = joining.join_all().await;
    (served.len(), served.iter().filter(|&&is_served| is_served).count())
}
