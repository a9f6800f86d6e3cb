//! What this client remembers of servers: their certificates, from the first visit on.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The file, `known-servers.toml` in the data folder.
pub(super) struct KnownServers {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
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

    /// The certificate that `address` showed before.
    pub(super) fn certificate_hash(&self, address: &str) -> io::Result<Option<[u8; 32]>> {
        let contents = self.read()?;
        let Some(server) = contents.servers.get(address) else { return Ok(None) };
        from_hex(&server.certificate).map(Some).ok_or_else(|| {
            let message =
                format!("the certificate of {address} in {} is not 64 hexadecimal digits", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }

    /// Remembers the certificate of `address`.
    pub(super) fn remember(&self, address: &str, certificate_hash: &[u8; 32]) -> io::Result<()> {
        let mut contents = self.read()?;
        contents.servers.insert(address.to_owned(), KnownServer { certificate: to_hex(certificate_hash) });
        let text = toml::to_string(&contents).map_err(io::Error::other)?;
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
        let unfinished = self.path.with_extension(format!("unfinished-{}", std::process::id()));
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, &self.path)
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
    fn a_spoilt_file_is_an_error_and_no_first_visit() {
        let dir = tempfile::tempdir().unwrap();
        let known_servers = KnownServers::new(dir.path());
        for text in ["not toml [", "[servers.\"a:1\"]\ncertificate = \"xyz\""] {
            fs::write(known_servers.path(), text).unwrap();
            assert!(known_servers.certificate_hash("a:1").is_err(), "{text}");
        }
    }
}
