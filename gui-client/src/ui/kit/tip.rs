//! Tooltips of rows in lists: beside the list, where they do not cover the rows that follow.

use egui::{RectAlign, Response, Tooltip, Ui};

/// Where a tooltip may be, in the order in which it is tried.
const PLACES: [RectAlign; 2] = [RectAlign::LEFT_START, RectAlign::RIGHT_START];

/// Shows `contents` at the left or right of a row while the pointer rests on it.
pub(crate) fn beside(row: &Response, contents: impl FnOnce(&mut Ui)) {
    let mut tooltip = Tooltip::for_enabled(row);
    tooltip.popup = tooltip.popup.align(PLACES[0]).align_alternatives(&PLACES).gap(8.0);
    tooltip.show(contents);
}
