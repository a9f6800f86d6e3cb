//! The card for the key of a name, in the place of the form: export, import, and a new identity.

use egui::{Margin, RichText, TextEdit, Ui};

use crate::{
    event::Passphrase,
    state::{
        action::Action,
        identity::{IdentityAction, IdentityCard, IdentityTask},
    },
};

use crate::ui::kit::{
    theme::{Theme, font_size, semibold, space},
    widgets,
};

/// Draws the card for the key of `name`.
pub(super) fn show(ui: &mut Ui, card: &IdentityCard, name: &str, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let mut act = |action: IdentityAction| actions.push(Action::Identity(action));
    ui.label(RichText::new(format!("The key of {name}")).font(semibold(font_size::HEADING)));
    ui.add_space(space::XS);
    ui.horizontal(|ui| {
        for (task, label) in
            [(IdentityTask::Export, "Export"), (IdentityTask::Import, "Import"), (IdentityTask::Renew, "New identity")]
        {
            if widgets::tab(ui, label, card.task == task).clicked() {
                act(IdentityAction::Choose(task));
            }
        }
    });
    ui.add_space(space::S);
    ui.label(RichText::new(explanation(card.task, name)).color(theme.weak));
    ui.add_space(space::S);
    if card.task != IdentityTask::Renew {
        if let Some(file) = field(ui, "File", &card.file, "Its path, for example on a USB stick", false) {
            act(IdentityAction::EditFile(file));
        }
        if let Some(text) = field(ui, "Passphrase", card.passphrase.text(), "", true) {
            act(IdentityAction::EditPassphrase(Passphrase::new(text)));
        }
    }
    if card.task == IdentityTask::Export
        && let Some(text) = field(ui, "Passphrase again", card.repeated.text(), "", true)
    {
        act(IdentityAction::EditRepeated(Passphrase::new(text)));
    }
    ui.add_space(space::S);
    let hint = card.hint();
    let label = match card.task {
        IdentityTask::Export => "Export the key",
        IdentityTask::Import => "Import the key",
        IdentityTask::Renew => "Begin anew…",
    };
    ui.horizontal_wrapped(|ui| {
        if card.is_confirming {
            let confirm = format!("Set the key of {name} aside");
            if widgets::primary_button(ui, &confirm).clicked() {
                act(IdentityAction::Confirm);
            }
            if ui.button("Keep it").clicked() {
                act(IdentityAction::Run);
            }
        } else {
            let can_run = hint.is_none() && !card.is_busy;
            if ui.add_enabled_ui(can_run, |ui| widgets::primary_button(ui, label)).inner.clicked() {
                act(IdentityAction::Run);
            }
            if ui.button("Back").clicked() {
                act(IdentityAction::Close);
            }
        }
    });
    ui.add_space(space::XS);
    match (&card.outcome, hint) {
        _ if card.is_busy => {
            ui.label(RichText::new("One moment…").color(theme.weak).size(font_size::SMALL));
        }
        (Some(Ok(done)), _) => {
            ui.label(RichText::new(done).color(theme.good).size(font_size::SMALL));
        }
        (Some(Err(failure)), _) => {
            ui.label(RichText::new(&failure.what).color(theme.bad).size(font_size::SMALL));
            ui.label(RichText::new(&failure.remedy).color(theme.weak).size(font_size::SMALL));
        }
        (None, Some(hint)) => {
            ui.label(RichText::new(hint).color(theme.weak).size(font_size::SMALL));
        }
        (None, None) => {}
    }
}

fn explanation(task: IdentityTask, name: &str) -> String {
    match task {
        IdentityTask::Export => format!(
            "Others know {name} by a key on this computer. To be the same {name} on another one, or to have a copy, write the key to \
             a file, encrypted with a passphrase."
        ),
        IdentityTask::Import => {
            format!(
                "Take the key in a file that was exported on another computer, and be known as the same {name} here."
            )
        }
        IdentityTask::Renew => format!(
            "Begin anew if someone else may have your key. Others are told that {name} has another key and have to accept it, and a \
             server keeps the name {name} for the old key for up to thirty days: choose another name, or ask the person who runs it. \
             The old key is set aside, not deleted."
        ),
    }
}

/// A field with its label; what it holds now if that has changed.
fn field(ui: &mut Ui, label: &str, value: &str, hint: &'static str, is_secret: bool) -> Option<String> {
    let header = ui.label(RichText::new(label).color(Theme::of(ui).weak).size(font_size::SMALL));
    let mut text = value.to_owned();
    let field = TextEdit::singleline(&mut text)
        .id_salt(label)
        .password(is_secret)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(10, 8));
    let response = widgets::edged(ui, |ui| ui.add(field)).labelled_by(header.id);
    response.changed().then_some(text)
}
