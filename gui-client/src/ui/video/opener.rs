//! Buttons with a text that open a menu, and the menus themselves.

use egui::{Popup, Role, Ui, Vec2, WidgetInfo};

use super::buttons::text_width;
use crate::ui::kit::theme::size;

/// Margin left and right of the text.
const PADDING: f32 = 10.0;

/// Width of a button with this text.
pub(super) fn button_width(ui: &Ui, text: &str) -> f32 {
    text_width(ui, &label(text)) + 2.0 * PADDING + 2.0
}

fn label(text: &str) -> String {
    format!("{text} ⏷")
}

/// Draws a button, and its menu of this width while that is open.
pub(super) fn opener(ui: &mut Ui, text: &str, name: String, tip: &str, width: f32, add: impl FnOnce(&mut Ui)) {
    ui.spacing_mut().button_padding.x = PADDING;
    let opener = egui::Button::new(label(text)).min_size(Vec2::new(0.0, size::ICON_BUTTON));
    let response = ui.add(opener.wrap_mode(egui::TextWrapMode::Extend));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name.clone()));
    Popup::menu(&response).show(|ui| list(ui, width, add));
    response.on_hover_text(tip).on_disabled_hover_text(tip);
}

/// Draws what a menu holds; what has no room is scrolled.
pub(super) fn list(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui)) {
    ui.set_width(width);
    ui.spacing_mut().item_spacing.y = 0.0;
    let most = ui.ctx().content_rect().height() * 0.7;
    // Otherwise a menu that was too low at first would stay so, and scroll.
    egui::ScrollArea::vertical().max_height(most).min_scrolled_height(most).show(ui, add);
}
