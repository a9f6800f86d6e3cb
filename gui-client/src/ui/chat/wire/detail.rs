//! One envelope taken apart: what it is, what became of it and why, and its layers with their bytes.

use common::crypto::Envelope;
use egui::{CollapsingHeader, FontId, Key, Margin, RichText, Stroke, Ui};

use crate::state::{
    State,
    action::Action,
    wire::{Passed, WireAction},
};

use super::{
    layers::{Layer, Line, layers},
    list::who,
    outcome::{Verdict, kind_text, verdict},
};
use crate::ui::kit::{
    format, hex_view, icons,
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Fields of up to this length are shown byte by byte in the list of fields; longer ones in the box below it.
const MAX_FIELD_BYTES: usize = 64;

/// Fields of up to this length are shown beside their name.
const MAX_INLINE_BYTES: usize = 8;

/// Draws the envelope, with the way back to the list; in a wide column, both are side by side (`is_split`).
pub(super) fn show(ui: &mut Ui, state: &State, passed: &Passed, is_split: bool, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let is_typing = ui.memory(|memory| memory.focused().is_some()) || egui::Popup::is_any_open(ui.ctx());
    let mut is_closed = !is_typing && ui.input(|input| input.key_pressed(Key::Escape));
    egui::Frame::new().inner_margin(Margin { left: 12, right: 12, top: 6, bottom: 0 }).show(ui, |ui| {
        ui.horizontal(|ui| {
            let label = if is_split { "Close" } else { "Back to the list" };
            is_closed |= ui.button(RichText::new(label).size(font_size::SMALL)).clicked();
            let time = format::clock_seconds(passed.unix_millis);
            ui.label(RichText::new(time).size(font_size::SMALL).color(theme.weak));
        });
    });
    egui::ScrollArea::vertical().id_salt("envelope").auto_shrink(false).show(ui, |ui| {
        egui::Frame::new().inner_margin(Margin { left: 12, right: 14, top: 4, bottom: 12 }).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.label(RichText::new(who(state, passed)).font(semibold(font_size::HEADING)));
            let what = format!("{} · {}", kind_text(passed.kind()), format::bytes(passed.envelope_bytes));
            ui.label(RichText::new(what).size(font_size::SMALL).color(theme.weak));
            ui.add_space(space::XS);
            result(ui, state, passed);
            match &passed.envelope {
                Some(envelope) => take_apart(ui, state, passed, envelope),
                None => {
                    let text = "Its bytes were dropped to make room for later ones.";
                    ui.label(RichText::new(text).color(theme.weak));
                }
            }
        });
    });
    if is_closed {
        actions.push(Action::Wire(WireAction::Close));
    }
}

/// What became of it, why, and what was inside.
fn result(ui: &mut Ui, state: &State, passed: &Passed) {
    let theme = Theme::of(ui);
    let Verdict { result, reason, mark, color } = verdict(theme, state, passed);
    let card = egui::Frame::new()
        .fill(theme.surface)
        .stroke(Stroke::new(1.0, color.gamma_multiply(0.5)))
        .corner_radius(size::RADIUS)
        .inner_margin(Margin::symmetric(10, 8));
    card.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_wrapped(|ui| {
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(18.0), egui::Sense::hover());
            icons::paint(ui.painter(), mark, rect.center(), 16.0, color);
            ui.label(RichText::new(result).color(color).strong());
        });
        ui.label(RichText::new(reason).size(font_size::SMALL + 0.5).color(theme.text));
        if let Some(said) = &passed.said {
            let time = format::clock_seconds(said.sent_unix_millis);
            ui.add_space(space::XS);
            ui.label(RichText::new(format!("Inside, written at {time}:")).size(font_size::SMALL).color(theme.weak));
            ui.add(egui::Label::new(RichText::new(&said.text)).selectable(true).wrap());
        }
    });
}

fn take_apart(ui: &mut Ui, state: &State, passed: &Passed, envelope: &Envelope) {
    ui.add_space(space::S);
    for (index, layer) in layers(state, passed, envelope).into_iter().enumerate() {
        // The same layer of another envelope is then unfolded too, which makes them easy to compare.
        let header = CollapsingHeader::new(RichText::new(&layer.title).strong()).id_salt(("layer", index));
        let shown = header.default_open(index == 0).show(ui, |ui| show_layer(ui, &layer, envelope));
        widgets::focus_ring(ui, shown.header_response.rect, &shown.header_response);
    }
    ui.add_space(space::S);
    let button = ui.button(RichText::new("Copy the whole envelope").size(font_size::SMALL));
    if button.on_hover_text("In hexadecimal, for example for the Python programs in docs/PROTOCOL.md").clicked() {
        ui.ctx().copy_text(format::hex(envelope.as_bytes()).replace(' ', ""));
    }
}

fn show_layer(ui: &mut Ui, layer: &Layer, envelope: &Envelope) {
    let theme = Theme::of(ui);
    ui.label(RichText::new(&layer.explanation).size(font_size::SMALL + 0.5).color(theme.text));
    if let Some(result) = &layer.result {
        ui.label(RichText::new(result).size(font_size::SMALL + 0.5).color(theme.accent));
    }
    ui.add_space(space::XS);
    ui.scope(|ui| {
        // Lines as low as their text: a row is otherwise as high as a button.
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing.y = 1.0;
        for line in &layer.lines {
            show_line(ui, line, &envelope.as_bytes()[line.range.clone()]);
        }
    });
    ui.add_space(space::XS);
    let bytes = &envelope.as_bytes()[layer.range.clone()];
    let (_, title) = layer.title.split_once(". ").unwrap_or(("", &layer.title));
    hex_view::show(ui, ("hex", &layer.title), &format!("the bytes of: {title}"), layer.range.start, bytes);
    ui.add_space(space::S);
}

/// A field: its name and length, what it means, and its bytes if they are few.
fn show_line(ui: &mut Ui, line: &Line, bytes: &[u8]) {
    let theme = Theme::of(ui);
    let length = if bytes.len() == 1 { "1 byte".to_owned() } else { format!("{} bytes", bytes.len()) };
    let label = match line.meaning.as_str() {
        "" => format!("{}, {length}", line.label),
        meaning => format!("{}, {length}: {meaning}", line.label),
    };
    let groups: Vec<String> = bytes.chunks(4).map(|group| format::hex(group).replace(' ', "")).collect();
    let hex = RichText::new(groups.join(" ")).font(FontId::monospace(font_size::MONO - 0.5)).color(theme.weak);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(label).size(font_size::SMALL).color(theme.text));
        if bytes.len() <= MAX_INLINE_BYTES {
            ui.label(hex.clone());
        }
    });
    if (MAX_INLINE_BYTES + 1..=MAX_FIELD_BYTES).contains(&bytes.len()) {
        ui.label(hex);
    }
    ui.add_space(2.0);
}
