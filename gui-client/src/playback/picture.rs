//! Decodes a JPEG to RGBA, reduced to about the size at which it is displayed.
//!
//! Averaging blocks of pixels costs less than uploading and sampling the whole picture (measured with software rendering,
//! see docs/PERFORMANCE.md), and looks better than the samples that a renderer picks from a picture several times too large.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, codecs::jpeg::JpegDecoder};

/// A decoded picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// `width * height` pixels, row by row; each is four bytes R, G, B, A in memory.
    pub pixels: Vec<u32>,
}

/// Bytes of a pixel in a JPEG: R, G, B.
const CHANNELS: usize = 3;

/// Why a picture cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Not a JPEG, or a damaged one.
    #[error("not a readable JPEG: {0}")]
    Unreadable(String),
    /// Wider or higher than the limit, which comes after it; refused before memory is allocated.
    #[error("a picture of {0}x{1} pixels is larger than {2}x{3}")]
    TooLarge(u32, u32, u32, u32),
    /// Neither greyscale nor RGB, the only colours of JFIF.
    #[error("a picture in {0:?}, neither grey nor RGB")]
    UnusualColours(ColorType),
    /// The decoder has a fault that this picture triggers.
    #[error("the JPEG decoder panicked")]
    DecoderPanicked,
}

/// The decoder; keeps its working memory between pictures.
#[derive(Debug, Default)]
pub struct PictureDecoder {
    /// The picture at full size: R, G, B of each pixel.
    full_size: Vec<u8>,
    row_sums: Vec<u16>,
}

impl PictureDecoder {
    /// Decodes `jpeg`, which is at most `largest` (width and height) in size, into `buffer`. When `display_size`, in pixels of the screen, is at most half as large as the picture, the
    /// picture is reduced by a whole number, but never below `display_size`.
    pub fn decode(
        &mut self,
        jpeg: &[u8],
        largest: (u32, u32),
        display_size: (u32, u32),
        mut buffer: Vec<u32>,
    ) -> Result<Picture, PictureError> {
        let decoder = JpegDecoder::new(Cursor::new(jpeg)).map_err(unreadable)?;
        let (width, height) = decoder.dimensions();
        if width > largest.0 || height > largest.1 {
            return Err(PictureError::TooLarge(width, height, largest.0, largest.1));
        }
        let (width, height) = (width as usize, height as usize);
        self.full_size.resize(width * height * CHANNELS, 0);
        match decoder.color_type() {
            ColorType::Rgb8 => decoder.read_image(&mut self.full_size).map_err(unreadable)?,
            ColorType::L8 => {
                let mut greys = vec![0; width * height];
                decoder.read_image(&mut greys).map_err(unreadable)?;
                self.full_size.chunks_exact_mut(CHANNELS).zip(greys).for_each(|(rgb, grey)| rgb.fill(grey));
            }
            other => return Err(PictureError::UnusualColours(other)),
        }
        let divisor = divisor(width, height, display_size);
        buffer.resize((width / divisor) * (height / divisor), 0);
        if divisor == 1 {
            for (pixel, rgb) in buffer.iter_mut().zip(self.full_size.chunks_exact(CHANNELS)) {
                *pixel = rgba(rgb[0], rgb[1], rgb[2]);
            }
        } else {
            self.average(width, divisor, &mut buffer);
        }
        Ok(Picture { width: width / divisor, height: height / divisor, pixels: buffer })
    }

    /// Averages blocks of `divisor` by `divisor` pixels. Rows are summed first: that loop runs over plain bytes, which the
    /// compiler turns into vector instructions. Surplus pixels at the right and lower edge, fewer than a block, are dropped.
    fn average(&mut self, width: usize, divisor: usize, target: &mut [u32]) {
        let target_width = width / divisor;
        self.row_sums.resize(target_width * divisor * CHANNELS, 0);
        let count = (divisor * divisor) as u32;
        let reciprocal = reciprocal(count);
        let blocks_of_rows = self.full_size.chunks_exact(width * CHANNELS * divisor);
        for (target_row, rows) in target.chunks_exact_mut(target_width).zip(blocks_of_rows) {
            self.row_sums.fill(0);
            // No sum wraps around: `divisor` bounds them. With checks of each addition there are no vector instructions.
            for row in rows.chunks_exact(width * CHANNELS) {
                for (sum, &byte) in self.row_sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(u16::from(byte));
                }
            }
            for (pixel, block) in target_row.iter_mut().zip(self.row_sums.chunks_exact(CHANNELS * divisor)) {
                let mut totals = [0u32; CHANNELS];
                for channels in block.chunks_exact(CHANNELS) {
                    for (total, &sum) in totals.iter_mut().zip(channels) {
                        *total = total.wrapping_add(u32::from(sum));
                    }
                }
                let [r, g, b] =
                    totals.map(|total| (total.wrapping_add(count / 2).wrapping_mul(reciprocal) >> 24) as u8);
                *pixel = rgba(r, g, b);
            }
        }
    }
}

fn rgba(r: u8, g: u8, b: u8) -> u32 {
    u32::from_ne_bytes([r, g, b, u8::MAX])
}

/// The largest whole number by which a picture can be reduced and still fill `display_size`.
fn divisor(width: usize, height: usize, display_size: (u32, u32)) -> usize {
    // Up to 8, the sums of a column fit 16 bits, and multiplying by `reciprocal` equals an exact division.
    const LARGEST_DIVISOR: usize = 8;
    let (display_width, display_height) = (display_size.0.max(1) as usize, display_size.1.max(1) as usize);
    // The display area has the aspect ratio of the largest variant, so the side that needs more pixels decides.
    (width / display_width).min(height / display_height).clamp(1, LARGEST_DIVISOR)
}

/// The factor that divides by `count` when the product is shifted right by 24 bits. The largest sum of `count` bytes, plus
/// half of `count` for rounding, is below `256 * count`, so the product fits 32 bits.
fn reciprocal(count: u32) -> u32 {
    (1_u32 << 24).div_ceil(count)
}

fn unreadable(error: image::ImageError) -> PictureError {
    PictureError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_exactly() {
        for divisor in 2..=8 {
            let count = divisor * divisor;
            for total in 0..=255 * count {
                let average = ((total + count / 2) * reciprocal(count)) >> 24;
                assert_eq!(average, (f64::from(total) / f64::from(count)).round() as u32, "{total} / {count}");
            }
        }
    }

    #[test]
    fn blocks_are_averaged_by_channel_and_surplus_pixels_left_out() {
        let full_size: Vec<u8> = [
            [[0, 10, 0], [1, 20, 0], [255, 0, 9], [255, 0, 9], [77, 77, 77]],
            [[1, 30, 0], [1, 40, 0], [255, 0, 9], [255, 0, 9], [77, 77, 77]],
            [[77, 77, 77]; 5],
        ]
        .concat()
        .concat();
        let mut decoder = PictureDecoder { full_size, row_sums: Vec::new() };
        let mut target = vec![0; 2];
        decoder.average(5, 2, &mut target);
        assert_eq!(target, [rgba(1, 25, 0), rgba(255, 0, 9)]);
    }
}
