//! Joining a room: row 8.

use anyhow::{Context, Result, ensure};
use common::crypto::test_keys;
use tokio::{sync::oneshot, task::JoinSet};

use super::Bench;
use crate::{
    guest::Guest,
    served::Served,
    table::{Row, Table, median, millis, quantile},
};

/// Others who are online, in the order of the measurements.
const OTHERS: [usize; 3] = [0, 249, 1_998];

/// Joins that are measured in each room.
const JOINS: usize = 40;

impl Bench {
    /// Row 8: from `Join` to the end of the dictionary.
    pub async fn joins(&self, table: &mut Table) -> Result<()> {
        eprintln!("making {} keys …", OTHERS[2] + 1);
        let mut keys = tokio::task::spawn_blocking(|| test_keys::crowd_of(OTHERS[2] + 1)).await?;
        let newcomer = keys.pop().context("no key")?;
        let videos = tempfile::tempdir()?;
        let served = Served::start(&self.server, videos.path(), None)?;
        let (mut room, mut alone) = (JoinSet::new(), None);
        for others in OTHERS {
            for (number, identity) in keys.iter().enumerate().take(others).skip(room.len()) {
                let guest = Guest::connect(served.address(), &format!("guest {number}"), identity).await?;
                let (joined, has_joined) = oneshot::channel::<()>();
                room.spawn(guest.stay(|| drop(joined)));
                // The sender is dropped without a word, when the guest is in and when it is not.
                let _ = has_joined.await;
                ensure!(room.try_join_next().is_none(), "guest {number} did not stay");
            }
            let mut times = Vec::new();
            while times.len() < JOINS {
                let mut guest = Guest::connect(served.address(), "newcomer", &newcomer).await?;
                let (people, time) = guest.join().await?;
                ensure!(people == others + 1, "{people} people are in a room for {}", others + 1);
                times.push(millis(time));
                guest.leave().await?;
            }
            let time = median(&times);
            let alone = *alone.get_or_insert(time);
            table.add(Row {
                what: format!("8 Join to the end of the dictionary, {} people", others + 1),
                baseline: "alone".into(),
                measured: format!("{time:.1} (95 %: {:.1}) / {alone:.1} ms", quantile(&times, 0.95)),
                ratio: format!("{:.1}", time / alone),
                target: String::new(),
                is_met: None,
            });
        }
        Ok(())
    }
}
