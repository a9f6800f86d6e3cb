//! The servers that were found on the network, on the first screen.

use common::{crypto::fingerprint, discovery::Announcement};
use egui::{Align2, FontId, Id, Key, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use crate::{
    event::discovery::{Familiarity, FoundServer},
    state::{
        State,
        action::{Action, Moment},
        discovery::{Obstacle, Search, obstacle},
    },
};

use super::fields::{links, name_field};
use crate::ui::kit::{
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Time between two frames of the bar that shows how far the search is.
const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Where the buttons change under the pointer (see [`widgets::is_settled`]).
const LIST: &str = "server list";

/// Draws that servers are looked for.
pub(super) fn searching(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    widgets::is_settled(ui, LIST, false);
    ui.label(
        RichText::new("Looking for servers on your network…").font(semibold(font_size::HEADING)).color(theme.text),
    );
    ui.add_space(space::S);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 4.0), Sense::hover());
    let progress = state.search.progress(now.instant);
    let percent = f64::from(progress) * 100.0;
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, "Search");
        info.value = Some(percent);
        info
    });
    ui.painter().rect_filled(rect, 2.0, theme.border);
    let done = Rect::from_min_size(rect.min, Vec2::new(rect.width() * progress, rect.height()));
    ui.painter().rect_filled(done, 2.0, theme.accent);
    ui.ctx().request_repaint_after(PROGRESS_INTERVAL);
    ui.add_space(space::M);
    name_field(ui, &state.connection, actions);
    ui.add_space(space::S);
    links(ui, &state.connection, actions, other_address);
}

/// Draws the servers to choose from.
pub(super) fn list(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let is_settled = widgets::is_settled(ui, LIST, true);
    let is_untouched = ui.memory(|memory| memory.focused().is_none());
    let (connection, servers) = (&state.connection, state.search.servers());
    let heading = match servers.len() {
        1 => "1 server on your network".to_owned(),
        count => format!("{count} servers on your network"),
    };
    ui.label(RichText::new(heading).font(semibold(font_size::HEADING)).color(theme.text));
    let what_to_do = if servers.len() == 1 { "Click it to join." } else { "Click one to join it." };
    ui.label(RichText::new(what_to_do).color(theme.weak).size(font_size::SMALL));
    ui.add_space(space::S);
    let can_join = connection.name_hint().is_none();
    let mut takes_focus = is_untouched;
    for server in servers {
        let obstacle = obstacle(server, connection.is_plaintext);
        let is_enabled = can_join && obstacle.is_none();
        let response = row(ui, server, obstacle, is_enabled);
        if is_enabled && takes_focus {
            response.request_focus();
            takes_focus = false;
        }
        if response.clicked() && is_settled {
            actions.push(Action::JoinServer(server.address.clone()));
        }
        ui.add_space(space::XS);
    }
    ui.add_space(space::S);
    let name = name_field(ui, connection, actions);
    // With several, Enter leaves the field, and the first server gets the focus.
    if let [server] = servers
        && name.lost_focus()
        && ui.input(|input| input.key_pressed(Key::Enter))
        && can_join
        && obstacle(server, connection.is_plaintext).is_none()
    {
        actions.push(Action::JoinServer(server.address.clone()));
    }
    ui.add_space(space::S);
    links(ui, connection, actions, other_address);
}

/// Above the form: that nothing was found, or the way back to what was.
pub(super) fn found_none_or_else(ui: &mut Ui, search: &Search, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    match search.servers().len() {
        0 => {
            ui.label(RichText::new("No server found yet").font(semibold(font_size::HEADING)).color(theme.text));
            let text = format!(
                "{} The search goes on. You can type the address that the server's console shows.",
                search.where_looked()
            );
            ui.label(RichText::new(text).color(theme.weak).size(font_size::SMALL));
        }
        count => {
            let text = if count == 1 {
                "Show the server that was found".to_owned()
            } else {
                format!("Show the {count} servers that were found")
            };
            if ui.link(RichText::new(text).size(font_size::SMALL)).clicked() {
                actions.push(Action::LookForServers);
            }
        }
    }
    ui.add_space(space::S);
}

fn other_address(ui: &mut Ui, actions: &mut Vec<Action>) {
    if ui.link(RichText::new("Other address…").size(font_size::SMALL)).clicked() {
        actions.push(Action::TypeAddress);
    }
}

/// A server that can be clicked, with what it says of itself. One that cannot be joined is not faded: it says why.
fn row(ui: &mut Ui, server: &FoundServer, obstacle: Option<Obstacle>, is_enabled: bool) -> Response {
    let theme = Theme::of(ui);
    let name = server.announcement.name.as_str();
    let numbers = numbers(server);
    let visits = visits(server.familiarity);
    let words = match obstacle {
        Some(obstacle) => RichText::new(explained(obstacle)).color(theme.warn),
        None => RichText::new(words(server)).monospace().size(font_size::MONO).color(theme.weak),
    };
    let (_, rect) = ui.allocate_space(Vec2::new(ui.available_width(), size::SERVER_ROW));
    let sense = if is_enabled { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, Id::unique(("server", &server.address)), sense);
    let label = format!("Join {name}, {numbers}, {visits}, at {}. {}", server.address, words.text());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, is_enabled, &label));
    if ui.is_rect_visible(rect) {
        let fill = if is_enabled && response.hovered() { theme.hover } else { theme.background };
        let edge = match (response.has_focus(), is_enabled) {
            (true, _) => Stroke::new(2.0, theme.accent),
            (false, true) => Stroke::new(1.0, theme.edge),
            (false, false) => Stroke::new(1.0, theme.border),
        };
        let ink = if is_enabled { theme.text } else { theme.weak };
        ui.painter().rect(rect, f32::from(size::RADIUS), fill, edge, StrokeKind::Inside);
        let inner = rect.shrink2(Vec2::new(space::M, space::S));
        let line = |number: f32| {
            let height = inner.height() / 3.0;
            Rect::from_min_size(inner.min + Vec2::new(0.0, number * height), Vec2::new(inner.width(), height))
        };
        let mut first = line(0.0);
        let font = FontId::proportional(font_size::SMALL);
        let right = ui.painter().text(first.right_center(), Align2::RIGHT_CENTER, visits, font, theme.weak);
        first.set_right(right.left() - space::S);
        widgets::line(ui, first, RichText::new(name).font(semibold(font_size::BODY)), font_size::BODY, ink);
        let second = format!("{numbers} · {}", server.address);
        widgets::line(ui, line(1.0), second, font_size::SMALL, theme.weak);
        widgets::line(ui, line(2.0), words, font_size::SMALL, theme.weak);
    }
    if response.gained_focus() {
        response.scroll_to_me(None);
    }
    if is_enabled { response.on_hover_cursor(egui::CursorIcon::PointingHand) } else { response }
}

fn numbers(server: &FoundServer) -> String {
    let counted = |count: u16, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let Announcement { people_count, video_count, .. } = server.announcement;
    let people = if people_count == 0 { "no one there".to_owned() } else { counted(people_count, "person", "people") };
    format!("{people} · {}", counted(video_count, "video", "videos"))
}

fn visits(familiarity: Familiarity) -> &'static str {
    match familiarity {
        Familiarity::Last => "last visited",
        Familiarity::Visited => "visited before",
        Familiarity::New => "not visited before",
    }
}

/// The words of the announced certificate, as the server's console shows them.
fn words(server: &FoundServer) -> String {
    let hash = server.announcement.certificate_hash;
    hash.map_or_else(|| "not encrypted".to_owned(), |hash| fingerprint::words(&hash))
}

fn explained(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::OtherVersion => "Other version. Update this program or the server.",
        Obstacle::NotEncrypted => "Not encrypted: start this program with --plaintext.",
        Obstacle::Encrypted => "Encrypted: start this program without --plaintext.",
    }
}
