//! The list of people: Everyone, those with unread messages, those online, and those who left after a conversation.

use egui::{Align2, Color32, CornerRadius, FontId, Id, Pos2, Rect, RichText, Ui, Vec2};

use crate::state::{
    State,
    action::{Action, Moment, Peer},
    contacts::Contact,
    lists::ListsAction,
};

use crate::ui::{
    bindings::{self, Command},
    kit::{
        format,
        icons::{self, Icon},
        list_keys,
        rows::Rows,
        search_field,
        theme::{Theme, font_size, semibold, size, space},
        widgets,
    },
};

/// Side of the mark beside the name of a person whose safety number was compared.
const VERIFIED_MARK: f32 = 13.0;

/// Takes the key that searches the people, wherever the focus is. To be called before anything else takes it.
pub(crate) fn take_keys(ui: &Ui, actions: &mut Vec<Action>) {
    if bindings::take(ui, Command::SearchPeople) > 0 {
        actions.push(Action::Lists(ListsAction::FindPeople));
        ui.memory_mut(|memory| memory.request_focus(search_id()));
    }
}

fn search_id() -> Id {
    Id::unique("people search")
}

/// Draws the list; a click opens the conversation.
pub(crate) fn show(ui: &mut Ui, state: &State, now: Moment, max_height: f32, actions: &mut Vec<Action>) {
    let top = ui.cursor().top();
    let contacts = state.found_contacts();
    let others = state.people.others_count();
    let online_count = if state.connection.is_online() { others } else { 0 };
    let unread_count = state.unread_count();
    let unread = (unread_count > 0).then(|| format!("{unread_count} unread"));
    widgets::section_header(ui, "People", online_count, unread.as_deref());
    let search = &state.lists.people_search;
    if state.lists.has_people_search(others.max(contacts.len())) {
        let searched = search_field::show(ui, search_id(), search, "Search people", "Search people");
        if let Some(text) = searched.text {
            actions.push(Action::Lists(ListsAction::SearchPeople(text)));
        }
        if searched.is_entered
            && let Some(first) = contacts.first()
        {
            actions.push(Action::Select(Peer::Person(first.key)));
        }
        if searched.is_left || searched.is_entered {
            actions.push(Action::Lists(ListsAction::EndPeopleSearch));
        }
        ui.add_space(space::XS);
    }
    // A search looks for people, of whom Everyone is none.
    let first = usize::from(search.trim().is_empty());
    let peer = |index: usize| match index.checked_sub(first) {
        None => Peer::Everyone,
        Some(index) => Peer::Person(contacts[index].key),
    };
    let rows = Rows { height: size::CONTACT_ROW, gap: 2.0, count: contacts.len() + first };
    let ids: Vec<Id> = (0..rows.count).map(|index| Id::unique(peer(index))).collect();
    let focused = list_keys::take(ui, &ids, 1);
    let max_height = max_height - (ui.cursor().top() - top);
    let list = egui::ScrollArea::vertical().id_salt("people").max_height(max_height).auto_shrink([false, true]);
    list.show_viewport(ui, |ui, viewport| {
        rows.show(ui, viewport, focused, |ui, index| match index.checked_sub(first) {
            None => everyone(ui, state, online_count, actions),
            Some(index) => person(ui, state, &contacts[index], now, actions),
        });
        if let Some(trouble) = &state.trust.trouble {
            ui.label(RichText::new(trouble).size(font_size::SMALL).color(Theme::of(ui).warn));
        }
        if contacts.is_empty() && !search.trim().is_empty() {
            widgets::caption(ui, &format!("No one here is called \u{201c}{}\u{201d}.", search.trim()));
        } else if others == 0 && state.connection.is_online() {
            alone(ui, state);
        }
    });
}

/// What someone can do who is alone on the server: tell others how to come here.
fn alone(ui: &mut Ui, state: &State) {
    let Some(address) = state.address_for_others() else {
        return widgets::caption(ui, "You are alone here. People appear here when they join.");
    };
    widgets::caption(ui, "You are alone here. On another computer, open Triptych and type:");
    ui.horizontal_wrapped(|ui| {
        ui.add_space(space::S);
        ui.label(RichText::new(address).font(semibold(font_size::BODY)).color(Theme::of(ui).text));
        if ui.small_button("Copy").accessible_name("Copy the address").clicked() {
            ui.ctx().copy_text(address.to_owned());
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
        let row = Row { name: "Everyone", unread, is_online: true, is_verified: false };
        lines(ui, rect, &row, (&caption, Theme::of(ui).weak));
    });
    if response.clicked() {
        actions.push(Action::Select(peer));
    }
}

fn person(ui: &mut Ui, state: &State, contact: &Contact, now: Moment, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let peer = Peer::Person(contact.key);
    let (is_changed, is_verified) = (state.trust.is_changed(&contact.key), state.trust.is_verified(&contact.key));
    let presence = presence(state, contact, now);
    let draft = state.draft_in_list(peer);
    let name = spoken_person(contact, &presence, is_verified, draft.as_deref());
    let is_selected = is_open(state, peer);
    let response = widgets::row(ui, peer, size::CONTACT_ROW, is_selected, &name, |ui, rect| {
        let center = Pos2::new(rect.left() + space::S + size::AVATAR / 2.0, rect.center().y);
        widgets::avatar(ui, center, size::AVATAR, contact.name.as_str(), Some(&contact.key), contact.is_online);
        if contact.is_online {
            let background = if is_selected { theme.accent_soft } else { theme.background };
            widgets::dot(ui, center + Vec2::splat(size::AVATAR * 0.36), theme.good, background);
        }
        let color = if contact.is_online && is_changed { theme.warn } else { theme.weak };
        let caption = draft.as_ref().map_or(presence.clone(), |draft| format!("Draft: {draft}"));
        let row = Row {
            name: contact.name.as_str(),
            unread: contact.unread_count,
            is_online: contact.is_online,
            is_verified,
        };
        lines(ui, rect, &row, (&caption, if draft.is_some() { theme.accent } else { color }));
    });
    if response.clicked() {
        actions.push(Action::Select(peer));
    }
}

/// Whether the person is there, and what they watch.
fn presence(state: &State, contact: &Contact, now: Moment) -> String {
    if !contact.is_online && state.present_key(&contact.key).is_some() {
        return "The key before".to_owned();
    }
    if contact.is_online && state.trust.is_changed(&contact.key) {
        return "Online with another key".to_owned();
    }
    if let Some(video) = contact.watched {
        let title = state.title_of(video).unwrap_or("a video");
        let together = if state.people.party_of(&contact.key).is_some() { "together: " } else { "" };
        return format!("Watching {together}{title}");
    }
    match (contact.is_online, contact.left_unix_millis) {
        (true, _) => "Online".to_owned(),
        (false, Some(left)) => format!("Offline since {}", since(left, now.unix_millis)),
        (false, None) => "Offline".to_owned(),
    }
}

/// A time in the past: the time of day if it was today, else the day.
fn since(unix_millis: u64, now_unix_millis: u64) -> String {
    match (format::day(unix_millis), format::day(now_unix_millis)) {
        (Some(day), Some(today)) if day != today => {
            let name = format::day_name(day, today);
            if name == "Yesterday" { "yesterday".to_owned() } else { name }
        }
        _ => format::clock(unix_millis),
    }
}

/// What a screen reader says for a person.
fn spoken_person(contact: &Contact, presence: &str, is_verified: bool, draft: Option<&str>) -> String {
    let presence = match presence.strip_prefix("Watching ") {
        Some(title) => format!("online, watching {title}"),
        None => presence.replacen("Online with", "online,", 1).replacen("another key", "another key than before", 1),
    };
    let mut chars = presence.chars();
    let mut presence: String = chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
    if is_verified && contact.is_online {
        presence.push_str(", verified");
    }
    let draft = draft.map_or_else(String::new, |draft| format!(", draft: {draft}"));
    spoken(contact.name.as_str(), &presence, contact.unread_count) + &draft
}

/// What a row shows beside its caption.
struct Row<'a> {
    name: &'a str,
    unread: u32,
    is_online: bool,
    is_verified: bool,
}

fn lines(ui: &Ui, rect: Rect, row: &Row<'_>, caption: (&str, Color32)) {
    let theme = Theme::of(ui);
    let left = rect.left() + space::S + size::AVATAR + space::S;
    let badge = if row.unread > 0 { badge(ui, rect, row.unread) + space::S } else { 0.0 };
    let right = rect.right() - space::S - badge;
    let mark = if row.is_verified { VERIFIED_MARK + space::XS } else { 0.0 };
    let upper = Rect::from_min_max(Pos2::new(left, rect.top() + 4.0), Pos2::new(right - mark, rect.center().y + 2.0));
    let lower = Rect::from_min_max(Pos2::new(left, rect.center().y + 1.0), Pos2::new(right, rect.bottom() - 4.0));
    let width =
        widgets::line(ui, upper, row.name, font_size::BODY, if row.is_online { theme.text } else { theme.weak });
    if row.is_verified {
        let center = Pos2::new(left + width + space::XS + VERIFIED_MARK / 2.0, upper.center().y);
        icons::paint(ui.painter(), Icon::Relayed, center, VERIFIED_MARK, theme.good);
    }
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
