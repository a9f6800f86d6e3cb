//! Watching together: the party that this client is in, and how its video is kept where the others have it.
//!
//! ```text
//! Start, Join ──> asked ──Party──> joined ──Leave, another video──> alone
//!                              ▲      │ connection lost
//!                              └── asked again, when it is back
//! ```
//! The server says where the video is at which time of its clock. Whenever playback starts, the player starts on that cue;
//! while it plays, [`steering`] corrects what remains. No one waits for anyone.

mod acts;
mod clock;
mod follow;
pub mod listing;
pub mod news;
mod steering;

use std::time::{Duration, Instant};

use common::{
    crypto::KeyId,
    media::VideoId,
    party::{Party, PartyId, PartyRequest},
};

use self::{
    acts::Acting,
    clock::ServerClock,
    news::{Dated, News},
    steering::Steering,
};
use super::{
    State,
    action::{Moment, PartyAction},
    effect::Effect,
};
use crate::event::{NetCommand, RoundTrip, Speed};

/// Time between two probes until enough is known of the server's clock.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// Watching together.
#[derive(Debug, Clone, Default)]
pub struct Together {
    clock: ServerClock,
    probed_at: Option<Instant>,
    /// The party, as the server described it last.
    joined: Option<Party>,
    /// The party that was asked for; `None` in it for one that is to be started.
    asked: Option<(VideoId, Option<PartyId>)>,
    /// Parties that the person does not want to be invited to.
    declined: Vec<PartyId>,
    steering: Steering,
    acting: Acting,
    /// Where the player was when.
    reading: Option<(Duration, Instant)>,
    /// The revision for which the paused video was put to its place.
    settled_revision: Option<u64>,
    news: Option<Dated>,
}

impl Together {
    /// The party that this client is in.
    pub fn party(&self) -> Option<&Party> {
        self.joined.as_ref()
    }

    /// Whether the person has asked for a party and there is no answer yet.
    pub fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The party that is to be joined again when the connection is back; else everything is forgotten.
    fn interrupt(&mut self) {
        let again = self.joined.map(|party| (party.video, Some(party.id)));
        let asked = self.asked.filter(|(_, party)| party.is_some());
        *self = Self { asked: again.or(asked), ..Self::default() };
    }
}

impl State {
    /// Does what the person wants to do about parties.
    pub(super) fn handle_party(&mut self, action: PartyAction, now: Moment) -> Vec<Effect> {
        if !self.connection.is_online() {
            return Vec::new();
        }
        match action {
            PartyAction::Start => {
                let Some(showing) = self.player.showing.as_ref().filter(|showing| showing.is_running()) else {
                    return Vec::new();
                };
                let (video, is_playing) = (showing.video.id, !showing.is_paused);
                let position_nanos = self.position_nanos(now.instant).unwrap_or(showing.position_nanos);
                self.together.asked = Some((video, None));
                self.ask(PartyRequest::Start { video, position_nanos, is_playing }, now.instant)
            }
            PartyAction::Join(party) => {
                let Some(video) = self.people.party(party).map(|listed| listed.video) else { return Vec::new() };
                self.together.asked = Some((video, Some(party)));
                self.ask(PartyRequest::Join(party), now.instant)
            }
            PartyAction::Leave => self.leave_party(),
            PartyAction::Decline(party) => {
                self.together.declined.push(party);
                Vec::new()
            }
        }
    }

    /// Asks for a party, and first for the time of the server's clock, so that the answer can be understood.
    fn ask(&mut self, request: PartyRequest, now: Instant) -> Vec<Effect> {
        let mut effects = self.probe_clock(now);
        effects.push(Effect::Net(NetCommand::Party(request)));
        effects
    }

    /// Leaves the party. The video goes on.
    pub(super) fn leave_party(&mut self) -> Vec<Effect> {
        let left = self.together.joined.take();
        if left.is_none() && self.together.asked.take().is_none() {
            return Vec::new();
        }
        // Who has just left is not to be invited again.
        self.together.declined.extend(left.map(|party| party.id));
        let mut effects = self.go_on_alone();
        effects.push(Effect::Net(NetCommand::Party(PartyRequest::Leave)));
        effects
    }

    fn go_on_alone(&mut self) -> Vec<Effect> {
        let mut declined = std::mem::take(&mut self.together.declined);
        declined.retain(|party| self.people.party(*party).is_some());
        self.together = Together { declined, ..Together::default() };
        vec![Effect::Cue(None), Effect::Speed(self.player.speed)]
    }

    /// The connection is gone. If it is to come back, so is this client to the party.
    pub(super) fn interrupt_party(&mut self) -> Vec<Effect> {
        let was_joined = self.together.joined.is_some();
        self.together.interrupt();
        if !self.connection.is_wanted {
            self.together.asked = None;
        }
        if was_joined { vec![Effect::Cue(None)] } else { Vec::new() }
    }

    /// The connection is back: joins the party again whose video is still in the player.
    pub(super) fn rejoin_party(&mut self, now: Moment) -> Vec<Effect> {
        let shown = self.player.showing.as_ref().map(|showing| showing.video.id);
        match self.together.asked {
            Some((video, Some(party))) if shown == Some(video) => self.ask(PartyRequest::Join(party), now.instant),
            _ => self.go_on_alone_if_asked(),
        }
    }

    fn go_on_alone_if_asked(&mut self) -> Vec<Effect> {
        if self.together.asked.take().is_some() { self.go_on_alone() } else { Vec::new() }
    }

    /// The party that was to be joined is over.
    pub(super) fn party_over(&mut self, party: PartyId, now: Moment) -> Vec<Effect> {
        if self.together.asked.is_none_or(|(_, asked)| asked != Some(party)) {
            return Vec::new();
        }
        if self.together.joined.is_some() {
            // It is still in the one before.
            self.together.asked = None;
            return Vec::new();
        }
        let effects = self.go_on_alone();
        self.together.news = Some(News::Over.at(now.instant));
        effects
    }

    /// The server has described the party of this client.
    pub(super) fn party_changed(&mut self, party: Party, now: Moment) -> Vec<Effect> {
        match self.together.joined {
            Some(before) if before.id == party.id => {
                if party.revision <= before.revision {
                    return Vec::new();
                }
                self.together.joined = Some(party);
                let effects = self.acted(now);
                self.note_act(&party, now);
                [effects, self.follow_act(&party, now)].concat()
            }
            _ => {
                let is_asked = |(video, id): (VideoId, Option<PartyId>)| match id {
                    Some(id) => id == party.id,
                    None => video == party.video && Some(party.by) == self.people.me(),
                };
                // A party that no one asked for, or any more.
                if !self.together.asked.is_some_and(is_asked) {
                    return Vec::new();
                }
                let has_started = self.together.asked.is_some_and(|(_, id)| id.is_none());
                self.together.asked = None;
                self.together.joined = Some(party);
                self.together.news = has_started.then(|| News::Started.at(now.instant));
                let mut effects = vec![Effect::Speed(Speed::NORMAL)];
                effects.extend(self.take_up(&party, now));
                effects
            }
        }
    }

    /// The echo of a probe has come.
    pub(super) fn echoed(&mut self, round_trip: RoundTrip, now: Moment) -> Vec<Effect> {
        self.player.echoed(round_trip.duration(), now.instant);
        self.together.clock.add(round_trip);
        self.cue().into_iter().collect()
    }

    /// Where the player has to be when, if it is in a party.
    fn cue(&self) -> Option<Effect> {
        let schedule = self.together.joined?.schedule;
        let at = self.together.clock.instant_of(schedule.at_nanos)?;
        let cue = crate::event::Cue { position: Duration::from_nanos(schedule.position_nanos), at };
        Some(Effect::Cue(schedule.is_playing.then_some(cue)))
    }

    /// The position of the video at this moment, as exactly as the player knows it.
    fn position_nanos(&self, now: Instant) -> Option<u64> {
        let showing = self.player.showing.as_ref()?;
        let (position, at) = self.together.reading.filter(|_| !showing.is_paused)?;
        let passed = self.player.speed.stream_time(now.saturating_duration_since(at));
        u64::try_from((position + passed).as_nanos()).ok().map(|nanos| nanos.min(showing.duration_nanos))
    }

    fn probe_clock(&mut self, now: Instant) -> Vec<Effect> {
        self.together.probed_at = Some(now);
        vec![Effect::Net(NetCommand::Probe)]
    }

    /// When [`State::tick_party`] has something to do next.
    pub(super) fn next_party_tick(&self) -> Option<Instant> {
        let together = &self.together;
        let news = together.news.as_ref().map(Dated::until);
        let Some(party) = &together.joined else { return news };
        // What a paused video needs to know of the clock, it knows by the next act.
        let is_wanted = party.schedule.is_playing && together.probed_at.is_some_and(|at| together.clock.wants_more(at));
        let probe = together.probed_at.filter(|_| is_wanted).map(|at| at + PROBE_INTERVAL);
        let pause = self.pauses_at(party);
        [news, probe, pause, together.acting.next_at()].into_iter().flatten().min()
    }

    /// Does what is due by now.
    pub(super) fn tick_party(&mut self, now: Moment) -> Vec<Effect> {
        self.together.news.take_if(|news| news.until() <= now.instant);
        let Some(party) = self.together.joined else { return Vec::new() };
        let mut effects = Vec::new();
        if self.pauses_at(&party).is_some_and(|at| at <= now.instant) {
            effects.extend(self.player.toggle_pause());
        }
        let is_due = self.together.probed_at.is_none_or(|at| at + PROBE_INTERVAL <= now.instant);
        if party.schedule.is_playing && is_due && self.together.clock.wants_more(now.instant) {
            effects.extend(self.probe_clock(now.instant));
        }
        effects.extend(self.act_when_due(now));
        effects
    }

    /// When the video pauses that plays still.
    fn pauses_at(&self, party: &Party) -> Option<Instant> {
        let showing = self.player.showing.as_ref().filter(|showing| showing.is_running() && !showing.is_paused)?;
        let is_meant = !party.schedule.is_playing && showing.video.id == party.video;
        self.together.clock.instant_of(party.schedule.at_nanos).filter(|_| is_meant)
    }

    /// Whether the person is invited to this party: it is someone else's, and was not declined.
    pub fn invitation(&self) -> Option<PartyId> {
        if self.together.joined.is_some() || self.together.asked.is_some() {
            return None;
        }
        let me = self.people.me();
        let is_open = |listed: &&listing::ListedParty| {
            !self.together.declined.contains(&listed.id) && listed.members.iter().all(|key| Some(*key) != me)
        };
        self.people.parties().iter().rfind(is_open).map(|listed| listed.id)
    }

    /// The other members of the party that this client is in, in the order of the list of people.
    pub fn companions(&self) -> Vec<KeyId> {
        let me = self.people.me();
        let listed = self.together.joined.and_then(|party| self.people.party(party.id));
        listed.into_iter().flat_map(|listed| &listed.members).copied().filter(|key| Some(*key) != me).collect()
    }
}
