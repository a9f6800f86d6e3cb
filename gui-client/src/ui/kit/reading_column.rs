//! The part of a wide pane in which text is read.

use egui::{Rect, Ui, UiBuilder};

use super::theme::size;

/// The width of text in a pane of this width: lines that are longer are hard to read.
pub(crate) fn width(pane_width: f32) -> f32 {
    pane_width.min(size::READING)
}

/// Draws into the middle of what is left of a pane, no wider than lines can be read comfortably.
pub(crate) fn show<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let room = ui.available_rect_before_wrap();
    let side = (room.width() - width(room.width())) / 2.0;
    let column = Rect::from_x_y_ranges(room.left() + side..=room.right() - side, room.y_range());
    ui.scope_builder(UiBuilder::new().max_rect(column), add).inner
}
