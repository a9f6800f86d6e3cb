//! Single small pictures of a file, made one after the other in a worker process.

use super::{
    fault::At,
    line::Line,
    protocol::{Answer, PreviewFrame, PreviewJob},
};
use crate::video::gst::{
    pipeline::{DecodeError, PipelineError},
    preview_decoder::{PreviewDecoder, PreviewSource},
};

/// JPEG qualities, best first. The next one is taken for a picture that is longer than wanted: noise, leaves, water.
const QUALITIES: [u32; 3] = [75, 50, 25];

/// Damaged places after which the rest of a file is given up. Each costs a new pipeline.
const MAX_DAMAGES: usize = 3;

/// Makes the pictures of a job.
pub(super) fn run_previews(job: &PreviewJob, line: &Line<'_>) -> Result<(), DecodeError> {
    let path = job.path.to_path();
    let source = PreviewSource {
        path: &path,
        track: &job.track,
        decoder: &job.decoder,
        needs_rgb: job.needs_rgb,
        is_interlaced: job.is_interlaced,
        are_closed: job.are_closed,
        size: job.size,
    };
    let (mut decoder, mut damages) = (None, 0);
    for (number, &frame) in (0..).zip(&job.frames) {
        if let Some(failure) = line.fail(&path, At::Frame(u64::from(number))) {
            return Err(PipelineError(failure.to_string()).into());
        }
        match make(&mut decoder, source, frame, job.max_bytes as usize, line) {
            Ok(Some((nanos, jpeg))) => line.say(&Answer::Preview { number, nanos }, &jpeg),
            Ok(None) | Err(DecodeError::Missing) => {}
            Err(DecodeError::Pipeline(error)) if damages + 1 < MAX_DAMAGES => {
                tracing::debug!("no preview at {} ns: {error}", frame.nanos);
                damages += 1;
                decoder = None;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One picture and its time in the file; `None` when it is longer than wanted in every quality.
fn make(
    decoder: &mut Option<PreviewDecoder>,
    source: PreviewSource<'_>,
    frame: PreviewFrame,
    max_bytes: usize,
    line: &Line<'_>,
) -> Result<Option<(u64, Vec<u8>)>, DecodeError> {
    let is_wanted = || line.is_wanted();
    let decoder = match decoder {
        Some(decoder) => decoder,
        None => decoder.insert(PreviewDecoder::open(source, &is_wanted)?),
    };
    for quality in QUALITIES {
        let (nanos, jpeg) = decoder.frame((frame.seek_nanos, frame.nanos), quality, &is_wanted)?;
        let jpeg = jpeg.map_readable().map_err(PipelineError::from)?;
        if jpeg.len() <= max_bytes {
            return Ok(Some((nanos, jpeg.to_vec())));
        }
    }
    Ok(None)
}
