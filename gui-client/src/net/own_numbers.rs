//! The sequence numbers of this client's own envelopes. Recipients refuse an envelope whose number is among those that they
//! opened, or below them, so the numbers must grow even when the clock is set back between two runs of the program.
//!
//! A number is the time in microseconds, or one more than the last. The data folder keeps a number above all that were
//! used, reserved in blocks, so that the disk is written to every few seconds of talking and not with every message.

use std::{
    io,
    path::{Path, PathBuf},
};

use common::name::Name;

use super::{identity::identity_path, private_files};

/// How far ahead numbers are reserved: ten seconds, by the clock that they are taken from.
const BLOCK: u64 = 10_000_000;

/// A number beyond this is no time of a clock (the year 38 500): the file is damaged.
const MAX_NUMBER: u64 = 1 << 60;

/// The numbers of one key.
#[derive(Debug)]
pub(super) struct OwnNumbers {
    path: PathBuf,
    /// The last number that was used, or one above all that may have been used by earlier runs.
    last: u64,
    /// Numbers below this may be used without writing to the disk.
    reserved_until: u64,
    /// Whether the disk has failed, which is logged once.
    has_failed: bool,
}

impl OwnNumbers {
    /// The numbers of the key of `name`.
    pub(super) fn open(data_dir: &Path, name: &Name) -> Self {
        let path = identity_path(data_dir, name).with_extension("sequence");
        let mut numbers = Self { path, last: 0, reserved_until: 0, has_failed: false };
        match numbers.read() {
            Ok(reserved) => numbers.last = reserved,
            Err(error) => numbers.note(&error),
        }
        numbers
    }

    /// The number of the next envelope. When the disk fails, numbers go on by the clock: a message that can be sent is
    /// worth more than one that is sure to be accepted after the clock was set back.
    pub(super) fn next(&mut self, unix_micros: u64) -> u64 {
        let number = unix_micros.max(self.last + 1).min(MAX_NUMBER);
        self.last = number;
        if number >= self.reserved_until {
            match self.reserve(number + BLOCK) {
                Ok(()) => self.reserved_until = number + BLOCK,
                Err(error) => self.note(&error),
            }
        }
        number
    }

    fn reserve(&self, until: u64) -> io::Result<()> {
        let _lock = private_files::lock(&self.path)?;
        // Another client with the same key may have reserved more; a file that cannot be understood is replaced.
        let reserved = self.read().unwrap_or(0);
        private_files::replace(&self.path, &format!("{}\n", until.max(reserved)))
    }

    fn read(&self) -> io::Result<u64> {
        let Some(text) = private_files::read(&self.path)? else { return Ok(0) };
        let number = text.trim().parse().ok().filter(|number| *number <= MAX_NUMBER + BLOCK);
        number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no number"))
    }

    fn note(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let path = self.path.display();
            tracing::warn!("{path}: {error}. If the clock is set back, others may not receive your next messages.");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const NOON: u64 = 1_779_364_800_000_000;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        private_files::create_folder(&dir.path().join("identities")).unwrap();
        dir
    }

    fn numbers(dir: &tempfile::TempDir) -> OwnNumbers {
        OwnNumbers::open(dir.path(), &Name::parse("ada").unwrap())
    }

    #[test]
    fn numbers_follow_the_clock_and_grow_when_it_stands_still() {
        let dir = folder();
        let mut numbers = numbers(&dir);
        assert_eq!([NOON, NOON, NOON + 5, NOON - 9].map(|now| numbers.next(now)), [NOON, NOON + 1, NOON + 5, NOON + 6]);
    }

    #[test]
    fn a_block_is_written_once() {
        let dir = folder();
        let mut numbers = numbers(&dir);
        numbers.next(NOON);
        let written = fs::read_to_string(&numbers.path).unwrap();
        assert_eq!(written.trim(), (NOON + BLOCK).to_string());
        fs::remove_file(&numbers.path).unwrap();
        for micros in 1..1000 {
            numbers.next(NOON + micros);
        }
        assert!(!numbers.path.exists(), "nothing is written within a block");
        numbers.next(NOON + BLOCK);
        assert!(numbers.path.exists());
    }

    #[test]
    fn a_damaged_file_or_a_disk_that_fails_stops_no_message() {
        let dir = folder();
        for text in ["", "many\n", "99999999999999999999\n", "18446744073709551615\n"] {
            let mut numbers = numbers(&dir);
            fs::write(&numbers.path, text).unwrap();
            numbers = self::numbers(&dir);
            assert_eq!(numbers.next(NOON), NOON, "{text:?}");
            assert_eq!(self::numbers(&dir).next(0), NOON + BLOCK + 1, "it is whole again");
        }
        fs::remove_dir_all(dir.path().join("identities")).unwrap();
        let mut numbers = numbers(&dir);
        assert_eq!([numbers.next(NOON), numbers.next(NOON)], [NOON, NOON + 1]);
    }

    #[test]
    fn of_two_clients_with_one_key_none_takes_back_what_the_other_reserved() {
        let dir = folder();
        let (mut one, mut other) = (numbers(&dir), numbers(&dir));
        other.next(NOON + 100 * BLOCK);
        one.next(NOON);
        assert_eq!(numbers(&dir).next(0), NOON + 101 * BLOCK + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        /// Whatever the clock does, and however often the program is started anew, the numbers grow.
        #[test]
        fn numbers_grow_across_runs_and_clocks(
            runs in prop::collection::vec(prop::collection::vec(0u64..3 * BLOCK, 0..6), 1..6),
        ) {
            let dir = folder();
            let mut last = 0;
            for clock in runs {
                let mut numbers = numbers(&dir);
                for offset in clock {
                    let number = numbers.next(NOON - offset);
                    prop_assert!(number > last);
                    last = number;
                }
            }
        }
    }
}
