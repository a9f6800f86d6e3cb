//! What the picture of a video shows, by its pixels.

use image::RgbImage;

use crate::user::User;

/// Colour of the sun in the sample video.
const SUN: [u8; 3] = [255, 239, 162];

/// A picture with at least this share of sun-coloured pixels shows the sample.
const MIN_SUN_SHARE: f64 = 0.002;

/// What the seek bar is called.
pub const SEEK_BAR: &str = "Position in the video";

impl User {
    /// Waits until the video is at a place that `is_wanted`, and returns it; in seconds.
    pub fn wait_for_position(&self, is_wanted: impl Fn(f64) -> bool) -> f64 {
        self.wait_for("the place in the video", || self.value_of(SEEK_BAR).filter(|seconds| is_wanted(*seconds)))
    }

    /// What is where the picture of the video is; `None` while there is none.
    pub fn picture(&self) -> Option<RgbImage> {
        let widget = self.sees("Picture of")?;
        let (_, _, width, height) = widget.bounds;
        (width > 0 && height > 0).then(|| self.screen.capture(widget.bounds))
    }

    /// The picture of the sample, if it is shown.
    pub fn sample(&self) -> Option<RgbImage> {
        self.picture().filter(|picture| sun_share(picture) > MIN_SUN_SHARE)
    }

    /// Waits until the sample is shown, and returns its picture.
    pub fn wait_for_sample(&self) -> RgbImage {
        self.wait_for("the picture of the sample", || self.sample())
    }
}

/// The share of pixels in the colour of the sample's sun.
fn sun_share(picture: &RgbImage) -> f64 {
    let is_sun = |pixel: &&image::Rgb<u8>| pixel.0.iter().zip(SUN).all(|(value, sun)| value.abs_diff(sun) < 8);
    picture.pixels().filter(is_sun).count() as f64 / f64::from(picture.width() * picture.height())
}

/// The share of pixels that differ clearly between two pictures of one size.
pub fn changed_share(one: &RgbImage, other: &RgbImage) -> f64 {
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 40);
    let changed = one.pixels().zip(other.pixels()).filter(differs).count();
    changed as f64 / f64::from(one.width() * one.height())
}
