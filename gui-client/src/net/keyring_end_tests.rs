//! The thread with the private keys, from its start to its end.

use std::{path::PathBuf, sync::Arc, sync::mpsc, time::Duration};

use common::{crypto::test_keys, name::Name};

use super::*;
use crate::net::{memories, own_numbers::OwnNumbers, received_file::ReceivedFile};

/// For what happens at once, on a machine under load.
const DEADLINE: Duration = Duration::from_secs(20);

/// Says, when it is dropped, whether the file is there.
struct Look(PathBuf, mpsc::SyncSender<bool>);

impl Drop for Look {
    fn drop(&mut self) {
        self.1.send(self.0.exists()).expect("the test waits for it");
    }
}

#[test]
fn the_network_task_waits_neither_for_the_memory_nor_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("identities")).unwrap();
    let name = Name::parse("ada").unwrap();
    let path = ReceivedFile::path_of(folder.path(), &name);
    let memory = memories::read(path.clone());
    let numbers = OwnNumbers::open(folder.path(), &name);
    let own = OwnSession::with_keys(Arc::new(test_keys::ada()), name, [0; 32], numbers, test_keys::session_keys());

    let (dropped, was_written) = mpsc::sync_channel(1);
    let look = Look(path.clone(), dropped);
    let (started, is_started) = mpsc::sync_channel(1);
    // As if the thread of the connection before were writing.
    let mut held = lock(&memory);
    let for_thread = Arc::clone(&memory);
    let starting = thread::Builder::new().spawn(move || {
        let deliver = move |_, _| {
            let _look = &look;
        };
        started.send(start(own, for_thread, deliver)).expect("the test waits for it");
    });
    let (sender, ended) = is_started.recv_timeout(DEADLINE).expect("nothing waits for the memory").unwrap();
    starting.unwrap().join().unwrap();
    // It would be written long after the end of the test.
    held.file.note_change(Instant::now() + Duration::from_secs(3600));
    drop(held);
    drop(sender);
    let was_written = was_written.recv_timeout(DEADLINE).expect("the thread ends");
    assert!(!was_written, "the way to the writer of the socket is closed before the file is written");
    ended.blocking_recv().unwrap_err();
    assert!(path.exists());
}
