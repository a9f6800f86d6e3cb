//! The pictures of a file as a track of the store.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    source::{FrameSource, Packs, SourceError, TrackOpener},
    track::{TrackKey, TrackKind},
    track_packs::TrackPacks,
};
use crate::video::{
    gst::{
        key_frames::KeyFrames,
        pipeline::{DecodeError, Heartbeat},
        threads::{Threads, cores},
    },
    library::ProbedFile,
    process::{FrameStream, PictureJob, ProcessPool},
};

/// Frames before the wanted one that are decoded in any case, because libav may learn only from them how far frames are
/// reordered: ITU-T H.264 allows sixteen.
const UNSKIMMED_FRAMES: usize = 16;

/// Opens the pictures of a file.
pub(crate) struct PictureOpener {
    file: Arc<ProbedFile>,
    pool: ProcessPool,
    packs: Option<Arc<TrackPacks>>,
}

/// The pictures of a file, from one frame on.
struct PictureSource {
    pictures: FrameStream,
    heartbeat: Heartbeat,
}

impl PictureOpener {
    pub(crate) fn new(file: Arc<ProbedFile>, pool: ProcessPool, packs: Option<Arc<TrackPacks>>) -> Self {
        Self { file, pool, packs }
    }

    pub(crate) fn key(&self) -> TrackKey {
        TrackKey { file: self.file.fingerprint, kind: TrackKind::Pictures }
    }
}

impl TrackOpener for PictureOpener {
    /// By a seek to a key frame if the file is searchable, otherwise by reading from the start.
    fn open(
        &self,
        frame: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn FrameSource>, SourceError> {
        let (file, probed) = (&self.file, &self.file.probed);
        let index = &probed.index;
        file.check_same().map_err(DecodeError::from)?;
        let key_frame = probed.key_frames.as_ref().and_then(|key_frames| key_frames.before(index.pts_nanos(frame)));
        let size = (probed.picture_width, probed.picture_height);
        let are_closed = probed.key_frames.as_ref().is_some_and(KeyFrames::are_closed);
        let threads = Threads::for_file(cores(), size, are_closed, probed.is_jpeg_ready);
        // Of a file without times of its own, those of the index are the decoder's.
        let can_skim = probed.key_frames.is_some() && probed.decoder == "avdec_h264";
        let job = PictureJob {
            path: file.path.as_path().into(),
            track: probed.track.clone(),
            decoder: probed.decoder.clone(),
            first: u32::try_from(frame).unwrap_or(u32::MAX),
            count: u32::MAX,
            end_nanos: index.end_nanos(index.len() - 1),
            // The first frame needs no seek.
            seek_nanos: key_frame.filter(|&nanos| nanos > index.pts_nanos(0)),
            skim_until_nanos: can_skim.then(|| index.pts_nanos(frame.saturating_sub(UNSKIMMED_FRAMES))),
            size,
            needs_rgb: probed.needs_rgb,
            is_interlaced: probed.is_interlaced,
            is_planar: probed.is_planar,
            lanes: threads.lanes as u32,
            branches: threads.branches as u32,
            has_one_thread: threads.has_one_decoding,
        };
        let pictures = FrameStream::pictures(&self.pool, job, index, probed.key_frames.as_ref(), is_wanted)?;
        Ok(Box::new(PictureSource { pictures, heartbeat }))
    }

    fn name(&self) -> String {
        format!("pictures-{}p", self.file.probed.picture_height)
    }

    fn pixels(&self) -> u64 {
        let probed = &self.file.probed;
        u64::from(probed.picture_width) * u64::from(probed.picture_height)
    }

    fn packs(&self) -> Option<Arc<dyn Packs>> {
        Some(self.packs.clone()?)
    }
}

impl FrameSource for PictureSource {
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, SourceError> {
        Ok(self.pictures.next(is_wanted, &|| self.heartbeat.beat())?.into())
    }
}
