//! What is shown over the seek bar of the place that is pointed at: its time, its resolution and, once there is one, a small
//! picture of it.

use egui::{Align2, Color32, CornerRadius, FontId, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use crate::event::PreviewKey;
use crate::ui::kit::{
    theme::{Theme, font_size, size, space},
    widgets,
};

/// Finds a preview and its size, if it has been loaded.
pub(crate) type PreviewLookup<'a> = &'a dyn Fn(PreviewKey) -> Option<(egui::TextureId, Vec2)>;

/// Distance between the bar and what is over it.
const GAP: f32 = 8.0;

/// Between the edge of the card and what is in it.
const PADDING: f32 = 3.0;

/// Height of the line under the picture.
const CAPTION: f32 = 22.0;

/// How much of the room over the bar the picture may cover, so that the video stays visible in a low window.
const SHARE: f32 = 0.3;

/// Draws what there is about the place `x` of the bar.
pub(super) fn show(ui: &mut Ui, bar: Rect, x: f32, picture: Option<(egui::TextureId, Vec2)>, text: &str) {
    let anchor = Pos2::new(x, bar.top());
    // No further than the ends of the bar, which are in line with the picture or the buttons.
    let room = ui.clip_rect().intersect(ui.ctx().content_rect()).intersect(Rect::everything_above(bar.top()));
    let room = room.intersect(Rect::from_x_y_ranges(bar.x_range().expand(PADDING), room.y_range()));
    match picture.and_then(|(texture, pixels)| Some((texture, fit(pixels, room, anchor)?))) {
        Some((texture, picture)) => card(ui, anchor, room, (texture, picture), text),
        None => {
            // Not cut off at the ends of the bar.
            let half = text.len() as f32 * 4.5 + space::S;
            let center = anchor.x.clamp(room.left() + half, (room.right() - half).max(room.left() + half));
            widgets::pill(ui, Pos2::new(center, anchor.y - GAP), Align2::CENTER_BOTTOM, text, "Target");
        }
    }
}

/// Width and height of the picture in points; `None` if there is no room for it.
fn fit(pixels: Vec2, room: Rect, anchor: Pos2) -> Option<Vec2> {
    let [least, most] = size::PREVIEW;
    let above = anchor.y - GAP - room.top() - CAPTION - 2.0 * PADDING;
    let height = most.min((anchor.y - room.top()) * SHARE).max(least);
    let wanted = Vec2::new(pixels.x / pixels.y.max(1.0) * height, height);
    let shrink = ((room.width() - 2.0 * PADDING) / wanted.x.max(1.0)).min(1.0);
    let fitted = wanted * shrink;
    (fitted.y <= above && fitted.min_elem() >= 1.0).then_some(fitted)
}

fn card(ui: &mut Ui, anchor: Pos2, room: Rect, (texture, picture): (egui::TextureId, Vec2), text: &str) {
    let theme = Theme::of(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(font_size::SMALL), theme.on_overlay);
    // A narrow picture, as of a phone held upright, still has room for its line.
    let inner = Vec2::new(picture.x.max(galley.size().x + 2.0 * space::S), picture.y + CAPTION);
    let outer = inner + Vec2::splat(2.0 * PADDING);
    let left = (anchor.x - outer.x / 2.0).clamp(room.left(), (room.right() - outer.x).max(room.left()));
    let pixel = ui.ctx().pixels_per_point();
    let round = |x: f32| (x * pixel).round() / pixel;
    let card = Rect::from_min_size(Pos2::new(round(left), round(anchor.y - GAP - outer.y)), outer);
    let radius = CornerRadius::same(size::RADIUS);
    ui.painter().rect_filled(card, radius, theme.dense_overlay);
    let top = Pos2::new(card.center().x, card.top() + PADDING + picture.y / 2.0);
    let place = Rect::from_center_size(top, picture);
    let rounded =
        egui::epaint::RectShape::filled(place, CornerRadius::same(size::RADIUS - PADDING as u8), Color32::WHITE);
    let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
    ui.painter().add(rounded.with_texture(texture, whole));
    ui.painter().rect_stroke(card, radius, Stroke::new(1.0, theme.overlay_edge), StrokeKind::Inside);
    let caption = Rect::from_min_max(Pos2::new(card.left(), place.bottom()), card.max - Vec2::new(0.0, PADDING));
    let text_rect = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), caption);
    ui.painter().galley(text_rect.min, galley, theme.on_overlay);
    for (rect, kind, role, name) in [
        (place, "Preview", Role::Image, format!("Preview of {text}")),
        (caption, "Target", Role::Label, text.to_owned()),
    ] {
        let response = ui.interact(rect, ui.scope_id().with(kind), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(role, true, &name));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the window, the place and the shape of the video: the picture keeps its shape, and the card is within the
        /// window and above the bar.
        #[test]
        fn the_picture_fits_between_the_bar_and_the_window(
            width in 80.0_f32..2_000.0, height in 60.0_f32..1_200.0, down in 0.3_f32..1.0, x in 2_u16..240, y in 2_u16..90,
        ) {
            let room = Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height));
            let (anchor, pixels) = (Pos2::new(0.0, height * down), Vec2::new(f32::from(x), f32::from(y)));
            if let Some(fitted) = fit(pixels, room, anchor) {
                prop_assert!((fitted.x / fitted.y - pixels.x / pixels.y).abs() < 0.01 * pixels.x / pixels.y);
                prop_assert!(fitted.x + 2.0 * PADDING <= width + 0.01);
                prop_assert!(fitted.y + CAPTION + 2.0 * PADDING + GAP <= anchor.y + 0.01);
            }
        }
    }

    #[test]
    fn a_usual_window_shows_the_whole_picture_and_a_low_one_a_smaller() {
        let of = |height: f32, y: f32| {
            fit(Vec2::new(160.0, 90.0), Rect::from_min_size(Pos2::ZERO, Vec2::new(900.0, height)), Pos2::new(300.0, y))
        };
        assert_eq!(of(700.0, 500.0), Some(Vec2::new(160.0, 90.0)));
        assert_eq!(of(400.0, 250.0).map(|size| size.y), Some(75.0));
        assert_eq!(of(120.0, 60.0), None, "there is no room");
    }
}
