//! The server as a whole: binds the port, reads the certificate and the video folder, then serves.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use common::{discovery::ServerName, limits::MAX_ADDRESSES, message::ServerInfo};
use tokio::{sync::watch, time::sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::warn;

use crate::{
    descriptors,
    discovery::{Discovery, Told},
    hub::{Hub, names_file::NamesFile},
    limits::Limits,
    listen_address::ListenAddress,
    listener,
    listeners::{BoundSockets, Listeners},
    monitor::Monitor,
    session::Services,
    tls::{Tls, TlsError},
    video::{
        VideoService,
        disk::{DiskSettings, DiskTier},
        library::{FolderWatcher, Library, LibraryError, ProbeRecords},
        opus_gap,
        process::{ProcessPool, WorkerProgram},
        store::{Store, prewarm::prewarm, ready_videos},
        stream::Watchers,
    },
};

/// How often it is looked whether the names must be written anew: most joins that a crash can forget.
const NAMES_INTERVAL: Duration = Duration::from_secs(2);
/// How often it is looked which videos are ready: clients are sent a new list at most that often because of it.
const DISK_INTERVAL: Duration = Duration::from_secs(3);
/// After this many looks the names are written even so, with the time until which those online were seen: once an hour.
const NAMES_LOOKS: u32 = 1_800;

/// A server that has its port and its videos, but does not accept connections yet.
pub struct Server {
    listeners: Listeners,
    addresses: Vec<SocketAddr>,
    announced_as: Option<ServerName>,
    tls: Option<Arc<Tls>>,
    library: Library,
    records: ProbeRecords,
    store: Store,
    disk: Option<Arc<DiskTier>>,
    hub: Hub,
    names: Option<NamesFile>,
    limits: Limits,
    processes: ProcessPool,
    watchers: Watchers,
}

/// The configuration of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 picks a free port.
    pub listen: ListenAddress,
    /// The name under which clients on the network find the server; `None` keeps it silent.
    pub announced_as: Option<ServerName>,
    /// The video folder.
    pub videos: PathBuf,
    /// The folder of the certificate; `None` disables TLS.
    pub certificate_dir: Option<PathBuf>,
    /// The folder in which it is kept to whom names belong; `None` forgets it when the server stops.
    pub names_dir: Option<PathBuf>,
    /// Memory for encoded frames, in bytes.
    pub cache_bytes: u64,
    /// Where frames are kept on disk; `None` keeps none.
    pub disk: Option<DiskSettings>,
    /// What the server grants to its clients.
    pub limits: Limits,
    /// The program that decodes videos in processes of its own; `None` decodes them in this process.
    pub worker_program: Option<WorkerProgram>,
}

/// Why a server does not start. Displays as one line with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{}", bind_advice(.0, .1))]
    Bind(SocketAddr, io::Error),
    /// The name to listen on is not known.
    #[error(
        "cannot listen on {0}: this name is not known here ({1}); choose an address of this computer with --listen"
    )]
    UnknownHost(ListenAddress, io::Error),
    /// The system lets no one listen on the address that was bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(ListenAddress, io::Error),
    /// The video folder cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// There is no usable certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system lets the process have only this many files and connections open.
    #[error("the limit of open files is {0}, which leaves none for connections; raise it with ulimit -n 1024")]
    TooFewDescriptors(u64),
    /// Decoders cannot be started.
    #[error("the system provides no thread for the decoders: {0}")]
    Processes(io::Error),
}

impl Server {
    /// Binds the port, loads the certificate and reads the video folder. Clients are accepted from [`Server::run`] on.
    ///
    /// # Errors
    /// [`StartError`] when one of these steps fails.
    pub async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let limit = descriptors::raise_limit();
        let mut limits = settings.limits.clone();
        let connections = descriptors::connections_within(limit, limits.connections())
            .ok_or(StartError::TooFewDescriptors(limit.unwrap_or_default()))?;
        limits.max_connections = Some(connections);
        if connections < settings.limits.connections() {
            warn!(
                "The limit of open files ({}) leaves room for {} connections, not {}; raise it with ulimit -n.",
                limit.unwrap_or_default(),
                connections,
                settings.limits.connections()
            );
        }
        let resolved = settings.listen.resolve().await;
        let resolved = resolved.map_err(|error| StartError::UnknownHost(settings.listen.clone(), error))?;
        let sockets = BoundSockets::bind(&resolved).map_err(|(address, error)| StartError::Bind(address, error))?;
        let tls = settings.certificate_dir.as_deref().map(Tls::load_or_create).transpose()?.map(Arc::new);
        let processes = match settings.worker_program.clone() {
            Some(program) => ProcessPool::start(program).map_err(StartError::Processes)?,
            None => ProcessPool::in_this_process(),
        };
        let (library, records) = scan(&settings.videos, &processes).await?;
        let listen_error = |error| StartError::Listen(settings.listen.clone(), error);
        let listeners = sockets.listen().map_err(listen_error)?;
        let addresses = listeners.addresses().map_err(listen_error)?;
        let hub = Hub::new(&limits);
        let names = settings.names_dir.as_deref().and_then(|folder| {
            let (file, entries) = NamesFile::open(folder);
            hub.restore_names(entries);
            file
        });
        let disk = open_disk(settings.disk.clone()).await;
        let decoders = limits.decoders_per_client;
        let store = Store::with_processes(settings.cache_bytes, decoders, processes.clone(), disk.clone());
        let announced_as = settings.announced_as.clone();
        Ok(Self {
            listeners,
            addresses,
            announced_as,
            tls,
            library,
            records,
            store,
            disk,
            hub,
            names,
            limits,
            processes,
            watchers: Watchers::default(),
        })
    }

    /// The addresses that the server listens on: at least one, with one port.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// SHA-256 of the certificate, which clients pin; `None` on a plaintext server.
    pub fn certificate_hash(&self) -> Option<[u8; 32]> {
        self.tls.as_ref().map(|tls| tls.certificate_hash)
    }

    /// Logs what the sandbox of the worker processes lacks on this system, if anything, as soon as one of them has said so.
    /// Does not wait for it: on a busy computer that takes seconds, and clients are to be served meanwhile.
    pub fn report_sandbox_gap(&self) {
        let processes = self.processes.clone();
        let report = move || {
            if let Some(gap) = processes.sandbox_gap() {
                warn!("{gap}");
            }
        };
        // A thread and not a task, because a server that stops does not wait for it.
        if let Err(error) = thread::Builder::new().name("sandbox-report".into()).spawn(report) {
            warn!("What the sandbox of the worker processes lacks is not known: {error}.");
        }
    }

    /// What the server does is seen here, also while it runs.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(self.hub.clone(), self.store.clone(), self.watchers.clone())
    }

    /// Sets what clients are told about the server. Of its addresses the first [`MAX_ADDRESSES`] count.
    pub fn introduce(&self, mut server: ServerInfo) {
        server.addresses.truncate(MAX_ADDRESSES);
        self.hub.introduce(server);
    }

    /// The videos that the server offers.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Serves clients until `stop` is cancelled, then sends `Goodbye` to all of them and returns.
    pub async fn run(self, stop: CancellationToken) {
        let (hub, library, store) = (self.hub, self.library, self.store);
        hub.offer(library.listing());
        let _ready = self.disk.map(|disk| AbortOnDropHandle::new(tokio::spawn(keep_ready(disk, library.clone()))));
        let broadcasting = broadcast_changes(library.changes(), library.clone(), hub.clone());
        let _broadcasting = AbortOnDropHandle::new(tokio::spawn(broadcasting));
        let _warm = AbortOnDropHandle::new(tokio::spawn(keep_warm(library.changes(), library.clone(), store.clone())));
        let _watcher = FolderWatcher::start(library.clone(), self.records)
            .inspect_err(|error| warn!("Changes of the video folder will not be noticed: {error}."));
        let opus_gap = opus_gap();
        if let Some(gap) = &opus_gap {
            warn!("Sound cannot be encoded in Opus and is sent as PCM, which takes 1.5 Mbit/s: {gap}.");
        }
        let has_opus = opus_gap.is_none();
        let certificate_hash = self.tls.as_ref().map(|tls| tls.certificate_hash);
        let (counted_hub, counted_library) = (hub.clone(), library.clone());
        let counts = Arc::new(move || (counted_hub.people_count(), counted_library.catalog().videos.len()));
        let videos = VideoService { library, store, has_opus, watchers: self.watchers };
        let telling = hub.clone();
        let _telling = AbortOnDropHandle::new(tokio::spawn(async move { telling.tell_viewings().await }));
        let services = Services::new(hub.clone(), videos, self.limits);
        let _reporting = AbortOnDropHandle::new(tokio::spawn(services.log.clone().report()));
        let _discovery = self.announced_as.map(|name| {
            let port = self.addresses.first().map_or(0, SocketAddr::port);
            Discovery::start(Told::new(name, port, certificate_hash, counts), &self.addresses)
        });
        let serving = listener::run(self.listeners, self.tls, services, stop);
        match self.names {
            Some(names) => keep_names_while(serving, &hub, names).await,
            None => serving.await,
        }
    }
}

/// Writes the names whenever they have changed, and once more when `serving` ends.
async fn keep_names_while(serving: impl Future<Output = ()>, hub: &Hub, names: NamesFile) {
    let names = Arc::new(names);
    let keep = async |change_count| match hub.names_since(change_count) {
        None => change_count,
        Some((entries, change_count)) => {
            let names = names.clone();
            tokio::task::spawn_blocking(move || names.keep(&entries)).await.expect("writing does not panic");
            change_count
        }
    };
    let mut serving = std::pin::pin!(serving);
    let (mut change_count, mut looks) = (0, 0);
    let mut pause = std::pin::pin!(sleep(NAMES_INTERVAL));
    loop {
        tokio::select! {
            () = &mut serving => break,
            () = &mut pause => {}
        }
        looks = (looks + 1) % NAMES_LOOKS;
        change_count = keep(if looks == 0 { u64::MAX } else { change_count }).await;
        pause.set(sleep(NAMES_INTERVAL));
    }
    keep(change_count).await;
}

/// Broadcasts each new list of videos.
async fn broadcast_changes(mut changes: watch::Receiver<u64>, library: Library, hub: Hub) {
    // Does not fail, because this task itself keeps the library alive.
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

/// Opens the folder for frames on disk on a thread that may block. The server runs without it, too.
async fn open_disk(settings: Option<DiskSettings>) -> Option<Arc<DiskTier>> {
    let settings = settings?;
    let opened = tokio::task::spawn_blocking(move || DiskTier::open(&settings)).await.expect("opening does not panic");
    match opened {
        Ok(disk) => Some(Arc::new(disk)),
        Err(error) => {
            warn!("No frames are kept on disk: {error}.");
            None
        }
    }
}

/// Keeps the library's knowledge of which videos need no decoder, and the disk's of what other programs wrote.
async fn keep_ready(disk: Arc<DiskTier>, library: Library) {
    let (mut known, mut library_changes) = (None, library.changes());
    loop {
        let refreshed = disk.clone();
        tokio::task::spawn_blocking(move || refreshed.refresh()).await.expect("refreshing does not panic");
        let state = (disk.change_count(), *library_changes.borrow_and_update());
        if known != Some(state) {
            let (disk, library) = (disk.clone(), library.clone());
            let look = move || library.set_ready(ready_videos(&disk, &library));
            tokio::task::spawn_blocking(look).await.expect("looking does not panic");
            known = Some(state);
        }
        sleep(DISK_INTERVAL).await;
    }
}

/// Reads the folder on a thread that may block.
async fn scan(folder: &Path, processes: &ProcessPool) -> Result<(Library, ProbeRecords), LibraryError> {
    let (folder, processes) = (folder.to_owned(), processes.clone());
    tokio::task::spawn_blocking(move || Library::scan_with_records(&folder, &processes))
        .await
        .expect("scanning does not panic")
}

fn bind_advice(address: &SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, perhaps another server, uses this port; stop it or choose another port with --listen"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need special privileges; choose another port with --listen"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this computer does not have that address; choose one it has, or 0.0.0.0, with --listen"
        }
        _ => "choose another address with --listen",
    };
    format!("cannot listen on {address}: {error}; {remedy}")
}
