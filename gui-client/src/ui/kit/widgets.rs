//! Small parts that several views share.

use common::crypto::{KeyId, short_fingerprint};
use egui::{
    Align, Align2, Color32, FontId, Layout, Margin, Pos2, Rect, Response, RichText, Role, Sense, Stroke, TextWrapMode,
    Ui, Vec2, WidgetInfo, WidgetText,
};

use crate::state::{action::Action, connection::ConnectionProblem};

use super::theme::{Theme, font_size, size, space};

/// The button that matters most on its screen.
pub fn primary_button(ui: &mut Ui, text: &str) -> Response {
    let theme = Theme::of(ui);
    ui.scope(|ui| {
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
        ui.add(egui::Button::new(text))
    })
    .inner
}

/// Three panels side by side, each finer than the one before: the mark of the program.
pub fn mark(ui: &Ui, rect: Rect) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let gap = rect.width() * 0.09;
    let panel_width = (rect.width() - 2.0 * gap) / 3.0;
    for (index, color) in theme.parts.into_iter().enumerate() {
        let left = rect.left() + index as f32 * (panel_width + gap);
        // The wings of an altar piece are lower than its middle; here each panel grows.
        let drop = rect.height() * (0.3 - 0.15 * index as f32);
        let panel =
            Rect::from_min_max(Pos2::new(left, rect.top() + drop), Pos2::new(left + panel_width, rect.bottom()));
        painter.rect_filled(panel, panel_width * 0.18, color);
    }
}

/// A circle with the first letter of a name, coloured by the key; without a key it stands for several people.
pub fn avatar(ui: &Ui, center: Pos2, diameter: f32, name: &str, key: Option<&KeyId>, is_online: bool) {
    let theme = Theme::of(ui);
    let (fill, text) = match key {
        _ if !is_online => (theme.border, theme.weak),
        None => (theme.accent, theme.on_accent),
        Some(key) => (theme.people[usize::from(key.0[0]) % theme.people.len()], theme.on_people),
    };
    ui.painter().circle_filled(center, diameter / 2.0, fill);
    if key.is_none() {
        // Several people: three dots.
        for (x, y) in [(0.0, -0.15), (-0.17, 0.13), (0.17, 0.13)] {
            ui.painter().circle_filled(center + Vec2::new(x, y) * diameter, diameter * 0.11, text);
        }
        return;
    }
    let initial: String = name.chars().next().into_iter().flat_map(char::to_uppercase).collect();
    ui.painter().text(center, Align2::CENTER_CENTER, initial, FontId::proportional(diameter * 0.5), text);
}

/// The dot that says whether somebody or something is online.
pub fn dot(ui: &Ui, center: Pos2, color: Color32, background: Color32) {
    ui.painter().circle(center, size::DOT / 2.0, color, Stroke::new(2.0, background));
}

/// What is dragged along a bar; it grows a little under the pointer.
pub fn knob(ui: &Ui, center: Pos2, radius: f32, response: &Response) {
    let theme = Theme::of(ui);
    let is_grasped = response.hovered() || response.dragged();
    let radius = if is_grasped { radius * 1.25 } else { radius };
    let ring = if response.has_focus() { theme.text } else { theme.background };
    ui.painter().circle(center, radius, theme.accent, Stroke::new(2.0, ring));
}

/// One of several buttons of which one is chosen.
pub fn tab(ui: &mut Ui, text: &str, is_chosen: bool) -> Response {
    let theme = Theme::of(ui);
    ui.scope(|ui| {
        let visuals = ui.visuals_mut();
        visuals.selection.bg_fill = theme.accent_soft;
        visuals.selection.stroke.color = theme.text;
        visuals.widgets.inactive.fg_stroke.color = theme.weak;
        visuals.widgets.hovered.bg_stroke = Stroke::NONE;
        ui.add(egui::Button::selectable(is_chosen, text))
    })
    .inner
}

/// A whole line of a list that can be clicked; `paint` fills it.
pub fn row(ui: &mut Ui, height: f32, is_selected: bool, name: &str, paint: impl FnOnce(&mut Ui, Rect)) -> Response {
    let theme = Theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), is_selected, name));
    if ui.is_rect_visible(rect) {
        let fill = match (is_selected, response.hovered()) {
            (true, _) => theme.accent_soft,
            (false, true) => theme.hover,
            (false, false) => Color32::TRANSPARENT,
        };
        ui.painter().rect_filled(rect, f32::from(size::RADIUS), fill);
        if response.has_focus() {
            let stroke = Stroke::new(1.5, theme.accent);
            ui.painter().rect_stroke(rect, f32::from(size::RADIUS), stroke, egui::StrokeKind::Inside);
        }
        paint(ui, rect);
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// Paints one line of text into a rectangle, shortened with `…` where it does not fit. Returns its width.
pub fn line(ui: &Ui, rect: Rect, text: impl Into<WidgetText>, font_size: f32, color: Color32) -> f32 {
    let text: WidgetText = text.into();
    let galley = text.into_galley(ui, Some(TextWrapMode::Truncate), rect.width(), FontId::proportional(font_size));
    let width = galley.size().x;
    let top = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(Pos2::new(rect.left(), top), galley, color);
    width
}

/// A header over a list, with a number behind it.
pub fn section_header(ui: &mut Ui, text: &str, count: usize) {
    let theme = Theme::of(ui);
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.label(RichText::new(text).size(font_size::SMALL).color(theme.weak).strong());
        if count > 0 {
            ui.label(RichText::new(count.to_string()).size(font_size::SMALL).color(theme.weak));
        }
    });
    ui.add_space(2.0);
}

/// What went wrong, what it means, and one button; a wide one has the button beside the words.
pub fn problem_card(ui: &mut Ui, problem: &ConnectionProblem, countdown: Option<String>, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let (ink, fill) = if problem.is_alarming { (theme.bad, theme.bad_soft) } else { (theme.warn, theme.warn_soft) };
    egui::Frame::new()
        .fill(fill)
        .stroke(Stroke::new(1.0, ink.gamma_multiply(0.5)))
        .corner_radius(size::RADIUS)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            let is_wide = ui.available_width() > 640.0;
            let text = |ui: &mut Ui| {
                ui.label(RichText::new(&problem.what).color(ink).strong());
                ui.label(RichText::new(&problem.remedy).color(theme.text).size(font_size::SMALL + 0.5));
            };
            if is_wide {
                // In the narrow strip over the main screen the way on stands beside the words.
                ui.horizontal(|ui| {
                    ui.allocate_ui(Vec2::new(ui.available_width() - 280.0, 0.0), |ui| ui.vertical(text));
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| way_on(ui, problem, countdown, actions));
                });
            } else {
                ui.set_width(ui.available_width());
                text(ui);
                if problem.button.is_some() || countdown.is_some() {
                    ui.add_space(space::XS);
                    ui.horizontal(|ui| way_on(ui, problem, countdown, actions));
                }
            }
        });
}

fn way_on(ui: &mut Ui, problem: &ConnectionProblem, countdown: Option<String>, actions: &mut Vec<Action>) {
    if let Some((label, action)) = &problem.button {
        let response = primary_button(ui, label);
        // On the form (nothing counts down there) the way on is one key away, unless the person is typing.
        if countdown.is_none() && ui.memory(|memory| memory.focused().is_none()) {
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

/// A key's short form under a header, for a tooltip.
pub fn fingerprint_lines(ui: &mut Ui, header: &str, fingerprint: &str) {
    ui.label(RichText::new(header).size(font_size::SMALL).color(Theme::of(ui).weak));
    ui.label(RichText::new(fingerprint).monospace());
}

/// A key's short form.
pub fn key_text(key: &KeyId) -> String {
    short_fingerprint(&key.0)
}

/// A calm message in the middle of an otherwise empty place.
pub fn empty_state(ui: &mut Ui, header: &str, text: &str) {
    let theme = Theme::of(ui);
    let height = 120.0;
    ui.add_space(((ui.available_height() - height) * 0.42).max(space::S));
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(400.0));
        ui.label(RichText::new(header).size(font_size::HEADING).color(theme.text));
        ui.add_space(2.0);
        ui.label(RichText::new(text).color(theme.weak));
    });
}

/// A line or two under a list, as narrow as the list.
pub fn caption(ui: &mut Ui, text: &str) {
    egui::Frame::new().inner_margin(Margin::symmetric(8, 2)).show(ui, |ui| {
        ui.label(RichText::new(text).size(font_size::SMALL).color(Theme::of(ui).weak));
    });
}

/// A word on a dark background that stays readable on any picture.
pub fn pill(ui: &mut Ui, anchor: Pos2, align: Align2, text: &str, kind: &str) {
    let theme = Theme::of(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(font_size::SMALL), theme.on_overlay);
    let rect = align.anchor_size(anchor, galley.size() + Vec2::new(18.0, 8.0));
    ui.painter().rect_filled(rect, rect.height() / 2.0, theme.overlay);
    let position = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect);
    ui.painter().galley(position.min, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}
