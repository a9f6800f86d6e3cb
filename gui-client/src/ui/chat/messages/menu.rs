//! What can be done with a message: the menu of its bubble, by the right mouse button, the menu key, or Shift+F10.

use common::crypto::MessageId;
use egui::{Key, Modifiers, Popup, Response, SetOpenCommand, Ui};

use crate::state::{
    State,
    action::Action,
    conversation::{Delivery, Message},
};

use super::grouping;

/// Draws the menu of a message while it is open. `opens` says that a key asks for it now.
pub(super) fn show(
    ui: &Ui,
    state: &State,
    message: &Message,
    bubble: &Response,
    opens: bool,
    actions: &mut Vec<Action>,
) {
    let mut popup = Popup::context_menu(bubble).accessible_name("Message");
    if opens {
        popup = popup.open_memory(SetOpenCommand::Bool(true)).at_position(bubble.rect.center());
    } else if popup.is_open() && Popup::position_of_id(ui.ctx(), popup.get_id()).is_none() {
        // It was opened by a key.
        popup = popup.at_position(bubble.rect.center());
    }
    let was_open = popup.is_open();
    let shown = popup.show(|ui| {
        let mut first = None;
        let mut entry = |ui: &mut Ui, label: &str| {
            let response = ui.button(label);
            first.get_or_insert(response.id);
            response.clicked()
        };
        if entry(ui, "Copy text") {
            ui.copy_text(message.text.clone());
        }
        if entry(ui, "Copy with name and time") {
            let me = state.people.my_name().map_or("Me", |name| name.as_str());
            ui.copy_text(grouping::with_author(message, me));
        }
        if let Delivery::Failed(draft, _) = &message.delivery
            && entry(ui, "Retry")
        {
            actions.push(Action::Retry(*draft));
        }
        if let Delivery::Waiting(draft) = &message.delivery
            && entry(ui, "Withdraw")
        {
            actions.push(Action::Withdraw(*draft));
        }
        if let Some(id) = envelope_id(message).filter(|id| state.has_envelope(*id))
            && entry(ui, "Details on the wire")
        {
            actions.push(Action::ShowEnvelope(id));
        }
        first
    });
    if opens && let Some(first) = shown.as_ref().and_then(|shown| shown.inner) {
        ui.memory_mut(|memory| memory.request_focus(first));
    }
    let escaped = ui.input(|input| input.key_pressed(Key::Escape));
    if was_open && escaped {
        bubble.request_focus();
    }
}

/// Whether a key asks for the menu of the focused message.
pub(super) fn is_asked_for(ui: &Ui) -> bool {
    ui.input_mut(|input| {
        input.consume_key(Modifiers::NONE, Key::Menu)
            || input.consume_key(Modifiers::SHIFT, Key::F10)
            || input.consume_key(Modifiers::NONE, Key::Enter)
    })
}

/// The id of the envelope that carried a message.
fn envelope_id(message: &Message) -> Option<MessageId> {
    let sealed = message.dispatch.as_ref().and_then(|dispatch| dispatch.sealed.as_ref());
    message.message_id.or_else(|| Some(sealed?.message_id))
}
