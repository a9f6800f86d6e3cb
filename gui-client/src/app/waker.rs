//! Making the window draw a frame when the network has something for it, but not for every envelope of others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::event::{Urgency, Wake};

/// Envelopes that are no messages for this client change the wire only. While it is not shown, the window looks for them
/// ten times a second, however many come.
const ENVELOPE_INTERVAL: Duration = Duration::from_millis(100);

/// Whether the window shows the wire.
#[derive(Debug, Clone, Default)]
pub(super) struct WireShown(Arc<AtomicBool>);

impl WireShown {
    pub(super) fn set(&self, is_shown: bool) {
        self.0.store(is_shown, Ordering::Relaxed);
    }
}

/// What the network calls after each event.
pub(super) fn waker(ctx: egui::Context, wire: WireShown) -> Wake {
    Arc::new(move |urgency| {
        if urgency == Urgency::Now || wire.0.load(Ordering::Relaxed) {
            ctx.request_repaint();
        } else {
            ctx.request_repaint_after(ENVELOPE_INTERVAL);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn envelopes_of_others_are_looked_for_ten_times_a_second_unless_the_wire_is_shown() {
        let ctx = egui::Context::default();
        // Fonts and sizes settle in the first frames, which ask for another by themselves.
        for _ in 0..4 {
            ctx.run_ui(egui::RawInput::default(), |_| {}).textures_delta.clear();
        }
        let delays = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&delays);
        ctx.set_request_repaint_callback(move |info| noted.lock().unwrap().push(info.delay));
        let shown = WireShown::default();
        let wake = waker(ctx, shown.clone());
        (0..1000).for_each(|_| wake(Urgency::Soon));
        // egui subtracts the time of a frame.
        assert!(delays.lock().unwrap().iter().all(|delay| *delay >= ENVELOPE_INTERVAL * 4 / 5), "{delays:?}");
        assert_eq!(delays.lock().unwrap().len(), 1, "the window is asked once");
        shown.set(true);
        wake(Urgency::Soon);
        assert_eq!(delays.lock().unwrap().last(), Some(&Duration::ZERO));
        shown.set(false);
        wake(Urgency::Now);
        assert_eq!(delays.lock().unwrap().last(), Some(&Duration::ZERO));
    }
}
