//! What the desktop says about colours, contrast and motion, by the portal for settings on the session bus. winit does not know
//! it on Linux. A thread asks once and then waits for changes, so that a slow portal never delays the window.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use zbus::{
    blocking::{Connection, Proxy, connection},
    zvariant::OwnedValue,
};

use crate::state::appearance::Desktop;

/// Where the portal is, by its specification.
const SERVICE: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const INTERFACE: &str = "org.freedesktop.portal.Settings";

/// The group of settings that are the same on all desktops.
const NAMESPACE: &str = "org.freedesktop.appearance";

/// A portal may have to be started first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Follows the portal until it is dropped.
pub struct Portal {
    shared: Arc<Mutex<Shared>>,
}

/// What the thread has heard and the window has not taken, and how the thread is ended.
#[derive(Default)]
struct Shared {
    heard: Option<Desktop>,
    connection: Option<Connection>,
    is_closing: bool,
}

impl Portal {
    /// Follows the portal at the session bus. `wake` is called whenever there is something to take.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::start_at(None, wake)
    }

    /// The same at the bus with this address.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_at(address: Option<String>, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let for_thread = Arc::clone(&shared);
        let work = move || {
            if let Err(error) = follow(address.as_deref(), &for_thread, wake) {
                tracing::debug!("no portal says how the desktop looks: {error}");
            }
        };
        // Never joined: a portal that does not answer must not delay the end of the program.
        thread::Builder::new().name("triptych-portal".to_owned()).spawn(work)?;
        Ok(Self { shared })
    }

    /// What has been heard since the last call.
    pub fn take(&self) -> Option<Desktop> {
        lock(&self.shared).heard.take()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_closing = true;
        if let Some(connection) = shared.connection.take() {
            drop(shared);
            // Ends the wait for changes.
            if let Err(error) = connection.close() {
                tracing::debug!("the session bus: {error}");
            }
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(address: Option<&str>, shared: &Mutex<Shared>, wake: impl Fn()) -> zbus::Result<()> {
    let builder = match address {
        Some(address) => connection::Builder::address(address)?,
        None => connection::Builder::session()?,
    };
    let connection = builder.method_timeout(ANSWER_TIMEOUT).build()?;
    let proxy = Proxy::new(&connection, SERVICE, PATH, INTERFACE)?;
    {
        let mut shared = lock(shared);
        if shared.is_closing {
            return Ok(());
        }
        shared.connection = Some(connection.clone());
    }
    // Listening comes first, so that no change between the two is missed.
    let changes = proxy.receive_signal_with_args("SettingChanged", &[(0, NAMESPACE)])?;
    let mut desktop = Desktop::default();
    let groups: HashMap<String, HashMap<String, OwnedValue>> = proxy.call("ReadAll", &(&[NAMESPACE][..],))?;
    for (key, value) in groups.get(NAMESPACE).into_iter().flatten() {
        apply(&mut desktop, key, value);
    }
    let tell = |desktop: Desktop| {
        lock(shared).heard = Some(desktop);
        wake();
    };
    tell(desktop);
    for change in changes {
        let (_, key, value): (String, String, OwnedValue) = change.body().deserialize()?;
        let before = desktop;
        apply(&mut desktop, &key, &value);
        if desktop != before {
            tell(desktop);
        }
    }
    Ok(())
}

/// Takes in one setting. Unknown keys and values say nothing.
fn apply(desktop: &mut Desktop, key: &str, value: &OwnedValue) {
    let Ok(value) = u32::try_from(value) else { return };
    match key {
        "color-scheme" => {
            desktop.is_dark = match value {
                1 => Some(true),
                2 => Some(false),
                _ => None,
            }
        }
        "contrast" => desktop.has_high_contrast = (value <= 1).then_some(value == 1),
        "reduced-motion" => desktop.has_reduced_motion = (value <= 1).then_some(value == 1),
        _ => {}
    }
}
