//! A gate in a pipeline that opens when every element plays and the file was searched for the place to begin.
//!
//! Nothing may flow before: a full `appsink` (1.22) waits with a lock in its hand that its own change to playing needs,
//! and whoever asked for that change would have to pull what makes room. And a file can only be searched when so much of
//! it was read that its first frame arrives.

use std::sync::mpsc;

use gstreamer::{self as gst, prelude::*};

use super::pipeline::{DecodeError, Heartbeat, LOOK_AROUND, Pipeline, PipelineError, Watchdog};

/// The other end of what [`preroll`] puts on a pad.
pub(crate) struct Preroll(mpsc::Receiver<Held>);

struct Held {
    pad: gst::Pad,
    probe: gst::PadProbeId,
}

/// A gate, and what puts it on a pad.
pub(crate) fn preroll() -> (Preroll, impl Fn(&gst::Pad) + Send + Sync + 'static) {
    let (sender, held) = mpsc::sync_channel(1);
    let install = move |pad: &gst::Pad| {
        let sender = sender.clone();
        pad.add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(probe) = info.id.take() {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "a second buffer at the held pad finds the channel full"
                )]
                let _ = sender.try_send(Held { pad: pad.clone(), probe });
            }
            gst::PadProbeReturn::Ok
        });
    };
    (Preroll(held), install)
}

impl Preroll {
    /// Waits until the first frame stands at the gate and everything plays, sends the file to the place to begin, and
    /// opens. `is_over` says whether the end has come out already.
    pub(crate) fn release(
        self,
        pipeline: &mut Pipeline,
        heartbeat: &Heartbeat,
        seek_nanos: Option<u64>,
        is_over: &dyn Fn() -> bool,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let mut watchdog = Watchdog::new(heartbeat);
        let held = loop {
            match self.0.recv_timeout(LOOK_AROUND) {
                Ok(held) => break held,
                Err(_) if is_over() => return Err(DecodeError::Missing),
                Err(_) => pipeline.check(heartbeat, &mut watchdog, is_wanted)?,
            }
        };
        while pipeline.is_changing() {
            pipeline.check(heartbeat, &mut watchdog, is_wanted)?;
        }
        let is_done = seek_nanos.is_none_or(|nanos| held.pad.send_event(seek_to(nanos)));
        held.pad.remove_probe(held.probe);
        if is_done { Ok(()) } else { Err(PipelineError("it cannot be searched".into()).into()) }
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
