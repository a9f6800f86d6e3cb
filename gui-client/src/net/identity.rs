//! The key pairs of this client: one for each name, each in a file that only its owner can read.
//!
//! The functions here block; call them on a thread that may.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use common::{crypto::Identity, name::Name};

use super::{owner_only, private_files};
use crate::event::{FileRepair, OTHER_WINDOW_REMEDY, other_window};

/// Why there is no key pair to work with. The text is a sentence for the window.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// Another client of this user works with it.
    #[error("{}", other_window(.0))]
    InUse(Name),
    /// Reading or writing it failed.
    #[error("The key file {path} cannot be used: {source}.")]
    File {
        /// The file that failed.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Its mode lets other users read it, so the key may no longer be secret.
    #[error("Other users of this computer can read the key file {0}.")]
    Exposed(PathBuf),
    /// It holds no RSA key in PKCS#8 PEM, or one of a size that is not accepted.
    #[error("The key file {path} holds no usable key: {reason}.")]
    Unusable {
        /// The file that was read.
        path: PathBuf,
        /// Why the key was not accepted.
        reason: String,
    },
}

impl IdentityFileError {
    /// What to do about it, in a sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::InUse(_) => OTHER_WINDOW_REMEDY.to_owned(),
            Self::File { .. } => "Make the folder writable, or name another with --data-dir.".to_owned(),
            Self::Exposed(_) => "If you trust them, close it to them and use it. Otherwise renew the key of this name.".to_owned(),
            Self::Unusable { .. } => {
                "Restore it from a backup, or have a new key made. With a new key you are someone else to those who know you."
                    .to_owned()
            }
        }
    }

    /// What can be done about it from the window.
    pub(super) fn repair(&self) -> Option<FileRepair> {
        match self {
            Self::InUse(_) | Self::File { .. } => None,
            Self::Exposed(path) => Some(FileRepair::CloseKey(path.clone())),
            Self::Unusable { path, .. } => Some(FileRepair::NewKey(path.clone())),
        }
    }
}

/// Path of the key pair for `name`. Characters outside ASCII are written as their code points, so that every file system
/// accepts them.
pub fn identity_path(data_dir: &Path, name: &Name) -> PathBuf {
    let mut file_name = String::new();
    for c in name.as_str().chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' | '.' => file_name.push(c),
            // Capitals too: some file systems treat "Ada" and "ada" as the same name.
            other => file_name.push_str(&format!("_{:x}_", u32::from(other))),
        }
    }
    data_dir.join("identities").join(file_name + ".pem")
}

/// A key pair that only this client uses, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
}

impl Drop for Claim {
    /// Closing the file is not enough: a process that is being started at this moment still has it, and the lock with it.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!("A key pair is free only when its file is closed: {error}.");
        }
    }
}

/// Claims the key pair of `name` for this client. Two clients with one key would each take the other's place on the server,
/// without a word about why.
pub(super) fn claim(data_dir: &Path, name: &Name) -> Result<Claim, IdentityFileError> {
    let path = identity_path(data_dir, name).with_extension("in-use");
    let failed = |source| IdentityFileError::File { path: path.clone(), source };
    create_folders(data_dir, &path).map_err(failed)?;
    let file = owner_only::open_lock(&path).map_err(failed)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(IdentityFileError::InUse(name.clone())),
        Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => Err(failed(error)),
        // A file system without locks: then the server tells the two apart.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Claim { file }),
    }
}

/// Makes the folder of the key pairs, for its owner only.
fn create_folders(data_dir: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().expect("identity_path names a file in a folder");
    private_files::create_folder(data_dir)?;
    private_files::create_folder(folder)?;
    owner_only::close_folder(folder)
}

/// Reads the key pair for `name`; `None` when there is none yet.
pub fn load(data_dir: &Path, name: &Name) -> Result<Option<Identity>, IdentityFileError> {
    let path = identity_path(data_dir, name);
    let failed = |source| IdentityFileError::File { path: path.clone(), source };
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(failed)?,
    };
    if owner_only::is_open_to_others(&metadata) {
        return Err(IdentityFileError::Exposed(path));
    }
    let pem = zeroize::Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
    let identity = Identity::from_pem(&pem)
        .map_err(|error| IdentityFileError::Unusable { path: path.clone(), reason: error.to_string() })?;
    Ok(Some(identity))
}

/// Returns the key pair for `name`, and generates and stores one of [`Identity::DEFAULT_BITS`] when there is none, which
/// takes seconds. When another client stores one meanwhile, that one is returned.
pub fn load_or_make(data_dir: &Path, name: &Name) -> Result<Identity, IdentityFileError> {
    load_or_make_with(data_dir, name, || Identity::generate(Identity::DEFAULT_BITS))
}

/// The same with another way to make one.
pub(super) fn load_or_make_with(
    data_dir: &Path,
    name: &Name,
    generate: impl FnOnce() -> Identity,
) -> Result<Identity, IdentityFileError> {
    if let Some(identity) = load(data_dir, name)? {
        return Ok(identity);
    }
    let path = identity_path(data_dir, name);
    let failed = |source| IdentityFileError::File { path: path.clone(), source };
    create_folders(data_dir, &path).map_err(failed)?;
    let folder = path.parent().expect("identity_path names a file in a folder");
    let identity = generate();
    match store(&identity, folder, &path) {
        // Another client was faster, and its key may be in use by now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(load(data_dir, name)?.unwrap_or(identity)),
        stored => stored.map(|()| identity).map_err(failed),
    }
}

/// Writes the whole key beside its place and then moves it there, so that no other client ever reads half a key. Fails
/// with [`io::ErrorKind::AlreadyExists`] rather than replace one.
fn store(identity: &Identity, folder: &Path, path: &Path) -> io::Result<()> {
    // Temporary files are created with mode 0600.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder)?;
    unfinished.write_all(identity.to_pem().as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist_noclobber(path).map_err(|error| error.error)?;
    private_files::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use common::crypto::test_keys;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_key_is_kept_for_its_name_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path(), &name("ada")).unwrap().is_none());
        let made = load_or_make(dir.path(), &name("ada")).unwrap();
        assert_eq!(made.public_key().bits(), 3072);
        let again =
            load_or_make_with(dir.path(), &name("ada"), || panic!("seconds for a key that is not needed")).unwrap();
        assert_eq!(again.public_key(), made.public_key(), "an existing key is never replaced");
        let mode = fs::metadata(identity_path(dir.path(), &name("ada"))).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("identities")).unwrap().count(), 1, "no unfinished file is left");
    }

    #[test]
    fn of_two_clients_that_make_a_key_at_once_one_makes_it_for_both() {
        let dir = tempfile::tempdir().unwrap();
        let slow = load_or_make_with(dir.path(), &name("ada"), || {
            load_or_make_with(dir.path(), &name("ada"), test_keys::bob).unwrap();
            test_keys::ada()
        });
        let kept = load(dir.path(), &name("ada")).unwrap().unwrap();
        assert_eq!(kept.public_key(), test_keys::bob().public_key());
        assert_eq!(slow.unwrap().public_key(), kept.public_key());
        assert_eq!(fs::read_dir(dir.path().join("identities")).unwrap().count(), 1, "no unfinished file is left");
    }

    #[test]
    fn a_key_is_claimed_by_one_client_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let claim_of = |text: &str| claim(dir.path(), &name(text));
        let claimed = claim_of("ada").unwrap();
        let refused = claim_of("ada").unwrap_err();
        assert_eq!(refused.to_string(), "Another Triptych window on this computer is online as ada.");
        assert!(!refused.remedy().is_empty());
        claim_of("bob").expect("another name is another key");
        let inherited = claimed.file.try_clone().unwrap();
        drop(claimed);
        claim_of("ada").expect("it is given back, although a process that is being started still has the file");
        drop(inherited);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = identity_path(dir.path(), &name("ada"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load(dir.path(), &name("ada")), Err(IdentityFileError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(load(dir.path(), &name("ada")), Err(IdentityFileError::Unusable { .. })));
    }

    #[test]
    fn names_never_share_a_file_or_leave_the_folder() {
        let paths: Vec<_> = ["ada", "Ada", "a da", "a_da", "..", "ольга"]
            .iter()
            .filter_map(|text| Name::parse(text).ok())
            .map(|name| identity_path(Path::new("/data"), &name))
            .collect();
        let distinct: std::collections::BTreeSet<_> = paths.iter().collect();
        assert_eq!(distinct.len(), paths.len());
        assert!(paths.iter().all(|path| path.parent() == Some(Path::new("/data/identities"))));
    }
}
