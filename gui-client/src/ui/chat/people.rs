//! The list of people: Everyone, those with unread messages, those online, and those who left after a conversation.

use egui::{Align2, Color32, CornerRadius, FontId, Pos2, Rect, Ui, Vec2};

use crate::state::{
    State,
    action::{Action, Peer},
    contacts::Contact,
};

use crate::ui::kit::{
    rows::Rows,
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Draws the list; a click opens the conversation.
pub(crate) fn show(ui: &mut Ui, state: &State, contacts: &[Contact], max_height: f32, actions: &mut Vec<Action>) {
    let online_count = contacts.iter().filter(|contact| contact.is_online).count();
    let unread_count = state.unread_count();
    let unread = (unread_count > 0).then(|| format!("{unread_count} unread"));
    widgets::section_header(ui, "People", online_count, unread.as_deref());
    let list = egui::ScrollArea::vertical().id_salt("people").max_height(max_height).auto_shrink([false, true]);
    list.show_viewport(ui, |ui, viewport| {
        // Everyone is the first row.
        let rows = Rows { height: size::CONTACT_ROW, gap: 2.0, count: contacts.len() + 1 };
        rows.show(ui, viewport, |ui, index| match index.checked_sub(1) {
            None => everyone(ui, state, online_count, actions),
            Some(index) => person(ui, state, &contacts[index], actions),
        });
        if let Some(trouble) = &state.trust.trouble {
            ui.label(egui::RichText::new(trouble).size(font_size::SMALL).color(Theme::of(ui).warn));
        }
        if contacts.is_empty() && state.connection.is_online() {
            widgets::caption(ui, "No one else is online. People appear here when they join.");
        }
    });
}

fn everyone(ui: &mut Ui, state: &State, online_count: usize, actions: &mut Vec<Action>) {
    let peer = Peer::Everyone;
    let unread = state.conversations.get(peer).map_or(0, |conversation| conversation.unread_count);
    let name = spoken("Everyone", "", unread);
    let caption = match online_count {
        _ if !state.connection.is_online() => "Offline".to_owned(),
        0 => "No one else is online".to_owned(),
        1 => "1 person".to_owned(),
        count => format!("{count} people"),
    };
    let response = widgets::row(ui, peer, size::CONTACT_ROW, is_open(state, peer), &name, |ui, rect| {
        let center = Pos2::new(rect.left() + space::S + size::AVATAR / 2.0, rect.center().y);
        widgets::avatar(ui, center, size::AVATAR, "", None, true);
        lines(ui, rect, "Everyone", (&caption, Theme::of(ui).weak), unread, true);
    });
    if response.clicked() {
        actions.push(Action::Select(peer));
    }
}

fn person(ui: &mut Ui, state: &State, contact: &Contact, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let peer = Peer::Person(contact.key);
    let (is_changed, is_verified) = (state.trust.is_changed(&contact.key), state.trust.is_verified(&contact.key));
    let is_earlier = !contact.is_online && state.present_key(&contact.key).is_some();
    let (presence, spoken_presence) = match (contact.is_online, is_changed, is_verified) {
        _ if is_earlier => ("The key before", "the key before"),
        (true, true, _) => ("Online with another key", "online, another key than before"),
        (true, _, true) => ("Online · verified", "online, verified"),
        (true, _, _) => ("Online", "online"),
        (false, ..) => ("Offline", "offline"),
    };
    let name = spoken(contact.name.as_str(), spoken_presence, contact.unread_count);
    let is_selected = is_open(state, peer);
    let response = widgets::row(ui, peer, size::CONTACT_ROW, is_selected, &name, |ui, rect| {
        let center = Pos2::new(rect.left() + space::S + size::AVATAR / 2.0, rect.center().y);
        widgets::avatar(ui, center, size::AVATAR, contact.name.as_str(), Some(&contact.key), contact.is_online);
        if contact.is_online {
            let background = if is_selected { theme.accent_soft } else { theme.background };
            widgets::dot(ui, center + Vec2::splat(size::AVATAR * 0.36), theme.good, background);
        }
        let color = if contact.is_online && is_changed { theme.warn } else { theme.weak };
        lines(ui, rect, contact.name.as_str(), (presence, color), contact.unread_count, contact.is_online);
    });
    let response = response.on_hover_ui(|ui| {
        let header = format!("Key of {}:", contact.name);
        widgets::fingerprint_lines(ui, &header, &widgets::key_text(&contact.key));
    });
    if response.clicked() {
        actions.push(Action::Select(peer));
    }
}

fn lines(ui: &Ui, rect: Rect, name: &str, caption: (&str, Color32), unread: u32, is_online: bool) {
    let theme = Theme::of(ui);
    let left = rect.left() + space::S + size::AVATAR + space::S;
    let right = rect.right() - space::S - if unread > 0 { badge(ui, rect, unread) + space::S } else { 0.0 };
    let upper = Rect::from_min_max(Pos2::new(left, rect.top() + 4.0), Pos2::new(right, rect.center().y + 2.0));
    let lower = Rect::from_min_max(Pos2::new(left, rect.center().y + 1.0), Pos2::new(right, rect.bottom() - 4.0));
    widgets::line(ui, upper, name, font_size::BODY, if is_online { theme.text } else { theme.weak });
    widgets::line(ui, lower, caption.0, font_size::SMALL - 0.5, caption.1);
}

/// Draws the number of unread messages at the right, and returns the width that it takes.
fn badge(ui: &Ui, rect: Rect, unread: u32) -> f32 {
    let theme = Theme::of(ui);
    let text = if unread > 99 { "99+".to_owned() } else { unread.to_string() };
    let galley = ui.painter().layout_no_wrap(text, FontId::proportional(font_size::SMALL), theme.on_accent);
    let width = (galley.size().x + 12.0).max(20.0);
    let pill = Rect::from_center_size(
        Pos2::new(rect.right() - space::S - width / 2.0, rect.center().y),
        Vec2::new(width, 20.0),
    );
    ui.painter().rect_filled(pill, CornerRadius::same(10), theme.accent);
    let text_rect = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), pill);
    ui.painter().galley(text_rect.min, galley, theme.on_accent);
    width
}

fn is_open(state: &State, peer: Peer) -> bool {
    state.selected == peer && state.shows_conversation()
}

/// What a screen reader says for a row.
fn spoken(name: &str, presence: &str, unread: u32) -> String {
    let presence = if presence.is_empty() { String::new() } else { format!(", {presence}") };
    let unread = if unread > 0 { format!(", {unread} unread") } else { String::new() };
    format!("{name}{presence}{unread}")
}
