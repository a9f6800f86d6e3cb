//! What the client remembers of the messages under one name from one connection to the next. The thread with the private key
//! works with it; a thread of the connection before may still be writing it down meanwhile.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use common::name::Name;

use super::{received_file::ReceivedFile, sent_counts::SentCounts};

/// What is remembered under one name.
#[derive(Debug)]
pub(super) struct MessageMemory {
    /// Of the messages of others; on the disk, too.
    pub(super) file: ReceivedFile,
    /// Of own messages.
    pub(super) sent: SentCounts,
}

/// Shared by the threads of two connections at most.
pub(super) type Memory = Arc<Mutex<MessageMemory>>;

/// The memories of the names that this program has used.
#[derive(Default)]
pub(super) struct Memories(HashMap<PathBuf, Memory>);

impl Memories {
    /// The memory of `name`: the one of the connection before, or what an earlier run of the program left.
    pub(super) async fn of(&mut self, data_dir: &Path, name: &Name) -> Memory {
        let path = ReceivedFile::path_of(data_dir, name);
        // A memory that no thread works with is on the disk.
        self.0.retain(|other, memory| *other == path || Arc::strong_count(memory) > 1);
        if let Some(memory) = self.0.get(&path) {
            return Arc::clone(memory);
        }
        let reading = tokio::task::spawn_blocking({
            let path = path.clone();
            move || read(path)
        });
        let memory = reading.await.expect("the file is read without panics");
        self.0.insert(path, Arc::clone(&memory));
        memory
    }
}

/// What an earlier run of the program left in this file.
pub(super) fn read(path: PathBuf) -> Memory {
    Arc::new(Mutex::new(MessageMemory { file: ReceivedFile::open(path), sent: SentCounts::default() }))
}
