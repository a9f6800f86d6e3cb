//! The real server, for the tests of the network side.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use triptych_server::{Server, Settings};

const DEADLINE: Duration = Duration::from_secs(30);

/// A server on a runtime of its own.
pub struct Host {
    pub address: String,
    pub stop: CancellationToken,
    runtime: Runtime,
}

impl Host {
    pub fn start(certificate_dir: Option<&Path>, listen: &str) -> Self {
        Self::start_with(certificate_dir, listen, tempfile::tempdir().unwrap().path())
    }

    /// Offers what is in `videos`.
    pub fn start_with(certificate_dir: Option<&Path>, listen: &str, videos: &Path) -> Self {
        triptych_server::video::init().unwrap();
        let runtime = Runtime::new().unwrap();
        let settings = Settings {
            listen: listen.parse().unwrap(),
            videos: videos.to_owned(),
            certificate_dir: certificate_dir.map(Path::to_owned),
            cache_bytes: 1 << 20,
        };
        // The port of a server that was just killed may be taken for a moment yet.
        let begun = Instant::now();
        let server = loop {
            match runtime.block_on(Server::bind(&settings)) {
                Err(error) => assert!(begun.elapsed() < DEADLINE, "{error}"),
                Ok(server) => break server,
            }
        };
        let address = server.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        runtime.spawn(server.run(stop.clone()));
        Self { address, stop, runtime }
    }

    /// Ends at once, as if the machine had been switched off.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}
