//! Small files for tests.

use std::path::Path;

use gstreamer::{self as gst, prelude::*};

/// Writes a clip of a moving pattern, 96x64 at 60 frames/s, by the encoder and multiplexer that `encoder_and_mux` names in
/// the notation of `gst-launch-1.0`.
pub(crate) fn write_test_clip(path: &Path, frames: u32, encoder_and_mux: &str) {
    let description = format!(
        "videotestsrc num-buffers={frames} pattern=pinwheel ! video/x-raw,format=I420,width=96,height=64,framerate=60/1 \
         ! {encoder_and_mux} ! filesink location={path:?}"
    );
    let pipeline = gst::parse::launch(&description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let end =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos, "{description}");
    pipeline.set_state(gst::State::Null).unwrap();
}
