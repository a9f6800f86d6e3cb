//! Icons. They are painted instead of taken from a font, so that they look the same on every system.

use egui::{Color32, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo};

use super::theme::{Theme, size};

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
    /// A padlock whose shackle is open.
    Opened,
    /// A closed padlock.
    Locked,
    /// A key.
    Key,
    /// An arrow that points up.
    Sent,
    /// A tick.
    Relayed,
    /// Two ticks.
    Delivered,
    /// A clock.
    Waiting,
    /// An arrow that points down.
    Down,
    /// A cross.
    Refused,
    /// A circle with a bar: not tried.
    Skipped,
    /// Two sheets, one over the other.
    Copy,
    /// Three bars of different heights.
    Statistics,
    /// A flash: ready at once.
    Ready,
    /// A window with a column at the left.
    LeftColumn,
    /// A window with a column at the right.
    RightColumn,
    /// A square.
    Stop,
    /// A triangle that points left, with a bar.
    Previous,
    /// A triangle that points right, with a bar.
    Next,
    /// Four corners that point outwards.
    FullScreen,
    /// Four corners that point inwards.
    LeaveFullScreen,
    /// A wide frame.
    Theatre,
    /// Three dots.
    More,
    /// A loudspeaker that is struck out.
    NoSound,
    /// Two people, side by side.
    Together,
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
        Icon::Speaker | Icon::Muted | Icon::NoSound => {
            painter.rect_filled(Rect::from_min_max(at(-0.46, -0.16), at(-0.26, 0.16)), 0.5, color);
            let cone = vec![at(-0.3, -0.16), at(-0.04, -0.4), at(-0.04, 0.4), at(-0.3, 0.16)];
            painter.add(Shape::convex_polygon(cone, color, Stroke::NONE));
            if icon == Icon::Muted {
                painter.line_segment([at(0.12, -0.17), at(0.46, 0.17)], stroke);
                painter.line_segment([at(0.12, 0.17), at(0.46, -0.17)], stroke);
            } else if icon == Icon::NoSound {
                painter.line_segment([at(-0.46, 0.46), at(0.46, -0.46)], stroke);
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
        Icon::Opened | Icon::Locked => {
            painter.rect_filled(Rect::from_min_max(at(-0.34, -0.04), at(0.34, 0.46)), side * 0.08, color);
            // The shackle; when it is open, it has left the body at the right.
            let (drop, end) = if icon == Icon::Opened { (-0.06, -0.2) } else { (0.0, 0.0) };
            let arc = (0..=8).map(|step| {
                let angle = std::f32::consts::PI * step as f32 / 8.0;
                at(-0.2 * angle.cos(), -0.2 - 0.22 * angle.sin() + drop)
            });
            let shackle = [at(-0.2, 0.0)].into_iter().chain(arc).chain([at(0.2, end)]);
            painter.add(Shape::line(shackle.collect(), stroke));
        }
        Icon::Key => {
            painter.circle_stroke(at(-0.22, 0.0), side * 0.2, stroke);
            painter.line_segment([at(-0.02, 0.0), at(0.46, 0.0)], stroke);
            for x in [0.26, 0.42] {
                painter.line_segment([at(x, 0.0), at(x, 0.2)], stroke);
            }
        }
        Icon::Sent => {
            painter.line_segment([at(0.0, 0.42), at(0.0, -0.4)], stroke);
            painter.line_segment([at(-0.28, -0.12), at(0.0, -0.4)], stroke);
            painter.line_segment([at(0.28, -0.12), at(0.0, -0.4)], stroke);
        }
        Icon::Waiting => {
            painter.circle_stroke(center, side * 0.42, Stroke::new(side * 0.1, color));
            painter.line(vec![at(0.0, -0.24), at(0.0, 0.02), at(0.18, 0.12)], Stroke::new(side * 0.1, color));
        }
        Icon::Down => {
            painter.line_segment([at(0.0, -0.42), at(0.0, 0.4)], stroke);
            painter.line_segment([at(-0.28, 0.12), at(0.0, 0.4)], stroke);
            painter.line_segment([at(0.28, 0.12), at(0.0, 0.4)], stroke);
        }
        Icon::Relayed | Icon::Delivered => {
            let ticks: &[f32] = if icon == Icon::Delivered { &[-0.22, 0.14] } else { &[0.0] };
            for x in ticks {
                painter.line_segment([at(x - 0.3, 0.02), at(x - 0.08, 0.26)], stroke);
                painter.line_segment([at(x - 0.08, 0.26), at(x + 0.36, -0.28)], stroke);
            }
        }
        Icon::Refused => {
            painter.line_segment([at(-0.32, -0.32), at(0.32, 0.32)], stroke);
            painter.line_segment([at(-0.32, 0.32), at(0.32, -0.32)], stroke);
        }
        Icon::Skipped => {
            painter.circle_stroke(center, side * 0.38, stroke);
            painter.line_segment([at(-0.2, 0.0), at(0.2, 0.0)], stroke);
        }
        Icon::Ready => {
            // Two triangles, since a flash is not convex.
            for corners in [[(0.14, -0.5), (-0.32, 0.08), (0.06, 0.08)], [(-0.14, 0.5), (0.32, -0.08), (-0.06, -0.08)]]
            {
                let corners = corners.map(|(x, y)| at(x, y)).to_vec();
                painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
            }
        }
        Icon::LeftColumn | Icon::RightColumn => {
            let window = Rect::from_center_size(center, Vec2::new(0.92, 0.76) * side);
            painter.rect_stroke(window, side * 0.1, Stroke::new(side * 0.08, color), egui::StrokeKind::Inside);
            let direction = if icon == Icon::LeftColumn { -1.0 } else { 1.0 };
            let column = Rect::from_center_size(at(0.24 * direction, 0.0), Vec2::new(0.26, 0.56) * side);
            painter.rect_filled(column, side * 0.04, color);
        }
        Icon::Stop => {
            painter.rect_filled(Rect::from_center_size(center, Vec2::splat(side * 0.66)), side * 0.06, color);
        }
        Icon::Previous | Icon::Next => {
            let turn = if icon == Icon::Next { 1.0 } else { -1.0 };
            let mut corners = vec![at(-0.34 * turn, -0.36), at(0.22 * turn, 0.0), at(-0.34 * turn, 0.36)];
            if icon == Icon::Previous {
                corners.reverse();
            }
            painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
            painter.rect_filled(Rect::from_center_size(at(0.33 * turn, 0.0), Vec2::new(0.12, 0.72) * side), 0.5, color);
        }
        Icon::FullScreen | Icon::LeaveFullScreen => {
            let (corner, ends) = if icon == Icon::FullScreen { (0.4, 0.12) } else { (0.14, 0.42) };
            for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)] {
                let points = vec![at(x * ends, y * corner), at(x * corner, y * corner), at(x * corner, y * ends)];
                painter.add(Shape::line(points, stroke));
            }
        }
        Icon::Theatre => {
            let frame = Rect::from_center_size(center, Vec2::new(0.92, 0.56) * side);
            painter.rect_stroke(frame, side * 0.06, stroke, egui::StrokeKind::Middle);
        }
        Icon::Together => {
            for x in [-0.25, 0.25] {
                painter.circle_filled(at(x, -0.24), side * 0.17, color);
                let shoulders = Rect::from_min_max(at(x - 0.22, 0.02), at(x + 0.22, 0.42));
                let round = (side * 0.2) as u8;
                painter.rect_filled(shoulders, egui::CornerRadius { nw: round, ne: round, sw: 1, se: 1 }, color);
            }
        }
        Icon::More => {
            for x in [-0.3, 0.0, 0.3] {
                painter.circle_filled(at(x, 0.0), side * 0.09, color);
            }
        }
        Icon::Statistics => {
            for (x, top) in [(-0.3, 0.08), (0.0, -0.4), (0.3, -0.12)] {
                let bar = Rect::from_min_max(at(x - 0.1, top), at(x + 0.1, 0.42));
                painter.rect_filled(bar, 1.0, color);
            }
        }
        Icon::Copy => {
            let thin = Stroke::new(side * 0.08, color);
            let sheet = |left: f32, top: f32| Rect::from_min_max(at(left, top), at(left + 0.56, top + 0.66));
            painter.line(vec![at(-0.42, 0.22), at(-0.42, -0.44), at(0.12, -0.44)], thin);
            painter.rect_stroke(sheet(-0.2, -0.22), side * 0.06, thin, egui::StrokeKind::Middle);
        }
    }
}

/// A button with an icon. `name` is what a screen reader says, `tip` the tooltip.
pub(crate) fn button(ui: &mut Ui, icon: Icon, name: &str, tip: &str) -> Response {
    let side = size::ICON_BUTTON;
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
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
        let ink = if ui.is_enabled() { visuals.fg_stroke.color } else { Theme::of(ui).weak };
        paint(ui.painter(), icon, rect.center(), side * 0.5, ink);
        if response.has_focus() {
            let stroke = Stroke::new(2.0, Theme::of(ui).accent);
            ui.painter().rect_stroke(rect, f32::from(size::RADIUS), stroke, egui::StrokeKind::Inside);
        }
    }
    response.on_hover_text(tip)
}
