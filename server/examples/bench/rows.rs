//! The comparisons, one method each.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use common::{
    media::{Epoch, Position, StreamId},
    message::{ClientMessage, EndReason, ServerMessage},
};

use crate::{
    bare,
    clips::Clip,
    crowd::{self, Seen},
    link::{Heard, Keys, Link},
    served::Served,
    table::{Row, Table, largest, median, millis, quantile, spread},
};

/// Credit of a viewer that takes all it can get, and how much of it comes back at a time.
const CREDIT: u32 = 64;
const GRANT_LOT_ITEMS: u32 = 8;

/// Seeks that are measured, and how many are tried at most.
const SEEKS: usize = 60;
const MOST_SEEKS: u32 = 150;

/// A place so close behind another one may have been made with it: what is made ahead, and what a decoder rather
/// decodes on the way than opens the file again for, with as much again to be sure.
const NEAR_FRAMES: u32 = 64;

/// Pictures of each third of the long clip that are pulled when not all of it is.
const EXCERPT_FRAMES: usize = 1_000;

/// What all rows need.
pub struct Bench {
    /// The server's program.
    pub server: PathBuf,
    /// How often each comparison is made.
    pub runs: usize,
}

/// A stream that was pulled as fast as it came.
struct Pull {
    asked_at: Instant,
    /// When each picture was there whole, and the height of its file.
    arrivals: Vec<(Instant, u32)>,
}

impl Bench {
    /// Rows 1, 2 and 4.
    pub async fn unthrottled(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let (mut cold, mut warm, mut bare, mut queued, mut starting) = (vec![], vec![], vec![], vec![], vec![]);
        let (mut splices, mut usual) = (vec![], vec![]);
        for _ in 0..self.runs {
            let (served, mut link) = Served::rested(&self.server, &clip.videos, None).await?;
            let pull = Pull::all(&mut link, StreamId(1), clip).await?;
            cold.push(pull.rate());
            let (splice, median_gap) = pull.gaps();
            splices.push(splice);
            usual.push(median_gap);
            warm.push(Pull::all(&mut link, StreamId(2), clip).await?.rate());
            drop((link, served));
            let rate = |took: Duration| clip.frames as f64 / took.as_secs_f64();
            let idle = bare::nothing(clip.thirds.len()).await?;
            let plain = bare::thirds(&clip.thirds, &[]).await?;
            bare.push(rate(plain));
            starting.push(rate(plain.saturating_sub(idle)));
            queued.push(rate(bare::thirds(&clip.thirds, &["queue", "!"]).await?));
        }
        let pairs = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a / b).collect::<Vec<_>>();
        let what = |what: &str| format!("{what} ({})", clip.name);
        let against = |beside: String, others: &[f64], bar: Option<f64>| {
            let ratios = pairs(&cold, others);
            Row {
                what: what("1 unthrottled, cold"),
                beside,
                measured: format!("{:.0} / {:.0} frames/s", median(&cold), median(others)),
                ratio: spread(&ratios),
                bar: bar.map(|bar| format!(">= {bar}")).unwrap_or_default(),
                is_met: bar.map(|bar| median(&ratios) >= bar),
            }
        };
        table.add(against(format!("bare gst-launch, thirds {}", clip.cut), &bare, Some(1.5)));
        table.add(against("the same less the start of gst-launch".into(), &starting, None));
        table.add(against("bare with a queue before jpegenc".into(), &queued, None));
        let ratios = pairs(&warm, &cold);
        table.add(Row {
            what: what("2 unthrottled, warm"),
            beside: "cold".into(),
            measured: format!("{:.0} / {:.0} frames/s", median(&warm), median(&cold)),
            ratio: spread(&ratios),
            bar: ">= 10".into(),
            is_met: Some(median(&ratios) >= 10.0),
        });
        let period_ms = millis(clip.period);
        table.add(Row {
            what: what("4 longest gap at a splice, cold"),
            beside: "median gap".into(),
            measured: format!(
                "{:.1} (worst run {:.1}) / {:.1} ms",
                median(&splices),
                largest(&splices),
                median(&usual)
            ),
            ratio: spread(&pairs(&splices, &usual)),
            bar: format!("<= {period_ms:.1} ms"),
            is_met: Some(median(&splices) <= period_ms),
        });
        Ok(())
    }

    /// Row 3.
    pub async fn first_picture(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let file = clip.thirds.first().context("no third")?;
        // The first time, GStreamer loads its plugins.
        bare::first_jpeg(file)?;
        let (mut bare, mut warm, mut cold) = (vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (usual, mut usual_link) = Served::rested(&self.server, &clip.videos, None).await?;
            warm.push(millis(first_picture(&mut usual_link).await?));
            drop(usual);
            // Keeps no opening, and at rest no decoder either: each picture has to be made from the file.
            let (bare_store, mut link) = Served::rested(&self.server, &clip.videos, Some(0)).await?;
            let before = link.statistics().await?;
            cold.push(millis(first_picture(&mut link).await?));
            let after = link.statistics().await?;
            ensure!(after.misses > before.misses, "a picture that should have been made was there: {after:?}");
            drop(bare_store);
            bare.push(millis(bare::first_jpeg(file)?));
        }
        for (name, values, most_ms, most_ratio) in
            [("warm", &warm, Some(5.0), 0.2), ("cold, nothing kept", &cold, None, 1.0)]
        {
            let ratios: Vec<_> = values.iter().zip(&bare).map(|(value, bare)| value / bare).collect();
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

    /// Row 5.
    pub async fn crowd(&self, clip: &Clip, viewers: usize, table: &mut Table) -> Result<()> {
        eprintln!("making {viewers} keys …");
        let mut makers = Vec::new();
        for _ in 0..viewers {
            makers.push(tokio::task::spawn_blocking(Keys::fresh));
        }
        let mut keys = Vec::new();
        for maker in makers {
            keys.push(maker.await?);
        }
        let (single, one_seconds) = self.watched(clip, &keys[..1]).await?;
        let (all, all_seconds) = self.watched(clip, &keys).await?;
        let worst_rate = all.iter().map(|seen| seen.rate).fold(f64::INFINITY, f64::min);
        let most =
            |pick: fn(&Seen) -> Duration| largest(&all.iter().map(|seen| millis(pick(seen))).collect::<Vec<_>>());
        let (latest_ms, gap_ms) = (most(|seen| seen.latest), most(|seen| seen.longest_gap));
        let late: usize = all.iter().map(|seen| seen.late_pictures).sum();
        let nominal = 1.0 / clip.period.as_secs_f64();
        let is_whole = all.iter().all(|seen| seen.pictures == clip.frames);
        table.add(Row {
            what: format!("5 {viewers} viewers at its own speed ({})", clip.name),
            beside: "one viewer".into(),
            measured: format!(
                "slowest {worst_rate:.2} / {:.2} frames/s, longest gap {gap_ms:.0} / {:.0} ms, {late} of {} late, by {latest_ms:.0} ms at most",
                single[0].rate,
                millis(single[0].longest_gap),
                clip.frames * viewers,
            ),
            ratio: format!("{:.3}", worst_rate / single[0].rate),
            bar: format!(">= {:.1} frames/s each, no gap > 200 ms", nominal * 0.99),
            is_met: Some(is_whole && worst_rate >= nominal * 0.99 && gap_ms <= 200.0),
        });
        let each = all_seconds / viewers as f64;
        table.add(Row {
            what: format!("5 processor time of the server for each of {viewers}"),
            beside: "one viewer, also cold".into(),
            measured: format!("{each:.3} / {one_seconds:.2} s"),
            ratio: format!("{:.3}", each / one_seconds),
            bar: "<= 0.1".into(),
            is_met: Some(each / one_seconds <= 0.1),
        });
        Ok(())
    }

    /// How it goes for some viewers at a fresh server, and what processor time the server takes for them.
    async fn watched(&self, clip: &Clip, keys: &[Keys]) -> Result<(Vec<Seen>, f64)> {
        let served = Served::start(&self.server, &clip.videos, None)?;
        let mut links = Vec::new();
        for (number, keys) in keys.iter().enumerate() {
            links.push(served.join(&format!("viewer {number}"), keys).await?);
        }
        served.rest(&mut links[0]).await?;
        let before = served.processor_seconds()?;
        let watching: Vec<_> =
            links.into_iter().map(|mut link| tokio::spawn(async move { crowd::watch(&mut link).await })).collect();
        let mut all = Vec::new();
        for viewer in watching {
            all.push(viewer.await??);
        }
        Ok((all, served.processor_seconds()? - before))
    }

    /// Row 6.
    pub async fn seeks(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        // Nothing is kept, so whatever is not near a place that was just wanted has to be made from the file.
        let (_served, mut link) = Served::rested(&self.server, &clip.videos, Some(0)).await?;
        link.watch(StreamId(1), Position::START, 1)?;
        let segments = next_picture(&mut link, Epoch(0)).await?.context("no segments")?;
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
                ClientMessage::Seek { stream: StreamId(1), epoch, to: Position::Picture(next) },
                ClientMessage::Grant { stream: StreamId(1), epoch, items: 1 },
            ])?;
            next_picture(&mut link, epoch).await?;
            let took = asked_at.elapsed();
            if link.statistics().await?.misses > before.misses {
                times.push(millis(took));
            }
            place = next;
            if times.len() == SEEKS {
                break;
            }
            // So that what is made ahead is made, as when somebody looks at the picture.
            tokio::time::sleep(Duration::from_millis(100)).await;
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

    /// Row 7.
    pub async fn memory(&self, short: &Clip, long: &Clip, table: &mut Table) -> Result<()> {
        for (cache_mib, is_excerpt) in [(64, false), (512, true)] {
            let (short_mib, short_held) = self.peak(short, cache_mib, false).await?;
            let (long_mib, long_held) = self.peak(long, cache_mib, is_excerpt).await?;
            // The cache is meant to fill up, and the short clip does not fill a large one.
            let ratio = (long_mib - long_held) / (short_mib - short_held);
            let limit = 200.0 + cache_mib as f64;
            let excerpt = if is_excerpt { format!(", {EXCERPT_FRAMES} frames of each third") } else { String::new() };
            table.add(Row {
                what: format!("7 peak memory, cache of {cache_mib} MiB ({}{excerpt})", long.name),
                beside: short.name.clone(),
                measured: format!("{long_mib:.0} ({long_held:.0} of it cache) / {short_mib:.0} ({short_held:.0}) MiB"),
                ratio: format!("{ratio:.2} without cache"),
                bar: format!("<= 1.1, each <= {limit:.0} MiB"),
                is_met: Some(ratio <= 1.1 && long_mib <= limit && short_mib <= limit),
            });
        }
        Ok(())
    }

    /// The most memory that a server takes for a clip, and how much of the cache is full at the end, in MiB.
    async fn peak(&self, clip: &Clip, cache_mib: u64, is_excerpt: bool) -> Result<(f64, f64)> {
        let (served, mut link) = Served::rested(&self.server, &clip.videos, Some(cache_mib)).await?;
        if is_excerpt {
            for third in 0..3 {
                let from = Position::Picture((third * clip.frames / 3) as u32);
                Pull::some(&mut link, StreamId(third as u32 + 1), from, EXCERPT_FRAMES).await?;
            }
        } else {
            Pull::all(&mut link, StreamId(1), clip).await?;
        }
        let held_mib = link.statistics().await?.held_bytes as f64 / 1_048_576.0;
        Ok((served.peak_mib()?, held_mib))
    }
}

/// From asking to the whole picture. The link is used up: what comes later is not read.
async fn first_picture(link: &mut Link) -> Result<Duration> {
    let asked_at = link.watch(StreamId(1), Position::START, 1)?;
    next_picture(link, Epoch(0)).await?;
    Ok(asked_at.elapsed())
}

/// Waits for a picture of this stretch. Returns the segments if they were told meanwhile.
async fn next_picture(link: &mut Link, wanted: Epoch) -> Result<Option<Vec<common::media::SegmentInfo>>> {
    let mut told = None;
    loop {
        match link.hear().await? {
            Heard::Picture(head) if head.epoch == wanted => return Ok(told),
            Heard::Said(ServerMessage::StreamStarted { segments, .. }) => told = Some(segments),
            Heard::Said(ServerMessage::StreamEnded { epoch, reason, .. }) if epoch == wanted => {
                bail!("the stream ended without a picture: {reason:?}")
            }
            _ => {}
        }
    }
}

impl Pull {
    /// All of the video.
    async fn all(link: &mut Link, stream: StreamId, clip: &Clip) -> Result<Self> {
        let pull = Self::some(link, stream, Position::START, usize::MAX).await?;
        let count = pull.arrivals.len();
        ensure!(count == clip.frames, "{count} pictures came instead of {}", clip.frames);
        Ok(pull)
    }

    /// At most so many pictures.
    async fn some(link: &mut Link, stream: StreamId, from: Position, at_most: usize) -> Result<Self> {
        let asked_at = link.watch(stream, from, CREDIT)?;
        let (mut arrivals, mut spent) = (Vec::new(), 0);
        loop {
            match link.hear().await? {
                Heard::Picture(head) if head.stream == stream => {
                    arrivals.push((Instant::now(), head.height));
                    spent += 1;
                }
                Heard::Sound(head) if head.stream == stream => spent += 1,
                Heard::Said(ServerMessage::StreamEnded { stream: ended, reason, .. }) if ended == stream => {
                    ensure!(reason == EndReason::Finished, "the stream went wrong: {reason:?}");
                    break;
                }
                _ => {}
            }
            if arrivals.len() >= at_most {
                break;
            }
            if spent >= GRANT_LOT_ITEMS {
                link.say(&[ClientMessage::Grant { stream, epoch: Epoch(0), items: spent }])?;
                spent = 0;
            }
        }
        Ok(Self { asked_at, arrivals })
    }

    /// Frames per second from asking to the last one.
    fn rate(&self) -> f64 {
        let last = self.arrivals.last().map_or(self.asked_at, |&(at, _)| at);
        self.arrivals.len() as f64 / (last - self.asked_at).as_secs_f64()
    }

    /// The longest gap at a splice and the median gap, in milliseconds.
    fn gaps(&self) -> (f64, f64) {
        let pairs = || self.arrivals.windows(2).map(|pair| (pair[0], pair[1]));
        let all: Vec<_> = pairs().map(|(before, after)| millis(after.0 - before.0)).collect();
        let at_splices: Vec<_> = pairs()
            .filter(|(before, after)| before.1 != after.1)
            .map(|(before, after)| millis(after.0 - before.0))
            .collect();
        (largest(&at_splices), median(&all))
    }
}
