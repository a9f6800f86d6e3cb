//! Moving a key pair to another computer and back, and replacing it by a new one. A key that is replaced is set aside and
//! never deleted: a name belongs to its key, and only that key opens old letters.
//!
//! The functions here block, some for seconds; call them on a thread that may.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use common::{
    crypto::{Identity, IdentityError},
    name::Name,
};
use zeroize::Zeroizing;

use super::{
    identity::{self, IdentityFileError, identity_path},
    private_files,
};
use crate::event::{IdentityFailure, IdentityRequest, Passphrase};

/// More than an encrypted key takes, and little enough to read whole.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Does what was asked about the key of `name`. Returns a sentence for the window.
pub(super) fn carry_out(data_dir: &Path, name: &str, request: &IdentityRequest) -> Result<String, IdentityFailure> {
    let name = Name::parse(name).map_err(|error| IdentityFailure {
        what: format!("This is no name: {error}."),
        remedy: "Go back and type another one.".to_owned(),
    })?;
    match request {
        IdentityRequest::Export { file, passphrase } => export(data_dir, &name, Path::new(file), passphrase),
        IdentityRequest::Import { file, passphrase } => import(data_dir, &name, Path::new(file), passphrase),
        IdentityRequest::Renew => renew(data_dir, &name),
    }
}

/// Writes the key pair of `name` to a new file, encrypted with the passphrase. Returns a sentence for the window.
fn export(data_dir: &Path, name: &Name, file: &Path, passphrase: &Passphrase) -> Result<String, IdentityFailure> {
    let _claim = identity::claim(data_dir, name).map_err(key_file)?;
    let Some(identity) = identity::load(data_dir, name).map_err(key_file)? else {
        let what = format!("There is no key for {name} on this computer yet.");
        return Err(IdentityFailure { what, remedy: "It is made at the first connection under this name.".to_owned() });
    };
    let pem = identity.to_encrypted_pem(passphrase.text());
    private_files::create(file, &pem).map_err(|error| IdentityFailure {
        what: format!("The file {} cannot be written: {}.", file.display(), reason(&error)),
        remedy: "Choose another file, in a folder that you can write to.".to_owned(),
    })?;
    Ok(format!(
        "The key of {name} is in {}. Anyone with the file and the passphrase can act as {name}: keep both safe.",
        file.display()
    ))
}

/// Takes the key pair in an encrypted file as that of `name`, but not in the place of another. Returns a sentence for the window.
fn import(data_dir: &Path, name: &Name, file: &Path, passphrase: &Passphrase) -> Result<String, IdentityFailure> {
    let unreadable = |error: &dyn std::fmt::Display| IdentityFailure {
        what: format!("The file {} cannot be read: {error}.", file.display()),
        remedy: "Check its name, and that it is a key that was exported.".to_owned(),
    };
    let pem = read(file).map_err(|error| unreadable(&reason(&error)))?;
    let imported = Identity::from_encrypted_pem(&pem, passphrase.text()).map_err(|error| match error {
        IdentityError::WrongPassphrase => IdentityFailure {
            what: "The passphrase is wrong, or the file is damaged.".to_owned(),
            remedy: "Type it again. Capitals and spaces count.".to_owned(),
        },
        other => IdentityFailure {
            what: format!("The file {} cannot be used: {other}.", file.display()),
            remedy: "Export the key again on the other computer, and copy the whole file.".to_owned(),
        },
    })?;
    let _claim = identity::claim(data_dir, name).map_err(key_file)?;
    match identity::load(data_dir, name) {
        Ok(Some(present)) if present.public_key() == imported.public_key() => {
            return Ok(format!("This is the key that {name} has already."));
        }
        Ok(None) => {}
        Ok(Some(_)) => {
            return Err(IdentityFailure {
                what: format!("There is another key for {name} on this computer."),
                remedy: "Import under another name, or make a new identity first: that sets the present key aside."
                    .to_owned(),
            });
        }
        Err(error) => return Err(key_file(error)),
    }
    identity::load_or_make_with(data_dir, name, || imported).map_err(key_file)?;
    Ok(format!("You are {name} with this key from now on."))
}

/// Sets the key pair of `name` aside, so that the next connection makes a new one. Returns a sentence for the window.
fn renew(data_dir: &Path, name: &Name) -> Result<String, IdentityFailure> {
    let _claim = identity::claim(data_dir, name).map_err(key_file)?;
    match set_aside(data_dir, name).map_err(key_file)? {
        Some(path) => {
            Ok(format!("The next connection makes a new key for {name}. The one before is in {}.", path.display()))
        }
        None => Ok(format!("There is no key for {name} yet; the next connection makes one.")),
    }
}

fn set_aside(data_dir: &Path, name: &Name) -> Result<Option<PathBuf>, IdentityFileError> {
    let path = identity_path(data_dir, name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Two in one second get different names.
    let free = (0..).map(|n| path.with_extension(format!("pem.before-{}", now + n))).find(|aside| !aside.exists());
    let aside = free.expect("numbers do not end");
    match fs::rename(&path, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityFileError::File { path, source }),
    }
}

fn read(file: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(file)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "there is a file with this name already".to_owned(),
        io::ErrorKind::InvalidData => "it is no text".to_owned(),
        _ => error.to_string(),
    }
}

fn key_file(error: IdentityFileError) -> IdentityFailure {
    IdentityFailure { what: error.to_string(), remedy: error.remedy() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use common::crypto::test_keys;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// A data folder in which `who` has the key of ada.
    fn home(who: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        identity::load_or_make_with(dir.path(), &name(who), test_keys::ada).unwrap();
        dir
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned())
    }

    #[test]
    fn a_key_moves_to_another_computer_under_its_passphrase() {
        let (here, there) = (home("ada"), tempfile::tempdir().unwrap());
        let file = here.path().join("ada-key.pem");
        let told = export(here.path(), &name("ada"), &file, &passphrase("correct horse")).unwrap();
        assert!(told.contains("ada-key.pem"), "{told}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let failed = import(there.path(), &name("ada"), &file, &passphrase("correct house")).unwrap_err();
        assert!(failed.what.starts_with("The passphrase is wrong"), "{failed:?}");
        import(there.path(), &name("ada"), &file, &passphrase("correct horse")).unwrap();
        let moved = identity::load(there.path(), &name("ada")).unwrap().expect("it is there");
        assert_eq!(moved.public_key(), test_keys::ada().public_key());
        let again = import(there.path(), &name("ada"), &file, &passphrase("correct horse")).unwrap();
        assert!(again.contains("already"), "{again}");
    }

    #[test]
    fn no_file_and_no_key_is_overwritten() {
        let here = home("ada");
        let file = here.path().join("ada-key.pem");
        fs::write(&file, "something else").unwrap();
        let failed = export(here.path(), &name("ada"), &file, &passphrase("x")).unwrap_err();
        assert!(failed.what.contains("there is a file with this name already"), "{failed:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "something else");

        fs::write(&file, test_keys::bob().to_encrypted_pem("x").as_bytes()).unwrap();
        let failed = import(here.path(), &name("ada"), &file, &passphrase("x")).unwrap_err();
        assert_eq!(failed.what, "There is another key for ada on this computer.");
        let present = || identity::load(here.path(), &name("ada")).unwrap().map(|kept| kept.public_key().clone());
        assert_eq!(present().as_ref(), Some(test_keys::ada().public_key()));
        renew(here.path(), &name("ada")).unwrap();
        import(here.path(), &name("ada"), &file, &passphrase("x")).unwrap();
        assert_eq!(present().as_ref(), Some(test_keys::bob().public_key()));
    }

    #[test]
    fn a_new_identity_sets_the_old_key_aside() {
        let here = home("ada");
        let told = renew(here.path(), &name("ada")).unwrap();
        assert!(identity::load(here.path(), &name("ada")).unwrap().is_none());
        let folder = here.path().join("identities");
        let aside = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = aside.filter(|path| path.to_str().unwrap().contains(".before-")).collect();
        let [kept] = &aside[..] else { panic!("{aside:?}") };
        assert!(told.contains(kept.to_str().unwrap()), "{told}");
        let kept = Identity::from_pem(&fs::read_to_string(kept).unwrap()).unwrap();
        assert_eq!(kept.public_key(), test_keys::ada().public_key());
        assert!(renew(here.path(), &name("ada")).unwrap().contains("no key for ada yet"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let here = home("ada");
        let file = here.path().join("file");
        let failure = |name_text: &str| import(here.path(), &name(name_text), &file, &passphrase("x")).unwrap_err();
        assert!(failure("bob").what.contains("cannot be read"), "it is not there");
        let whole = test_keys::bob().to_encrypted_pem("x");
        let half: String = whole.chars().take(whole.len() / 2).collect();
        for text in ["", "hello", &half, &test_keys::bob().to_pem()] {
            fs::write(&file, text).unwrap();
            let failed = failure("bob");
            assert!(failed.what.contains("not a whole private key"), "{failed:?}");
            assert!(!failed.remedy.is_empty());
        }
        let failed = export(here.path(), &name("eve"), &file, &passphrase("x")).unwrap_err();
        assert_eq!(failed.what, "There is no key for eve on this computer yet.");
        let claimed = identity::claim(here.path(), &name("ada")).unwrap();
        assert!(renew(here.path(), &name("ada")).unwrap_err().what.contains("Another Triptych window"));
        drop(claimed);
    }
}
