//! The statistics over the picture: a table that lets clicks through to what is under it, and a button that closes it.

use std::sync::Arc;

use egui::{
    Area, FontId, Galley, Id, Order, Pos2, Rect, Role, Sense, Stroke, TextWrapMode, Ui, Vec2, WidgetInfo, WidgetText,
};

use crate::{
    state::{action::Action, player::statistics::Line},
    ui::kit::{
        icons::{self, Icon},
        theme::{Theme, font_size, size, space},
    },
};

/// The first line.
const TITLE: &str = "Statistics";

/// Width of the values, beyond which they are wrapped.
const VALUE_WIDTH: f32 = 210.0;

/// Distance between two lines.
const LINE_GAP: f32 = 2.0;

/// Side of the button that closes the table.
const CLOSE: f32 = 24.0;

/// Distance of the table from the edges of the picture and of the window.
const MARGIN: f32 = space::S;

/// Draws the table at the upper left corner of the picture, or as near as the window has room for it. Returns where it lies.
pub(super) fn show(ui: &Ui, picture: Rect, lines: &[Line], actions: &mut Vec<Action>) -> Rect {
    let window = ui.ctx().content_rect().shrink(MARGIN);
    let area = |name: &str, at: Pos2| {
        Area::new(Id::unique(name)).order(Order::Middle).fixed_pos(at).constrain_to(window).fade_in(false)
    };
    let at = picture.left_top() + Vec2::splat(MARGIN);
    // What cannot be operated lets clicks through, so the button has an area of its own.
    let table = area("statistics", at).interactable(false).show(ui.ctx(), |ui| table(ui, lines));
    let table = table.response.rect;
    let corner = Pos2::new(table.right() - CLOSE - space::XS, table.top() + space::XS);
    area("close statistics", corner).show(ui.ctx(), |ui| close(ui, actions));
    table
}

fn table(ui: &mut Ui, lines: &[Line]) {
    let theme = Theme::of(ui);
    let layout = |text: &str, width: f32| -> Arc<Galley> {
        let font = FontId::proportional(font_size::DENSE);
        WidgetText::from(text).into_galley(ui, Some(TextWrapMode::Wrap), width, font)
    };
    let title = layout(TITLE, f32::INFINITY);
    let rows: Vec<(Arc<Galley>, Arc<Galley>)> =
        lines.iter().map(|line| (layout(line.label, f32::INFINITY), layout(&line.value, VALUE_WIDTH))).collect();
    let label_width = rows.iter().map(|(label, _)| label.size().x).fold(0.0, f32::max);
    let heights = rows.iter().map(|(label, value)| label.size().y.max(value.size().y) + LINE_GAP);
    let inner = Vec2::new(label_width + space::M + VALUE_WIDTH, CLOSE + heights.sum::<f32>());
    let (rect, _) = ui.allocate_exact_size(inner + 2.0 * Vec2::new(space::M, space::S), Sense::hover());
    ui.painter().rect_filled(rect, f32::from(size::RADIUS), theme.dense_overlay);
    let left = rect.left() + space::M;
    let mut top = rect.top() + space::S;
    ui.painter().galley(Pos2::new(left, top), title, theme.on_overlay_weak);
    top += CLOSE;
    for (line, (label, value)) in lines.iter().zip(rows) {
        let height = label.size().y.max(value.size().y);
        let row = Rect::from_min_size(Pos2::new(left, top), Vec2::new(inner.x, height));
        ui.painter().galley(row.min, label, theme.on_overlay_weak);
        ui.painter().galley(row.min + Vec2::new(label_width + space::M, 0.0), value, theme.on_overlay);
        let response = ui.interact(row, ui.scope_id().with(line.label), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}: {}", line.label, line.value)));
        top += height + LINE_GAP;
    }
}

fn close(ui: &mut Ui, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(CLOSE), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Close the statistics"));
    let is_pointed_at = response.hovered() || response.has_focus();
    if is_pointed_at {
        ui.painter().rect_stroke(
            rect,
            f32::from(size::RADIUS),
            Stroke::new(1.0, theme.on_overlay),
            egui::StrokeKind::Inside,
        );
    }
    icons::paint(ui.painter(), Icon::Refused, rect.center(), CLOSE * 0.5, theme.on_overlay);
    if response.on_hover_text("Close the statistics (I or Escape)").clicked() {
        actions.push(Action::ToggleStatistics);
    }
}
