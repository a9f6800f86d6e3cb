//! The open conversation: its header, its messages and the composer.

use egui::{Align, Label, Layout, Margin, RichText, Ui, Vec2};

use crate::state::{
    State,
    action::{Action, Moment, Peer},
    conversation::Conversation,
};

use super::{composer::Composer, link_question, messages, trust};
use crate::ui::kit::{
    format, reading_column,
    theme::{Theme, font_size, semibold, size},
    title, widgets,
};

/// Draws the header, the messages and the composer.
pub(crate) fn show(ui: &mut Ui, state: &State, wants_focus: bool, now: Moment, actions: &mut Vec<Action>) {
    let empty = Conversation::default();
    let conversation = state.conversations.get(state.selected).unwrap_or(&empty);
    let today = format::day_start(now.unix_millis);
    messages::enter(ui, state.selected, conversation);
    header(ui, state, today, actions);
    trust::notice(ui, state, actions);
    link_question::show(ui, state, actions);
    let margin = Margin { left: 12, right: 12, top: 8, bottom: 12 };
    let composer =
        Composer::measure(ui, state, conversation, reading_column::width(ui.available_width() - margin.sum().x));
    egui::Panel::bottom("composer")
        .exact_size(composer.height + margin.sum().y)
        .frame(egui::Frame::new().inner_margin(margin))
        .show_separator_line(false)
        .show(ui, |ui| reading_column::show(ui, |ui| composer.show(ui, wants_focus, actions)));
    egui::CentralPanel::default().frame(egui::Frame::new().inner_margin(Margin::symmetric(4, 0))).show(ui, |ui| {
        if conversation.messages.is_empty() {
            let (header, text) = match state.selected {
                Peer::Everyone => (
                    "Message everyone online",
                    "It is encrypted once, under a key that each person online is handed in a letter of their own. People who join \
                     later cannot read it."
                        .to_owned(),
                ),
                Peer::Person(key) => {
                    let name = state.people.name_of(&key).map_or("this person", |name| name.as_str());
                    ("No messages yet", trust::explanation(name, state.trust.privacy(&key, today)))
                }
            };
            widgets::empty_state(ui, header, &text);
            return;
        }
        messages::show(ui, state, conversation, now.unix_millis, actions);
    });
}

fn header(ui: &mut Ui, state: &State, today_unix_secs: u64, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let frame = egui::Frame::new().inner_margin(Margin::symmetric(12, 8));
    egui::Panel::top("conversation header").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(size::AVATAR), egui::Sense::hover());
            let (name, caption, key, is_online) = match state.selected {
                Peer::Everyone => ("Everyone", "Encrypted for the people online", None, true),
                Peer::Person(key) => {
                    let is_online = state.people.online_key(&key).is_some();
                    let name = state.people.name_of(&key).map_or("?", |name| name.as_str());
                    let caption =
                        if is_online { trust::caption(state.trust.privacy(&key, today_unix_secs)) } else { "Offline" };
                    (name, caption, Some(key), is_online)
                }
            };
            widgets::avatar(ui, rect.center(), rect.width(), name, key.as_ref(), is_online);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(key) = key.filter(|_| is_online) {
                    let (label, tip) = trust::button(state.trust.is_verified(&key));
                    if ui.button(RichText::new(label).size(font_size::SMALL)).on_hover_text(tip).clicked() {
                        actions.push(Action::OpenSafetyNumber(key));
                    }
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    title::name(ui, name, name, semibold(font_size::BODY), theme.text);
                    ui.add(Label::new(RichText::new(caption).size(font_size::SMALL).color(theme.weak)).truncate());
                });
            });
        });
    });
}
