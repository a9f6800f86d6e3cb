//! The certificates of known servers. Each is remembered at the first visit and compared at every later one: trust on
//! first use.
//!
//! Several clients may run at once and share the file, so every change is made under a lock, to the file as it is then,
//! and replaces it as a whole. The functions here block; call them on a thread that may.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    hex::{from_hex, to_hex},
    private_files,
};

/// The format of the file, as its key `version` says. A file without it and without a server is damaged, and the entry
/// stays when the last server is removed by hand: so a file that a crash has emptied is never taken for a first visit.
const VERSION: u32 = 1;

/// The file `known-servers.toml` in the data folder.
#[derive(Debug, Clone)]
pub(super) struct KnownServers {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    /// [`VERSION`]; files of older releases have none.
    version: Option<u32>,
    /// By `host:port`, as typed.
    #[serde(default)]
    servers: BTreeMap<String, KnownServer>,
}

#[derive(Serialize, Deserialize)]
struct KnownServer {
    /// SHA-256 of the certificate in DER, hexadecimal.
    certificate: String,
}

impl KnownServers {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("known-servers.toml") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the certificate that is remembered for `address`; `None` before the first visit. A file that is empty or
    /// cannot be understood is an error and never a first visit.
    pub(super) fn certificate_hash(&self, address: &str) -> io::Result<Option<[u8; 32]>> {
        self.hash_in(&self.read()?, address)
    }

    /// Whether this is the certificate of any known server.
    pub(super) fn knows(&self, certificate_hash: &[u8; 32]) -> io::Result<bool> {
        let written = to_hex(certificate_hash);
        Ok(self.read()?.servers.values().any(|server| server.certificate == written))
    }

    /// The certificates of all known servers.
    pub(super) fn all(&self) -> io::Result<BTreeMap<String, [u8; 32]>> {
        let contents = self.read()?;
        let hash = |address: &String| Ok(self.hash_in(&contents, address)?.map(|hash| (address.clone(), hash)));
        contents.servers.keys().filter_map(|address| hash(address).transpose()).collect()
    }

    /// Remembers the certificate of `address` and returns the hash that is remembered from now on: another one when another
    /// client was faster, because an entry is never replaced.
    pub(super) fn remember(&self, address: &str, certificate_hash: &[u8; 32]) -> io::Result<[u8; 32]> {
        private_files::create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let _lock = private_files::lock(&self.path)?;
        let mut contents = self.read()?;
        if let Some(remembered) = self.hash_in(&contents, address)? {
            return Ok(remembered);
        }
        contents.version = Some(VERSION);
        contents.servers.insert(address.to_owned(), KnownServer { certificate: to_hex(certificate_hash) });
        private_files::replace(&self.path, &toml::to_string(&contents).map_err(io::Error::other)?)?;
        Ok(*certificate_hash)
    }

    /// Takes `found` for the certificate of `address` from now on, as the person has decided who was shown both. Fails when
    /// another client has decided otherwise meanwhile.
    pub(super) fn replace(&self, address: &str, expected: &[u8; 32], found: &[u8; 32]) -> io::Result<()> {
        self.change(address, |servers, remembered| {
            if remembered.is_some_and(|hash| hash != *expected && hash != *found) {
                return Err(io::Error::other("another client has remembered a third certificate meanwhile"));
            }
            servers.insert(address.to_owned(), KnownServer { certificate: to_hex(found) });
            Ok(())
        })
    }

    /// Forgets the certificate of `address`: the next visit counts as the first.
    pub(super) fn forget(&self, address: &str) -> io::Result<()> {
        self.change(address, |servers, _| {
            servers.remove(address);
            Ok(())
        })
    }

    fn change(
        &self,
        address: &str,
        change: impl FnOnce(&mut BTreeMap<String, KnownServer>, Option<[u8; 32]>) -> io::Result<()>,
    ) -> io::Result<()> {
        let _lock = private_files::lock(&self.path)?;
        let mut contents = self.read()?;
        let remembered = self.hash_in(&contents, address)?;
        change(&mut contents.servers, remembered)?;
        contents.version = Some(VERSION);
        private_files::replace(&self.path, &toml::to_string(&contents).map_err(io::Error::other)?)
    }

    fn hash_in(&self, contents: &Contents, address: &str) -> io::Result<Option<[u8; 32]>> {
        let Some(server) = contents.servers.get(address) else { return Ok(None) };
        from_hex(&server.certificate).map(Some).ok_or_else(|| {
            let message =
                format!("the certificate of {address} in {} is not 64 hexadecimal digits", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }

    fn read(&self) -> io::Result<Contents> {
        let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let Some(text) = private_files::read(&self.path)? else {
            return Ok(Contents { version: None, servers: BTreeMap::new() });
        };
        let contents: Contents = toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
        match contents.version {
            None if contents.servers.is_empty() => Err(damaged("it is empty".to_owned())),
            None | Some(VERSION) => Ok(contents),
            Some(other) => Err(damaged(format!("it has version {other}, which this release cannot read"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Barrier, thread};

    use super::*;

    #[test]
    fn a_certificate_is_remembered_per_address() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        assert_eq!(known_servers.certificate_hash("a:1").unwrap(), None);
        known_servers.remember("a:1", &[0xab; 32]).unwrap();
        known_servers.remember("b:1", &[0x01; 32]).unwrap();
        assert_eq!(KnownServers::new(dir.path()).certificate_hash("a:1").unwrap(), Some([0xab; 32]));
        assert_eq!(known_servers.certificate_hash("c:1").unwrap(), None);
    }

    #[test]
    fn a_remembered_certificate_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        assert_eq!(known_servers.remember("a:1", &[1; 32]).unwrap(), [1; 32]);
        assert_eq!(known_servers.remember("a:1", &[2; 32]).unwrap(), [1; 32]);
        assert_eq!(known_servers.certificate_hash("a:1").unwrap(), Some([1; 32]));
    }

    #[test]
    fn a_certificate_is_replaced_or_forgotten_on_request_only() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        known_servers.remember("a:1", &[1; 32]).unwrap();
        known_servers.remember("b:1", &[7; 32]).unwrap();
        known_servers.replace("a:1", &[1; 32], &[2; 32]).unwrap();
        assert_eq!(known_servers.certificate_hash("a:1").unwrap(), Some([2; 32]));
        known_servers.replace("a:1", &[1; 32], &[2; 32]).expect("another client did it already");
        assert!(known_servers.replace("a:1", &[1; 32], &[3; 32]).is_err(), "decided on what is no longer remembered");
        assert_eq!(known_servers.certificate_hash("a:1").unwrap(), Some([2; 32]));
        known_servers.forget("a:1").unwrap();
        assert_eq!(known_servers.certificate_hash("a:1").unwrap(), None);
        assert_eq!(known_servers.certificate_hash("b:1").unwrap(), Some([7; 32]), "the others stay");
        known_servers.forget("b:1").unwrap();
        assert_eq!(known_servers.certificate_hash("b:1").unwrap(), None, "the file without servers is not damaged");
    }

    #[test]
    fn a_spoilt_file_is_an_error_and_no_first_visit() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        let texts =
            ["not toml [", "[servers.\"a:1\"]\ncertificate = \"xyz\"", "", "\n", "[servers]\n", "version = 2\n"];
        for text in texts {
            fs::write(known_servers.path(), text).unwrap();
            assert!(known_servers.certificate_hash("a:1").is_err(), "{text}");
            assert!(known_servers.remember("a:1", &[1; 32]).is_err(), "{text}");
            assert_eq!(fs::read_to_string(known_servers.path()).unwrap(), text, "it is not overwritten");
        }
    }

    #[test]
    fn a_file_of_an_older_release_and_one_without_servers_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        let hash = "ab".repeat(32);
        for text in [format!("[servers.\"a:1\"]\ncertificate = \"{hash}\"\n"), "version = 1\n".to_owned()] {
            fs::write(known_servers.path(), &text).unwrap();
            assert_eq!(known_servers.certificate_hash("b:1").unwrap(), None, "{text}");
            assert_eq!(known_servers.remember("b:1", &[1; 32]).unwrap(), [1; 32]);
            assert!(known_servers.read().unwrap().version == Some(VERSION));
        }
    }

    #[test]
    fn clients_that_write_at_once_lose_nothing() {
        const WRITERS: usize = 4;
        const ENTRIES: usize = 25;
        let dir = tempfile::tempdir().unwrap();
        let start = Barrier::new(WRITERS);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (dir, start) = (dir.path(), &start);
                scope.spawn(move || {
                    let known_servers = KnownServers::new(dir);
                    start.wait();
                    for entry in 0..ENTRIES {
                        known_servers.remember(&format!("{writer}:{entry}"), &[writer as u8; 32]).unwrap();
                    }
                });
            }
        });
        let contents = KnownServers::new(dir.path()).read().unwrap();
        assert_eq!(contents.servers.len(), WRITERS * ENTRIES);
        let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["known-servers.lock", "known-servers.toml"], "no unfinished file is left");
    }
}
