//! Jobs for worker processes, as the rest of the server sees them: probe a file, read its frames, write it in other sizes.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use common::{limits::MAX_PICTURE_BYTES, media::SoundFormat, opus_sound::MAX_OPUS_SOUND_BYTES, splice::FrameIndex};

use super::{
    channel::{ReceiveError, receive, send},
    child::{Process, is_shortage},
    jpeg_head,
    opus_chunks::is_opus_chunk,
    pool::{Lease, ProcessPool},
    protocol::{
        Answer, Failure, Job, MAX_PROBED_BYTES, PathBytes, PictureJob, Request, SoundJob, TranscodeJob, clean,
        encode_times,
    },
    sound_chunks::{AUDIO_FRAME_BYTES, CHUNK_AUDIO_FRAMES},
};
use crate::video::gst::{
    key_frames::KeyFrames,
    pipeline::{PATIENCE, POLL_INTERVAL},
    probe::Probed,
    probe_error::READ_MINUTES,
};

/// A process that says nothing for this long hangs. A decoder that hangs is reported by the process itself, before.
const SILENCE_LIMIT: Duration = PATIENCE.saturating_add(Duration::from_secs(3));

/// Time limit for one frame. A file that cannot be searched is read from its start, which may take minutes.
const FRAME_LIMIT: Duration = Duration::from_secs(600);

/// Signs of life before one answer; a process gives one in a second.
const MAX_BEATS: u64 = 2 * PROBE_LIMIT.as_secs();

/// Time limit for a probe, which gives up by itself before.
const PROBE_LIMIT: Duration = Duration::from_secs(60 * (READ_MINUTES + 1));

/// How long to wait for a process while the system is short of descriptors, processes or memory.
const SHORTAGE_LIMIT: Duration = Duration::from_secs(10);

/// How long a process may take to end its job; otherwise it is ended itself.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Frames that a process makes ahead of those that were asked for, so that it need not wait for each request.
const CREDIT: u32 = 4;

/// Warnings of one job that are repeated in the log.
const MAX_WARNINGS: u32 = 3;

/// Spares that may be found dead before a job is given up.
const MAX_TRIES: u32 = 3;

const CHUNK_BYTES: usize = CHUNK_AUDIO_FRAMES as usize * AUDIO_FRAME_BYTES;

/// Why a job yields nothing further: a clause for people, without a full stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// Nobody waits for it any more.
    #[error("it was cancelled")]
    Cancelled,
    /// The decoder says that it cannot.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The process ended by itself, or was killed.
    #[error("the decoder crashed while reading it, so the file may be damaged")]
    Died,
    /// The process said nothing for too long.
    #[error("the decoder did not answer any more and was ended, so the file may be damaged")]
    Silent,
    /// The process said something that it must not.
    #[error("the decoder sent invalid data and was ended, so the file may be damaged")]
    Unsound(&'static str),
    /// There is no process.
    #[error("no process can be started to read it: {0}")]
    NotStarted(io::Error),
}

/// A process with a job.
pub(super) struct Running {
    /// `None` once it has been ended or given back.
    lease: Option<Lease>,
    /// For the log.
    file: PathBuf,
    pub(super) is_job_over: bool,
    /// Whether the process may do another job.
    is_reusable: bool,
    warnings: u32,
}

impl Running {
    /// Starts a job on a process that `take` provides.
    pub(super) fn begin(
        mut take: impl FnMut() -> io::Result<Lease>,
        file: &Path,
        job: Job,
        payload: &[u8],
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, ProcessError> {
        let request = Request::Start { job, credit: CREDIT };
        let (mut tries, begun) = (0, Instant::now());
        loop {
            let mut lease = match take() {
                Ok(lease) => lease,
                Err(error) if is_shortage(&error) && begun.elapsed() < SHORTAGE_LIMIT => {
                    if !is_wanted() {
                        return Err(ProcessError::Cancelled);
                    }
                    thread::park_timeout(POLL_INTERVAL);
                    continue;
                }
                Err(error) => return Err(ProcessError::NotStarted(error)),
            };
            match start(&mut lease, &request, payload, is_wanted) {
                Ok(()) => {
                    let file = file.to_owned();
                    return Ok(Self { lease: Some(lease), file, is_job_over: false, is_reusable: true, warnings: 0 });
                }
                Err(ReceiveError::GivenUp { .. }) if !is_wanted() => return Err(ProcessError::Cancelled),
                // It ended before it knew of the file, so the file is not to blame.
                Err(error) => {
                    tries += 1;
                    tracing::debug!("a worker process was lost before its job: {error:?}; {}", lease.process.end());
                    if tries == MAX_TRIES {
                        return Err(ProcessError::NotStarted(io::Error::other("worker processes end at once")));
                    }
                }
            }
        }
    }

    /// The next answer that is not just a sign of life.
    pub(super) fn answer(
        &mut self,
        max_payload_bytes: usize,
        limit: Duration,
        is_wanted: &dyn Fn() -> bool,
        on_beat: &dyn Fn(),
    ) -> Result<(Answer, Vec<u8>), ProcessError> {
        let begun = Instant::now();
        let Some(lease) = &self.lease else { return Err(ProcessError::Died) };
        let (mut heard_at, mut beats) = (begun, 0);
        loop {
            let is_in_time = || heard_at.elapsed() < SILENCE_LIMIT && begun.elapsed() < limit;
            let mut is_waiting = || is_wanted() && is_in_time();
            let error = match receive(&lease.process.stream, max_payload_bytes, &mut is_waiting) {
                Ok((Answer::Beat, _)) if beats > MAX_BEATS => ReceiveError::Unsound("too many signs of life"),
                Ok((Answer::Beat, _)) if is_waiting() => {
                    beats += 1;
                    heard_at = Instant::now();
                    on_beat();
                    continue;
                }
                Ok((Answer::Beat, _)) => ReceiveError::GivenUp { is_between: true },
                Ok((Answer::Warning(text), _)) if self.warnings < MAX_WARNINGS => {
                    self.warnings += 1;
                    tracing::warn!("{:?} {}", file_name(&self.file), clean(&text));
                    continue;
                }
                Ok((Answer::Warning(_), _)) => ReceiveError::Unsound("too many warnings"),
                Ok((Answer::Failed(failure), _)) => {
                    self.is_job_over = true;
                    // A decoder that failed may still hang.
                    self.is_reusable = failure == Failure::Missing;
                    return Err(failure.cleaned().into());
                }
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let error = match error {
                ReceiveError::GivenUp { is_between } if is_in_time() => {
                    self.is_reusable = is_between;
                    return Err(ProcessError::Cancelled);
                }
                ReceiveError::GivenUp { .. } => ProcessError::Silent,
                ReceiveError::Closed | ReceiveError::Io => ProcessError::Died,
                ReceiveError::Unsound(why) => ProcessError::Unsound(why),
            };
            return Err(self.end(error));
        }
    }

    /// Ends the process because of an error, and says so in the log.
    pub(super) fn end(&mut self, error: ProcessError) -> ProcessError {
        let Some(mut lease) = self.lease.take() else { return error };
        let (name, ended) = (file_name(&self.file), lease.process.end());
        match &error {
            ProcessError::Unsound(why) => {
                tracing::warn!("The worker process that read {name:?} was ended, because it sent invalid data: {why}.");
            }
            ProcessError::Silent => tracing::warn!("The worker process that read {name:?} hung and was ended."),
            _ => {
                tracing::warn!("The worker process that read {name:?} ended early ({ended}); the file may be damaged.")
            }
        }
        error
    }

    fn send(&mut self, request: &Request) -> Result<(), ProcessError> {
        let Some(lease) = &self.lease else { return Err(ProcessError::Died) };
        send(&lease.process.stream, request, &[]).map_err(|_| self.end(ProcessError::Died))
    }
}

/// Has the process begin a job.
fn start(
    lease: &mut Lease,
    request: &Request,
    payload: &[u8],
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), ReceiveError> {
    if let Some(sandbox) = lease.process.wait_until_ready(is_wanted)? {
        lease.pool().note(sandbox);
    }
    send(&lease.process.stream, request, payload).map_err(|_| ReceiveError::Io)
}

impl Drop for Running {
    /// Ends the job, and the process too unless it does that at once.
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        if self.is_reusable && (self.is_job_over || stop(&lease.process)) {
            lease.keep();
        }
    }
}

/// Has the process end its job. Returns whether it did.
fn stop(process: &Process) -> bool {
    if send(&process.stream, &Request::Stop, &[]).is_err() {
        return false;
    }
    let begun = Instant::now();
    let mut is_waiting = || begun.elapsed() < STOP_LIMIT;
    loop {
        match receive(&process.stream, MAX_PICTURE_BYTES, &mut is_waiting) {
            Ok((
                Answer::Beat | Answer::Frame(_) | Answer::Preview { .. } | Answer::Warning(_) | Answer::Progress(_),
                _,
            )) if is_waiting() => {}
            Ok((Answer::Stopped | Answer::Finished, _)) => return true,
            _ => return false,
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The frames of a file, from one on, made by a worker process. Dropping it ends the job.
pub(crate) struct FrameStream {
    running: Running,
    kind: FrameKind,
    /// Number of the next frame, counted from the first one of the job.
    next: u64,
    /// Frames that were received since credit was given.
    uncredited: u32,
}

#[derive(Debug, Clone, Copy)]
enum FrameKind {
    /// Pictures of this width and height.
    Pictures(u32, u32),
    Sound(SoundFormat),
}

impl FrameStream {
    /// The pictures of a job. `index` has the times of the whole file; the job's first frame counts in it. If the job has
    /// several lanes, the file is cut at those of its `key_frames` that begin a closed group.
    pub(crate) fn pictures(
        pool: &ProcessPool,
        job: PictureJob,
        index: &FrameIndex,
        key_frames: Option<&KeyFrames>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, ProcessError> {
        // Frames before the wanted ones do not matter, except that the last of them must not be mistaken for a wanted one.
        let start = (job.first as usize).saturating_sub(1).min(index.len());
        let closed = key_frames.filter(|_| job.lanes > 1).into_iter().flat_map(KeyFrames::closed_nanos).collect();
        let times = encode_times(index, start, &closed);
        let job = PictureJob { first: job.first - start as u32, ..job };
        let (path, kind) = (job.path.to_path(), FrameKind::Pictures(job.size.0, job.size.1));
        Self::begin(pool, &path, kind, Job::Pictures(job), &times, is_wanted)
    }

    /// The sound of a job, in chunks.
    pub(crate) fn sound(pool: &ProcessPool, job: SoundJob, is_wanted: &dyn Fn() -> bool) -> Result<Self, ProcessError> {
        Self::begin(pool, &job.path.to_path(), FrameKind::Sound(job.format), Job::Sound(job), &[], is_wanted)
    }

    fn begin(
        pool: &ProcessPool,
        path: &Path,
        kind: FrameKind,
        job: Job,
        payload: &[u8],
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, ProcessError> {
        let running = Running::begin(|| pool.take(path), path, job, payload, is_wanted)?;
        Ok(Self { running, kind, next: 0, uncredited: 0 })
    }

    /// Whether the process said that it cannot do what the file asks for, and goes on without.
    pub(crate) fn has_warned(&self) -> bool {
        self.running.warnings > 0
    }

    /// The bytes of the next frame. Calls `on_beat` whenever the process shows that it is at work.
    ///
    /// # Errors
    /// [`ProcessError`]; after any but `Cancelled` there is no next frame.
    pub(crate) fn next(&mut self, is_wanted: &dyn Fn() -> bool, on_beat: &dyn Fn()) -> Result<Vec<u8>, ProcessError> {
        if self.running.is_job_over {
            return Err(Failure::Missing.into());
        }
        let (answer, bytes) = self.running.answer(self.kind.max_bytes(), FRAME_LIMIT, is_wanted, on_beat)?;
        match answer {
            Answer::Frame(number) if number != self.next => {
                return Err(self.running.end(ProcessError::Unsound("a frame out of turn")));
            }
            Answer::Frame(_) if !self.kind.fits(&bytes) => {
                return Err(self.running.end(ProcessError::Unsound("a frame of another format or size")));
            }
            Answer::Frame(_) => {}
            Answer::Finished => {
                self.running.is_job_over = true;
                return Err(Failure::Missing.into());
            }
            _ => return Err(self.running.end(ProcessError::Unsound("an answer to something else"))),
        }
        on_beat();
        self.next += 1;
        self.uncredited += 1;
        if self.uncredited >= CREDIT / 2 {
            let credit = std::mem::take(&mut self.uncredited);
            // When the process is gone, the next frame will tell.
            if self.running.send(&Request::Credit(credit)).is_err() {
                tracing::debug!("a worker process ended after a frame");
            }
        }
        Ok(bytes)
    }
}

impl FrameKind {
    fn max_bytes(self) -> usize {
        match self {
            Self::Pictures(..) => MAX_PICTURE_BYTES,
            Self::Sound(SoundFormat::Pcm) => CHUNK_BYTES,
            Self::Sound(SoundFormat::Opus) => MAX_OPUS_SOUND_BYTES,
        }
    }

    fn fits(self, bytes: &[u8]) -> bool {
        match self {
            Self::Pictures(width, height) => jpeg_head::sides(bytes) == Some((width, height)),
            Self::Sound(SoundFormat::Pcm) => bytes.len() == CHUNK_BYTES,
            Self::Sound(SoundFormat::Opus) => is_opus_chunk(bytes),
        }
    }
}

/// Why a file was not probed: a clause for people, without a full stop.
#[derive(Debug)]
pub(crate) struct ProbeFailure {
    pub(crate) reason: String,
    /// Whether it is the file's fault, so that trying again leads to the same.
    pub(crate) is_final: bool,
}

impl From<ProcessError> for ProbeFailure {
    fn from(error: ProcessError) -> Self {
        let is_final = !matches!(error, ProcessError::Cancelled | ProcessError::NotStarted(_));
        Self { reason: error.to_string(), is_final }
    }
}

/// Probes files, one after the other in one process, and in a new one after each that ended it.
pub(crate) struct Prober<'a> {
    pool: &'a ProcessPool,
    files: Vec<PathBuf>,
    lease: Option<Lease>,
}

impl<'a> Prober<'a> {
    /// May probe these files.
    pub(crate) fn new(pool: &'a ProcessPool, files: Vec<PathBuf>) -> Self {
        Self { pool, files, lease: None }
    }

    /// What a file contains. Blocks until it has been read.
    ///
    /// # Errors
    /// Why it cannot be played.
    pub(crate) fn probe(&mut self, file: &Path, is_wanted: &dyn Fn() -> bool) -> Result<Probed, ProbeFailure> {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let job = Job::Probe { path: PathBytes::from(path.as_path()) };
        let (kept, pool, files) = (&mut self.lease, self.pool, &self.files);
        let take = || kept.take().map_or_else(|| pool.take_new(files, None), Ok);
        let mut running = Running::begin(take, file, job, &[], is_wanted)?;
        let answer = running.answer(MAX_PROBED_BYTES, PROBE_LIMIT, is_wanted, &|| ());
        let (head, times) = match answer {
            Ok((Answer::Probed(head), times)) => (head, times),
            Ok(_) => return Err(running.end(ProcessError::Unsound("an answer to something else")).into()),
            Err(error) => {
                if running.is_job_over {
                    self.lease = running.lease.take();
                }
                return Err(error.into());
            }
        };
        let Some(probed) = head.join(&times) else {
            return Err(running.end(ProcessError::Unsound("times or sizes that no file can have")).into());
        };
        self.lease = running.lease.take();
        Ok(probed)
    }
}

/// Writes a file in other sizes into `folder`, and blocks until it is done. `progress` receives the number of frames
/// written so far.
///
/// # Errors
/// [`ProcessError`]; what was written is then incomplete.
pub(crate) fn transcode(
    pool: &ProcessPool,
    job: TranscodeJob,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), ProcessError> {
    let path = job.path.to_path();
    let take = || pool.take_new(std::slice::from_ref(&path), Some(folder));
    let mut running = Running::begin(take, &path, Job::Transcode(job), &[], is_wanted)?;
    loop {
        match running.answer(0, FRAME_LIMIT, is_wanted, &|| ())? {
            (Answer::Progress(frames), _) => progress(frames),
            (Answer::Finished, _) => return Ok(()),
            _ => return Err(running.end(ProcessError::Unsound("an answer to something else"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_shortage_that_passes_is_waited_for_and_a_missing_file_is_not() {
        crate::video::gst::elements::init().unwrap();
        let (pool, path) = (ProcessPool::in_this_process(), Path::new("/no such file"));
        let shortages = Cell::new(2);
        let take = || {
            if shortages.get() == 0 {
                return pool.take_new(&[], None);
            }
            shortages.set(shortages.get() - 1);
            Err(io::Error::from_raw_os_error(24))
        };
        let job = || Job::Probe { path: path.into() };
        let mut running = Running::begin(take, path, job(), &[], &|| true).unwrap();
        let answer = running.answer(MAX_PROBED_BYTES, PROBE_LIMIT, &|| true, &|| ());
        assert!(matches!(answer, Err(ProcessError::Failed(Failure::Cause(_)))), "{answer:?}");
        let missing = Running::begin(|| pool.take(path), path, job(), &[], &|| true);
        assert!(matches!(missing, Err(ProcessError::NotStarted(_))));
    }

    #[test]
    fn nobody_waits_for_what_is_not_wanted() {
        let short = || Err(io::Error::from_raw_os_error(24));
        let path = Path::new("/no such file");
        let begun = Running::begin(short, path, Job::Probe { path: path.into() }, &[], &|| false);
        assert!(matches!(begun, Err(ProcessError::Cancelled)));
    }
}
