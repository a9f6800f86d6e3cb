//! Pictures arrive with the colours, the orientation and the aspect ratio of the file.

use std::path::Path;

use common::media::{Quality, VariantInfo};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use image::{Rgb, RgbImage};
use tempfile::tempdir;

use crate::support::{
    clips::{Clip, MJPEG, run, turn_clockwise},
    watch::{Watched, watch, watch_import},
};

const BARS: [[u8; 3]; 8] = [
    [235, 235, 235],
    [220, 210, 20],
    [20, 200, 210],
    [30, 190, 40],
    [200, 40, 190],
    [210, 30, 30],
    [30, 40, 200],
    [20, 20, 20],
];

/// Weights of red and blue in luma.
const BT601: (f32, f32) = (0.299, 0.114);
const BT709: (f32, f32) = (0.2126, 0.0722);

const HIGH_QUALITY: &str = "x264enc speed-preset=veryfast quantizer=8 pass=quant";

/// Luma and both colour differences of a bar, by the definition in the recommendations.
fn encode([red, green, blue]: [u8; 3], (red_weight, blue_weight): (f32, f32), is_full_range: bool) -> [u8; 3] {
    let [red, green, blue] = [red, green, blue].map(|part| f32::from(part) / 255.0);
    let luma = red_weight * red + (1.0 - red_weight - blue_weight) * green + blue_weight * blue;
    let differences = [(blue - luma) / (2.0 * (1.0 - blue_weight)), (red - luma) / (2.0 * (1.0 - red_weight))];
    let (luma, [blue, red]) = if is_full_range {
        (luma * 255.0, differences.map(|part| part * 255.0 + 128.0))
    } else {
        (luma * 219.0 + 16.0, differences.map(|part| part * 224.0 + 128.0))
    };
    [luma, blue, red].map(|part| part.round() as u8)
}

fn bar_at(column: f32) -> [u8; 3] {
    BARS[(column * BARS.len() as f32) as usize]
}

fn write_bars(path: &Path, clip: &Clip, weights: (f32, f32), is_full_range: bool) {
    clip.write_painted(
        path,
        |_, _, column| encode(bar_at(column), weights, is_full_range)[0],
        |_, column| {
            let [_, blue, red] = encode(bar_at(column), weights, is_full_range);
            (blue, red)
        },
    );
}

/// The first frame, converted to RGB by GStreamer itself.
fn reference(path: &Path) -> RgbImage {
    let description =
        "filesrc name=source ! decodebin ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink sync=false";
    let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("location", path);
    let sink = pipeline.by_name("sink").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(10)).unwrap();
    let structure = sample.caps().unwrap().structure(0).unwrap().to_owned();
    let side = |name| structure.get::<i32>(name).unwrap() as u32;
    let (width, height) = (side("width"), side("height"));
    let bytes = sample.buffer().unwrap().map_readable().unwrap().to_vec();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(bytes.len() as u32, width * height * 3, "choose a width that needs no padding");
    RgbImage::from_raw(width, height, bytes).unwrap()
}

fn picture(watched: &Watched) -> RgbImage {
    image::load_from_memory(&watched.pictures[0].jpeg).unwrap().into_rgb8()
}

fn mean_error(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let total: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    total as f64 / a.as_raw().len() as f64
}

#[tokio::test]
async fn colours_survive_whatever_the_file_uses() {
    let folder = tempdir().unwrap();
    let clip = |colorimetry: &str, encoder: &str, mux| Clip {
        size: (640, 360),
        colorimetry: colorimetry.into(),
        ..Clip::new(0, 2, 25).encoder(encoder, mux)
    };
    for (title, extension, clip, weights, is_full_range) in [
        ("hd", "mp4", clip("bt709", HIGH_QUALITY, "mp4mux"), BT709, false),
        ("sd", "mp4", clip("bt601", HIGH_QUALITY, "mp4mux"), BT601, false),
        ("full", "mkv", clip("1:4:0:0", HIGH_QUALITY, "matroskamux"), BT601, true),
        ("full hd", "mkv", clip("1:3:5:1", HIGH_QUALITY, "matroskamux"), BT709, true),
        ("jpeg", "mkv", clip("1:4:0:0", MJPEG, "matroskamux"), BT601, true),
    ] {
        let path = folder.path().join(format!("{title}_240p.{extension}"));
        write_bars(&path, &clip, weights, is_full_range);
        let arrived = picture(&watch(folder.path(), title, Quality::Triptych).await);
        let error = mean_error(&arrived, &reference(&path));
        assert!(error < 4.0, "{title}: {error:.2} of 255 from GStreamer's own colours");
        let painted = RgbImage::from_fn(640, 360, |x, _| Rgb(bar_at((x as f32 + 0.5) / 640.0)));
        let error = mean_error(&arrived, &painted);
        assert!(error < 4.0, "{title}: {error:.2} of 255 from what was painted");
        let imported = picture(&watch_import(&path, 360).await);
        let error = mean_error(&imported, &painted);
        assert!(error < 4.5, "{title} imported: {error:.2} of 255 from what was painted");
    }
}

#[tokio::test]
async fn the_right_edge_has_the_colours_of_the_picture() {
    let folder = tempdir().unwrap();
    // Rows that end at each place in a block of 16, counted in chroma samples.
    for width in (642..656).step_by(2) {
        let clip = Clip {
            size: (width, 360),
            colorimetry: "1:4:0:0".into(),
            ..Clip::new(0, 2, 25).encoder(HIGH_QUALITY, "matroskamux")
        };
        let path = folder.path().join(format!("edge {width}_240p.mkv"));
        write_bars(&path, &clip, BT601, true);
        let arrived = picture(&watch(folder.path(), &format!("edge {width}"), Quality::Triptych).await);
        let edge = image::imageops::crop_imm(&arrived, width as u32 - 2, 0, 2, 360).to_image();
        let painted = RgbImage::from_pixel(2, 360, Rgb(BARS[BARS.len() - 1]));
        let error = mean_error(&edge, &painted);
        assert!(error < 4.0, "{width} columns: {error:.2} of 255");
    }
}

/// Grey with a white upper left quarter.
fn corner(row: f32, column: f32) -> u8 {
    if row < 0.5 && column < 0.5 { 230 } else { 60 }
}

async fn watch_corner(clip: &Clip, change: impl Fn(&Path)) -> (VariantInfo, RgbImage) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("corner_240p.mp4");
    clip.write_painted(&path, |_, row, column| corner(row, column), |_, _| (128, 128));
    change(&path);
    let watched = watch(folder.path(), "corner", Quality::Triptych).await;
    (watched.library.videos[0].variants[0], picture(&watched))
}

fn is_white(picture: &RgbImage, row: f32, column: f32) -> bool {
    let at = |part: f32, side: u32| (part * side as f32) as u32;
    picture.get_pixel(at(column, picture.width()), at(row, picture.height()))[0] > 140
}

#[tokio::test]
async fn a_rotated_phone_video_is_shown_upright() {
    let (info, picture) = watch_corner(&Clip::new(0, 3, 25), turn_clockwise).await;
    assert_eq!((info.picture_width, info.picture_height), (96, 160));
    assert_eq!(picture.dimensions(), (96, 160));
    assert!(is_white(&picture, 0.2, 0.8) && !is_white(&picture, 0.2, 0.2) && !is_white(&picture, 0.8, 0.8));
}

#[tokio::test]
async fn an_import_is_upright_with_square_pixels() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("turned.mp4");
    let clip = Clip::new(0, 3, 25).encoder("capssetter caps=video/x-raw,pixel-aspect-ratio=4/3 ! x264enc", "mp4mux");
    clip.write_painted(&path, |_, row, column| corner(row, column), |_, _| (128, 128));
    turn_clockwise(&path);
    let watched = watch_import(&path, 320).await;
    let picture = picture(&watched);
    assert_eq!(picture.dimensions(), (144, 320));
    assert!(is_white(&picture, 0.2, 0.8) && !is_white(&picture, 0.2, 0.2) && !is_white(&picture, 0.8, 0.8));
}

#[tokio::test]
async fn pictures_have_square_pixels() {
    let clip = Clip::new(0, 3, 25).encoder("capssetter caps=video/x-raw,pixel-aspect-ratio=4/3 ! x264enc", "mp4mux");
    let (info, picture) = watch_corner(&clip, |_| {}).await;
    let shape = f64::from(info.picture_width) / f64::from(info.picture_height);
    assert!((shape - 160.0 / 96.0 * 4.0 / 3.0).abs() < 0.03, "{info:?}");
    assert_eq!(picture.dimensions(), (info.picture_width, info.picture_height));
    assert!(is_white(&picture, 0.3, 0.4) && !is_white(&picture, 0.3, 0.6));
}

#[tokio::test]
async fn ten_bit_video_is_converted_to_eight_bits() {
    let folder = tempdir().unwrap();
    let description = "videotestsrc num-buffers=5 ! video/x-raw,format=I420_10LE,width=320,height=180,framerate=25/1 \
        ! x264enc ! matroskamux ! filesink name=sink";
    let path = folder.path().join("ten_240p.mkv");
    run(description, &path);
    let arrived = picture(&watch(folder.path(), "ten", Quality::Triptych).await);
    let error = mean_error(&arrived, &reference(&path));
    assert!(error < 4.0, "{error:.2} of 255");
}
