//! Files that were not imported: row 9.

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

/// Converts to what JPEG readers assume, as the server does: full-range BT.601.
const SAME_COLOURS: [&str; 4] = ["videoconvertscale", "!", "video/x-raw,format=I420,colorimetry=1:4:0:0", "!"];

impl Bench {
    /// Row 9: the rate of an unthrottled viewer of files with few key frames and other colours, and its longest gap at a
    /// splice.
    pub async fn foreign(&self, clip: &Clip, table: &mut Table) -> Result<()> {
        let (mut cold, mut bare, mut work, mut bare_work, mut splices) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..self.runs {
            let (served, mut link) = Served::start_idle(&self.server, &clip.videos, None).await?;
            let before = served.processor_seconds()?;
            let pull = Pull::all(&mut link, StreamId(1), clip).await?;
            work.push(served.processor_seconds()? - before);
            cold.push(pull.rate());
            splices.push(pull.gaps().0);
            drop((link, served));
            let before = bare::processor_seconds()?;
            let took = bare::thirds(&clip.thirds, &SAME_COLOURS).await?;
            bare_work.push(bare::processor_seconds()? - before);
            bare.push(clip.frames as f64 / took.as_secs_f64());
        }
        let baseline = || format!("bare pipeline with the same colours, thirds {}", clip.cut);
        let rates = ratios(&cold, &bare);
        table.add(Row {
            what: format!("9 unthrottled, cold ({})", clip.name),
            baseline: baseline(),
            measured: format!("{:.0} / {:.0} frames/s", median(&cold), median(&bare)),
            ratio: spread(&rates),
            target: ">= 1.5".into(),
            is_met: Some(median(&rates) >= 1.5),
        });
        table.add(Row {
            what: "9 processor time, all cores".into(),
            baseline: baseline(),
            measured: format!("{:.2} / {:.2} s", median(&work), median(&bare_work)),
            ratio: spread(&ratios(&work, &bare_work)),
            target: String::new(),
            is_met: None,
        });
        let limit_ms = 2.0 * millis(clip.period);
        table.add(Row {
            what: "9 longest gap at a splice, unthrottled, cold".into(),
            baseline: "none".into(),
            measured: format!("{:.1} (worst run {:.1}) ms", median(&splices), largest(&splices)),
            ratio: String::new(),
            target: format!("<= {limit_ms:.1} ms"),
            is_met: Some(median(&splices) <= limit_ms),
        });
        Ok(())
    }
}
