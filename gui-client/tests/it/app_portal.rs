//! How the desktop looks, told by a portal on a bus of its own: a real `dbus-daemon` and a real socket.

use std::{collections::HashMap, sync::mpsc, time::Duration};

use triptych_client::{app::portal::Portal, state::appearance::Desktop};
use zbus::{
    blocking::{Connection, connection},
    zvariant::{OwnedValue, Structure, Value},
};

use crate::support::bus::Bus;

const NAMESPACE: &str = "org.freedesktop.appearance";
const PATH: &str = "/org/freedesktop/portal/desktop";

/// The portal of a desktop that prefers light colours and high contrast.
struct Settings;

#[zbus::interface(name = "org.freedesktop.portal.Settings")]
impl Settings {
    fn read_all(&self, namespaces: Vec<String>) -> HashMap<String, HashMap<String, OwnedValue>> {
        assert_eq!(namespaces, [NAMESPACE], "nothing else is asked for");
        let number = |number: u32| OwnedValue::from(number);
        let accent = Value::from(Structure::from((0.1, 0.2, 0.3))).try_to_owned().unwrap();
        let appearance = [("color-scheme", number(2)), ("contrast", number(1)), ("accent-color", accent)];
        let appearance = appearance.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        HashMap::from([(NAMESPACE.to_owned(), appearance)])
    }
}

fn serve(bus: &Bus) -> Connection {
    let builder = connection::Builder::address(bus.address.as_str()).unwrap();
    let builder = builder.name("org.freedesktop.portal.Desktop").unwrap().serve_at(PATH, Settings).unwrap();
    builder.build().unwrap()
}

fn change(portal: &Connection, namespace: &str, key: &str, value: u32) {
    let arguments = (namespace, key, Value::from(value));
    portal.emit_signal(None::<&str>, PATH, "org.freedesktop.portal.Settings", "SettingChanged", &arguments).unwrap();
}

#[test]
fn the_portal_is_asked_once_and_its_changes_are_followed() {
    let bus = Bus::start();
    let desktop = serve(&bus);
    let (wake, woken) = mpsc::sync_channel(16);
    let portal = Portal::start_at(Some(bus.address.clone()), move || wake.try_send(()).unwrap_or_default()).unwrap();
    let next = || {
        woken.recv_timeout(Duration::from_secs(20)).expect("the window is woken");
        portal.take().expect("there is something to take")
    };
    let light = Desktop { is_dark: Some(false), has_high_contrast: Some(true), has_reduced_motion: None };
    assert_eq!(next(), light);
    assert_eq!(portal.take(), None, "it is told once");
    // Nothing of these changes the look.
    change(&desktop, "org.gnome.desktop.interface", "color-scheme", 1);
    change(&desktop, NAMESPACE, "color-scheme", 2);
    change(&desktop, NAMESPACE, "color-scheme", 1);
    assert_eq!(next(), Desktop { is_dark: Some(true), ..light });
    change(&desktop, NAMESPACE, "reduced-motion", 1);
    assert_eq!(next(), Desktop { is_dark: Some(true), has_reduced_motion: Some(true), ..light });
    change(&desktop, NAMESPACE, "color-scheme", 0);
    assert_eq!(next().is_dark, None, "the desktop has no preference any more");
}

#[test]
fn without_a_portal_nothing_is_heard_and_the_end_does_not_wait() {
    let bus = Bus::start();
    let (wake, woken) = mpsc::sync_channel(16);
    let portal = Portal::start_at(Some(bus.address.clone()), move || wake.try_send(()).unwrap_or_default()).unwrap();
    // The thread has given up when it drops the waker.
    assert_eq!(woken.recv_timeout(Duration::from_secs(30)), Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(portal.take(), None);
    drop(portal);
    let nowhere = Some("unix:path=/nonexistent/bus".to_owned());
    let (wake, woken) = mpsc::sync_channel(16);
    let portal = Portal::start_at(nowhere, move || wake.try_send(()).unwrap_or_default()).unwrap();
    assert_eq!(woken.recv_timeout(Duration::from_secs(30)), Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(portal.take(), None);
}
