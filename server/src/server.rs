//! The server as a whole: binds the port, reads the certificate and the video folder, then serves.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::warn;

use crate::{
    hub::Hub,
    listener,
    session::Services,
    tls::{Tls, TlsError},
    video::{
        VideoService,
        library::{FolderWatcher, Library, LibraryError, ProbeRecords},
        store::{Store, prewarm::prewarm},
    },
};

/// Connections that the system queues before they are accepted.
const WAITING_CONNECTIONS: u32 = 1024;

/// A server that has its port but does not accept connections yet.
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    library: Library,
    records: ProbeRecords,
    store: Store,
}

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// The video folder.
    pub videos: PathBuf,
    /// Where the certificate is kept; `None` turns TLS off.
    pub certificate_dir: Option<PathBuf>,
    /// Bound of the frame store.
    pub cache_bytes: u64,
}

/// Why a server does not start: one line with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{}", bind_advice(.0, .1))]
    Bind(SocketAddr, io::Error),
    /// The video folder cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The certificate cannot be read or made.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Server {
    /// Takes the port and reads the certificate and the video folder. Clients are accepted from [`Server::run`] on.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let bind_error = |error| StartError::Bind(settings.listen, error);
        let socket = match settings.listen {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(bind_error)?;
        socket.set_reuseaddr(true).map_err(bind_error)?;
        socket.bind(settings.listen).map_err(bind_error)?;
        let tls = settings.certificate_dir.as_deref().map(Tls::load_or_make).transpose()?.map(Arc::new);
        let (library, records) = scan(&settings.videos).await?;
        let listener = socket.listen(WAITING_CONNECTIONS).map_err(bind_error)?;
        Ok(Self { listener, tls, library, records, store: Store::new(settings.cache_bytes) })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// SHA-256 of the certificate, which clients pin; `None` on a plaintext server.
    pub fn certificate_hash(&self) -> Option<[u8; 32]> {
        self.tls.as_ref().map(|tls| tls.certificate_hash)
    }

    /// The videos that it offers.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Serves until `stop` is cancelled, then says goodbye to the clients and returns.
    pub async fn run(self, stop: CancellationToken) {
        let (hub, library, store) = (Hub::default(), self.library, self.store);
        hub.offer(library.listing());
        let telling = tell_of_changes(library.changes(), library.clone(), hub.clone());
        let _telling = AbortOnDropHandle::new(tokio::spawn(telling));
        let _warm = AbortOnDropHandle::new(tokio::spawn(keep_warm(library.changes(), library.clone(), store.clone())));
        let _watcher = FolderWatcher::start(library.clone(), self.records)
            .inspect_err(|error| warn!("changes of the video folder will not be noticed: {error}"));
        listener::run(self.listener, self.tls, Services { hub, videos: VideoService { library, store } }, stop).await;
    }
}

/// Sends each new list of videos to the clients.
async fn tell_of_changes(mut changes: watch::Receiver<u64>, library: Library, hub: Hub) {
    // Never fails: this task itself holds the library.
    while changes.changed().await.is_ok() {
        hub.offer(library.listing());
    }
}

/// Prewarms the videos, again after each change.
async fn keep_warm(mut changes: watch::Receiver<u64>, library: Library, store: Store) {
    loop {
        prewarm(&library, &store).await;
        if changes.changed().await.is_err() {
            break;
        }
    }
}

/// Reads the folder on a thread that may block.
async fn scan(folder: &Path) -> Result<(Library, ProbeRecords), LibraryError> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || Library::scan_with_records(&folder)).await.expect("scanning does not panic")
}

fn bind_advice(address: &SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, perhaps another server, has this port; stop it or name another with --listen"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need special rights; name another with --listen",
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; name one it has, or 0.0.0.0, with --listen"
        }
        _ => "name another address with --listen",
    };
    format!("cannot listen on {address}: {error}; {remedy}")
}
