//! What the player says about itself: the statistics, and why it waits.

use std::time::{Duration, Instant};

use super::{
    PlayerState, Showing,
    statistics::{self, Line},
    wait::{LinkFigures, Wait, WaitCause, WaitReason},
};
use crate::{
    event::{Hold, NetCommand, PlaybackStatus},
    figures::Figures,
    state::effect::Effect,
};

impl Showing {
    /// Begins a wait, goes on with it, or ends it.
    pub(super) fn note_wait(&mut self, status: &PlaybackStatus, now: Instant) {
        let has_picture = status.position_nanos.is_some();
        if has_picture && status.hold != Some(Hold::Source) || status.is_finished {
            self.wait = None;
        } else if has_picture && self.wait.is_none() {
            self.wait = Some(Wait::new(WaitCause::Stall, status.epoch_bytes, now));
        } else if let Some(wait) = &mut self.wait {
            wait.received(status.epoch_bytes, now);
        }
    }
}

impl PlayerState {
    /// Takes the figures of the stream that plays.
    pub(in crate::state) fn take_figures(&mut self, figures: Figures, now: Instant) {
        self.meter.take(figures, now);
        self.rewrite_statistics();
    }

    /// Shows the statistics, or hides them.
    pub(in crate::state) fn toggle_statistics(&mut self) {
        if self.statistics.take().is_none() {
            self.statistics = Some(Vec::new());
            self.rewrite_statistics();
        }
    }

    /// Writes the statistics anew if they are shown.
    pub(super) fn rewrite_statistics(&mut self) {
        if let (Some(lines), Some(showing)) = (&mut self.statistics, &self.showing) {
            *lines = statistics::lines(showing, &self.meter, self.round_trip.latest(), self.party_error_nanos);
        }
    }

    /// The statistics of the video in the player; `None` while they are hidden, and where a card needs
    /// the room, at the end and after a failure.
    pub fn statistics(&self) -> Option<&[Line]> {
        self.statistics.as_deref().filter(|_| self.showing.is_some() && !self.has_ended() && !self.has_failed())
    }

    /// Whether the figures of the player are to be taken now.
    pub fn wants_figures(&self, now: Instant) -> bool {
        self.showing.is_some() && self.meter.is_due(now)
    }

    /// Whether the window shows something that changes without a new picture: the statistics, the reason of a wait, or what
    /// is said for a few seconds only.
    pub fn is_explaining(&self, now: Instant) -> bool {
        let is_waiting = |showing: &Showing| showing.is_running() && showing.wait.is_some();
        self.statistics().is_some()
            || self.showing.as_ref().is_some_and(is_waiting)
            || self.splice(now).is_some()
            || self.resumed_at(now).is_some()
    }

    /// When the round trip is to be measured next; `None` while nothing asks for it.
    pub(in crate::state) fn next_probe_at(&self) -> Option<Instant> {
        let showing = self.showing.as_ref().filter(|showing| showing.is_running())?;
        // A paused video costs nothing, unless the person looks at the figure.
        let is_wanted = !showing.is_paused || self.statistics().is_some();
        is_wanted.then(|| self.round_trip.next_probe_at(showing.opened_at))
    }

    /// Measures the round trip if that is due.
    pub(in crate::state) fn probe(&mut self, now: Instant) -> Vec<Effect> {
        if self.next_probe_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.round_trip.probed(now);
        vec![Effect::Net(NetCommand::Probe)]
    }

    /// The echo of a probe has come.
    pub(in crate::state) fn echoed(&mut self, round_trip: Duration, now: Instant) {
        self.round_trip.measured(round_trip, now);
    }

    /// Why the video waits; `None` if it does not, or has not done so for long.
    pub fn wait_reason(&self, now: Instant) -> Option<WaitReason> {
        let showing = self.showing.as_ref().filter(|showing| showing.is_running())?;
        let link = LinkFigures {
            arriving_bits_per_second: self.meter.rates().map(|rates| rates.received_bits_per_second),
            needed_bits_per_second: self.meter.needed_bits_per_second(),
            carried_bits_per_second: showing.link_bytes_per_second.map(|rate| rate as f64 * 8.0),
            round_trip: self.round_trip.latest(),
            echoed_at: self.round_trip.echoed_at(),
        };
        showing.wait.as_ref()?.reason(&link, now)
    }
}
