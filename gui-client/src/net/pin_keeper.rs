//! The thread that writes down whom this client has met, so that neither the network nor the window waits for the disk.
//!
//! What a person decides is written at once. Meetings are collected for a second after each write, because a server can
//! invent people faster than a disk writes.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{crypto::KeyId, name::Name};

use super::pin_file::PinFile;
use crate::pins::{MAX_PINS, PinChange};

/// Time between two writes if there are only meetings to write.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a new attempt to connect waits for a slow disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is not written yet.
#[derive(Debug, Default)]
struct Pending {
    /// Up to [`MAX_PINS`] people; those beyond are met again on the next visit.
    met: HashMap<Name, KeyId>,
    /// What the person decided, in order.
    decisions: Vec<PinChange>,
    /// Whether some of it is being written.
    is_writing: bool,
    /// Whether someone waits until everything is written.
    is_awaited: bool,
    is_closed: bool,
}

impl Pending {
    fn note(&mut self, change: PinChange) {
        match change {
            PinChange::Met(people) => {
                for (name, key) in people {
                    if self.met.len() < MAX_PINS {
                        self.met.entry(name).or_insert(key);
                    }
                }
            }
            decision => self.decisions.push(decision),
        }
    }

    /// How long to wait before writing, `None` if there is nothing to write. `rest` is what is left of the pause.
    fn delay(&self, rest: Duration) -> Option<Duration> {
        match (self.decisions.is_empty(), self.met.is_empty()) {
            (true, true) => None,
            (true, false) if !self.is_closed && !self.is_awaited => Some(rest),
            _ => Some(Duration::ZERO),
        }
    }

    /// Everything, in an order in which no meeting undoes a decision.
    fn take(&mut self) -> Vec<PinChange> {
        let met: Vec<_> = std::mem::take(&mut self.met).into_iter().collect();
        let met = (!met.is_empty()).then_some(PinChange::Met(met));
        met.into_iter().chain(std::mem::take(&mut self.decisions)).collect()
    }
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Poisoning is ignored: each change is a single step, so a panic leaves nothing half done.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_written(&self) {
        self.lock().is_writing = false;
        self.changed.notify_all();
    }

    /// Waits until there is something to write; `None` when there is nothing left and nothing more will come.
    fn next(&self, last_write: Option<Instant>) -> Option<Vec<PinChange>> {
        let mut pending = self.lock();
        loop {
            let rest = last_write.map_or(Duration::ZERO, |last| PAUSE.saturating_sub(last.elapsed()));
            pending = match pending.delay(rest) {
                Some(Duration::ZERO) => {
                    pending.is_writing = true;
                    return Some(pending.take());
                }
                None if pending.is_closed => return None,
                None => self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner),
                Some(delay) => self.changed.wait_timeout(pending, delay).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// Keeps the pins of one server. Dropping it writes what is left, and waits for that.
pub(super) struct PinKeeper {
    file: PinFile,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl PinKeeper {
    /// Starts the thread. `on_failure` is called on it with a sentence for the window when the file cannot be written.
    pub(super) fn start(file: PinFile, on_failure: impl Fn(String) + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let thread = thread::Builder::new().name("triptych-pins".to_owned()).spawn({
            let (file, shared) = (file.clone(), shared.clone());
            move || {
                let mut last_write = None;
                while let Some(changes) = shared.next(last_write) {
                    last_write = Some(Instant::now());
                    if let Err(error) = file.apply(&changes, unix_secs()) {
                        let path = file.path().display();
                        on_failure(format!("The keys of people cannot be remembered in {path}: {error}."));
                    }
                    shared.note_written();
                }
            }
        })?;
        Ok(Self { file, shared, thread: Some(thread) })
    }

    /// The file that it writes.
    pub(super) fn file(&self) -> &PinFile {
        &self.file
    }

    /// Has a change written. Never blocks for the disk.
    pub(super) fn note(&self, change: PinChange) {
        self.shared.lock().note(change);
        self.shared.changed.notify_all();
    }

    /// Waits until everything that was noted is on the disk, so that what is read from the file after that is the latest;
    /// but no longer than [`PATIENCE`].
    pub(super) fn flush(&self) {
        let mut pending = self.shared.lock();
        pending.is_awaited = true;
        self.shared.changed.notify_all();
        let is_unwritten =
            |pending: &mut Pending| pending.is_writing || !pending.met.is_empty() || !pending.decisions.is_empty();
        let waited = self.shared.changed.wait_timeout_while(pending, PATIENCE, is_unwritten);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_awaited = false;
    }
}

impl Drop for PinKeeper {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that remembers keys panicked");
        }
    }
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::pins::Standing;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn met(text: &str, number: u8) -> PinChange {
        PinChange::Met(vec![(name(text), KeyId([number; 32]))])
    }

    #[test]
    fn everything_is_on_the_disk_when_the_keeper_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let file = PinFile::new(dir.path(), None, "lab:1");
        let keeper = PinKeeper::start(file.clone(), |failure| panic!("{failure}")).unwrap();
        for number in 0..100 {
            keeper.note(met(&format!("guest-{number}"), number));
        }
        keeper.note(PinChange::Verified(name("guest-7"), KeyId([7; 32]), true));
        drop(keeper);
        let pins = file.read().unwrap();
        assert_eq!(pins.iter().len(), 100);
        let standing = pins.standing(&name("guest-7"), &KeyId([7; 32]));
        assert!(matches!(standing, Standing::Known { is_verified: true, .. }));
    }

    #[test]
    fn what_was_noted_is_in_the_file_after_a_flush() {
        let dir = tempfile::tempdir().unwrap();
        let file = PinFile::new(dir.path(), None, "lab:1");
        let keeper = PinKeeper::start(file.clone(), |failure| panic!("{failure}")).unwrap();
        keeper.flush();
        for number in 0..20 {
            keeper.note(met(&format!("guest-{number}"), number));
            keeper.flush();
            assert_eq!(file.read().unwrap().iter().len(), usize::from(number) + 1);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pins"), "a file where the folder should be").unwrap();
        let file = PinFile::new(dir.path(), None, "lab:1");
        let (failures, failed) = mpsc::sync_channel(8);
        let keeper = PinKeeper::start(file, move |failure| failures.send(failure).unwrap()).unwrap();
        keeper.note(met("bob", 1));
        drop(keeper);
        let failure = failed.recv().unwrap();
        assert!(
            failure.contains("pins") && failure.starts_with("The keys of people cannot be remembered"),
            "{failure}"
        );
    }

    #[test]
    fn meetings_wait_for_the_pause_and_decisions_do_not() {
        let mut pending = Pending::default();
        assert_eq!(pending.delay(PAUSE), None);
        pending.note(met("bob", 1));
        assert_eq!(pending.delay(PAUSE), Some(PAUSE));
        pending.note(met("bob", 2));
        pending.note(PinChange::Accepted(name("bob"), KeyId([3; 32])));
        assert_eq!(pending.delay(PAUSE), Some(Duration::ZERO));
        assert_eq!(pending.take(), [met("bob", 1), PinChange::Accepted(name("bob"), KeyId([3; 32]))]);
        assert_eq!(pending.delay(PAUSE), None);
        for number in 0..MAX_PINS + 9 {
            pending.note(met(&format!("guest-{number}"), 1));
        }
        assert_eq!(pending.met.len(), MAX_PINS, "a server that invents people fills no more");
        pending.is_closed = true;
        assert_eq!(pending.delay(PAUSE), Some(Duration::ZERO), "nothing is lost at the end");
    }
}
