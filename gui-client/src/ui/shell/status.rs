//! The status bar at the top: the server, this client's name, and below it a problem with the connection, if there is one.

use egui::{Align, Layout, Rect, RichText, Sense, Ui, Vec2};

use crate::{
    event::TlsFacts,
    state::{
        State,
        action::{Action, Moment},
        connection::Phase,
    },
};

use crate::ui::kit::{
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Width from which the notice of a first visit has its buttons beside the words.
const WIDE_NOTICE: f32 = 860.0;

/// Shown all the time while the connection to the server is not encrypted.
const NOT_ENCRYPTED: &str = "Not encrypted";
const NOT_ENCRYPTED_MEANING: &str = "The connection to the server is not encrypted: anyone on the network can see who writes to whom, watch the videos \
     and change what the server sends. The texts of messages are still encrypted from person to person.";

/// Draws the bar.
pub(crate) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.horizontal_centered(|ui| {
        ui.add_space(space::S);
        let (rect, _) = ui.allocate_exact_size(Vec2::new(26.0, 20.0), Sense::hover());
        widgets::mark(ui, rect);
        ui.label(RichText::new("Triptych").size(font_size::HEADING));
        ui.add_space(space::M);
        server(ui, state);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(space::XS);
            if ui.button("Leave").on_hover_text("Disconnect and return to the form").clicked() {
                actions.push(Action::Leave);
            }
            me(ui, state, theme);
        });
    });
}

fn server(ui: &mut Ui, state: &State) {
    let theme = Theme::of(ui);
    let is_plaintext = state.connection.is_plaintext;
    let (color, text) = match state.connection.phase {
        Phase::Online if is_plaintext => (theme.warn, format!("Online at {}", state.connection.address.trim())),
        Phase::Online => (theme.good, format!("Online at {}", state.connection.address.trim())),
        Phase::Attempting(_) => (theme.warn, format!("Connecting to {}…", state.connection.address.trim())),
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
    let room = (ui.available_width() - 230.0).max(60.0);
    let label = ui.scope(|ui| {
        ui.set_max_width(room);
        ui.add(egui::Label::new(RichText::new(text).color(theme.weak)).truncate())
    });
    label.inner.on_hover_ui(|ui| match &state.connection.tls {
        Some(TlsFacts { certificate_hash, key_exchange }) => {
            widgets::certificate_lines(ui, "Certificate (compare with the server's console):", certificate_hash);
            let text = format!("Encrypted with TLS 1.3. Keys were agreed with {key_exchange}.");
            ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak));
        }
        None => {
            ui.label(if is_plaintext { NOT_ENCRYPTED_MEANING } else { "There is no connection." });
        }
    });
}

fn me(ui: &mut Ui, state: &State, theme: &Theme) {
    let name = state.people.my_name().map_or(state.connection.name.as_str(), |name| name.as_str());
    let key = state.people.me();
    let label = ui.label(RichText::new(name).strong());
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(size::AVATAR - 2.0), Sense::hover());
    widgets::avatar(ui, rect.center(), rect.width(), name, key.as_ref(), state.connection.is_online());
    let corner = Rect::from_center_size(rect.center(), rect.size()).right_bottom() - Vec2::splat(4.0);
    let color = if state.connection.is_online() { theme.good } else { theme.border };
    widgets::dot(ui, corner, color, theme.background);
    if let Some(key) = key {
        label.on_hover_ui(|ui| widgets::fingerprint_lines(ui, "Your key:", &widgets::key_text(&key)));
    }
}

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
    for (label, tip) in [
        ("They are the same", "You have compared, so this really is the server"),
        ("Not now", "Point at the address above to see the words again"),
    ] {
        if ui.button(RichText::new(label).size(font_size::SMALL)).on_hover_text(tip).clicked() {
            actions.push(Action::EndFirstVisitNotice);
        }
    }
}

/// Draws the problem with the connection, if there is one.
pub(crate) fn problem(ui: &mut Ui, state: &State, now: Moment, actions: &mut Vec<Action>) {
    let Some(problem) = &state.connection.problem else { return };
    let countdown = match state.connection.phase {
        Phase::Waiting { retry_at } => {
            let seconds = retry_at.saturating_duration_since(now.instant).as_millis().div_ceil(1_000);
            Some(format!("Next attempt in {seconds} s"))
        }
        _ => None,
    };
    widgets::problem_card(ui, problem, countdown, actions);
}
