//! What the one who runs the server sees on a terminal: a table that is drawn anew every second, and the log above it.
//!
//! [`snapshot`] and [`mod@table`] are pure; [`terminal`] owns what is on the screen.

pub mod snapshot;
pub mod table;
pub mod terminal;

use std::{
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::{snapshot::Snapshot, table::table, terminal::Terminal};
use crate::monitor::Monitor;

/// How often the table is drawn.
const INTERVAL: Duration = Duration::from_secs(1);

/// A table on a terminal that shows what the server does. Removed from the terminal when dropped.
#[must_use = "the table is removed as soon as this is dropped"]
pub struct LiveTable {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LiveTable {
    /// Draws the table every second, in a thread.
    ///
    /// # Errors
    /// When the system provides no thread.
    pub fn start(monitor: Monitor, terminal: Terminal) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let begun = Instant::now();
        let draw = move || {
            let (mut before, mut before_at) = (monitor.figures(), begun);
            loop {
                let (figures, now) = (monitor.figures(), Instant::now());
                let snapshot = Snapshot::between(&before, &figures, now - before_at, now - begun);
                terminal.draw(|width, height| table(&snapshot, width, height));
                (before, before_at) = (figures, now);
                match stopped.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            terminal.clear();
        };
        let thread = thread::Builder::new().name("live-table".into()).spawn(draw)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for LiveTable {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            #[expect(clippy::let_underscore_must_use, reason = "fails when the thread panicked, which it has reported")]
            let _ = thread.join();
        }
    }
}
