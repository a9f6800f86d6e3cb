//! Opens addresses in the browser.

use std::thread::Builder;

/// Opens an address, on a thread of its own: starting a browser takes seconds on some systems. The address is not logged.
pub(super) fn open(address: &str) {
    let address = address.to_owned();
    let started = Builder::new().name("browser".into()).spawn(move || {
        if let Err(error) = webbrowser::open(&address) {
            tracing::warn!(%error, "no browser could be started");
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread to start a browser");
    }
}
