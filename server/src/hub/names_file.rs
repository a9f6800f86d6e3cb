//! The file in which the [`super::register`] is kept over restarts.
//!
//! ```text
//! triptych names 1
//! KEY-ID FIRST-SEEN LAST-SEEN NAME
//! end COUNT
//! ```
//! One line for each name: the key id in hexadecimal, two times in seconds since 1970, and the name. The last line shows that
//! nothing is missing.

use std::{
    fmt::Write,
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{crypto::KeyId, name::Name};
use tracing::{debug, warn};

use super::register::{Entry, MAX_NAMES};
use crate::private_files::{create_folder, write_whole};

const FILE: &str = "names";
const LOCK_FILE: &str = "names.lock";
const FIRST_LINE: &str = "triptych names 1";
/// A line with the longest times and a name of 32 characters of 4 bytes, and more.
const MAX_LINE_BYTES: usize = 256;
const MAX_FILE_BYTES: usize = (MAX_NAMES + 2) * MAX_LINE_BYTES;

/// The file of one data folder, locked for this server.
pub(crate) struct NamesFile {
    path: PathBuf,
    /// Another server with the same data folder does not get it.
    lock: File,
}

impl Drop for NamesFile {
    /// Closing the file is not enough: a process that is being started at this moment still has it, and the lock with it.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            debug!("The lock on the file of names is released only when it is closed: {error}.");
        }
    }
}

impl NamesFile {
    /// Opens the file in `folder` and reads it. A file that cannot be understood is set aside. `None` when the names cannot be
    /// kept, which does not stop the server; both are logged.
    pub(crate) fn open(folder: &Path) -> (Option<Self>, Vec<Entry>) {
        match Self::lock(folder) {
            Ok(Some(file)) => {
                let entries = file.read();
                (Some(file), entries)
            }
            Ok(None) => {
                let folder = folder.display();
                warn!(
                    "Another server uses the data folder {folder}: this one forgets to whom names belong when it stops."
                );
                (None, Vec::new())
            }
            Err(error) => {
                let folder = folder.display();
                warn!(
                    "To whom names belong cannot be kept in {folder} ({error}); it is forgotten when the server stops."
                );
                (None, Vec::new())
            }
        }
    }

    fn lock(folder: &Path) -> io::Result<Option<Self>> {
        create_folder(folder)?;
        let lock_path = folder.join(LOCK_FILE);
        if !lock_path.exists() {
            write_whole(&lock_path, b"")?;
        }
        let lock = File::open(lock_path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: folder.join(FILE), lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn read(&self) -> Vec<Entry> {
        let path = self.path.display();
        match read_bounded(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Ok(Some(entries)) => entries,
            damaged => {
                let reason = damaged.err().map_or_else(|| "it is not whole".to_owned(), |error| error.to_string());
                let aside = self.path.with_extension("damaged");
                match fs::rename(&self.path, &aside) {
                    Ok(()) => warn!(
                        "The file of names, {path}, cannot be used ({reason}). It was moved to {}, and all names are free.",
                        aside.display()
                    ),
                    Err(error) => {
                        warn!("The file of names, {path}, can be neither used ({reason}) nor moved ({error}).")
                    }
                }
                Vec::new()
            }
        }
    }

    /// Writes all names.
    pub(crate) fn write(&self, entries: &[Arc<Entry>]) -> io::Result<()> {
        write_whole(&self.path, encode(entries).as_bytes())
    }

    /// Writes all names, and logs when that fails.
    pub(crate) fn keep(&self, entries: &[Arc<Entry>]) {
        match self.write(entries) {
            Ok(()) => debug!("{} names are kept.", entries.len()),
            Err(error) => warn!("The file of names, {}, cannot be written: {error}.", self.path.display()),
        }
    }
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<Entry>>> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok((text.len() <= MAX_FILE_BYTES).then(|| decode(&text)).flatten())
}

fn encode(entries: &[Arc<Entry>]) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for entry in entries {
        for byte in entry.key.0 {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        let Entry { first_seen, last_seen, name, .. } = entry.as_ref();
        writeln!(text, " {first_seen} {last_seen} {name}").expect("a string takes everything");
    }
    text + &format!("end {}\n", entries.len())
}

/// `None` when the text is not a whole file of names. A name that the rules no longer allow is left out.
fn decode(text: &str) -> Option<Vec<Entry>> {
    let body = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.strip_suffix('\n')?;
    let (lines, end) = body.rsplit_once('\n').unwrap_or(("", body));
    let lines: Vec<&str> = lines.lines().collect();
    if end.strip_prefix("end ")?.parse() != Ok(lines.len()) || lines.len() > MAX_NAMES {
        return None;
    }
    let mut entries = Vec::new();
    for line in lines {
        let mut parts = line.splitn(4, ' ');
        let key = key_id(parts.next()?)?;
        let (first_seen, last_seen) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        if let Ok(name) = Name::try_from(parts.next()?.to_owned()) {
            entries.push(Entry { key, name, first_seen, last_seen });
        }
    }
    Some(entries)
}

fn key_id(hex: &str) -> Option<KeyId> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten().map(KeyId)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(number: u8, name: &str) -> Arc<Entry> {
        let name = Name::parse(name).unwrap();
        Arc::new(Entry { key: KeyId([number; 32]), name, first_seen: 1, last_seen: u64::MAX })
    }

    fn open(folder: &Path) -> (NamesFile, Vec<Entry>) {
        let (file, entries) = NamesFile::open(folder);
        (file.unwrap(), entries)
    }

    #[test]
    fn names_survive_a_restart_in_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let kept = [entry(1, "Ada Lovelace"), entry(0xab, "李小龙"), entry(255, &"李".repeat(32))];
        {
            let (file, entries) = open(&data_dir);
            assert_eq!(entries, []);
            file.write(&kept).unwrap();
            assert!(NamesFile::open(&data_dir).0.is_none(), "one server at a time");
        }
        assert_eq!(open(&data_dir).1, kept.map(|entry| entry.as_ref().clone()));
        let mode = fs::metadata(data_dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_file_is_free_at_once_although_a_process_that_is_being_started_still_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = open(folder.path());
        let inherited = file.lock.try_clone().unwrap();
        drop(file);
        assert!(NamesFile::open(folder.path()).0.is_some());
        drop(inherited);
    }

    #[test]
    fn the_most_names_fit() {
        let longest = "李".repeat(32);
        let kept: Vec<_> = (0..MAX_NAMES).map(|_| entry(1, &longest)).collect();
        assert!(encode(&kept).len() <= MAX_FILE_BYTES);
        assert_eq!(decode(&encode(&kept)).map(|entries| entries.len()), Some(MAX_NAMES));
    }

    #[test]
    fn a_damaged_file_is_set_aside_whatever_is_missing() {
        let whole = encode(&[entry(1, "ada"), entry(2, "bob")]);
        assert!(decode(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(whole.get(..length).and_then(decode), None, "cut after {length} bytes");
        }
        let huge = "x".repeat(MAX_FILE_BYTES + 1);
        for damaged in ["", "end 0\n", &whole.replace("end 2", "end 3"), &whole.replace("0101", "01zz"), &huge] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), damaged).unwrap();
            let (file, entries) = open(folder.path());
            assert_eq!(entries, []);
            assert_eq!(fs::read_to_string(folder.path().join("names.damaged")).unwrap(), damaged);
            file.write(&[entry(3, "eve")]).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), [0xff; 100]).unwrap();
        assert_eq!(open(folder.path()).1, [], "not even text");
    }

    #[test]
    fn names_that_the_rules_no_longer_allow_are_left_out() {
        let text = encode(&[entry(1, "ada"), entry(2, "bob")]).replace("bob", "everyone");
        assert_eq!(decode(&text).unwrap().len(), 1);
    }
}
