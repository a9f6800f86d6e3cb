//! Waiting for something that another thread announces by the wake callback.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// How long a test waits for something before it fails.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Counts the calls of the wake callback, and lets a test sleep until the next one.
#[derive(Clone, Default)]
pub struct WakeSignal(Arc<(Mutex<usize>, Condvar)>);

impl WakeSignal {
    /// The callback.
    pub fn callback(&self) -> impl Fn() + Send + Sync + 'static {
        let signal = self.clone();
        move || {
            *signal.0.0.lock().unwrap() += 1;
            signal.0.1.notify_all();
        }
    }

    /// How often the callback was called.
    pub fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    /// Polls now and after each wake until `poll` gives something.
    pub fn wait_for<T>(&self, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
        self.wait_for_or(what, || poll().ok_or(None))
    }

    /// Like [`Self::wait_for`], for what also comes with time: a failed poll names the instant when to poll again, at the
    /// latest.
    pub fn wait_for_or<T>(&self, what: &str, poll: impl FnMut() -> Result<T, Option<Instant>>) -> T {
        self.wait_for_up_to_deadline(poll).unwrap_or_else(|| panic!("{what} did not come"))
    }

    /// Like [`Self::wait_for_or`]; `None` when it did not come.
    pub fn wait_for_up_to_deadline<T>(&self, mut poll: impl FnMut() -> Result<T, Option<Instant>>) -> Option<T> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let seen = self.count();
            let again = match poll() {
                Ok(found) => return Some(found),
                Err(again) => again.unwrap_or(deadline).min(deadline),
            };
            if Instant::now() >= deadline {
                return None;
            }
            let pause = again.saturating_duration_since(Instant::now());
            drop(self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), pause, |count| *count == seen).unwrap());
        }
    }
}
