//! Blocks a pad until every element of its pipeline is in the state PLAYING, then seeks and unblocks it.
//!
//! Nothing may flow before that. A full `appsink` (1.22) blocks while it holds a lock that its own transition to PLAYING
//! needs; code that waits for that transition before it pulls, and so makes room, deadlocks, about once in a few hundred
//! starts. And a seek works only after enough of the file has been read for its first frame to arrive.

use std::sync::mpsc;

use gstreamer::{self as gst, prelude::*};

use super::pipeline::{DecodeError, Heartbeat, POLL_INTERVAL, Pipeline, PipelineError, Watchdog};

/// Receives the pad that the probe of [`preroll`] blocked.
pub(crate) struct Preroll(mpsc::Receiver<BlockedPad>);

/// The pad, and what blocks it until the first seek.
#[derive(Debug)]
pub(crate) struct BlockedPad {
    pad: gst::Pad,
    probe: Option<gst::PadProbeId>,
}

/// Creates a preroll, and the function that installs its blocking probe on a pad.
pub(crate) fn preroll() -> (Preroll, impl Fn(&gst::Pad) + Send + Sync + 'static) {
    let (sender, blocked) = mpsc::sync_channel(1);
    let install = move |pad: &gst::Pad| {
        let sender = sender.clone();
        pad.add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(probe) = info.id.take() {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "the probe may be called again for the blocked pad; it then finds the channel full"
                )]
                let _ = sender.try_send(BlockedPad { pad: pad.clone(), probe: Some(probe) });
            }
            gst::PadProbeReturn::Ok
        });
    };
    (Preroll(blocked), install)
}

impl Preroll {
    /// Waits until the first frame has reached the blocked pad and the pipeline is PLAYING, seeks to `seek_nanos` if there
    /// is one, and unblocks the pad. `is_over` tells whether the pipeline has already output its end.
    ///
    /// # Errors
    /// `Missing` when the file ends before its first frame, `Pipeline` when it is not seekable, and those of
    /// [`Pipeline::check`].
    pub(crate) fn release(
        self,
        pipeline: &mut Pipeline,
        heartbeat: &Heartbeat,
        seek_nanos: Option<u64>,
        is_over: &dyn Fn() -> bool,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let mut blocked = self.wait(pipeline, heartbeat, is_over, is_wanted)?;
        let is_done = match seek_nanos {
            Some(nanos) => blocked.seek(nanos),
            None => {
                blocked.unblock();
                true
            }
        };
        if is_done { Ok(()) } else { Err(PipelineError("the file is not seekable".into()).into()) }
    }

    /// The same, but the pad stays blocked, and is returned with what blocks it: no frame passes before the first seek.
    ///
    /// # Errors
    /// Those of [`Self::release`].
    pub(crate) fn wait(
        self,
        pipeline: &mut Pipeline,
        heartbeat: &Heartbeat,
        is_over: &dyn Fn() -> bool,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<BlockedPad, DecodeError> {
        let mut watchdog = Watchdog::new(heartbeat);
        let blocked = loop {
            match self.0.recv_timeout(POLL_INTERVAL) {
                Ok(blocked) => break blocked,
                Err(_) if is_over() => return Err(DecodeError::Missing),
                Err(_) => pipeline.check(heartbeat, &mut watchdog, is_wanted)?,
            }
        };
        while pipeline.is_changing() {
            pipeline.check(heartbeat, &mut watchdog, is_wanted)?;
        }
        Ok(blocked)
    }
}

impl BlockedPad {
    /// Seeks. The first seek unblocks the pad. Returns whether the file can be searched.
    pub(crate) fn seek(&mut self, nanos: u64) -> bool {
        let is_done = self.pad.send_event(seek_to(nanos));
        self.unblock();
        is_done
    }

    fn unblock(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.pad.remove_probe(probe);
        }
    }
}

fn seek_to(nanos: u64) -> gst::Event {
    gst::event::Seek::new(
        1.0,
        gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
        gst::SeekType::Set,
        gst::ClockTime::from_nseconds(nanos),
        gst::SeekType::None,
        gst::ClockTime::NONE,
    )
}
