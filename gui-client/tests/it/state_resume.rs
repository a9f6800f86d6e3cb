//! Going on where a video was left: after another one, and after the connection was lost.

use std::time::Duration;

use common::media::{Delivery, Library, Position, Quality, VideoId, VideoInfo, WatchRequest};
use triptych_client::{
    event::{NetCommand, NetEvent, Speed},
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::{Showing, Stage, quality::QualityChoice},
    },
};

use crate::support::scenes::{self, lost, moment};

const SECOND: u64 = 1_000_000_000;

fn showing(state: &State) -> &Showing {
    state.player.showing.as_ref().expect("a video is in the player")
}

/// The one request among the effects, and whether it begins paused with the last picture.
fn opened(effects: &[Effect]) -> (WatchRequest, bool, bool) {
    let [Effect::Net(NetCommand::Watch(request)), Effect::StartPlayback { is_paused, keeps_picture, .. }] = effects
    else {
        panic!("a stream is requested, and then played")
    };
    (*request, *is_paused, *keeps_picture)
}

/// The server is back, with this library.
fn back(state: &mut State, library: Library) -> Vec<Effect> {
    let effects = state.apply(scenes::online(Vec::new(), library), moment());
    let is_of_player = |effect: &Effect| {
        matches!(effect, Effect::Net(NetCommand::Watch(_)) | Effect::StartPlayback { .. } | Effect::StopPlayback)
    };
    effects.into_iter().filter(is_of_player).collect()
}

#[test]
fn a_video_goes_on_where_it_was_left() {
    let mut state = scenes::playing();
    let effects = state.handle(Action::WatchNeighbour(1), moment());
    assert_eq!(opened(&effects).0.from, Position::START, "it was never watched");
    assert!(!matches!(effects[1], Effect::StartPlayback { keeps_picture: true, .. }), "another video's picture goes");
    assert_eq!(
        showing(&state).video.title,
        "Ein sehr langer Titel, der nicht in eine Zeile passt".to_owned().min("Numbers".into())
    );
    let begun = moment();
    let (again, ..) = opened(&state.handle(Action::Watch(VideoId(1)), begun));
    assert_eq!(again.from, Position::Time(10 * SECOND));
    assert_eq!(state.player.resumed_at(begun.instant), Some(10 * SECOND));
    let later = begun.instant + Duration::from_secs(9);
    assert_eq!(state.player.resumed_at(later), None, "it is said for a few seconds");
    // Closed and opened again, it goes on too; seen to its end, it starts over.
    state.handle(Action::StopWatching, moment());
    assert_eq!(opened(&state.handle(Action::Watch(VideoId(1)), moment())).0.from, Position::Time(10 * SECOND));
    let mut ended = scenes::scene("ended");
    ended.handle(Action::ClosePlayer, moment());
    assert_eq!(opened(&ended.handle(Action::Watch(VideoId(1)), moment())).0.from, Position::START);
}

#[test]
fn a_place_near_the_beginning_or_the_end_is_not_gone_back_to() {
    for (seconds, from) in [(4, Position::START), (6, Position::Time(6 * SECOND)), (19, Position::START)] {
        let mut state = scenes::playing();
        let stream = showing(&state).stream;
        state.report(scenes::report(stream, seconds, 720), moment());
        state.handle(Action::StopWatching, moment());
        assert_eq!(opened(&state.handle(Action::Watch(VideoId(1)), moment())).0.from, from, "{seconds} s");
    }
}

#[test]
fn the_list_has_an_order_and_two_ends() {
    let mut state = scenes::playing();
    let titles: Vec<String> = state.library.videos.iter().map(|video| video.title.clone()).collect();
    assert!(state.handle(Action::WatchNeighbour(-1), moment()).is_empty(), "it is the first");
    for title in &titles[1..] {
        state.handle(Action::WatchNeighbour(1), moment());
        assert_eq!(&showing(&state).video.title, title);
    }
    assert!(state.handle(Action::WatchNeighbour(1), moment()).is_empty(), "it was the last");
    state.handle(Action::WatchNeighbour(-1), moment());
    assert_eq!(showing(&state).video.title, titles[titles.len() - 2]);
}

#[test]
fn after_a_lost_connection_it_goes_on_at_the_same_picture_by_itself() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    state.handle(Action::SetQuality(QualityChoice::Fixed(Quality::Only(720))), moment());
    let epoch = showing(&state).epoch;
    let shown = scenes::head(stream, epoch, 250, 720);
    let report = scenes::report(stream, 10, 720);
    state.report(triptych_client::event::PlaybackStatus { epoch, shown: Some(shown), ..report }, moment());
    state.handle(Action::SetSpeed(Speed::nearest(150)), moment());
    state.handle(Action::TogglePause, moment());
    let library = state.library.clone();
    assert!(state.apply(NetEvent::Offline(lost()), moment()) == [Effect::SuspendPlayback]);
    assert_eq!(showing(&state).stage, Stage::Interrupted);
    assert!(state.handle(Action::SeekTo(0), moment()).is_empty(), "nothing can be asked for now");
    let effects = back(&mut state, library);
    let (request, is_paused, keeps_picture) = opened(&effects);
    assert!(request.stream > stream, "streams have new numbers");
    assert_eq!((request.quality, request.from), (Quality::Only(720), Position::Picture(250)));
    assert!(is_paused && keeps_picture && showing(&state).is_paused);
    assert_eq!(showing(&state).position_nanos, 10 * SECOND, "the bar does not move");
    assert_eq!(state.player.speed, Speed::nearest(150));
    assert_eq!(state.player.resumed_at(moment().instant), None, "nothing has to be said about it");
}

#[test]
fn what_was_asked_for_when_the_connection_broke_is_where_it_goes_on() {
    let mut state = scenes::playing();
    state.handle(Action::SeekTo(3 * SECOND), moment());
    state.handle(Action::SeekTo(18 * SECOND), moment());
    let library = state.library.clone();
    state.apply(NetEvent::Offline(lost()), moment());
    state.handle(Action::TogglePause, moment());
    let (request, is_paused, _) = opened(&back(&mut state, library));
    assert_eq!(request.from, Position::Time(18 * SECOND));
    assert!(is_paused, "it was paused meanwhile");
}

#[test]
fn a_video_whose_files_were_replaced_goes_on_at_the_same_time() {
    let mut state = scenes::playing();
    let mut library = state.library.clone();
    library.videos[0].fingerprint = 99;
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(opened(&back(&mut state, library)).0.from, Position::Time(10 * SECOND));
    // One that was renamed is found by its files.
    let mut state = scenes::playing();
    let mut library = state.library.clone();
    let renamed = VideoInfo { id: VideoId(77), title: "A walk".into(), ..library.videos[0].clone() };
    library.videos[0] = renamed;
    state.apply(NetEvent::Offline(lost()), moment());
    let (request, ..) = opened(&back(&mut state, library));
    assert_eq!((request.video, request.from, request.delivery), (VideoId(77), Position::Picture(250), Delivery::FULL));
}

#[test]
fn a_video_that_is_gone_when_the_connection_is_back_says_so() {
    let mut state = scenes::playing();
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(back(&mut state, Library::default()) == [Effect::StopPlayback]);
    assert_eq!(showing(&state).stage, Stage::Failed("This video is no longer on the server.".into()));
}

#[test]
fn a_video_that_was_closed_meanwhile_stays_closed() {
    let mut state = scenes::playing();
    let library = state.library.clone();
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.handle(Action::StopWatching, moment()) == [Effect::StopPlayback], "the picture goes");
    assert!(back(&mut state, library).is_empty());
    // Neither does one play that had ended; it can be played again.
    let mut state = scenes::scene("ended");
    let library = state.library.clone();
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.handle(Action::TogglePause, moment()).is_empty(), "not without a server");
    assert!(back(&mut state, library).is_empty());
    assert_eq!(opened(&state.handle(Action::TogglePause, moment())).0.from, Position::START);
}

#[test]
fn speed_changes_by_steps_and_stays_from_one_video_to_the_next() {
    let mut state = scenes::playing();
    assert!(state.handle(Action::ChangeSpeed(1), moment()) == [Effect::Speed(Speed::nearest(125))]);
    assert!(state.handle(Action::ChangeSpeed(-2), moment()) == [Effect::Speed(Speed::nearest(75))]);
    assert!(state.handle(Action::SetSpeed(Speed::nearest(75)), moment()).is_empty());
    state.handle(Action::WatchNeighbour(1), moment());
    assert_eq!(state.player.speed, Speed::nearest(75));
}

#[test]
fn only_a_splice_that_was_played_is_announced() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    let begun = moment();
    assert_eq!(state.player.splice(begun.instant), None, "not the first resolution");
    state.report(scenes::report(stream, 15, 1440), begun);
    let at = |millis| begun.instant + Duration::from_millis(millis);
    assert_eq!(state.player.splice(at(0)), Some(("1440p", 1.0)));
    assert!(state.player.splice(at(1_250)).is_some_and(|(_, visible)| visible < 0.6), "it fades");
    assert_eq!(state.player.splice(at(1_500)), None);
    // After a seek the picture is simply from elsewhere.
    state.handle(Action::SeekTo(2 * SECOND), begun);
    let epoch = showing(&state).epoch;
    let shown = scenes::head(stream, epoch, 50, 240);
    let report = triptych_client::event::PlaybackStatus { epoch, shown: Some(shown), ..scenes::report(stream, 2, 240) };
    state.report(report, Moment { instant: at(100), ..begun });
    assert_eq!(state.player.splice(at(101)), None);
}
