//! Someone who watches at the video's own speed, as the client does, and measures how late the pictures come.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::Result;
use common::{
    media::{Epoch, Position, Quality, StreamId},
    message::{ClientMessage, EndReason, ServerMessage},
    test_messages::watch_message,
};
use tokio::{
    sync::oneshot,
    time::{Instant as TokioInstant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::link::{GRANT_LOT_ITEMS, Link, Received, WINDOW_ITEMS};

const WATCHED_HEIGHT: u32 = 720;

/// What the viewer noticed.
#[derive(Default)]
pub struct Watched {
    /// The part of the pictures that it could show, at most 1.
    pub pictures: f64,
    /// The longest time for which the picture was late.
    pub longest_stall: Duration,
    /// Whether the server ended the connection.
    pub is_disconnected: bool,
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

/// Watches the first video over and over until it is stopped or disconnected. `started` is told of the first picture.
pub async fn watch(mut link: Link, started: oneshot::Sender<()>, stop: CancellationToken) -> Watched {
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
                if reason != EndReason::Finished {
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
        watch_message(stream, video, Quality::Only(WATCHED_HEIGHT), Position::START),
        ClientMessage::Grant { stream, epoch: Epoch(0), items: WINDOW_ITEMS },
    ])
}
