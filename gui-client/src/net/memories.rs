//! What the client remembers of the messages under one name from one connection to the next. The thread with the private key
//! works with it; a thread of the connection before may still be writing it down meanwhile.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use common::name::Name;

use super::received_file::ReceivedFile;

/// What is remembered under one name.
pub(super) type Memory = Arc<Mutex<ReceivedFile>>;

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
            move || ReceivedFile::open(path)
        });
        let memory = Memory::new(Mutex::new(reading.await.expect("the file is read without panics")));
        self.0.insert(path, Arc::clone(&memory));
        memory
    }
}
