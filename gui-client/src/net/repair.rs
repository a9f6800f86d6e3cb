//! Repairs files of the data folder that cannot be used, when the person has decided so in the window. Nothing is deleted: a
//! file that is set aside keeps its contents under another name.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{owner_only, private_files};
use crate::event::{FileRepair, Offline};

/// Repairs a file. Blocks; call it on a thread that may.
pub(super) fn carry_out(repair: &FileRepair) -> Result<(), Offline> {
    let (path, done) = match repair {
        FileRepair::NewKey(path) | FileRepair::NewPeople(path) | FileRepair::NewServers(path) => {
            (path, set_aside(path))
        }
        FileRepair::CloseKey(path) => (path, File::open(path).and_then(|file| owner_only::close_file(&file))),
    };
    done.map_err(|error| Offline::Identity {
        what: format!("The file {} cannot be repaired: {error}.", path.display()),
        remedy: "Make its folder writable for you, or choose another folder with --data-dir.".to_owned(),
        repair: None,
    })
}

/// Renames a file to the first free name. One that is gone needs none.
fn set_aside(path: &Path) -> io::Result<()> {
    let named = |number: u32| match number {
        1 => PathBuf::from(format!("{}.damaged", path.display())),
        number => PathBuf::from(format!("{}.damaged-{number}", path.display())),
    };
    let aside = (1..).map(named).find(|aside| !aside.exists()).expect("numbers do not end");
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| private_files::sync_folder(path.parent().unwrap_or(Path::new(".")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_kept_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known-servers.toml");
        for text in ["one", "two"] {
            fs::write(&file, text).unwrap();
            carry_out(&FileRepair::NewServers(file.clone())).unwrap();
            assert!(!file.exists());
        }
        carry_out(&FileRepair::NewServers(file.clone())).expect("it is gone already");
        for (name, text) in [("known-servers.toml.damaged", "one"), ("known-servers.toml.damaged-2", "two")] {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
    }
}
