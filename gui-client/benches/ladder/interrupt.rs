//! Ctrl-C and SIGTERM: the benchmark then fails like by any other error, so that it ends its programs.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

static IS_INTERRUPTED: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

/// Listens for both signals from now on.
pub fn listen(runtime: &Runtime) -> Result<()> {
    let mut terminate = {
        let _guard = runtime.enter();
        signal(SignalKind::terminate())?
    };
    runtime.spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        *IS_INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner) = true;
        CHANGED.notify_all();
    });
    Ok(())
}

/// Waits for this long. Fails as soon as a signal has come.
pub fn pause(time: Duration) -> Result<()> {
    let guard = IS_INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = CHANGED.wait_timeout_while(guard, time, |is_interrupted| !*is_interrupted);
    let (is_interrupted, _) = waited.unwrap_or_else(PoisonError::into_inner);
    ensure!(!*is_interrupted, "interrupted");
    Ok(())
}
