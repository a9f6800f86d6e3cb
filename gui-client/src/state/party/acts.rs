//! What the person does in a party, which is done for all: it is sent, and happens when the server says so.
//!
//! One act waits for its answer at a time, and of those that follow meanwhile (a drag along the bar, a key held down) only the last
//! is sent.

use std::time::{Duration, Instant};

use common::party::{Party, PartyAct, PartyRequest};

use crate::{
    event::NetCommand,
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::Showing,
    },
};

/// An answer that has not come by then does not come: the act has changed nothing.
const ANSWER_PATIENCE: Duration = Duration::from_millis(500);

/// The least time between two acts, so that the others see where a drag leads and are not torn along with each step.
const LEAST_GAP: Duration = Duration::from_millis(250);

/// A little beyond the beginning of a picture, whose time may have been rounded.
const INTO_PICTURE_NANOS: u64 = 1_000_000;

/// What waits to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Acting {
    /// When the last one was sent, and whether its answer is to come.
    sent_at: Option<Instant>,
    is_awaited: bool,
    seek: Option<u64>,
    is_playing: Option<bool>,
    /// Where the one that was sent goes to.
    sent_seek: Option<u64>,
}

impl Acting {
    /// When the next one may be sent, if one waits.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.seek.is_some() || self.is_playing.is_some()).then_some(())?;
        let wait = if self.is_awaited { ANSWER_PATIENCE } else { LEAST_GAP };
        self.sent_at.map(|at| at + wait)
    }

    fn add(&mut self, act: PartyAct) {
        match act {
            PartyAct::Seek { position_nanos } => self.seek = Some(position_nanos),
            PartyAct::Play => self.is_playing = Some(true),
            PartyAct::Pause => self.is_playing = Some(false),
        }
    }

    /// Where the video will be after what waits and what is awaited, if that is somewhere else.
    fn target(&self) -> Option<u64> {
        self.seek.or(self.sent_seek.filter(|_| self.is_awaited))
    }

    fn take(&mut self, now: Instant) -> Option<PartyAct> {
        if self.next_at().is_some_and(|at| at > now) {
            return None;
        }
        self.sent_seek = self.seek;
        let seek = self.seek.take().map(|position_nanos| PartyAct::Seek { position_nanos });
        let act = seek.or_else(|| {
            self.is_playing.take().map(|is_playing| if is_playing { PartyAct::Play } else { PartyAct::Pause })
        })?;
        (self.sent_at, self.is_awaited) = (Some(now), true);
        Some(act)
    }
}

impl State {
    /// Does for all what the person does, if it concerns the party. `None`: it does not.
    pub(in crate::state) fn handle_together(&mut self, action: &Action, now: Moment) -> Option<Vec<Effect>> {
        let party = self.together.joined?;
        let showing = self.player.showing.as_ref();
        let is_shown = showing.is_some_and(|showing| showing.video.id == party.video);
        let is_left = match action {
            Action::Watch(video) => {
                *video != party.video && self.library.videos.iter().any(|listed| listed.id == *video)
            }
            Action::WatchNeighbour(places) => self.neighbour(*places).is_some(),
            Action::StopWatching | Action::ClosePlayer => true,
            _ => false,
        };
        if is_left {
            let effects = self.leave_party();
            return Some([effects, self.handle_action(action.clone(), now)].concat());
        }
        let showing = showing.filter(|_| is_shown)?;
        match action {
            Action::SetSpeed(_) | Action::ChangeSpeed(_) => {
                self.together.news = Some(super::News::Speed.at(now.instant));
                return Some(Vec::new());
            }
            Action::Watch(_) if !showing.is_running() && !self.player.has_ended() => return None,
            _ => {}
        }
        let from_nanos = self.together.acting.target().or(self.party_position(now.instant));
        let acts = acts(action, &party, showing, self.player.has_ended(), from_nanos)?;
        acts.into_iter().for_each(|act| self.together.acting.add(act));
        Some(self.act_when_due(now))
    }

    /// Sends what waits, if it may be sent.
    pub(super) fn act_when_due(&mut self, now: Moment) -> Vec<Effect> {
        let Some(Party { id: party, revision, .. }) = self.together.joined else { return Vec::new() };
        let act = self.together.acting.take(now.instant);
        let request = act.map(|act| PartyRequest::Act { party, revision, act });
        request.map(|request| Effect::Net(NetCommand::Party(request))).into_iter().collect()
    }

    /// Something has happened in the party: what waits is sent now, or a little later.
    pub(super) fn acted(&mut self, now: Moment) -> Vec<Effect> {
        self.together.acting.is_awaited = false;
        self.act_when_due(now)
    }
}

/// What an action of the person means for all; `None` if it concerns this player only.
fn acts(
    action: &Action,
    party: &Party,
    showing: &Showing,
    has_ended: bool,
    party_nanos: Option<u64>,
) -> Option<Vec<PartyAct>> {
    let is_playing = party.schedule.is_playing;
    let seek = |nanos: u64| PartyAct::Seek { position_nanos: nanos.min(showing.duration_nanos) };
    let from_nanos = party_nanos.unwrap_or(showing.position_nanos).min(showing.duration_nanos);
    let from_start = if is_playing { vec![seek(0)] } else { vec![seek(0), PartyAct::Play] };
    Some(match action {
        Action::TogglePause | Action::Watch(_) if has_ended => from_start,
        Action::StartOver => from_start,
        Action::TogglePause => vec![if is_playing { PartyAct::Pause } else { PartyAct::Play }],
        Action::Watch(_) => {
            if is_playing {
                Vec::new()
            } else {
                vec![PartyAct::Play]
            }
        }
        Action::SeekTo(nanos) => vec![seek(*nanos)],
        Action::SeekBy(nanos) => vec![seek(from_nanos.saturating_add_signed(*nanos))],
        Action::SeekToTenth(tenths) => vec![seek(showing.duration_nanos / 10 * u64::from(*tenths))],
        Action::SeekToLast => vec![seek(showing.time_of(showing.frame_count.saturating_sub(1)) + INTO_PICTURE_NANOS)],
        Action::Step(_) if is_playing => vec![PartyAct::Pause],
        Action::Step(pictures) => {
            let index =
                showing.picture_index()?.saturating_add_signed(*pictures).min(showing.frame_count.saturating_sub(1));
            vec![seek(showing.time_of(index) + INTO_PICTURE_NANOS)]
        }
        _ => return None,
    })
}
