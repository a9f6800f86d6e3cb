//! The bar at the top of the main screen: the server, the switch between its parts, and the menu of this client's person.

use egui::{Align, FontId, Layout, Rect, Response, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::state::{
    State,
    action::{Action, SidePanel},
    connection::Phase,
    layout::{LayoutAction, Places, Tab},
};

use super::{certificate, menu};
use crate::ui::{
    bindings::{self, Command},
    kit::{
        icons::{self, Icon},
        popover,
        theme::{Theme, font_size, size, space},
        title, widgets,
    },
};

/// Width of the window from which the name of the person is beside their picture.
const WIDTH_WITH_NAME: f32 = 1000.0;

/// Most width of that name.
const NAME_WIDTH: f32 = 140.0;

/// Room at the left and right of the label of a tab.
const TAB_PADDING: f32 = 9.0;

/// Shown all the time while the connection to the server is not encrypted.
const NOT_ENCRYPTED: &str = "Not encrypted";
const NOT_ENCRYPTED_MEANING: &str = "The connection to the server is not encrypted: anyone on the network can see who writes to whom, watch the videos \
     and change what the server sends. The texts of messages are still encrypted from person to person.";

/// Draws the bar. The Tab key goes from left to right.
pub(crate) fn show(ui: &mut Ui, state: &State, places: &Places, actions: &mut Vec<Action>) {
    let bar = ui.available_rect_before_wrap();
    let (name, name_width) = own_name(ui, state, bar.width());
    let menu_width = size::AVATAR + name_width + 2.0 * space::S;
    let labels: Vec<(Tab, String)> = places.tabs.iter().map(|tab| (*tab, label(state, places, *tab))).collect();
    let tabs_width = tabs_width(ui, &labels) + if places.can_hide_dock { 40.0 } else { 0.0 };
    let menu_area = Rect::from_min_max(egui::pos2(bar.right() - menu_width, bar.top()), bar.max);
    let tabs_area = Rect::from_min_max(
        egui::pos2(menu_area.left() - space::S - tabs_width, bar.top()),
        egui::pos2(menu_area.left() - space::S, bar.bottom()),
    );
    let server_area = Rect::from_min_max(bar.min, egui::pos2(tabs_area.left() - space::S, bar.bottom()));
    part(ui, "server", server_area, |ui| {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(28.0, 22.0), Sense::hover());
        widgets::mark(ui, rect);
        if places.can_hide_lists {
            lists_switch(ui, state, actions);
        }
        ui.add_space(space::XS);
        server(ui, state, actions);
    });
    part(ui, "tabs", tabs_area, |ui| {
        tabs(ui, places, &labels, actions);
        if places.can_hide_dock {
            dock_switch(ui, state, actions);
        }
    });
    let response = part(ui, "menu", menu_area, |ui| menu_button(ui, state, &name, name_width));
    popover::show(&response, "Menu", menu::WIDTH, |ui| menu::show(ui, state, actions));
    ui.advance_cursor_after_rect(bar);
    keys(ui, state, places, actions);
}

/// The keys for what can be hidden.
fn keys(ui: &Ui, state: &State, places: &Places, actions: &mut Vec<Action>) {
    let columns = &state.settings.columns;
    if places.can_hide_dock && bindings::take(ui, Command::Dock) > 0 {
        actions.push(Action::Layout(LayoutAction::ShowDock(!columns.has_dock)));
    }
    if places.can_hide_lists && bindings::take(ui, Command::Lists) > 0 {
        actions.push(Action::Layout(LayoutAction::ShowLists(!columns.has_lists)));
    }
}

fn part<R>(ui: &mut Ui, name: &str, area: Rect, add: impl FnOnce(&mut Ui) -> R) -> R {
    let builder = egui::UiBuilder::new().id_salt(name).max_rect(area).layout(Layout::left_to_right(Align::Center));
    let mut ui = ui.new_child(builder);
    ui.set_clip_rect(area.expand(2.0).intersect(ui.clip_rect()));
    add(&mut ui)
}

fn lists_switch(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let has_lists = state.settings.columns.has_lists;
    let name = if has_lists { "Hide the lists" } else { "Show the lists" };
    let response = icons::button(ui, Icon::LeftColumn, name, &format!("{name} of people and videos (F9)"));
    if response.clicked() {
        actions.push(Action::Layout(LayoutAction::ShowLists(!has_lists)));
    }
}

fn dock_switch(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let has_dock = state.settings.columns.has_dock;
    let name = if has_dock { "Hide the right column" } else { "Show the right column" };
    if icons::button(ui, Icon::RightColumn, name, &format!("{name} (Shift+F9)")).clicked() {
        actions.push(Action::Layout(LayoutAction::ShowDock(!has_dock)));
    }
}

fn server(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let is_plaintext = state.connection.is_plaintext;
    let address = state.connection.address.trim();
    let count = state.people.dictionary().map_or(1, |people| people.people().len());
    let (color, text) = match state.connection.phase {
        Phase::Online => {
            let color = if is_plaintext { theme.warn } else { theme.good };
            (color, format!("{} · {count} online", state.server_title()))
        }
        Phase::Attempting(_) => (theme.warn, format!("Connecting to {address}…")),
        Phase::Waiting { .. } => (theme.warn, "Connection lost".to_owned()),
        Phase::Idle => (theme.bad, "Not connected".to_owned()),
    };
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size::DOT + 2.0), Sense::hover());
    widgets::dot(ui, rect.center(), color, theme.background);
    // The warning comes first and is never cut; the address takes what is left.
    if is_plaintext {
        let warning = ui.label(RichText::new(NOT_ENCRYPTED).strong().color(theme.warn));
        warning.on_hover_text(NOT_ENCRYPTED_MEANING);
    }
    let is_short = ui.ctx().content_rect().width() < WIDTH_WITH_NAME;
    certificate::show(ui, state, is_short, actions);
    // Where the name is shown, the address is in the tooltip, and said.
    let title = state.server_title();
    let spoken = if state.connection.is_online() && title != address {
        format!("{title}, {address} · {count} online")
    } else {
        text.clone()
    };
    title::name(ui, &text, &spoken, FontId::proportional(font_size::BODY), theme.weak).on_hover_text(address);
}

/// What is written on a tab. The number of unread messages is on it where the list of people is not shown.
fn label(state: &State, places: &Places, tab: Tab) -> String {
    use crate::state::layout::Pane;
    let unread_count = state.unread_count();
    if tab == Tab::Chat && unread_count > 0 && !places.has(Pane::Lists) && !places.has(Pane::People) {
        return format!("{} ({unread_count})", tab.label());
    }
    tab.label().to_owned()
}

fn tabs_width(ui: &Ui, labels: &[(Tab, String)]) -> f32 {
    let font = FontId::proportional(font_size::BODY);
    let color = Theme::of(ui).text;
    let width = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), color).size().x;
    labels.iter().map(|(_, label)| width(label).ceil() + 2.0 * TAB_PADDING + space::XS).sum()
}

fn tabs(ui: &mut Ui, places: &Places, labels: &[(Tab, String)], actions: &mut Vec<Action>) {
    ui.scope(|ui| {
        ui.spacing_mut().button_padding.x = TAB_PADDING;
        ui.spacing_mut().item_spacing.x = space::XS;
        for (tab, label) in labels {
            if widgets::tab(ui, label, places.tab == *tab).clicked() {
                actions.push(match tab {
                    Tab::Chat => Action::ShowSide(SidePanel::Conversation),
                    Tab::Wire => Action::ShowSide(SidePanel::Wire),
                    Tab::Keys => Action::ShowSide(SidePanel::Keys),
                    Tab::Video => Action::Layout(LayoutAction::ShowVideo),
                });
            }
        }
    });
}

/// The name of this client's person, and the room for it beside their picture.
fn own_name(ui: &Ui, state: &State, bar_width: f32) -> (String, f32) {
    let name = state.people.my_name().map_or(state.connection.name.as_str(), |name| name.as_str()).to_owned();
    if bar_width < WIDTH_WITH_NAME {
        return (name, 0.0);
    }
    let font = FontId::proportional(font_size::BODY);
    let width = ui.painter().layout_no_wrap(name.clone(), font, Theme::of(ui).text).size().x;
    (name, (width + space::S).min(NAME_WIDTH))
}

fn menu_button(ui: &mut Ui, state: &State, name: &str, name_width: f32) -> Response {
    let theme = Theme::of(ui);
    let area = ui.available_rect_before_wrap();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(area.width(), size::AVATAR + 6.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{name}, your menu")));
    if response.hovered() {
        ui.painter().rect_filled(rect, f32::from(size::RADIUS), theme.hover);
    }
    widgets::focus_ring(ui, rect, &response);
    let is_online = state.connection.is_online();
    let center = egui::pos2(rect.right() - space::S - size::AVATAR / 2.0, rect.center().y);
    widgets::avatar(ui, center, size::AVATAR - 2.0, name, state.people.me().as_ref(), is_online);
    let corner = center + Vec2::splat(size::AVATAR * 0.36);
    widgets::dot(ui, corner, if is_online { theme.good } else { theme.edge }, theme.background);
    if name_width > 0.0 {
        let line = Rect::from_min_max(
            rect.min + Vec2::new(space::S, 0.0),
            egui::pos2(center.x - size::AVATAR / 2.0 - space::XS, rect.bottom()),
        );
        widgets::line(ui, line, name, font_size::BODY, theme.text);
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}
