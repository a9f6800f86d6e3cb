//! Watching together: does for members what they ask of the [`super::parties`], and tells those whom it concerns. Leaving is
//! part of leaving the room, so that no party keeps a member who is gone.

use std::time::Duration;

use common::{
    codec::encode_server,
    crypto::KeyId,
    media::VideoId,
    message::ServerMessage,
    party::{Party, PartyRequest},
};

use super::{Hub, Membership, State, now};
use crate::outbox::ControlFrame;

impl Membership {
    /// Does what this member asks for, and tells those whom it concerns. What the room is told of it, [`Self::watches`] has to say.
    pub fn ask_party(&self, request: PartyRequest) {
        let now_nanos = self.hub.clock_nanos();
        let mut state = self.hub.state();
        match request {
            PartyRequest::Start { video, position_nanos, is_playing } => {
                let party = state.parties.start(self.key, video, (position_nanos, is_playing), now_nanos);
                self.hub.tell(&state, [&self.key], &ServerMessage::Party(party));
            }
            PartyRequest::Join(party) => {
                let joined = state.parties.join(self.key, party);
                let answer = joined.map_or(ServerMessage::PartyOver { party }, ServerMessage::Party);
                self.hub.tell(&state, [&self.key], &answer);
            }
            PartyRequest::Leave => state.parties.leave(&self.key),
            PartyRequest::Act { party, revision, act } => {
                if let Some(party) = state.parties.act(self.key, (party, revision), act, now_nanos) {
                    self.hub.tell(&state, state.parties.members(party.id), &ServerMessage::Party(party));
                }
            }
        }
    }

    /// Takes in that this member opens a video: another one than that of its party means that it leaves.
    pub fn opens(&self, video: VideoId) {
        let mut state = self.hub.state();
        if state.parties.of(&self.key).is_some_and(|party| party.video != video) {
            state.parties.leave(&self.key);
        }
    }

    /// Takes in how long a message to this member and its answer took.
    pub fn note_round_trip(&self, round_trip: Duration) {
        self.hub.state().parties.note_round_trip(self.key, round_trip);
    }

    /// The party of this member.
    pub(super) fn party(&self, state: &State) -> Option<Party> {
        state.parties.of(&self.key).copied()
    }
}

impl Hub {
    /// The time by the clock that parties go by.
    pub fn clock_nanos(&self) -> u64 {
        u64::try_from(now().saturating_duration_since(self.0.started).as_nanos()).unwrap_or(u64::MAX)
    }

    fn tell<'a>(&self, state: &State, people: impl IntoIterator<Item = &'a KeyId>, message: &ServerMessage) {
        let frame = ControlFrame::new(&self.0.memory, encode_server(message));
        for key in people {
            let outbox = state.directory.name_of(key).and_then(|name| state.roster.outbox(name));
            outbox.into_iter().for_each(|outbox| outbox.push_shared(frame.clone()));
        }
    }
}
