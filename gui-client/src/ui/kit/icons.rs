//! Icons. They are painted instead of taken from a font, so that they look the same on every system.

use egui::{Color32, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo};

use super::theme::size;

/// An icon for a button without text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    /// A triangle that points right.
    Play,
    /// Two vertical bars.
    Pause,
    /// A loudspeaker with waves.
    Speaker,
    /// A loudspeaker with a cross.
    Muted,
}

/// Paints an icon into the square with this center and side.
pub(crate) fn paint(painter: &Painter, icon: Icon, center: Pos2, side: f32, color: Color32) {
    let at = |x: f32, y: f32| center + Vec2::new(x, y) * side;
    let stroke = Stroke::new(side * 0.1, color);
    match icon {
        Icon::Play => {
            let corners = vec![at(-0.3, -0.42), at(0.42, 0.0), at(-0.3, 0.42)];
            painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
        }
        Icon::Pause => {
            for x in [-0.22, 0.22] {
                let bar = Rect::from_center_size(at(x, 0.0), Vec2::new(0.22, 0.8) * side);
                painter.rect_filled(bar, 1.0, color);
            }
        }
        Icon::Speaker | Icon::Muted => {
            painter.rect_filled(Rect::from_min_max(at(-0.46, -0.16), at(-0.26, 0.16)), 0.5, color);
            let cone = vec![at(-0.3, -0.16), at(-0.04, -0.4), at(-0.04, 0.4), at(-0.3, 0.16)];
            painter.add(Shape::convex_polygon(cone, color, Stroke::NONE));
            if icon == Icon::Muted {
                painter.line_segment([at(0.12, -0.17), at(0.46, 0.17)], stroke);
                painter.line_segment([at(0.12, 0.17), at(0.46, -0.17)], stroke);
            } else {
                for radius in [0.2, 0.4] {
                    let arc = (-4..=4).map(|step| {
                        let angle = step as f32 * 0.22;
                        at(0.02 + radius * angle.cos(), radius * angle.sin())
                    });
                    painter.add(Shape::line(arc.collect(), stroke));
                }
            }
        }
    }
}

/// A button with an icon. `name` is what a screen reader says, `tip` the tooltip.
pub(crate) fn button(ui: &mut Ui, icon: Icon, name: &str, tip: &str) -> Response {
    let side = ui.spacing().interact_size.y;
    let (rect, response) = ui.allocate_exact_size(Vec2::new(side + 4.0, side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    if ui.is_rect_visible(rect) {
        let visuals = ui.style().interact(&response);
        ui.painter().rect(
            rect,
            f32::from(size::RADIUS),
            visuals.weak_bg_fill,
            visuals.bg_stroke,
            egui::StrokeKind::Inside,
        );
        paint(ui.painter(), icon, rect.center(), side * 0.5, visuals.fg_stroke.color);
    }
    response.on_hover_text(tip)
}
