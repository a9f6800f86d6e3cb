//! The file with what was opened of each sender: beside the key of the name, for its owner only. The thread with the private
//! key writes it. Another client cannot, because a key is claimed by one client at a time.
//!
//! An envelope that the server repeats after a restart is sealed to a session key, or under a sender key, that the restart
//! has wiped; so a crash that loses the last notes, of up to [`WRITE_DELAY`], opens no way for replays. The file is the second
//! line of defence, and it keeps the next run from calling messages missing that this one has shown.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{crypto::KeyId, name::Name};

use super::{
    hex::{from_hex, to_hex},
    identity::identity_path,
    private_files,
    received::{Received, Remembered},
    text_count::TextCount,
};

/// How long changes are collected before they are written, so that a conversation does not wait for the disk.
const WRITE_DELAY: Duration = Duration::from_secs(2);

/// The first line: the format of the file.
const HEADING: &str = "triptych received 1";

/// What was opened, and its file.
#[derive(Debug)]
pub(super) struct ReceivedFile {
    path: PathBuf,
    /// What was opened; changes are announced with [`Self::note_change`].
    pub(super) received: Received,
    /// When the first change was made that is not written yet.
    changed_at: Option<Instant>,
    /// Whether the disk has failed, which is logged once.
    has_failed: bool,
}

impl ReceivedFile {
    /// Where the file of `name` is.
    pub(super) fn path_of(data_dir: &Path, name: &Name) -> PathBuf {
        identity_path(data_dir, name).with_extension("received")
    }

    /// Reads the file. A damaged one is set aside: then this run knows of no earlier one, and works all the same.
    pub(super) fn open(path: PathBuf) -> Self {
        let mut file = Self { path, received: Received::default(), changed_at: None, has_failed: false };
        match file.read() {
            Ok(remembered) => file.received = Received::of_an_earlier_run(remembered),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => file.set_aside(&error),
            Err(error) => file.note_failure(&error),
        }
        file
    }

    /// Takes note that [`Self::received`] was changed.
    pub(super) fn note_change(&mut self, now: Instant) {
        self.changed_at.get_or_insert(now);
    }

    /// When [`Self::write_if_due`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.changed_at.map(|changed_at| changed_at + WRITE_DELAY)
    }

    /// Writes changes that have waited long enough.
    pub(super) fn write_if_due(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.write();
        }
    }

    /// Writes what has changed.
    pub(super) fn write(&mut self) {
        if self.changed_at.take().is_none() {
            return;
        }
        let lines = self.received.remembered().iter().map(line).collect::<String>();
        if let Err(error) = private_files::replace(&self.path, &format!("{HEADING}\n{lines}")) {
            self.note_failure(&error);
        }
    }

    fn read(&self) -> io::Result<Vec<Remembered>> {
        let Some(text) = private_files::read(&self.path)? else { return Ok(Vec::new()) };
        let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        // A crash of an old file system may leave an empty file.
        let mut lines = text.lines();
        if lines.next() != Some(HEADING) {
            return Err(damaged(format!("its first line is not {HEADING:?}")));
        }
        let numbered = lines.zip(2..);
        numbered
            .map(|(line, number)| parse(line).ok_or_else(|| damaged(format!("line {number} is not valid"))))
            .collect()
    }

    fn set_aside(&mut self, error: &io::Error) {
        let aside = self.path.with_extension("received-damaged");
        tracing::warn!(
            "{} is damaged: {error}. It is now called {}. Old messages may be shown as new or as missing once.",
            self.path.display(),
            aside.display()
        );
        if let Err(error) = fs::rename(&self.path, &aside) {
            self.note_failure(&error);
        }
    }

    fn note_failure(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let path = self.path.display();
            tracing::warn!("{path}: {error}. After a restart, messages that were shown may count as missing.");
        }
    }
}

/// `sender highest`, and what is known of the numbers of its letters.
fn line(Remembered { sender, highest, letters }: &Remembered) -> String {
    let letters = letters.as_ref().map(|letters| format!(" {}", letters.to_word())).unwrap_or_default();
    format!("{} {highest}{letters}\n", to_hex(&sender.0))
}

fn parse(line: &str) -> Option<Remembered> {
    let mut words = line.split(' ');
    let (sender, highest) = (KeyId(from_hex(words.next()?)?), words.next()?.parse().ok()?);
    let letters = match words.next() {
        Some(word) => Some(TextCount::from_word(word)?),
        None => None,
    };
    words.next().is_none().then_some(Remembered { sender, highest, letters })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use common::crypto::TextNumber;

    use super::*;
    use crate::net::text_count::Place;

    const ADA: KeyId = KeyId([1; 32]);

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        private_files::create_folder(&dir.path().join("identities")).unwrap();
        let path = ReceivedFile::path_of(dir.path(), &Name::parse("bob").unwrap());
        (dir, path)
    }

    fn opened(path: &Path, sequence: u64, now: Instant) -> ReceivedFile {
        let mut file = ReceivedFile::open(path.to_owned());
        file.received.note_opened(ADA, sequence, |_| true);
        file.received.note_text(ADA, false, TextNumber { count: 5, number: 3 });
        file.note_change(now);
        file
    }

    #[test]
    fn changes_are_written_together_after_a_while_and_read_by_the_next_run() {
        let ((_dir, path), now) = (folder(), Instant::now());
        let mut file = opened(&path, u64::MAX - 1, now);
        assert_eq!(file.next_deadline(), Some(now + WRITE_DELAY));
        file.note_change(now + WRITE_DELAY / 2);
        file.write_if_due(now + WRITE_DELAY / 2);
        assert!(!path.exists());
        file.write_if_due(now + WRITE_DELAY);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.next_deadline(), None);
        fs::remove_file(&path).unwrap();
        file.write();
        assert!(!path.exists(), "nothing has changed");
        file.note_change(now);
        file.write();
        let mut next = ReceivedFile::open(path);
        let mut note = |number| next.received.note_text(ADA, false, TextNumber { count: 5, number });
        assert_eq!([3, 1].map(&mut note), [Place::Again, Place::Late]);
        assert!(next.received.is_replay(&ADA, u64::MAX - 1) && !next.received.is_replay(&ADA, u64::MAX));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_costs_nothing_else() {
        let ((_dir, path), now) = (folder(), Instant::now());
        let whole = {
            opened(&path, 7, now).write();
            fs::read_to_string(&path).unwrap()
        };
        let other_version = whole.replace("received 1", "received 2");
        let half: String = whole.chars().take(whole.len() / 2).collect();
        for text in [
            "",
            "\n",
            &half,
            &other_version,
            &whole.replace(" 7", " seven"),
            &whole.replace("0101", "xy"),
            &whole.replace("1-2", "2-1"),
        ] {
            fs::write(&path, text).unwrap();
            let mut file = opened(&path, 9, now);
            assert!(!file.received.is_replay(&ADA, 7), "{text:?}");
            assert_eq!(fs::read_to_string(path.with_extension("received-damaged")).unwrap(), text);
            file.write();
            assert!(ReceivedFile::open(path.clone()).received.is_replay(&ADA, 9));
        }
    }

    #[test]
    fn a_disk_that_fails_stops_nothing() {
        let (dir, path) = folder();
        fs::remove_dir_all(dir.path().join("identities")).unwrap();
        let mut file = opened(&path, 7, Instant::now());
        file.write();
        assert!(file.has_failed && file.received.is_replay(&ADA, 7));
    }
}
