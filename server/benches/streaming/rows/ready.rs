//! Videos whose frames are on disk: row 10. The memory of the server holds nothing but their first pictures.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use common::media::StreamId;
use tokio::time::sleep;

use super::{
    Bench,
    opening::{PAUSE, WATCHES, first_picture, seek_times},
    ratios,
};
use crate::{
    bare,
    clips::Clip,
    link::{Keys, Link},
    process::Process,
    pull::Pull,
    served::Served,
    table::{Row, Table, largest, median, millis, spread},
};

/// Pulls of a ready video in one run, each by a new server. The kernel counts processor time in hundredths of a second, of
/// which one pull takes about ten.
const READY_PULLS: usize = 4;

impl Bench {
    /// Row 10: rate, processor time, first picture and seeks of a video that was prepared, and the first play after a restart
    /// of one that was watched before.
    pub async fn ready(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let prepared = tempfile::tempdir_in(clip.videos.parent().unwrap_or(&clip.videos))?;
        self.prepare(clip, prepared.path())?;
        let (mut ready, mut unread, mut cold, mut bare) = (vec![], vec![], vec![], vec![]);
        let (mut work, mut cold_work, mut first, mut restarted, mut warm) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (mut rates, mut seconds) = (Vec::new(), 0.0);
            for _ in 0..READY_PULLS {
                let pulled = self.pull(clip, Some(prepared.path())).await?;
                rates.push(pulled.0);
                seconds += pulled.1;
            }
            ready.push(median(&rates));
            work.push(seconds / READY_PULLS as f64);
            forget_pages(prepared.path())?;
            unread.push(self.pull(clip, Some(prepared.path())).await?.0);
            let (rate, seconds) = self.pull(clip, None).await?;
            cold.push(rate);
            cold_work.push(seconds);
            let took = bare::thirds(&clip.thirds, &[]).await?;
            bare.push(clip.frames as f64 / took.as_secs_f64());
            // Without a cache each picture comes from the disk.
            forget_pages(prepared.path())?;
            let (served, mut link) = self.start(clip, Some(0), Some(prepared.path())).await?;
            let mut times = Vec::new();
            for number in 1..=WATCHES {
                sleep(PAUSE).await;
                times.push(millis(first_picture(&mut link, StreamId(number)).await?));
            }
            ensure!(link.statistics().await?.decoded == 0, "a picture was decoded");
            first.push(median(&times));
            drop((link, served));
            let (rate_before, rate_after) = self.restart(clip).await?;
            warm.push(rate_before);
            restarted.push(rate_after);
        }
        let what = |what: &str| format!("10 {what} ({})", clip.name);
        let rates = ratios(&ready, &bare);
        table.add(Row {
            what: what("unthrottled, ready"),
            baseline: format!("bare pipeline, thirds {}", clip.cut),
            measured: format!("{:.0} / {:.0} frames/s (cold {:.0})", median(&ready), median(&bare), median(&cold)),
            ratio: spread(&rates),
            target: ">= 5 and >= 1000 frames/s".into(),
            is_met: Some(median(&rates) >= 5.0 && median(&ready) >= 1000.0),
        });
        let rates = ratios(&unread, &bare);
        table.add(Row {
            what: what("the same, not in the system's memory either"),
            baseline: format!("bare pipeline, thirds {}", clip.cut),
            measured: format!("{:.0} / {:.0} frames/s", median(&unread), median(&bare)),
            ratio: spread(&rates),
            target: ">= 5 and >= 1000 frames/s".into(),
            is_met: Some(median(&rates) >= 5.0 && median(&unread) >= 1000.0),
        });
        let per_picture_ms = |seconds: &[f64]| 1000.0 * median(seconds) / clip.frames as f64;
        let shares = ratios(&work, &cold_work);
        table.add(Row {
            what: what("processor time of a ready picture"),
            baseline: "a decoded one".into(),
            measured: format!("{:.3} / {:.2} ms", per_picture_ms(&work), per_picture_ms(&cold_work)),
            ratio: spread(&shares),
            target: "<= 0.05".into(),
            is_met: Some(median(&shares) <= 0.05),
        });
        table.add(Row {
            what: what("Watch to first picture, ready"),
            baseline: "none".into(),
            measured: format!("{:.1} (worst run {:.1}) ms", median(&first), largest(&first)),
            ratio: String::new(),
            target: "<= 3 ms".into(),
            is_met: Some(median(&first) <= 3.0),
        });
        forget_pages(prepared.path())?;
        let (_served, mut link) = self.start(clip, Some(0), Some(prepared.path())).await?;
        let times = seek_times(&mut link).await?;
        ensure!(link.statistics().await?.decoded == 0, "a picture was decoded");
        table.add(Row {
            what: what("seek to picture, ready"),
            baseline: format!("none; {} positions in all thirds", times.len()),
            measured: format!("median {:.1}, worst {:.1} ms", median(&times), largest(&times)),
            ratio: String::new(),
            target: "<= 5 ms".into(),
            is_met: Some(median(&times) <= 5.0),
        });
        let kept = ratios(&restarted, &warm);
        table.add(Row {
            what: what("first play after a restart"),
            baseline: "warm, before it".into(),
            measured: format!("{:.0} / {:.0} frames/s", median(&restarted), median(&warm)),
            ratio: spread(&kept),
            target: ">= 0.5".into(),
            is_met: Some(median(&kept) >= 0.5),
        });
        Ok(())
    }

    fn prepare(&self, clip: &Clip, frames: &Path) -> Result<()> {
        let mut command = Command::new(&self.server);
        command.arg("--videos").arg(&clip.videos).arg("--disk-cache-dir").arg(frames);
        let status = Process::start(command.args(["prepare", "--all"]))?.0.wait()?;
        ensure!(status.success(), "the frames were not prepared: {status}");
        Ok(())
    }

    async fn start(&self, clip: &Clip, cache_mib: Option<u64>, frames: Option<&Path>) -> Result<(Served, Link)> {
        let served = Served::start_with_disk(&self.server, &clip.videos, cache_mib, frames)?;
        let mut link = served.join("viewer", &Keys::fixed()).await?;
        served.wait_at_rest(&mut link).await?;
        Ok((served, link))
    }

    /// Frames per second of an unthrottled viewer, and the processor time of the server in seconds.
    async fn pull(&self, clip: &Clip, frames: Option<&Path>) -> Result<(f64, f64)> {
        let (served, mut link) = self.start(clip, None, frames).await?;
        let before = served.processor_seconds()?;
        let rate = Pull::all(&mut link, StreamId(1), clip).await?.rate();
        let seconds = served.processor_seconds()? - before;
        if frames.is_some() {
            ensure!(link.statistics().await?.decoded == 0, "a picture was decoded");
        }
        Ok((rate, seconds))
    }

    /// Frames per second when a video is played for the second time, and then by a new server.
    async fn restart(&self, clip: &Clip) -> Result<(f64, f64)> {
        let frames = tempfile::tempdir_in(clip.videos.parent().unwrap_or(&clip.videos))?;
        let (served, mut link) = self.start(clip, None, Some(frames.path())).await?;
        Pull::all(&mut link, StreamId(1), clip).await?;
        // Until everything is written.
        served.wait_at_rest(&mut link).await?;
        let before = Pull::all(&mut link, StreamId(2), clip).await?.rate();
        drop((link, served));
        Ok((before, self.pull(clip, Some(frames.path())).await?.0))
    }
}

/// Has the system forget what it holds of the files in memory, so that the next read comes from the disk.
fn forget_pages(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget_pages(&path)?;
            continue;
        }
        let file = fs::File::open(path)?;
        // Only what is on the disk can be forgotten.
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}
