//! Small widgets that several views share.

use std::{fmt::Debug, hash::Hash};

use common::crypto::{KeyId, fingerprint, short_fingerprint};
use egui::{
    Align, Align2, Color32, FontId, Layout, Margin, Pos2, Rect, Response, RichText, Role, Sense, Stroke, TextWrapMode,
    Ui, Vec2, WidgetInfo, WidgetText,
};

use crate::{
    event::CertificateChange,
    state::{
        action::Action,
        connection::{CertificateChoice, ConnectionProblem},
    },
};

pub(crate) use super::mark::show as mark;
use super::{
    text,
    theme::{FOCUS_WIDTH, Theme, font_size, semibold, size, space},
};

/// The main button of a screen, filled with the accent colour.
pub(crate) fn primary_button(ui: &mut Ui, text: &str) -> Response {
    let theme = Theme::of(ui);
    ui.scope(|ui| {
        if !ui.is_enabled() {
            // Grey instead of faded: a label that fades together with its fill cannot be read.
            ui.set_opacity(1.0);
            let plain = &mut ui.visuals_mut().widgets.inactive;
            (plain.weak_bg_fill, plain.bg_stroke, plain.fg_stroke.color) = (theme.hover, Stroke::NONE, theme.weak);
            return ui.add(egui::Button::new(text));
        }
        let widgets = &mut ui.visuals_mut().widgets;
        for (state, fill) in [
            (&mut widgets.inactive, theme.accent),
            (&mut widgets.hovered, theme.accent_hover),
            (&mut widgets.active, theme.accent_hover),
        ] {
            state.weak_bg_fill = fill;
            state.bg_fill = fill;
            state.bg_stroke = Stroke::NONE;
            state.fg_stroke.color = theme.on_accent;
        }
        let response = ui.add(egui::Button::new(text));
        // Around it: on the accent colour it would not be seen.
        focus_ring(ui, response.rect.expand(3.0), &response);
        response
    })
    .inner
}

/// Draws a field or a check box, with an edge by which it is recognised; a button is recognised by its label.
pub(crate) fn edged<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let edge = Theme::of(ui).edge;
    ui.scope(|ui| {
        ui.visuals_mut().widgets.inactive.bg_stroke.color = edge;
        add(ui)
    })
    .inner
}

/// Time after a change of buttons during which clicks on the new ones are ignored, in seconds. Desktops take two clicks
/// within 0.4 to 0.5 seconds for a double click.
const DOUBLE_CLICK_SECONDS: f64 = 0.5;

/// Whether a group of buttons has been shown in this `arrangement` for long enough that a click is meant for it. The second
/// click of a double click would otherwise hit whatever button has taken the place of the first. To be called in each frame.
pub(crate) fn is_settled<T>(ui: &Ui, group: &str, arrangement: T) -> bool
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let id = egui::Id::unique(("arrangement", group));
    let now = ui.input(|input| input.time);
    let last: Option<(T, f64)> = ui.data(|data| data.get_temp(id));
    let since = match last {
        Some((last, since)) if last == arrangement => since,
        Some(_) => now,
        None => f64::NEG_INFINITY,
    };
    ui.data_mut(|data| data.insert_temp(id, (arrangement, since)));
    now - since >= DOUBLE_CLICK_SECONDS
}

/// Draws a circle with the initial of a name, coloured by the key. Without a key it represents several people.
pub(crate) fn avatar(ui: &Ui, center: Pos2, diameter: f32, name: &str, key: Option<&KeyId>, is_online: bool) {
    let theme = Theme::of(ui);
    let (fill, text) = match key {
        _ if !is_online => (theme.border, theme.weak),
        None => (theme.accent, theme.on_accent),
        Some(key) => (theme.people[usize::from(key.0[0]) % theme.people.len()], theme.on_people),
    };
    // The ring keeps the circle visible on a selected row, which has almost the same colour.
    let ring = if is_online { Stroke::NONE } else { Stroke::new(1.0, theme.weak) };
    ui.painter().circle(center, diameter / 2.0 - ring.width / 2.0, fill, ring);
    if key.is_none() {
        // Three dots.
        for (x, y) in [(0.0, -0.15), (-0.17, 0.13), (0.17, 0.13)] {
            ui.painter().circle_filled(center + Vec2::new(x, y) * diameter, diameter * 0.11, text);
        }
        return;
    }
    let initial: String = name.chars().next().into_iter().flat_map(char::to_uppercase).collect();
    ui.painter().text(center, Align2::CENTER_CENTER, initial, FontId::proportional(diameter * 0.5), text);
}

/// Draws the dot that shows whether a person or the connection is online.
pub(crate) fn dot(ui: &Ui, center: Pos2, color: Color32, background: Color32) {
    ui.painter().circle(center, size::DOT / 2.0, color, Stroke::new(2.0, background));
}

/// Draws the rail of a slider, or a part of it.
pub(crate) fn rail(ui: &Ui, rect: Rect) {
    let theme = Theme::of(ui);
    let edge = Stroke::new(1.0, theme.edge);
    ui.painter().rect(rect, rect.height() / 2.0, theme.rail, edge, egui::StrokeKind::Inside);
}

/// Draws the knob of a slider, a little larger under the pointer.
pub(crate) fn knob(ui: &Ui, center: Pos2, radius: f32, response: &Response) {
    let theme = Theme::of(ui);
    let is_held = response.hovered() || response.dragged();
    let radius = if is_held { radius * 1.25 } else { radius };
    let ring = if response.has_focus() { theme.focus } else { theme.background };
    ui.painter().circle(center, radius, theme.accent, Stroke::new(2.0, ring));
}

/// One of several buttons of which exactly one is chosen.
pub(crate) fn tab(ui: &mut Ui, text: &str, is_chosen: bool) -> Response {
    let theme = Theme::of(ui);
    ui.scope(|ui| {
        let visuals = ui.visuals_mut();
        visuals.selection.bg_fill = theme.accent_soft;
        visuals.selection.stroke.color = theme.text;
        visuals.widgets.inactive.fg_stroke.color = theme.weak;
        let edge = if is_chosen { Stroke::new(1.0, theme.accent) } else { Stroke::NONE };
        visuals.widgets.inactive.bg_stroke = edge;
        visuals.widgets.hovered.bg_stroke = edge;
        ui.add(egui::Button::selectable(is_chosen, text))
    })
    .inner
}

/// Draws the ring around what has the keyboard focus.
pub(crate) fn focus_ring(ui: &Ui, rect: Rect, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(FOCUS_WIDTH, Theme::of(ui).focus);
        ui.painter().rect_stroke(rect, f32::from(size::RADIUS), stroke, egui::StrokeKind::Inside);
    }
}

/// A row of a list that can be clicked. Its id comes from `id_source` instead of from its place in the list, so that the
/// focus and a click that has begun stay with it when the list changes. `name` is what a screen reader says; `paint` draws
/// the contents.
pub(crate) fn row(
    ui: &mut Ui,
    id_source: impl Hash + Debug,
    height: f32,
    is_selected: bool,
    name: &str,
    paint: impl FnOnce(&mut Ui, Rect),
) -> Response {
    let theme = Theme::of(ui);
    let (_, rect) = ui.allocate_space(Vec2::new(ui.available_width(), height));
    let response = ui.interact(rect, egui::Id::unique(id_source), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), is_selected, name));
    if ui.is_rect_visible(rect) {
        let fill = match (is_selected, response.hovered()) {
            (true, _) => theme.accent_soft,
            (false, true) => theme.hover,
            (false, false) => Color32::TRANSPARENT,
        };
        // The edge is what tells the selected row: its fill alone has too little contrast.
        let edge = if is_selected { Stroke::new(1.0, theme.accent) } else { Stroke::NONE };
        ui.painter().rect(rect, f32::from(size::RADIUS), fill, edge, egui::StrokeKind::Inside);
        focus_ring(ui, rect, &response);
        paint(ui, rect);
    }
    if response.gained_focus() && !response.is_pointer_button_down_on() {
        // The Tab key may have reached a row beyond the visible ones.
        response.scroll_to_me(None);
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// Paints one line of text into a rectangle, shortened with `…` if it does not fit. Returns its width.
pub(crate) fn line(ui: &Ui, rect: Rect, text: impl Into<WidgetText>, font_size: f32, color: Color32) -> f32 {
    let written: WidgetText = text.into();
    let font = FontId::proportional(font_size);
    let galley = if text::has_right_to_left(written.text()) {
        text::line(ui, written.text(), font, color, rect.width())
    } else {
        written.into_galley(ui, Some(TextWrapMode::Truncate), rect.width(), font)
    };
    let width = galley.size().x;
    let top = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(Pos2::new(rect.left(), top), galley, color);
    width
}

/// The header of a list, with the number of entries and, in the accent colour, what is new in it.
pub(crate) fn section_header(ui: &mut Ui, text: &str, count: usize, news: Option<&str>) {
    let theme = Theme::of(ui);
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        let header = RichText::new(text).font(semibold(font_size::SECTION)).color(theme.weak);
        ui.label(header.extra_letter_spacing(font_size::SECTION_SPACING));
        if count > 0 {
            ui.label(RichText::new(count.to_string()).size(font_size::SMALL).color(theme.weak));
        }
        if let Some(news) = news {
            ui.label(RichText::new(format!("· {news}")).size(font_size::SMALL).color(theme.accent).strong());
        }
    });
    ui.add_space(2.0);
}

/// Width from which a card has two parts side by side.
pub(crate) const WIDE_CARD: f32 = 640.0;

/// A card that says what went wrong, what it means and what to do, with a button. If there is room, the button is beside
/// the text. `countdown` is the time until the next automatic attempt.
pub(crate) fn problem_card(
    ui: &mut Ui,
    problem: &ConnectionProblem,
    countdown: Option<String>,
    actions: &mut Vec<Action>,
) {
    let theme = Theme::of(ui);
    let (ink, fill) = if problem.is_alarming { (theme.bad, theme.bad_soft) } else { (theme.warn, theme.warn_soft) };
    egui::Frame::new()
        .fill(fill)
        .stroke(Stroke::new(1.0, ink.gamma_multiply(0.5)))
        .corner_radius(size::RADIUS)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            let is_wide = ui.available_width() > WIDE_CARD;
            let text = |ui: &mut Ui| {
                ui.label(RichText::new(&problem.what).font(semibold(font_size::BODY)).color(ink));
                ui.label(RichText::new(&problem.remedy).color(theme.text).size(font_size::SMALL));
                if let Some(details) = &problem.details {
                    ui.collapsing(RichText::new("Details").size(font_size::SMALL), |ui| {
                        ui.label(RichText::new(details).color(theme.weak).size(font_size::SMALL));
                    });
                }
            };
            if let Some(choice) = &problem.certificate {
                ui.set_width(ui.available_width());
                text(ui);
                certificate_choice(ui, choice, actions);
                return;
            }
            if is_wide {
                // At the top: `horizontal` centres the text on a row that is only as high as a button.
                ui.horizontal_top(|ui| {
                    ui.allocate_ui(Vec2::new(ui.available_width() - 280.0, 0.0), |ui| ui.vertical(text));
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        remedy_button(ui, problem, countdown, actions)
                    });
                });
            } else {
                ui.set_width(ui.available_width());
                text(ui);
                if problem.button.is_some() || countdown.is_some() {
                    ui.add_space(space::XS);
                    ui.horizontal(|ui| remedy_button(ui, problem, countdown, actions));
                }
            }
        });
}

/// The two certificates, and what the person can do about them. Nothing is trusted before the person says that the words
/// were compared.
fn certificate_choice(ui: &mut Ui, choice: &CertificateChoice, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    ui.add_space(space::XS);
    let both = |ui: &mut Ui| {
        for (header, hash) in [("Now", &choice.change.found), ("Before", &choice.change.expected)] {
            ui.vertical(|ui| certificate_lines(ui, header, hash));
            ui.add_space(space::S);
        }
    };
    if ui.available_width() > WIDE_CARD {
        ui.horizontal_top(both).inner
    } else {
        both(ui)
    }
    ui.add_space(space::XS);
    let mut is_confirmed = choice.is_confirmed;
    let text = RichText::new("I have compared: the console shows the words under “Now”.").color(theme.text);
    if edged(ui, |ui| ui.checkbox(&mut is_confirmed, text)).changed() {
        actions.push(Action::ConfirmCertificate(is_confirmed));
    }
    ui.horizontal_wrapped(|ui| {
        if ui.add_enabled_ui(choice.is_confirmed, |ui| primary_button(ui, "Trust it and join")).inner.clicked() {
            actions.push(Action::TrustCertificate);
        }
        if ui.button("Copy both").clicked() {
            let words = |hash| format!("{} ({})", fingerprint::words(hash), fingerprint::digits(hash));
            let CertificateChange { address, expected, found } = &choice.change;
            ui.ctx().copy_text(format!("{address}\nNow: {}\nBefore: {}\n", words(found), words(expected)));
        }
        if ui.button("Back").on_hover_text("Decide later, and stay away from this server").clicked() {
            actions.push(Action::Leave);
        }
        let forget = ui.button("Forget this server");
        if forget
            .on_hover_text("The next visit counts as the first, and takes whatever certificate comes then")
            .clicked()
        {
            actions.push(Action::ForgetServer);
        }
    });
}

/// A certificate as the server's console shows it: in words, and in digits. In one line where there is room.
pub(crate) fn certificate_line(ui: &mut Ui, certificate_hash: &[u8; 32]) {
    let theme = Theme::of(ui);
    let room = ui.available_width();
    ui.horizontal_wrapped(|ui| {
        ui.set_max_width(room);
        ui.spacing_mut().item_spacing = Vec2::new(space::M, 2.0);
        ui.label(RichText::new(fingerprint::words(certificate_hash)).monospace().color(theme.text));
        ui.label(RichText::new(fingerprint::digits(certificate_hash)).monospace().color(theme.weak));
    });
}

/// The same under a header, in two lines.
pub(crate) fn certificate_lines(ui: &mut Ui, header: &str, certificate_hash: &[u8; 32]) {
    let theme = Theme::of(ui);
    ui.label(RichText::new(header).size(font_size::SMALL).color(theme.weak));
    ui.label(RichText::new(fingerprint::words(certificate_hash)).monospace().color(theme.text));
    ui.label(RichText::new(fingerprint::digits(certificate_hash)).monospace().color(theme.weak));
}

fn remedy_button(ui: &mut Ui, problem: &ConnectionProblem, countdown: Option<String>, actions: &mut Vec<Action>) {
    if let Some((label, action)) = &problem.button {
        let response = primary_button(ui, label);
        // On the form, where nothing counts down, Enter presses the button unless the person is typing; not one that changes
        // files, which is to be a decision.
        let is_decision = matches!(action, Action::Repair(_));
        if countdown.is_none() && !is_decision && ui.memory(|memory| memory.focused().is_none()) {
            response.request_focus();
        }
        if response.clicked() {
            actions.push(action.clone());
        }
    }
    if let Some(countdown) = countdown {
        ui.label(RichText::new(countdown).color(Theme::of(ui).weak).size(font_size::SMALL));
    }
}

/// The short form of a key or certificate under a header, for a tooltip.
pub(crate) fn fingerprint_lines(ui: &mut Ui, header: &str, fingerprint: &str) {
    ui.label(RichText::new(header).size(font_size::SMALL).color(Theme::of(ui).weak));
    ui.label(RichText::new(fingerprint).monospace());
}

/// The short form of a key: 16 hexadecimal digits in four groups.
pub(crate) fn key_text(key: &KeyId) -> String {
    short_fingerprint(&key.0)
}

/// A field that narrows a list down by name. Returns the text if it has changed. `name` is what a screen reader says.
pub(crate) fn filter_field(ui: &mut Ui, text: &str, hint: &'static str, name: &str) -> Option<String> {
    let mut text = text.to_owned();
    let field = egui::TextEdit::singleline(&mut text)
        .id_salt(name)
        .hint_text(hint)
        .char_limit(64)
        .align(Align2::LEFT_CENTER)
        .desired_width(ui.available_width())
        .margin(Margin::symmetric(8, 6));
    let response = edged(ui, |ui| ui.add(field)).accessible_name(name);
    response.changed().then_some(text)
}

/// A header and a text in the middle of an otherwise empty area.
pub(crate) fn empty_state(ui: &mut Ui, header: &str, text: &str) {
    let theme = Theme::of(ui);
    let height = 120.0;
    ui.add_space(((ui.available_height() - height) * 0.42).max(space::S));
    ui.vertical_centered(|ui| {
        ui.set_max_width((ui.available_width() - 2.0 * space::L).min(400.0));
        ui.label(RichText::new(header).font(semibold(font_size::HEADING)).color(theme.text));
        ui.add_space(2.0);
        ui.label(RichText::new(text).color(theme.weak));
    });
}

/// A short text under a list, as wide as the list.
pub(crate) fn caption(ui: &mut Ui, text: &str) {
    egui::Frame::new().inner_margin(Margin::symmetric(8, 2)).show(ui, |ui| {
        ui.label(RichText::new(text).size(font_size::SMALL).color(Theme::of(ui).weak));
    });
}

/// The background of a text on a picture. Its edge tells it from a picture that is dark too.
pub(crate) fn overlay(ui: &Ui, rect: Rect) {
    let theme = Theme::of(ui);
    let corners = (rect.height() / 2.0).min(f32::from(size::BUBBLE_RADIUS));
    let edge = Stroke::new(1.0, theme.overlay_edge);
    ui.painter().rect(rect, corners, theme.overlay, edge, egui::StrokeKind::Inside);
}

/// A sentence at a place of a picture, on a dark background, in as many lines as it needs. `kind` is the source of its id.
pub(crate) fn notice(ui: &mut Ui, picture: Rect, place: Align2, text: &str, kind: &str) -> Response {
    let theme = Theme::of(ui);
    let width = (picture.width() - 2.0 * space::L).max(120.0);
    let font = FontId::proportional(font_size::SMALL);
    let mut job = egui::text::LayoutJob::simple(text.to_owned(), font, theme.on_overlay, width);
    job.halign = Align::Center;
    let galley = ui.painter().layout_job(job);
    let room = picture.shrink(space::S);
    let rect = place.align_size_within_rect(galley.size() + Vec2::new(18.0, 8.0), room);
    overlay(ui, rect);
    // A centred text is placed by the middle of its upper edge.
    let top = rect.center() - Vec2::new(0.0, galley.size().y / 2.0);
    ui.painter().galley(top, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// Distance of a badge from the edges of its picture, unless that is small.
const BADGE_DISTANCE: f32 = 8.0;

/// A text in the upper right corner of a picture, in several lines where one has no room. On a small picture it is the first of
/// the `shorter` texts that has room, and the whole one when the pointer is on it. `kind` is the source of its id.
pub(crate) fn badge(ui: &mut Ui, picture: Rect, (text, shorter): (&str, &[String]), kind: &str) {
    let theme = Theme::of(ui);
    let margin = Vec2::new(18.0, 8.0);
    let distance = Vec2::splat(BADGE_DISTANCE.min(picture.width() * 0.05));
    let room = picture.size() - 2.0 * distance - margin;
    let layout = |text: &str, width: f32| {
        let font = FontId::proportional(font_size::SMALL);
        ui.painter().layout(text.to_owned(), font, theme.on_overlay, width.max(1.0))
    };
    let (mut shown, mut galley) = (text, layout(text, room.x));
    let count = shorter.len();
    for (number, shorter) in (1..).zip(shorter) {
        if galley.size().x <= room.x && galley.size().y <= room.y {
            break;
        }
        // The shortest one is not torn apart, whatever there is room for.
        let width = if number == count { f32::INFINITY } else { room.x };
        (shown, galley) = (shorter.as_str(), layout(shorter, width));
    }
    let corner = picture.right_top() + Vec2::new(-distance.x, distance.y);
    let rect = Align2::RIGHT_TOP.anchor_size(corner, galley.size() + margin);
    overlay(ui, rect);
    let text_rect = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect);
    ui.painter().galley(text_rect.min, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    if shown != text {
        response.on_hover_text(text);
    }
}

/// A text on a dark background, readable on any picture. `kind` is the source of its id.
pub(crate) fn pill(ui: &mut Ui, anchor: Pos2, align: Align2, text: &str, kind: &str) {
    let theme = Theme::of(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(font_size::SMALL), theme.on_overlay);
    let rect = align.anchor_size(anchor, galley.size() + Vec2::new(18.0, 8.0));
    overlay(ui, rect);
    let text_rect = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect);
    ui.painter().galley(text_rect.min, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}
