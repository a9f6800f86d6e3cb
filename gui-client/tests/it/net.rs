//! The network side against the real server: two people and a listener, and everything that can go wrong on the way.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use common::{
    crypto::{Identity, test_keys},
    media::{PictureHead, SoundHead},
    message::RefusalCode,
    name::Name,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use triptych_client::{
    event::{DraftId, NetCommand, NetEvent, Offline, Online, PictureSink, ReceivedLetter, WireOutcome},
    identity::identity_path,
    net::{NetHandle, NetSettings},
};
use triptych_server::{Server, Settings};

const DEADLINE: Duration = Duration::from_secs(30);

/// A server on a runtime of its own.
pub struct Host {
    pub address: String,
    stop: CancellationToken,
    runtime: Runtime,
}

impl Host {
    fn start(certificate_dir: Option<&Path>, listen: &str) -> Self {
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
    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

struct NoPictures;

impl PictureSink for NoPictures {
    fn picture(&self, _: PictureHead, _: Vec<u8>) {}

    fn sound(&self, _: SoundHead, _: Vec<u8>) {}
}

/// A client without a window, with a key that did not have to be made.
pub struct Client {
    pub net: NetHandle,
    data_dir: TempDir,
    /// Events that were passed over, for messages of failed tests.
    passed: Mutex<Vec<NetEvent>>,
}

impl Client {
    fn new(name: &str, identity: &Identity) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        keep(data_dir.path(), name, identity);
        Self::with(data_dir, false)
    }

    fn with(data_dir: TempDir, is_plaintext: bool) -> Self {
        Self::with_sink(data_dir, is_plaintext, Arc::new(NoPictures))
    }

    /// What streams bring goes to `sink`.
    pub fn with_sink(data_dir: TempDir, is_plaintext: bool, sink: Arc<dyn PictureSink>) -> Self {
        let settings = NetSettings { data_dir: data_dir.path().to_owned(), is_plaintext };
        let net = NetHandle::start(settings, sink, Arc::new(|| {}));
        Self { net, data_dir, passed: Mutex::default() }
    }

    pub fn connect(&self, address: &str, name: &str) {
        self.net.send(NetCommand::Connect { address: address.to_owned(), name: name.to_owned() });
    }

    /// Waits for an event that `pick` takes.
    pub fn wait_for<T>(&self, what: &str, mut pick: impl FnMut(&NetEvent) -> Option<T>) -> T {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            match self.net.next_event() {
                Some(event) => match pick(&event) {
                    Some(picked) => return picked,
                    None => self.passed.lock().unwrap().push(event),
                },
                None => thread::yield_now(),
            }
        }
        panic!("no {what}; there were {:#?}", self.passed.lock().unwrap());
    }

    pub fn online(&self) -> Online {
        self.wait_for("welcome", |event| match event {
            NetEvent::Online(online) => Some(online.clone()),
            _ => None,
        })
    }

    fn offline(&self) -> Offline {
        self.wait_for("end", |event| match event {
            NetEvent::Offline(offline) => Some(offline.clone()),
            _ => None,
        })
    }

    fn letter(&self) -> ReceivedLetter {
        self.wait_for("letter", |event| match event {
            NetEvent::Letter(letter) => Some(letter.clone()),
            _ => None,
        })
    }

    fn envelope(&self) -> WireOutcome {
        self.wait_for("envelope", |event| match event {
            NetEvent::Envelope(entry) => Some(entry.outcome),
            _ => None,
        })
    }
}

/// Puts a key where the client keeps that of `name`.
pub fn keep(data_dir: &Path, name: &str, identity: &Identity) {
    use std::{fs, io::Write, os::unix::fs::OpenOptionsExt};
    let path = identity_path(data_dir, &Name::parse(name).unwrap());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(identity.to_pem().as_bytes()).unwrap();
}

#[test]
fn one_writes_one_reads_and_one_cannot() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let clients = [("ada", test_keys::ada()), ("bob", test_keys::bob()), ("eve", test_keys::eve())]
        .map(|(name, identity)| (name, Client::new(name, &identity)));
    let mut fingerprints = Vec::new();
    for (name, client) in &clients {
        client.connect(&host.address, name);
        let online = client.online();
        assert_eq!(online.name.as_str(), *name);
        fingerprints.push(online.server_fingerprint.expect("TLS is on"));
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1, "all see the same certificate");

    let [(_, ada), (_, bob), (_, eve)] = &clients;
    let recipients = vec![test_keys::bob().public_key().clone()];
    let text = "Žluťoučký kůň\n很好 🦀".to_owned();
    ada.net.send(NetCommand::Send { draft: DraftId(1), recipients, text: text.clone() });
    let message_id = ada.wait_for("sent", |event| match event {
        NetEvent::Sent { draft: DraftId(1), message_id } => Some(*message_id),
        _ => None,
    });
    let letter = bob.letter();
    assert_eq!((letter.text, letter.from.as_str(), letter.message_id), (text, "ada", message_id));
    assert_eq!(ada.envelope(), WireOutcome::Own);
    assert_eq!(eve.envelope(), WireOutcome::Foreign);

    let everyone = vec![test_keys::ada().public_key().clone(), test_keys::bob().public_key().clone()];
    eve.net.send(NetCommand::Send { draft: DraftId(1), recipients: everyone, text: "all".to_owned() });
    for reader in [ada, bob] {
        let letter = reader.letter();
        assert_eq!((letter.text.as_str(), letter.recipients.len()), ("all", 2));
    }

    // A text that is too long goes nowhere, and is said so.
    let recipients = vec![test_keys::bob().public_key().clone()];
    ada.net.send(NetCommand::Send { draft: DraftId(2), recipients, text: "x".repeat(9000) });
    let reason = ada.wait_for("failure", |event| match event {
        NetEvent::SendFailed { draft: DraftId(2), reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("8192"), "{reason}");

    ada.net.send(NetCommand::Disconnect);
    assert_eq!(ada.offline(), Offline::Left);
    bob.wait_for("leave", |event| matches!(event, NetEvent::Left { name, .. } if name.as_str() == "ada").then_some(()));
    host.stop.cancel();
    assert!(matches!(bob.offline(), Offline::Goodbye(_)));
}

#[test]
fn what_is_left_of_an_old_visit_is_not_news_of_the_new_one() {
    let host = Host::start(None, "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let client = Client::with(data_dir, true);
    client.connect(&host.address, "ada");
    client.net.send(NetCommand::Disconnect);
    client.connect(&host.address, "ada");
    client.online();
    let passed = client.passed.lock().unwrap();
    assert!(!passed.iter().any(|event| matches!(event, NetEvent::Offline(Offline::Left))), "{passed:#?}");
}

#[test]
fn a_name_in_use_comes_back_with_a_free_one() {
    let certificates = tempfile::tempdir().unwrap();
    let host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let first = Client::new("ada", &test_keys::ada());
    first.connect(&host.address, "ada");
    first.online();
    let second = Client::new("ada", &test_keys::bob());
    keep(second.data_dir.path(), "ada-2", &test_keys::eve());
    second.connect(&host.address, "ada");
    let Offline::Refused { code: RefusalCode::NameInUse, suggestion: Some(suggestion), .. } = second.offline() else {
        panic!("not refused")
    };
    second.connect(&host.address, suggestion.as_str());
    assert_eq!(second.online().name.as_str(), "ada-2");
    second.connect(&host.address, "a/b");
    assert!(matches!(second.offline(), Offline::Refused { code: RefusalCode::BadName, .. }));
}

#[test]
fn a_server_with_another_certificate_is_not_spoken_to() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Host::start(Some(old.path()), "127.0.0.1:0");
    let address = host.address.clone();
    let client = Client::new("ada", &test_keys::ada());
    client.connect(&address, "ada");
    let first = client.online().server_fingerprint.unwrap();
    host.kill();
    assert!(matches!(client.offline(), Offline::Unreachable { .. } | Offline::Goodbye(_)));

    let impostor = Host::start(Some(new.path()), &address);
    client.connect(&address, "ada");
    let Offline::CertificateChanged { expected, found, pins_file } = client.offline() else { panic!("accepted") };
    assert_eq!(expected, first);
    assert_ne!(found, first);
    assert!(pins_file.ends_with("known-servers.toml"));
    impostor.kill();

    let host = Host::start(Some(old.path()), &address);
    client.connect(&address, "ada");
    assert_eq!(client.online().server_fingerprint, Some(first));
    drop(host);
}

#[test]
fn what_cannot_be_reached_is_explained() {
    let explained = |client: &Client, address: &str| {
        client.connect(address, "ada");
        match client.offline() {
            Offline::Unreachable { what, remedy } => {
                assert!(!remedy.is_empty());
                what
            }
            other => panic!("{other:?}"),
        }
    };
    let client = Client::new("ada", &test_keys::ada());
    // Taken and given back, so nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert!(explained(&client, &free).contains("No server listens"));
    assert!(explained(&client, "two words").contains("no server address"));

    // One end with TLS, the other without.
    let plain_host = Host::start(None, "127.0.0.1:0");
    assert!(explained(&client, &plain_host.address).contains("not as a Triptych server with TLS"));
    let certificates = tempfile::tempdir().unwrap();
    let tls_host = Host::start(Some(certificates.path()), "127.0.0.1:0");
    let data_dir = tempfile::tempdir().unwrap();
    keep(data_dir.path(), "ada", &test_keys::ada());
    let plain_client = Client::with(data_dir, true);
    let what = explained(&plain_client, &tls_host.address);
    assert!(what.contains("does not answer as") || what.contains("closed the connection"), "{what}");
    plain_client.connect(&plain_host.address, "ada");
    assert_eq!(plain_client.online().server_fingerprint, None);
}
