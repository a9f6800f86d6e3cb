//! The wire: the envelopes of all messages, which every client receives, and whether this client's key opens them.

use common::crypto::KeyId;
use egui::{FontId, Pos2, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::{
    event::{WireEntry, WireOutcome},
    state::{State, wire::Passed},
};

use crate::ui::kit::{
    format,
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Draws the list, newest first.
pub(crate) fn show(ui: &mut Ui, state: &State) {
    let theme = Theme::of(ui);
    let entries = state.wire.newest_first();
    if entries.len() == 0 {
        let text = "The server sends every message to every client, encrypted. Each one appears here, and your key \
                    opens only those that are addressed to you.";
        widgets::empty_state(ui, "No messages on the wire yet", text);
        dropped(ui, state);
        return;
    }
    egui::Frame::new().inner_margin(egui::Margin::symmetric(12, 6)).show(ui, |ui| {
        let text = match state.wire.total() {
            1 => "1 encrypted message. Every client receives all of them.".to_owned(),
            total => format!("{total} encrypted messages. Every client receives all of them."),
        };
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
        dropped(ui, state);
    });
    let rows: Vec<&Passed> = entries.collect();
    ui.spacing_mut().item_spacing.y = 4.0;
    egui::ScrollArea::vertical().id_salt("wire").auto_shrink(false).show_rows(
        ui,
        size::WIRE_ROW,
        rows.len(),
        |ui, range| {
            for passed in &rows[range] {
                entry(ui, state, passed);
            }
        },
    );
}

/// How many envelopes were dropped, if any were.
fn dropped(ui: &mut Ui, state: &State) {
    let text = match state.wire.dropped() {
        0 => return,
        1 => "1 more was dropped unopened, because too many arrived at once.".to_owned(),
        count => format!("{count} more were dropped unopened, because too many arrived at once."),
    };
    ui.label(RichText::new(text).size(font_size::SMALL).color(Theme::of(ui).warn));
}

fn entry(ui: &mut Ui, state: &State, passed: &Passed) {
    let theme = Theme::of(ui);
    let entry = &passed.entry;
    let who = format!("{} to {}", name(state, &entry.sender), addressees(state, entry));
    let sender = name(state, &entry.sender);
    let (outcome, color) = outcome(theme, entry.outcome, &sender, passed.unix_millis);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), size::WIRE_ROW), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{who}: {outcome}")));
    let rect = rect.shrink2(Vec2::new(space::S, 0.0));
    ui.painter().rect_filled(rect, f32::from(size::RADIUS), theme.surface);
    let inner = rect.shrink2(Vec2::new(10.0, 6.0));
    let third = inner.height() / 3.0;
    let row = |index: f32, left: f32, right: f32| {
        Rect::from_min_max(
            Pos2::new(left, inner.top() + index * third),
            Pos2::new(right, inner.top() + (index + 1.0) * third),
        )
    };
    let time = format::clock_seconds(passed.unix_millis);
    let time_width = 58.0;
    widgets::line(ui, row(0.0, inner.left(), inner.right() - time_width), who, font_size::BODY - 0.5, theme.text);
    widgets::line(
        ui,
        row(0.0, inner.right() - time_width + 8.0, inner.right() + 4.0),
        time,
        font_size::SMALL - 1.0,
        theme.weak,
    );
    let bytes = format!("{}  {} …", format::bytes(entry.envelope_bytes), format::hex(&entry.ciphertext_start));
    let bytes = RichText::new(bytes).font(FontId::monospace(font_size::MONO - 0.5));
    widgets::line(ui, row(1.0, inner.left(), inner.right()), bytes, font_size::MONO, theme.weak);
    widgets::line(ui, row(2.0, inner.left(), inner.right()), outcome, font_size::SMALL, color);
}

/// What became of an envelope of `sender` that arrived at this time, as a sentence and its colour.
fn outcome(theme: &Theme, outcome: WireOutcome, sender: &str, unix_millis: u64) -> (String, egui::Color32) {
    let (text, color) = match outcome {
        WireOutcome::SenderKey => {
            let time = format::clock(unix_millis);
            return (format!("{sender}'s sender key, sealed for you at {time}"), theme.good);
        }
        WireOutcome::OpenedWithSenderKey { handed_unix_millis } => {
            let time = format::clock(handed_unix_millis);
            return (format!("Opened with {sender}'s sender key, sealed for you at {time}"), theme.good);
        }
        WireOutcome::NoSenderKey => ("Under a sender key from before you came; you cannot read it", theme.weak),
        WireOutcome::Own => ("Sent by you; every client received it", theme.accent),
        WireOutcome::Opened => ("Addressed to you, and opened with your key", theme.good),
        WireOutcome::Foreign => ("Your key does not open this", theme.weak),
        WireOutcome::NotTried => ("Not tried: too many messages arrived at once", theme.weak),
        WireOutcome::TooManyFailures => ("Not tried: too many of this sender were damaged", theme.weak),
        WireOutcome::Rejected => ("Addressed to you, but damaged or forged; not shown", theme.bad),
    };
    (text.to_owned(), color)
}

/// The people that the sender wrote to; the sender does not count.
fn addressees(state: &State, entry: &WireEntry) -> String {
    if entry.recipients.is_empty() {
        return "everyone".to_owned();
    }
    let others: Vec<&KeyId> = entry.recipients.iter().filter(|key| **key != entry.sender).collect();
    match others[..] {
        [] => "no one".to_owned(),
        [one] => name(state, one),
        [one, other] => format!("{} and {}", name(state, one), name(state, other)),
        _ => format!("{} people", others.len()),
    }
}

/// The name of the person with this key. If someone else has that name now, or no name is known, the short form of the key
/// tells them apart.
fn name(state: &State, key: &KeyId) -> String {
    if state.people.me() == Some(*key) {
        return "you".to_owned();
    }
    let short_key = widgets::key_text(key);
    match state.people.name_of(key) {
        Some(name) if state.people.has_other_holder(name, key) => format!("{name} ({short_key})"),
        Some(name) => name.to_string(),
        None => short_key,
    }
}
