//! The plan of a stream: a video, and which of its frames are shown when. Pure.

use std::sync::Arc;

use common::{
    media::{Delivery, Position, Quality, SegmentInfo},
    splice::{Plan, Segment},
};

use super::error::StreamError;
use crate::video::library::{ProbedFile, Video};

/// A video and the frames of it that a viewer receives. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StreamPlan {
    pub(crate) video: Arc<Video>,
    pub(crate) splice: Arc<Plan>,
    delivery: Delivery,
}

impl StreamPlan {
    /// Plans a stream of `video`. It is delivered in full, whatever was asked for.
    ///
    /// # Errors
    /// [`StreamError::NoSuchResolution`].
    pub fn new(video: Arc<Video>, quality: Quality, _: Delivery) -> Result<Self, StreamError> {
        let splice = match quality {
            Quality::Triptych => Plan::triptych(&video.indices),
            Quality::Only(height) => {
                let found = video.info.variants.iter().position(|variant| variant.height == height);
                let missing = || StreamError::NoSuchResolution { title: video.info.title.clone(), height };
                Plan::only(&video.indices, found.ok_or_else(missing)?)
            }
        };
        Ok(Self { video, splice: Arc::new(splice), delivery: Delivery::FULL })
    }

    /// The video that the stream shows.
    pub fn video(&self) -> &Arc<Video> {
        &self.video
    }

    /// The parts of the stream in order; none is empty.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |segment: &Segment| SegmentInfo {
            height: self.video.info.variants[segment.variant].height,
            sent_height: self.video.info.variants[segment.variant].height,
            first_index: to_u32(segment.first_index),
            frame_count: to_u32(segment.frames.len()),
            start_nanos: segment.start_nanos,
        };
        self.splice.segments().iter().map(info).collect()
    }

    /// How the stream is delivered.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Number of pictures, at least one.
    pub fn frame_count(&self) -> u32 {
        to_u32(self.splice.frame_count())
    }

    /// Length of the stream.
    pub fn duration_nanos(&self) -> u64 {
        self.splice.duration_nanos()
    }

    /// The files that the stream uses: those of its pictures, and the one that its sound comes from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Arc<ProbedFile>> {
        let pictures = self.splice.segments().iter().map(|segment| segment.variant);
        let sound = self.video.sound.iter().map(|sound| sound.file);
        pictures.chain(sound).map(|file| &self.video.files[file])
    }

    /// Index of the picture at a position; beyond the end, the last one.
    pub fn index_at(&self, position: Position) -> usize {
        match position {
            Position::Time(nanos) => self.splice.index_at(nanos, &self.video.indices),
            Position::Picture(index) => (index as usize).min(self.splice.frame_count() - 1),
        }
    }

    /// Index of the picture that shows the same frame as picture `index` of another plan of the same video, or the nearest
    /// one.
    pub fn matching_index(&self, other: &Self, index: usize) -> usize {
        self.splice.matching_index(&other.splice, index, &self.video.indices)
    }
}

/// Converts an index or a count of pictures, which always fits: the probe limits the frames of a file.
pub(crate) fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
