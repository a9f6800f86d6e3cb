//! An unthrottled viewer: it takes pictures as fast as the server sends them.

use std::time::Instant;

use anyhow::{Result, ensure};
use common::{
    media::{Epoch, Position, StreamId},
    message::{ClientMessage, EndReason, ServerMessage},
};

use crate::{
    clips::Clip,
    link::{Link, Received},
    table::{largest, median, millis},
};

/// The initial credit, and how many items are granted again at a time.
const CREDIT: u32 = 64;
const GRANT_LOT_ITEMS: u32 = 8;

/// The measurements of an unthrottled stream.
pub struct Pull {
    asked_at: Instant,
    /// When each picture had arrived completely, and its height.
    arrivals: Vec<(Instant, u32)>,
}

impl Pull {
    /// Pulls the whole video.
    pub async fn all(link: &mut Link, stream: StreamId, clip: &Clip) -> Result<Self> {
        let pull = Self::some(link, stream, Position::START, usize::MAX).await?;
        let count = pull.arrivals.len();
        ensure!(count == clip.frames, "{count} pictures arrived instead of {}", clip.frames);
        Ok(pull)
    }

    /// Pulls at most `at_most` pictures, beginning at `from`.
    pub async fn some(link: &mut Link, stream: StreamId, from: Position, at_most: usize) -> Result<Self> {
        let asked_at = link.watch(stream, from, CREDIT)?;
        let (mut arrivals, mut spent) = (Vec::new(), 0);
        loop {
            match link.receive().await? {
                Received::Picture(head) if head.stream == stream => {
                    arrivals.push((Instant::now(), head.height));
                    spent += 1;
                }
                Received::Sound(head) if head.stream == stream => spent += 1,
                Received::Message(ServerMessage::StreamEnded { stream: ended, reason, .. }) if ended == stream => {
                    ensure!(reason == EndReason::Finished, "the stream failed: {reason:?}");
                    break;
                }
                _ => {}
            }
            if arrivals.len() >= at_most {
                break;
            }
            if spent >= GRANT_LOT_ITEMS {
                link.send(&[ClientMessage::Grant { stream, epoch: Epoch(0), items: spent }])?;
                spent = 0;
            }
        }
        Ok(Self { asked_at, arrivals })
    }

    /// Frames per second from the request to the last picture.
    pub fn rate(&self) -> f64 {
        let last = self.arrivals.last().map_or(self.asked_at, |&(at, _)| at);
        self.arrivals.len() as f64 / (last - self.asked_at).as_secs_f64()
    }

    /// The longest gap at a splice and the median gap, in milliseconds.
    pub fn gaps(&self) -> (f64, f64) {
        let pairs = || self.arrivals.windows(2).map(|pair| (pair[0], pair[1]));
        let all: Vec<_> = pairs().map(|(before, after)| millis(after.0 - before.0)).collect();
        let at_splices: Vec<_> = pairs()
            .filter(|(before, after)| before.1 != after.1)
            .map(|(before, after)| millis(after.0 - before.0))
            .collect();
        (largest(&at_splices), median(&all))
    }
}
