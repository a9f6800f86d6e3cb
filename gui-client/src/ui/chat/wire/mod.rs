//! The wire: every envelope that reaches this client, whether its keys open it and why, and each envelope taken apart.

mod detail;
mod layers;
mod list;
mod outcome;

use egui::{Margin, Panel, RichText, Ui};

use crate::state::{
    State,
    action::Action,
    wire::{Scope, WireAction},
};

use crate::ui::kit::{
    theme::{Theme, font_size, size, space},
    widgets,
};

/// What the wire shows, in a sentence.
const EXPLANATION: &str =
    "Your computer received all of these. It could open the green ones. Click one to take it apart.";

/// Draws the list of envelopes, the one that is taken apart, or both where there is room.
pub(crate) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let [split_width, list_width] = size::WIRE_SPLIT;
    let is_split = ui.available_width() >= split_width;
    match state.wire.open() {
        Some(passed) if !is_split => detail::show(ui, state, passed, false, actions),
        open => {
            if is_split {
                let list = Panel::left("wire list").exact_size(list_width).resizable(false).frame(egui::Frame::new());
                list.show(ui, |ui| list_side(ui, state, actions));
                match open {
                    Some(passed) => detail::show(ui, state, passed, true, actions),
                    None => {
                        let text = "Its layers appear here: what everyone can read, and what only keys open.";
                        widgets::empty_state(ui, "Click an envelope", text);
                    }
                }
            } else {
                list_side(ui, state, actions);
            }
        }
    }
}

fn list_side(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.wire.total() == 0 {
        let text = "The server sends every message to every client, encrypted. Each one appears here, and your keys open only \
                    those that are for you.";
        widgets::empty_state(ui, "No messages on the wire yet", text);
        dropped(ui, state);
        return;
    }
    egui::Frame::new().inner_margin(Margin { left: 12, right: 12, top: 6, bottom: 6 }).show(ui, |ui| {
        ui.label(RichText::new(EXPLANATION).size(font_size::SMALL).color(Theme::of(ui).weak));
        ui.add_space(2.0);
        filters(ui, state, actions);
        paused(ui, state);
        dropped(ui, state);
    });
    list::show(ui, state, actions);
}

fn filters(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut act = |action| actions.push(Action::Wire(action));
    ui.spacing_mut().item_spacing = egui::vec2(space::XS, space::XS);
    ui.horizontal_wrapped(|ui| {
        ui.style_mut().spacing.button_padding = egui::vec2(7.0, 3.0);
        for (scope, label) in [(Scope::All, "All"), (Scope::ForMe, "For you"), (Scope::Everyone, "To everyone")] {
            if widgets::tab(ui, label, state.wire.scope == scope).clicked() {
                act(WireAction::Show(scope));
            }
        }
    });
    ui.horizontal(|ui| {
        ui.style_mut().spacing.button_padding = egui::vec2(7.0, 3.0);
        let is_paused = state.wire.is_paused();
        if ui.button(if is_paused { "Go on" } else { "Pause" }).clicked() {
            act(WireAction::Pause(!is_paused));
        }
        if let Some(names) = widgets::filter_field(ui, &state.wire.names, "From or to…", "Only from or to") {
            act(WireAction::EditNames(names));
        }
    });
}

/// That the list is held, and how much has come since.
fn paused(ui: &mut Ui, state: &State) {
    if state.wire.is_paused() {
        let text = match state.wire.waiting_count() {
            0 => "Paused. Nothing has come meanwhile.".to_owned(),
            1 => "Paused. 1 more has come meanwhile.".to_owned(),
            count => format!("Paused. {count} more have come meanwhile."),
        };
        ui.label(RichText::new(text).size(font_size::SMALL).color(Theme::of(ui).accent));
    }
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
