//! When the player begins to wait, goes on and has enough, and what it says meanwhile.

use std::time::Duration;

use common::media::{Epoch, StreamId, VideoId};
use triptych_client::{
    event::{Hold, NetCommand, NetEvent, PlaybackStatus},
    state::{
        State,
        action::{Action, Moment},
    },
};

use crate::support::{
    scenes::{self, figures, joined, lost, moment, playing, starved},
    state::commands,
};

fn after(begun: Moment, millis: u64) -> Moment {
    Moment { instant: begun.instant + Duration::from_millis(millis), ..begun }
}

fn said(state: &State, now: Moment) -> String {
    state.player.wait_reason(now.instant).map(|reason| reason.to_string()).unwrap_or_default()
}

fn stream(state: &State) -> StreamId {
    state.player.showing.as_ref().expect("it plays").stream
}

/// Nothing of the current epoch is on the screen yet.
fn nothing(state: &State) -> PlaybackStatus {
    let showing = state.player.showing.as_ref().expect("it plays");
    let none = PlaybackStatus { position_nanos: None, buffered_until_nanos: None, epoch_bytes: 0, ..playing_at(state) };
    PlaybackStatus { epoch: showing.epoch, shown: None, ..none }
}

fn playing_at(state: &State) -> PlaybackStatus {
    let showing = state.player.showing.as_ref().expect("it plays");
    PlaybackStatus { epoch: showing.epoch, ..scenes::report(showing.stream, 10, 720) }
}

#[test]
fn an_opened_video_says_what_it_waits_for_until_it_plays() {
    let begun = moment();
    let mut state = joined();
    state.handle(Action::Watch(VideoId(1)), begun);
    let stream = stream(&state);
    assert!(state.player.is_explaining(begun.instant), "the reason changes without a picture");
    assert_eq!(said(&state, after(begun, 100)), "");
    assert_eq!(said(&state, after(begun, 400)), "Waiting for the server's answer.");
    scenes::start(&mut state, stream, 1);
    assert_eq!(said(&state, after(begun, 500)), "Waiting for the server's decoder.");
    state.report(nothing(&state), after(begun, 500));
    assert_eq!(said(&state, after(begun, 500)), "Waiting for the server's decoder.");
    // The first picture is there, and its sound is not.
    let first = PlaybackStatus { hold: Some(Hold::Source), ..playing_at(&state) };
    state.report(first, after(begun, 600));
    assert_eq!(said(&state, after(begun, 600)), "Buffering.");
    state.report(playing_at(&state), after(begun, 700));
    assert_eq!(said(&state, after(begun, 5_000)), "");
    assert!(!state.player.is_explaining(begun.instant));
}

#[test]
fn a_seek_forgets_what_had_arrived_and_says_that_it_buffers() {
    let begun = moment();
    let mut state = playing();
    state.handle(Action::SeekTo(3_000_000_000), begun);
    let showing = state.player.showing.as_ref().expect("it plays");
    assert_eq!(showing.buffered_until_nanos, None, "nothing of the new position is here");
    assert_eq!(said(&state, after(begun, 400)), "Waiting for the server's answer.");
    // What is left of the old epoch changes nothing.
    let old = scenes::report(stream(&state), 10, 720);
    state.report(PlaybackStatus { epoch: Epoch(0), ..old }, after(begun, 450));
    assert_eq!(said(&state, after(begun, 450)), "Waiting for the server's answer.");
    let slow = PlaybackStatus { hold: Some(Hold::Source), ..playing_at(&state) };
    state.report(slow, after(begun, 500));
    assert_eq!(said(&state, after(begun, 500)), "Waiting for the server's answer.", "which tells when it begins");
    state.report(playing_at(&state), after(begun, 600));
    assert_eq!(said(&state, after(begun, 900)), "");
}

#[test]
fn a_stall_says_how_much_arrives_and_how_much_is_needed() {
    let now = moment();
    let mut state = starved(now);
    assert_eq!(said(&state, now), "Too little arrives: 8.0 Mbit/s, and 20 are needed.");
    state.handle(Action::TogglePause, now);
    // A paused video waits for nothing.
    state.report(playing_at(&state), now);
    assert_eq!(said(&state, after(now, 1_000)), "");
}

#[test]
fn each_stall_is_timed_by_itself() {
    let begun = moment();
    let mut state = playing();
    let held = PlaybackStatus { hold: Some(Hold::Source), ..playing_at(&state) };
    for second in 0..5 {
        let at = after(begun, 1_000 * second);
        state.report(held, at);
        state.report(held, after(at, 100));
        assert_eq!(said(&state, after(at, 299)), "", "stall {second}");
        assert_eq!(said(&state, after(at, 300)), "Waiting for the server's pictures.", "stall {second}");
        state.report(playing_at(&state), after(at, 400));
    }
}

#[test]
fn figures_are_taken_four_times_a_second_and_only_while_something_is_in_the_player() {
    let begun = moment();
    let mut state = joined();
    assert!(!state.player.wants_figures(begun.instant));
    state = playing();
    assert!(state.player.wants_figures(begun.instant));
    state.take_figures(figures(stream(&state), 50), begun);
    assert!(!state.player.wants_figures(after(begun, 249).instant));
    assert!(state.player.wants_figures(after(begun, 250).instant));
}

/// The times in ms, within ten seconds, at which the window probes if it looks whenever the state asks for it.
fn probes(state: &mut State, begun: Moment) -> Vec<u64> {
    let mut probes = Vec::new();
    for _ in 0..100 {
        let Some(at) = state.next_tick() else { break };
        let now = Moment { instant: at.max(begun.instant), ..begun };
        let millis = now.instant.duration_since(begun.instant).as_millis();
        if millis > 10_000 {
            break;
        }
        let sent = commands(state.tick(now));
        assert!(sent == [NetCommand::Probe], "a tick that is asked for is of use");
        probes.push(u64::try_from(millis).expect("it is below 10,000"));
    }
    probes
}

#[test]
fn the_round_trip_is_measured_every_two_seconds_while_a_video_plays() {
    let begun = moment();
    let mut state = joined();
    assert_eq!(probes(&mut state, begun), [0; 0], "nothing plays");
    state.handle(Action::Watch(VideoId(1)), begun);
    assert_eq!(probes(&mut state, begun), [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    let later = after(begun, 60_000);
    state.handle(Action::TogglePause, later);
    assert_eq!(probes(&mut state, later), [0; 0], "a paused video costs nothing");
    state.handle(Action::ToggleStatistics, later);
    assert_eq!(probes(&mut state, later).len(), 6, "unless the person looks at the figures");
    state.handle(Action::StopWatching, later);
    assert_eq!(probes(&mut state, later), [0; 0]);
}

#[test]
fn the_round_trip_is_forgotten_with_the_connection() {
    let now = moment();
    let line = |state: &State| {
        let lines = state.player.statistics().expect("they are shown").iter();
        lines.filter(|line| line.label == "Round trip").map(|line| line.value.clone()).collect::<Vec<_>>()
    };
    let mut state = playing();
    state.handle(Action::ToggleStatistics, now);
    state.take_figures(figures(stream(&state), 50), now);
    assert_eq!(line(&state), ["not measured yet"]);
    state.apply(scenes::echo(Duration::from_micros(12_340)), now);
    state.take_figures(figures(stream(&state), 56), now);
    assert_eq!(line(&state), ["12.3 ms"]);
    state.apply(NetEvent::Offline(lost()), now);
    state.apply(scenes::online(vec![scenes::person("ada", scenes::ada())], scenes::library()), now);
    let stream = scenes::watch(&mut state, 1);
    state.take_figures(figures(stream, 50), now);
    assert_eq!(line(&state), ["not measured yet"]);
}
