//! Reads the words of a screenshot with tesseract.
//!
//! Tesseract is trained on print. Text of the size of a window's is too small for it, and the one threshold by which it
//! tells text from background loses the light text of a dark button. So the background is taken out first: a median filter
//! removes what is as thin as the strokes of letters, and the difference to its result is the text, whichever of the two
//! was lighter.

use std::{
    io::{Cursor, Write},
    process::{Command, Stdio},
};

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, imageops::FilterType};

const MAGNIFICATION: u32 = 2;

/// The median filter looks this many pixels to each side: more than half of what it sees around a letter is background.
const MEDIAN_RADIUS: usize = 5;

/// Weak text, such as captions, differs from its background by about a third of the range.
const CONTRAST: u8 = 2;

/// Tesseract's page segmentation modes: scattered text, automatic, and one block. Each misses words that another finds;
/// the first finds most in a window.
const SEGMENTATIONS: [&str; 3] = ["11", "3", "6"];

/// A word in a picture, in pixels from the picture's corner.
#[derive(Debug, Clone)]
pub struct Word {
    pub text: String,
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Word {
    pub fn centre(&self) -> (u32, u32) {
        (self.left + self.width / 2, self.top + self.height / 2)
    }
}

/// The words in a picture, line by line: one list for each of [`SEGMENTATIONS`], made when it is asked for.
pub fn readings(picture: &RgbImage) -> impl Iterator<Item = Vec<Word>> {
    let text = dark_on_light(&DynamicImage::ImageRgb8(picture.clone()).into_luma8());
    let (width, height) = text.dimensions();
    let large = image::imageops::resize(&text, width * MAGNIFICATION, height * MAGNIFICATION, FilterType::CatmullRom);
    let mut png = Cursor::new(Vec::new());
    large.write_to(&mut png, ImageFormat::Png).unwrap();
    SEGMENTATIONS.into_iter().map(move |segmentation| tesseract(png.get_ref(), segmentation))
}

fn tesseract(png: &[u8], segmentation: &str) -> Vec<Word> {
    let mut child = Command::new("tesseract")
        // Tesseract's threads wait busily for each other, and the programs under test need the cores.
        .env("OMP_THREAD_LIMIT", "1")
        .args(["stdin", "stdout", "--psm", segmentation, "tsv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("tesseract: {error}; 'make test' installs it"));
    child.stdin.take().unwrap().write_all(png).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "tesseract failed: {}", output.status);
    String::from_utf8_lossy(&output.stdout).lines().skip(1).filter_map(word).collect()
}

/// A line of tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
fn word(line: &str) -> Option<Word> {
    let fields: Vec<_> = line.split('\t').collect();
    let [.., left, top, width, height, _, text] = fields.as_slice() else { return None };
    let pixels = |number: &str| number.parse::<u32>().ok().map(|magnified| magnified / MAGNIFICATION);
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(())?;
    Some(Word { text, left: pixels(left)?, top: pixels(top)?, width: pixels(width)?, height: pixels(height)? })
}

/// What is thin in the picture, dark on white.
fn dark_on_light(picture: &GrayImage) -> GrayImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rows: Vec<&[u8]> = picture.chunks_exact(width).collect();
    let mut text = Vec::with_capacity(width * height);
    for row in 0..height {
        let near = &rows[row.saturating_sub(MEDIAN_RADIUS)..height.min(row + MEDIAN_RADIUS + 1)];
        // The window slides along the row: one column of pixels enters, another leaves.
        let mut window = Window::default();
        for column in 0..width + MEDIAN_RADIUS {
            if column < width {
                near.iter().for_each(|row| window.enter(row[column]));
            }
            if let Some(gone) = column.checked_sub(2 * MEDIAN_RADIUS + 1) {
                near.iter().for_each(|row| window.leave(row[gone]));
            }
            if let Some(centre) = column.checked_sub(MEDIAN_RADIUS) {
                text.push(255 - rows[row][centre].abs_diff(window.median()).saturating_mul(CONTRAST));
            }
        }
    }
    GrayImage::from_raw(picture.width(), picture.height(), text).unwrap()
}

/// The values of some pixels, and their median, which is corrected and not searched for: it changes little.
struct Window {
    histogram: [usize; 256],
    count: usize,
    median: u8,
    /// Pixels darker than `median`.
    darker: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { histogram: [0; 256], count: 0, median: 0, darker: 0 }
    }
}

impl Window {
    fn enter(&mut self, value: u8) {
        self.histogram[usize::from(value)] += 1;
        self.count += 1;
        self.darker += usize::from(value < self.median);
    }

    fn leave(&mut self, value: u8) {
        self.histogram[usize::from(value)] -= 1;
        self.count -= 1;
        self.darker -= usize::from(value < self.median);
    }

    fn median(&mut self) -> u8 {
        while self.darker > self.count / 2 {
            self.median -= 1;
            self.darker -= self.histogram[usize::from(self.median)];
        }
        while self.darker + self.histogram[usize::from(self.median)] <= self.count / 2 {
            self.darker += self.histogram[usize::from(self.median)];
            self.median += 1;
        }
        self.median
    }
}

/// Light text on dark is read like dark text on light, and the border of a surface vanishes.
#[test]
fn text_of_either_polarity_becomes_dark_on_light() {
    let (paper, ink) = ([200, 60], [80, 160]);
    // A light half and a dark half, each with a stroke of two pixels down its middle.
    let picture = GrayImage::from_fn(80, 30, |x, _| {
        let half = (x / 40) as usize;
        image::Luma([if matches!(x % 40, 20 | 21) { ink[half] } else { paper[half] }])
    });
    let text = dark_on_light(&picture);
    for (x, _, pixel) in text.enumerate_pixels() {
        let is_stroke = matches!(x % 40, 20 | 21);
        assert_eq!(pixel.0[0] < 100, is_stroke, "column {x} is {}", pixel.0[0]);
    }
}
