//! Notices below the bar at the top: a first visit to a server, and a problem with the connection.

use egui::{Align, Layout, RichText, Ui};

use crate::{
    event::TlsFacts,
    state::{
        State,
        action::{Action, Moment},
        connection::Phase,
    },
};

use super::notices;
use crate::ui::kit::{
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Width from which the notice of a first visit has its buttons beside the words.
const WIDE_NOTICE: f32 = 860.0;

/// Draws the certificate of a server that was never visited before, to be compared.
pub(crate) fn first_visit(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let Some(TlsFacts { certificate_hash, .. }) = &state.connection.tls else { return };
    egui::Frame::new()
        .fill(theme.surface)
        .stroke(egui::Stroke::new(1.0, theme.border))
        .corner_radius(size::RADIUS)
        .inner_margin(egui::Margin::symmetric(14, 6))
        .show(ui, |ui| {
            let what = "This is your first visit to this server. Its console shows these words. If it shows others, someone is \
                        between you and the server: leave.";
            ui.label(RichText::new(what).strong());
            let is_wide = ui.available_width() > WIDE_NOTICE;
            if is_wide {
                ui.horizontal(|ui| {
                    widgets::certificate_line(ui, certificate_hash);
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| first_visit_buttons(ui, actions));
                });
            } else {
                ui.set_width(ui.available_width());
                widgets::certificate_line(ui, certificate_hash);
                ui.add_space(space::XS);
                ui.horizontal_wrapped(|ui| first_visit_buttons(ui, actions));
            }
        });
}

fn first_visit_buttons(ui: &mut Ui, actions: &mut Vec<Action>) {
    for (label, tip, action) in [
        ("They are the same", "You have compared, so this really is the server", Action::MarkServer(true)),
        ("Not now", "The words stay in the bar above, at “Not compared”", Action::EndFirstVisitNotice),
    ] {
        if ui.button(RichText::new(label).size(font_size::SMALL)).on_hover_text(tip).clicked() {
            actions.push(action);
        }
    }
}

/// Draws the problem with the connection, if there is one.
pub(crate) fn problem(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let Some(problem) = &state.connection.problem else { return };
    let countdown = match state.connection.phase {
        Phase::Waiting { retry_at } => Some(format!("Next attempt in {} s", notices::seconds_until(retry_at, now))),
        _ => None,
    };
    widgets::problem_card(ui, problem, countdown, actions);
}
