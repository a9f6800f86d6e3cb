//! Sessions over in-memory pipes instead of sockets: how much a pipe holds is exact, and a test may pause the clock.

use std::path::Path;

use common::crypto::Identity;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use triptych_server::{
    admission::{Admission, Source},
    hub::Hub,
    limits::Limits,
    session::{self, Arrival, Services, machine::ConnectionBinding},
    video::{VideoService, library::Library, store::Store, stream::Watchers},
};

use super::client::TestClient;

/// What a pipe holds in each direction, unless a test says otherwise.
pub const PIPE_BYTES: usize = 1 << 20;

/// What the sessions of one server share, without a listener.
pub struct Sessions {
    pub services: Services,
    pub admission: Admission,
    pub stop: CancellationToken,
}

impl Sessions {
    /// Without videos.
    pub fn start() -> Self {
        Self::start_with(tempfile::tempdir().unwrap().path())
    }

    /// With the videos of `folder`.
    pub fn start_with(folder: &Path) -> Self {
        Self::start_with_limits(folder, Limits::default())
    }

    /// Without videos, and with other limits.
    pub fn start_limited(limits: Limits) -> Self {
        Self::start_with_limits(tempfile::tempdir().unwrap().path(), limits)
    }

    /// With the videos of `folder`, and these limits.
    pub fn start_with_limits(folder: &Path, limits: Limits) -> Self {
        triptych_server::video::init().unwrap();
        let videos = VideoService {
            library: Library::scan(folder).unwrap(),
            store: Store::new(64 << 20),
            has_opus: false,
            watchers: Watchers::default(),
        };
        let services = Services::new(Hub::new(&limits), videos, limits);
        services.hub.offer(services.videos.library.listing());
        let admission = Admission::new(&services.limits);
        Self { services, admission, stop: CancellationToken::new() }
    }

    /// Connects and joins.
    pub async fn join(&self, name: &str, identity: &Identity) -> TestClient {
        let mut client = self.connect();
        client.join_as(name, identity).await;
        client
    }

    /// Connects and sends nothing.
    pub fn connect(&self) -> TestClient {
        self.connect_through(PIPE_BYTES, |far_end| far_end).0
    }

    /// Connects through a pipe of that size. The session reads and writes what `wrap` makes of its end.
    pub fn connect_through<S>(
        &self,
        pipe_bytes: usize,
        wrap: impl FnOnce(DuplexStream) -> S,
    ) -> (TestClient, JoinHandle<()>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (near_end, far_end) = duplex(pipe_bytes);
        let (stream, services, stop) = (wrap(far_end), self.services.clone(), self.stop.clone());
        let arrival = Arrival {
            place: self.admission.admit(Source::ThisComputer, Instant::now().into_std()).unwrap(),
            peer: ([127, 0, 0, 1], 9).into(),
            binding: ConnectionBinding::default(),
            handshake_deadline: Instant::now() + services.limits.handshake_deadline,
        };
        let session = tokio::spawn(async move { session::run(stream, arrival, &services, &stop).await });
        (TestClient::over(near_end), session)
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
