//! The dictionary: everyone online, with the keys that messages are encrypted with.

use common::{crypto::KeyId, message::Person};
use egui::{Color32, FontId, Margin, Pos2, Rect, RichText, Ui, Vec2};

use crate::state::{
    State,
    action::{Action, Moment},
    trust::Privacy,
};

use crate::ui::kit::{
    format, icons,
    icons::Icon,
    rows::Rows,
    theme::{Theme, font_size, size, space},
    tip, widgets,
};

/// What the dictionary is, in a sentence.
const EXPLANATION: &str = "The dictionary: names and their public keys, which the server sent once and keeps up to date. Messages are \
                           encrypted with these.";

/// What a session key is, in two sentences.
const SESSION_EXPLANATION: &str = "Session: the key to which letters are sealed besides the RSA key. Its private half is only in the \
                                   memory of this person's client, and is replaced after ten minutes.";

/// Room at the right of a row for the button that copies.
const COPY_ROOM: f32 = size::ICON_BUTTON + space::S;

/// Draws the list; a click shows the safety number.
pub(crate) fn show(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let Some(dictionary) = state.people.dictionary() else {
        widgets::empty_state(ui, "No keys yet", "The keys of everyone online appear here when you are connected.");
        return;
    };
    let filter = state.keys_filter.trim().to_lowercase();
    let has_name = |person: &&Person| filter.is_empty() || person.name.as_str().to_lowercase().contains(&filter);
    let people: Vec<&Person> = dictionary.people().filter(has_name).collect();
    egui::Frame::new().inner_margin(Margin { left: 12, right: 12, top: 6, bottom: 6 }).show(ui, |ui| {
        ui.label(RichText::new(EXPLANATION).size(font_size::SMALL).color(theme.weak));
        let count = dictionary.people().len();
        let people_count = if filter.is_empty() { count.to_string() } else { format!("{} of {count}", people.len()) };
        let revision = dictionary.revision();
        let text = if state.connection.is_online() {
            let people = if people_count == "1" { "person" } else { "people" };
            format!("{people_count} {people} online. Revision {revision} of the dictionary.")
        } else {
            format!("Not connected. These {people_count} were online last.")
        };
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
        ui.add_space(2.0);
        if let Some(text) = widgets::filter_field(ui, &state.keys_filter, "Name…", "Only people called") {
            actions.push(Action::EditKeysFilter(text));
        }
    });
    if people.is_empty() {
        widgets::caption(ui, "No one online has such a name.");
        return;
    }
    // What the rows show begins and ends where the texts above do.
    egui::Frame::new().inner_margin(Margin::symmetric(4, 0)).show(ui, |ui| {
        egui::ScrollArea::vertical().id_salt("keys").auto_shrink(false).show_viewport(ui, |ui, viewport| {
            let rows = Rows { height: size::KEY_ROW, gap: 2.0, count: people.len() };
            rows.show(ui, viewport, None, |ui, index| row(ui, state, people[index], now, actions));
        });
    });
}

/// What is known of a key, in a few words.
fn mark(theme: &Theme, state: &State, key: &KeyId, today_unix_secs: u64) -> Option<(&'static str, Color32)> {
    if state.people.me() == Some(*key) {
        return Some(("you", theme.accent));
    }
    match state.trust.privacy(key, today_unix_secs) {
        Privacy::Verified => Some(("verified", theme.good)),
        Privacy::Pinned => None,
        Privacy::New => Some(("new today", theme.weak)),
        Privacy::Changed { .. } => Some(("another key than before", theme.warn)),
    }
}

/// Since when the person is online, and how old the session key is.
fn ages(person: &Person, now: Moment) -> String {
    let since = format::clock(person.since_unix_secs.saturating_mul(1000));
    let minutes = now.unix_millis.saturating_sub(person.session.created_unix_millis()) / 60_000;
    let age = match minutes {
        0 => "new".to_owned(),
        minutes => format!("{minutes} min"),
    };
    let session = format::hex(&person.session.id().0[..4]).replace(' ', "");
    format!("Online since {since} · session {session}…, {age}")
}

fn row(ui: &mut Ui, state: &State, person: &Person, now: Moment, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let key = person.public_key.id();
    let is_me = state.people.me() == Some(key);
    let mark = mark(theme, state, &key, format::day_start(now.unix_millis));
    let (fingerprint, ages) = (widgets::key_text(&key), ages(person, now));
    let spoken_mark = mark.map_or_else(String::new, |(text, _)| format!(", {text}"));
    let spoken = format!("{}{spoken_mark}, key {fingerprint}. {ages}", person.name);
    let response = widgets::row(ui, ("key", key), size::KEY_ROW, false, &spoken, |ui, rect| {
        let center = Pos2::new(rect.left() + space::S + size::AVATAR / 2.0, rect.center().y);
        widgets::avatar(ui, center, size::AVATAR, person.name.as_str(), Some(&key), true);
        let inner = rect.shrink2(Vec2::new(0.0, 5.0));
        let (left, right) = (rect.left() + 2.0 * space::S + size::AVATAR, rect.right() - space::S);
        let third = inner.height() / 3.0;
        let line = |index: f32, left: f32, right: f32| {
            let top = inner.top() + index * third;
            Rect::from_min_max(Pos2::new(left, top), Pos2::new(right, top + third))
        };
        let name_right = right - COPY_ROOM;
        let width = widgets::line(ui, line(0.0, left, name_right), person.name.as_str(), font_size::BODY, theme.text);
        if let Some((text, color)) = mark {
            let mark_left = (left + width + space::S).min(name_right);
            widgets::line(ui, line(0.0, mark_left, name_right), format!("· {text}"), font_size::SMALL, color);
        }
        let mono = RichText::new(&fingerprint).font(FontId::monospace(font_size::MONO));
        widgets::line(ui, line(1.0, left, name_right), mono, font_size::MONO, theme.weak);
        widgets::line(ui, line(2.0, left, right), ages.as_str(), font_size::SMALL - 0.5, theme.weak);
    });
    let rect = response.rect;
    tip::beside(&response, |ui| {
        widgets::fingerprint_lines(ui, "SHA-256 of the public RSA key:", &whole(&key));
        let text = if is_me { "This is your own key." } else { "Click to compare the safety number." };
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
        ui.label(RichText::new(SESSION_EXPLANATION).size(font_size::SMALL).color(theme.weak));
    });
    if response.clicked() && !is_me {
        actions.push(Action::OpenSafetyNumber(key));
    }
    copy_button(ui, rect, person, &key);
}

/// The button in the upper right corner of a row. It is drawn after the row, so that a click on it is no click on the row.
fn copy_button(ui: &mut Ui, row: Rect, person: &Person, key: &KeyId) {
    let rect = Rect::from_min_size(row.right_top() + Vec2::new(-COPY_ROOM, 6.0), Vec2::splat(size::ICON_BUTTON));
    let mut corner = ui.new_child(egui::UiBuilder::new().id_salt(("copy key", key)).max_rect(rect));
    corner.spacing_mut().interact_size.y = 22.0;
    let tip = "Copy the fingerprint: SHA-256 of the public key";
    if icons::button(&mut corner, Icon::Copy, &format!("Copy the fingerprint of {}", person.name), tip).clicked() {
        ui.ctx().copy_text(format::hex(&key.0).replace(' ', ""));
    }
}

/// A whole fingerprint, in two lines of eight groups.
fn whole(key: &KeyId) -> String {
    let groups: Vec<String> = key.0.chunks(2).map(|pair| format::hex(pair).replace(' ', "")).collect();
    groups.chunks(8).map(|line| line.join("-")).collect::<Vec<_>>().join("\n")
}
