//! Titles that may take two lines.

use std::sync::Arc;

use egui::{
    Color32, FontId, Galley, Ui,
    text::{LayoutJob, TextWrapping},
};

/// Lays out a title in at most two lines, shortened with `…` if it does not fit ([`Galley::elided`]).
pub(crate) fn two_lines(ui: &Ui, text: &str, width: f32, font_size: f32, color: Color32) -> Arc<Galley> {
    let mut job = LayoutJob::simple(text.to_owned(), FontId::proportional(font_size), color, width);
    job.wrap = TextWrapping { max_width: width, max_rows: 2, ..TextWrapping::default() };
    ui.painter().layout_job(job)
}
