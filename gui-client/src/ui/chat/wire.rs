//! What everybody sees of everybody's messages: the envelopes as they passed by.

use common::crypto::KeyId;
use egui::{FontId, Pos2, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::{
    event::WireOutcome,
    state::{State, wire::Passed},
};

use crate::ui::kit::{
    format,
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Draws the list, newest first.
pub fn show(ui: &mut Ui, state: &State) {
    let theme = Theme::of(ui);
    let entries = state.wire.newest_first();
    if entries.len() == 0 {
        let text = "Every message travels to everybody, sealed. Here you will see each one pass by, and that your key \
                    opens only those that are for you.";
        widgets::empty_state(ui, "The wire is silent", text);
        return;
    }
    egui::Frame::new().inner_margin(egui::Margin::symmetric(12, 6)).show(ui, |ui| {
        let text = match state.wire.total() {
            1 => "1 envelope passed by. Everybody receives all of them.".to_owned(),
            total => format!("{total} envelopes passed by. Everybody receives all of them."),
        };
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
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

fn entry(ui: &mut Ui, state: &State, passed: &Passed) {
    let theme = Theme::of(ui);
    let entry = &passed.entry;
    let who = format!("{} to {}", name(state, &entry.sender), addressees(state, &entry.recipients));
    let (outcome, color) = outcome(theme, entry.outcome);
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

fn outcome(theme: &Theme, outcome: WireOutcome) -> (&'static str, egui::Color32) {
    match outcome {
        WireOutcome::Own => ("yours, delivered to everyone", theme.accent),
        WireOutcome::Opened => ("opened: it was for you", theme.good),
        WireOutcome::Foreign => ("your key does not open this", theme.weak),
        WireOutcome::NotTried => ("not tried: too many came at once", theme.weak),
        WireOutcome::Rejected => ("for you, but not sound, so not shown", theme.bad),
    }
}

fn addressees(state: &State, recipients: &[KeyId]) -> String {
    match recipients {
        [] => "nobody".to_owned(),
        [one] => name(state, one),
        [one, other] => format!("{}, {}", name(state, one), name(state, other)),
        many => format!("{} people", many.len()),
    }
}

/// The name that the dictionary has for a key, or the key's short form.
fn name(state: &State, key: &KeyId) -> String {
    if state.people.me() == Some(*key) {
        return "you".to_owned();
    }
    state.people.name_of(key).map_or_else(|| widgets::key_text(key), ToString::to_string)
}
