//! The key pairs on this computer: one for each name, in a file that only its owner can read.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use common::{crypto::Identity, name::Name};

/// Why there is no identity to work with.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// The system will not read or write it.
    #[error("The key file {path} cannot be used: {source}.")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read it, so it is no secret any more.
    #[error("Other users of this computer can read the key file {0}.")]
    Exposed(PathBuf),
    /// It holds something else.
    #[error("The key file {path} holds no usable key: {reason}.")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl IdentityFileError {
    /// What to do about it, in a sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::File { .. } => "Make the folder writable, or name another with --data-dir.".to_owned(),
            Self::Exposed(path) => {
                format!(
                    "If you trust them, close it with: chmod 600 '{}'. Otherwise delete it for a new key.",
                    path.display()
                )
            }
            Self::Unusable { .. } => "Move the file away, and a new key is made.".to_owned(),
        }
    }
}

/// The file of `name`'s key pair. Letters outside ASCII are written as numbers, so that every file system takes them.
pub fn identity_path(data_dir: &Path, name: &Name) -> PathBuf {
    let mut file_name = String::new();
    for c in name.as_str().chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' | '.' => file_name.push(c),
            // Capitals too: some file systems take "Ada" and "ada" for the same.
            other => file_name.push_str(&format!("_{:x}_", u32::from(other))),
        }
    }
    data_dir.join("identities").join(file_name + ".pem")
}

/// Reads the key pair of `name`; `None` when there is none yet.
pub fn load(data_dir: &Path, name: &Name) -> Result<Option<Identity>, IdentityFileError> {
    let path = identity_path(data_dir, name);
    let failed = |source| IdentityFileError::File { path: path.clone(), source };
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(failed)?,
    };
    if metadata.mode() & 0o077 != 0 {
        return Err(IdentityFileError::Exposed(path));
    }
    let pem = zeroize::Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
    let identity = Identity::from_pem(&pem)
        .map_err(|error| IdentityFileError::Unusable { path: path.clone(), reason: error.to_string() })?;
    Ok(Some(identity))
}

/// Makes a key pair for `name` and keeps it. Takes seconds. When another window made one meanwhile, that one counts.
pub fn make(data_dir: &Path, name: &Name) -> Result<Identity, IdentityFileError> {
    let path = identity_path(data_dir, name);
    let failed = |source| IdentityFileError::File { path: path.clone(), source };
    let folder = path.parent().expect("identity_path names a file in a folder");
    fs::create_dir_all(folder).map_err(failed)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;

    let identity = Identity::generate(Identity::DEFAULT_BITS);
    // Written whole beside its place, then linked there: nobody ever sees half a key, and none is overwritten.
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(identity.to_pem().as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&unfinished, &path));
    // Best effort: a leftover is private too, and overwritten next time.
    let _ = fs::remove_file(&unfinished);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(load(data_dir, name)?.unwrap_or(identity)),
        written => written.map(|()| identity).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_key_is_kept_for_its_name_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path(), &name("ada")).unwrap().is_none());
        let made = make(dir.path(), &name("ada")).unwrap();
        assert_eq!(made.public_key().bits(), 3072);
        let again = make(dir.path(), &name("ada")).unwrap();
        assert_eq!(again.public_key(), made.public_key(), "an existing key is never replaced");
        let mode = fs::metadata(identity_path(dir.path(), &name("ada"))).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("identities")).unwrap().count(), 1, "nothing is left lying about");
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
