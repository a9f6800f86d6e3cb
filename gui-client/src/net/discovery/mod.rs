//! Finds servers on the network: a probe on each network of this computer and on this computer itself, and mDNS, all at
//! once. One thread does it, from [`Search::start`] until the [`Search`] is dropped.

mod networks;
mod search;
mod sightings;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use common::address::ServerAddress;
use tokio_util::sync::CancellationToken;

use crate::event::{Urgency, Wake, discovery::Discovered};

/// Where to look.
#[derive(Debug, Clone)]
pub struct SearchSettings {
    /// Folder of `known-servers.toml`.
    pub data_dir: PathBuf,
    /// The server that was visited last. It is asked, too, wherever it is.
    pub last_server: Option<ServerAddress>,
    /// The port on which networks are asked; this computer is asked on this one and on that of the last server.
    pub port: u16,
    /// Whether other computers are asked. Tests ask this one only.
    pub asks_networks: bool,
}

/// A search for servers. Dropping it ends its thread.
pub struct Search {
    stop: CancellationToken,
    latest: Latest,
    thread: Option<JoinHandle<()>>,
}

/// What was found and not yet taken by the window. It holds the whole list, so nothing queues up.
#[derive(Debug, Clone, Default)]
struct Latest(Arc<Mutex<Option<Discovered>>>);

impl Search {
    /// Starts the thread. `wake` is called whenever there is something new.
    ///
    /// # Errors
    /// The error of the operating system when it has no thread or timer left.
    pub fn start(settings: SearchSettings, wake: Wake) -> io::Result<Self> {
        let (stop, latest) = (CancellationToken::new(), Latest::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let publish = {
            let latest = latest.clone();
            move |discovered| {
                latest.set(discovered);
                wake(Urgency::Now);
            }
        };
        let stopped = stop.clone().cancelled_owned();
        let thread = thread::Builder::new().name("triptych-search".to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = stopped => {}
                    () = search::run(settings, publish) => {}
                }
            });
        })?;
        Ok(Self { stop, latest, thread: Some(thread) })
    }

    /// What was found, if it has changed since the last call.
    pub fn next(&self) -> Option<Discovered> {
        self.latest.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks for servers panicked");
        }
    }
}

impl Latest {
    fn set(&self, discovered: Discovered) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(discovered);
    }
}
