//! Which pictures a [`Selection`] sends, compared with what docs/PROTOCOL.md says, for videos whose files differ in everything.

use common::{
    media::{Delivery, SoundFormat, VariantInfo},
    splice::{FrameIndex, Plan},
};
use proptest::prelude::*;

use super::selection::{Selection, SentPicture};

const MILLI: u64 = 1_000_000;

/// A video, and a stream of it.
#[derive(Debug)]
struct Stream {
    plan: Plan,
    variants: Vec<VariantInfo>,
    indices: Vec<FrameIndex>,
    delivery: Delivery,
    selection: Selection,
}

impl Stream {
    fn new(files: Vec<(u32, FrameIndex)>, only: Option<usize>, picture_step: u8, max_height: Option<u32>) -> Self {
        let variant = |(height, index): &(u32, FrameIndex)| VariantInfo {
            height: *height,
            picture_width: 16,
            picture_height: *height,
            frame_count: index.len() as u32,
        };
        let variants: Vec<_> = files.iter().map(variant).collect();
        let indices: Vec<_> = files.into_iter().map(|(_, index)| index).collect();
        let plan = match only {
            Some(variant) => Plan::only(&indices, variant % variants.len()),
            None => Plan::triptych(&indices),
        };
        let delivery = Delivery { picture_step, max_height, sound: SoundFormat::Pcm };
        let selection = Selection::new(&plan, &variants, &indices, &delivery);
        Self { plan, variants, indices, delivery, selection }
    }

    /// What is sent from a picture on.
    fn sent_from(&self, first_index: usize) -> Vec<SentPicture> {
        let mut next = Some(first_index);
        std::iter::from_fn(|| {
            let picture = self.selection.picture(next?, &self.plan, &self.indices)?;
            next = picture.next_index;
            Some(picture)
        })
        .collect()
    }

    fn run(&self, index: usize) -> usize {
        self.selection.run_of(index)
    }

    /// The same as index, source and frame, picture by picture as the protocol says.
    fn expected_from(&self, first_index: usize) -> Vec<(usize, usize, usize)> {
        let mut sent: Vec<(usize, usize, usize)> = Vec::new();
        let mut last_segment = usize::MAX;
        for index in first_index..self.plan.frame_count() {
            let planned = self.plan.frame(index, &self.indices).unwrap();
            let segment = self.plan.segment_of(index);
            let source = self.source_of(planned.variant);
            let times = &self.indices[planned.variant];
            let middle = times.content_nanos(planned.frame)
                + (times.end_nanos(planned.frame) - times.pts_nanos(planned.frame)) / 2;
            let frame = if source == planned.variant { planned.frame } else { self.indices[source].frame_at(middle) };
            let begins = index == first_index || index == self.plan.segments()[segment].first_index;
            let is_multiple = planned.frame.is_multiple_of(usize::from(self.delivery.picture_step));
            let is_repeated = source != planned.variant
                && segment == last_segment
                && sent.last().is_some_and(|&(_, _, before)| before == frame);
            if begins || (is_multiple && !is_repeated) {
                sent.push((index, source, frame));
                last_segment = segment;
            }
        }
        sent
    }

    fn source_of(&self, planned: usize) -> usize {
        let height = |variant: usize| self.variants[variant].height;
        match self.delivery.max_height {
            Some(max) if height(planned) > max => {
                let usable: Vec<_> = (0..planned).filter(|&variant| !self.indices[variant].is_empty()).collect();
                let within = usable.iter().rev().find(|&&variant| height(variant) <= max);
                *within.or(usable.first()).unwrap_or(&planned)
            }
            _ => planned,
        }
    }
}

fn steady(frames: usize, period_millis: u64) -> FrameIndex {
    FrameIndex::new((0..frames as u64).map(|frame| frame * period_millis * MILLI).collect(), None)
}

fn three(frames: usize) -> Vec<(u32, FrameIndex)> {
    [240, 720, 1440].map(|height| (height, steady(frames, 40))).to_vec()
}

fn shortly(sent: &[SentPicture]) -> Vec<(usize, usize, usize, u64)> {
    sent.iter().map(|picture| (picture.index, picture.source, picture.frame, picture.duration_nanos / MILLI)).collect()
}

#[test]
fn every_second_picture_of_a_triptych_is_sent_and_each_third_begins_with_its_first() {
    let stream = Stream::new(three(15), None, 2, None);
    let expected = [
        (0, 0, 0, 80),
        (2, 0, 2, 80),
        (4, 0, 4, 40),
        (5, 1, 5, 40),
        (6, 1, 6, 80),
        (8, 1, 8, 80),
        (10, 2, 10, 80),
        (12, 2, 12, 80),
        (14, 2, 14, 40),
    ];
    assert_eq!(shortly(&stream.sent_from(0)), expected);
    assert_eq!(
        shortly(&stream.sent_from(3))[..2],
        [(3, 0, 3, 40), (4, 0, 4, 40)],
        "the first of an epoch is always sent"
    );
}

#[test]
fn a_cap_takes_the_largest_file_within_it_or_the_smallest_there_is() {
    for (max_height, sources) in [
        (None, [0, 1, 2]),
        (Some(1440), [0, 1, 2]),
        (Some(1439), [0, 1, 1]),
        (Some(720), [0, 1, 1]),
        (Some(1), [0, 0, 0]),
    ] {
        let stream = Stream::new(three(15), None, 1, max_height);
        assert_eq!(stream.selection.sources(), sources, "{max_height:?}");
        let frames: Vec<_> = stream.sent_from(0).iter().map(|picture| picture.frame).collect();
        assert_eq!(frames, (0..15).collect::<Vec<_>>(), "files that agree show the same frames");
        let runs = sources.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(stream.selection.runs().len(), runs, "one decoder goes on over segments from the same file");
    }
}

#[test]
fn a_slower_file_in_the_place_of_a_faster_one_repeats_no_picture() {
    // 50 frames/s planned, 25 frames/s sent, and the other way round.
    let files = vec![(240, steady(10, 40)), (720, steady(20, 20))];
    let stream = Stream::new(files, Some(1), 1, Some(240));
    let expected: Vec<_> = (0..10).map(|frame| (2 * frame, 0, frame, 40)).collect();
    assert_eq!(shortly(&stream.sent_from(0)), expected);
    let files = vec![(240, steady(20, 20)), (720, steady(10, 40))];
    let stream = Stream::new(files, Some(1), 2, Some(240));
    let expected: Vec<_> = (0..5).map(|number| (2 * number, 0, 4 * number + 1, 80)).collect();
    assert_eq!(shortly(&stream.sent_from(0)), expected);
}

/// Files of one video: heights that ascend, any number of frames from one on, and times of any kind.
fn files() -> impl Strategy<Value = Vec<(u32, FrameIndex)>> {
    let file = (0u64..3_000, prop::collection::vec(prop_oneof![Just(0u64), Just(20), Just(40), 1u64..400], 1..60));
    prop::collection::vec(file, 1..8).prop_map(|files| {
        let file = |(number, (start_millis, steps)): (usize, (u64, Vec<u64>))| {
            let mut now = start_millis * MILLI;
            let times = steps.iter().map(|step| {
                now += step * MILLI + u64::from(*step > 40);
                now
            });
            (240 * (number as u32 + 1), FrameIndex::new(times.collect(), None))
        };
        files.into_iter().enumerate().map(file).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn what_is_sent_is_what_the_protocol_says_of_any_video(
        files in files(),
        only in prop::option::of(0usize..8),
        step in 1u8..=8,
        max_height in prop::option::of(1u32..2_000),
        first in any::<prop::sample::Index>(),
    ) {
        let stream = Stream::new(files, only, step, max_height);
        let first = first.index(stream.plan.frame_count());
        let sent = stream.sent_from(first);
        let places: Vec<_> = sent.iter().map(|picture| (picture.index, picture.source, picture.frame)).collect();
        prop_assert_eq!(places, stream.expected_from(first));
        // Time has no gap, up to the end of the stream.
        for pair in sent.windows(2) {
            prop_assert_eq!(pair[0].pts_nanos + pair[0].duration_nanos, pair[1].pts_nanos);
        }
        let last = sent.last().unwrap();
        prop_assert_eq!(last.pts_nanos + last.duration_nanos, stream.plan.duration_nanos());
        // Each picture is in its run, of which the frames do not go back.
        for pair in sent.windows(2).filter(|pair| stream.run(pair[0].index) == stream.run(pair[1].index)) {
            prop_assert!(pair[0].frame <= pair[1].frame);
        }
        for picture in &sent {
            let run = &stream.selection.runs()[stream.run(picture.index)];
            prop_assert_eq!(run.source, picture.source);
            prop_assert!(run.frames.contains(&picture.frame));
            prop_assert!(run.frames.end <= stream.indices[run.source].len());
            prop_assert!(run.start_nanos <= picture.pts_nanos);
        }
    }

    #[test]
    fn a_delivery_in_full_is_the_plan(files in files(), only in prop::option::of(0usize..8)) {
        let stream = Stream::new(files, only, 1, None);
        let planned: Vec<_> = (0..).map_while(|index| stream.plan.frame(index, &stream.indices)).collect();
        let sent = stream.sent_from(0);
        prop_assert_eq!(sent.len(), planned.len());
        for (sent, planned) in sent.iter().zip(planned) {
            prop_assert_eq!(
                (sent.index, sent.source, sent.frame, sent.pts_nanos, sent.duration_nanos),
                (planned.index, planned.variant, planned.frame, planned.pts_nanos, planned.duration_nanos)
            );
        }
    }
}
