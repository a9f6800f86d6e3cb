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
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often a waiting thread looks whether it is still wanted.
pub(super) const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Why a pipeline could not be built or did not go on, in words for a person.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Trouble(pub String);

impl From<gst::glib::BoolError> for Trouble {
    fn from(error: gst::glib::BoolError) -> Self {
        Self(error.message.to_string())
    }
}

/// Why nothing further comes out of a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// The file ended, or went past the frame.
    #[error("it is missing")]
    Missing,
    /// The pipeline said so.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// Nobody wants it any more.
    #[error("it is not wanted any more")]
    Cancelled,
    /// Nothing came for too long.
    #[error("nothing came out of it for {} s", PATIENCE.as_secs())]
    Hung,
}

/// Makes an element.
pub(super) fn element(name: &str) -> Result<gst::Element, Trouble> {
    Ok(gst::ElementFactory::make(name).build()?)
}

/// Adds what reads a file and takes it apart into its tracks, and returns the part where these come out.
pub(super) fn add_source(pipeline: &gst::Pipeline, path: &Path) -> Result<gst::Element, Trouble> {
    let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
    let parse = element("parsebin")?;
    pipeline.add_many([&source, &parse])?;
    source.link(&parse)?;
    Ok(parse)
}

/// Links the track that is the one to the decoder as soon as it is known. `prepare` sees its pad before anything passes.
pub(super) fn link_track(
    parse: &gst::Element,
    decoder: &gst::Element,
    is_the_one: impl Fn(&gst::Pad) -> bool + Send + Sync + 'static,
    prepare: impl Fn(&gst::Pad) + Send + Sync + 'static,
) {
    let decoder = decoder.downgrade();
    parse.connect_pad_added(move |parse, pad| {
        let Some(sink) = decoder.upgrade().and_then(|decoder| decoder.static_pad("sink")) else { return };
        if sink.is_linked() || !is_the_one(pad) {
            return;
        }
        prepare(pad);
        if let Err(error) = pad.link(&sink) {
            gst::element_error!(parse, gst::CoreError::Negotiation, ("the decoder does not take this track: {error}"));
        }
    });
}

/// Counts signs of life; whoever waits for a pipeline compares two readings.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    pub(super) fn beat(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Notices when a pulse has stood still for too long.
#[derive(Debug)]
pub(super) struct Watchdog {
    last: u64,
    since: Instant,
}

impl Watchdog {
    pub(super) fn new(pulse: &Pulse) -> Self {
        Self { last: pulse.count(), since: Instant::now() }
    }

    pub(super) fn is_hung(&mut self, pulse: &Pulse) -> bool {
        self.is_silent_for(pulse, PATIENCE)
    }

    /// The same with another limit.
    pub(super) fn is_silent_for(&mut self, pulse: &Pulse, limit: Duration) -> bool {
        if self.last != pulse.count() {
            *self = Self::new(pulse);
        }
        self.since.elapsed() >= limit
    }
}

/// A pipeline that is put away when dropped.
pub(super) struct Stage {
    pub(super) pipeline: gst::Pipeline,
    pub(super) bus: gst::Bus,
    /// A hung pipeline may also hang when it is put away, so somebody else waits for it.
    is_hung: bool,
}

impl Stage {
    pub(super) fn new() -> Self {
        let pipeline = gst::Pipeline::new();
        let bus = pipeline.bus().expect("a new pipeline has a bus");
        Self { pipeline, bus, is_hung: false }
    }

    pub(super) fn play(&self) -> Result<(), Trouble> {
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.error().unwrap_or_else(|| Trouble("the pipeline does not start".into()))),
        }
    }

    /// Waits a little for a change of state that is under way, and says whether it still is.
    pub(super) fn is_changing(&self) -> bool {
        let timeout = gst::ClockTime::from_mseconds(LOOK_AROUND.as_millis() as u64);
        matches!(self.pipeline.state(timeout).0, Ok(gst::StateChangeSuccess::Async))
    }

    /// The first error that the pipeline reported and nobody has read.
    pub(super) fn error(&self) -> Option<Trouble> {
        self.wait_for_error(gst::ClockTime::ZERO)
    }

    /// The same, after waiting for it.
    pub(super) fn wait_for_error(&self, at_most: gst::ClockTime) -> Option<Trouble> {
        let message = self.bus.timed_pop_filtered(at_most, &[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(Trouble(words(&error.error()))),
            _ => None,
        }
    }

    /// Whether no thread of the pipeline works or waits to go on.
    pub(super) fn is_asleep(&self) -> bool {
        let elements = self.pipeline.iterate_recurse().into_iter().flatten();
        let mut pads = elements.flat_map(|element| element.pads());
        !pads.any(|pad| pad.task_state() == gst::TaskState::Started)
    }

    /// Whether it is worth waiting on: somebody wants what comes, there was no error, and the pulse beats.
    pub(super) fn check(
        &mut self,
        pulse: &Pulse,
        watchdog: &mut Watchdog,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), Stop> {
        if !is_wanted() {
            return Err(Stop::Cancelled);
        }
        if let Some(trouble) = self.error() {
            return Err(trouble.into());
        }
        if watchdog.is_hung(pulse) {
            self.abandon();
            return Err(Stop::Hung);
        }
        Ok(())
    }

    pub(super) fn abandon(&mut self) {
        self.is_hung = true;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let pipeline = self.pipeline.clone();
        let put_away = move || {
            if pipeline.set_state(gst::State::Null).is_err() {
                tracing::debug!("a pipeline did not stop cleanly");
            }
        };
        if self.is_hung {
            // Without a thread to spare the pipeline is leaked, which is the lesser evil.
            let _ = thread::Builder::new().name("video-abandoned".into()).spawn(put_away);
        } else {
            put_away();
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("is_hung", &self.is_hung).finish_non_exhaustive()
    }
}

/// An error as half a sentence.
pub(super) fn words(error: &gst::glib::Error) -> String {
    error.message().trim_end_matches('.').to_owned()
}

/// When a buffer that passes `pad` is shown, from and to, in nanoseconds of the stream: what a decoder makes of it,
/// edit lists included. `None` when it is not shown, or has no time stamp.
pub(super) fn shown(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<(u64, u64)> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    let start = buffer.pts()?;
    let stop = buffer.duration().and_then(|duration| start.checked_add(duration));
    let (start, stop) = segment.clip(start, stop)?;
    let start = segment.to_stream_time(start?)?;
    let stop = stop.and_then(|stop| segment.to_stream_time(stop)).unwrap_or(start);
    Some((start.nseconds(), stop.nseconds()))
}

/// What a track of `parsebin` carries. Some parsers settle the details only with the first frame.
pub(super) fn track_caps(pad: &gst::Pad) -> Option<gst::Caps> {
    pad.current_caps().or_else(|| Some(pad.query_caps(None))).filter(|caps| !caps.is_any() && !caps.is_empty())
}

/// Whether the caps are those of a video, coded or not. Motion JPEG calls itself an image.
pub(super) fn is_video(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|first| first.name().starts_with("video/") || first.name().starts_with("image/"))
}
