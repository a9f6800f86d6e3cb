//! The sound of a video as a track of the store: chunks of a tenth of a second, counted from the time at which the first
//! picture of the file is shown.
//!
//! Sound never fails a stream: a file whose sound breaks, or crashes its decoder, is silent from there on.

use std::sync::Arc;

use bytes::Bytes;
use common::{media::SoundFormat, splice::FrameIndex};

use super::{
    source::{FrameSource, Packs, SourceError, TrackOpener},
    track::{TrackKey, TrackKind},
    track_packs::TrackPacks,
};
use crate::video::{
    gst::{
        pipeline::{DecodeError, Heartbeat},
        sound_decoder::nanos_to_audio_frame,
    },
    library::ProbedFile,
    process::{
        AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES, FrameStream, ProcessError, ProcessPool, SoundJob, silent_opus_chunk,
    },
};

/// Opens the sound of a file, which must have some, in one format. In Opus there is a chunk of silence before the first.
pub(crate) struct SoundOpener {
    file: Arc<ProbedFile>,
    format: SoundFormat,
    pool: ProcessPool,
    packs: Option<Arc<TrackPacks>>,
}

/// The sound of a file, from one chunk on.
struct SoundSource {
    /// `None` after an error.
    chunks: Option<FrameStream>,
    format: SoundFormat,
    heartbeat: Heartbeat,
}

impl SoundOpener {
    pub(crate) fn new(
        file: Arc<ProbedFile>,
        format: SoundFormat,
        pool: ProcessPool,
        packs: Option<Arc<TrackPacks>>,
    ) -> Self {
        Self { file, format, pool, packs }
    }

    pub(crate) fn key(&self) -> TrackKey {
        let kind = match self.format {
            SoundFormat::Pcm => TrackKind::Sound,
            SoundFormat::Opus => TrackKind::OpusSound,
        };
        TrackKey { file: self.file.fingerprint, kind }
    }
}

/// Number of chunks that the sound of a file has; silence follows them.
pub(crate) fn sound_chunk_count(index: &FrameIndex) -> usize {
    let Some(last) = index.len().checked_sub(1) else { return 0 };
    let length = nanos_to_audio_frame(i128::from(index.end_nanos(last) - index.pts_nanos(0))).unsigned_abs();
    usize::try_from(length.div_ceil(CHUNK_AUDIO_FRAMES)).unwrap_or(usize::MAX)
}

impl TrackOpener for SoundOpener {
    fn open(
        &self,
        chunk: usize,
        heartbeat: Heartbeat,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Box<dyn FrameSource>, SourceError> {
        let file = &self.file;
        let sound = file.probed.sound.as_ref().ok_or(DecodeError::Missing)?;
        file.check_same().map_err(DecodeError::from)?;
        let job = SoundJob {
            path: file.path.as_path().into(),
            track: sound.track.clone(),
            decoder: sound.decoder.clone(),
            origin_nanos: file.probed.index.pts_nanos(0),
            format: self.format,
            first_chunk: chunk as u64,
        };
        let chunks = Some(FrameStream::sound(&self.pool, job, is_wanted)?);
        Ok(Box::new(SoundSource { chunks, format: self.format, heartbeat }))
    }

    fn name(&self) -> String {
        match self.format {
            SoundFormat::Pcm => "sound".to_owned(),
            SoundFormat::Opus => "sound-opus".to_owned(),
        }
    }

    fn pixels(&self) -> u64 {
        0
    }

    fn packs(&self) -> Option<Arc<dyn Packs>> {
        Some(self.packs.clone()?)
    }
}

impl FrameSource for SoundSource {
    fn next(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<Bytes, SourceError> {
        if let Some(chunks) = &mut self.chunks {
            match chunks.next(is_wanted, &|| self.heartbeat.beat()) {
                Ok(chunk) => return Ok(chunk.into()),
                Err(ProcessError::Cancelled) => return Err(SourceError::Cancelled),
                // It is in the log already.
                Err(_) => self.chunks = None,
            }
        }
        Ok(match self.format {
            SoundFormat::Pcm => vec![0; CHUNK_AUDIO_FRAMES as usize * AUDIO_FRAME_BYTES].into(),
            SoundFormat::Opus => silent_opus_chunk(),
        })
    }

    fn is_true_to_file(&self) -> bool {
        self.chunks.as_ref().is_some_and(|chunks| !chunks.has_warned())
    }
}
