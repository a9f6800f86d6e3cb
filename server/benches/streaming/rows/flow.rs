//! Throughput: rows 1, 2 and 4.

use std::time::Duration;

use anyhow::Result;
use common::media::StreamId;

use super::{Bench, ratios};
use crate::{
    bare,
    clips::Clip,
    pull::Pull,
    served::Served,
    table::{Row, Table, largest, median, millis, spread},
};

impl Bench {
    /// Rows 1, 2 and 4: the rate of an unthrottled viewer, and its longest gap at a splice.
    pub async fn unthrottled(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let (mut cold, mut warm, mut bare, mut queued, mut without_startup) = (vec![], vec![], vec![], vec![], vec![]);
        let (mut splices, mut median_gaps, mut work, mut bare_work) = (vec![], vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (served, mut link) = Served::start_idle(&self.server, &clip.videos, None).await?;
            let before = served.processor_seconds()?;
            let pull = Pull::all(&mut link, StreamId(1), clip).await?;
            work.push(served.processor_seconds()? - before);
            cold.push(pull.rate());
            let (splice, median_gap) = pull.gaps();
            splices.push(splice);
            median_gaps.push(median_gap);
            warm.push(Pull::all(&mut link, StreamId(2), clip).await?.rate());
            drop((link, served));
            let rate = |took: Duration| clip.frames as f64 / took.as_secs_f64();
            let startup = bare::startup(clip.thirds.len()).await?;
            let before = bare::processor_seconds()?;
            let plain = bare::thirds(&clip.thirds, &[]).await?;
            bare_work.push(bare::processor_seconds()? - before);
            bare.push(rate(plain));
            without_startup.push(rate(plain.saturating_sub(startup)));
            queued.push(rate(bare::thirds(&clip.thirds, &["queue", "!"]).await?));
        }
        let what = |what: &str| format!("{what} ({})", clip.name);
        let against = |baseline: String, rates: &[f64], target: Option<f64>| {
            let ratios = ratios(&cold, rates);
            Row {
                what: what("1 unthrottled, cold"),
                baseline,
                measured: format!("{:.0} / {:.0} frames/s", median(&cold), median(rates)),
                ratio: spread(&ratios),
                target: target.map(|target| format!(">= {target}")).unwrap_or_default(),
                is_met: target.map(|target| median(&ratios) >= target),
            }
        };
        table.add(against(format!("bare pipeline, thirds {}", clip.cut), &bare, Some(1.5)));
        table.add(against("the same without the start of gst-launch".into(), &without_startup, None));
        table.add(against("the same with a queue before jpegenc".into(), &queued, None));
        table.add(Row {
            what: what("1 processor time, all cores"),
            baseline: "bare pipeline".into(),
            measured: format!("{:.2} / {:.2} s", median(&work), median(&bare_work)),
            ratio: spread(&ratios(&work, &bare_work)),
            target: String::new(),
            is_met: None,
        });
        let speedups = ratios(&warm, &cold);
        table.add(Row {
            what: what("2 unthrottled, warm"),
            baseline: "cold".into(),
            measured: format!("{:.0} / {:.0} frames/s", median(&warm), median(&cold)),
            ratio: spread(&speedups),
            target: ">= 10".into(),
            is_met: Some(median(&speedups) >= 10.0),
        });
        let period_ms = millis(clip.period);
        table.add(Row {
            what: what("4 longest gap at a splice, unthrottled, cold"),
            baseline: "median gap".into(),
            measured: format!(
                "{:.1} (worst run {:.1}) / {:.1} ms",
                median(&splices),
                largest(&splices),
                median(&median_gaps)
            ),
            ratio: spread(&ratios(&splices, &median_gaps)),
            target: format!("<= {period_ms:.1} ms"),
            is_met: Some(median(&splices) <= period_ms),
        });
        Ok(())
    }
}
