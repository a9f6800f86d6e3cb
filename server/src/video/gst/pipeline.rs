//! What every pipeline here shares: elements by name, a pipeline that is put away when dropped, words for errors, and
//! the time at which a frame is shown.

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

/// How long nothing at all may come out of a file before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a waiting thread looks whether it is still wanted.
pub(crate) const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Why a pipeline could not be built or did not go on, in words for a person.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PipelineError(pub String);

impl From<gst::glib::BoolError> for PipelineError {
    fn from(error: gst::glib::BoolError) -> Self {
        Self(error.message.to_string())
    }
}

/// Why nothing further comes out of a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The file ended, or went past the frame.
    #[error("it is missing")]
    Missing,
    /// The pipeline said so.
    #[error(transparent)]
    PipelineError(#[from] PipelineError),
    /// Nobody wants it any more.
    #[error("it is not wanted any more")]
    Cancelled,
    /// Nothing came for too long.
    #[error("nothing came out of it for {} s", PATIENCE.as_secs())]
    Hung,
}

/// Makes an element.
pub(crate) fn element(name: &str) -> Result<gst::Element, PipelineError> {
    Ok(gst::ElementFactory::make(name).build()?)
}

/// Adds what reads a file and takes it apart into its tracks, and returns the part where these come out.
pub(crate) fn add_source(pipeline: &gst::Pipeline, path: &Path) -> Result<gst::Element, PipelineError> {
    let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
    let parse = element("parsebin")?;
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)?;
    Ok(parse)
}

/// Counts signs of life; whoever waits for a pipeline compares two readings.
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

/// Notices when a heartbeat has stood still for too long.
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

    /// The same with another limit.
    pub(crate) fn is_silent_for(&mut self, heartbeat: &Heartbeat, limit: Duration) -> bool {
        if self.last != heartbeat.count() {
            *self = Self::new(heartbeat);
        }
        self.since.elapsed() >= limit
    }
}

/// A pipeline that is put away when dropped.
pub(crate) struct Pipeline {
    pub(crate) bin: gst::Pipeline,
    pub(crate) bus: gst::Bus,
    /// A hung pipeline may also hang when it is put away, so somebody else waits for it.
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

    /// Waits a little for a change of state that is under way, and says whether it still is.
    pub(crate) fn is_changing(&self) -> bool {
        let timeout = gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64);
        matches!(self.bin.state(timeout).0, Ok(gst::StateChangeSuccess::Async))
    }

    /// The first error that the pipeline reported and nobody has read.
    pub(crate) fn error(&self) -> Option<PipelineError> {
        self.wait_for_error(gst::ClockTime::ZERO)
    }

    /// The same, after waiting for it.
    pub(crate) fn wait_for_error(&self, at_most: gst::ClockTime) -> Option<PipelineError> {
        let message = self.bus.timed_pop_filtered(at_most, &[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(PipelineError(error_text(&error.error()))),
            _ => None,
        }
    }

    /// Whether no thread of the pipeline works or waits to go on.
    pub(crate) fn is_asleep(&self) -> bool {
        let elements = self.bin.iterate_recurse().into_iter().flatten();
        let mut pads = elements.flat_map(|element| element.pads());
        !pads.any(|pad| pad.task_state() == gst::TaskState::Started)
    }

    /// Whether it is worth waiting on: somebody wants what comes, there was no error, and the heartbeat beats.
    pub(crate) fn check(
        &mut self,
        heartbeat: &Heartbeat,
        watchdog: &mut Watchdog,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        if !is_wanted() {
            return Err(DecodeError::Cancelled);
        }
        if let Some(trouble) = self.error() {
            return Err(trouble.into());
        }
        if watchdog.is_hung(heartbeat) {
            self.abandon();
            return Err(DecodeError::Hung);
        }
        Ok(())
    }

    pub(crate) fn abandon(&mut self) {
        self.is_hung = true;
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let pipeline = self.bin.clone();
        let put_away = move || {
            if pipeline.set_state(gst::State::Null).is_err() {
                tracing::debug!("a pipeline did not stop cleanly");
            }
        };
        if self.is_hung {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "without a thread the pipeline is leaked, the lesser evil"
            )]
            let _ = thread::Builder::new().name("video-abandoned".into()).spawn(put_away);
        } else {
            put_away();
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("is_hung", &self.is_hung).finish_non_exhaustive()
    }
}

/// An error as half a sentence.
pub(crate) fn error_text(error: &gst::glib::Error) -> String {
    error.message().trim_end_matches('.').to_owned()
}

/// When a buffer that passes `pad` is shown, from and to, in nanoseconds of the stream: what a decoder makes of it,
/// edit lists included. `None` when it is not shown, or has no time stamp.
pub(crate) fn shown(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<(u64, u64)> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    let start = buffer.pts()?;
    let stop = buffer.duration().and_then(|duration| start.checked_add(duration));
    let (start, stop) = segment.clip(start, stop)?;
    let start = segment.to_stream_time(start?)?;
    let stop = stop.and_then(|stop| segment.to_stream_time(stop)).unwrap_or(start);
    Some((start.nseconds(), stop.nseconds()))
}
