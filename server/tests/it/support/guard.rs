//! Ends the test run when a test hangs. GStreamer has been seen to deadlock, and nobody should wait hours to learn it.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    io::Write,
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A test that has asked for nothing in this time hangs. The slowest one takes seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The tests that run, by the names of their threads, and when each has last shown a sign of life.
static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

thread_local! {
    static ENTRY: OnceCell<Entry> = const { OnceCell::new() };
}

/// The entry of a test, which goes with its thread.
struct Entry(String);

impl Drop for Entry {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Whatever a test begins with calls this.
pub fn alive() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        thread::Builder::new().name("test-guard".into()).spawn(watch).unwrap();
    });
    let name = thread::current().name().unwrap_or("a thread without a name").to_owned();
    ENTRY.with(|entry| {
        entry.get_or_init(|| Entry(name.clone()));
    });
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Instant::now());
}

fn watch() {
    loop {
        #[expect(clippy::disallowed_methods, reason = "this thread watches the others until the program ends")]
        thread::sleep(LOOK_AGAIN);
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let hung: Vec<_> = running.iter().filter(|(_, since)| since.elapsed() > LIMIT).map(|(name, _)| name).collect();
        if !hung.is_empty() {
            let minutes = LIMIT.as_secs() / 60;
            // Straight out: what the test harness catches is lost with it.
            let _ = writeln!(std::io::stderr(), "\nno sign of life for {minutes} minutes from: {hung:?}");
            std::process::abort();
        }
    }
}
