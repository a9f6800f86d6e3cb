//! What all pipelines share: elements by name, a pipeline that stops when it is dropped, error texts, the detection of
//! hung pipelines, and the time at which a buffer is shown.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

/// A pipeline that has produced nothing for this long counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a waiting thread checks whether its result is still wanted.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The same for waits inside GStreamer.
pub(crate) const POLL_TIMEOUT: gst::ClockTime = gst::ClockTime::from_mseconds(POLL_INTERVAL.as_millis() as u64);

/// Why a pipeline could not be built or failed: a clause for people, without a full stop.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PipelineError(pub(crate) String);

impl From<gst::glib::BoolError> for PipelineError {
    fn from(error: gst::glib::BoolError) -> Self {
        Self(error.message.to_string())
    }
}

/// Why a file yields no further frames.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The file ended before the frame, or has no such frame.
    #[error("the frame is missing")]
    Missing,
    /// The pipeline reported an error.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The frame is no longer wanted.
    #[error("it was cancelled")]
    Cancelled,
    /// The pipeline produced nothing for [`PATIENCE`].
    #[error("the decoder produced nothing for {} s", PATIENCE.as_secs())]
    Hung,
}

/// Creates an element with default properties.
pub(crate) fn element(name: &str) -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make(name).build()?)
}

/// Adds `filesrc ► parsebin` for a file, and returns the `parsebin`, on whose pads the tracks appear.
pub(crate) fn add_source(pipeline: &gst::Pipeline, path: &Path) -> Result<gst::Element, PipelineError> {
    let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
    let parse = element("parsebin")?;
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)?;
    Ok(parse)
}

/// Counts the buffers that pass a pipeline. Two equal readings mean that nothing passed in between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Tells when a heartbeat has not changed for too long.
#[derive(Debug)]
pub(crate) struct Watchdog {
    last: u64,
    since: Instant,
}

impl Watchdog {
    pub(crate) fn new(heartbeat: &Heartbeat) -> Self {
        Self { last: heartbeat.count(), since: Instant::now() }
    }

    pub(crate) fn is_hung(&mut self, heartbeat: &Heartbeat) -> bool {
        self.is_silent_for(heartbeat, PATIENCE)
    }

    /// Whether the heartbeat has not changed for `limit`.
    pub(crate) fn is_silent_for(&mut self, heartbeat: &Heartbeat, limit: Duration) -> bool {
        if self.last != heartbeat.count() {
            *self = Self::new(heartbeat);
        }
        self.since.elapsed() >= limit
    }
}

/// A pipeline that is stopped when it is dropped.
pub(crate) struct Pipeline {
    pub(crate) bin: gst::Pipeline,
    pub(crate) bus: gst::Bus,
    /// A hung pipeline may also hang while it is stopped, so a thread of its own waits for that.
    is_hung: bool,
}

impl Pipeline {
    pub(crate) fn new() -> Self {
        let bin = gst::Pipeline::new();
        let bus = bin.bus().expect("a new pipeline has a bus");
        Self { bin, bus, is_hung: false }
    }

    pub(crate) fn play(&self) -> Result<(), PipelineError> {
        match self.bin.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.error().unwrap_or_else(|| PipelineError("the pipeline does not start".into()))),
        }
    }

    /// Waits up to [`POLL_INTERVAL`] for a state change to complete. Returns whether it is still in progress.
    pub(crate) fn is_changing(&self) -> bool {
        matches!(self.bin.state(POLL_TIMEOUT).0, Ok(gst::StateChangeSuccess::Async))
    }

    /// The first error on the bus that has not been read.
    pub(crate) fn error(&self) -> Option<PipelineError> {
        self.wait_for_error(gst::ClockTime::ZERO)
    }

    /// Waits up to `timeout` for an error on the bus.
    pub(crate) fn wait_for_error(&self, timeout: gst::ClockTime) -> Option<PipelineError> {
        let message = self.bus.timed_pop_filtered(timeout, &[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(PipelineError(error_text(&error.error()))),
            _ => None,
        }
    }

    /// Whether no streaming thread of the pipeline runs.
    pub(crate) fn is_idle(&self) -> bool {
        let elements = self.bin.iterate_recurse().into_iter().flatten();
        let mut pads = elements.flat_map(|element| element.pads());
        !pads.any(|pad| pad.task_state() == gst::TaskState::Started)
    }

    /// Checks whether to keep waiting for a result.
    ///
    /// # Errors
    /// When the result is no longer wanted, the pipeline reported an error, or it hangs.
    pub(crate) fn check(
        &mut self,
        heartbeat: &Heartbeat,
        watchdog: &mut Watchdog,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        if !is_wanted() {
            return Err(DecodeError::Cancelled);
        }
        if let Some(error) = self.error() {
            return Err(error.into());
        }
        if watchdog.is_hung(heartbeat) {
            self.abandon();
            return Err(DecodeError::Hung);
        }
        Ok(())
    }

    /// Marks the pipeline as hung, so that dropping it does not wait for it.
    pub(crate) fn abandon(&mut self) {
        self.is_hung = true;
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let pipeline = self.bin.clone();
        let stop = move || {
            if pipeline.set_state(gst::State::Null).is_err() {
                tracing::debug!("a pipeline did not stop cleanly");
            }
        };
        if self.is_hung {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "without a thread the pipeline leaks, which is better than a thread that hangs"
            )]
            let _ = thread::Builder::new().name("video-abandoned".into()).spawn(stop);
        } else {
            stop();
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("is_hung", &self.is_hung).finish_non_exhaustive()
    }
}

/// The error message without its final full stop.
pub(crate) fn error_text(error: &gst::glib::Error) -> String {
    error.message().trim_end_matches('.').to_owned()
}

/// From when to when a buffer that passes `pad` is shown, in nanoseconds of stream time, edit lists included. `None` when
/// it is outside the segment, or has no time stamp.
pub(crate) fn display_time(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<(u64, u64)> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    let start = buffer.pts()?;
    let stop = buffer.duration().and_then(|duration| start.checked_add(duration));
    let (start, stop) = segment.clip(start, stop)?;
    let start = segment.to_stream_time(start?)?;
    let stop = stop.and_then(|stop| segment.to_stream_time(stop)).unwrap_or(start);
    Some((start.nseconds(), stop.nseconds()))
}
