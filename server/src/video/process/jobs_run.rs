//! The jobs of a worker process, carried out by GStreamer.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{media::SoundFormat, splice::FrameIndex};

use super::{
    fault::{At, Fault},
    line::Line,
    opus_chunks::OpusChunks,
    protocol::{Answer, Failure, Job, PictureJob, ProbedHead, SoundJob, TranscodeJob, decode_words},
    sound_chunks::SoundChunks,
};
use crate::video::gst::{
    picture_decoder::{DecodeRequest, JpegPicture, PictureDecoder},
    pipeline::{DecodeError, Heartbeat, PipelineError},
    probe::probe,
    probe_error::ProbeError,
    transcoder::{Source, Target, transcode},
};

/// Time limit for reading from the start when a seek fails. Without it, one damaged frame would have hours of video
/// decoded for nothing.
const READ_FROM_START_TIME: Duration = Duration::from_secs(20);

/// Carries out a job, and returns its last answer with a payload.
pub(super) fn run(job: Job, payload: &[u8], line: &Line<'_>) -> (Answer, Vec<u8>) {
    let done = match job {
        Job::Probe { path } => return run_probe(&path.to_path(), line),
        Job::Pictures(job) => run_pictures(&job, payload, line),
        Job::Sound(job) => run_sound(&job, line),
        Job::Transcode(job) => run_transcode(&job, line),
    };
    let answer = match done {
        Ok(()) => Answer::Finished,
        Err(DecodeError::Cancelled) => Answer::Stopped,
        Err(error) => Answer::Failed(Failure::from(error)),
    };
    (answer, Vec::new())
}

fn run_probe(path: &Path, line: &Line<'_>) -> (Answer, Vec<u8>) {
    if let Some(failure) = fail(line, path, At::Probe) {
        return (Answer::Failed(failure), Vec::new());
    }
    match probe(path, &|| line.is_wanted()) {
        Ok(probed) => {
            let (head, times) = ProbedHead::split(probed);
            (Answer::Probed(head), times)
        }
        Err(ProbeError::Cancelled) => (Answer::Stopped, Vec::new()),
        Err(error) => (Answer::Failed(Failure::Cause(error.to_string())), Vec::new()),
    }
}

fn run_pictures(job: &PictureJob, payload: &[u8], line: &Line<'_>) -> Result<(), DecodeError> {
    let path = job.path.to_path();
    let index = FrameIndex::new(decode_words(payload), Some(job.end_nanos));
    let first = job.first as usize;
    let end = first.saturating_add(job.count as usize).min(index.len());
    let request = DecodeRequest {
        path: &path,
        track: &job.track,
        decoder: &job.decoder,
        index: &index,
        frames: first..end,
        seek_nanos: job.seek_nanos,
        skim_until_nanos: job.skim_until_nanos,
        size: Some(job.size),
        needs_rgb: job.needs_rgb,
        is_interlaced: job.is_interlaced,
        is_planar: job.is_planar,
        branches: job.branches.max(1) as usize,
        has_one_thread: job.has_one_thread,
    };
    let (mut decoder, picture) = open(request, &|| line.is_wanted())?;
    let mut picture = Some(picture);
    for frame in first..end {
        if !line.wait_for_credit() {
            return Err(DecodeError::Cancelled);
        }
        let number = (frame - first) as u64;
        if let Some(failure) = fail(line, &path, At::Frame(number)) {
            return Err(PipelineError(failure.to_string()).into());
        }
        let picture = match picture.take() {
            Some(picture) => picture,
            None => decoder.next(frame, &|| line.is_wanted())?,
        };
        let jpeg = picture.jpeg.map_readable().map_err(PipelineError::from)?;
        line.say(&Answer::Frame(number), &jpeg);
    }
    Ok(())
}

/// Starts to decode, and decodes the first picture: by a seek to a key frame if there is one and the seek does not
/// overshoot, otherwise by reading from the start without leaving anything out.
fn open(
    mut request: DecodeRequest<'_>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<(PictureDecoder, JpegPicture), DecodeError> {
    let (mut deadline, mut failed) = (None, None);
    let first = request.frames.start;
    loop {
        let is_in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        let is_worth_it = || is_wanted() && is_in_time();
        let begun = PictureDecoder::open(&request, Heartbeat::default(), &is_worth_it)
            .and_then(|mut decoder| decoder.next(first, &is_worth_it).map(|picture| (decoder, picture)));
        match begun {
            Err(error @ (DecodeError::Missing | DecodeError::Pipeline(_)))
                if request.seek_nanos.take().is_some() | request.skim_until_nanos.take().is_some() =>
            {
                tracing::debug!("seeking in {:?} failed, reading it from the start: {error}", request.path);
                request.has_one_thread = false;
                (deadline, failed) = (Some(Instant::now() + READ_FROM_START_TIME), Some(error));
            }
            Err(DecodeError::Cancelled) if !is_in_time() => return Err(failed.unwrap_or(DecodeError::Cancelled)),
            begun => return begun,
        }
    }
}

fn run_sound(job: &SoundJob, line: &Line<'_>) -> Result<(), DecodeError> {
    let path = job.path.to_path();
    let warn = |text: String| line.say(&Answer::Warning(text), &[]);
    let is_wanted = || line.is_wanted();
    let mut next: Box<dyn FnMut() -> Result<Bytes, DecodeError>> = match job.format {
        SoundFormat::Pcm => {
            let mut chunks = SoundChunks::open(&path, job, &is_wanted, &warn)?;
            Box::new(move || Ok(chunks.next(&is_wanted, &warn)?.into()))
        }
        SoundFormat::Opus => {
            let mut chunks = OpusChunks::open(&path, job, &is_wanted, &warn)?;
            Box::new(move || chunks.next(&is_wanted, &warn))
        }
    };
    for number in 0.. {
        if !line.wait_for_credit() {
            return Err(DecodeError::Cancelled);
        }
        if let Some(failure) = fail(line, &path, At::Frame(number)) {
            return Err(PipelineError(failure.to_string()).into());
        }
        let chunk = next()?;
        line.say(&Answer::Frame(number), &chunk);
    }
    Ok(())
}

fn run_transcode(job: &TranscodeJob, line: &Line<'_>) -> Result<(), DecodeError> {
    let path = job.path.to_path();
    let target = |(path, width, height): &(super::protocol::PathBytes, u32, u32)| Target {
        path: path.to_path(),
        width: *width,
        height: *height,
    };
    let targets: Vec<_> = job.targets.iter().map(target).collect();
    let source = Source {
        path: &path,
        track: &job.track,
        decoder: &job.decoder,
        needs_rgb: job.needs_rgb,
        is_interlaced: job.is_interlaced,
        sound: job.sound.as_ref().map(|(track, decoder)| (track.as_str(), decoder.as_str())),
        frames_per_second: job.frames_per_second,
    };
    let mut said = 0;
    let mut progress = |frames: u64| {
        if frames != said {
            said = frames;
            line.say(&Answer::Progress(frames), &[]);
        }
    };
    transcode(&source, &targets, &mut progress, &|| line.is_wanted())
}

/// Does what the fault of a test says, if it is for this file and this place.
fn fail(line: &Line<'_>, path: &Path, at: At) -> Option<Failure> {
    line.fault.filter(|fault| fault.is_for(path, at)).map(|fault| Fault::happen(fault, line.stream))
}
