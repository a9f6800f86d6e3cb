//! Notifications on a real message bus, with a desktop that notes what it is told.

use std::{
    collections::HashMap,
    env,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use triptych_client::{
    app::notifications::Desktop,
    settings::Notifications,
    state::{
        State,
        action::{Action, Moment, Peer},
        effect::Effect,
        notifications::LEAST_INTERVAL,
    },
};
use zbus::zvariant::OwnedValue;

use crate::support::{
    bus::Bus,
    scenes::{ada, bob, joined, message, moment},
};

/// Set in the process that plays the client: the bus is chosen by the environment of a process.
const CLIENT: &str = "TRIPTYCH_TEST_CLIENT_OF_A_BUS";

const PATIENCE: Duration = Duration::from_secs(20);

const PATH: &str = "/org/freedesktop/Notifications";
const INTERFACE: &str = "org.freedesktop.Notifications";

/// What the desktop was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Show { replaces: u32, summary: String, body: String, actions: Vec<String> },
    Close(u32),
}

struct FakeDesktop(SyncSender<Told>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl FakeDesktop {
    #[expect(clippy::too_many_arguments, reason = "the specification has them")]
    fn notify(
        &self,
        _app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        self.0.send(Told::Show { replaces: replaces_id, summary, body, actions }).unwrap();
        7
    }

    fn close_notification(&self, id: u32) {
        self.0.send(Told::Close(id)).unwrap();
    }
}

/// A process that ends with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The client's half: two messages arrive while its window is not in front, then the notification is clicked.
fn play_client(choice: Notifications) {
    let desktop = Desktop::start(|| {}).unwrap();
    let mut state = joined();
    state.handle(Action::SetNotifications(choice), moment());
    state.set_focused(false);
    let start = moment();
    let tell = |state: &mut State, now: Moment| {
        for effect in state.tick(now) {
            match effect {
                Effect::Notify(notification) => desktop.show(notification),
                Effect::CloseNotification => desktop.close(),
                _ => {}
            }
        }
    };
    for (number, text) in ["<b>our secret</b>", "and another secret"].into_iter().enumerate() {
        let now = Moment { instant: start.instant + LEAST_INTERVAL * number as u32, ..start };
        state.apply(message("bob", &bob(), &[&ada()], text, number as u64), now);
        tell(&mut state, now);
        // A click on it says that it is shown: of several that wait for that, only the last one is.
        while desktop.clicked().is_some() {}
        assert_eq!(wait(|| desktop.clicked()), Peer::Person(bob().id()));
    }
    state.set_focused(true);
    tell(&mut state, moment());
    // The end of the thread waits until the notification has gone.
}

fn wait<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come");
        std::thread::yield_now();
    }
}

/// What the desktop is told of two messages of Bob's, the first of which is clicked.
fn told(choice: &str) -> Vec<Told> {
    let bus = Bus::start();
    let (told, tells): (_, Receiver<Told>) = sync_channel(16);
    let desktop = zbus::blocking::connection::Builder::address(bus.address.as_str())
        .unwrap()
        .name(INTERFACE)
        .unwrap()
        .serve_at(PATH, FakeDesktop(told))
        .unwrap()
        .build()
        .unwrap();
    let client = Command::new(env::current_exe().unwrap())
        .args(["--exact", "notifications::the_desktop_is_told_who_wrote_and_the_text_only_if_that_is_wanted"])
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .env(CLIENT, choice)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _client = Guard(client);
    let mut all = vec![tells.recv_timeout(PATIENCE).unwrap()];
    let deadline = Instant::now() + PATIENCE;
    while all.len() < 3 {
        assert!(Instant::now() < deadline, "{all:?}");
        // Again and again: the client may not listen yet.
        desktop.emit_signal(None::<&str>, PATH, INTERFACE, "ActionInvoked", &(7_u32, "default")).unwrap();
        all.extend(tells.recv_timeout(Duration::from_millis(50)));
    }
    all
}

#[test]
fn the_desktop_is_told_who_wrote_and_the_text_only_if_that_is_wanted() {
    match env::var(CLIENT).as_deref() {
        Ok("text") => return play_client(Notifications::WithText),
        Ok(_) => return play_client(Notifications::WithoutText),
        Err(_) => {}
    }
    let show = |replaces, summary: &str, body: &str| Told::Show {
        replaces,
        summary: summary.to_owned(),
        body: body.to_owned(),
        actions: vec!["default".to_owned(), "Open".to_owned()],
    };
    let [first, second] = ["bob wrote to you", "bob: 2 new messages"];
    assert_eq!(told("no text"), [show(0, first, ""), show(7, second, ""), Told::Close(7)]);
    let expected =
        [show(0, first, "&lt;b&gt;our secret&lt;/b&gt;"), show(7, second, "and another secret"), Told::Close(7)];
    assert_eq!(told("text"), expected);
}
