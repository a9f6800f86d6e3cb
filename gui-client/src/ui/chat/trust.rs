//! What the conversation says about the keys of people: the notice about a changed key, and the safety number.

use egui::{Align, Layout, Margin, RichText, Stroke, Ui};

use crate::state::{
    State,
    action::{Action, Peer},
    trust::{Privacy, SafetyView},
};

use crate::ui::kit::{
    dialog,
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// The line under a person's name, in the header of the conversation.
pub(super) fn caption(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Verified => "Verified: only the two of you",
        Privacy::Pinned => "Only the two of you can read this",
        Privacy::New => "Key first seen today",
        Privacy::Changed { .. } => "Another key than before",
    }
}

/// What an empty conversation says about who can read it.
pub(super) fn explanation(name: &str, privacy: Privacy) -> String {
    match privacy {
        Privacy::Verified | Privacy::Pinned => {
            format!("Only {name} can read what you write here. Others receive it too, but cannot open it.")
        }
        Privacy::New => format!(
            "What you write here is encrypted with a key that you met today for the first time. To be sure that it is {name}'s, \
             compare the safety number."
        ),
        Privacy::Changed { .. } => format!("Nothing can be written here until you accept the new key of {name}."),
    }
}

/// Label and explanation of the button that shows the safety number.
pub(super) fn button(is_verified: bool) -> (&'static str, &'static str) {
    if is_verified {
        ("Verified", "You have compared the safety number. See it again, or take the mark back")
    } else {
        ("Verify", "Compare a number with this person to be sure whose key it is")
    }
}

/// Draws the notice about a key that has changed, above the messages; nothing if there is none to tell.
pub(super) fn notice(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Peer::Person(key) = state.selected else { return };
    let name = state.people.name_of(&key).map_or("This person", |name| name.as_str());
    if let Privacy::Changed { was_verified } = state.trust.privacy(&key, 0) {
        let verified = if was_verified { ", and you had verified the one before" } else { "" };
        let what = format!("{name} has another key than before{verified}.");
        let meaning = format!(
            "{name} may have installed Triptych anew or changed computers, or someone else may be using this name. Until you \
             accept the key, nothing is sent to it and its messages are marked. Ask {name} in person or by telephone, and \
             compare the safety number."
        );
        card(ui, &what, &meaning, |ui| {
            if widgets::primary_button(ui, "Compare the safety number").clicked() {
                actions.push(Action::OpenSafetyNumber(key));
            }
            if ui.button("Accept without comparing").clicked() {
                actions.push(Action::AcceptKey(key));
            }
        });
    } else if let Some(present) = state.present_key(&key) {
        let what = format!("{name} is online with another key.");
        card(ui, &what, "This conversation belongs to the key before. To write, show the new one.", |ui| {
            if ui.button("Show the new one").clicked() {
                actions.push(Action::Select(Peer::Person(present)));
            }
        });
    }
}

fn card(ui: &mut Ui, what: &str, meaning: &str, buttons: impl FnOnce(&mut Ui)) {
    let theme = Theme::of(ui);
    let panel = egui::Frame::new().inner_margin(Margin { left: 12, right: 12, top: 8, bottom: 8 });
    egui::Panel::top("key notice").frame(panel).show_separator_line(false).show(ui, |ui| {
        egui::Frame::new()
            .fill(theme.warn_soft)
            .stroke(Stroke::new(1.0, theme.warn.gamma_multiply(0.5)))
            .corner_radius(size::RADIUS)
            .inner_margin(Margin::symmetric(12, 8))
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.label(RichText::new(what).color(theme.warn).strong());
                ui.label(RichText::new(meaning).color(theme.text).size(font_size::SMALL + 0.5));
                ui.add_space(space::XS);
                ui.horizontal_wrapped(buttons);
            });
    });
}

/// Draws the safety number over the window, if one is open.
pub(crate) fn safety_number(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(SafetyView { key, number }) = &state.trust.open else { return };
    let theme = Theme::of(ui);
    let name = state.people.name_of(key).map_or("this person", |name| name.as_str());
    let response = dialog::show(ui, "safety number", 420.0, |ui| {
        ui.label(RichText::new(format!("Safety number with {name}")).font(semibold(font_size::HEADING)));
        ui.add_space(space::XS);
        let text = format!(
            "It is made of your key and the key of {name}. If {name} sees the same number, no one is between you. Read it to each \
             other by telephone, or side by side."
        );
        ui.label(RichText::new(text).color(theme.weak));
        ui.add_space(space::S);
        digits(ui, number);
        ui.add_space(space::S);
        let is_changed = state.trust.is_changed(key);
        let is_verified = state.trust.is_verified(key);
        if is_verified {
            ui.label(RichText::new(format!("You have verified the key of {name}.")).color(theme.good));
            ui.add_space(space::XS);
        }
        ui.with_layout(Layout::left_to_right(Align::Min).with_main_wrap(true), |ui| {
            if is_verified {
                if ui.button("Take the mark back").clicked() {
                    actions.push(Action::SetVerified(*key, false));
                }
            } else {
                let label =
                    if is_changed { "It is the same: accept the key" } else { "It is the same: mark as verified" };
                if widgets::primary_button(ui, label).clicked() {
                    if is_changed {
                        actions.push(Action::AcceptKey(*key));
                    }
                    actions.push(Action::SetVerified(*key, true));
                    actions.push(Action::CloseSafetyNumber);
                }
            }
            if ui.button("Copy").clicked() {
                ui.ctx().copy_text(number.clone());
            }
            if ui.button("Close").clicked() {
                actions.push(Action::CloseSafetyNumber);
            }
        });
    });
    if response.should_close() {
        actions.push(Action::CloseSafetyNumber);
    }
}

/// Four groups in each line: short enough to be read aloud in one breath.
fn digits(ui: &mut Ui, number: &str) {
    let theme = Theme::of(ui);
    let groups: Vec<&str> = number.split(' ').collect();
    let lines: Vec<String> = groups.chunks(4).map(|line| line.join("  ")).collect();
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(lines.join("\n")).monospace().size(font_size::HEADING).color(theme.text));
    });
}
