//! The certificate of the server in the bar: whether it was compared, and in a popover its words.

use common::crypto::fingerprint;
use egui::{Align2, FontId, Response, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::{
    event::TlsFacts,
    state::{State, action::Action},
};

use crate::ui::kit::{
    icons::{self, Icon},
    popover,
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Width of the popover, in points.
const WIDTH: f32 = 330.0;

/// Height of the chip, in points.
const HEIGHT: f32 = 24.0;

/// Draws the chip. Where there is little room (`is_short`), it is an icon.
pub(super) fn show(ui: &mut Ui, state: &State, is_short: bool, actions: &mut Vec<Action>) {
    // The one that was verified is not the one that answers now: that is a problem with its own card.
    let has_changed = state.connection.problem.as_ref().is_some_and(|problem| problem.certificate.is_some());
    let Some(tls) = state.connection.tls.as_ref().filter(|_| !has_changed) else { return };
    let is_verified = state.is_server_verified();
    let response = chip(ui, is_verified, is_short);
    popover::show(&response, "Certificate of the server", WIDTH, |ui| contents(ui, tls, is_verified, actions));
}

fn chip(ui: &mut Ui, is_verified: bool, is_short: bool) -> Response {
    let theme = Theme::of(ui);
    let (text, icon, color) =
        if is_verified { ("Verified", Icon::Relayed, theme.good) } else { ("Not compared", Icon::Key, theme.weak) };
    let font = FontId::proportional(font_size::SMALL);
    let text_width =
        if is_short { 0.0 } else { ui.painter().layout_no_wrap(text.to_owned(), font.clone(), color).size().x };
    let gap = if is_short { 0.0 } else { space::XS };
    let chip_size = Vec2::new(16.0 + gap + text_width + 2.0 * space::S, HEIGHT);
    let (rect, response) = ui.allocate_exact_size(chip_size, Sense::click());
    response.widget_info(|| {
        let state = if is_verified { "verified" } else { "not compared yet" };
        WidgetInfo::labeled(Role::Button, true, format!("Certificate of the server, {state}"))
    });
    let fill = if response.hovered() { theme.hover } else { theme.background };
    let edge = egui::Stroke::new(1.0, theme.edge);
    ui.painter().rect(rect, HEIGHT / 2.0, fill, edge, egui::StrokeKind::Inside);
    if response.has_focus() {
        let ring = egui::Stroke::new(2.0, theme.focus);
        ui.painter().rect_stroke(rect, HEIGHT / 2.0, ring, egui::StrokeKind::Inside);
    }
    icons::paint(ui.painter(), icon, rect.left_center() + Vec2::new(space::S + 8.0, 0.0), 14.0, color);
    if !is_short {
        let left = rect.left_center() + Vec2::new(space::S + 16.0 + gap, 0.0);
        ui.painter().text(left, Align2::LEFT_CENTER, text, font, color);
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

fn contents(ui: &mut Ui, tls: &TlsFacts, is_verified: bool, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let (words, digits) = (fingerprint::words(&tls.certificate_hash), fingerprint::digits(&tls.certificate_hash));
    ui.label(RichText::new("Certificate of this server").font(semibold(font_size::BODY)));
    ui.add_space(space::XS);
    egui::Frame::new().fill(theme.background).corner_radius(size::RADIUS).inner_margin(egui::Margin::same(8)).show(
        ui,
        |ui| {
            ui.set_width(ui.available_width());
            ui.label(RichText::new(&words).monospace().color(theme.text));
            ui.label(RichText::new(&digits).monospace().color(theme.weak));
        },
    );
    ui.add_space(space::XS);
    let text = if is_verified {
        "You have compared these words with the server's console, so no one is between you and the server."
    } else {
        "The server's console shows the same words. Ask the person who runs it to read them out. If they differ, someone is between \
         you and the server: disconnect."
    };
    ui.label(text);
    ui.label(
        RichText::new(format!("Encrypted with TLS 1.3. Keys were agreed with {}.", tls.key_exchange))
            .size(font_size::SMALL)
            .color(theme.weak),
    );
    ui.add_space(space::XS);
    ui.horizontal_wrapped(|ui| {
        let is_marked = if is_verified {
            ui.button("Take the mark back").clicked()
        } else {
            widgets::primary_button(ui, "They are the same").clicked()
        };
        if is_marked {
            actions.push(Action::MarkServer(!is_verified));
        }
        if ui.button("Copy").clicked() {
            ui.ctx().copy_text(format!("{words} ({digits})"));
        }
    });
}
