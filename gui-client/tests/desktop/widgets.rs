//! What a window shows, read from the accessibility bus as a screen reader reads it.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use zbus::{
    blocking::Connection,
    zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type},
};

/// An object on the accessibility bus: the name of its program, and its path there.
type Object = (String, OwnedObjectPath);

/// What the cache of a program tells of an object: itself, its program, its parent, its place, the number of its children,
/// what it can do, its name, its role, its description, and its states in two words of 32 bits.
type Item = (Object, Object, Object, i32, i32, Vec<String>, String, u32, String, Vec<u32>);

/// What kind of widget it is, as far as it matters here. The numbers are those of AT-SPI.
pub mod role {
    pub const LABEL: u32 = 29;
    pub const LIST_ITEM: u32 = 32;
    pub const ENTRY: u32 = 79;
}

/// Numbers of states in AT-SPI.
mod state {
    pub(super) const ENABLED: u32 = 8;
    pub(super) const FOCUSED: u32 = 12;
}

/// A widget, as a screen reader gets it.
#[derive(Clone)]
pub struct Widget {
    /// What is said for it.
    pub name: String,
    /// Its number in AT-SPI.
    pub role: u32,
    states: u64,
    object: Object,
    /// Left, top, width and height on the screen, in pixels.
    pub bounds: (i32, i32, i32, i32),
}

impl Widget {
    /// The pixel in its middle.
    pub fn centre(&self) -> (u32, u32) {
        self.at(0.5, 0.5)
    }

    /// The pixel at these shares of its width and height.
    pub fn at(&self, x: f64, y: f64) -> (u32, u32) {
        let (left, top, width, height) = self.bounds;
        let pixel =
            |start: i32, length: i32, share: f64| (f64::from(start) + f64::from(length) * share).max(0.0) as u32;
        (pixel(left, width, x), pixel(top, height, y))
    }

    /// Whether it has the keyboard, in a window that has it.
    pub fn has_focus(&self) -> bool {
        self.is(state::FOCUSED)
    }

    /// Whether a click on it does something.
    pub fn can_be_clicked(&self) -> bool {
        let is_text = matches!(self.role, role::LABEL | role::LIST_ITEM);
        !is_text && self.is(state::ENABLED) && self.bounds.2 > 0 && self.bounds.3 > 0
    }

    fn is(&self, state: u32) -> bool {
        self.states & (1 << state) != 0
    }
}

impl fmt::Debug for Widget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, top, width, height) = self.bounds;
        write!(f, "{:?} (role {}, {width}x{height} at {left},{top}", self.name, self.role)?;
        write!(
            f,
            "{}{})",
            if self.is(state::ENABLED) { "" } else { ", disabled" },
            if self.has_focus() { ", focused" } else { "" }
        )
    }
}

/// The widgets that `is_wanted`, given their role and name, in the order in which a screen reader goes through them. None while
/// the program is not there or does not answer.
pub fn widgets(bus: &Connection, is_wanted: impl Fn(u32, &str) -> bool) -> Vec<Widget> {
    items(bus)
        .into_iter()
        .flatten()
        .filter(|item| !item.6.is_empty() && is_wanted(item.7, &item.6))
        .filter_map(|(object, _, _, _, _, _, name, role, _, states)| {
            // It may be gone by now.
            let bounds = bounds(bus, &object)?;
            let states = states.iter().rev().fold(0, |all, word| all << 32 | u64::from(*word));
            Some(Widget { name, role, states, object, bounds })
        })
        .collect()
}

/// The names of all widgets; `None` while the program is not there or does not answer.
pub fn names(bus: &Connection) -> Option<Vec<String>> {
    let names: Vec<_> = items(bus)?.into_iter().map(|item| item.6).collect();
    (!names.is_empty()).then_some(names)
}

fn items(bus: &Connection) -> Option<Vec<Item>> {
    let registry = ("org.a11y.atspi.Registry".to_owned(), path("/org/a11y/atspi/accessible/root"));
    let programs: Vec<Object> = call(bus, &registry, "org.a11y.atspi.Accessible", "GetChildren", &())?;
    let cache = path("/org/a11y/atspi/cache");
    let items: Option<Vec<Vec<Item>>> = programs
        .into_iter()
        .map(|(program, _)| call(bus, &(program, cache.clone()), "org.a11y.atspi.Cache", "GetItems", &()))
        .collect();
    Some(items?.into_iter().flatten().collect())
}

fn bounds(bus: &Connection, object: &Object) -> Option<(i32, i32, i32, i32)> {
    /// Coordinates of the screen.
    const SCREEN: u32 = 0;
    call(bus, object, "org.a11y.atspi.Component", "GetExtents", &SCREEN)
}

/// The text in a field.
pub fn text(bus: &Connection, field: &Widget) -> Option<String> {
    call(bus, &field.object, "org.a11y.atspi.Text", "GetText", &(0_i32, -1_i32))
}

/// The value of a slider.
pub fn value(bus: &Connection, slider: &Widget) -> Option<f64> {
    let get = ("org.a11y.atspi.Value", "CurrentValue");
    let value: OwnedValue = call(bus, &slider.object, "org.freedesktop.DBus.Properties", "Get", &get)?;
    f64::try_from(value).ok()
}

fn call<B, R>(bus: &Connection, (program, path): &Object, interface: &str, method: &str, body: &B) -> Option<R>
where
    B: Serialize + DynamicType,
    R: DeserializeOwned + Type,
{
    let reply = bus.call_method(Some(program.as_str()), path, Some(interface), method, body).ok()?;
    reply.body().deserialize().ok()
}

fn path(text: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(text).expect("a path on the bus")
}
