//! A person at a desktop: a screen, a session bus, and the client in a window. What is clicked is found as a screen reader
//! finds it, and clicked with the mouse.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    programs::{Client, Program},
    screen::{DEADLINE, Screen, Window, poll},
    session_bus::SessionBus,
    widgets::{self, Widget, role},
};

/// The time for which a button rests before it is clicked once. Right after buttons have changed they take no click.
const AIM: Duration = Duration::from_millis(600);

/// After this time a person clicks again on a button that has not gone.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// One person with a home folder, a screen and the program in its window.
pub struct User {
    pub name: String,
    // Before what it needs, so that it ends first.
    pub client: Program,
    pub screen: Screen,
    pub bus: SessionBus,
    pub home: PathBuf,
}

impl User {
    /// Starts the program as a person does who has a folder `name` in `homes`, and waits for its window.
    pub fn start(name: &str, homes: &Path, pictures: &Path, client: &Client<'_>) -> Self {
        let home = homes.join(name);
        fs::create_dir_all(&home).unwrap();
        let bus = SessionBus::start(&homes.join(format!("{name}-bus")));
        let screen = Screen::start(name, pictures, &homes.join(format!("{name}-screen")));
        let client = client.start(&screen, &bus, &home);
        let user = Self { name: name.to_owned(), client, screen, bus, home };
        user.take_window();
        user
    }

    /// Starts the program anew, in the same home.
    pub fn start_again(&mut self, client: &Client<'_>) {
        self.client = client.start(&self.screen, &self.bus, &self.home);
        self.take_window();
    }

    fn take_window(&self) {
        let window = self.window();
        self.screen.bring_to_front(window);
    }

    /// Waits for the window of the program.
    pub fn window(&self) -> Window {
        self.wait_for("the window of the program", || self.screen.window("Triptych"))
    }

    /// Connects with what the form was filled in with.
    pub fn join(&self) {
        self.click_away("Connect");
    }

    /// Waits for `condition`. A failed test shows the window and names its widgets.
    pub fn wait_for<T>(&self, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        poll(condition).unwrap_or_else(|| {
            self.screen.screenshot("failed");
            let widgets = self.widgets(|_, _| true);
            panic!("{}: {what} did not happen within {} s; the window has {widgets:#?}", self.name, DEADLINE.as_secs())
        })
    }

    fn widgets(&self, is_wanted: impl Fn(u32, &str) -> bool) -> Vec<Widget> {
        widgets::widgets(&self.bus.accessibility, is_wanted)
    }

    /// The first widget with this in its name, if there is one.
    pub fn sees(&self, part: &str) -> Option<Widget> {
        self.widgets(|_, name| name.contains(part)).into_iter().next()
    }

    /// Whether a text in the window is just this.
    pub fn has_label(&self, text: &str) -> bool {
        !self.widgets(|kind, name| kind == role::LABEL && name == text).is_empty()
    }

    /// Waits for a widget with this in its name.
    pub fn find(&self, part: &str) -> Widget {
        self.wait_for(&format!("{part:?}"), || self.sees(part))
    }

    /// Waits until no widget has this in its name.
    pub fn wait_until_gone(&self, part: &str) {
        let is_there = |names: Vec<String>| names.iter().any(|name| name.contains(part));
        self.wait_for(&format!("the end of {part:?}"), || (!is_there(self.names()?)).then_some(()));
    }

    /// Whether nothing is called `name`.
    fn is_gone(&self, name: &str) -> bool {
        self.names().is_some_and(|names| !names.iter().any(|text| is_called(text, name)))
    }

    /// The names of all widgets; none of them is missing because it could not be read.
    fn names(&self) -> Option<Vec<String>> {
        widgets::names(&self.bus.accessibility)
    }

    /// What can be clicked and is called `name`.
    fn clickable(&self, name: &str) -> Option<Widget> {
        self.widgets(|_, text| is_called(text, name)).into_iter().find(Widget::can_be_clicked)
    }

    /// Waits for something that can be clicked and is called `name`.
    pub fn button(&self, name: &str) -> Widget {
        self.wait_for(&format!("a button {name:?}"), || self.clickable(name))
    }

    /// Clicks with the mouse into the middle of a button, once, after it has been in its place for as long as people need to
    /// aim.
    pub fn click(&self, name: &str) {
        let mut seen: Option<(Widget, Instant)> = None;
        let place = self.wait_for(&format!("a button {name:?} at rest"), || {
            let found = self.clickable(name);
            let Some(found) = found else {
                seen = None;
                return None;
            };
            let (last, since) = seen.get_or_insert_with(|| (found.clone(), Instant::now()));
            if last.bounds != found.bounds {
                (*last, *since) = (found, Instant::now());
            }
            (since.elapsed() > AIM).then(|| last.centre())
        });
        self.screen.click_at(place);
    }

    /// Clicks on a button until `has_happened`; for what may be clicked twice.
    pub fn click_until(&self, name: &str, has_happened: impl Fn() -> bool) {
        self.button(name);
        let mut last_click: Option<Instant> = None;
        self.wait_for(&format!("what {name:?} does"), || {
            if last_click.is_some() && has_happened() {
                return Some(());
            }
            let is_due = last_click.is_none_or(|at| at.elapsed() > PATIENCE);
            if let Some(found) = self.clickable(name).filter(|_| is_due) {
                self.screen.click_at(found.centre());
                last_click = Some(Instant::now());
            }
            None
        });
    }

    /// Clicks on a button that goes then.
    pub fn click_away(&self, name: &str) {
        self.click_until(name, || self.is_gone(name));
    }

    /// Waits for a field whose name begins with `name`.
    pub fn field(&self, name: &str) -> Widget {
        let is_field = |kind, text: &str| kind == role::ENTRY && text.starts_with(name);
        self.wait_for(&format!("a field {name:?}"), || self.widgets(is_field).into_iter().next())
    }

    /// Clicks into the field, waits until it has the keyboard, and types; waits until it has the text.
    pub fn type_into(&self, name: &str, text: &str) {
        self.screen.click_at(self.field(name).centre());
        self.wait_for(&format!("the keyboard in {name:?}"), || self.field(name).has_focus().then_some(()));
        self.screen.type_text(text);
        self.wait_for(&format!("{text:?} in {name:?}"), || (self.text_of(name)? == text).then_some(()));
    }

    /// What is in the field.
    pub fn text_of(&self, name: &str) -> Option<String> {
        widgets::text(&self.bus.accessibility, &self.field(name))
    }

    /// The value of a slider.
    pub fn value_of(&self, name: &str) -> Option<f64> {
        widgets::value(&self.bus.accessibility, &self.sees(name)?)
    }

    /// Opens a conversation.
    pub fn open(&self, name: &str) {
        let title = format!("Message to {}", name.replace("Everyone", "everyone"));
        let is_open = || !self.widgets(|kind, text| kind == role::ENTRY && text == title).is_empty();
        self.click_until(name, is_open);
    }

    /// Writes a message into the open conversation, and sends it with Enter.
    pub fn write(&self, text: &str) {
        self.type_into("Message to", text);
        self.screen.press("Return");
        self.wait_for("the empty field", || self.text_of("Message to")?.is_empty().then_some(()));
    }

    /// Waits until the message is in the window, in this state if it is one's own; returns what is said for it.
    pub fn message(&self, text: &str, state: &str) -> String {
        let is_wanted = |kind, name: &str| kind == role::LIST_ITEM && name.contains(text) && name.contains(state);
        self.wait_for(&format!("the message {text:?}, {state}"), || {
            self.widgets(is_wanted).into_iter().next().map(|widget| widget.name)
        })
    }

    /// How many messages with this text are in the window.
    pub fn count_messages(&self, text: &str) -> usize {
        self.widgets(|kind, name| kind == role::LIST_ITEM && name.contains(text)).len()
    }

    /// The window's title.
    pub fn title(&self) -> String {
        self.screen.title(self.window())
    }

    /// Keeps a picture of the window.
    pub fn screenshot(&self, name: &str) {
        self.screen.screenshot(name);
    }
}

/// Whether a widget with this text is the one that is called `name`: what follows a comma is what else a screen reader says.
fn is_called(text: &str, name: &str) -> bool {
    text.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
}
