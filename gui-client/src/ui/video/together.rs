//! Watching together: the button for it with its menu, who is in the party, and what has just happened in it.

use std::time::Instant;

use common::party::PartyAct;
use egui::{Align, Align2, Layout, Popup, Pos2, Rect, RichText, Ui, Vec2, accesskit};

use super::opener;
use crate::{
    state::{
        State,
        action::{Action, PartyAction},
        party::{listing::ListedParty, news::News},
        player::Showing,
    },
    ui::{
        bindings::{self, Command},
        kit::{
            format,
            icons::{self, Icon},
            menu::{self, Mark},
            theme::{font_size, size, space},
            widgets,
        },
    },
};

/// Names that are written out where there is a line for them.
const MOST_NAMES: usize = 3;

/// Width of the menu; its sentences are wrapped.
const WIDTH: f32 = 280.0;

/// The same in the menu.
const MOST_MEMBERS: usize = 24;

/// Height of the corner of the picture that its badge takes.
const BADGE_HEIGHT: f32 = 32.0;

/// What the button is called.
pub(super) const NAME: &str = "Watch together";

/// What everyone in a party has to know.
const RULES: &str =
    "What one of you plays, pauses or seeks happens for all, at normal speed. Everyone online sees this and may join.";

/// Width of the button.
pub(super) fn width(ui: &Ui, state: &State) -> f32 {
    count_text(state).map_or(size::ICON_BUTTON, |text| opener::button_width(ui, &text))
}

fn count_text(state: &State) -> Option<String> {
    state.together.party()?;
    Some(format!("Together: {}", state.companions().len() + 1))
}

/// The parties for the video in the player that are open to join.
fn open_parties<'a>(state: &'a State, showing: &Showing) -> Vec<&'a ListedParty> {
    state.people.parties().iter().filter(|party| party.video == showing.video.id).collect()
}

/// What the key does: joins the party for this video, or starts one.
pub(super) fn quick_action(state: &State) -> Option<Action> {
    let showing = state.player.showing.as_ref().filter(|_| state.together.party().is_none())?;
    let open = open_parties(state, showing).first().map(|party| PartyAction::Join(party.id));
    Some(Action::Party(open.unwrap_or(PartyAction::Start)))
}

/// The button: starts a party at once if there is nothing to choose, else opens a menu.
pub(super) fn button(ui: &mut Ui, state: &State, showing: &Showing, actions: &mut Vec<Action>) {
    if let Some(text) = count_text(state) {
        let name = format!("Watching together: {}", state.companions().len() + 1);
        return opener::opener(ui, &text, name, "Who watches together", WIDTH, |ui| {
            contents(ui, state, showing, actions)
        });
    }
    let tip = bindings::tip("Watch together with others", Command::Together);
    let can_start = state.connection.is_online() && showing.is_running() && !state.together.is_asking();
    let response = ui.add_enabled_ui(can_start, |ui| icons::button(ui, Icon::Together, NAME, &tip)).inner;
    if open_parties(state, showing).is_empty() {
        if response.clicked() {
            actions.push(Action::Party(PartyAction::Start));
        }
    } else {
        Popup::menu(&response).show(|ui| opener::list(ui, WIDTH, |ui| contents(ui, state, showing, actions)));
    }
}

/// What the menu holds.
pub(super) fn contents(ui: &mut Ui, state: &State, showing: &Showing, actions: &mut Vec<Action>) {
    let mut entry = |ui: &mut Ui, icon, text: &str, action| {
        if menu::entry(ui, Mark::Icon(icon), text).clicked() {
            actions.push(Action::Party(action));
            ui.close();
        }
    };
    if state.together.party().is_some() {
        entry(ui, Icon::Refused, "Leave the party", PartyAction::Leave);
        menu::header(ui, "You watch together with");
        sentence(ui, &companions(state, MOST_MEMBERS).unwrap_or_else(|| "No one else yet.".to_owned()));
        ui.separator();
        return sentence(ui, RULES);
    }
    let open = open_parties(state, showing);
    for party in &open {
        entry(ui, Icon::Together, &format!("Join {}", names(state, party)), PartyAction::Join(party.id));
    }
    let start = if open.is_empty() { NAME } else { "Start another party" };
    entry(ui, if open.is_empty() { Icon::Together } else { Icon::Play }, start, PartyAction::Start);
    sentence(ui, RULES);
}

fn sentence(ui: &mut Ui, text: &str) {
    // A menu stretches lines to its width, which tears sentences apart.
    ui.with_layout(Layout::top_down(Align::Min), |ui| widgets::caption(ui, text));
}

/// The names of the others in the party with this client; `None` if there are none.
fn companions(state: &State, most: usize) -> Option<String> {
    let companions = state.companions();
    let names = companions.iter().filter_map(|key| state.people.name_of(key)).map(|name| name.as_str());
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| format::list_names(&names, most))
}

fn names(state: &State, party: &ListedParty) -> String {
    let names = party.members.iter().filter_map(|key| state.people.name_of(key)).map(|name| name.as_str());
    format::list_names(&names.collect::<Vec<_>>(), MOST_NAMES)
}

/// Who is in the party of a video that this client is not in: for a screen reader, and as short as its line is.
pub(super) fn who_watches(state: &State, party: &ListedParty) -> (String, String) {
    (format!("together: {}", names(state, party)), format!("{} together", party.members.len()))
}

/// Who is in the party with this client; `None` outside of one.
pub(super) fn company(state: &State) -> Option<String> {
    state.together.party()?;
    Some(match companions(state, MOST_NAMES) {
        None => "You watch together. No one else has joined yet.".to_owned(),
        Some(names) => format!("You watch together with {names}."),
    })
}

/// Says over the picture what has just happened.
pub(super) fn news(ui: &mut Ui, screen: Rect, state: &State, now: Instant) {
    let Some(news) = state.together.news(now) else { return };
    // Below the badge, which is in the upper corner.
    let below = Rect::from_min_max(Pos2::new(screen.left(), screen.top() + BADGE_HEIGHT), screen.max);
    let response = widgets::notice(ui, below, Align2::CENTER_TOP, &text(news), "Party");
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(accesskit::Live::Polite));
}

fn text(news: &News) -> String {
    match news {
        News::Started => "You watch together now. Everyone online sees it and may join.".to_owned(),
        News::Acted(name, PartyAct::Play) => format!("{name} resumed."),
        News::Acted(name, PartyAct::Pause) => format!("{name} paused."),
        News::Acted(name, PartyAct::Seek { position_nanos }) => {
            format!("{name} went to {}.", format::length(*position_nanos))
        }
        News::Came(name) => format!("{name} watches with you."),
        News::Went(name) => format!("{name} left the party."),
        News::Over => "The party is over. The video goes on for you alone.".to_owned(),
        News::Speed => "While you watch together, the speed is normal for all.".to_owned(),
    }
}

/// A button that joins a party, in the list of videos, at the end of this line.
pub(super) fn join_button(ui: &mut Ui, line: Rect, state: &State, party: &ListedParty, actions: &mut Vec<Action>) {
    let rect = Align2::RIGHT_CENTER.align_size_within_rect(JOIN_SIZE, line);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(rect));
    ui.spacing_mut().button_padding = Vec2::new(space::S, 0.0);
    ui.spacing_mut().interact_size.y = JOIN_SIZE.y;
    let response = ui.add_sized(JOIN_SIZE, egui::Button::new(RichText::new("Join").size(font_size::SMALL)));
    let name = format!("Join {}", names(state, party));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), &name));
    if response.on_hover_text(name).clicked() {
        actions.push(Action::Party(PartyAction::Join(party.id)));
    }
}

/// Size of that button. It is a little higher than its line.
pub(super) const JOIN_SIZE: Vec2 = Vec2::new(46.0, 20.0);
