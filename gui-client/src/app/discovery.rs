//! Looks for servers while the first screen wants to know them, and at no other time.

use std::path::PathBuf;

use common::{address::ServerAddress, limits::DEFAULT_PORT};

use super::{App, now, waker::waker};
use crate::net::discovery::{Search, SearchSettings};

/// The search, as long as it is wanted.
pub(super) struct SearchWhileWanted {
    data_dir: PathBuf,
    running: Option<Search>,
}

impl SearchWhileWanted {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, running: None }
    }
}

impl App {
    /// Starts or ends the search, and applies what it has found.
    pub(super) fn look_for_servers(&mut self, ctx: &egui::Context) {
        if !self.state.wants_search() {
            self.search.running = None;
            return;
        }
        if self.search.running.is_none() {
            let last_server = self.state.settings.server.as_deref();
            let settings = SearchSettings {
                data_dir: self.search.data_dir.clone(),
                last_server: last_server.and_then(|address| ServerAddress::parse(address).ok()),
                port: DEFAULT_PORT,
                asks_networks: true,
            };
            let wake = waker(ctx.clone(), self.wire_shown.clone());
            match Search::start(settings, wake) {
                Ok(search) => self.search.running = Some(search),
                Err(error) => {
                    tracing::warn!("servers cannot be looked for: {error}");
                    self.state.end_search();
                    ctx.request_repaint();
                    return;
                }
            }
        }
        let discovered = self.search.running.as_ref().and_then(Search::next);
        if let Some(discovered) = discovered {
            let effects = self.state.discovered(discovered, now());
            self.carry_out(effects);
        }
    }
}
