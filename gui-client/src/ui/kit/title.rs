//! Names in one line, and titles that may take two.

use std::sync::Arc;

use egui::{
    Color32, FontId, Galley, Response, Role, Sense, Ui, WidgetInfo,
    text::{LayoutJob, TextWrapping},
};

use super::text;

/// Draws a name in one line, in the order in which its script is read, shortened with `…` if it does not fit. `spoken` is what a
/// screen reader says.
pub(crate) fn name(ui: &mut Ui, name: &str, spoken: &str, font: FontId, color: Color32) -> Response {
    let galley = text::line(ui, name, font, color, ui.available_width());
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken));
    ui.painter().galley(rect.min, galley, color);
    response
}

/// Lays out a title in at most two lines, shortened with `…` if it does not fit ([`Galley::elided`]).
pub(crate) fn two_lines(ui: &Ui, text: &str, width: f32, font_size: f32, color: Color32) -> Arc<Galley> {
    let mut job = LayoutJob::simple(text.to_owned(), FontId::proportional(font_size), color, width);
    job.wrap = TextWrapping { max_width: width, max_rows: 2, ..TextWrapping::default() };
    ui.painter().layout_job(job)
}
