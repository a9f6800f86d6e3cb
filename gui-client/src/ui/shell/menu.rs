//! The menu of this client's person.

use egui::{RichText, Ui};

use crate::state::{State, action::Action};

use crate::ui::{
    bindings,
    kit::{
        theme::{Theme, font_size, space},
        widgets,
    },
};

/// Width of the menu, in points.
pub(super) const WIDTH: f32 = 270.0;

/// Draws the menu.
pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let name = state.people.my_name().map_or(state.connection.name.as_str(), |name| name.as_str());
    ui.label(RichText::new(name).size(font_size::HEADING));
    if let Some(key) = state.people.me() {
        ui.label(RichText::new("Your key").size(font_size::SMALL).color(theme.weak));
        ui.horizontal(|ui| {
            let text = widgets::key_text(&key);
            ui.label(RichText::new(&text).monospace());
            if ui.button(RichText::new("Copy").size(font_size::SMALL)).on_hover_text("Copy your key").clicked() {
                ui.ctx().copy_text(text);
            }
        });
    }
    ui.add_space(space::XS);
    ui.separator();
    if ui.button("All keys").on_hover_text(bindings::tip("Show all keys", bindings::Command::KeysPage)).clicked() {
        ui.close();
        actions.push(Action::ToggleKeysPage);
    }
    if ui.button("Disconnect").on_hover_text("Leave the server and return to the first screen").clicked() {
        ui.close();
        actions.push(Action::Leave);
    }
}
