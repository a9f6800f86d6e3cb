//! What the state makes of the ladder and of what the person chooses, and what the window says about it.

use common::media::{Delivery, Position, Quality, SetQualityRequest};
use triptych_client::{
    event::{LadderSettings, NetCommand, PlaybackStatus},
    state::{
        State,
        action::Action,
        effect::Effect,
        player::{Showing, quality::QualityChoice},
    },
};

use crate::support::scenes::{self, moment, on_a_link, playing};

const HALVED: Delivery = Delivery { picture_step: 2, ..Delivery::FULL };
const FROM_720P: Delivery = Delivery { max_height: Some(720), ..Delivery::FULL };

fn showing(state: &State) -> &Showing {
    state.player.showing.as_ref().expect("it plays")
}

/// The ladder wants this delivery, from 12 s on.
fn wanted(state: &State, delivery: Delivery) -> PlaybackStatus {
    let showing = showing(state);
    PlaybackStatus {
        epoch: showing.epoch,
        wanted_delivery: Some(delivery),
        continue_at: Some(Position::Time(12_000_000_000)),
        ..scenes::report(showing.stream, 11, 720)
    }
}

#[test]
fn the_ladder_changes_the_delivery_without_an_interruption() {
    let mut state = playing();
    let (stream, epoch) = (showing(&state).stream, showing(&state).epoch);
    let status = wanted(&state, HALVED);
    let effects = state.report(status, moment());
    let [Effect::Net(NetCommand::SetQuality(request)), Effect::ContinueEpoch { epoch: continued, delivery, .. }] =
        &effects[..]
    else {
        panic!("the network first, so that no grant precedes the epoch")
    };
    let at = Position::Time(12_000_000_000);
    let expected = SetQualityRequest { stream, epoch: *continued, quality: Quality::Triptych, at, delivery: HALVED };
    assert_eq!((*request, *delivery), (expected, HALVED));
    assert!(*continued > epoch && showing(&state).epoch == *continued);
    assert_eq!(showing(&state).position_nanos, 11_000_000_000, "the position stays");
    assert!(state.report(status, moment()).is_empty(), "a report of the epoch before changes nothing");
}

#[test]
fn the_ladder_waits_for_a_seek_and_for_what_the_server_has_not_sent() {
    let mut state = playing();
    let status = wanted(&state, HALVED);
    assert!(state.report(PlaybackStatus { continue_at: None, ..status }, moment()).is_empty());
    state.handle(Action::SeekTo(3_000_000_000), moment());
    let seeking = PlaybackStatus { position_nanos: None, ..wanted(&state, HALVED) };
    assert!(state.report(seeking, moment()).is_empty());
}

#[test]
fn what_the_person_chooses_switches_the_ladder_off() {
    let mut state = on_a_link(14.0, FROM_720P);
    let effects = state.handle(Action::SetQuality(QualityChoice::Fixed(Quality::Triptych)), moment());
    let [Effect::Net(NetCommand::SetQuality(request)), Effect::BeginEpoch { ladder, delivery, .. }] = &effects[..]
    else {
        panic!("another epoch begins")
    };
    assert_eq!((request.delivery, *delivery), (Delivery::FULL, Delivery::FULL), "all pictures");
    assert_eq!(*ladder, LadderSettings { is_automatic: false, max_height: None });
    let status = wanted(&state, HALVED);
    assert!(state.report(status, moment()).is_empty(), "whatever the link carries");
    let limited = QualityChoice::Automatic { max_height: Some(240) };
    let effects = state.handle(Action::SetQuality(limited), moment());
    let [Effect::Net(NetCommand::SetQuality(request)), Effect::BeginEpoch { ladder, .. }] = &effects[..] else {
        panic!("another epoch begins")
    };
    assert_eq!((request.quality, request.delivery.max_height), (Quality::Triptych, Some(240)));
    assert_eq!(*ladder, LadderSettings { is_automatic: true, max_height: Some(240) });
}

#[test]
fn the_badge_says_what_is_shown_and_why() {
    let badge = |state: &State| showing(state).badge().expect("a picture is on the screen");
    let text = |state: &State| showing(state).delivery_text();
    assert_eq!((badge(&playing()), text(&playing())), ("720p".to_owned(), None));
    let state = on_a_link(38.0, HALVED);
    assert_eq!(badge(&state), "1440p, every 2nd picture: your link carries 38 Mbit/s");
    assert_eq!(
        text(&state).as_deref(),
        Some("Your link carries 38 Mbit/s, which is too little for all of 1440p. Only every 2nd picture is shown.")
    );
    let state = on_a_link(14.0, FROM_720P);
    assert_eq!(badge(&state), "1440p third shown from 720p: your link carries 14 Mbit/s");
    assert_eq!(
        text(&state).as_deref(),
        Some("Your link carries 14 Mbit/s, which is too little for all of 1440p. The 1440p third is shown from 720p.")
    );
    let state = on_a_link(2.1, Delivery { max_height: Some(240), ..HALVED });
    assert_eq!(badge(&state), "1440p third shown from 240p, every 2nd picture: your link carries 2.1 Mbit/s");
}

#[test]
fn what_is_left_out_because_the_person_chose_so_is_not_blamed_on_the_link() {
    let mut state = playing();
    state.handle(Action::SetQuality(QualityChoice::Automatic { max_height: Some(240) }), moment());
    let at = PlaybackStatus { epoch: showing(&state).epoch, ..scenes::report(showing(&state).stream, 11, 240) };
    state.report(at, moment());
    assert_eq!(showing(&state).badge().as_deref(), Some("720p third shown from 240p: the limit that you chose"));
    assert_eq!(
        showing(&state).delivery_text().as_deref(),
        Some("You chose at most 240p. The 720p third is shown from 240p.")
    );
}
