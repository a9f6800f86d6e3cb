//! Popovers: what a button unfolds over the rest of the window. Escape and a click outside close them; after Escape, the
//! keyboard focus is back on the button.

use egui::{Key, Popup, PopupCloseBehavior, PopupKind, Response, Ui};

/// Shows `contents` below a button while it is unfolded; a click on the button unfolds and folds it. Inside, the arrow keys
/// move the focus. `name` is what a screen reader says.
pub(crate) fn show(button: &Response, name: &str, width: f32, contents: impl FnOnce(&mut Ui)) {
    let id = Popup::default_response_id(button);
    let was_open = Popup::is_id_open(&button.ctx, id);
    Popup::from_toggle_button_response(button)
        .kind(PopupKind::Menu)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .accessible_name(name)
        .width(width)
        .gap(4.0)
        .show(|ui| {
            ui.set_width(width);
            contents(ui);
        });
    if was_open && button.ctx.input(|input| input.key_pressed(Key::Escape)) {
        button.request_focus();
    }
}
