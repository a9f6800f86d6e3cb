//! A client without a window: its network side, and waiting for its events.

use std::{cell::RefCell, path::Path, sync::Arc};

use common::{
    crypto::Identity,
    media::{PictureHead, SoundHead},
    name::Name,
};
use tempfile::TempDir;
use triptych_client::{
    event::{NetCommand, NetEvent, Offline, Online, PictureSink, ReceivedMessage, WireEntry, WireOutcome},
    net::{NetHandle, NetSettings, identity::identity_path},
};

use super::wake::WakeSignal;

struct NoPictures;

impl PictureSink for NoPictures {
    fn picture(&self, _: PictureHead, _: Vec<u8>) {}

    fn sound(&self, _: SoundHead, _: Vec<u8>) {}
}

/// A client without a window, with a key that did not have to be made.
pub struct Client {
    net: RefCell<NetHandle>,
    wake: WakeSignal,
    pub data_dir: TempDir,
    /// Events that were passed over, for messages of failed tests.
    pub passed: RefCell<Vec<NetEvent>>,
}

impl Client {
    pub fn new(name: &str, identity: &Identity) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        keep(data_dir.path(), name, identity);
        Self::with(data_dir, false)
    }

    pub fn with(data_dir: TempDir, is_plaintext: bool) -> Self {
        Self::with_sink(data_dir, is_plaintext, Arc::new(NoPictures))
    }

    /// A second client without TLS that works in the folder of another one.
    pub fn sharing(folder: &Path) -> Self {
        let settings = NetSettings { data_dir: folder.to_owned(), is_plaintext: true };
        Self::start(settings, tempfile::tempdir().unwrap(), Arc::new(NoPictures))
    }

    /// What streams bring goes to `sink`.
    pub fn with_sink(data_dir: TempDir, is_plaintext: bool, sink: Arc<dyn PictureSink>) -> Self {
        let settings = NetSettings { data_dir: data_dir.path().to_owned(), is_plaintext };
        Self::start(settings, data_dir, sink)
    }

    fn start(settings: NetSettings, data_dir: TempDir, sink: Arc<dyn PictureSink>) -> Self {
        let wake = WakeSignal::default();
        let callback = wake.callback();
        let net = NetHandle::start(settings, sink, Arc::new(move |_| callback())).expect("threads can be started");
        Self { net: RefCell::new(net), wake, data_dir, passed: RefCell::default() }
    }

    pub fn connect(&self, address: &str, name: &str) {
        self.send(NetCommand::Connect { address: address.to_owned(), name: name.to_owned() });
    }

    pub fn send(&self, command: NetCommand) {
        self.net.borrow_mut().send(command);
    }

    /// Waits for an event that `pick` takes.
    pub fn wait_for<T>(&self, what: &str, mut pick: impl FnMut(&NetEvent) -> Option<T>) -> T {
        let picked = self.wake.wait_for_up_to_deadline(|| {
            while let Some(event) = self.net.borrow_mut().next_event() {
                if let Some(picked) = pick(&event) {
                    return Ok(picked);
                }
                self.passed.borrow_mut().push(event);
            }
            Err(None)
        });
        picked.unwrap_or_else(|| panic!("no {what}; there were {:#?}", self.passed.borrow()))
    }

    pub fn online(&self) -> Online {
        self.wait_for("welcome", |event| match event {
            NetEvent::Online(online) => Some(online.clone()),
            _ => None,
        })
    }

    pub fn offline(&self) -> Offline {
        self.wait_for("end", |event| match event {
            NetEvent::Offline(offline) => Some(offline.clone()),
            _ => None,
        })
    }

    pub fn message(&self) -> ReceivedMessage {
        self.wait_for("message", |event| match event {
            NetEvent::Received(message) => Some(message.clone()),
            _ => None,
        })
    }

    pub fn entry(&self) -> WireEntry {
        self.wait_for("envelope", |event| match event {
            NetEvent::Envelope(entry) => Some(entry.clone()),
            _ => None,
        })
    }

    pub fn envelope(&self) -> WireOutcome {
        self.entry().outcome
    }
}

/// Puts a key where the client keeps the key of `name`.
pub fn keep(data_dir: &Path, name: &str, identity: &Identity) {
    use std::{fs, io::Write, os::unix::fs::OpenOptionsExt};
    let path = identity_path(data_dir, &Name::parse(name).unwrap());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(identity.to_pem().as_bytes()).unwrap();
}
