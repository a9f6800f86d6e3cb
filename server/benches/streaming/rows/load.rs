//! Many viewers, and memory: rows 5 and 7.

use std::{pin::pin, time::Duration};

use anyhow::Result;
use common::media::{Position, StreamId};
use tokio::time::interval;

use super::Bench;
use crate::{
    clips::Clip,
    crowd::{self, Seen},
    link::Keys,
    pull::Pull,
    served::Served,
    table::{Row, Table, largest, millis},
};

/// Pictures of each third of the long clip that are pulled when only an excerpt is.
const EXCERPT_FRAMES: usize = 1_000;

/// How much memory server and worker processes may take beside the cache.
const MEMORY_MIB: f64 = 200.0;

/// How often memory is read. Each time costs the kernel a millisecond for each process.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

impl Bench {
    /// Row 5: many viewers at the clip's speed.
    pub async fn crowd(&self, clip: &Clip, viewers: usize, table: &mut Table) -> Result<()> {
        eprintln!("making {viewers} keys …");
        let mut tasks = Vec::new();
        for _ in 0..viewers {
            tasks.push(tokio::task::spawn_blocking(Keys::fresh));
        }
        let mut keys = Vec::new();
        for task in tasks {
            keys.push(task.await?);
        }
        let (single, single_seconds) = self.watched(clip, &keys[..1]).await?;
        let (all, all_seconds) = self.watched(clip, &keys).await?;
        let worst_rate = all.iter().map(|seen| seen.rate).fold(f64::INFINITY, f64::min);
        let most =
            |pick: fn(&Seen) -> Duration| largest(&all.iter().map(|seen| millis(pick(seen))).collect::<Vec<_>>());
        let (latest_ms, gap_ms) = (most(|seen| seen.latest), most(|seen| seen.longest_gap));
        let late: usize = all.iter().map(|seen| seen.late_pictures).sum();
        let nominal = 1.0 / clip.period.as_secs_f64();
        let is_whole = all.iter().all(|seen| seen.pictures == clip.frames);
        table.add(Row {
            what: format!("5 {viewers} viewers at the clip's speed ({})", clip.name),
            baseline: "a single viewer".into(),
            measured: format!(
                "slowest {worst_rate:.2} / {:.2} frames/s, longest gap {gap_ms:.0} / {:.0} ms, {late} of {} late, by {latest_ms:.0} ms at most",
                single[0].rate,
                millis(single[0].longest_gap),
                clip.frames * viewers,
            ),
            ratio: format!("{:.3}", worst_rate / single[0].rate),
            target: format!(">= {:.1} frames/s each, no gap > 200 ms", nominal * 0.99),
            is_met: Some(is_whole && worst_rate >= nominal * 0.99 && gap_ms <= 200.0),
        });
        let each = all_seconds / viewers as f64;
        table.add(Row {
            what: format!("5 server's processor time per viewer, {viewers} viewers"),
            baseline: "with a single viewer, also cold".into(),
            measured: format!("{each:.3} / {single_seconds:.2} s"),
            ratio: format!("{:.3}", each / single_seconds),
            target: "<= 0.1".into(),
            is_met: Some(each / single_seconds <= 0.1),
        });
        Ok(())
    }

    /// Lets one viewer for each key watch the clip at its speed, from a new server. Returns their measurements and the
    /// server's processor time in seconds.
    async fn watched(&self, clip: &Clip, keys: &[Keys]) -> Result<(Vec<Seen>, f64)> {
        let served = Served::start(&self.server, &clip.videos, None)?;
        let mut links = Vec::new();
        for (number, keys) in keys.iter().enumerate() {
            links.push(served.join(&format!("viewer {number}"), keys).await?);
        }
        served.wait_idle(&mut links[0]).await?;
        let before = served.processor_seconds()?;
        let watching: Vec<_> =
            links.into_iter().map(|mut link| tokio::spawn(async move { crowd::watch(&mut link).await })).collect();
        let mut all = Vec::new();
        for viewer in watching {
            all.push(viewer.await??);
        }
        Ok((all, served.processor_seconds()? - before))
    }

    /// Row 7: the peak memory of a long video compared with a short one.
    pub async fn memory(&self, short: &Clip, long: &Clip, table: &mut Table) -> Result<()> {
        for (cache_mib, is_excerpt) in [(64, false), (512, true)] {
            let (short_mib, short_held) = self.peak(short, cache_mib, false).await?;
            let (long_mib, long_held) = self.peak(long, cache_mib, is_excerpt).await?;
            // Without the cache, which is meant to fill up; the short clip does not fill a large one.
            let (short_rest, long_rest) = (short_mib - short_held, long_mib - long_held);
            let excerpt = if is_excerpt { format!(", {EXCERPT_FRAMES} frames of each third") } else { String::new() };
            table.add(Row {
                what: format!("7 peak memory beside a cache of {cache_mib} MiB ({}{excerpt})", long.name),
                baseline: short.name.clone(),
                measured: format!(
                    "{long_rest:.0} (and {long_held:.0} of cache) / {short_rest:.0} (and {short_held:.0}) MiB"
                ),
                ratio: format!("{:.2}", long_rest / short_rest),
                target: format!("<= 1.1, each <= {MEMORY_MIB} MiB"),
                is_met: Some(long_rest <= 1.1 * short_rest && long_rest.max(short_rest) <= MEMORY_MIB),
            });
        }
        Ok(())
    }

    /// The peak memory of a server with its worker processes while it plays a clip, and the size of its cache's contents at
    /// the end, both in MiB.
    async fn peak(&self, clip: &Clip, cache_mib: u64, is_excerpt: bool) -> Result<(f64, f64)> {
        let (served, mut link) = Served::start_idle(&self.server, &clip.videos, Some(cache_mib)).await?;
        let mut playing = pin!(async {
            if is_excerpt {
                for third in 0..3 {
                    let from = Position::Picture((third * clip.frames / 3) as u32);
                    Pull::some(&mut link, StreamId(third as u32 + 1), from, EXCERPT_FRAMES).await?;
                }
            } else {
                Pull::all(&mut link, StreamId(1), clip).await?;
            }
            Ok::<_, anyhow::Error>(link.statistics().await?.held_bytes as f64 / 1_048_576.0)
        });
        let (mut samples, mut peak_mib) = (interval(SAMPLE_INTERVAL), 0.0_f64);
        loop {
            tokio::select! {
                held_mib = &mut playing => return Ok((peak_mib, held_mib?)),
                _ = samples.tick() => peak_mib = peak_mib.max(served.memory_mib()),
            }
        }
    }
}
