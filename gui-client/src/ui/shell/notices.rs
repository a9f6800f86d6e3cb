//! What the window tells over its contents: that the connection is lost and comes back by itself, and what is to be read once.

use std::time::Instant;

use egui::{Rect, Ui};

use crate::state::{
    State,
    action::{Action, Moment, PartyAction},
    connection::{Connection, Phase},
    party::listing::ListedParty,
};

use crate::ui::kit::{format, strip::Strip};

/// Names in an invitation.
const MOST_INVITING: usize = 2;

/// Draws what there is to tell, in `room`; one thing at a time.
pub(crate) fn show(ui: &Ui, state: &State, room: Rect, now: Moment, actions: &mut Vec<Action>) {
    if is_strip(&state.connection) {
        lost(ui, &state.connection, room, now, actions);
    } else if let Some(notice) = &state.settings_notice {
        let strip = Strip {
            id: "settings",
            top: room.center_top(),
            width: room.width(),
            is_warning: true,
            text: "Your settings could not be read. The defaults are used.",
            short: "Your settings could not be read.",
            buttons: &[("OK", "Hide this notice")],
            details: &[notice],
        };
        if strip.show(ui).is_some() {
            actions.push(Action::EndSettingsNotice);
        }
    } else if let Some(party) = state.invitation().and_then(|id| state.people.party(id)) {
        invitation(ui, state, room, party, actions);
    }
}

/// Invites to a party of others.
fn invitation(ui: &Ui, state: &State, room: Rect, party: &ListedParty, actions: &mut Vec<Action>) {
    let names = party.members.iter().filter_map(|key| state.people.name_of(key)).map(|name| name.as_str());
    let names = format::list_names(&names.collect::<Vec<_>>(), MOST_INVITING);
    let title = state.title_of(party.video).unwrap_or("a video");
    let (text, short) = (format!("Watch {title} together with {names}?"), format!("Join {names}?"));
    let buttons = [("Join", "Watch together with them"), ("Not now", "Hide this invitation")];
    let (top, width) = (room.center_top(), room.width());
    let strip = Strip {
        id: "party",
        top,
        width,
        is_warning: false,
        text: &text,
        short: &short,
        buttons: &buttons,
        details: &[],
    };
    match strip.show(ui) {
        Some(0) => actions.push(Action::Party(PartyAction::Join(party.id))),
        Some(_) => actions.push(Action::Party(PartyAction::Decline(party.id))),
        None => {}
    }
}

/// Whether a problem with the connection takes only a line: no decision is asked for.
pub(crate) fn is_strip(connection: &Connection) -> bool {
    connection.is_coming_back() && !connection.problem.as_ref().is_some_and(|problem| problem.is_alarming)
}

fn lost(ui: &Ui, connection: &Connection, room: Rect, now: Moment, actions: &mut Vec<Action>) {
    // The bar says that it is lost, too; how long that lasts is said only here.
    let (text, short) = match connection.phase {
        Phase::Waiting { retry_at } => {
            let seconds = seconds_until(retry_at, now);
            (format!("Connection lost. Trying again in {seconds} s."), format!("Next try in {seconds} s"))
        }
        _ => ("Connection lost. Trying now…".to_owned(), "Trying now…".to_owned()),
    };
    let last_failure = connection.last_failure.as_ref().map(|what| format!("The last attempt: {what}"));
    let problem = connection.problem.as_ref().filter(|_| connection.shows_reasons);
    let reasons: Vec<&str> = match problem {
        Some(problem) => {
            [&problem.what, &problem.remedy].into_iter().chain(&last_failure).map(String::as_str).collect()
        }
        None => Vec::new(),
    };
    let (label, tip) = match connection.shows_reasons {
        true => ("Hide", "Hide why"),
        false => ("Details", "Show why"),
    };
    let details = (label, tip);
    let now_button = ("Try now", "Connect at once instead of waiting");
    let is_waiting = matches!(connection.phase, Phase::Waiting { .. });
    let buttons = if is_waiting { vec![details, now_button] } else { vec![details] };
    let (top, width) = (room.center_top(), room.width());
    let strip = Strip {
        id: "connection",
        top,
        width,
        is_warning: true,
        text: &text,
        short: &short,
        buttons: &buttons,
        details: &reasons,
    };
    match strip.show(ui) {
        Some(0) => actions.push(Action::ShowReasons(!connection.shows_reasons)),
        Some(_) => actions.push(Action::ReconnectNow),
        None => {}
    }
}

/// Whole seconds until the next attempt, rounded up.
pub(crate) fn seconds_until(retry_at: Instant, now: Moment) -> u128 {
    retry_at.saturating_duration_since(now.instant).as_millis().div_ceil(1_000)
}
