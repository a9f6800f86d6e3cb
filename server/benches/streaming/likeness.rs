//! How like two pictures are: peak signal-to-noise ratio and structural similarity of their luma.

/// Luma of a picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Samples in a row.
    pub width: usize,
    /// All rows, without padding.
    pub samples: Vec<u8>,
}

/// Side of the windows whose structure is compared, and the distance from one to the next. They overlap, as in x264 and FFmpeg:
/// windows that were the blocks of the JPEG themselves would not see its edges between blocks.
const WINDOW_SIDE: usize = 8;
const WINDOW_STEP: usize = 4;

/// Peak signal-to-noise ratio in dB: infinite if the pictures are the same. They must be of one size.
pub fn psnr(one: &Luma, other: &Luma) -> f64 {
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let error: f64 = one.samples.iter().zip(&other.samples).map(square).sum::<f64>() / one.samples.len() as f64;
    10.0 * (255.0 * 255.0 / error).log10()
}

/// Mean structural similarity (Wang, Bovik, Sheikh and Simoncelli, 2004), 1 if the pictures are the same. They must be of one
/// size, and not smaller than a window.
pub fn ssim(one: &Luma, other: &Luma) -> f64 {
    let height = one.samples.len() / one.width;
    let (mut sum, mut count) = (0.0, 0u32);
    for top in (0..=height - WINDOW_SIDE).step_by(WINDOW_STEP) {
        for left in (0..=one.width - WINDOW_SIDE).step_by(WINDOW_STEP) {
            let rows = (top..top + WINDOW_SIDE).map(|row| row * one.width + left);
            let pairs = rows.flat_map(|begin| {
                let row = begin..begin + WINDOW_SIDE;
                one.samples[row.clone()].iter().zip(&other.samples[row])
            });
            sum += window_similarity(pairs.map(|(a, b)| (u32::from(*a), u32::from(*b))));
            count += 1;
        }
    }
    sum / f64::from(count)
}

fn window_similarity(pairs: impl Iterator<Item = (u32, u32)>) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let (mut a, mut b, mut aa, mut bb, mut ab) = (0, 0, 0, 0, 0);
    for (one, other) in pairs {
        (a, b) = (a + one, b + other);
        (aa, bb, ab) = (aa + one * one, bb + other * other, ab + one * other);
    }
    let mean = |sum: u32| f64::from(sum) / (WINDOW_SIDE * WINDOW_SIDE) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (variance_a, variance_b) = (mean(aa) - mean_a * mean_a, mean(bb) - mean_b * mean_b);
    let covariance = mean(ab) - mean_a * mean_b;
    (2.0 * mean_a * mean_b + C1) * (2.0 * covariance + C2)
        / ((mean_a * mean_a + mean_b * mean_b + C1) * (variance_a + variance_b + C2))
}
