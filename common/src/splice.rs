//! The splice plan: which frame of which variant a stream shows at which index and time. Pure arithmetic.
//!
//! With K variants in ascending order, variant k with n frames contributes frames `k·n/K .. (k+1)·n/K` (rounded down).
//! When all variants have the same number of frames, the segments together contain every frame exactly once. Time never
//! runs backwards: a segment starts when the last frame of the segment before it has been displayed for its duration.

use std::{ops::Range, sync::Arc};

/// The presentation times of all frames of one file, in presentation order. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameIndex {
    pts_nanos: Arc<[u64]>,
    end_nanos: u64,
}

impl FrameIndex {
    /// Creates an index from unsorted time stamps. `end_nanos` is the end of the last frame; without a usable one, the
    /// last frame gets the duration of the frame before it, and a single frame 40 ms.
    pub fn new(mut pts_nanos: Vec<u64>, end_nanos: Option<u64>) -> Self {
        pts_nanos.sort_unstable();
        let last = pts_nanos.last().copied().unwrap_or(0);
        let usual = match pts_nanos.as_slice() {
            [.., before, last] if last > before => last - before,
            _ => 40_000_000,
        };
        let end_nanos = end_nanos.filter(|&end| end > last).unwrap_or(last.saturating_add(usual));
        Self { pts_nanos: pts_nanos.into(), end_nanos }
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.pts_nanos.len()
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.pts_nanos.is_empty()
    }

    /// The presentation time of `frame`.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn pts_nanos(&self, frame: usize) -> u64 {
        self.pts_nanos[frame]
    }

    /// The end of `frame`: the presentation time of the next one, or the end of the file.
    pub fn end_nanos(&self, frame: usize) -> u64 {
        self.pts_nanos.get(frame + 1).copied().unwrap_or(self.end_nanos)
    }

    /// The presentation time of `frame`, counted from the first frame. Files with the same content agree on it, even if
    /// their time stamps start at different values.
    pub fn content_nanos(&self, frame: usize) -> u64 {
        self.pts_nanos[frame] - self.pts_nanos[0]
    }

    /// The middle of the time for which `frame` is displayed, counted from the first frame. By it another file is asked for
    /// the same content, so that rounded time stamps do not lead to the frame before.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn middle_nanos(&self, frame: usize) -> u64 {
        self.content_nanos(frame) + (self.end_nanos(frame) - self.pts_nanos(frame)) / 2
    }

    /// The frame on display at this time, counted from the first frame; past the end, the last frame.
    ///
    /// # Panics
    /// If there are no frames.
    pub fn frame_at(&self, content_nanos: u64) -> usize {
        let nanos = self.pts_nanos[0].saturating_add(content_nanos);
        self.pts_nanos.partition_point(|&pts| pts <= nanos) - 1
    }

    /// The frame whose time stamp is nearest to `pts_nanos`; `None` if there are no frames.
    pub fn nearest(&self, pts_nanos: u64) -> Option<usize> {
        let after = self.pts_nanos.partition_point(|&pts| pts < pts_nanos);
        let distance = |frame: &usize| self.pts_nanos[*frame].abs_diff(pts_nanos);
        [after.checked_sub(1), (after < self.len()).then_some(after)].into_iter().flatten().min_by_key(distance)
    }
}

/// A segment of a stream: consecutive frames of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The index of the variant.
    pub variant: usize,
    /// The frames of that variant; never empty.
    pub frames: Range<usize>,
    /// The index in the stream of the first frame.
    pub first_index: usize,
    /// The time in the stream of the first frame.
    pub start_nanos: u64,
}

/// One frame of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedFrame {
    /// The index in the stream.
    pub index: usize,
    /// The index of the variant it comes from.
    pub variant: usize,
    /// The index of the frame within that variant.
    pub frame: usize,
    /// The time in the stream.
    pub pts_nanos: u64,
    /// How long it is displayed.
    pub duration_nanos: u64,
}

impl Segment {
    fn planned(&self, frame: usize, variants: &[FrameIndex]) -> PlannedFrame {
        let index = &variants[self.variant];
        PlannedFrame {
            index: self.first_index + (frame - self.frames.start),
            variant: self.variant,
            frame,
            pts_nanos: self.start_nanos + (index.pts_nanos(frame) - index.pts_nanos(self.frames.start)),
            duration_nanos: index.end_nanos(frame) - index.pts_nanos(frame),
        }
    }
}

/// The splice plan of a stream: its segments in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    segments: Vec<Segment>,
    frame_count: usize,
    duration_nanos: u64,
}

impl Plan {
    /// The plan of a triptych: an equal share of each variant, in the order given.
    pub fn triptych(variants: &[FrameIndex]) -> Self {
        let count = variants.len();
        Self::join(variants, |k| k * variants[k].len() / count..(k + 1) * variants[k].len() / count)
    }

    /// The plan of a single resolution: all frames of one variant.
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

    /// The segments in order; none is empty.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The number of frames in the stream.
    pub fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// The length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.duration_nanos
    }

    /// The index of the segment that contains the picture with this index; past the end, the last segment.
    ///
    /// # Panics
    /// If the plan is empty.
    pub fn segment_of(&self, index: usize) -> usize {
        self.segments.partition_point(|segment| segment.first_index <= index).saturating_sub(1)
    }

    /// The index of the picture on display at this time; past the end, the last picture.
    ///
    /// # Panics
    /// If the plan is empty.
    pub fn index_at(&self, nanos: u64, variants: &[FrameIndex]) -> usize {
        let place = self.segments.partition_point(|segment| segment.start_nanos <= nanos).saturating_sub(1);
        let segment = &self.segments[place];
        let index = &variants[segment.variant];
        let since_nanos = nanos - segment.start_nanos;
        let frame = index.frame_at(index.content_nanos(segment.frames.start).saturating_add(since_nanos));
        segment.first_index + frame.clamp(segment.frames.start, segment.frames.end - 1) - segment.frames.start
    }

    /// The index of the picture with the same content as picture `index` of `other`, a plan over the same variants. If
    /// this plan omits that content, the index of the next picture it has, or else of its last.
    ///
    /// # Panics
    /// If one of the plans is empty.
    pub fn matching_index(&self, other: &Self, index: usize, variants: &[FrameIndex]) -> usize {
        let theirs = &other.segments[other.segment_of(index)];
        let frame = (theirs.frames.start + index.saturating_sub(theirs.first_index)).min(theirs.frames.end - 1);
        let nanos = variants[theirs.variant].middle_nanos(frame);
        let ends_after = |segment: &&Segment| {
            let times = &variants[segment.variant];
            times.end_nanos(segment.frames.end - 1) - times.pts_nanos(0) > nanos
        };
        let ours = self.segments.iter().find(ends_after).or(self.segments.last()).expect("the plan is not empty");
        let frame = variants[ours.variant].frame_at(nanos).clamp(ours.frames.start, ours.frames.end - 1);
        ours.first_index + frame - ours.frames.start
    }

    /// The picture with this index; `None` past the end. `variants` must be the ones that the plan was made from, for
    /// their times.
    pub fn frame(&self, index: usize, variants: &[FrameIndex]) -> Option<PlannedFrame> {
        let segment = self.segments.get(self.segment_of(index)).filter(|_| index < self.frame_count)?;
        Some(segment.planned(segment.frames.start + (index - segment.first_index), variants))
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
        (0..).map_while(|index| plan.frame(index, variants)).collect()
    }

    #[test]
    fn three_equal_files_give_each_frame_once_from_the_right_file() {
        let variants = vec![steady(10, 40); 3];
        let frames: Vec<_> =
            all_frames(&Plan::triptych(&variants), &variants).iter().map(|f| (f.variant, f.frame)).collect();
        assert_eq!(frames, [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5), (2, 6), (2, 7), (2, 8), (2, 9)]);
    }

    #[test]
    fn a_single_frame_comes_from_the_last_variant_and_lasts_40_ms() {
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

    #[test]
    fn another_quality_goes_on_at_the_same_frame() {
        let variants = vec![steady(10, 40); 3];
        let (triptych, only) = (Plan::triptych(&variants), Plan::only(&variants, 1));
        for index in 0..10 {
            assert_eq!(only.matching_index(&triptych, index, &variants), index);
            assert_eq!(triptych.matching_index(&only, index, &variants), index);
        }
    }

    #[test]
    fn another_quality_finds_the_same_time_in_files_of_other_rates() {
        let variants = [steady(10, 40_000_000), steady(20, 20_000_000)];
        let (slow, quick) = (Plan::only(&variants, 0), Plan::only(&variants, 1));
        assert_eq!([0, 1, 9, 99].map(|index| quick.matching_index(&slow, index, &variants)), [1, 3, 19, 19]);
        assert_eq!([0, 1, 3, 19].map(|index| slow.matching_index(&quick, index, &variants)), [0, 0, 1, 9]);
    }

    proptest! {
        #[test]
        fn every_time_maps_to_the_picture_on_display(variants in prop::collection::vec(any_index(), 1..7), share in 0.0..1.2) {
            let plan = Plan::triptych(&variants);
            prop_assume!(plan.frame_count() > 0);
            let nanos = if share > 1.1 { u64::MAX } else { (plan.duration_nanos() as f64 * share) as u64 };
            let index = plan.index_at(nanos, &variants);
            let frame = plan.frame(index, &variants).unwrap();
            let is_last = index + 1 == plan.frame_count();
            prop_assert!(frame.pts_nanos <= nanos && (is_last || nanos < frame.pts_nanos + frame.duration_nanos));
        }

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
