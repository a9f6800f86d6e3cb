//! The fields of the first screen, and the links below its buttons.

use egui::{Margin, Response, RichText, TextEdit, Ui};

use crate::{
    state::{action::Action, connection::Connection, identity::IdentityAction},
    ui::kit::{
        theme::{Theme, font_size},
        widgets,
    },
};

/// The field for the name, with what is wrong with it.
pub(super) fn name_field(ui: &mut Ui, connection: &Connection, actions: &mut Vec<Action>) -> Response {
    let name = field(ui, "Your name", &connection.name, "The name that others will see", Action::EditName, actions);
    hint(ui, connection.name_hint(), connection.name.trim().is_empty());
    name
}

/// What can be done besides, below the buttons.
pub(super) fn links(
    ui: &mut Ui,
    connection: &Connection,
    actions: &mut Vec<Action>,
    others: impl FnOnce(&mut Ui, &mut Vec<Action>),
) {
    others(ui, actions);
    if connection.name_hint().is_some() {
        return;
    }
    let text = RichText::new("Export, import or renew the key of this name").size(font_size::SMALL);
    let tip = "The key of a name is made the first time, and stays on this computer.";
    if ui.link(text).on_hover_text(tip).clicked() {
        actions.push(Action::Identity(IdentityAction::Open));
    }
}

/// Why a field cannot stay as it is. An empty one says itself what belongs into it.
pub(super) fn hint(ui: &mut Ui, hint: Option<String>, is_empty: bool) {
    if let Some(hint) = hint.filter(|_| !is_empty) {
        ui.label(RichText::new(hint).color(Theme::of(ui).warn).size(font_size::SMALL));
    }
}

/// A field with its label above it.
pub(super) fn field(
    ui: &mut Ui,
    label: &str,
    value: &str,
    hint: &'static str,
    edit: impl Fn(String) -> Action,
    actions: &mut Vec<Action>,
) -> Response {
    let header = ui.label(RichText::new(label).color(Theme::of(ui).weak).size(font_size::SMALL));
    let mut text = value.to_owned();
    let field = TextEdit::singleline(&mut text)
        .id_salt(label)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(10, 8));
    let response = widgets::edged(ui, |ui| ui.add(field));
    if response.changed() {
        actions.push(edit(text));
    }
    response.labelled_by(header.id)
}
