//! The splice plan: which frame of which file stands where in a stream, and when. Pure arithmetic.
//!
//! With K variants ascending, variant k of n frames contributes frames `k·n/K .. (k+1)·n/K` (rounded down). When the
//! counts are equal, the parts together are every frame exactly once. Time never runs backwards: a part begins when
//! the last frame of the part before it has stood for its duration.

use std::ops::Range;

/// When each frame of one file is shown, in presentation order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameIndex {
    pts_nanos: Vec<u64>,
    end_nanos: u64,
}

impl FrameIndex {
    /// Sorts the time stamps. `end_nanos` is when the last frame goes; without a usable one it stands as long as the
    /// frame before it (a lone frame for 40 ms).
    pub fn new(mut pts_nanos: Vec<u64>, end_nanos: Option<u64>) -> Self {
        pts_nanos.sort_unstable();
        let last = pts_nanos.last().copied().unwrap_or(0);
        let usual = match pts_nanos.as_slice() {
            [.., before, last] if last > before => last - before,
            _ => 40_000_000,
        };
        let end_nanos = end_nanos.filter(|&end| end > last).unwrap_or(last.saturating_add(usual));
        Self { pts_nanos, end_nanos }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.pts_nanos.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.pts_nanos.is_empty()
    }

    /// When `frame` is shown.
    ///
    /// # Panics
    /// When there is no such frame.
    pub fn pts_nanos(&self, frame: usize) -> u64 {
        self.pts_nanos[frame]
    }

    /// When `frame` makes room for the next one.
    pub fn end_nanos(&self, frame: usize) -> u64 {
        self.pts_nanos.get(frame + 1).copied().unwrap_or(self.end_nanos)
    }

    /// The frame whose time stamp is nearest to `pts_nanos`.
    pub fn nearest(&self, pts_nanos: u64) -> Option<usize> {
        let after = self.pts_nanos.partition_point(|&pts| pts < pts_nanos);
        let distance = |frame: &usize| self.pts_nanos[*frame].abs_diff(pts_nanos);
        [after.checked_sub(1), (after < self.len()).then_some(after)].into_iter().flatten().min_by_key(distance)
    }
}

/// Consecutive frames of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Index of the variant.
    pub variant: usize,
    /// Frames of that variant, never empty.
    pub frames: Range<usize>,
    /// Place in the stream of the first frame.
    pub first_index: usize,
    /// Time in the stream of the first frame.
    pub start_nanos: u64,
}

/// One frame of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedFrame {
    /// Place in the stream.
    pub index: usize,
    /// Index of the variant it comes from.
    pub variant: usize,
    /// Index within that variant.
    pub frame: usize,
    /// Time in the stream.
    pub pts_nanos: u64,
    /// How long it stands.
    pub duration_nanos: u64,
}

/// Everything a stream will show, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    segments: Vec<Segment>,
    frame_count: usize,
    duration_nanos: u64,
}

impl Plan {
    /// Each variant contributes its share, in the order given.
    pub fn triptych(variants: &[FrameIndex]) -> Self {
        let count = variants.len();
        Self::join(variants, |k| k * variants[k].len() / count..(k + 1) * variants[k].len() / count)
    }

    /// All frames of one variant.
    pub fn only(variants: &[FrameIndex], variant: usize) -> Self {
        Self::join(variants, |k| 0..if k == variant { variants[k].len() } else { 0 })
    }

    fn join(variants: &[FrameIndex], share: impl Fn(usize) -> Range<usize>) -> Self {
        let mut plan = Self { segments: Vec::new(), frame_count: 0, duration_nanos: 0 };
        for (variant, index) in variants.iter().enumerate() {
            let frames = share(variant);
            if frames.is_empty() {
                continue;
            }
            let length_nanos = index.end_nanos(frames.end - 1) - index.pts_nanos(frames.start);
            let (first_index, start_nanos) = (plan.frame_count, plan.duration_nanos);
            plan.frame_count += frames.len();
            plan.duration_nanos += length_nanos;
            plan.segments.push(Segment { variant, frames, first_index, start_nanos });
        }
        plan
    }

    /// The parts in order; none is empty.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of frames in the stream.
    pub fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// Length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.duration_nanos
    }

    /// The frames of one part, with their times taken from the variants that the plan was made from.
    pub fn frames<'a>(
        &self,
        segment: &'a Segment,
        variants: &'a [FrameIndex],
    ) -> impl Iterator<Item = PlannedFrame> + use<'a> {
        let index = &variants[segment.variant];
        segment.frames.clone().map(move |frame| PlannedFrame {
            index: segment.first_index + (frame - segment.frames.start),
            variant: segment.variant,
            frame,
            pts_nanos: segment.start_nanos + (index.pts_nanos(frame) - index.pts_nanos(segment.frames.start)),
            duration_nanos: index.end_nanos(frame) - index.pts_nanos(frame),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steady(frame_count: usize, period_nanos: u64) -> FrameIndex {
        FrameIndex::new((0..frame_count as u64).map(|n| n * period_nanos).collect(), None)
    }

    fn all_frames(plan: &Plan, variants: &[FrameIndex]) -> Vec<PlannedFrame> {
        plan.segments().iter().flat_map(|segment| plan.frames(segment, variants)).collect()
    }

    #[test]
    fn three_equal_files_give_each_frame_once_from_the_right_file() {
        let variants = vec![steady(10, 40); 3];
        let frames: Vec<_> =
            all_frames(&Plan::triptych(&variants), &variants).iter().map(|f| (f.variant, f.frame)).collect();
        assert_eq!(frames, [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5), (2, 6), (2, 7), (2, 8), (2, 9)]);
    }

    #[test]
    fn a_lone_frame_comes_from_the_last_variant_and_stands_for_a_while() {
        let variants = vec![steady(1, 40); 3];
        let plan = Plan::triptych(&variants);
        assert_eq!(plan.segments(), [Segment { variant: 2, frames: 0..1, first_index: 0, start_nanos: 0 }]);
        assert_eq!(plan.duration_nanos(), 40_000_000);
    }

    #[test]
    fn nearest_finds_the_closest_time_stamp() {
        let index = FrameIndex::new(vec![40, 0, 100], None);
        for (pts, frame) in [(0, 0), (19, 0), (21, 1), (69, 1), (71, 2), (900, 2)] {
            assert_eq!(index.nearest(pts), Some(frame), "{pts}");
        }
        assert_eq!(FrameIndex::default().nearest(0), None);
    }

    prop_compose! {
        fn any_index()(steps in prop::collection::vec(1u64..1_000_000_000, 0..200), first in 0u64..1_000_000_000) -> FrameIndex {
            let mut now = first;
            FrameIndex::new(steps.iter().map(|step| { now += step; now }).collect(), None)
        }
    }

    proptest! {
        #[test]
        fn frames_are_consecutive_and_time_has_no_gap(variants in prop::collection::vec(any_index(), 1..7)) {
            let plan = Plan::triptych(&variants);
            let frames = all_frames(&plan, &variants);
            prop_assert_eq!(frames.len(), plan.frame_count());
            let mut due_nanos = 0;
            for (place, frame) in frames.iter().enumerate() {
                prop_assert_eq!(frame.index, place);
                prop_assert_eq!(frame.pts_nanos, due_nanos);
                prop_assert!(frame.duration_nanos > 0);
                due_nanos += frame.duration_nanos;
            }
            prop_assert_eq!(due_nanos, plan.duration_nanos());
            prop_assert!(plan.segments().is_sorted_by(|a, b| a.variant < b.variant));
        }

        #[test]
        fn equal_counts_lose_and_repeat_nothing(frame_count in 0usize..500, variant_count in 1usize..7) {
            let variants = vec![steady(frame_count, 33_333_333); variant_count];
            let frames: Vec<_> = all_frames(&Plan::triptych(&variants), &variants).iter().map(|f| f.frame).collect();
            prop_assert_eq!(frames, (0..frame_count).collect::<Vec<_>>());
        }

        #[test]
        fn one_resolution_alone_is_the_whole_file(variants in prop::collection::vec(any_index(), 1..5), pick in 0usize..5) {
            let pick = pick % variants.len();
            let frames = all_frames(&Plan::only(&variants, pick), &variants);
            prop_assert_eq!(frames.len(), variants[pick].len());
            prop_assert!(frames.iter().enumerate().all(|(n, f)| f.variant == pick && f.frame == n));
        }
    }
}
