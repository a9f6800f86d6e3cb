//! Long lists: only the rows on the screen are laid out, because each costs time in every frame of a video.

use std::ops::Range;

use egui::{Rect, Ui, Vec2};

use super::list_keys::Focused;

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
    /// contents, counted from the first row (see [`egui::ScrollArea::show_viewport`]). The row with the focus is laid out
    /// wherever it is, because egui takes the focus from what is not, and a scroll area arrives some frames later.
    pub(crate) fn show(
        self,
        ui: &mut Ui,
        viewport: Rect,
        focused: Option<Focused>,
        mut row: impl FnMut(&mut Ui, usize),
    ) {
        ui.spacing_mut().item_spacing.y = self.gap;
        let laid_out = self.laid_out(viewport);
        let focused = focused.filter(|focused| focused.row < self.count);
        let apart = focused.map(|focused| focused.row).filter(|row| !laid_out.contains(row));
        let apart = apart.map_or(0..0, |row| row..row + 1);
        let (first, second) = if apart.start < laid_out.start { (apart, laid_out) } else { (laid_out, apart) };
        if let Some(focused) = focused.filter(|focused| focused.has_moved) {
            self.scroll_to(ui, focused.row);
        }
        let mut next = 0;
        for range in [first, second].into_iter().filter(|range| !range.is_empty()) {
            self.blank(ui, range.start - next);
            next = range.end;
            range.for_each(|index| row(ui, index));
        }
        self.blank(ui, self.count - next);
    }

    fn scroll_to(self, ui: &Ui, row: usize) {
        let top = ui.max_rect().top() + row as f32 * (self.height + self.gap);
        let rect = Rect::from_min_size(egui::pos2(ui.max_rect().left(), top), Vec2::new(1.0, self.height));
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
