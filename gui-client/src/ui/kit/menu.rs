//! Entries of menus: left-aligned, with a tick before the one that is chosen.

use egui::{Pos2, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use super::{
    icons::{self, Icon},
    theme::{Theme, font_size, semibold, size, space},
    widgets,
};

/// Height of an entry.
const HEIGHT: f32 = 30.0;

/// Room for the tick or the icon before the text.
const TICK: f32 = 24.0;

/// What is before the text of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A tick: this one of several is chosen.
    Chosen,
    /// No tick, although others may have one.
    Unchosen,
    /// An icon: the entry does something.
    Icon(Icon),
}

/// Draws an entry, as wide as the menu.
pub(crate) fn entry(ui: &mut Ui, mark: Mark, text: &str) -> Response {
    let theme = Theme::of(ui);
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, HEIGHT), Sense::click());
    response.widget_info(|| match mark {
        Mark::Icon(_) => WidgetInfo::labeled(Role::Button, ui.is_enabled(), text),
        _ => WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), mark == Mark::Chosen, text),
    });
    if response.hovered() {
        ui.painter().rect_filled(rect, f32::from(size::RADIUS), theme.hover);
    }
    widgets::focus_ring(ui, rect, &response);
    let ink = if ui.is_enabled() { theme.text } else { theme.weak };
    let before = Pos2::new(rect.left() + TICK / 2.0 + 2.0, rect.center().y);
    match mark {
        Mark::Chosen => icons::paint(ui.painter(), Icon::Relayed, before, 15.0, theme.accent),
        Mark::Unchosen => {}
        Mark::Icon(icon) => icons::paint(ui.painter(), icon, before, 15.0, ink),
    }
    let room =
        Rect::from_min_max(Pos2::new(rect.left() + TICK + space::XS, rect.top()), rect.max - Vec2::new(space::S, 0.0));
    widgets::line(ui, room, text, font_size::BODY, ink);
    response
}

/// The header of a group of entries.
pub(crate) fn header(ui: &mut Ui, text: &str) {
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.label(egui::RichText::new(text).font(semibold(font_size::SECTION)).color(Theme::of(ui).weak));
    });
}
