//! Draws what egui gives out on the processor, pixel by pixel. So a picture of a view is the same on every machine, and
//! takes neither a display nor a driver.

use std::{collections::HashMap, mem};

use egui::{
    Color32, ColorImage, ImageData, Rect, Rgba, TextureFilter, TextureId, TextureOptions, TexturesDelta,
    epaint::{Mesh, Primitive, Vertex},
};
use egui_kittest::TestRenderer;
use image::RgbaImage;

/// A renderer for [`egui_kittest::HarnessBuilder::renderer`].
#[derive(Default)]
pub struct Raster {
    textures: HashMap<TextureId, (ColorImage, TextureOptions)>,
}

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in mem::take(&mut delta.set) {
            for change in changes {
                let ImageData::Color(image) = change.image;
                match (change.pos, self.textures.get_mut(&id)) {
                    (Some([left, top]), Some((texture, _))) => {
                        for (row, pixels) in image.pixels.chunks_exact(image.width()).enumerate() {
                            let begin = (top + row) * texture.width() + left;
                            texture.pixels[begin..begin + pixels.len()].copy_from_slice(pixels);
                        }
                    }
                    _ => {
                        self.textures.insert(id, ((*image).clone(), change.options));
                    }
                }
            }
        }
        for id in mem::take(&mut delta.free) {
            self.textures.remove(&id);
        }
    }

    fn render(&mut self, ctx: &egui::Context, output: &egui::FullOutput) -> Result<RgbaImage, String> {
        let scale = output.pixels_per_point;
        let size = ctx.content_rect().size() * scale;
        let background = ctx.global_style().visuals.panel_fill;
        let mut canvas = Canvas::new(size.x.round() as usize, size.y.round() as usize, background);
        for clipped in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = clipped.primitive else { return Err("a view draws by itself".to_owned()) };
            let (texture, options) =
                self.textures.get(&mesh.texture_id).ok_or_else(|| format!("no texture {:?}", mesh.texture_id))?;
            canvas.draw(&mesh, clipped.clip_rect * scale, scale, texture, *options);
        }
        Ok(canvas.into_image())
    }
}

/// Pixels with a range in `0.0..=255.0`, in the space in which egui blends: sRGB with its gamma.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(width: usize, height: usize, color: Color32) -> Self {
        let [red, green, blue, _] = color.to_array().map(f32::from);
        Self { width, height, pixels: vec![[red, green, blue]; width * height] }
    }

    fn draw(&mut self, mesh: &Mesh, clip: Rect, scale: f32, texture: &ColorImage, options: TextureOptions) {
        for triangle in mesh.indices.chunks_exact(3) {
            let corners = [triangle[0], triangle[1], triangle[2]].map(|index| {
                let vertex = mesh.vertices[index as usize];
                Vertex { pos: vertex.pos * scale, ..vertex }
            });
            self.triangle(corners, clip, texture, options);
        }
    }

    fn triangle(&mut self, [a, b, c]: [Vertex; 3], clip: Rect, texture: &ColorImage, options: TextureOptions) {
        let area = cross(a, b, c.pos.x, c.pos.y);
        // Triangles come in either direction.
        let (b, c) = if area < 0.0 { (c, b) } else { (b, c) };
        let area = area.abs();
        if area < f32::EPSILON {
            return;
        }
        let bounds = Rect::from_points(&[a.pos, b.pos, c.pos]).intersect(clip);
        // The pixels whose centres lie within.
        let range = |from: f32, to: f32, end: usize| {
            (from - 0.5).ceil().max(0.0) as usize..((to - 0.5).ceil().max(0.0) as usize).min(end)
        };
        for row in range(bounds.top(), bounds.bottom(), self.height) {
            for column in range(bounds.left(), bounds.right(), self.width) {
                let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
                let weights =
                    [(b, c), (c, a), (a, b)].map(|(from, to)| (cross(from, to, x, y), is_upper_left(from, to)));
                // A centre on the edge of two triangles belongs to one of them.
                if weights.iter().any(|(weight, is_own)| *weight < 0.0 || *weight == 0.0 && !is_own) {
                    continue;
                }
                let [u, v, w] = weights.map(|(weight, _)| weight / area);
                let at = a.uv.to_vec2() * u + b.uv.to_vec2() * v + c.uv.to_vec2() * w;
                let texel = sample(texture, at.x, at.y, options);
                let color: [f32; 4] = std::array::from_fn(|channel| {
                    let of = |vertex: Vertex| f32::from(vertex.color.to_array()[channel]);
                    (of(a) * u + of(b) * v + of(c) * w) * texel[channel] / 255.0
                });
                let pixel = &mut self.pixels[row * self.width + column];
                // Colours are multiplied by their opacity already.
                *pixel = std::array::from_fn(|channel| color[channel] + pixel[channel] * (1.0 - color[3] / 255.0));
            }
        }
    }

    fn into_image(self) -> RgbaImage {
        let bytes = self.pixels.iter().flat_map(|pixel| {
            let [red, green, blue] = pixel.map(|value| value.round().clamp(0.0, 255.0) as u8);
            [red, green, blue, 255]
        });
        RgbaImage::from_raw(self.width as u32, self.height as u32, bytes.collect()).expect("four bytes for each pixel")
    }
}

/// Twice the area of the triangle of this edge and point.
fn cross(from: Vertex, to: Vertex, x: f32, y: f32) -> f32 {
    (to.pos.x - from.pos.x) * (y - from.pos.y) - (to.pos.y - from.pos.y) * (x - from.pos.x)
}

fn is_upper_left(from: Vertex, to: Vertex) -> bool {
    let (right, down) = (to.pos.x - from.pos.x, to.pos.y - from.pos.y);
    down < 0.0 || down == 0.0 && right > 0.0
}

/// The colour at a place, from 0 to 1 in both directions, with channels from 0 to 255.
fn sample(texture: &ColorImage, u: f32, v: f32, options: TextureOptions) -> [f32; 4] {
    let [width, height] = texture.size;
    let texel = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, width as f32 - 1.0) as usize, y.clamp(0.0, height as f32 - 1.0) as usize);
        texture.pixels[y * width + x].to_array().map(f32::from)
    };
    let (x, y) = (u * width as f32, v * height as f32);
    if options.magnification == TextureFilter::Nearest {
        return texel(x.floor(), y.floor());
    }
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let mix = |one: [f32; 4], other: [f32; 4], share: f32| -> [f32; 4] {
        std::array::from_fn(|channel| one[channel] + (other[channel] - one[channel]) * share)
    };
    let upper = mix(texel(left, top), texel(left + 1.0, top), right_share);
    let lower = mix(texel(left, top + 1.0), texel(left + 1.0, top + 1.0), right_share);
    mix(upper, lower, bottom_share)
}

#[test]
fn shapes_cover_the_pixels_whose_centres_they_hold_once() {
    let mut canvas = Canvas::new(8, 8, Color32::BLACK);
    let white = ColorImage::filled([1, 1], Color32::WHITE);
    let mut mesh = Mesh::default();
    let half = Rgba::from_white_alpha(0.5).into();
    mesh.add_colored_rect(Rect::from_min_max(egui::pos2(1.0, 2.0), egui::pos2(5.0, 6.0)), half);
    canvas.draw(&mesh, Rect::EVERYTHING, 1.0, &white, TextureOptions::NEAREST);
    let covered: Vec<_> = canvas.pixels.iter().filter(|pixel| pixel[0] > 0.0).collect();
    assert_eq!(covered.len(), 16);
    assert!(covered.windows(2).all(|pair| pair[0] == pair[1]), "pixels on the diagonal are drawn once: {covered:?}");
}
