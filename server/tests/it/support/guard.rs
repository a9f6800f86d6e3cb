//! A watchdog that aborts the test run when a test hangs: GStreamer has been seen to deadlock, and without this the run
//! would never end.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    io::Write,
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A test that has not called [`alive`] for this long hangs. The slowest test takes seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The running tests by the names of their threads, each with the time of its last call of [`alive`].
static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

thread_local! {
    static ENTRY: OnceCell<Entry> = const { OnceCell::new() };
}

/// The entry of a test in [`RUNNING`]; removed when its thread ends.
struct Entry(String);

impl Drop for Entry {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Registers the current test, or tells that it still runs. The helpers that tests begin with call this.
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
        thread::sleep(POLL_INTERVAL);
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let hung: Vec<_> = running.iter().filter(|(_, since)| since.elapsed() > LIMIT).map(|(name, _)| name).collect();
        if !hung.is_empty() {
            let minutes = LIMIT.as_secs() / 60;
            // Written to stderr directly, because the output that the test harness captures is lost on abort.
            let _ = writeln!(std::io::stderr(), "\nno sign of life for {minutes} minutes from: {hung:?}");
            std::process::abort();
        }
    }
}
