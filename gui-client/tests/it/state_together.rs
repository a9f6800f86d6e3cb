//! Watching together, as the state decides it: how a party begins and ends, what the person's actions mean for all, and what
//! is done about a video that is not where the others are.

use std::time::Duration;

use common::{
    media::{Position, SeekRequest, VideoId},
    party::{Party, PartyAct, PartyId, PartyRequest, Schedule},
};
use triptych_client::{
    event::{Cue, NetCommand, NetEvent, Speed},
    state::{
        State,
        action::{Action, Moment, PartyAction},
        effect::Effect,
        party::news::News,
        player::Stage,
    },
};

use crate::support::{
    scenes::{
        PARTY, SERVER_NANOS, ada, after, bob, echo, eve, in_party, invited, later, leaves, leaves_party, library, lost,
        members, name, online, party, person, play_at, playing, start,
    },
    state::commands,
};

const SECOND_NANOS: u64 = 1_000_000_000;
const MILLI: Duration = Duration::from_millis(1);

fn moment() -> Moment {
    later(Duration::ZERO)
}

/// The requests about parties among the effects.
fn requests(effects: Vec<Effect>) -> Vec<PartyRequest> {
    let request = |command| if let NetCommand::Party(request) = command { Some(request) } else { None };
    commands(effects).into_iter().filter_map(request).collect()
}

fn act(revision: u64, act: PartyAct) -> Vec<PartyRequest> {
    vec![PartyRequest::Act { party: PARTY, revision, act }]
}

fn seek(position_nanos: u64) -> PartyAct {
    PartyAct::Seek { position_nanos }
}

/// Where the effects seek to.
fn seeks(effects: &[Effect]) -> Vec<Position> {
    let to = |effect: &Effect| match effect {
        Effect::Net(NetCommand::Seek(SeekRequest { to, .. })) => Some(*to),
        _ => None,
    };
    effects.iter().filter_map(to).collect()
}

fn is_paused(state: &State) -> bool {
    state.player.showing.as_ref().unwrap().is_paused
}

#[test]
fn a_party_starts_where_the_video_is_and_plays_at_normal_speed() {
    let mut state = playing();
    state.handle(Action::SetSpeed(Speed::nearest(200)), moment());
    play_at(&mut state, 3 * SECOND_NANOS, moment());
    // Half a second later, at double speed.
    let effects = state.handle(Action::Party(PartyAction::Start), later(500 * MILLI));
    assert!(commands(effects.clone()).contains(&NetCommand::Probe), "to know the time of the server's clock");
    let start = PartyRequest::Start { video: VideoId(1), position_nanos: 4 * SECOND_NANOS, is_playing: true };
    assert_eq!(requests(effects), [start]);
    assert!(state.together.party().is_none(), "the server has to say so");

    state.apply(echo(MILLI), moment());
    let stranger = Party { by: eve().id(), ..party() };
    assert!(state.apply(NetEvent::Party(stranger), moment()).is_empty(), "no one asked for that");
    let effects = state.apply(NetEvent::Party(Party { by: ada().id(), ..party() }), moment());
    assert!(effects.contains(&Effect::Speed(Speed::NORMAL)));
    let cue = Cue { position: Duration::from_secs(10), at: moment().instant };
    assert!(effects.contains(&Effect::Cue(Some(cue))));
    assert_eq!(state.together.news(moment().instant), Some(&News::Started));

    let effects = state.handle(Action::ChangeSpeed(1), moment());
    assert!(effects.is_empty() && state.player.speed == Speed::nearest(200), "there is one speed for all");
    let effects = state.handle(Action::Party(PartyAction::Leave), moment());
    assert!(effects.contains(&Effect::Speed(Speed::nearest(200))) && effects.contains(&Effect::Cue(None)));
    assert_eq!(requests(effects), [PartyRequest::Leave]);
    assert_eq!(state.player.showing.as_ref().unwrap().stage, Stage::Playing, "the video goes on");
}

#[test]
fn joining_opens_the_video_where_the_others_will_be() {
    let mut state = invited();
    state.apply(echo(MILLI), moment());
    assert_eq!(state.invitation(), Some(PARTY));
    let asked = state.handle(Action::Party(PartyAction::Join(PARTY)), moment());
    assert_eq!(requests(asked), [PartyRequest::Join(PARTY)]);
    let effects = state.apply(NetEvent::Party(party()), later(2_000 * MILLI));
    let watched = commands(effects.clone()).into_iter().find_map(|command| match command {
        NetCommand::Watch(request) => Some((request.video, request.from)),
        _ => None,
    });
    assert_eq!(watched, Some((VideoId(1), Position::Time(12_300_000_000))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Cue(Some(_)))));
    assert_eq!(state.invitation(), None, "no one is invited twice");
}

#[test]
fn a_video_that_is_open_goes_to_the_place_of_the_party_and_plays_as_it_does() {
    for (position_nanos, expected) in [(9_900_000_000, None), (2 * SECOND_NANOS, Some(10_300_000_000))] {
        let mut state = playing();
        state.apply(members(&[bob().id()]), moment());
        state.apply(echo(MILLI), moment());
        play_at(&mut state, position_nanos, moment());
        state.handle(Action::Party(PartyAction::Join(PARTY)), moment());
        let paused = Schedule { is_playing: false, ..party().schedule };
        let schedule = if expected.is_none() { paused } else { party().schedule };
        let effects = state.apply(NetEvent::Party(Party { schedule, ..party() }), moment());
        let expected: Vec<_> = expected.map(Position::Time).into_iter().collect();
        assert_eq!(seeks(&effects), expected);
        assert_eq!(is_paused(&state), expected.is_empty());
    }
}

#[test]
fn what_the_person_does_waits_for_the_server_and_happens_for_all() {
    let table = [
        (Action::TogglePause, vec![PartyAct::Pause]),
        (Action::SeekTo(5 * SECOND_NANOS), vec![seek(5 * SECOND_NANOS)]),
        (Action::SeekTo(99 * SECOND_NANOS), vec![seek(22_120_000_000)]),
        (Action::SeekBy(-4_000_000_000), vec![seek(6 * SECOND_NANOS)]),
        (Action::SeekBy(-11_000_000_000), vec![seek(0)]),
        (Action::SeekToTenth(5), vec![seek(11_060_000_000)]),
        (Action::StartOver, vec![seek(0)]),
        (Action::Step(1), vec![PartyAct::Pause]),
        (Action::Watch(VideoId(1)), vec![]),
    ];
    for (action, acts) in table {
        let mut state = in_party();
        let effects = state.handle(action.clone(), moment());
        assert_eq!(seeks(&effects), [], "{action:?}");
        let expected: Vec<_> = acts.into_iter().flat_map(|doing| act(0, doing)).collect();
        assert_eq!(requests(effects), expected, "{action:?}");
        assert!(!is_paused(&state), "{action:?}");
    }
}

#[test]
fn a_drag_along_the_bar_is_sent_in_steps_and_ends_where_it_ended() {
    let mut state = in_party();
    let first = state.handle(Action::SeekTo(SECOND_NANOS), moment());
    assert_eq!(requests(first), act(0, seek(SECOND_NANOS)));
    for seconds in 2..9 {
        assert!(requests(state.handle(Action::SeekTo(seconds * SECOND_NANOS), moment())).is_empty());
    }
    let answer = after(&party(), ada().id(), seek(SECOND_NANOS));
    assert!(requests(state.apply(NetEvent::Party(answer), later(5 * MILLI))).is_empty(), "too soon");
    let at = later(250 * MILLI);
    assert!(state.next_tick().is_some_and(|tick| tick <= at.instant));
    assert_eq!(requests(state.tick(at)), act(1, seek(8 * SECOND_NANOS)));
    // Another member was faster, so that no answer comes.
    state.handle(Action::TogglePause, at);
    assert!(requests(state.tick(later(700 * MILLI))).is_empty());
    assert_eq!(requests(state.tick(later(750 * MILLI))), act(1, PartyAct::Pause));
}

#[test]
fn a_key_that_is_pressed_again_goes_on_from_where_the_first_press_leads() {
    let mut state = in_party();
    assert_eq!(requests(state.handle(Action::SeekBy(5_000_000_000), moment())), act(0, seek(15 * SECOND_NANOS)));
    assert!(requests(state.handle(Action::SeekBy(5_000_000_000), moment())).is_empty());
    assert!(requests(state.handle(Action::SeekBy(-1_000_000_000), moment())).is_empty());
    let answer = after(&party(), ada().id(), seek(15 * SECOND_NANOS));
    state.apply(NetEvent::Party(answer), later(5 * MILLI));
    assert_eq!(requests(state.tick(later(250 * MILLI))), act(1, seek(19 * SECOND_NANOS)));
}

#[test]
fn what_others_do_takes_effect_at_its_time_and_is_said() {
    let mut state = in_party();
    let mut paused = after(&party(), bob().id(), PartyAct::Pause);
    (paused.schedule.at_nanos, paused.schedule.position_nanos) = (SERVER_NANOS + 150_000_000, 10_150_000_000);
    state.apply(NetEvent::Party(paused), moment());
    let pause = PartyAct::Pause;
    assert_eq!(state.together.news(moment().instant), Some(&News::Acted(name("bob"), pause)));
    assert!(!is_paused(&state), "not yet");
    // The round trip is measured first.
    state.tick(moment());
    let at = state.next_tick().expect("it has to be looked at");
    assert_eq!(at, moment().instant + 150 * MILLI);
    assert!(state.tick(later(149 * MILLI)).iter().all(|effect| *effect != Effect::Pause(true)));
    assert!(state.tick(later(150 * MILLI)).contains(&Effect::Pause(true)));
    assert!(is_paused(&state));
    assert_eq!(seeks(&play_at(&mut state, 10_140_000_000, later(160 * MILLI))), [], "the same picture");

    let played = after(&paused, eve().id(), PartyAct::Play);
    let effects = state.apply(NetEvent::Party(played), later(200 * MILLI));
    assert!(effects.contains(&Effect::Pause(false)));
    assert!(matches!(effects[0], Effect::Cue(Some(_))), "the player knows when, before it goes on");

    let sought = after(&played, eve().id(), seek(4 * SECOND_NANOS));
    assert_eq!(seeks(&state.apply(NetEvent::Party(sought), later(300 * MILLI))), [Position::Time(4 * SECOND_NANOS)]);
    assert!(state.apply(NetEvent::Party(played), later(300 * MILLI)).is_empty(), "it is older");
}

#[test]
fn who_was_elsewhere_when_all_paused_sees_the_picture_of_the_others_in_the_end() {
    let mut state = in_party();
    let paused = after(&party(), bob().id(), PartyAct::Pause);
    state.apply(NetEvent::Party(paused), moment());
    state.tick(moment());
    assert_eq!(seeks(&play_at(&mut state, 9 * SECOND_NANOS, moment())), [Position::Time(10 * SECOND_NANOS)]);
    assert_eq!(seeks(&play_at(&mut state, 9 * SECOND_NANOS, later(MILLI))), [], "once");
}

#[test]
fn small_errors_are_left_alone_larger_ones_change_the_speed_and_large_ones_jump() {
    let mut state = in_party();
    // What the player reports after this time, and with this error. Returns the new speed in percent, and where it seeks to.
    let mut play = |millis: u32, error_nanos: i64| {
        let now = later(MILLI * millis);
        let position_nanos = (10 * SECOND_NANOS + u64::from(millis) * 1_000_000).saturating_add_signed(error_nanos);
        let effects = play_at(&mut state, position_nanos, now);
        let speed = |effect: &Effect| if let Effect::Speed(speed) = effect { Some(speed.percent()) } else { None };
        assert_eq!(state.party_error_nanos(), Some(error_nanos));
        (effects.iter().find_map(speed), seeks(&effects))
    };
    for millis in 0..20 {
        assert_eq!(play(millis * 16, 9_000_000), (None, vec![]));
    }
    assert_eq!(play(400, -20_000_000), (None, vec![]));
    assert_eq!(play(500, -20_000_000), (Some(101), vec![]));
    assert_eq!(play(600, 100_000), (Some(100), vec![]));
    assert_eq!(play(2_400, -400_000_000), (None, vec![]));
    assert_eq!(play(2_700, -400_000_000), (None, vec![Position::Time(13_000_000_000)]));
}

#[test]
fn opening_something_else_and_closing_the_video_leave_the_party() {
    for (action, video) in [
        (Action::Watch(VideoId(2)), Some(2)),
        (Action::WatchNeighbour(1), Some(3)),
        (Action::StopWatching, None),
        (Action::Leave, None),
    ] {
        let mut state = in_party();
        let effects = state.handle(action.clone(), moment());
        assert_eq!(requests(effects), [PartyRequest::Leave], "{action:?}");
        assert!(state.together.party().is_none(), "{action:?}");
        assert_eq!(state.invitation(), None, "{action:?}: no one is asked back at once");
        assert_eq!(state.player.showing.as_ref().map(|showing| showing.video.id.0), video, "{action:?}");
    }
    let mut state = in_party();
    assert!(requests(state.handle(Action::Watch(VideoId(77)), moment())).is_empty(), "there is no such video");
    assert!(state.together.party().is_some());
}

fn reconnect(state: &mut State) -> Vec<PartyRequest> {
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.together.party().is_none());
    let people = vec![person("ada", ada()), person("bob", bob()), person("eve", eve())];
    requests(state.apply(online(people, library()), moment()))
}

#[test]
fn a_lost_connection_leads_back_into_the_party() {
    let mut state = in_party();
    assert_eq!(reconnect(&mut state), [PartyRequest::Join(PARTY)]);
    state.apply(echo(MILLI), moment());
    state.apply(NetEvent::Party(party()), moment());
    assert_eq!(state.together.party(), Some(&party()));

    assert_eq!(reconnect(&mut state), [PartyRequest::Join(PARTY)]);
    let effects = state.apply(NetEvent::PartyOver(PartyId(39)), moment());
    assert!(effects.is_empty(), "that is another one");
    let effects = state.apply(NetEvent::PartyOver(PARTY), moment());
    assert!(effects.contains(&Effect::Speed(Speed::NORMAL)) && state.together.party().is_none());
    assert_eq!(state.together.news(moment().instant), Some(&News::Over));
    assert!(state.player.showing.is_some(), "the video goes on");
    assert_eq!(reconnect(&mut state), [], "alone");
}

#[test]
fn who_comes_and_who_leaves_is_said_and_listed() {
    let mut state = in_party();
    assert_eq!(state.companions(), [bob().id(), eve().id()]);
    state.apply(leaves_party(eve().id()), moment());
    assert_eq!(state.together.news(moment().instant), Some(&News::Went(name("eve"))));
    state.apply(members(&[eve().id()]), moment());
    assert_eq!(state.together.news(moment().instant), Some(&News::Came(name("eve"))));
    let gone = leaves(&state, "bob");
    state.apply(gone, moment());
    assert_eq!(state.companions(), [eve().id()]);
    assert_eq!(state.together.news(moment().instant), Some(&News::Went(name("bob"))));
    assert_eq!(state.together.news(later(Duration::from_secs(5)).instant), None, "for a while");
}

#[test]
fn an_invitation_is_for_parties_of_others_and_can_be_declined() {
    let mut state = invited();
    state.handle(Action::Party(PartyAction::Decline(PARTY)), moment());
    assert_eq!(state.invitation(), None);
    assert!(state.people.party(PARTY).is_some(), "it is still in the lists");
    let mut state = in_party();
    assert_eq!(state.invitation(), None);
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.people.parties().is_empty() && state.invitation().is_none());
}

#[test]
fn a_video_that_is_still_opening_is_put_right_when_it_plays() {
    let mut state = invited();
    state.apply(echo(MILLI), moment());
    state.handle(Action::Party(PartyAction::Join(PARTY)), moment());
    state.apply(NetEvent::Party(party()), moment());
    // Someone goes elsewhere before the first picture has come.
    let sought = after(&party(), bob().id(), seek(2 * SECOND_NANOS));
    state.apply(NetEvent::Party(sought), moment());
    let stream = state.player.showing.as_ref().unwrap().stream;
    start(&mut state, stream, 1);
    play_at(&mut state, 10_300_000_000, later(300 * MILLI));
    play_at(&mut state, 10_310_000_000, later(310 * MILLI));
    let jumped = (1..200).find_map(|step: u32| {
        let now = later(MILLI * (310 + 20 * step));
        seeks(&play_at(&mut state, 10_310_000_000 + 20_000_000 * u64::from(step), now)).first().copied()
    });
    let Some(Position::Time(nanos)) = jumped else { panic!("it stays elsewhere") };
    assert!((2 * SECOND_NANOS..6 * SECOND_NANOS).contains(&nanos));
}
