//! Who watches what, and how much of it was sent: for the server's console.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use common::name::Name;

/// The viewers of a server. Cheap to clone; all clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Watchers(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    last_id: u64,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    viewer: Name,
    title: String,
    progress: Arc<Progress>,
}

/// What a stream has sent. Cheap to update: once for each picture.
#[derive(Debug, Default)]
pub(super) struct Progress {
    duration_nanos: AtomicU64,
    position_nanos: AtomicU64,
    height: AtomicU32,
    picture_count: AtomicU64,
    bytes: AtomicU64,
}

/// A stream as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Tells this stream from all others of the server.
    pub id: u64,
    /// The name of the client.
    pub viewer: Name,
    /// The title of the video.
    pub title: String,
    /// The height of the file that the newest picture comes from; 0 before the first one.
    pub height: u32,
    /// The end of the newest picture that was sent, counted from the start of the stream.
    pub position_nanos: u64,
    /// The length of the stream.
    pub duration_nanos: u64,
    /// Pictures that were sent so far.
    pub picture_count: u64,
    /// Bytes of the pictures and the sound that were sent so far.
    pub bytes: u64,
}

/// The entry of one stream. Dropping it removes the stream from the list.
#[derive(Debug)]
pub(super) struct WatchEntry {
    watchers: Watchers,
    id: u64,
    pub(super) progress: Arc<Progress>,
}

impl Watchers {
    /// The streams that run now, in the order in which they began.
    pub fn list(&self) -> Vec<Watch> {
        self.lock().entries.iter().map(|(&id, entry)| entry.watch(id)).collect()
    }

    pub(super) fn enter(&self, viewer: Name, title: String) -> WatchEntry {
        let progress = Arc::new(Progress::default());
        let mut entries = self.lock();
        entries.last_id += 1;
        let id = entries.last_id;
        entries.entries.insert(id, Entry { viewer, title, progress: progress.clone() });
        WatchEntry { watchers: self.clone(), id, progress }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn watch(&self, id: u64) -> Watch {
        let Progress { duration_nanos, position_nanos, height, picture_count, bytes } = &*self.progress;
        Watch {
            id,
            viewer: self.viewer.clone(),
            title: self.title.clone(),
            height: height.load(Relaxed),
            position_nanos: position_nanos.load(Relaxed),
            duration_nanos: duration_nanos.load(Relaxed),
            picture_count: picture_count.load(Relaxed),
            bytes: bytes.load(Relaxed),
        }
    }
}

impl Progress {
    /// Notes that an epoch begins at this place of a stream of this length.
    pub(super) fn begin(&self, position_nanos: u64, duration_nanos: u64) {
        self.position_nanos.store(position_nanos, Relaxed);
        self.duration_nanos.store(duration_nanos, Relaxed);
    }

    pub(super) fn sent_picture(&self, end_nanos: u64, height: u32, bytes: usize) {
        self.position_nanos.store(end_nanos, Relaxed);
        self.height.store(height, Relaxed);
        self.picture_count.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn sent_sound(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

impl Drop for WatchEntry {
    fn drop(&mut self) {
        self.watchers.lock().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_listed_with_what_was_sent_until_its_entry_is_dropped() {
        let watchers = Watchers::default();
        let [ada, bob] = ["Ada", "Bob"].map(|name| watchers.enter(Name::parse(name).unwrap(), "Film".to_owned()));
        ada.progress.begin(0, 9_000);
        ada.progress.sent_picture(40, 240, 1_000);
        ada.progress.sent_picture(80, 720, 2_000);
        ada.progress.sent_sound(10);
        let [first, second] = watchers.list().try_into().unwrap();
        let expected = Watch {
            id: first.id,
            viewer: Name::parse("Ada").unwrap(),
            title: "Film".to_owned(),
            height: 720,
            position_nanos: 80,
            duration_nanos: 9_000,
            picture_count: 2,
            bytes: 3_010,
        };
        assert_eq!(first, expected);
        assert!(second.id != first.id && second.picture_count == 0);
        drop(ada);
        assert_eq!(watchers.list(), [second]);
        drop(bob);
        assert_eq!(watchers.list(), []);
    }
}
