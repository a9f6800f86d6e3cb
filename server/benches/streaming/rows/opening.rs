//! Time to the first picture, and to the picture after a seek: rows 3 and 6.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use common::{
    media::{Epoch, Position, SeekRequest, SegmentInfo, StreamId, StreamStart},
    message::{ClientMessage, ServerMessage},
};
use tokio::time::sleep;

use super::{Bench, ratios};
use crate::{
    bare,
    clips::Clip,
    link::{Link, Received},
    served::Served,
    table::{Row, Table, largest, median, millis, quantile, spread},
};

/// Starts of the video in one run, of which the median counts.
pub const WATCHES: u32 = 5;

/// Pause before each start: people do not start videos back to back, so the server's threads are asleep.
pub const PAUSE: Duration = Duration::from_millis(200);

/// Seeks that are measured, and the most that are tried.
const SEEKS: usize = 60;
const MAX_SEEKS: u32 = 150;

/// A frame that follows another one this closely may have been decoded along with it: frames are prefetched, and a
/// decoder continues across short gaps instead of opening the file again. More than twice the sum of both, to be sure.
const NEAR_FRAMES: u32 = 64;

impl Bench {
    /// Row 3: `Watch` to first picture.
    pub async fn first_picture(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let file = clip.thirds.first().context("no third")?;
        // Not measured, because GStreamer loads its plugins the first time.
        bare::first_jpeg(file)?;
        let (mut bare, mut warm, mut cold) = (vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (served, mut link) = Served::start_idle(&self.server, &clip.videos, None).await?;
            let mut times = Vec::new();
            for number in 1..=WATCHES {
                sleep(PAUSE).await;
                times.push(millis(first_picture(&mut link, StreamId(number)).await?));
            }
            warm.push(median(&times));
            drop((link, served));
            // Without a cache no first picture is kept, and an idle server has no decoder: each picture comes from the file.
            let (served, mut link) = Served::start_idle(&self.server, &clip.videos, Some(0)).await?;
            let before = link.statistics().await?;
            cold.push(millis(first_picture(&mut link, StreamId(1)).await?));
            let after = link.statistics().await?;
            ensure!(
                after.misses > before.misses,
                "the picture was in the cache although nothing should be kept: {after:?}"
            );
            drop((link, served));
            let mut times = Vec::new();
            for _ in 0..WATCHES {
                sleep(PAUSE).await;
                times.push(millis(bare::first_jpeg(file)?));
            }
            bare.push(median(&times));
        }
        for (name, values, most_ms, most_ratio) in [("warm", &warm, Some(5.0), 0.2), ("cold", &cold, None, 1.0)] {
            let ratios = ratios(values, &bare);
            let time_target = most_ms.map(|ms| format!("<= {ms} ms and ")).unwrap_or_default();
            table.add(Row {
                what: format!("3 Watch to first picture, {name} ({})", clip.name),
                baseline: "first JPEG of a bare pipeline, 240p".into(),
                measured: format!("{:.1} / {:.1} ms", median(values), median(&bare)),
                ratio: spread(&ratios),
                target: format!("{time_target}<= {most_ratio}"),
                is_met: Some(most_ms.is_none_or(|ms| median(values) <= ms) && median(&ratios) <= most_ratio),
            });
        }
        Ok(())
    }

    /// Row 6: seek to picture.
    pub async fn seeks(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        // Nothing is kept, so every frame that is not close to a recently wanted one is decoded from the file.
        let (_served, mut link) = Served::start_idle(&self.server, &clip.videos, Some(0)).await?;
        let times = seek_times(&mut link).await?;
        let (median_ms, worst_ms) = (median(&times), largest(&times));
        table.add(Row {
            what: format!("6 seek to picture, empty frame store ({})", clip.name),
            baseline: format!("none; {SEEKS} positions in all thirds"),
            measured: format!("median {median_ms:.0}, 90 % below {:.0}, worst {worst_ms:.0} ms", quantile(&times, 0.9)),
            ratio: String::new(),
            target: "<= 100, worst <= 250 ms".into(),
            is_met: Some(median_ms <= 100.0 && worst_ms <= 250.0),
        });
        Ok(())
    }
}

/// The times of seeks to frames that are not in memory, in milliseconds.
pub async fn seek_times(link: &mut Link) -> Result<Vec<f64>> {
    link.watch(StreamId(1), Position::START, 1)?;
    let segments = next_picture(link, StreamId(1), Epoch(0)).await?.context("no segments")?;
    let (mut times, mut previous, mut seed) = (Vec::new(), 0, 1u64);
    for number in 1..=MAX_SEEKS {
        // Knuth's MMIX generator: the same frames in each run and on each machine.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let segment = segments[number as usize % segments.len()];
        let offset = (seed >> 33) as u32 % segment.frame_count;
        let next = segment.first_index + offset;
        // The first frames of a third are prefetched when a viewer comes close to them.
        let near = NEAR_FRAMES.min(segment.frame_count / 4);
        if offset < near || (previous..previous + near).contains(&next) {
            continue;
        }
        let before = link.statistics().await?;
        let epoch = Epoch(number);
        let asked_at = Instant::now();
        link.send(&[
            ClientMessage::Seek(SeekRequest { stream: StreamId(1), epoch, to: Position::Picture(next) }),
            ClientMessage::Grant { stream: StreamId(1), epoch, items: 1 },
        ])?;
        next_picture(link, StreamId(1), epoch).await?;
        let took = asked_at.elapsed();
        if link.statistics().await?.misses > before.misses {
            times.push(millis(took));
        }
        previous = next;
        if times.len() == SEEKS {
            break;
        }
        // Leaves time for the prefetch, as a person who looks at the picture does.
        sleep(Duration::from_millis(100)).await;
    }
    ensure!(times.len() == SEEKS, "only {} of {MAX_SEEKS} seeks were misses", times.len());
    Ok(times)
}

/// The time from the request until the first picture has arrived completely.
pub async fn first_picture(link: &mut Link, stream: StreamId) -> Result<Duration> {
    let asked_at = link.watch(stream, Position::START, 1)?;
    next_picture(link, stream, Epoch(0)).await?;
    let took = asked_at.elapsed();
    // The stream prefetches more, which is not measured here.
    link.send(&[ClientMessage::Stop { stream }])?;
    Ok(took)
}

/// Waits for a picture of this epoch. Returns the segments if the server has sent them in the meantime.
async fn next_picture(link: &mut Link, wanted_stream: StreamId, wanted: Epoch) -> Result<Option<Vec<SegmentInfo>>> {
    let mut segments_seen = None;
    loop {
        match link.receive().await? {
            Received::Picture(head) if (head.stream, head.epoch) == (wanted_stream, wanted) => {
                return Ok(segments_seen);
            }
            Received::Message(ServerMessage::StreamStarted(StreamStart { segments, .. })) => {
                segments_seen = Some(segments)
            }
            Received::Message(ServerMessage::StreamEnded { stream, epoch, reason })
                if (stream, epoch) == (wanted_stream, wanted) =>
            {
                bail!("the stream ended without a picture: {reason:?}")
            }
            _ => {}
        }
    }
}
