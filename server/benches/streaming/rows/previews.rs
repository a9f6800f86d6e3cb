//! The small pictures over the seek bar: row 14.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use common::message::{ClientMessage, ServerMessage};
use tokio::time::timeout;

use super::Bench;
use crate::{
    clips::Clip,
    crowd,
    link::{Keys, Link, Received},
    served::Served,
    table::{Row, Table, largest, median, millis},
};

/// The previews of the video whose last third plays are asked for this long after its start. That third has the largest pictures.
const INTO_LAST_THIRD: Duration = Duration::from_secs(15);

/// What a person who points at the seek bar waits for.
struct Came {
    first_ms: f64,
    all_ms: f64,
    count: u32,
    bytes: usize,
}

impl Bench {
    /// Row 14: the first request for the previews of a video, on an idle server and while a viewer plays that video.
    pub async fn previews(&self, clip: &Clip, is_played: bool, table: &mut Table) -> Result<()> {
        let (mut first, mut all, mut late, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
        for _ in 0..self.runs {
            let (served, mut link) = Served::start_idle(&self.server, &clip.videos, None).await?;
            let came = if is_played {
                let mut viewer = served.join("player", &Keys::fresh()).await?;
                let playing = tokio::spawn(async move { crowd::watch(&mut viewer).await });
                // Read on, to answer pings.
                let waiting = async { while link.receive().await.is_ok() {} };
                let waited = timeout(INTO_LAST_THIRD, waiting).await;
                ensure!(waited.is_err(), "the server has closed the connection");
                let came = ask(&mut link).await?;
                let seen = playing.await??;
                ensure!(seen.pictures == clip.frames, "the viewer received {} of {}", seen.pictures, clip.frames);
                late.push(seen.late_pictures as f64);
                came
            } else {
                ask(&mut link).await?
            };
            first.push(came.first_ms);
            all.push(came.all_ms);
            last = Some(came);
        }
        let Some(Came { count, bytes, .. }) = last else { bail!("at least one run is needed") };
        let beside = if is_played { format!(", {:.0} pictures late", largest(&late)) } else { String::new() };
        table.add(Row {
            what: format!("14 previews{} ({})", if is_played { " while it plays" } else { "" }, clip.name),
            baseline: "all".into(),
            measured: format!(
                "first {:.0} / {count} of {} KiB together {:.0} ms{beside}",
                median(&first),
                bytes / 1024,
                median(&all)
            ),
            ratio: format!("{:.2}", median(&first) / median(&all)),
            target: "first <= 300 ms, no picture late".into(),
            is_met: Some(median(&first) <= 300.0 && late.iter().all(|late| *late == 0.0)),
        });
        Ok(())
    }
}

/// Asks for the previews of the first video, and waits for all of them.
async fn ask(link: &mut Link) -> Result<Came> {
    let video = link.video()?.id;
    link.send(&[ClientMessage::AskPreviews { video: Some(video) }])?;
    let asked_at = Instant::now();
    let (mut count, mut came, mut bytes, mut first_ms) = (u32::MAX, 0, 0, None);
    while came < count {
        match link.receive().await? {
            Received::Message(ServerMessage::Previews { count: announced, .. }) => count = announced,
            Received::Message(ServerMessage::Preview { jpeg, .. }) => {
                first_ms.get_or_insert_with(|| millis(asked_at.elapsed()));
                (came, bytes) = (came + 1, bytes + jpeg.0.len());
            }
            other => bail!("the server sent {other:?} in place of previews"),
        }
    }
    Ok(Came { first_ms: first_ms.unwrap_or_default(), all_ms: millis(asked_at.elapsed()), count, bytes })
}
