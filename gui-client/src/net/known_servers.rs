//! The certificates of known servers. Each is remembered at the first visit and compared at every later one: trust on
//! first use.
//!
//! Several clients may run at once and share the file, so every change is made under a lock, to the file as it is then,
//! and replaces it as a whole. The functions here block; call them on a thread that may.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The file `known-servers.toml` in the data folder.
#[derive(Debug, Clone)]
pub(super) struct KnownServers {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
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

    /// SHA-256 of the certificate that is remembered for `address`; `None` before the first visit. A file that cannot be
    /// understood is an error and never a first visit.
    pub(super) fn certificate_hash(&self, address: &str) -> io::Result<Option<[u8; 32]>> {
        self.hash_in(&self.read()?, address)
    }

    /// Remembers the certificate of `address` and returns the hash that is remembered from now on: another one when another
    /// client was faster, because an entry is never replaced.
    pub(super) fn remember(&self, address: &str, certificate_hash: &[u8; 32]) -> io::Result<[u8; 32]> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let _lock = self.lock()?;
        let mut contents = self.read()?;
        if let Some(remembered) = self.hash_in(&contents, address)? {
            return Ok(remembered);
        }
        contents.servers.insert(address.to_owned(), KnownServer { certificate: to_hex(certificate_hash) });
        let text = toml::to_string(&contents).map_err(io::Error::other)?;
        let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
        unfinished.write_all(text.as_bytes())?;
        unfinished.as_file().sync_all()?;
        unfinished.persist(&self.path).map_err(|error| error.error)?;
        // The new name is on the disk only when its folder is.
        File::open(folder)?.sync_all()?;
        Ok(*certificate_hash)
    }

    /// Waits until no other client changes the file, and keeps them from it until the result is dropped. The lock is on a
    /// file of its own, because the file itself is replaced.
    fn lock(&self) -> io::Result<File> {
        let lock = File::create(self.path.with_extension("lock"))?;
        match lock.lock() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::debug!("{} is on a file system without locks", self.path.display());
            }
            locked => locked?,
        }
        Ok(lock)
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
        match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::default()),
            text => toml::from_str(&text?)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned())),
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

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
    fn a_spoilt_file_is_an_error_and_no_first_visit() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        for text in ["not toml [", "[servers.\"a:1\"]\ncertificate = \"xyz\""] {
            fs::write(known_servers.path(), text).unwrap();
            assert!(known_servers.certificate_hash("a:1").is_err(), "{text}");
            assert!(known_servers.remember("a:1", &[1; 32]).is_err(), "{text}");
            assert_eq!(fs::read_to_string(known_servers.path()).unwrap(), text, "it is not overwritten");
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
