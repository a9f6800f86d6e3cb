//! Which pictures of a plan are sent in a delivery, and from which files. Pure arithmetic on frame numbers and times.
//!
//! ```text
//! plan       240p 0 1 2 3 | 720p 4 5 6 7 | 1440p 8 9 10 11      every 2nd, up to 720p:
//! sent       240p 0   2   | 720p 4   6   |  720p 8   10         segments, indices and times stay those of the plan
//! runs       └── 240p ──┘ └────────── 720p ───────────┘         frames that one decoder makes in one go
//! ```

use std::ops::Range;

use common::{
    media::{Delivery, VariantInfo},
    splice::{FrameIndex, Plan, Segment},
};

/// Frames of a file that may be left out between two segments for them to be one run: a decoder makes these faster than
/// another one starts.
const GAP_FRAMES: usize = 16;

/// The pictures of a plan that are sent.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    step: usize,
    /// For each segment of the plan, the variant that its pictures come from.
    sources: Vec<usize>,
    runs: Vec<Run>,
}

/// Consecutive segments whose pictures follow each other in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The variant that the pictures come from.
    pub(super) source: usize,
    /// From the first frame that is sent to the last one that may be.
    pub(super) frames: Range<usize>,
    /// The index in the stream of the first picture.
    first_index: usize,
    /// The time in the stream of the first picture.
    pub(super) start_nanos: u64,
}

/// A picture that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentPicture {
    /// The index in the stream.
    pub(super) index: usize,
    /// The index of the next picture that is sent; `None` for the last one.
    pub(super) next_index: Option<usize>,
    /// The variant it comes from.
    pub(super) source: usize,
    /// Its frame in the file of that variant.
    pub(super) frame: usize,
    /// The time in the stream.
    pub(super) pts_nanos: u64,
    /// How long it is displayed: until the next one, or the end of the stream.
    pub(super) duration_nanos: u64,
}

impl Selection {
    /// Selects from a plan over these variants, which are sorted by height, and the times of their frames.
    pub(super) fn new(plan: &Plan, variants: &[VariantInfo], indices: &[FrameIndex], delivery: &Delivery) -> Self {
        let source = |segment: &Segment| source_of(segment.variant, variants, indices, delivery.max_height);
        let sources: Vec<_> = plan.segments().iter().map(source).collect();
        let mut runs: Vec<Run> = Vec::new();
        for (segment, &source) in plan.segments().iter().zip(&sources) {
            let shown = |frame| shown(segment, source, frame, indices);
            let (first, end) = (shown(segment.frames.start), shown(segment.frames.end - 1) + 1);
            let follows = |run: &&mut Run| {
                run.source == source && (run.frames.end - 1..=run.frames.end + GAP_FRAMES).contains(&first)
            };
            match runs.last_mut().filter(follows) {
                Some(run) => run.frames.end = end,
                None => runs.push(Run {
                    source,
                    frames: first..end,
                    first_index: segment.first_index,
                    start_nanos: segment.start_nanos,
                }),
            }
        }
        Self { step: usize::from(delivery.picture_step.max(1)), sources, runs }
    }

    /// For each segment of the plan, the variant that its pictures come from.
    pub(super) fn sources(&self) -> &[usize] {
        &self.sources
    }

    /// The runs in the order of the stream.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The number of the run that the picture with this index is in.
    pub(super) fn run_of(&self, index: usize) -> usize {
        self.runs.partition_point(|run| run.first_index <= index).saturating_sub(1)
    }

    /// The picture with this index, which is sent; `None` past the end.
    pub(super) fn picture(&self, index: usize, plan: &Plan, indices: &[FrameIndex]) -> Option<SentPicture> {
        let planned = plan.frame(index, indices)?;
        let number = plan.segment_of(index);
        let source = self.sources[number];
        let frame = shown(&plan.segments()[number], source, planned.frame, indices);
        let next_index = self.next_index(index, plan, indices);
        let next = next_index.and_then(|next| plan.frame(next, indices));
        let end_nanos = next.map_or(plan.duration_nanos(), |next| next.pts_nanos);
        let duration_nanos = end_nanos - planned.pts_nanos;
        Some(SentPicture { index, next_index, source, frame, pts_nanos: planned.pts_nanos, duration_nanos })
    }

    /// The index of the picture that is sent after the one with this index.
    fn next_index(&self, index: usize, plan: &Plan, indices: &[FrameIndex]) -> Option<usize> {
        let number = plan.segment_of(index);
        let segment = &plan.segments()[number];
        let frame = segment.frames.start + (index - segment.first_index);
        let next = next_shown(segment, self.sources[number], frame, indices).next_multiple_of(self.step);
        if next < segment.frames.end {
            return Some(segment.first_index + (next - segment.frames.start));
        }
        plan.segments().get(number + 1).map(|segment| segment.first_index)
    }
}

/// The variant that the pictures of a planned one come from: itself if it is no higher than `max_height`, else the highest
/// within it, or the lowest.
fn source_of(planned: usize, variants: &[VariantInfo], indices: &[FrameIndex], max_height: Option<u32>) -> usize {
    let is_within = |variant: &usize| max_height.is_none_or(|max| variants[*variant].height <= max);
    if is_within(&planned) {
        return planned;
    }
    let mut lower = (0..planned).filter(|&variant| !indices[variant].is_empty());
    let lowest = lower.clone().next().unwrap_or(planned);
    lower.rfind(is_within).unwrap_or(lowest)
}

/// The frame of the source that shows the same content as `frame` of a segment's own file.
fn shown(segment: &Segment, source: usize, frame: usize, indices: &[FrameIndex]) -> usize {
    if source == segment.variant {
        return frame;
    }
    indices[source].frame_at(indices[segment.variant].middle_nanos(frame))
}

/// The first frame of a segment after `frame` for which the source shows another one; the end of the segment if there is
/// none.
fn next_shown(segment: &Segment, source: usize, frame: usize, indices: &[FrameIndex]) -> usize {
    if source == segment.variant {
        return frame + 1;
    }
    let (own, other) = (&indices[segment.variant], &indices[source]);
    let next_of_source = shown(segment, source, frame, indices) + 1;
    if next_of_source == other.len() {
        return segment.frames.end;
    }
    let change_nanos = other.content_nanos(next_of_source);
    let (mut before, mut after) = (frame, segment.frames.end);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if own.middle_nanos(middle) < change_nanos { before = middle } else { after = middle }
    }
    after
}
