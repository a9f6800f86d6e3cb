//! The mark of the program: a triptych, which is a tall panel between two lower wings on hinges. One colour for each third of a
//! video, from low to high resolution. The same measures are in the icons of the packages.

use egui::{Pos2, Rect, Ui, Vec2};

use super::theme::Theme;

/// Width of a wing, as all measures in parts of the mark's side.
const WING_WIDTH: f32 = 0.27;

/// Gap between a wing and the middle panel, which the hinges bridge.
const GAP: f32 = 0.04;

/// Height of a wing; the middle panel is as high as the mark.
const WING_HEIGHT: f32 = 0.7;

/// Height of a hinge.
const HINGE_HEIGHT: f32 = 0.07;

/// How far a hinge is from the upper or lower end of its wing.
const HINGE_PLACE: f32 = 0.12;

/// Radius of the corners of a panel.
pub(super) const CORNER: f32 = 0.045;

fn rect(left: f32, top: f32, width: f32, height: f32) -> Rect {
    Rect::from_min_size(Pos2::new(left, top), Vec2::new(width, height))
}

/// The panels from left to right, in a square of side 1.
pub(super) fn panels() -> [Rect; 3] {
    let top = (1.0 - WING_HEIGHT) / 2.0;
    let middle = 1.0 - 2.0 * (WING_WIDTH + GAP);
    [
        rect(0.0, top, WING_WIDTH, WING_HEIGHT),
        rect(WING_WIDTH + GAP, 0.0, middle, 1.0),
        rect(1.0 - WING_WIDTH, top, WING_WIDTH, WING_HEIGHT),
    ]
}

/// The hinges in a square of side 1, each with the number of the wing that it holds.
pub(super) fn hinges() -> [(usize, Rect); 4] {
    let top = (1.0 - WING_HEIGHT) / 2.0;
    let hinge = |left: f32, from_top: f32| rect(left, from_top, GAP, HINGE_HEIGHT);
    let (upper, lower) = (top + HINGE_PLACE, 1.0 - top - HINGE_PLACE - HINGE_HEIGHT);
    let right = 1.0 - WING_WIDTH - GAP;
    [(0, hinge(WING_WIDTH, upper)), (0, hinge(WING_WIDTH, lower)), (2, hinge(right, upper)), (2, hinge(right, lower))]
}

/// Draws the mark into the largest square in the middle of `area`.
pub(crate) fn show(ui: &Ui, area: Rect) {
    let colors = Theme::of(ui).parts;
    let side = area.width().min(area.height());
    let square = Rect::from_center_size(area.center(), Vec2::splat(side));
    let place = |part: Rect| Rect::from_min_size(square.min + part.min.to_vec2() * side, part.size() * side);
    for (wing, hinge) in hinges() {
        ui.painter().rect_filled(place(hinge), 0.0, colors[wing]);
    }
    for (panel, color) in panels().into_iter().zip(colors) {
        ui.painter().rect_filled(place(panel), CORNER * side, color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_tall_panel_between_two_lower_wings_joined_by_hinges() {
        let [left, middle, right] = panels();
        assert_eq!(middle.height(), 1.0);
        for wing in [left, right] {
            assert!((wing.height() - 0.7).abs() < 0.001);
            assert!((wing.center().y - 0.5).abs() < 0.001);
        }
        assert!((right.right() - 1.0).abs() < 0.001);
        for (wing, hinge) in hinges() {
            let wing = panels()[wing];
            assert!(hinge.expand(0.001).intersects(wing) && hinge.expand(0.001).intersects(middle));
            assert!(wing.y_range().contains(hinge.top()) && wing.y_range().contains(hinge.bottom()));
        }
    }
}
