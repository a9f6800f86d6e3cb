//! The pictures of a file as a track of the store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::limits::MAX_PICTURE_BYTES;

use super::{
    source::{FrameSource, SourceError, TrackOpener},
    track::{TrackKey, TrackKind},
};
use crate::video::{
    gst::{
        picture_decoder::{DecodeRequest, JpegPicture, PictureDecoder, branches},
        pipeline::{DecodeError, Heartbeat, PipelineError},
    },
    library::ProbedFile,
};

/// Time limit for reading from the start when a seek fails. Without it, one damaged frame would have hours of video
/// decoded for nothing.
const READ_FROM_START_TIME: Duration = Duration::from_secs(20);

/// Opens the pictures of a file.
pub(crate) struct PictureOpener(pub(crate) Arc<ProbedFile>);

/// The pictures of a file, from one frame on.
struct PictureSource {
    decoder: PictureDecoder,
    /// The picture that proved that decoding starts.
    first: Option<JpegPicture>,
    /// Number of the next picture.
    frame: usize,
}

impl PictureOpener {
    pub(crate) fn key(&self) -> TrackKey {
        TrackKey { file: self.0.fingerprint, kind: TrackKind::Pictures }
    }
}

impl TrackOpener for PictureOpener {
    /// By a seek to a key frame if the file is searchable and the seek does not overshoot, otherwise by reading from the
    /// start.
    fn open(
        &self,
        frame: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn FrameSource>, SourceError> {
        let (file, probed) = (&self.0, &self.0.probed);
        let index = &probed.index;
        file.check_same().map_err(DecodeError::from)?;
        let key_frame = probed.key_frames.as_ref().and_then(|key_frames| key_frames.before(index.pts_nanos(frame)));
        let mut request = DecodeRequest {
            path: &file.path,
            track: &probed.track,
            decoder: &probed.decoder,
            index,
            frames: frame..index.len(),
            // The first frame needs no seek.
            seek_nanos: key_frame.filter(|&nanos| nanos > index.pts_nanos(0)),
            size: Some((probed.picture_width, probed.picture_height)),
            needs_rgb: probed.needs_rgb,
            is_interlaced: probed.is_interlaced,
            // Other decoders pass on the caps that they find downstream, and refuse a file that specifies less.
            is_jpeg_ready: probed.is_jpeg_ready && probed.decoder.starts_with("avdec_"),
            branches: branches(),
        };
        let (mut deadline, mut failed) = (None, None);
        loop {
            let is_in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
            let is_worth_it = || is_wanted() && is_in_time();
            let begun = PictureDecoder::open(&request, heartbeat.clone(), &is_worth_it)
                .and_then(|mut decoder| decoder.next(frame, &is_worth_it).map(|picture| (decoder, picture)));
            match begun {
                Ok((decoder, first)) => return Ok(Box::new(PictureSource { decoder, first: Some(first), frame })),
                Err(error @ (DecodeError::Missing | DecodeError::Pipeline(_)))
                    if request.seek_nanos.take().is_some() =>
                {
                    tracing::debug!("seeking in {:?} failed, reading it from the start: {error}", file.file_name);
                    (deadline, failed) = (Some(Instant::now() + READ_FROM_START_TIME), Some(error));
                }
                Err(DecodeError::Cancelled) if !is_in_time() => {
                    return Err(failed.unwrap_or(DecodeError::Cancelled).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn name(&self) -> String {
        format!("pictures-{}p", self.0.probed.picture_height)
    }

    fn pixels(&self) -> u64 {
        let probed = &self.0.probed;
        u64::from(probed.picture_width) * u64::from(probed.picture_height)
    }
}

impl FrameSource for PictureSource {
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, SourceError> {
        let picture = match self.first.take() {
            Some(first) => first,
            None => self.decoder.next(self.frame, is_wanted)?,
        };
        self.frame += 1;
        let jpeg_bytes = picture.jpeg.size();
        if jpeg_bytes > MAX_PICTURE_BYTES {
            let cause = format!("its JPEG has {jpeg_bytes} bytes, the limit is {MAX_PICTURE_BYTES}");
            return Err(SourceError::Failed(cause));
        }
        // Copied, because the encoder's buffers are as large as the raw picture.
        let mapped = picture.jpeg.map_readable().map_err(|error| DecodeError::from(PipelineError::from(error)))?;
        Ok(Bytes::copy_from_slice(&mapped))
    }
}
