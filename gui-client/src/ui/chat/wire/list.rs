//! The list of envelopes, newest first. Only the rows on the screen are drawn.

use egui::{Pos2, Rect, RichText, Ui, Vec2};

use crate::state::{
    State,
    action::Action,
    wire::{Passed, WireAction},
};

use super::outcome::{Verdict, kind_text, verdict};
use crate::ui::{
    chat::names::name,
    kit::{
        format, icons,
        rows::Rows,
        theme::{Theme, font_size, size, space},
        widgets,
    },
};

/// Draws the rows that the filter lets through; a click takes an envelope apart.
pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let rows = state.listed_envelopes();
    if rows.is_empty() {
        widgets::caption(ui, "None of the latest envelopes is of this kind.");
        return;
    }
    if state.wire.has_filter() {
        let shown = format!("{} of {} shown", rows.len(), state.wire.newest_first().len());
        widgets::caption(ui, &shown);
    }
    egui::ScrollArea::vertical().id_salt("wire").auto_shrink(false).show_viewport(ui, |ui, viewport| {
        let measures = Rows { height: size::WIRE_ROW, gap: 4.0, count: rows.len() };
        measures.show(ui, viewport, None, |ui, index| row(ui, state, rows[index], actions));
    });
}

/// `Sender to recipient`, as shown in the list and above an envelope that is taken apart.
pub(super) fn who(state: &State, passed: &Passed) -> String {
    let recipient = passed.recipient.map_or_else(|| "everyone".to_owned(), |key| name(state, &key).to_string());
    format!("{} to {recipient}", name(state, &passed.sender).at_start())
}

fn row(ui: &mut Ui, state: &State, passed: &Passed, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let who = who(state, passed);
    let Verdict { result, mark, color, .. } = verdict(theme, state, passed);
    let is_open = state.wire.open().is_some_and(|open| open.number == passed.number);
    let spoken = format!("{who}: {result}");
    let response = widgets::row(ui, ("wire", passed.number), size::WIRE_ROW, is_open, &spoken, |ui, rect| {
        let rect = rect.shrink2(Vec2::new(space::S, 0.0));
        if !is_open && !ui.rect_contains_pointer(rect) {
            ui.painter().rect_filled(rect, f32::from(size::RADIUS), theme.surface);
        }
        let inner = rect.shrink2(Vec2::new(10.0, 6.0));
        let left = inner.left() + 22.0;
        icons::paint(ui.painter(), mark, Pos2::new(inner.left() + 7.0, inner.center().y), 16.0, color);
        let third = inner.height() / 3.0;
        let line = |index: f32, left: f32, right: f32| {
            let top = inner.top() + index * third;
            Rect::from_min_max(Pos2::new(left, top), Pos2::new(right, top + third))
        };
        let time_left = inner.right() - 50.0;
        let time = format::clock_seconds(passed.unix_millis);
        widgets::line(ui, line(0.0, left, time_left - space::XS), who.as_str(), font_size::BODY - 0.5, theme.text);
        widgets::line(ui, line(0.0, time_left, inner.right() + 4.0), time, font_size::SMALL - 1.0, theme.weak);
        let what = format!("{} · {}", kind_text(passed.kind()), format::bytes(passed.envelope_bytes));
        widgets::line(ui, line(1.0, left, inner.right()), what, font_size::SMALL, theme.weak);
        widgets::line(ui, line(2.0, left, inner.right()), RichText::new(&result), font_size::SMALL, color);
    });
    if response.clicked() {
        actions.push(Action::Wire(WireAction::Open(passed.number)));
    }
}
