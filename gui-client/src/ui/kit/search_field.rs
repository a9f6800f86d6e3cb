//! The field above a list that searches it.

use egui::{Align2, Id, Key, Margin, TextEdit, Ui};

use super::widgets::edged;

/// What happened in the field.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// The text, if it has changed.
    pub text: Option<String>,
    /// Enter was pressed.
    pub is_entered: bool,
    /// Escape was pressed.
    pub is_left: bool,
}

/// Draws the field. `name` is what a screen reader says.
pub(crate) fn show(ui: &mut Ui, id: Id, text: &str, hint: &'static str, name: &str) -> Searched {
    let mut text = text.to_owned();
    let field = TextEdit::singleline(&mut text)
        .id(id)
        .hint_text(hint)
        .char_limit(64)
        .align(Align2::LEFT_CENTER)
        .desired_width(ui.available_width())
        .margin(Margin::symmetric(8, 5));
    let response = edged(ui, |ui| ui.add(field)).accessible_name(name);
    let pressed = |key| response.lost_focus() && ui.input(|input| input.key_pressed(key));
    let (is_entered, is_left) = (pressed(Key::Enter), pressed(Key::Escape));
    Searched { text: response.changed().then_some(text), is_entered, is_left }
}
