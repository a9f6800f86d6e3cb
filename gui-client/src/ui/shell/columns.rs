//! The panes of the main screen: their rectangles, and the edges between them, by which columns are made wider.

use egui::{CursorIcon, Rect, Response, Sense, Stroke, Ui};

use crate::state::{
    action::Action,
    layout::{Column, LayoutAction, Pane, Places},
};

use crate::ui::kit::theme::{Theme, size};

/// The rectangle of each pane, from left to right, in what is left of the window.
pub(crate) fn rects(ui: &Ui, places: &Places) -> Vec<(Pane, Rect)> {
    let room = ui.available_rect_before_wrap();
    let mut left = room.left();
    let mut rects = Vec::with_capacity(places.panes.len());
    for (pane, width) in &places.panes {
        let right = (left + width).min(room.right());
        rects.push((*pane, Rect::from_x_y_ranges(left..=right, room.y_range())));
        left = right;
    }
    rects
}

/// Draws a pane into its rectangle, and what does not fit is cut there.
pub(crate) fn pane<R>(ui: &mut Ui, pane: Pane, rect: Rect, draw: impl FnOnce(&mut Ui) -> R) -> R {
    let builder = egui::UiBuilder::new().id_salt(("pane", pane)).max_rect(rect);
    ui.scope_builder(builder, |ui| {
        ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        draw(ui)
    })
    .inner
}

/// Draws the edges between the panes; dragging one changes the width of its column, a double click gives it the first one.
pub(crate) fn edges(ui: &mut Ui, places: &Places, rects: &[(Pane, Rect)], actions: &mut Vec<Action>) {
    for (column, pair) in places.edges.iter().zip(rects.windows(2)) {
        let [(_, left), (_, right)] = pair else { continue };
        let response = edge(ui, *column, left.right(), left.y_range());
        if response.double_clicked() {
            actions.push(Action::Layout(LayoutAction::ResetWidth(*column)));
        } else if response.dragged()
            // A pointer that rests must not have the window drawn.
            && response.drag_delta() != egui::Vec2::ZERO
            && let Some(pointer) = response.interact_pointer_pos()
        {
            let points = match column {
                Column::Lists => pointer.x - left.left(),
                Column::Dock | Column::Side => right.right() - pointer.x,
            };
            actions.push(Action::Layout(LayoutAction::Resize(*column, points.round().clamp(0.0, 4_000.0) as u16)));
        }
    }
}

fn edge(ui: &Ui, column: Column, x: f32, y_range: egui::Rangef) -> Response {
    let theme = Theme::of(ui);
    let grip = Rect::from_x_y_ranges(x - size::EDGE_GRIP..=x + size::EDGE_GRIP, y_range);
    // It takes no focus: hiding and showing the columns has keys instead.
    let response = ui.interact(grip, egui::Id::unique(("edge", column)), Sense::CLICK | Sense::DRAG);
    let is_held = response.hovered() || response.dragged();
    let stroke = if is_held { Stroke::new(2.0, theme.accent) } else { Stroke::new(1.0, theme.border) };
    ui.painter().vline(x, y_range, stroke);
    response.on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal)
}
