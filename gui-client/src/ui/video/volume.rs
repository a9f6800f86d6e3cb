//! The volume slider.

use egui::{Id, Pos2, Rect, Sense, Ui, Vec2, WidgetInfo};

use super::ids::VOLUME;
use crate::{
    state::{action::Action, player::PlayerState},
    ui::kit::{
        theme::{Theme, size},
        widgets,
    },
};

/// Width of the slider.
pub(super) const WIDTH: f32 = 84.0;

/// Radius of its knob.
const KNOB: f32 = 6.0;

/// Draws the slider.
pub(super) fn slider(ui: &mut Ui, player: &PlayerState, actions: &mut Vec<Action>) {
    let theme = Theme::of(ui);
    let before = if player.is_muted { 0 } else { player.volume_percent };
    let mut percent = before;
    let (_, rect) = ui.allocate_space(Vec2::new(WIDTH, size::ICON_BUTTON));
    let response = ui.interact(rect, Id::unique(VOLUME), Sense::click_and_drag());
    let rail = Rect::from_center_size(rect.center(), Vec2::new(rect.width() - 2.0 * KNOB, size::SEEK_BAR / 2.0));
    if let Some(pointer) = response.interact_pointer_pos() {
        let share = ((pointer.x - rail.left()) / rail.width()).clamp(0.0, 1.0);
        percent = (share * 100.0).round() as u8;
    }
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), f64::from(percent), "Volume"));
    let knob = Pos2::new(rail.left() + rail.width() * f32::from(percent) / 100.0, rail.center().y);
    widgets::rail(ui, rail);
    ui.painter().rect_filled(rail.intersect(Rect::everything_left_of(knob.x)), rail.height() / 2.0, theme.accent);
    widgets::knob(ui, knob, KNOB, &response);
    let tip = format!("Volume {percent} % (↑ and ↓)");
    response.on_hover_text(tip).on_hover_cursor(egui::CursorIcon::PointingHand);
    if percent != before {
        actions.push(Action::SetVolume(percent));
    }
}
