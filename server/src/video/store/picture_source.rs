//! The pictures of a file as a track of the frame store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::limits::MAX_PICTURE_BYTES;

use super::{Opener, Part, Source, TrackKey};
use crate::video::{
    gst::{
        picture_decoder::{DecodeRequest, JpegPicture, PictureDecoder, branches},
        pipeline::{DecodeError, Heartbeat, PipelineError},
    },
    library::Video,
};

/// For so long a file that promised that it can be searched is read from its start instead. Else one damaged frame would
/// have hours decoded for nothing.
const READ_ON_TIME: Duration = Duration::from_secs(20);

/// Opens the file of one variant of a video.
pub(crate) struct PictureOpener {
    pub(crate) video: Arc<Video>,
    /// Index of the variant.
    pub(crate) variant: usize,
}

/// PictureDecoder of a file from some frame on.
struct PictureSource {
    pictures: PictureDecoder,
    /// The one that proved that the file opens.
    first: Option<JpegPicture>,
    /// Number of the next picture.
    frame: usize,
}

impl PictureOpener {
    pub(crate) fn key(&self) -> TrackKey {
        let info = &self.video.info;
        TrackKey { video: info.id, fingerprint: info.fingerprint, part: Part::Pictures(self.variant) }
    }
}

impl Opener for PictureOpener {
    /// By a seek when the file can be searched and the seek does not go too far, else by reading from the start.
    fn open(
        &self,
        frame: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn Source>, DecodeError> {
        let (source, index) = (&self.video.files[self.variant], &self.video.indices[self.variant]);
        source.check_same()?;
        let entry = source.probed.key_frames.as_ref().and_then(|key_frames| key_frames.before(index.pts_nanos(frame)));
        let mut order = DecodeRequest {
            path: &source.path,
            track: &source.probed.track,
            decoder: &source.probed.decoder,
            index,
            frames: frame..index.len(),
            // At the very start there is nothing to search for.
            seek_nanos: entry.filter(|&nanos| nanos > index.pts_nanos(0)),
            size: Some((source.probed.picture_width, source.probed.picture_height)),
            needs_rgb: source.probed.needs_rgb,
            is_interlaced: source.probed.is_interlaced,
            // Other decoders pass on what they find downstream, so that a file that says less about itself is refused.
            is_jpeg_ready: source.probed.is_jpeg_ready && source.probed.decoder.starts_with("avdec_"),
            branches: branches(),
        };
        let (mut deadline, mut failed) = (None, None);
        loop {
            let is_in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
            let is_worth_it = || is_wanted() && is_in_time();
            let begun = PictureDecoder::open(&order, heartbeat.clone(), &is_worth_it)
                .and_then(|mut pictures| pictures.next(frame, &is_worth_it).map(|picture| (pictures, picture)));
            match begun {
                Ok((pictures, first)) => return Ok(Box::new(PictureSource { pictures, first: Some(first), frame })),
                Err(stop @ (DecodeError::Missing | DecodeError::PipelineError(_)))
                    if order.seek_nanos.take().is_some() =>
                {
                    tracing::debug!("{:?} cannot be searched, reading from its start: {stop}", source.file_name);
                    (deadline, failed) = (Some(Instant::now() + READ_ON_TIME), Some(stop));
                }
                Err(DecodeError::Cancelled) if !is_in_time() => return Err(failed.unwrap_or(DecodeError::Cancelled)),
                Err(stop) => return Err(stop),
            }
        }
    }

    fn name(&self) -> String {
        format!("pictures-{}p", self.video.info.variants[self.variant].height)
    }

    fn pixels(&self) -> u64 {
        let probed = &self.video.files[self.variant].probed;
        u64::from(probed.picture_width) * u64::from(probed.picture_height)
    }
}

impl Source for PictureSource {
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, DecodeError> {
        let picture = match self.first.take() {
            Some(first) => first,
            None => self.pictures.next(self.frame, is_wanted)?,
        };
        self.frame += 1;
        let jpeg_bytes = picture.jpeg.size();
        if jpeg_bytes > MAX_PICTURE_BYTES {
            let words = format!("its picture takes {jpeg_bytes} bytes, more than {MAX_PICTURE_BYTES}");
            return Err(PipelineError(words).into());
        }
        // Copied, because the encoder's buffers are as large as the raw picture.
        let mapped = picture.jpeg.map_readable().map_err(PipelineError::from)?;
        Ok(Bytes::copy_from_slice(&mapped))
    }
}
