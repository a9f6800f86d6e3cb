//! The real server, for the tests of the network side.

use std::path::Path;

use common::discovery::ServerName;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use triptych_server::{Server, Settings, limits::Limits};

use super::wake::DEADLINE;

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

    /// Lets clients find it under this name.
    pub fn announced(certificate_dir: Option<&Path>, listen: &str, name: &str) -> Self {
        let empty = tempfile::tempdir().unwrap();
        Self::start_as(certificate_dir, listen, empty.path(), Some(ServerName::parse(name).unwrap()))
    }

    /// Offers what is in `videos`.
    pub fn start_with(certificate_dir: Option<&Path>, listen: &str, videos: &Path) -> Self {
        Self::start_as(certificate_dir, listen, videos, None)
    }

    fn start_as(certificate_dir: Option<&Path>, listen: &str, videos: &Path, announced_as: Option<ServerName>) -> Self {
        triptych_server::video::init().unwrap();
        let runtime = Runtime::new().unwrap();
        let settings = Settings {
            listen: listen.parse().unwrap(),
            announced_as,
            videos: videos.to_owned(),
            certificate_dir: certificate_dir.map(Path::to_owned),
            names_dir: None,
            cache_bytes: 1 << 20,
            disk: None,
            limits: Limits::default(),
            worker_program: None,
        };
        let server = runtime.block_on(Server::bind(&settings)).unwrap();
        let address = server.addresses()[0].to_string();
        let stop = CancellationToken::new();
        runtime.spawn(server.run(stop.clone()));
        Self { address, stop, runtime }
    }

    /// Ends without a goodbye, as if the process had been killed. Afterwards its port is free.
    pub fn kill(self) {
        self.runtime.shutdown_timeout(DEADLINE);
    }
}
