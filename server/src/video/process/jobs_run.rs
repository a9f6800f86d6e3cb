//! The jobs of a worker process, carried out by GStreamer.

use std::path::Path;

use bytes::Bytes;
use common::media::SoundFormat;

use super::{
    fault::At,
    line::Line,
    opus_chunks::OpusChunks,
    pictures_run::run_pictures,
    previews_run::run_previews,
    protocol::{Answer, Failure, Job, ProbedHead, SoundJob, TranscodeJob},
    sound_chunks::SoundChunks,
};
use crate::video::gst::{
    pipeline::{DecodeError, PipelineError},
    probe::probe,
    probe_error::ProbeError,
    transcoder::{Source, Target, transcode},
};

/// Carries out a job, and returns its last answer with a payload.
pub(super) fn run(job: Job, payload: &[u8], line: &Line<'_>) -> (Answer, Vec<u8>) {
    let done = match job {
        Job::Probe { path } => return run_probe(&path.to_path(), line),
        Job::Pictures(job) => run_pictures(&job, payload, line),
        Job::Sound(job) => run_sound(&job, line),
        Job::Transcode(job) => run_transcode(&job, line),
        Job::Previews(job) => run_previews(&job, line),
    };
    let answer = match done {
        Ok(()) => Answer::Finished,
        Err(DecodeError::Cancelled) => Answer::Stopped,
        Err(error) => Answer::Failed(Failure::from(error)),
    };
    (answer, Vec::new())
}

fn run_probe(path: &Path, line: &Line<'_>) -> (Answer, Vec<u8>) {
    if let Some(failure) = line.fail(path, At::Probe) {
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
        if let Some(failure) = line.fail(&path, At::Frame(number)) {
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
