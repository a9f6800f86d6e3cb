//! Viewers that watch as people do: each picture has its time, and credit comes back as things are shown.

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

use crate::link::{Heard, Link};

/// What a viewer may have outstanding or waiting, and how much credit it gives back at a time: as the client does.
const WINDOW_ITEMS: u32 = 36;
const GRANT_LOT_ITEMS: usize = 4;

/// The clock starts when so much of the stream is there, as at the client.
const START_SPAN: Duration = Duration::from_millis(100);

const STREAM: StreamId = StreamId(1);

/// How it went for one viewer.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Pictures that came.
    pub pictures: usize,
    /// Pictures shown in a second, from the first to the last.
    pub rate: f64,
    /// By how much the latest picture came after its time.
    pub latest: Duration,
    /// Pictures that came after their time.
    pub late_pictures: usize,
    /// The longest time that one picture stood.
    pub longest_gap: Duration,
}

/// What waits for its time, and what has had it.
struct Show {
    asked_at: Instant,
    /// When time zero of the stream is.
    zero: Option<Instant>,
    /// Times in the stream of what has come and is not granted again.
    waiting: VecDeque<u64>,
    /// Pictures that came before the clock started.
    early: usize,
    last_shown: Option<Instant>,
    first_shown: Option<Instant>,
    seen: Seen,
}

/// Watches the one video from its beginning to its end.
pub async fn watch(link: &mut Link) -> Result<Seen> {
    let asked_at = link.watch(STREAM, Position::START, WINDOW_ITEMS)?;
    let mut show = Show::new(asked_at);
    loop {
        let wake_at = show.next_lot_at();
        let heard = tokio::select! {
            heard = link.hear() => heard?,
            () = sleep_until(TokioInstant::from_std(wake_at.unwrap_or(asked_at))), if wake_at.is_some() => {
                let items = show.take_shown();
                link.say(&[ClientMessage::Grant { stream: STREAM, epoch: Epoch(0), items }])?;
                continue;
            }
        };
        match heard {
            Heard::Picture(head) => {
                ensure!(head.index as usize == show.seen.pictures, "picture {} came out of turn", head.index);
                show.arrived(head.pts_nanos);
                show.picture(head.pts_nanos);
            }
            Heard::Sound(head) => show.arrived(head.pts_nanos),
            Heard::Said(ServerMessage::StreamStarted(_)) => {}
            Heard::Said(ServerMessage::StreamEnded { reason: EndReason::Finished, .. }) => return Ok(show.end()),
            other => bail!("the stream went wrong: {other:?}"),
        }
    }
}

impl Show {
    fn new(asked_at: Instant) -> Self {
        Self {
            asked_at,
            zero: None,
            waiting: VecDeque::new(),
            early: 0,
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

    /// A picture came. Those before the clock starts are all in time.
    fn picture(&mut self, pts_nanos: u64) {
        self.seen.pictures += 1;
        let Some(zero) = self.zero else {
            self.early += 1;
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

    /// When a lot of what waits has had its time.
    fn next_lot_at(&self) -> Option<Instant> {
        let pts_nanos = *self.waiting.get(GRANT_LOT_ITEMS - 1)?;
        Some(self.zero? + Duration::from_nanos(pts_nanos))
    }

    /// Counts what has had its time, to be granted again.
    fn take_shown(&mut self) -> u32 {
        let elapsed = self.zero.map(|zero| zero.elapsed()).unwrap_or_default();
        let shown = self.waiting.partition_point(|&pts_nanos| Duration::from_nanos(pts_nanos) <= elapsed);
        self.waiting.drain(..shown);
        shown as u32
    }

    fn end(mut self) -> Seen {
        let spans = self.seen.pictures.saturating_sub(self.early + 1);
        if let Some((first, last)) = self.first_shown.zip(self.last_shown) {
            self.seen.rate = spans as f64 / last.saturating_duration_since(first).as_secs_f64();
        }
        // What stood before the clock started counts as standing, too.
        let began = self.zero.map(|zero| zero.saturating_duration_since(self.asked_at)).unwrap_or_default();
        self.seen.longest_gap = self.seen.longest_gap.max(began.saturating_sub(START_SPAN));
        self.seen
    }
}
