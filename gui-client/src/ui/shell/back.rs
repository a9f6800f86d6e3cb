//! The row above the only pane of a narrow window, with the way back to what has no room beside it.

use egui::{Label, RichText, Ui};

use crate::state::{
    State,
    action::Action,
    layout::{Back, LayoutAction},
};

use crate::ui::kit::theme::{Theme, font_size};

/// Draws the row.
pub(crate) fn show(ui: &mut Ui, state: &State, back: Back, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let (text, action) = match back {
        Back::ToPeople => ("‹ People", LayoutAction::ShowPeople(true)),
        Back::ToLibrary => ("‹ Videos", LayoutAction::ShowLibrary(true)),
        Back::ToPlayer => ("‹ Player", LayoutAction::ShowLibrary(false)),
    };
    ui.horizontal_centered(|ui| {
        if ui.button(RichText::new(text).size(font_size::SMALL)).clicked() {
            actions.push(Action::Layout(action));
        }
        let caption = match (back, &state.player.showing) {
            (Back::ToPlayer, Some(showing)) => Some(format!("{} is in the player", showing.video.title)),
            (Back::ToPeople, _) => match state.unread_count() {
                0 => None,
                1 => Some("1 unread message".to_owned()),
                count => Some(format!("{count} unread messages")),
            },
            _ => None,
        };
        if let Some(caption) = caption {
            ui.add(Label::new(RichText::new(caption).size(font_size::SMALL).color(theme.weak)).truncate());
        }
    });
}
