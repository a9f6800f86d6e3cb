//! Keeping the video where the party has it.

use std::time::Instant;

use common::party::{Party, PartyAct};

use super::{State, steering::Correction};
use crate::{
    event::{PlaybackStatus, Speed},
    state::{
        action::Moment,
        effect::Effect,
        player::{Showing, Stage},
    },
};

/// A paused video that is further off than this shows another picture than those of the others.
const SETTLED_NANOS: u64 = 60_000_000;

/// A video that is open already and no further off goes on when it joins, and it is corrected.
const JOINED_NANOS: u64 = 300_000_000;

impl State {
    /// Begins to follow a party: opens its video, or goes to its place in the one that is open.
    pub(super) fn take_up(&mut self, party: &Party, now: Moment) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.cue().into_iter().collect();
        let lead = self.together.steering.lead();
        let target_nanos = self.party_position(now.instant + lead).unwrap_or(party.schedule.position_nanos);
        let is_open = |showing: &&Showing| showing.video.id == party.video && showing.is_running();
        if let Some(showing) = self.player.showing.as_ref().filter(is_open) {
            let (is_paused, can_seek) = (showing.is_paused, showing.can_seek());
            let position_nanos = self.position_nanos(now.instant).unwrap_or(showing.position_nanos);
            let party_nanos = self.party_position(now.instant).unwrap_or(position_nanos);
            // One that is still opening is corrected when it plays.
            if can_seek && position_nanos.abs_diff(party_nanos) > JOINED_NANOS {
                self.together.steering.moved(now.instant);
                effects.extend(self.player.seek_to(target_nanos, now.instant));
            }
            if is_paused == party.schedule.is_playing {
                effects.extend(self.player.toggle_pause());
            }
            return effects;
        }
        let Some(video) = self.library.videos.iter().find(|video| video.id == party.video).cloned() else {
            effects.extend(self.leave_party());
            return effects;
        };
        self.show_player();
        self.together.steering.moved(now.instant);
        effects.extend(self.player.watch_at(video, target_nanos, !party.schedule.is_playing, now.instant));
        effects
    }

    /// Follows what a member has done.
    pub(super) fn follow_act(&mut self, party: &Party, now: Moment) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.cue().into_iter().collect();
        self.together.settled_revision = None;
        let Some(showing) = self.player.showing.as_ref().filter(|showing| showing.video.id == party.video) else {
            return effects;
        };
        let (is_paused, can_seek) = (showing.is_paused, showing.can_seek());
        if self.together.clock.wants_more(now.instant) {
            effects.extend(self.probe_clock(now.instant));
        }
        match party.act {
            // One that is still opening is corrected when it plays.
            _ if !can_seek => {}
            Some(PartyAct::Seek { position_nanos }) => {
                self.together.steering.moved(now.instant);
                self.together.settled_revision = Some(party.revision);
                effects.extend(self.player.seek_to(position_nanos, now.instant));
            }
            _ if party.schedule.is_playing && is_paused => effects.extend(self.player.toggle_pause()),
            _ => {}
        }
        effects
    }

    /// Takes in where the player is, and corrects it.
    pub(in crate::state) fn follow_party(&mut self, status: &PlaybackStatus, now: Moment) -> Vec<Effect> {
        self.together.reading = status.clock;
        let Some(party) = self.together.joined else { return Vec::new() };
        let is_current = |showing: &&Showing| {
            showing.video.id == party.video && showing.stream == status.stream && showing.epoch == status.epoch
        };
        let Some(showing) = self.player.showing.as_ref().filter(is_current) else { return Vec::new() };
        let is_here = showing.stage == Stage::Playing && !showing.is_seeking(now.instant);
        let Some(server_nanos) = self.together.clock.nanos_at(now.instant).filter(|_| is_here) else {
            return Vec::new();
        };
        let is_due = server_nanos >= party.schedule.at_nanos;
        let (is_paused, duration_nanos) = (showing.is_paused, showing.duration_nanos);
        if !party.schedule.is_playing {
            return if is_paused && is_due { self.settle(&party, now) } else { Vec::new() };
        }
        if is_paused {
            return self.player.toggle_pause();
        }
        let error = status.clock.filter(|_| is_due).and_then(|(position, at)| {
            let party_nanos = self.party_position(at).filter(|nanos| *nanos < duration_nanos)?;
            Some((i64::try_from(position.as_nanos()).ok()?).saturating_sub_unsigned(party_nanos))
        });
        let Some(error_nanos) = error else {
            return if self.together.steering.rest() { vec![Effect::Speed(Speed::NORMAL)] } else { Vec::new() };
        };
        match self.together.steering.decide(error_nanos, now.instant) {
            None => Vec::new(),
            Some(Correction::Speed(speed)) => vec![Effect::Speed(speed)],
            Some(Correction::Jump(lead)) => {
                let target_nanos = self.party_position(now.instant + lead).unwrap_or(0);
                self.player.seek_to(target_nanos, now.instant)
            }
        }
    }

    /// Puts a paused video to the picture that the others see.
    fn settle(&mut self, party: &Party, now: Moment) -> Vec<Effect> {
        if self.together.settled_revision.replace(party.revision) == Some(party.revision) {
            return Vec::new();
        }
        let Some(showing) = &self.player.showing else { return Vec::new() };
        let target_nanos = party.schedule.position_nanos.min(showing.duration_nanos);
        if showing.position_nanos.abs_diff(target_nanos) <= SETTLED_NANOS {
            return Vec::new();
        }
        self.player.seek_to(target_nanos, now.instant)
    }

    /// Where the party is at this time; `None` while nothing is known of the server's clock.
    pub(super) fn party_position(&self, at: Instant) -> Option<u64> {
        let party = self.together.joined?;
        Some(party.schedule.position_at(self.together.clock.nanos_at(at)?))
    }

    /// How far the video is ahead of the party, in nanoseconds, if both play.
    pub fn party_error_nanos(&self) -> Option<i64> {
        let (position, at) = self.together.reading?;
        let party_nanos = self.party_position(at)?;
        let schedule = self.together.joined?.schedule;
        let is_due = self.together.clock.nanos_at(at)? >= schedule.at_nanos;
        let position_nanos = i64::try_from(position.as_nanos()).ok()?;
        (schedule.is_playing && is_due).then(|| position_nanos.saturating_sub_unsigned(party_nanos))
    }
}
