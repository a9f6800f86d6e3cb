//! The plan of a stream: a video, which of its frames are shown when, and which of these are sent. Pure.

use std::sync::Arc;

use common::{
    media::{Delivery, Position, Quality, SegmentInfo},
    splice::{Plan, Segment},
};

use super::{
    error::StreamError,
    selection::{Selection, SentPicture},
};
use crate::video::library::{ProbedFile, Video};

/// A video and the frames of it that a viewer receives. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StreamPlan {
    pub(crate) video: Arc<Video>,
    pub(crate) splice: Arc<Plan>,
    delivery: Delivery,
    pub(super) selection: Arc<Selection>,
}

impl StreamPlan {
    /// Plans a stream of `video`. What `delivery` asks for, the server must have.
    ///
    /// # Errors
    /// [`StreamError::NoSuchResolution`].
    pub fn new(video: Arc<Video>, quality: Quality, delivery: Delivery) -> Result<Self, StreamError> {
        let splice = match quality {
            Quality::Triptych => Plan::triptych(&video.indices),
            Quality::Only(height) => {
                let found = video.info.variants.iter().position(|variant| variant.height == height);
                let missing = || StreamError::NoSuchResolution { title: video.info.title.clone(), height };
                Plan::only(&video.indices, found.ok_or_else(missing)?)
            }
        };
        let selection = Selection::new(&splice, &video.info.variants, &video.indices, &delivery);
        Ok(Self { video, splice: Arc::new(splice), delivery, selection: Arc::new(selection) })
    }

    /// The video that the stream shows.
    pub fn video(&self) -> &Arc<Video> {
        &self.video
    }

    /// The parts of the stream in order; none is empty.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |(segment, &source): (&Segment, &usize)| SegmentInfo {
            height: self.height_of(segment.variant),
            sent_height: self.height_of(source),
            first_index: to_u32(segment.first_index),
            frame_count: to_u32(segment.frames.len()),
            start_nanos: segment.start_nanos,
        };
        self.splice.segments().iter().zip(self.selection.sources()).map(info).collect()
    }

    /// The nominal height of a variant.
    pub(super) fn height_of(&self, variant: usize) -> u32 {
        self.video.info.variants[variant].height
    }

    /// The picture with this index, which is sent; `None` past the end.
    pub(super) fn picture(&self, index: usize) -> Option<SentPicture> {
        self.selection.picture(index, &self.splice, &self.video.indices)
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

    /// The files that the stream uses: those that its pictures really come from, and the one of its sound.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Arc<ProbedFile>> {
        let pictures = self.selection.sources().iter().copied();
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
