//! The colours of planar 4:2:0 pictures, converted to full-range BT.601, which JPEG readers assume. Pure.
//!
//! Grey stays grey whatever the matrix, so each colour difference depends on the two old ones only, and luma is the old one,
//! stretched, plus a share of both differences. No picture needs to be converted to RGB for that, and nothing is scaled up
//! but the shares. Measured at 1440p it takes a fifth of the time of `videoconvert`, which does all that.
//!
//! All factors, products and sums are 16-bit numbers, because the compiler makes vector instructions of such loops, and takes
//! three times as long with wider ones. So that the products fit, a factor is what it exceeds one by. Checks for overflow
//! would prevent vector instructions, too; the test tries the extremes.

use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry};

/// Fractional bits of the sums.
const FRACTION_BITS: u32 = 6;

/// Fractional bits of a factor.
const FACTOR_BITS: u32 = 10;

/// Half of a level, so that cutting off the fraction rounds.
const HALF: i16 = 1 << (FRACTION_BITS - 1);

/// The level of a colour difference of zero.
const MIDDLE: i16 = 128;

/// Weights of red and blue in luma: Recommendation ITU-R BT.601.
const BT601: (f64, f64) = (0.299, 0.114);

/// How the colours of a picture become those of a JPEG picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColourConversion {
    /// Factor of luma, less one.
    luma: u16,
    /// What is added to luma.
    luma_offset: i16,
    /// Factors of the two colour differences, blue first, in luma.
    shares: [i16; 2],
    /// The same in each of the new differences, less one for the difference that it continues, which comes first.
    blue: [i16; 2],
    red: [i16; 2],
}

/// The planes of a picture: luma, blue difference, red difference; rows of `strides` bytes, of which the first
/// `width`, or half of it, are samples.
#[derive(Debug)]
pub(super) struct Planes<'a> {
    pub(super) planes: [&'a [u8]; 3],
    pub(super) strides: [usize; 3],
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Planes<'_> {
    /// Copies the picture into rows of `strides` bytes, which are filled with their last sample.
    pub(super) fn copy_to(&self, target: [&mut [u8]; 3], strides: [usize; 3]) {
        for (plane, target) in target.into_iter().enumerate() {
            let (width, height) =
                if plane == 0 { (self.width, self.height) } else { (self.width.div_ceil(2), self.height.div_ceil(2)) };
            let rows = self.planes[plane].chunks(self.strides[plane]).take(height);
            for (from, to) in rows.zip(target.chunks_exact_mut(strides[plane])) {
                to[..width].copy_from_slice(&from[..width]);
                extend(to, width);
            }
        }
    }
}

impl ColourConversion {
    /// `None` for matrices of which no video with planar 4:2:0 pictures makes use; their colours are taken as they are.
    pub(super) fn from(colours: &VideoColorimetry) -> Option<Self> {
        let (red, blue) = match colours.matrix() {
            VideoColorMatrix::Bt601 => BT601,
            VideoColorMatrix::Bt709 => (0.2126, 0.0722),
            VideoColorMatrix::Fcc => (0.30, 0.11),
            VideoColorMatrix::Smpte240m => (0.212, 0.087),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            _ => return None,
        };
        Some(Self::new((red, blue), colours.range() == VideoColorRange::Range0_255))
    }

    /// From pictures with these weights of red and blue in luma.
    fn new((red_weight, blue_weight): (f64, f64), is_full_range: bool) -> Self {
        let (luma_levels, difference_levels, black) =
            if is_full_range { (255.0, 255.0, 0.0) } else { (219.0, 224.0, 16.0) };
        let green_weight = 1.0 - red_weight - blue_weight;
        // What a colour difference adds to red, green and blue.
        let of_blue = [0.0, -2.0 * blue_weight * (1.0 - blue_weight) / green_weight, 2.0 * (1.0 - blue_weight)];
        let of_red = [2.0 * (1.0 - red_weight), -2.0 * red_weight * (1.0 - red_weight) / green_weight, 0.0];
        let share = |[red, green, blue]: [f64; 3]| BT601.0 * red + (1.0 - BT601.0 - BT601.1) * green + BT601.1 * blue;
        let new_blue = |adds: [f64; 3]| (adds[2] - share(adds)) / (2.0 * (1.0 - BT601.1));
        let new_red = |adds: [f64; 3]| (adds[0] - share(adds)) / (2.0 * (1.0 - BT601.0));
        let fixed = |factor: f64| (factor * f64::from(1 << FACTOR_BITS)).round();
        let stretch = 255.0 / difference_levels;
        let both = |part: &dyn Fn([f64; 3]) -> f64, [less_blue, less_red]: [f64; 2]| {
            [part(of_blue) * stretch - less_blue, part(of_red) * stretch - less_red].map(|factor| fixed(factor) as i16)
        };
        let [red_of_blue, red_of_red] = both(&new_red, [0.0, 1.0]);
        let luma = fixed(255.0 / luma_levels - 1.0);
        // With the factor as it was rounded, so that black becomes zero.
        let black = black * (1.0 + luma / f64::from(1 << FACTOR_BITS));
        Self {
            luma: luma as u16,
            luma_offset: HALF - (black * f64::from(1 << FRACTION_BITS)).round() as i16,
            shares: both(&share, [0.0, 0.0]),
            blue: both(&new_blue, [1.0, 0.0]),
            red: [red_of_red, red_of_blue],
        }
    }

    /// Whether pictures stay as they are.
    pub(super) fn changes_nothing(&self) -> bool {
        *self == Self::new(BT601, true)
    }

    /// Gives a picture new colours, in place. Rows of the planes have `strides` bytes.
    pub(super) fn convert(&self, planes: [&mut [u8]; 3], strides: [usize; 3], (width, height): (usize, usize)) {
        let chroma_width = width.div_ceil(2);
        let [luma, blue, red] = planes;
        let mut luma_rows = luma.chunks_mut(strides[0]).take(height);
        let chroma_rows = blue.chunks_mut(strides[1]).zip(red.chunks_mut(strides[2]));
        // One more than there are colour samples: what follows the last one is like it.
        let (mut half, mut shares) = (vec![0; chroma_width + 1], vec![0; 2 * chroma_width]);
        for (blue, red) in chroma_rows.take(height.div_ceil(2)) {
            let (blue, red) = (&mut blue[..chroma_width], &mut red[..chroma_width]);
            for ((half, &blue), &red) in half.iter_mut().zip(&*blue).zip(&*red) {
                *half = weighed(blue, red, self.shares).wrapping_add(self.luma_offset);
            }
            half[chroma_width] = half[chroma_width - 1];
            for ((pair, &here), &next) in shares.as_chunks_mut::<2>().0.iter_mut().zip(&half).zip(&half[1..]) {
                // Colour samples lie on every second luma sample, as H.264 assumes.
                *pair = [here, here.wrapping_add(next) >> 1];
            }
            for luma in (&mut luma_rows).take(2) {
                stretch_luma(&mut luma[..width], self.luma, &shares);
            }
            for (blue, red) in blue.iter_mut().zip(red) {
                (*blue, *red) = (new_difference(*blue, *red, self.blue), new_difference(*red, *blue, self.red));
            }
        }
    }
}

/// Two colour differences, each by its factor.
fn weighed(one: u8, other: u8, [of_one, of_other]: [i16; 2]) -> i16 {
    let part =
        |level: u8, factor: i16| (i16::from(level) - MIDDLE).wrapping_mul(factor) >> (FACTOR_BITS - FRACTION_BITS);
    part(one, of_one).wrapping_add(part(other, of_other))
}

/// The difference that continues `one`.
fn new_difference(one: u8, other: u8, factors: [i16; 2]) -> u8 {
    let same = i16::from(one) << FRACTION_BITS;
    level(same.wrapping_add(weighed(one, other, factors)).wrapping_add(HALF))
}

fn stretch_luma(row: &mut [u8], factor: u16, shares: &[i16]) {
    for (luma, &share) in row.iter_mut().zip(shares) {
        let old = u16::from(*luma);
        let more = old.wrapping_mul(factor) >> (FACTOR_BITS - FRACTION_BITS);
        *luma = level((old << FRACTION_BITS).wrapping_add(more).wrapping_add_signed(share) as i16);
    }
}

/// A sum without its fraction.
fn level(sum: i16) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// Fills what follows the samples of a row.
fn extend(row: &mut [u8], samples: usize) {
    if let Some(&last) = row[..samples].last() {
        row[samples..].fill(last);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MATRICES: [(f64, f64); 5] = [BT601, (0.2126, 0.0722), (0.30, 0.11), (0.212, 0.087), (0.2627, 0.0593)];

    /// The new levels of one colour, by way of red, green and blue.
    fn by_definition([luma, blue, red]: [u8; 3], (kr, kb): (f64, f64), is_full_range: bool) -> [f64; 3] {
        let (levels, black, differences) = if is_full_range { (255.0, 0.0, 255.0) } else { (219.0, 16.0, 224.0) };
        let luma = (f64::from(luma) - black) / levels;
        let [blue, red] = [blue, red].map(|level| (f64::from(level) - 128.0) / differences);
        let (r, b) = (luma + 2.0 * (1.0 - kr) * red, luma + 2.0 * (1.0 - kb) * blue);
        let g = (luma - kr * r - kb * b) / (1.0 - kr - kb);
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        [luma * 255.0, (b - luma) / 1.772 * 255.0 + 128.0, (r - luma) / 1.402 * 255.0 + 128.0]
    }

    /// A picture of one colour, converted, without what follows the samples of each row.
    fn converted(colour: [u8; 3], weights: (f64, f64), is_full_range: bool) -> [Vec<u8>; 3] {
        let strides = [20, 12, 12];
        let mut planes = [vec![colour[0]; 20 * 3], vec![colour[1]; 12 * 2], vec![colour[2]; 12 * 2]];
        let [luma, blue, red] = &mut planes;
        ColourConversion::new(weights, is_full_range).convert([luma, blue, red], strides, (17, 3));
        let samples = [17, 9, 9];
        [0, 1, 2].map(|plane| {
            let (samples, rest): (Vec<_>, Vec<_>) =
                planes[plane].chunks(strides[plane]).map(|row| row.split_at(samples[plane])).unzip();
            assert!(rest.concat().iter().all(|&level| level == colour[plane]), "what follows is not touched");
            samples.concat()
        })
    }

    proptest! {
        #[test]
        fn each_colour_becomes_what_the_definitions_say(
            colour: [u8; 3], matrix in 0..MATRICES.len(), is_full_range: bool,
            extremes in prop::option::of(prop::array::uniform3(prop_oneof![Just(0u8), Just(255)])),
        ) {
            let colour = extremes.unwrap_or(colour);
            let expected = by_definition(colour, MATRICES[matrix], is_full_range);
            for (plane, expected) in converted(colour, MATRICES[matrix], is_full_range).iter().zip(expected) {
                let expected = expected.clamp(0.0, 255.0);
                for &level in plane {
                    prop_assert!((f64::from(level) - expected).abs() <= 0.65, "{level} instead of {expected:.2}");
                }
            }
        }
    }

    #[test]
    fn full_range_of_the_same_matrix_stays_as_it_is() {
        for level in 0..=255 {
            let [luma, blue, red] = converted([level, 255 - level, level], BT601, true);
            assert_eq!((luma[0], blue[0], red[0]), (level, 255 - level, level));
        }
    }

    #[test]
    fn rows_are_filled_with_their_last_sample_and_odd_sides_are_whole() {
        let luma: Vec<u8> = (0..5 * 3).collect();
        let planes = Planes { planes: [&luma, &[128; 6], &[128; 6]], strides: [5, 3, 3], width: 5, height: 3 };
        let mut target = [vec![0; 16 * 3], vec![0; 8 * 2], vec![0; 8 * 2]];
        let [to_luma, blue, red] = &mut target;
        planes.copy_to([to_luma, blue, red], [16, 8, 8]);
        for (row, expected) in target[0].chunks(16).zip(luma.chunks(5)) {
            assert_eq!(&row[..5], expected);
            assert_eq!(row[5..], [expected[4]; 11]);
        }
        assert_eq!(target[1], [128; 16]);
    }
}
