//! The levels of the ladder: in which deliveries a segment of a stream can be sent, and how many bytes each takes.
//!
//! ```text
//! 1440p, all pictures > 1440p, every 2nd > 720p, all > 720p, every 2nd > 240p, all > 240p, every 2nd
//! ```
//!
//! Each level takes about half of the one above. Where variants lie closer together, levels that save little are left out,
//! those with fewer pictures first.

use common::{
    limits::{SOUND_FRAME_BYTES, SOUND_RATE_HZ},
    media::{Delivery, SoundFormat, VariantInfo},
};

/// Below this rate, samples as they are would take half of the link: the sound is sent as Opus where that can be played.
/// 3 Mbit/s.
const OPUS_BYTES_PER_SECOND: f64 = 375_000.0;

/// What Opus takes: 96 kbit/s and the heads of the messages.
const OPUS_SOUND_BYTES_PER_SECOND: f64 = 14_000.0;

/// What samples take as they are.
pub const PCM_SOUND_BYTES_PER_SECOND: f64 = SOUND_RATE_HZ as f64 * SOUND_FRAME_BYTES as f64;

/// A level is left out if it takes more than this share of the one above.
const LARGEST_STEP: f64 = 0.8;

/// Bytes for each pixel of a JPEG before any has arrived: 416 to 463 KiB at 1440p.
const USUAL_BYTES_PER_PIXEL: f64 = 0.12;

/// How much one picture moves the mean size.
const SIZE_SMOOTHING: f64 = 1.0 / 32.0;

/// The mean sizes of pictures, for each variant of a video.
#[derive(Debug, Clone, Default)]
pub struct PictureSizes(Vec<(VariantInfo, Option<f64>)>);

impl PictureSizes {
    /// Sizes of the pictures of these variants, none of which has been seen.
    pub fn new(variants: &[VariantInfo]) -> Self {
        Self(variants.iter().map(|&variant| (variant, None)).collect())
    }

    /// Takes in the size of a picture from the variant of this height.
    pub fn note(&mut self, height: u32, jpeg_bytes: usize) {
        if let Some((_, mean)) = self.0.iter_mut().find(|(variant, _)| variant.height == height) {
            let bytes = jpeg_bytes as f64;
            *mean = Some(mean.map_or(bytes, |mean| mean + (bytes - mean) * SIZE_SMOOTHING));
        }
    }

    /// Mean bytes of a picture from the variant of this height: measured, or in proportion to the pixels of the variant
    /// nearest to it in size that was.
    pub fn mean_bytes(&self, height: u32) -> f64 {
        let Some((variant, mean)) = self.0.iter().find(|(variant, _)| variant.height == height) else { return 0.0 };
        let pixels = pixels(variant);
        let seen = self.0.iter().filter_map(|(other, mean)| Some((self::pixels(other), (*mean)?)));
        let distance = |other: f64| (other / pixels).ln().abs();
        let nearest = seen.min_by(|(left, _), (right, _)| distance(*left).total_cmp(&distance(*right)));
        mean.unwrap_or_else(|| nearest.map_or(pixels * USUAL_BYTES_PER_PIXEL, |(other, bytes)| bytes * pixels / other))
    }

    fn heights(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(variant, _)| variant.height)
    }
}

fn pixels(variant: &VariantInfo) -> f64 {
    f64::from(variant.picture_width.max(1)) * f64::from(variant.picture_height.max(1))
}

/// What a segment of a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Height of the variant that the stream has there.
    pub height: u32,
    /// Pictures for each second that it is played, if all are sent.
    pub pictures_per_second: f64,
    /// How much faster it is played than it was recorded.
    pub speed_factor: f64,
    /// Whether there is sound.
    pub has_sound: bool,
    /// The height that the person allows at most.
    pub max_height: Option<u32>,
    /// Whether the server has the sound in Opus.
    pub has_opus: bool,
}

/// One level: a delivery, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Height of the variant that pictures are sent from.
    pub height: u32,
    /// Every how many pictures one is sent.
    pub picture_step: u8,
    /// Format of the sound.
    pub sound: SoundFormat,
    /// Pictures and sound together.
    pub bytes_per_second: f64,
}

impl Level {
    /// The level that a delivery is in a segment.
    pub fn of(delivery: &Delivery, terms: &Terms, sizes: &PictureSizes) -> Self {
        let limit = terms.height.min(delivery.max_height.unwrap_or(u32::MAX));
        let height = sizes.heights().filter(|&height| height <= limit).max().or(sizes.heights().min());
        let height = height.unwrap_or(terms.height);
        let step = delivery.picture_step.max(1);
        let pictures = sizes.mean_bytes(height) * terms.pictures_per_second / f64::from(step);
        let sound = if !terms.has_sound {
            0.0
        } else if delivery.sound == SoundFormat::Opus && terms.has_opus {
            OPUS_SOUND_BYTES_PER_SECOND
        } else {
            PCM_SOUND_BYTES_PER_SECOND
        };
        let bytes_per_second = pictures + sound * terms.speed_factor;
        Self { height, picture_step: step, sound: delivery.sound, bytes_per_second }
    }

    /// The delivery to ask for. Other segments of the stream are limited by it only if this one is.
    pub fn delivery(&self, terms: &Terms) -> Delivery {
        let is_substitute = self.height < terms.height;
        Delivery {
            picture_step: self.picture_step,
            max_height: if is_substitute { Some(self.height) } else { terms.max_height },
            sound: self.sound,
        }
    }
}

/// The levels of a segment, from the best to the one that takes least; at least one.
pub fn levels(terms: &Terms, sizes: &PictureSizes) -> Vec<Level> {
    let limit = terms.height.min(terms.max_height.unwrap_or(u32::MAX));
    let mut heights: Vec<u32> = sizes.heights().filter(|&height| height <= limit).collect();
    if heights.is_empty() {
        heights.push(sizes.heights().min().unwrap_or(terms.height));
    }
    let mut candidates = Vec::new();
    for height in heights {
        for picture_step in [1, 2] {
            let level = |sound| {
                let delivery = Delivery { picture_step, max_height: Some(height), sound };
                Level::of(&delivery, terms, sizes)
            };
            let with_samples = level(SoundFormat::Pcm);
            if terms.has_sound && terms.has_opus {
                if with_samples.bytes_per_second < 2.0 * OPUS_BYTES_PER_SECOND {
                    candidates.push(level(SoundFormat::Opus));
                }
                if with_samples.bytes_per_second < OPUS_BYTES_PER_SECOND {
                    continue;
                }
            }
            candidates.push(with_samples);
        }
    }
    candidates.sort_by(|left, right| right.bytes_per_second.total_cmp(&left.bytes_per_second));
    let mut kept: Vec<Level> = Vec::new();
    for candidate in candidates {
        let Some(last) = kept.last() else {
            kept.push(candidate);
            continue;
        };
        if candidate.bytes_per_second < last.bytes_per_second * LARGEST_STEP {
            kept.push(candidate);
        } else if candidate.picture_step < last.picture_step && kept.len() > 1 {
            // All pictures of a smaller variant, for a little less than every second one of a larger.
            kept.pop();
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(heights: &[u32]) -> Vec<VariantInfo> {
        let variant =
            |&height| VariantInfo { height, picture_width: height * 16 / 9, picture_height: height, frame_count: 750 };
        heights.iter().map(variant).collect()
    }

    fn terms(height: u32) -> Terms {
        Terms {
            height,
            pictures_per_second: 25.0,
            speed_factor: 1.0,
            has_sound: true,
            max_height: None,
            has_opus: false,
        }
    }

    fn names(levels: &[Level]) -> Vec<(u32, u8, SoundFormat)> {
        levels.iter().map(|level| (level.height, level.picture_step, level.sound)).collect()
    }

    #[test]
    fn a_triptych_has_six_levels_in_its_last_third_and_two_in_its_first() {
        let sizes = PictureSizes::new(&variants(&[240, 720, 1440]));
        let pcm = SoundFormat::Pcm;
        let all = [(1440, 1, pcm), (1440, 2, pcm), (720, 1, pcm), (720, 2, pcm), (240, 1, pcm), (240, 2, pcm)];
        assert_eq!(names(&levels(&terms(1440), &sizes)), all);
        assert_eq!(names(&levels(&terms(720), &sizes)), all[2..]);
        assert_eq!(names(&levels(&terms(240), &sizes)), all[4..]);
        let capped = Terms { max_height: Some(720), ..terms(1440) };
        assert_eq!(names(&levels(&capped, &sizes)), all[2..], "what the person allows at most is the best");
        let below_all = Terms { max_height: Some(100), ..terms(1440) };
        assert_eq!(names(&levels(&below_all, &sizes)), all[4..], "there is nothing smaller");
    }

    #[test]
    fn opus_is_for_the_lowest_levels_only() {
        let sizes = PictureSizes::new(&variants(&[240, 720, 1440]));
        let with_opus = Terms { has_opus: true, ..terms(1440) };
        let levels = levels(&with_opus, &sizes);
        let (last, pcm_levels) = levels.split_last().expect("there are levels");
        assert_eq!((last.height, last.sound), (240, SoundFormat::Opus));
        assert!(last.bytes_per_second < 200_000.0, "{last:?}");
        assert_eq!(pcm_levels[0].sound, SoundFormat::Pcm);
        for level in &levels {
            assert!(level.sound == SoundFormat::Opus || level.bytes_per_second >= OPUS_BYTES_PER_SECOND, "{level:?}");
        }
    }

    #[test]
    fn seven_variants_keep_all_pictures_as_long_as_there_is_a_smaller_variant() {
        let sizes = PictureSizes::new(&variants(&[144, 240, 360, 480, 720, 1080, 1440]));
        let levels = levels(&terms(1440), &sizes);
        assert_eq!((levels[0].height, levels[0].picture_step), (1440, 1));
        for pair in levels.windows(2) {
            assert!(pair[1].bytes_per_second < pair[0].bytes_per_second, "{pair:?}");
        }
        let (last, others) = levels.split_last().expect("there are levels");
        assert!(others.iter().filter(|level| level.picture_step == 1).count() >= 5, "{levels:?}");
        assert_eq!(last.height, 144);
    }

    #[test]
    fn sizes_are_learnt_and_carried_over_to_other_variants() {
        let mut sizes = PictureSizes::new(&variants(&[240, 720, 1440]));
        let guessed = sizes.mean_bytes(1440);
        assert!((400_000.0..500_000.0).contains(&guessed), "{guessed}");
        for _ in 0..200 {
            sizes.note(720, 50_000);
        }
        assert!((sizes.mean_bytes(720) - 50_000.0).abs() < 1.0);
        assert!((sizes.mean_bytes(1440) - 200_000.0).abs() < 1_000.0, "four times the pixels");
        sizes.note(1440, 300_000);
        assert!((sizes.mean_bytes(1440) - 300_000.0).abs() < 1.0, "the first one measured counts");
        sizes.note(99, 1);
        assert!(sizes.mean_bytes(99) < 1.0, "no such variant");
    }

    #[test]
    fn a_level_is_asked_for_such_that_smaller_segments_stay_as_they_are() {
        let sizes = PictureSizes::new(&variants(&[240, 720, 1440]));
        let terms = terms(1440);
        for level in levels(&terms, &sizes) {
            let delivery = level.delivery(&terms);
            assert_eq!(Level::of(&delivery, &terms, &sizes), level, "asking for it gives it");
            assert_eq!(delivery.max_height.is_some(), level.height < 1440);
        }
    }
}
