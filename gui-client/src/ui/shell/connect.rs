//! The first screen: servers that were found, the form with server and name, the steps of an attempt, and why it failed.

use egui::{Align, Key, Layout, Margin, RichText, Stroke, Ui, Vec2};

use crate::{
    event::{Progress, TlsFacts},
    state::{
        State,
        action::{Action, Moment},
        connection::{Connection, ConnectionProblem, FormField, Phase},
        discovery::FirstScreen,
    },
};

use super::{
    fields::{field, hint, links, name_field},
    identity, servers,
};
use crate::ui::kit::{
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// The buttons of the card: those of the form, or those of an attempt (see [`widgets::is_settled`]).
const CARD_BUTTONS: &str = "connect buttons";

/// Shown below the form and the steps of an attempt while connections to the server are not encrypted.
const NOT_ENCRYPTED: &str =
    "The connection to the server will not be encrypted, because this client was started with --plaintext.";

/// Height of the card with the form and what is above it, by which it is placed a little above the middle.
const USUAL_HEIGHT: f32 = 470.0;

/// Draws the screen.
pub(crate) fn show(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let connection = &state.connection;
    let theme = Theme::of(ui);
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let is_low = ui.available_height() < USUAL_HEIGHT;
        let further_servers =
            if state.search.screen() == FirstScreen::Servers { state.search.servers().len() } else { 1 };
        let height = USUAL_HEIGHT + (further_servers.saturating_sub(1) as f32) * (size::SERVER_ROW + space::XS);
        ui.add_space(((ui.available_height() - height) * 0.4).max(space::M));
        ui.vertical_centered(|ui| {
            // In a low window the room is for what there is to do.
            if !is_low {
                let (rect, _) = ui.allocate_exact_size(Vec2::new(64.0, 48.0), egui::Sense::hover());
                widgets::mark(ui, rect);
                ui.add_space(space::S);
                ui.label(RichText::new("Triptych").font(semibold(font_size::TITLE)).color(theme.text));
                ui.label(RichText::new("Private messages and videos on your own network").color(theme.weak));
                ui.add_space(space::L);
            }
            let width = size::FORM.min(ui.available_width() - 2.0 * space::M);
            ui.allocate_ui_with_layout(Vec2::new(width, 0.0), Layout::top_down(Align::Min), |ui| {
                ui.set_width(width);
                if let Some(problem) = &connection.problem {
                    widgets::problem_card(ui, &without_repetition(problem), None, actions);
                    if problem.certificate.is_some() {
                        // The decision comes first, and takes the room.
                        return;
                    }
                    ui.add_space(space::M);
                }
                card(ui, state, now, actions);
            });
        });
        ui.add_space(space::M);
    });
}

/// The problem without a button that does what the button of the form does.
fn without_repetition(problem: &ConnectionProblem) -> ConnectionProblem {
    let button = problem.button.clone().filter(|(_, action)| *action != Action::Connect);
    ConnectionProblem { button, ..problem.clone() }
}

fn card(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let connection = &state.connection;
    let theme = Theme::of(ui);
    egui::Frame::new()
        .fill(theme.surface)
        .stroke(Stroke::new(1.0, theme.border))
        .corner_radius(size::RADIUS + 4)
        .inner_margin(Margin::same(20))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            match (&connection.phase, &state.identity, state.search.screen()) {
                (Phase::Attempting(progress), ..) => steps(ui, connection, *progress, actions),
                (_, Some(card), _) => identity::show(ui, card, connection.name.trim(), actions),
                (.., FirstScreen::Searching) => servers::searching(ui, state, now, actions),
                (.., FirstScreen::Servers) => servers::list(ui, state, actions),
                (.., FirstScreen::Form) => form(ui, state, actions),
            }
            if connection.is_plaintext {
                ui.add_space(space::XS);
                ui.label(RichText::new(NOT_ENCRYPTED).color(theme.warn).size(font_size::SMALL));
            }
        });
}

fn form(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let (connection, search) = (&state.connection, &state.search);
    let is_settled = widgets::is_settled(ui, CARD_BUTTONS, false);
    let is_untouched = ui.memory(|memory| memory.focused().is_none());
    if search.is_on() {
        servers::found_none_or_else(ui, search, actions);
    }

    let server =
        field(ui, "Server", &connection.address, "192.168.1.5 or the name of a computer", Action::EditAddress, actions);
    hint(ui, connection.address_hint(), connection.address.trim().is_empty());
    ui.add_space(space::S);
    let name = name_field(ui, connection, actions);
    // Evaluated before the button is drawn, so that Enter counts once: a field gives up its focus on Enter, and the button
    // could take it.
    let is_enter_free = server.lost_focus() || name.lost_focus() || ui.memory(|memory| memory.focused().is_none());
    let is_enter = is_enter_free && ui.input(|input| input.key_pressed(Key::Enter));
    if is_untouched {
        let wrong = connection.problem.as_ref().and_then(|problem| problem.field);
        match wrong {
            Some(FormField::Address) => server.request_focus(),
            // Nothing was found, so the address is what is missing.
            None if search.is_on() && connection.problem.is_none() => server.request_focus(),
            _ => name.request_focus(),
        }
    }
    ui.add_space(space::M);

    let can_connect = connection.form_hint().is_none();
    // One main button at a time: a way out of a problem comes before another attempt.
    let has_way_out = connection.problem.as_ref().is_some_and(|problem| without_repetition(problem).button.is_some());
    let button = ui
        .add_enabled_ui(can_connect, |ui| {
            let button = |ui: &mut Ui| {
                if has_way_out { ui.button("Connect") } else { widgets::primary_button(ui, "Connect") }
            };
            ui.vertical_centered_justified(button).inner
        })
        .inner;
    if can_connect && (button.clicked() && is_settled || is_enter) {
        actions.push(Action::Connect);
    }
    ui.add_space(space::S);
    links(ui, connection, actions, |ui, actions| {
        if !search.is_on() && ui.link(RichText::new("Look for servers").size(font_size::SMALL)).clicked() {
            actions.push(Action::LookForServers);
        }
    });
}

fn steps(ui: &mut Ui, connection: &Connection, progress: Progress, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.label(
        RichText::new(format!("Joining {} as {}", connection.address.trim(), connection.name.trim()))
            .size(font_size::HEADING),
    );
    ui.add_space(space::S);
    let steps = [
        (Progress::Connecting, "Reaching the server", ""),
        (Progress::MakingKeys, "Making your keys", "Only the first time. It takes a few seconds."),
        (Progress::Joining, "Joining", ""),
    ];
    let current = steps.iter().position(|(step, ..)| *step == progress).unwrap_or(0);
    for (index, (_, text, caption)) in steps.iter().enumerate() {
        let is_current = index == current;
        let (ink, fill) = match index.cmp(&current) {
            std::cmp::Ordering::Less => (theme.weak, theme.good),
            std::cmp::Ordering::Equal => (theme.text, theme.accent),
            std::cmp::Ordering::Greater => (theme.weak, theme.border),
        };
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(18.0), egui::Sense::hover());
            ui.painter().circle_filled(rect.center(), 5.0, fill);
            ui.label(RichText::new(if is_current { format!("{text}…") } else { (*text).to_owned() }).color(ink));
        });
        if is_current && !caption.is_empty() {
            ui.horizontal(|ui| {
                ui.add_space(26.0);
                ui.label(RichText::new(*caption).color(theme.weak).size(font_size::SMALL));
            });
        }
    }
    if let Some(TlsFacts { certificate_hash, .. }) = &connection.tls {
        ui.add_space(space::XS);
        widgets::certificate_lines(ui, "Certificate (compare with the server's console):", certificate_hash);
    }
    ui.add_space(space::M);
    // "Cancel" can take the place of "Connect", and would take the second click of a double click too.
    let is_settled = widgets::is_settled(ui, CARD_BUTTONS, true);
    if ui.button("Cancel").clicked() && is_settled {
        actions.push(Action::Leave);
    }
}
