//! What is said over the picture for a few seconds: the resolution that has just begun, and that a video went on where it
//! was left.

use std::time::Instant;

use egui::{Align, Color32, Layout, Rect, Role, Sense, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, accesskit};

use crate::{
    state::{action::Action, player::PlayerState},
    ui::kit::{
        format,
        theme::{Theme, font_size, semibold, size, space},
        widgets,
    },
};

/// Largest share of the height of the picture that the announcement takes.
const MOST_OF_HEIGHT: f32 = 0.25;

/// Announces a splice in the middle of the picture.
pub(super) fn splice(ui: &mut Ui, screen: Rect, player: &PlayerState, now: Instant) {
    let Some((text, visible)) = player.splice(now) else { return };
    // A person who does not want movement sees it as it is until it goes.
    let visible = if ui.style().animation_time > 0.0 { visible } else { 1.0 };
    let theme = Theme::of(ui);
    let faded = |color: Color32| color.gamma_multiply(visible);
    let points = size_for(screen);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), semibold(points), faded(theme.on_overlay));
    let rect = Rect::from_center_size(screen.center(), galley.size() + Vec2::new(points, points * 0.4));
    let edge = Stroke::new(1.0, faded(theme.overlay_edge));
    ui.painter().rect(rect, f32::from(size::BUBBLE_RADIUS), faded(theme.overlay), edge, egui::StrokeKind::Inside);
    let place = rect.center() - galley.size() / 2.0;
    ui.painter().galley(place, galley, theme.on_overlay);
    let response = ui.interact(rect, ui.scope_id().with("splice"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Now {text}")));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(accesskit::Live::Polite));
}

/// The announcement shrinks with a small picture.
fn size_for(screen: Rect) -> f32 {
    font_size::ANNOUNCEMENT.min(screen.height() * MOST_OF_HEIGHT).max(font_size::HEADING)
}

/// Says that the video went on where it was left, with a button that starts it over.
pub(super) fn resumed(ui: &mut Ui, screen: Rect, player: &PlayerState, now: Instant, actions: &mut Vec<Action>) {
    let Some(nanos) = player.resumed_at(now) else { return };
    let text = format!("Went on at {}.", format::length(nanos));
    let label = if screen.width() < 340.0 { "Start over" } else { "Start from the beginning" };
    let theme = Theme::of(ui);
    let width = |text: &str| super::buttons::text_width(ui, text);
    let padding = ui.spacing().button_padding.x;
    let wanted = width(&text) + width(label) + 2.0 * padding + 2.0 * space::M + space::S;
    let size = Vec2::new(wanted.min(screen.width() - 2.0 * space::S), size::ICON_BUTTON + space::S);
    let rect = Rect::from_min_size(screen.left_bottom() + Vec2::new(space::S, -size.y - space::S), size);
    widgets::overlay(ui, rect);
    let inner = rect.shrink2(Vec2::new(space::M, space::XS));
    let mut ui = ui.new_child(UiBuilder::new().max_rect(inner).layout(Layout::left_to_right(Align::Center)));
    let response = ui.label(egui::RichText::new(&text).color(theme.on_overlay));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(accesskit::Live::Polite));
    if ui.button(label).clicked() {
        actions.push(Action::StartOver);
    }
}
