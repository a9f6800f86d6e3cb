//! What a viewer watches: a video, and the plan of the frames of it that are shown. Pure.

use std::sync::Arc;

use common::{
    media::{Position, Quality, SegmentInfo},
    splice::{Plan, Segment},
};

use super::StreamError;
use crate::video::library::Video;

/// A video and the frames of it that a viewer wants.
#[derive(Debug, Clone)]
pub struct StreamPlan {
    pub(crate) video: Arc<Video>,
    pub(crate) plan: Arc<Plan>,
}

impl StreamPlan {
    /// Plans the stream.
    pub fn new(video: Arc<Video>, quality: Quality) -> Result<Self, StreamError> {
        let plan = match quality {
            Quality::Triptych => Plan::triptych(&video.indices),
            Quality::Only(height) => {
                let found = video.info.variants.iter().position(|variant| variant.height == height);
                let missing = || StreamError::NoSuchResolution { title: video.info.title.clone(), height };
                Plan::only(&video.indices, found.ok_or_else(missing)?)
            }
        };
        Ok(Self { video, plan: Arc::new(plan) })
    }

    /// What it shows.
    pub fn video(&self) -> &Arc<Video> {
        &self.video
    }

    /// The parts of the stream in order; none is empty.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |segment: &Segment| SegmentInfo {
            height: self.video.info.variants[segment.variant].height,
            first_index: small(segment.first_index),
            frame_count: small(segment.frames.len()),
            start_nanos: segment.start_nanos,
        };
        self.plan.segments().iter().map(info).collect()
    }

    /// Number of pictures, at least one.
    pub fn frame_count(&self) -> u32 {
        small(self.plan.frame_count())
    }

    /// Length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.plan.duration_nanos()
    }

    /// Index of the picture at a place.
    pub fn index_at(&self, position: Position) -> usize {
        match position {
            Position::Time(nanos) => self.plan.index_at(nanos, &self.video.indices),
            Position::Picture(index) => (index as usize).min(self.plan.frame_count() - 1),
        }
    }

    /// Index of the picture that shows what `index` of another program of the same video shows.
    pub fn matching_index(&self, other: &Self, index: usize) -> usize {
        self.plan.matching_index(&other.plan, index, &self.video.indices)
    }
}

/// Indices in a stream fit: no file has more frames than the probe allows.
pub(crate) fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
