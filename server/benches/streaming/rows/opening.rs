//! How soon something is seen: rows 3 and 6.

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
    link::{Heard, Link},
    served::Served,
    table::{Row, Table, largest, median, millis, quantile, spread},
};

/// Times that a video is begun in one run when its opening is kept; the median counts.
const WATCHES: u32 = 5;

/// Between them: nobody clicks on machines that are wide awake.
const PAUSE: Duration = Duration::from_millis(200);

/// Seeks that are measured, and how many are tried at most.
const SEEKS: usize = 60;
const MOST_SEEKS: u32 = 150;

/// A place so close behind another one may have been made with it: what is made ahead, and what a decoder rather
/// decodes on the way than opens the file again for, with as much again to be sure.
const NEAR_FRAMES: u32 = 64;

impl Bench {
    /// Row 3.
    pub async fn first_picture(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let file = clip.thirds.first().context("no third")?;
        // The first time, GStreamer loads its plugins.
        bare::first_jpeg(file)?;
        let (mut bare, mut warm, mut cold) = (vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (usual, mut usual_link) = Served::rested(&self.server, &clip.videos, None).await?;
            let mut times = Vec::new();
            for number in 1..=WATCHES {
                sleep(PAUSE).await;
                times.push(millis(first_picture(&mut usual_link, StreamId(number)).await?));
            }
            warm.push(median(&times));
            drop(usual);
            // Keeps no opening, and at rest no decoder either: each picture has to be made from the file.
            let (bare_store, mut link) = Served::rested(&self.server, &clip.videos, Some(0)).await?;
            let before = link.statistics().await?;
            cold.push(millis(first_picture(&mut link, StreamId(1)).await?));
            let after = link.statistics().await?;
            ensure!(after.misses > before.misses, "a picture that should have been made was there: {after:?}");
            drop(bare_store);
            let mut times = Vec::new();
            for _ in 0..WATCHES {
                sleep(PAUSE).await;
                times.push(millis(bare::first_jpeg(file)?));
            }
            bare.push(median(&times));
        }
        for (name, values, most_ms, most_ratio) in
            [("warm", &warm, Some(5.0), 0.2), ("cold, nothing kept", &cold, None, 1.0)]
        {
            let ratios = ratios(values, &bare);
            let time_bar = most_ms.map(|ms| format!("<= {ms} ms and ")).unwrap_or_default();
            table.add(Row {
                what: format!("3 play to first picture, {name} ({})", clip.name),
                beside: "bare pipeline's first JPEG, 240p".into(),
                measured: format!("{:.1} / {:.1} ms", median(values), median(&bare)),
                ratio: spread(&ratios),
                bar: format!("{time_bar}<= {most_ratio}"),
                is_met: Some(most_ms.is_none_or(|ms| median(values) <= ms) && median(&ratios) <= most_ratio),
            });
        }
        Ok(())
    }

    /// Row 6.
    pub async fn seeks(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        // Nothing is kept, so whatever is not near a place that was just wanted has to be made from the file.
        let (_served, mut link) = Served::rested(&self.server, &clip.videos, Some(0)).await?;
        link.watch(StreamId(1), Position::START, 1)?;
        let segments = next_picture(&mut link, StreamId(1), Epoch(0)).await?.context("no segments")?;
        let (mut times, mut place, mut seed) = (Vec::new(), 0, 1u64);
        for number in 1..=MOST_SEEKS {
            // Knuth's MMIX generator: the same places in each run and on each machine.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let segment = segments[number as usize % segments.len()];
            let offset = (seed >> 33) as u32 % segment.frame_count;
            let next = segment.first_index + offset;
            // The beginnings of the thirds are made ahead of whoever comes near them.
            let near = NEAR_FRAMES.min(segment.frame_count / 4);
            if offset < near || (place..place + near).contains(&next) {
                continue;
            }
            let before = link.statistics().await?;
            let epoch = Epoch(number);
            let asked_at = Instant::now();
            link.say(&[
                ClientMessage::Seek(SeekRequest { stream: StreamId(1), epoch, to: Position::Picture(next) }),
                ClientMessage::Grant { stream: StreamId(1), epoch, items: 1 },
            ])?;
            next_picture(&mut link, StreamId(1), epoch).await?;
            let took = asked_at.elapsed();
            if link.statistics().await?.misses > before.misses {
                times.push(millis(took));
            }
            place = next;
            if times.len() == SEEKS {
                break;
            }
            // So that what is made ahead is made, as when somebody looks at the picture.
            sleep(Duration::from_millis(100)).await;
        }
        ensure!(times.len() == SEEKS, "only {} of {MOST_SEEKS} seeks were misses", times.len());
        let (middle, worst) = (median(&times), largest(&times));
        table.add(Row {
            what: format!("6 seek to picture, nothing kept ({})", clip.name),
            beside: format!("{SEEKS} misses, all thirds"),
            measured: format!("median {middle:.0}, 90 % below {:.0}, worst {worst:.0} ms", quantile(&times, 0.9)),
            ratio: String::new(),
            bar: "<= 100, worst <= 250 ms".into(),
            is_met: Some(middle <= 100.0 && worst <= 250.0),
        });
        Ok(())
    }
}

/// From asking to the whole picture.
async fn first_picture(link: &mut Link, stream: StreamId) -> Result<Duration> {
    let asked_at = link.watch(stream, Position::START, 1)?;
    next_picture(link, stream, Epoch(0)).await?;
    let took = asked_at.elapsed();
    // The stream makes a head start, which is nobody's concern here.
    link.say(&[ClientMessage::Stop { stream }])?;
    Ok(took)
}

/// Waits for a picture of this stretch. Returns the segments if they were told meanwhile.
async fn next_picture(link: &mut Link, wanted_stream: StreamId, wanted: Epoch) -> Result<Option<Vec<SegmentInfo>>> {
    let mut told = None;
    loop {
        match link.hear().await? {
            Heard::Picture(head) if (head.stream, head.epoch) == (wanted_stream, wanted) => return Ok(told),
            Heard::Said(ServerMessage::StreamStarted(StreamStart { segments, .. })) => told = Some(segments),
            Heard::Said(ServerMessage::StreamEnded { stream, epoch, reason })
                if (stream, epoch) == (wanted_stream, wanted) =>
            {
                bail!("the stream ended without a picture: {reason:?}")
            }
            _ => {}
        }
    }
}
