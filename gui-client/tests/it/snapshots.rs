//! How the window looks: pictures of views, beside those in `tests/snapshots`. They are drawn on the processor with the fonts of
//! the program, at noon and at a moment that does not pass. CONTRIBUTING.md says how to renew them.

use std::{env, fs, path::Path};

use egui::Theme;
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults, try_image_snapshot_options};
use image::{Rgba, RgbaImage};
use triptych_client::ui::kit::theme;

use crate::support::{
    palette,
    raster::Raster,
    scenes::{self, moment},
    window::{self, Window},
};

/// How different a pixel may be, as a weighted square in YIQ: this is about four steps of brightness of 256. Processors
/// differ by less in how they smooth letters.
const THRESHOLD: f32 = 10.0;
/// Pixels that may differ more than that.
const MAX_FAILED_PIXELS: usize = 20;

/// The time of the picture, after the window has opened.
const SETTLED_SECONDS: f64 = 60.0;

/// A window of the first size.
const FIRST: [f32; 2] = [960.0, 620.0];
/// The smallest window.
const SMALLEST: [f32; 2] = [600.0, 400.0];

fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(THRESHOLD).max_failed_pixels(MAX_FAILED_PIXELS)
}

fn draw(scene: &str, theme: Theme, size: [f32; 2], pixels_per_point: f32) -> RgbaImage {
    let builder = Harness::builder().with_size(size).with_pixels_per_point(pixels_per_point).with_theme(theme);
    let mut shown = Window::new(scenes::scene(scene));
    shown.now = Some(moment());
    shown.has_pictures = true;
    let mut harness = window::build_shown(shown, builder.renderer(Raster::default()));
    // What is shown for a moment only has gone.
    harness.input_mut().time = Some(SETTLED_SECONDS);
    harness.run();
    let mut image = harness.render().expect("views can be drawn");
    palette::reduce(&mut image);
    image
}

fn compare(results: &mut SnapshotResults, scene: &str, theme: Theme, size: [f32; 2], pixels_per_point: f32) {
    let image = draw(scene, theme, size, pixels_per_point);
    let mode = if theme == Theme::Dark { "dark" } else { "light" };
    let [width, height] = size;
    let zoom = if pixels_per_point == 1.0 { String::new() } else { format!("-{}-percent", 100.0 * pixels_per_point) };
    let name = format!("{scene}-{mode}-{width}x{height}{zoom}");
    results.add(try_image_snapshot_options(&image, &name, &options()));
    let path = Path::new("tests/snapshots").join(name).with_extension("png");
    if env::var_os("UPDATE_SNAPSHOTS").is_some() && !is_small(&path) {
        palette::write(&image, &path);
    }
}

/// Whether the file names its colours in a palette.
fn is_small(path: &Path) -> bool {
    const COLOR_TYPE_AT: usize = 25;
    fs::read(path).expect("it was written").get(COLOR_TYPE_AT) == Some(&(png::ColorType::Indexed as u8))
}

#[test]
fn the_first_screens_look_as_they_should() {
    let mut results = SnapshotResults::new();
    compare(&mut results, "servers", Theme::Light, FIRST, 1.0);
    compare(&mut results, "servers-none", Theme::Dark, SMALLEST, 1.0);
}

#[test]
fn conversations_look_as_they_should() {
    let mut results = SnapshotResults::new();
    compare(&mut results, "chat", Theme::Light, FIRST, 1.0);
    compare(&mut results, "room", Theme::Light, SMALLEST, 1.0);
    compare(&mut results, "chat", Theme::Dark, SMALLEST, 2.0);
}

#[test]
fn the_player_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    compare(&mut results, "playing", Theme::Dark, FIRST, 1.0);
    compare(&mut results, "playing", Theme::Light, SMALLEST, 1.0);
}

#[test]
fn envelopes_and_keys_look_as_they_should() {
    let mut results = SnapshotResults::new();
    compare(&mut results, "wire-letter", Theme::Light, FIRST, 1.0);
    compare(&mut results, "dictionary", Theme::Dark, FIRST, 1.0);
}

#[test]
fn alarms_look_as_they_should() {
    let mut results = SnapshotResults::new();
    compare(&mut results, "key-changed", Theme::Dark, FIRST, 1.0);
    compare(&mut results, "certificate", Theme::Light, SMALLEST, 1.0);
}

/// Whether `new` passes for the picture `old`.
fn passes(old: &RgbaImage, new: &RgbaImage) -> bool {
    let folder = tempfile::tempdir().unwrap();
    palette::write(old, &folder.path().join("picture.png"));
    try_image_snapshot_options(new, "picture", &options().output_path(folder.path())).is_ok()
}

#[test]
fn noise_passes_and_changes_do_not() {
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return; // Everything passes then.
    }
    let image = draw("chat", Theme::Light, SMALLEST, 1.0);
    let changed = |change: &dyn Fn(u32, u32, Rgba<u8>) -> Rgba<u8>| {
        RgbaImage::from_fn(image.width(), image.height(), |x, y| change(x, y, *image.get_pixel(x, y)))
    };
    let noisy = changed(&|x, y, Rgba([red, green, blue, _])| {
        let noise = (x * 7 + y * 13) % 5;
        let with_noise = |channel: u8| (u32::from(channel) + noise).saturating_sub(2).min(255) as u8;
        Rgba([with_noise(red), with_noise(green), with_noise(blue), 255])
    });
    assert!(passes(&image, &noisy), "two steps of brightness are noise");
    let moved = changed(&|x, y, pixel| if y > 200 { *image.get_pixel(x, y - 2) } else { pixel });
    assert!(!passes(&image, &moved), "everything below is two points lower");
    let row = changed(&|x, y, pixel| {
        if (100..124).contains(&y) && x < 240 { *image.get_pixel(x, y - 2) } else { pixel }
    });
    assert!(!passes(&image, &row), "one line of a row is two points lower");
    let selected = theme::LIGHT.accent_soft.to_array();
    let faded = changed(&|_, _, pixel| if pixel.0 == selected { Rgba(theme::LIGHT.hover.to_array()) } else { pixel });
    assert!(!passes(&image, &faded), "a selected row has the colour of one under the pointer");
}
