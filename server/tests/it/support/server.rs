//! A real server on a free port of this machine, without TLS (the client's tests cover that).

use std::{net::SocketAddr, path::Path, time::Duration};

use common::message::ServerInfo;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use triptych_server::{
    Server, Settings,
    limits::Limits,
    video::{
        library::Library,
        process::{ProcessPool, WorkerProgram},
    },
};

/// No single wait in a test takes longer than this unless something is broken.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The program of worker processes.
pub fn worker_program() -> WorkerProgram {
    WorkerProgram::at(env!("CARGO_BIN_EXE_triptych-server"))
}

pub fn worker_processes() -> ProcessPool {
    ProcessPool::start(worker_program()).unwrap()
}

/// The settings of a server with the videos of `folder`.
pub fn settings(folder: &Path) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        announced_as: None,
        videos: folder.to_owned(),
        certificate_dir: None,
        names_dir: None,
        cache_bytes: 64 << 20,
        disk: None,
        limits: Limits::default(),
        worker_program: Some(worker_program()),
    }
}

/// The same, and in its worker processes this goes wrong.
pub fn faulty(folder: &Path, fault: &str) -> Settings {
    let mut program = worker_program();
    program.arguments.extend(["--fault".into(), fault.into()]);
    Settings { worker_program: Some(program), ..settings(folder) }
}

/// What test servers say about themselves.
pub fn introduction(address: SocketAddr) -> ServerInfo {
    ServerInfo { name: "Lab".to_owned(), addresses: vec![address.to_string()] }
}

/// Stops when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub library: Library,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Without videos.
    pub async fn start() -> Self {
        let empty = tempfile::tempdir().unwrap();
        Self::start_with(empty.path()).await
    }

    /// With the videos of `folder`.
    pub async fn start_with(folder: &Path) -> Self {
        Self::start_with_cache(folder, 64 << 20).await
    }

    /// With the videos of `folder`, and a cache of this size.
    pub async fn start_with_cache(folder: &Path, cache_bytes: u64) -> Self {
        Self::start_as(&Settings { cache_bytes, ..settings(folder) }).await
    }

    /// Without videos, and with other limits.
    pub async fn start_limited(limits: Limits) -> Self {
        let empty = tempfile::tempdir().unwrap();
        Self::start_as(&Settings { limits, ..settings(empty.path()) }).await
    }

    /// With these settings.
    pub async fn start_as(settings: &Settings) -> Self {
        triptych_server::video::init().unwrap();
        let server = Server::bind(settings).await.unwrap();
        let (address, library) = (server.addresses()[0], server.library().clone());
        server.introduce(introduction(address));
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone()));
        Self { address, library, stop, running: Some(running) }
    }

    /// Drops the running server without stopping it first.
    pub fn abort(&mut self) {
        self.running.take().unwrap().abort();
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let running = self.running.take().unwrap();
        timeout(DEADLINE, running).await.expect("the server stops").unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
