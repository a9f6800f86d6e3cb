//! The open conversation: its header, its messages and the composer.

use chrono::{Local, NaiveDate};
use egui::{Align, CornerRadius, Label, Layout, Margin, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use crate::state::{
    State,
    action::{Action, Moment, Peer},
    conversation::{Author, Conversation, Delivery, Message},
};

use super::{composer::Composer, link_question, message_text::MessageText, reading_place::ReadingPlace, trust};
use crate::ui::kit::{
    format,
    icons::{self, Icon},
    reading_column,
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Messages drawn at once; earlier ones on demand, because each of them costs time in every frame of a video.
const PAGE_MESSAGES: usize = 60;

/// Width of the time beside a bubble, and of the mark of an own message.
const BUBBLE_SIDE: f32 = 62.0;

/// What taking a message back means.
const WITHDRAW_TIP: &str =
    "Take it back into the composer, to change it or to delete it. It is lost if this window is closed";

/// Draws the header, the messages and the composer.
pub(crate) fn show(ui: &mut Ui, state: &State, wants_focus: bool, now: Moment, actions: &mut Vec<Action>) {
    let empty = Conversation::default();
    let conversation = state.conversations.get(state.selected).unwrap_or(&empty);
    let today = format::day_start(now.unix_millis);
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
        let mut place = ReadingPlace::load(ui, state.selected, conversation);
        let scroll = egui::ScrollArea::vertical().id_salt(state.selected).auto_shrink(false).stick_to_bottom(true);
        let output = scroll.show(ui, |ui| {
            ui.set_width(ui.available_width());
            reading_column::show(ui, |ui| messages(ui, state, conversation, &mut place, actions));
        });
        place.store(ui, state.selected, conversation, &output);
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
                    ui.add(Label::new(RichText::new(name).font(semibold(font_size::BODY))).truncate());
                    ui.add(Label::new(RichText::new(caption).size(font_size::SMALL).color(theme.weak)).truncate());
                });
            });
        });
    });
}

fn messages(
    ui: &mut Ui,
    state: &State,
    conversation: &Conversation,
    place: &mut ReadingPlace,
    actions: &mut Vec<Action>,
) {
    let theme = Theme::of(ui);
    let first = place.first(conversation, PAGE_MESSAGES);
    let mut wants_page = false;
    if first > 0 {
        ui.vertical_centered(|ui| wants_page = ui.button("Show earlier messages").clicked());
    }
    let today = Local::now().date_naive();
    let mut last_day = None;
    let mut last_author: Option<&Author> = None;
    for (index, message) in conversation.messages.iter().enumerate().skip(first) {
        place.before_message(ui, index, conversation, PAGE_MESSAGES);
        let day = format::day(message.unix_millis);
        if day.is_some() && day != last_day {
            day_line(ui, theme, day, today);
            last_author = None;
        }
        last_day = day.or(last_day);
        if message.missing_count > 0
            && let Author::Other { name, .. } = &message.author
        {
            gap(ui, theme, name.as_str(), message.missing_count);
            last_author = None;
        }
        ui.add_space(if last_author == Some(&message.author) { 1.0 } else { space::S });
        let is_doubtful = matches!(&message.author, Author::Other { key, .. } if state.trust.is_doubtful(key));
        let handing_over = match message.delivery {
            Delivery::Pending(draft) => state.handing_over(draft),
            _ => None,
        };
        let waits_for = match message.delivery {
            Delivery::Waiting(_) => state.waits_for(state.selected).map(|waits_for| waits_for.to_string()),
            _ => None,
        };
        let written_as = message.written_as.as_ref().filter(|name| Some(*name) != state.people.my_name());
        let recipient = match state.selected {
            Peer::Everyone => None,
            Peer::Person(key) => Some(state.people.name_of(&key).map_or("the recipient", |name| name.as_str())),
        };
        let looks = Looks {
            is_first_of_author: last_author != Some(&message.author),
            is_doubtful,
            recipient,
            handing_over,
            waits_for: waits_for.as_deref(),
            written_as: written_as.map(|name| name.as_str()),
        };
        bubble(ui, theme, message, looks, actions);
        last_author = Some(&message.author);
    }
    ui.add_space(space::S);
    place.after_messages(ui);
    if wants_page {
        place.add_page();
        ui.ctx().request_repaint();
    }
}

fn day_line(ui: &mut Ui, theme: &Theme, day: Option<NaiveDate>, today: NaiveDate) {
    let Some(day) = day else { return };
    ui.add_space(space::S);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(format::day_name(day, today)).size(font_size::SMALL).color(theme.weak));
    });
}

/// More missing messages than this are not counted out: the number is what their author's program says.
const MAX_COUNTED_MISSING: u32 = 999;

/// Says that messages are missing here.
fn gap(ui: &mut Ui, theme: &Theme, name: &str, count: u32) {
    let text = match count {
        1 => format!("1 message from {name} is missing"),
        2..=MAX_COUNTED_MISSING => format!("{count} messages from {name} are missing"),
        _ => format!("Many messages from {name} are missing"),
    };
    let meaning = format!(
        "{name}'s program numbers the messages, inside the encryption. What is missing here may come later. It may also have been lost or \
         held back by the server, or it could not be opened, or you read it on another computer with your key."
    );
    ui.add_space(space::S);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak)).on_hover_text(meaning);
    });
}

/// What a bubble shows besides its message.
struct Looks<'a> {
    /// The name is shown above the first of several messages of one author.
    is_first_of_author: bool,
    /// Its key is another than before.
    is_doubtful: bool,
    /// Whose client an own message is for; `None` if it is for everyone.
    recipient: Option<&'a str>,
    /// How many of how many have been handed the sender key, while it waits for that.
    handing_over: Option<(usize, usize)>,
    /// What it waits for, while it cannot be sent.
    waits_for: Option<&'a str>,
    /// The name under which an own message was written, if that is another one than now.
    written_as: Option<&'a str>,
}

fn bubble(ui: &mut Ui, theme: &Theme, message: &Message, looks: Looks<'_>, actions: &mut Vec<Action>) {
    let Looks { is_first_of_author, is_doubtful, recipient, .. } = looks;
    let is_mine = message.author == Author::Me;
    let margin = Margin::symmetric(11, 7);
    let room = ui.available_width() - 2.0 * space::S;
    let text_room = (room - BUBBLE_SIDE - margin.sum().x).max(60.0);
    let text = MessageText::layout(ui, &message.text, text_room);
    let draft = message.dispatch.as_ref().map(|dispatch| dispatch.draft);
    let id = egui::Id::unique(("message", message.author.key(), message.message_id, draft));
    let bubble_width = text.size().x + margin.sum().x;
    if is_first_of_author && let Author::Other { name, .. } = &message.author {
        ui.horizontal(|ui| {
            ui.add_space(space::S + 2.0);
            ui.label(RichText::new(name.as_str()).size(font_size::SMALL).color(theme.weak));
            if is_doubtful {
                ui.label(RichText::new("with another key than before").size(font_size::SMALL).color(theme.warn));
            }
        });
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        let time = |ui: &mut Ui| {
            let text = RichText::new(format::clock(message.unix_millis)).size(font_size::SMALL - 1.5).color(theme.weak);
            ui.add(Label::new(text).selectable(false));
        };
        if is_mine {
            ui.add_space((room - bubble_width - BUBBLE_SIDE).max(0.0) + space::S);
            ui.allocate_ui_with_layout(Vec2::new(BUBBLE_SIDE, 20.0), Layout::right_to_left(Align::Center), |ui| {
                ui.add_space(space::XS + 2.0);
                mark(ui, theme, &message.delivery, recipient);
                time(ui);
            });
        } else {
            ui.add_space(space::S);
        }
        let mut corners = CornerRadius::same(size::BUBBLE_RADIUS);
        if is_mine {
            corners.se = 4
        } else {
            corners.sw = 4
        }
        let frame = egui::Frame::new()
            .fill(if is_mine { theme.own_bubble } else { theme.surface })
            .stroke(match (is_mine, is_doubtful) {
                (true, _) => Stroke::NONE,
                (false, true) => Stroke::new(1.0, theme.warn),
                (false, false) => Stroke::new(1.0, theme.border),
            })
            .corner_radius(corners)
            .inner_margin(margin);
        frame.show(ui, |ui| {
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.set_max_width(text_room);
                text.show(ui, id, actions);
            });
        });
        if !is_mine {
            ui.add_space(space::XS + 2.0);
            time(ui);
        }
    });
    if is_mine {
        if let Some(name) = looks.written_as {
            ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                ui.add_space(space::S);
                ui.label(RichText::new(format!("Written as {name}")).size(font_size::SMALL).color(theme.weak));
            });
        }
        delivery(ui, theme, &message.delivery, looks, actions);
    }
}

/// Draws one tick for a message that the server has relayed, and two for one that its recipient has confirmed.
fn mark(ui: &mut Ui, theme: &Theme, delivery: &Delivery, recipient: Option<&str>) {
    let (icon, color, word, text) = match (delivery, recipient) {
        (Delivery::Relayed, None) => {
            (Icon::Relayed, theme.weak, "Sent", "Sent: it came back from the server.".to_owned())
        }
        (Delivery::Relayed, Some(name)) => {
            let text = format!("Sent: it came back from the server. {name}'s client has not confirmed it yet.");
            (Icon::Relayed, theme.weak, "Sent", text)
        }
        (Delivery::Delivered, name) => {
            let text = format!("Delivered: {}'s client has opened it.", name.unwrap_or("the recipient"));
            (Icon::Delivered, theme.good, "Delivered", text)
        }
        _ => return,
    };
    let (rect, response) = ui.allocate_exact_size(Vec2::new(16.0, 14.0), Sense::hover());
    icons::paint(ui.painter(), icon, rect.center(), 14.0, color);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, word));
    response.on_hover_text(text);
    ui.add_space(space::XS);
}

/// Draws the delivery state of an own message, unless it has arrived.
fn delivery(ui: &mut Ui, theme: &Theme, delivery: &Delivery, looks: Looks<'_>, actions: &mut Vec<Action>) {
    let handed = looks.handing_over;
    let handed =
        handed.map(|(handed, members)| format!("Sending: {handed} of {members} people have the key to read it"));
    let (text, color) = match delivery {
        Delivery::Waiting(_) => (looks.waits_for.unwrap_or("Will be sent."), theme.weak),
        Delivery::Pending(_) | Delivery::Sent(..) => (handed.as_deref().unwrap_or("Sending…"), theme.weak),
        Delivery::Failed(_, reason) => (reason.as_str(), theme.bad),
        Delivery::Relayed | Delivery::Delivered | Delivery::Received => return,
    };
    ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
        ui.add_space(space::S);
        if let Delivery::Failed(draft, _) = delivery
            && ui.button(RichText::new("Retry").size(font_size::SMALL)).clicked()
        {
            actions.push(Action::Retry(*draft));
        }
        if let Delivery::Waiting(draft) = delivery
            && ui.button(RichText::new("Withdraw").size(font_size::SMALL)).on_hover_text(WITHDRAW_TIP).clicked()
        {
            actions.push(Action::Withdraw(*draft));
        }
        ui.add(Label::new(RichText::new(text).size(font_size::SMALL).color(color)).wrap());
    });
}
