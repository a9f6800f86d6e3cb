//! Which frames of a video become previews, from which of its files, and in which order. Pure.
//!
//! The video is divided into intervals of the same length, and each has one preview, in its middle. They are made from coarse to
//! fine: every sixteenth first, then those in the middle between two of them, and so on; so the first few are there soon and
//! show all of the video.

use std::{collections::HashSet, time::Duration};

use common::{
    limits::MAX_PREVIEWS,
    splice::{FrameIndex, Plan},
};

use crate::video::{gst::key_frames::KeyFrames, process::PreviewFrame};

/// The shortest interval.
const INTERVAL: Duration = Duration::from_secs(2);

/// Steps and offsets of the numbers of the previews, coarse to fine. Together they hit every number once.
const LEVELS: [(usize, usize); 5] = [(16, 8), (16, 0), (8, 4), (4, 2), (2, 1)];

/// A frame that becomes a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Index of the variant whose file it comes from.
    pub(super) variant: usize,
    /// When it is shown, in the time of the triptych.
    pub(super) stream_nanos: u64,
    /// When it is shown, in the time of the file.
    pub(super) file_nanos: u64,
    /// Time in the file of the key frame from which it is decoded.
    pub(super) seek_nanos: u64,
}

impl Place {
    /// The same for the process that makes the preview.
    pub(super) fn frame(&self) -> PreviewFrame {
        PreviewFrame { nanos: self.file_nanos, seek_nanos: self.seek_nanos }
    }
}

/// The number of previews of a video of this length.
pub(super) fn count(duration_nanos: u64) -> usize {
    let intervals = duration_nanos.div_ceil(INTERVAL.as_nanos() as u64);
    usize::try_from(intervals).unwrap_or(usize::MAX).clamp(1, MAX_PREVIEWS)
}

/// The frames that become previews, in the order in which they are made: all of one file after the other, since each needs a
/// process of its own. `indices` and `key_frames` are those of the files, the smallest first; a file without key frames
/// cannot be searched, and is not used.
pub(super) fn places(indices: &[FrameIndex], key_frames: &[Option<&KeyFrames>]) -> Vec<Place> {
    let plan = Plan::triptych(indices);
    if plan.frame_count() == 0 {
        return Vec::new();
    }
    let count = count(plan.duration_nanos());
    let mut places: Vec<_> =
        order(count).filter_map(|number| place(number, count, &plan, indices, key_frames)).collect();
    // Stable: the order stays within each file.
    places.sort_by_key(|place| place.variant);
    let mut taken = HashSet::new();
    places.retain(|place| taken.insert((place.variant, place.file_nanos)));
    places
}

/// Numbers below `count`, coarse to fine.
fn order(count: usize) -> impl Iterator<Item = usize> {
    LEVELS.into_iter().flat_map(move |(step, offset)| (offset..count).step_by(step))
}

fn place(
    number: usize,
    count: usize,
    plan: &Plan,
    indices: &[FrameIndex],
    key_frames: &[Option<&KeyFrames>],
) -> Option<Place> {
    let interval_nanos = plan.duration_nanos() / count as u64;
    let middle_nanos = interval_nanos * number as u64 + interval_nanos / 2;
    let shown = plan.frame(plan.index_at(middle_nanos, indices), indices)?;
    let content_nanos = indices[shown.variant].middle_nanos(shown.frame);
    let has_it = |index: &FrameIndex| {
        index.len().checked_sub(1).is_some_and(|last| content_nanos < index.end_nanos(last) - index.pts_nanos(0))
    };
    let (variant, keys) = key_frames
        .iter()
        .enumerate()
        .filter(|(variant, _)| has_it(&indices[*variant]))
        .find_map(|(variant, keys)| Some((variant, (*keys)?)))?;
    let index = &indices[variant];
    let there_nanos = index.pts_nanos(index.frame_at(content_nanos));
    // A key frame in the same interval does as well, and is all that has to be decoded. Frames of a group that is not closed may
    // refer to what is before it, so there the nearest key frame is taken even if it is further away.
    let nearest = keys.nearest(there_nanos)?;
    let half_nanos = interval_nanos / 2;
    let is_inside = nearest + half_nanos >= there_nanos && nearest < there_nanos + half_nanos;
    let (seek_nanos, file_nanos) = match keys.closed_before(there_nanos).filter(|_| !is_inside) {
        Some(closed) => (closed, there_nanos),
        None => (nearest, nearest),
    };
    let stream_nanos = shown.pts_nanos.saturating_add(file_nanos).saturating_sub(there_nanos);
    Some(Place { variant, stream_nanos, file_nanos, seek_nanos })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn steady(frame_count: u64, period_nanos: u64, first_nanos: u64) -> FrameIndex {
        FrameIndex::new((0..frame_count).map(|frame| first_nanos + frame * period_nanos).collect(), None)
    }

    /// Every frame whose number is a multiple of `step` is a key frame.
    fn keys(index: &FrameIndex, step: usize) -> KeyFrames {
        let mut keys = KeyFrames::default();
        (0..index.len()).for_each(|frame| keys.note(index.pts_nanos(frame), frame.is_multiple_of(step)));
        keys
    }

    #[test]
    fn short_videos_have_few_previews_and_long_ones_a_hundred() {
        let counts = [0, 1, 2 * SECOND, 2 * SECOND + 1, 199 * SECOND, 7200 * SECOND].map(count);
        assert_eq!(counts, [1, 1, 1, 2, 100, 100]);
    }

    #[test]
    fn the_first_few_are_spread_over_all_of_the_video() {
        let order: Vec<_> = order(100).collect();
        assert_eq!(order[..6], [8, 24, 40, 56, 72, 88]);
        assert_eq!(order[6..13], [0, 16, 32, 48, 64, 80, 96]);
    }

    #[test]
    fn the_smallest_file_that_has_the_place_is_taken() {
        let (small, large) = (steady(250, SECOND / 25, 0), steady(500, SECOND / 25, 7 * SECOND));
        let (small_keys, large_keys) = (keys(&small, 25), keys(&large, 25));
        let indices = [small, large];
        let places = places(&indices, &[Some(&small_keys), Some(&large_keys)]);
        let from_large = places.iter().filter(|place| place.variant == 1).count();
        assert!((1..places.len()).contains(&from_large), "{places:?}");
        for place in places {
            // The first half of the triptych is that of the small file, the second that of the large one.
            let is_in_small = place.file_nanos < 10 * SECOND;
            assert_eq!(place.variant == 0, is_in_small, "{place:?}");
        }
        let without = super::places(&indices, &[None, Some(&large_keys)]);
        assert!(without.iter().all(|place| place.variant == 1), "a file that cannot be searched is not used");
    }

    #[test]
    fn a_long_group_of_pictures_is_decoded_up_to_the_place() {
        let index = steady(1500, SECOND / 25, 0);
        let keys = keys(&index, 1500);
        let places = places(&[index], &[Some(&keys)]);
        assert_eq!(places.len(), 30);
        assert!(places.iter().all(|place| place.seek_nanos == 0), "{places:?}");
        let at_key = places.iter().filter(|place| place.file_nanos == 0).count();
        assert_eq!(at_key, 1, "every place has a frame of its own");
    }

    proptest! {
        /// Whatever the count: each number once, and as long as there are `made` of them, none of the others is further from
        /// one than the step of their level.
        #[test]
        fn previews_are_made_from_coarse_to_fine(count in 1..=MAX_PREVIEWS) {
            let order: Vec<_> = order(count).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            let mut made = 0;
            for (step, offset) in LEVELS {
                made += (offset..count).step_by(step).count();
                let is_near = |number: usize| order[..made].iter().any(|done| done.abs_diff(number) <= step);
                prop_assert!(made == 0 || (0..count).all(is_near), "{} of {}", made, count);
            }
        }

        /// Whatever the files: each preview is near its place, can be decoded from its key frame, and is made once.
        #[test]
        fn each_interval_has_the_preview_of_its_middle(
            frames in 2_u64..3_000, period_millis in 10_u64..200, step in 1_usize..400, first in 0_u64..10,
        ) {
            let index = steady(frames, period_millis * 1_000_000, first * SECOND);
            let keys = keys(&index, step);
            let duration_nanos = frames * period_millis * 1_000_000;
            let places = places(std::slice::from_ref(&index), &[Some(&keys)]);
            let count = count(duration_nanos);
            let interval_nanos = duration_nanos / count as u64;
            prop_assert!(places.len() <= count && !places.is_empty());
            for number in 0..count as u64 {
                let middle = interval_nanos * number + interval_nanos / 2;
                let distance = places.iter().map(|place| place.stream_nanos.abs_diff(middle)).min();
                // Half an interval to the key frame, and a frame more by rounding.
                let most = interval_nanos / 2 + 2 * period_millis * 1_000_000;
                prop_assert!(distance.is_some_and(|distance| distance <= most), "{:?} at {}", distance, middle);
            }
            for place in &places {
                prop_assert!(place.seek_nanos <= place.file_nanos);
                prop_assert_eq!(keys.nearest(place.seek_nanos), Some(place.seek_nanos));
                prop_assert!(index.nearest(place.file_nanos).is_some_and(|frame| index.pts_nanos(frame) == place.file_nanos));
                prop_assert_eq!(place.stream_nanos, place.file_nanos - first * SECOND);
            }
            let mut times: Vec<_> = places.iter().map(|place| place.file_nanos).collect();
            times.sort_unstable();
            prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
