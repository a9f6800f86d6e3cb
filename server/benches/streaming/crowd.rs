//! A viewer that plays at the video's own speed, like the client: it shows each picture at its time, and grants credit
//! again for what it has shown.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use common::{
    media::{Epoch, Position, StreamId},
    message::{ClientMessage, EndReason, ServerMessage},
};
use tokio::time::{Instant as TokioInstant, sleep_until};

use crate::link::{GRANT_LOT_ITEMS, Link, Received, WINDOW_ITEMS};

/// The clock starts when this much of the stream has arrived, as in the client.
const START_SPAN: Duration = Duration::from_millis(100);

const STREAM: StreamId = StreamId(1);

/// The measurements of one viewer.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Pictures that arrived.
    pub pictures: usize,
    /// Pictures shown per second, from the first to the last.
    pub rate: f64,
    /// The largest delay of a picture after the time at which it was due.
    pub latest: Duration,
    /// Pictures that arrived after they were due.
    pub late_pictures: usize,
    /// The longest time for which one picture was shown.
    pub longest_gap: Duration,
}

/// The playback of one viewer.
struct Playback {
    asked_at: Instant,
    /// When the stream's time zero was shown; `None` until the clock starts.
    zero: Option<Instant>,
    /// Presentation times of items that have arrived and whose credit has not been granted again.
    waiting: VecDeque<u64>,
    /// Pictures that arrived before the clock started.
    early_pictures: usize,
    last_shown: Option<Instant>,
    first_shown: Option<Instant>,
    seen: Seen,
}

/// Watches the first video from start to end.
pub async fn watch(link: &mut Link) -> Result<Seen> {
    let asked_at = link.watch(STREAM, Position::START, WINDOW_ITEMS)?;
    let mut playback = Playback::new(asked_at);
    loop {
        let wake_at = playback.next_lot_at();
        let received = tokio::select! {
            received = link.receive() => received?,
            () = sleep_until(TokioInstant::from_std(wake_at.unwrap_or(asked_at))), if wake_at.is_some() => {
                let items = playback.take_shown();
                link.send(&[ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items }])?;
                continue;
            }
        };
        match received {
            Received::Picture(head) => {
                ensure!(head.index as usize == playback.seen.pictures, "picture {} arrived out of order", head.index);
                playback.arrived(head.pts_nanos);
                playback.picture(head.pts_nanos);
            }
            Received::Sound(head) => playback.arrived(head.pts_nanos),
            Received::Message(ServerMessage::StreamStarted(_)) => {}
            Received::Message(ServerMessage::StreamEnded { reason: EndReason::Finished, .. }) => {
                return Ok(playback.end());
            }
            other => bail!("unexpected message during a stream: {other:?}"),
        }
    }
}

impl Playback {
    fn new(asked_at: Instant) -> Self {
        Self {
            asked_at,
            zero: None,
            waiting: VecDeque::new(),
            early_pictures: 0,
            last_shown: None,
            first_shown: None,
            seen: Seen::default(),
        }
    }

    fn arrived(&mut self, pts_nanos: u64) {
        self.waiting.push_back(pts_nanos);
        if self.zero.is_none() && Duration::from_nanos(pts_nanos) >= START_SPAN {
            self.zero = Some(Instant::now());
        }
    }

    /// Records that a picture has arrived. Pictures before the start of the clock are never late.
    fn picture(&mut self, pts_nanos: u64) {
        self.seen.pictures += 1;
        let Some(zero) = self.zero else {
            self.early_pictures += 1;
            return;
        };
        let (due, now) = (zero + Duration::from_nanos(pts_nanos), Instant::now());
        let late = now.saturating_duration_since(due);
        self.seen.late_pictures += usize::from(!late.is_zero());
        self.seen.latest = self.seen.latest.max(late);
        let shown = due.max(now);
        self.first_shown.get_or_insert(shown);
        if let Some(last) = self.last_shown.replace(shown) {
            self.seen.longest_gap = self.seen.longest_gap.max(shown.saturating_duration_since(last));
        }
    }

    /// When the next credit is due: when [`GRANT_LOT_ITEMS`] waiting items have been shown.
    fn next_lot_at(&self) -> Option<Instant> {
        let pts_nanos = *self.waiting.get(GRANT_LOT_ITEMS - 1)?;
        Some(self.zero? + Duration::from_nanos(pts_nanos))
    }

    /// Removes the items that have been shown, and returns how many they are.
    fn take_shown(&mut self) -> u32 {
        let elapsed = self.zero.map(|zero| zero.elapsed()).unwrap_or_default();
        let shown = self.waiting.partition_point(|&pts_nanos| Duration::from_nanos(pts_nanos) <= elapsed);
        self.waiting.drain(..shown);
        shown as u32
    }

    fn end(mut self) -> Seen {
        let spans = self.seen.pictures.saturating_sub(self.early_pictures + 1);
        if let Some((first, last)) = self.first_shown.zip(self.last_shown) {
            self.seen.rate = spans as f64 / last.saturating_duration_since(first).as_secs_f64();
        }
        // Waiting for the clock to start is a gap as well.
        let began = self.zero.map(|zero| zero.saturating_duration_since(self.asked_at)).unwrap_or_default();
        self.seen.longest_gap = self.seen.longest_gap.max(began.saturating_sub(START_SPAN));
        self.seen
    }
}
