//! The keys of the people on one server, kept in a file of their own: `pins/` in the data folder, named after the server's
//! certificate. On a server without TLS, which shows none, it is named after the address.
//!
//! Several clients may run at once and share the file, so every change is made under a lock, to the file as it is then,
//! and replaces it as a whole. The functions here block; call them on a thread that may.

use std::{
    io,
    path::{Path, PathBuf},
};

use common::{
    crypto::{KeyId, sha256},
    name::Name,
};
use serde::{Deserialize, Serialize};

use super::{
    hex::{from_hex, to_hex},
    private_files,
};
use crate::pins::{Pin, PinChange, Pins};

/// The format of the file, as its key `version` says: a file that a crash has emptied is never taken for a first visit.
const VERSION: u32 = 1;

/// The pins of one server on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PinFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// In the order of their names.
    #[serde(default)]
    people: Vec<Person>,
}

#[derive(Serialize, Deserialize)]
struct Person {
    name: String,
    /// SHA-256 of the public key in DER, hexadecimal.
    key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<String>,
    first_met_unix_secs: u64,
    last_met_unix_secs: u64,
    #[serde(default)]
    verified: bool,
}

impl PinFile {
    /// The file of the server with this certificate, or at this address if it shows none.
    pub(super) fn new(data_dir: &Path, certificate_hash: Option<&[u8; 32]>, address: &str) -> Self {
        let stem = match certificate_hash {
            Some(hash) => to_hex(hash),
            None => format!("plaintext-{}", to_hex(&sha256(address.as_bytes()))),
        };
        Self { path: data_dir.join("pins").join(stem + ".toml") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Who was met on this server; no one before the first visit. A file that is empty or cannot be understood is an error
    /// and never a first visit.
    pub(super) fn read(&self) -> io::Result<Pins> {
        let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let Some(text) = private_files::read(&self.path)? else { return Ok(Pins::default()) };
        let contents: Contents = toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
        if contents.version != VERSION {
            return Err(damaged(format!("it has version {}, which this release cannot read", contents.version)));
        }
        let pins = contents.people.into_iter().map(|person| {
            let name = person.name.clone();
            person.into_pin().ok_or_else(|| damaged(format!("its entry for {name:?} holds no name and key")))
        });
        pins.collect::<io::Result<Vec<_>>>().map(Pins::new)
    }

    /// Makes these changes to the file as it is now.
    pub(super) fn apply(&self, changes: &[PinChange], unix_secs: u64) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        private_files::create_folder(folder)?;
        let _lock = private_files::lock(&self.path)?;
        let mut pins = self.read()?;
        // All are applied: `any` would stop at the first that changes something.
        let changing = changes.iter().filter(|change| pins.apply(change, unix_secs)).count();
        if changing > 0 { self.write(&pins) } else { Ok(()) }
    }

    /// Takes over what is remembered of `other`, unless there is something here already.
    pub(super) fn inherit(&self, other: &Self) -> io::Result<()> {
        private_files::create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let _lock = private_files::lock(&self.path)?;
        let inherited = other.read()?;
        if self.read()?.iter().len() == 0 && inherited.iter().len() > 0 { self.write(&inherited) } else { Ok(()) }
    }

    fn write(&self, pins: &Pins) -> io::Result<()> {
        let contents = Contents { version: VERSION, people: pins.iter().map(Person::of).collect() };
        private_files::replace(&self.path, &toml::to_string(&contents).map_err(io::Error::other)?)
    }
}

impl Person {
    fn of(pin: &Pin) -> Self {
        Self {
            name: pin.name.as_str().to_owned(),
            key: to_hex(&pin.key.0),
            earlier: pin.earlier.iter().map(|key| to_hex(&key.0)).collect(),
            first_met_unix_secs: pin.first_met_unix_secs,
            last_met_unix_secs: pin.last_met_unix_secs,
            verified: pin.is_verified,
        }
    }

    fn into_pin(self) -> Option<Pin> {
        Some(Pin {
            name: Name::parse(&self.name).ok()?,
            key: KeyId(from_hex(&self.key)?),
            earlier: self.earlier.iter().map(|key| from_hex(key).map(KeyId)).collect::<Option<_>>()?,
            first_met_unix_secs: self.first_met_unix_secs,
            last_met_unix_secs: self.last_met_unix_secs,
            is_verified: self.verified,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::pins::{MAX_PINS, Standing};

    const NOW: u64 = 1_780_000_000;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn met(text: &str, number: u8) -> PinChange {
        PinChange::Met(vec![(name(text), KeyId([number; 32]))])
    }

    #[test]
    fn what_was_met_accepted_and_verified_is_read_again_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = PinFile::new(dir.path(), Some(&[7; 32]), "lab:7878");
        assert_eq!(file.read().unwrap(), Pins::default());
        let bob = (name("bob"), KeyId([2; 32]));
        let changes = [
            met("bob", 1),
            met("žofie", 3),
            PinChange::Accepted(bob.0.clone(), bob.1),
            PinChange::Verified(bob.0.clone(), bob.1, true),
        ];
        file.apply(&changes, NOW).unwrap();
        let mut expected = Pins::default();
        changes.iter().for_each(|change| {
            expected.apply(change, NOW);
        });
        assert_eq!(PinFile::new(dir.path(), Some(&[7; 32]), "elsewhere:1").read().unwrap(), expected);
        assert_eq!(PinFile::new(dir.path(), Some(&[8; 32]), "lab:7878").read().unwrap(), Pins::default());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(file.path().parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn servers_without_a_certificate_are_told_apart_by_their_address() {
        let dir = tempfile::tempdir().unwrap();
        let file = |address: &str| PinFile::new(dir.path(), None, address);
        file("../lab:7878").apply(&[met("bob", 1)], NOW).unwrap();
        assert_eq!(file("../lab:7878").read().unwrap().iter().len(), 1);
        assert_eq!(file("lab:7878").read().unwrap().iter().len(), 0);
        assert_eq!(file("../lab:7878").path().parent(), Some(dir.path().join("pins").as_path()));
    }

    #[test]
    fn a_spoilt_file_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = PinFile::new(dir.path(), None, "lab:7878");
        file.apply(&[met("bob", 1)], NOW).unwrap();
        let whole = fs::read_to_string(file.path()).unwrap();
        let truncated: String = whole.chars().take(whole.len() / 2).collect();
        let other_version = whole.replace("version = 1", "version = 2");
        let no_key = whole.replace("0101", "xyz");
        for text in
            ["", "\n", "not toml [", "version = 1\n[[people]]\nname = \"bob\"\n", &truncated, &other_version, &no_key]
        {
            fs::write(file.path(), text).unwrap();
            let error = file.read().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
            assert!(!error.to_string().is_empty());
            assert!(file.apply(&[met("eve", 2)], NOW).is_err(), "{text:?}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), text, "it is not overwritten");
        }
    }

    #[test]
    fn of_two_clients_the_first_pin_counts_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (PinFile::new(dir.path(), None, "lab:1"), PinFile::new(dir.path(), None, "lab:1"));
        std::thread::scope(|scope| {
            for (file, first) in [(&one, 0), (&other, 10)] {
                scope.spawn(move || {
                    for number in first..first + 10 {
                        file.apply(&[met(&format!("guest-{number}"), number)], NOW).unwrap();
                    }
                });
            }
        });
        one.apply(&[met("guest-3", 99)], NOW).unwrap();
        let pins = other.read().unwrap();
        assert_eq!(pins.iter().len(), 20);
        assert!(matches!(pins.standing(&name("guest-3"), &KeyId([3; 32])), Standing::Known { .. }));
    }

    #[test]
    fn a_new_certificate_inherits_the_people_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = |number: u8| PinFile::new(dir.path(), Some(&[number; 32]), "lab:1");
        file(1).apply(&[met("bob", 1)], NOW).unwrap();
        file(2).inherit(&file(1)).unwrap();
        assert_eq!(file(2).read().unwrap(), file(1).read().unwrap());
        file(3).apply(&[met("bob", 5)], NOW).unwrap();
        file(3).inherit(&file(1)).unwrap();
        assert!(matches!(file(3).read().unwrap().standing(&name("bob"), &KeyId([5; 32])), Standing::Known { .. }));
    }

    #[test]
    fn a_full_file_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = PinFile::new(dir.path(), None, "lab:1");
        let people = (0..MAX_PINS + 5).map(|number| (name(&format!("guest-{number}")), KeyId([1; 32]))).collect();
        file.apply(&[PinChange::Met(people)], NOW).unwrap();
        assert_eq!(file.read().unwrap().iter().len(), MAX_PINS);
    }
}
