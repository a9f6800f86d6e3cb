//! The pictures of a file, made by one decoder or by several [lanes](super::lanes), each with a decoder and a thread.

use std::{
    ops::Range,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use common::splice::FrameIndex;

use super::{
    fault::At,
    lanes::{Lanes, Next, Taken, pieces},
    line::Line,
    protocol::{Answer, PictureJob, decode_times},
};
use crate::video::gst::{
    picture_decoder::{DecodeRequest, JpegPicture, PictureDecoder},
    pipeline::{DecodeError, Heartbeat, POLL_INTERVAL, PipelineError},
};

/// Time limit for reading from the start when a seek fails. Without it, one damaged frame would have hours of video
/// decoded for nothing.
const READ_FROM_START_TIME: Duration = Duration::from_secs(20);

/// Makes the pictures of a job. `payload` holds the times of the frames, and where the file can be cut.
pub(super) fn run_pictures(job: &PictureJob, payload: &[u8], line: &Line<'_>) -> Result<(), DecodeError> {
    let path = job.path.to_path();
    let (times, cuts) = decode_times(payload);
    let index = FrameIndex::new(times, Some(job.end_nanos));
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
    let pieces = pieces(request.frames.clone(), cuts);
    let lanes = pieces.len().min(job.lanes as usize);
    let request = match job.lanes {
        // It was meant to be cut, and cannot be.
        2.. if lanes == 1 => {
            DecodeRequest { branches: request.branches * job.lanes as usize, has_one_thread: false, ..request }
        }
        _ => request,
    };
    if lanes > 1 {
        return SharedLanes::new(Lanes::new(pieces, lanes)).run(&request, lanes, line);
    }
    let mut decoder = OpenDecoder::open(request.clone(), &|| line.is_wanted())?;
    for frame in request.frames.clone() {
        begin_frame(&request, frame, line)?;
        let picture = decoder.next(frame, &|| line.is_wanted())?;
        let jpeg = picture.jpeg.map_readable().map_err(PipelineError::from)?;
        line.say(&Answer::Frame((frame - first) as u64), &jpeg);
    }
    Ok(())
}

/// Waits until a frame may be sent.
fn begin_frame(request: &DecodeRequest<'_>, frame: usize, line: &Line<'_>) -> Result<(), DecodeError> {
    if !line.wait_for_credit() {
        return Err(DecodeError::Cancelled);
    }
    let at = At::Frame((frame - request.frames.start) as u64);
    line.fail(request.path, at).map_or(Ok(()), |failure| Err(PipelineError(failure.to_string()).into()))
}

/// A decoder, and the first picture that it made.
struct OpenDecoder {
    decoder: PictureDecoder,
    first: Option<JpegPicture>,
    /// Whether it was opened as the request says, and did not have to read from the start.
    is_as_requested: bool,
}

impl OpenDecoder {
    /// Starts to decode, and decodes the first picture: by a seek to a key frame if there is one and the seek does not
    /// overshoot, otherwise by reading from the start without leaving anything out.
    fn open(mut request: DecodeRequest<'_>, is_wanted: &dyn Fn() -> bool) -> Result<Self, DecodeError> {
        let (mut deadline, mut failed) = (None, None);
        let first = request.frames.start;
        loop {
            let is_in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
            let is_worth_it = || is_wanted() && is_in_time();
            let begun = PictureDecoder::open(&request, Heartbeat::default(), &is_worth_it)
                .and_then(|mut decoder| decoder.next(first, &is_worth_it).map(|picture| (decoder, picture)));
            match begun {
                Ok((decoder, picture)) => {
                    return Ok(Self { decoder, first: Some(picture), is_as_requested: failed.is_none() });
                }
                Err(error @ (DecodeError::Missing | DecodeError::Pipeline(_)))
                    if request.seek_nanos.take().is_some() | request.skim_until_nanos.take().is_some() =>
                {
                    tracing::debug!("seeking in {:?} failed, reading it from the start: {error}", request.path);
                    request.has_one_thread = false;
                    (deadline, failed) = (Some(Instant::now() + READ_FROM_START_TIME), Some(error));
                }
                Err(DecodeError::Cancelled) if !is_in_time() => return Err(failed.unwrap_or(DecodeError::Cancelled)),
                Err(error) => return Err(error),
            }
        }
    }

    /// The picture of the next frame, which must be `frame`.
    fn next(&mut self, frame: usize, is_wanted: &dyn Fn() -> bool) -> Result<JpegPicture, DecodeError> {
        self.first.take().map_or_else(|| self.decoder.next(frame, is_wanted), Ok)
    }
}

/// Lanes that share a job. Their pictures are copied, because an encoder's buffers are as large as a raw picture.
struct SharedLanes {
    lanes: Mutex<Lanes<Vec<u8>, DecodeError>>,
    changed: Condvar,
    is_stopped: AtomicBool,
}

impl SharedLanes {
    fn new(lanes: Lanes<Vec<u8>, DecodeError>) -> Self {
        Self { lanes: Mutex::new(lanes), changed: Condvar::new(), is_stopped: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes<Vec<u8>, DecodeError>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes and sends the frames of a request.
    fn run(&self, request: &DecodeRequest<'_>, lanes: usize, line: &Line<'_>) -> Result<(), DecodeError> {
        thread::scope(|scope| {
            let _stop = StopOnDrop(self);
            for lane in 0..lanes {
                let work = move || {
                    // Without one of the lanes the pictures would be waited for in vain.
                    let _stop = StopOnPanic(self);
                    self.work(lane, request);
                };
                let started = thread::Builder::new().name("video-lane".into()).spawn_scoped(scope, work);
                started.map_err(|error| PipelineError(format!("no thread to decode it with: {error}")))?;
            }
            for frame in request.frames.clone() {
                begin_frame(request, frame, line)?;
                let jpeg = self.take(line)?;
                line.say(&Answer::Frame((frame - request.frames.start) as u64), &jpeg);
            }
            Ok(())
        })
    }

    /// The next picture. Blocks until it is there.
    fn take(&self, line: &Line<'_>) -> Result<Vec<u8>, DecodeError> {
        let mut lanes = self.lock();
        loop {
            let taken = lanes.take();
            // There is room for a further picture, or a further lane may work.
            self.changed.notify_all();
            match taken {
                Taken::Picture(picture) => return Ok(picture),
                Taken::Failed(error) => return Err(error),
                Taken::End => return Err(DecodeError::Missing),
                Taken::Wait => {}
            }
            let waited = self.changed.wait_timeout(lanes, POLL_INTERVAL);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
            if self.is_stopped.load(Relaxed) || !line.is_wanted() {
                return Err(DecodeError::Cancelled);
            }
        }
    }

    /// Does what one lane is told, until there is nothing left to do.
    fn work(&self, lane: usize, request: &DecodeRequest<'_>) {
        let is_wanted = || !self.is_stopped.load(Relaxed);
        let mut decoder = None;
        let mut lanes = self.lock();
        loop {
            let next = lanes.next(lane);
            if next == Next::Wait {
                lanes = self.changed.wait(lanes).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let end = lanes.end_of(lane);
            drop(lanes);
            let made = match next {
                Next::End => return,
                Next::Wait | Next::Close => {
                    decoder = None;
                    None
                }
                Next::Open(frame) => {
                    // The one before goes first, because it takes much memory.
                    decoder = None;
                    Some(self.open(frame..end, request, &is_wanted).and_then(|opened| {
                        let opened = decoder.insert(opened);
                        encoded(opened.next(frame, &is_wanted)?)
                    }))
                }
                Next::Make(frame) => {
                    let decoder = decoder.as_mut().ok_or(DecodeError::Missing);
                    Some(decoder.and_then(|opened: &mut OpenDecoder| {
                        opened.decoder.end_before(end);
                        encoded(opened.next(frame, &is_wanted)?)
                    }))
                }
            };
            lanes = self.lock();
            match made {
                Some(Ok(picture)) => lanes.put(lane, picture),
                Some(Err(error)) => lanes.fail(lane, error),
                None => {}
            }
            self.changed.notify_all();
        }
    }

    /// Opens a decoder at the first of these frames, with which a piece begins.
    fn open(
        &self,
        frames: Range<usize>,
        request: &DecodeRequest<'_>,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<OpenDecoder, DecodeError> {
        let (job_start, start) = (request.frames.start, frames.start);
        let mut request = DecodeRequest { frames, ..request.clone() };
        if start > job_start {
            request.seek_nanos = Some(request.index.pts_nanos(start));
            request.skim_until_nanos = None;
            request.has_one_thread = true;
        }
        let opened = OpenDecoder::open(request, is_wanted)?;
        if !opened.is_as_requested {
            self.lock().close_others();
        }
        Ok(opened)
    }
}

fn encoded(picture: JpegPicture) -> Result<Vec<u8>, DecodeError> {
    Ok(picture.jpeg.map_readable().map_err(PipelineError::from)?.to_vec())
}

/// Has the lanes end when the pictures are not taken any more.
struct StopOnDrop<'a>(&'a SharedLanes);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Relaxed);
        self.0.lock().stop();
        self.0.changed.notify_all();
    }
}

/// The same when a lane panics.
struct StopOnPanic<'a>(&'a SharedLanes);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            drop(StopOnDrop(self.0));
        }
    }
}
