//! Long lists: only the rows on the screen are laid out, because each costs time in every frame of a video.

use std::ops::Range;

use egui::{Rect, Ui, Vec2};

/// Rows that are laid out beyond the visible ones on each side, so that the Tab key reaches the next one.
const SPARE_ROWS: usize = 2;

/// The measures of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// Height of each row.
    pub height: f32,
    /// Gap between two rows.
    pub gap: f32,
    /// Number of rows.
    pub count: usize,
}

impl Rows {
    /// Calls `row` for each row that is visible or nearly so, with its index. `viewport` is the visible part of the scrolled
    /// contents, counted from the first row (see [`egui::ScrollArea::show_viewport`]).
    pub(crate) fn show(self, ui: &mut Ui, viewport: Rect, mut row: impl FnMut(&mut Ui, usize)) {
        ui.spacing_mut().item_spacing.y = self.gap;
        let laid_out = self.laid_out(viewport);
        self.blank(ui, laid_out.start);
        laid_out.clone().for_each(|index| row(ui, index));
        self.blank(ui, self.count - laid_out.end);
    }

    /// Scrolls as far as it takes to see a row. To be called before [`Self::show`].
    pub(crate) fn scroll_to(self, ui: &Ui, row: usize) {
        let top = ui.max_rect().top() + row as f32 * (self.height + self.gap);
        let rect = Rect::from_min_size(egui::pos2(ui.max_rect().left(), top), Vec2::new(1.0, self.height));
        // At once: a row that is not laid out in the next frame loses the focus.
        ui.scroll_to_rect_animation(rect, None, egui::style::ScrollAnimation::none());
    }

    fn laid_out(self, viewport: Rect) -> Range<usize> {
        let step = self.height + self.gap;
        let first = (viewport.min.y / step).floor().max(0.0) as usize;
        let end = (viewport.max.y / step).ceil().max(0.0) as usize;
        first.saturating_sub(SPARE_ROWS).min(self.count)..(end + SPARE_ROWS).min(self.count)
    }

    /// The space of rows that are not laid out.
    fn blank(self, ui: &mut Ui, count: usize) {
        if count > 0 {
            let height = count as f32 * (self.height + self.gap) - self.gap;
            ui.allocate_space(Vec2::new(ui.available_width(), height));
        }
    }
}
