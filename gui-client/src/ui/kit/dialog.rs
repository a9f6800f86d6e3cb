//! A dialog: a card in the middle of the window, which asks for an answer before anything else.

use egui::{Frame, Id, Margin, Modal, ModalResponse, Ui};

use super::theme::space;

/// Between the edge of a dialog and its contents, in points.
const MARGIN: i8 = 16;

/// Draws a dialog named `id`, `width` points wide, or as wide as the window allows.
pub(crate) fn show<R>(ui: &Ui, id: &str, width: f32, contents: impl FnOnce(&mut Ui) -> R) -> ModalResponse<R> {
    let frame = Frame::popup(ui.style()).inner_margin(Margin::same(MARGIN));
    let room = ui.ctx().content_rect().width() - 2.0 * (f32::from(MARGIN) + space::S);
    Modal::new(Id::unique(id)).frame(frame).show(ui.ctx(), |ui| {
        ui.set_width(width.min(room));
        contents(ui)
    })
}
