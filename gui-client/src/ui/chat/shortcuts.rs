//! Keys that lead from one conversation to another, and through the messages of the open one, wherever the focus is.

use egui::Ui;

use crate::state::{
    State,
    action::{Action, Neighbour},
};

use super::{composer, messages};
use crate::ui::bindings::{self, Command};

/// Takes these keys.
pub(crate) fn take(ui: &Ui, state: &State, actions: &mut Vec<Action>) {
    if ui.memory(|memory| memory.top_modal_layer().is_some()) {
        return;
    }
    for (command, neighbour) in [
        (Command::NextUnread, Neighbour::NextUnread),
        (Command::PreviousConversation, Neighbour::Previous),
        (Command::NextConversation, Neighbour::Next),
    ] {
        let count = bindings::take(ui, command);
        actions.extend(std::iter::repeat_n(Action::GoTo(neighbour), count));
    }
    let conversation = state.conversations.get(state.selected);
    let Some(conversation) = conversation.filter(|conversation| !conversation.messages.is_empty()) else { return };
    let is_writing = ui.memory(|memory| memory.has_focus(composer::field_id(state.selected)));
    let is_reading = messages::has_focus(ui, state.selected);
    let is_anywhere = ui.memory(|memory| memory.focused().is_none());
    if !state.shows_conversation() || !is_writing && !is_reading && !is_anywhere {
        return;
    }
    // In a text, these keys move its caret.
    if (is_reading || conversation.draft.is_empty())
        && (bindings::take(ui, Command::ToEnd) > 0 || is_writing && bindings::take(ui, Command::LastMessage) > 0)
    {
        messages::go_to_end(ui, state);
    }
    for (command, screens) in [(Command::ScreenUp, -1), (Command::ScreenDown, 1)] {
        if bindings::take(ui, command) > 0 {
            messages::go_by_screen(ui, state, screens);
        }
    }
}
