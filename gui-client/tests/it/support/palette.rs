//! Pictures of at most 256 colours, whose files are a quarter as large. Surfaces, lines and letters keep their exact colours;
//! where two of them blend, a colour may become its neighbour.

use std::{collections::HashMap, fs::File, io::BufWriter, path::Path};

use image::{Rgba, RgbaImage};

/// Most colours of a picture: what a byte for each pixel can name.
const COLORS: usize = 256;

/// Gives pixels of rare colours the most similar one of the colours that are kept.
pub fn reduce(image: &mut RgbaImage) {
    let kept = commonest(image);
    let mut nearest = HashMap::new();
    for pixel in image.pixels_mut() {
        let color = *pixel;
        *pixel = *nearest.entry(color).or_insert_with(|| {
            *kept.iter().min_by_key(|kept| distance(**kept, color)).expect("a picture has a colour")
        });
    }
}

/// Writes a picture that has been reduced.
pub fn write(image: &RgbaImage, path: &Path) {
    let palette = commonest(image);
    let index = |pixel: &Rgba<u8>| palette.iter().position(|color| color == pixel).expect("it is reduced") as u8;
    let indices: Vec<u8> = image.pixels().map(index).collect();
    let file = BufWriter::new(File::create(path).expect("snapshots can be written"));
    let mut encoder = png::Encoder::new(file, image.width(), image.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.iter().flat_map(|color| [color[0], color[1], color[2]]).collect::<Vec<_>>());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().expect("snapshots can be written");
    writer.write_image_data(&indices).and_then(|()| writer.finish()).expect("snapshots can be written");
}

/// The colours that most pixels have, in an order that depends on the picture only.
fn commonest(image: &RgbaImage) -> Vec<Rgba<u8>> {
    let mut counts: HashMap<Rgba<u8>, usize> = HashMap::new();
    for pixel in image.pixels() {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colors: Vec<_> = counts.into_iter().collect();
    colors.sort_unstable_by_key(|(color, count)| (std::cmp::Reverse(*count), color.0));
    colors.truncate(COLORS);
    colors.into_iter().map(|(color, _)| color).collect()
}

fn distance(a: Rgba<u8>, b: Rgba<u8>) -> u32 {
    a.0.iter().zip(b.0).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[test]
fn common_colors_stay_and_rare_ones_become_their_neighbours() {
    // 300 shades, of which the last 44 are seen once and all others twice.
    let shade = |number: u32| Rgba([(number / 2) as u8, (number - number / 2) as u8, 7, 255]);
    let mut image = RgbaImage::from_fn(556, 1, |x, _| shade(if x < 300 { x } else { x - 300 }));
    reduce(&mut image);
    assert!((0..556).filter(|x| x % 300 < 256).all(|x| *image.get_pixel(x, 0) == shade(x % 300)));
    assert!((256..300).all(|x| *image.get_pixel(x, 0) == shade(255)), "the nearest one that was kept");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    write(&image, &path);
    assert!(image::open(path).unwrap().to_rgba8() == image, "the file holds the picture as it is");
}
