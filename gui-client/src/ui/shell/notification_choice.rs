//! The choice of what the desktop shows of messages that arrive while the window is not in front.

use egui::{RichText, Ui};

use crate::{
    settings::Notifications,
    state::{State, action::Action},
    ui::kit::theme::{Theme, font_size},
};

/// Draws the choice.
pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.label(RichText::new("Notifications").size(font_size::SMALL).color(Theme::of(ui).weak));
    for (choice, label, meaning) in [
        (Notifications::WithoutText, "Who wrote", "The desktop shows who wrote, but not what"),
        (
            Notifications::WithText,
            "Who wrote, and what",
            "The desktop shows the text, too. It may keep it, and show it while the screen is locked",
        ),
        (Notifications::Off, "None", "The desktop shows nothing"),
    ] {
        let is_chosen = state.settings.notifications == choice;
        if ui.radio(is_chosen, label).on_hover_text(meaning).clicked() && !is_chosen {
            actions.push(Action::SetNotifications(choice));
        }
    }
}
