//! Scenes of watching together.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use common::{
    crypto::KeyId,
    media::VideoId,
    message::Viewing,
    party::{Party, PartyAct, PartyId, Schedule},
};
use triptych_client::{
    event::{NetEvent, PlaybackStatus, RoundTrip},
    state::{
        State,
        action::{Action, Moment, PartyAction},
        effect::Effect,
    },
};

use super::{ada, bob, eve, joined, playing, report, start, watch};

/// The party of the scenes.
pub const PARTY: PartyId = PartyId(40);

/// What the server's clock shows at the beginning of a scene.
pub const SERVER_NANOS: u64 = 100_000_000_000;

/// An echo that was under way for this long and comes now.
pub fn echo(round_trip: Duration) -> NetEvent {
    let received_at = moment().instant;
    let half = u64::try_from(round_trip.as_nanos() / 2).expect("short");
    NetEvent::RoundTrip(RoundTrip {
        sent_at: received_at.checked_sub(round_trip).expect("the system has run for longer"),
        received_at,
        server_nanos: SERVER_NANOS - half,
    })
}

/// These people are in the party.
pub fn members(keys: &[KeyId]) -> NetEvent {
    let viewing = |person: &KeyId| Viewing { person: *person, video: Some(VideoId(1)), party: Some(PARTY) };
    NetEvent::Watching(keys.iter().map(viewing).collect())
}

/// This person watches nothing any more.
pub fn leaves_party(person: KeyId) -> NetEvent {
    NetEvent::Watching(vec![Viewing { person, video: None, party: None }])
}

/// The party as Bob has started it: at ten seconds at the beginning of the scene.
pub fn party() -> Party {
    let schedule = Schedule { position_nanos: 10_000_000_000, at_nanos: SERVER_NANOS, is_playing: true };
    Party { id: PARTY, video: VideoId(1), revision: 0, schedule, by: bob().id(), act: None }
}

/// The same after an act, by this person, that takes effect at once.
pub fn after(before: &Party, by: KeyId, act: PartyAct) -> Party {
    let mut schedule = before.schedule;
    match act {
        PartyAct::Play => schedule.is_playing = true,
        PartyAct::Pause => schedule.is_playing = false,
        PartyAct::Seek { position_nanos } => schedule.position_nanos = position_nanos,
    }
    Party { revision: before.revision + 1, schedule, by, act: Some(act), ..*before }
}

/// Bob watches a video in a party, and this client does not know where.
pub fn invited() -> State {
    let mut state = joined();
    state.apply(members(&[bob().id()]), moment());
    state
}

/// Joins Bob's party; the video plays where his is.
pub fn in_party() -> State {
    let mut state = invited();
    state.apply(echo(Duration::from_millis(1)), moment());
    state.handle(Action::Party(PartyAction::Join(PARTY)), moment());
    state.apply(NetEvent::Party(party()), moment());
    state.apply(members(&[ada().id(), bob().id(), eve().id()]), moment());
    let stream = state.player.showing.as_ref().expect("its video is opened").stream;
    start(&mut state, stream, 1);
    play_at(&mut state, 10_000_000_000, moment());
    state
}

/// The player reports that it plays at this position.
pub fn play_at(state: &mut State, position_nanos: u64, now: Moment) -> Vec<Effect> {
    let showing = state.player.showing.as_ref().expect("a video is open");
    let (stream, epoch) = (showing.stream, showing.epoch);
    let mut status = report(stream, position_nanos / 1_000_000_000, 720);
    status.shown.as_mut().expect("a picture is shown").epoch = epoch;
    status.position_nanos = Some(position_nanos);
    let clock = Some((Duration::from_nanos(position_nanos), now.instant));
    state.report(PlaybackStatus { epoch, clock, ..status }, now)
}

/// The time at which the scenes of parties play: always the same in one program.
fn moment() -> Moment {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment { instant: *BEGUN, ..super::moment() }
}

/// This much later than that.
pub fn later(time: Duration) -> Moment {
    Moment { instant: moment().instant + time, ..moment() }
}

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    // The gallery draws now, and news are told for seconds.
    let now = Moment { instant: Instant::now(), ..moment() };
    Some(match which {
        "party-invitation" => invited(),
        "party-video" => {
            let mut state = playing();
            state.apply(members(&[bob().id(), eve().id()]), moment());
            state.handle(Action::Party(PartyAction::Decline(PARTY)), moment());
            state
        }
        "party" => in_party(),
        "party-act" => {
            let mut state = in_party();
            state.apply(NetEvent::Party(after(&party(), bob().id(), PartyAct::Pause)), now);
            state.tick(now);
            state
        }
        "party-alone" => {
            let mut state = joined();
            let stream = watch(&mut state, 1);
            start(&mut state, stream, 1);
            play_at(&mut state, 10_000_000_000, moment());
            state.apply(echo(Duration::from_millis(1)), moment());
            state.handle(Action::Party(PartyAction::Start), now);
            state.apply(NetEvent::Party(Party { by: ada().id(), ..party() }), now);
            state
        }
        _ => return None,
    })
}
