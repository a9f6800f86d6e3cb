//! The icon of the window in a task bar: the mark of the program.

use egui::{IconData, Pos2, Rect, Vec2};

use super::{mark, theme};

/// Width and height in pixels.
const SIDE: u32 = 128;

/// Distance of the mark from the edges, in pixels.
const MARGIN: f32 = 6.0;

/// Each pixel is sampled at this many places in each direction, so that edges are smooth.
const SAMPLES: u32 = 4;

/// Paints the icon.
pub fn paint() -> IconData {
    let side = SIDE as f32 - 2.0 * MARGIN;
    let place =
        |part: Rect| Rect::from_min_size(Pos2::new(MARGIN, MARGIN) + part.min.to_vec2() * side, part.size() * side);
    let colors = theme::LIGHT.parts;
    let panels =
        mark::panels().into_iter().zip(colors).map(|(panel, color)| (place(panel), mark::CORNER * side, color));
    let hinges = mark::hinges().into_iter().map(|(wing, hinge)| (place(hinge), 0.0, colors[wing]));
    let parts: Vec<_> = hinges.chain(panels).collect();
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let corner = Pos2::new(x as f32, y as f32);
            let pixel = parts.iter().map(|(rect, radius, color)| (coverage(*rect, *radius, corner), color));
            let best = pixel.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(covered, _)| *covered > 0.0);
            let [red, green, blue, _] = best.map_or([0; 4], |(_, color)| color.to_array());
            let alpha = best.map_or(0.0, |(covered, _)| covered * 255.0);
            rgba.extend([red, green, blue, alpha.round() as u8]);
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}

/// How much of the pixel with this upper left corner is inside a rectangle with round corners, from 0 to 1.
fn coverage(rect: Rect, radius: f32, corner: Pos2) -> f32 {
    if !rect.expand(1.0).contains(corner) {
        return 0.0;
    }
    let inner = rect.shrink(radius);
    let places = (0..SAMPLES * SAMPLES).map(|sample| {
        let step = |index: u32| (index as f32 + 0.5) / SAMPLES as f32;
        corner + Vec2::new(step(sample % SAMPLES), step(sample / SAMPLES))
    });
    let inside =
        places.filter(|place| rect.contains(*place) && (inner.clamp(*place) - *place).length() <= radius.max(0.001));
    inside.count() as f32 / (SAMPLES * SAMPLES) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_three_colours_on_a_clear_ground() {
        let icon = paint();
        let pixel = |x: u32, y: u32| {
            let at = ((y * SIDE + x) * 4) as usize;
            [icon.rgba[at], icon.rgba[at + 1], icon.rgba[at + 2], icon.rgba[at + 3]]
        };
        assert_eq!(pixel(0, 0)[3], 0);
        assert_eq!(pixel(20, 10)[3], 0, "the wings are lower");
        for (x, color) in [(20, theme::LIGHT.parts[0]), (64, theme::LIGHT.parts[1]), (108, theme::LIGHT.parts[2])] {
            assert_eq!(pixel(x, 64), color.to_array());
        }
        assert_eq!(pixel(64, 10), theme::LIGHT.parts[1].to_array());
        assert_eq!(pixel(39, 64)[3], 0, "between two hinges there is a gap");
    }
}
