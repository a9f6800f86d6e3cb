//! What the window tells over its contents until it was read.

use egui::Ui;

use crate::state::{State, action::Action};

use crate::ui::kit::strip::Strip;

/// Draws what there is to tell.
pub(crate) fn show(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    if let Some(notice) = &state.settings_notice {
        let strip = Strip {
            id: "settings",
            text: "Your settings could not be read. The defaults are used.",
            buttons: &[("OK", "Hide this notice")],
            details: &[notice],
        };
        if strip.show(ui).is_some() {
            actions.push(Action::EndSettingsNotice);
        }
    }
}
