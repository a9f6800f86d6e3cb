//! Bytes in hexadecimal: a box with offsets that scrolls by itself, and a button that copies them.

use std::hash::Hash;

use egui::{FontId, RichText, Ui};

use super::{
    format,
    theme::{Theme, font_size, size, space},
};

/// Draws `bytes` in rows of eight or sixteen, each with the offset of its first byte, which counts from `first_offset`.
/// `name` says to a screen reader what they are. A long box scrolls.
pub(crate) fn show(ui: &mut Ui, id: impl Hash + std::fmt::Debug, name: &str, first_offset: usize, bytes: &[u8]) {
    let theme = Theme::of(ui);
    let font = FontId::monospace(font_size::MONO - 0.5);
    let digit_width = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
    let row_bytes = if ui.available_width() > digit_width * (6 + 3 * 16) as f32 + 24.0 { 16 } else { 8 };
    let row_height = ui.fonts_mut(|fonts| fonts.row_height(&font));
    egui::Frame::new().fill(theme.background).corner_radius(4.0).inner_margin(6.0).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 0.0;
        let rows = egui::ScrollArea::vertical().id_salt(id).max_height(size::HEX).auto_shrink([false, true]);
        rows.show_rows(ui, row_height, bytes.len().div_ceil(row_bytes), |ui, range| {
            for row in range {
                let start = row * row_bytes;
                let text = format::hex(&bytes[start..(start + row_bytes).min(bytes.len())]);
                let text = format!("{:04x}  {text}", first_offset + start);
                ui.label(RichText::new(text).font(font.clone()).color(theme.weak));
            }
        });
    });
    ui.add_space(space::XS);
    let button = ui.button(RichText::new("Copy").size(font_size::SMALL)).accessible_name(format!("Copy {name}"));
    if button.on_hover_text(format!("Copy {name} in hexadecimal")).clicked() {
        ui.ctx().copy_text(format::hex(bytes).replace(' ', ""));
    }
}
