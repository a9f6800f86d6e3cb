//! What the person does with a video, and what the state asks of the network and the playback because of it.

use std::time::Duration;

use common::{
    media::{
        Delivery, Epoch, Library, Position, Quality, SeekRequest, SegmentInfo, SetQualityRequest, StreamId,
        StreamStart, VideoId, WatchRequest,
    },
    message::{Blob, EndReason},
};
use triptych_client::{
    event::{Hold, NetCommand, NetEvent, PlaybackStatus},
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::{Showing, Stage, quality::QualityChoice},
    },
};

use crate::support::{
    scenes::{self, joined, lost, moment, video},
    state::commands,
};

const SECOND: u64 = 1_000_000_000;

fn showing(state: &State) -> &Showing {
    state.player.showing.as_ref().expect("something is on the picture's place")
}

/// The picture of the epoch that was asked for last is on the screen.
fn arrived(state: &mut State, index: u32, now: Moment) -> Vec<Effect> {
    let report = PlaybackStatus {
        epoch: showing(state).epoch,
        position_nanos: Some(u64::from(index) * 40_000_000),
        shown: Some(scenes::head(showing(state).stream, showing(state).epoch, index, 720)),
        ..scenes::report(showing(state).stream, 0, 720)
    };
    state.report(report, now)
}

fn seek(stream: StreamId, epoch: u32, to: Position) -> NetCommand {
    NetCommand::Seek(SeekRequest { stream, epoch: Epoch(epoch), to })
}

#[test]
fn watching_asks_the_network_before_the_playback() {
    let mut state = joined();
    let effects = state.handle(Action::Watch(VideoId(2)), moment());
    let [
        Effect::Net(NetCommand::Watch(WatchRequest { stream, video, .. })),
        Effect::StartPlayback { stream: played, .. },
    ] = &effects[..]
    else {
        panic!("a grant must not come before its stream")
    };
    assert_eq!((stream, video.0), (played, 2));
    assert_eq!(showing(&state).video.title, "Numbers", "what the log names is what is shown");
    let first = *stream;
    let second = scenes::watch(&mut state, 1);
    assert!(second > first, "each stream has a larger number");
    assert!(
        commands(state.handle(Action::StopWatching, moment())) == [NetCommand::Stop { stream: second }],
        "stopping names the stream that plays"
    );
    assert!(state.player.showing.is_none());
    assert!(state.handle(Action::StopWatching, moment()).is_empty());
}

#[test]
fn what_is_not_in_the_library_or_out_of_reach_is_not_asked_for() {
    let mut state = joined();
    assert!(state.handle(Action::Watch(VideoId(99)), moment()).is_empty());
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.handle(Action::Watch(VideoId(1)), moment()).is_empty());
}

#[test]
fn the_player_goes_from_opening_to_the_end() {
    let stage = |state: &State| state.player.showing.as_ref().map(|showing| showing.stage.clone());
    let mut state = joined();
    let stream = scenes::watch(&mut state, 1);
    assert_eq!(stage(&state), Some(Stage::Opening));
    scenes::start(&mut state, stream, 1);
    state.report(scenes::report(stream, 1, 240), moment());
    assert_eq!(stage(&state), Some(Stage::Playing));
    let ended = NetEvent::StreamEnded { stream, epoch: Epoch(0), reason: EndReason::Finished };
    assert!(state.apply(ended, moment()) == [Effect::SourceEnded { stream, epoch: Epoch(0) }]);
    assert_eq!(stage(&state), Some(Stage::Playing), "what has arrived is still shown");
    let last = PlaybackStatus { is_finished: true, ..scenes::report(stream, 22, 1440) };
    state.report(last, moment());
    assert_eq!(stage(&state), Some(Stage::Ended));
    let showing = state.player.showing.as_ref().expect("the last picture stays");
    assert_eq!(showing.position_nanos, showing.duration_nanos, "the bar is full");
    let closed = commands(state.handle(Action::ClosePlayer, moment()));
    assert!(closed == [NetCommand::Stop { stream }], "the server keeps the stream until then, so that one can go back");
    assert_eq!(stage(&state), None);
}

#[test]
fn events_of_another_stream_change_nothing() {
    let mut state = joined();
    let old = scenes::watch(&mut state, 1);
    let stream = scenes::watch(&mut state, 2);
    scenes::start(&mut state, old, 1);
    assert!(
        state
            .apply(NetEvent::StreamEnded { stream: old, epoch: Epoch(0), reason: EndReason::Stopped }, moment())
            .is_empty()
    );
    state.report(scenes::report(old, 5, 1440), moment());
    let showing = state.player.showing.as_ref().expect("the second plays");
    assert_eq!((showing.stream, &showing.stage, showing.segments.len()), (stream, &Stage::Opening, 0));
}

#[test]
fn a_stream_that_fails_or_loses_its_connection_says_so() {
    let failed = scenes::scene("failed").player.showing.map(|showing| showing.stage);
    assert_eq!(failed, Some(Stage::Failed("the file breaks off after frame 251".into())));
    let mut state = scenes::playing();
    let effects = state.apply(NetEvent::Offline(lost()), moment());
    assert!(effects == [Effect::SuspendPlayback], "the last picture stays");
    assert_eq!(showing(&state).stage, Stage::Interrupted);
}

#[test]
fn pausing_and_going_on_are_at_once() {
    let mut state = scenes::playing();
    assert!(state.handle(Action::TogglePause, moment()) == [Effect::Pause(true)]);
    assert!(showing(&state).is_paused);
    assert!(state.handle(Action::TogglePause, moment()) == [Effect::Pause(false)]);
    assert!(!showing(&state).is_paused);
    state = joined();
    assert!(state.handle(Action::TogglePause, moment()).is_empty(), "nothing plays");
}

#[test]
fn a_seek_is_a_new_epoch_and_goes_to_the_network_first() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    state.handle(Action::TogglePause, moment());
    let effects = state.handle(Action::SeekTo(3 * SECOND), moment());
    let [Effect::Net(command), Effect::BeginEpoch { epoch: Epoch(1), is_paused: true, .. }] = &effects[..] else {
        panic!("the grant comes with the epoch, and a paused video stays paused")
    };
    assert!(*command == seek(stream, 1, Position::Time(3 * SECOND)));
    assert_eq!(showing(&state).position_nanos, 3 * SECOND, "the bar is there before the picture");
    // What is left of the old epoch changes nothing.
    state.report(scenes::report(stream, 11, 720), moment());
    assert_eq!(showing(&state).position_nanos, 3 * SECOND);
    let ended = NetEvent::StreamEnded { stream, epoch: Epoch(0), reason: EndReason::Finished };
    assert!(state.apply(ended, moment()).is_empty());
    assert!(arrived(&mut state, 75, moment()).is_empty());
    assert_eq!(showing(&state).position_nanos, 3 * SECOND);
}

#[test]
fn a_drag_asks_as_fast_as_pictures_come_and_ends_where_it_ends() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    let now = moment();
    let mut asked = Vec::new();
    for second in 1..=9 {
        asked.extend(commands(state.handle(Action::SeekTo(second * SECOND), now)));
        assert_eq!(showing(&state).position_nanos, second * SECOND);
    }
    assert!(asked == [seek(stream, 1, Position::Time(SECOND))], "one is under way");
    let next = commands(arrived(&mut state, 25, now));
    assert!(next == [seek(stream, 2, Position::Time(9 * SECOND))], "then the last one that was requested");
    assert!(arrived(&mut state, 225, now).is_empty());
    // A server that does not answer delays the next seek only for a short time.
    state.handle(Action::SeekTo(SECOND), now);
    let later = Moment { instant: now.instant + Duration::from_secs(1), ..now };
    assert!(!state.handle(Action::SeekTo(2 * SECOND), later).is_empty());
}

#[test]
fn arrow_keys_skip_from_where_one_is_going() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    let first = commands(state.handle(Action::SeekBy(5 * SECOND as i64), moment()));
    assert!(first == [seek(stream, 1, Position::Time(15 * SECOND))]);
    state.handle(Action::SeekBy(5 * SECOND as i64), moment());
    state.handle(Action::SeekBy(5 * SECOND as i64), moment());
    assert_eq!(showing(&state).position_nanos, 22_120_000_000, "not beyond the end");
    state.handle(Action::SeekBy(-60 * SECOND as i64), moment());
    assert_eq!(showing(&state).position_nanos, 0, "nor before the start");
}

#[test]
fn steps_name_pictures_and_pause() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    let effects = state.handle(Action::Step(1), moment());
    assert!(effects[0] == Effect::Pause(true));
    assert!(commands(effects) == [seek(stream, 1, Position::Picture(251))]);
    assert!(state.handle(Action::Step(1), moment()).is_empty(), "one at a time");
    assert!(commands(arrived(&mut state, 251, moment())) == [seek(stream, 2, Position::Picture(252))]);
    arrived(&mut state, 252, moment());
    assert!(commands(state.handle(Action::Step(-1), moment())) == [seek(stream, 3, Position::Picture(251))]);
    arrived(&mut state, 251, moment());
    assert!(commands(state.handle(Action::SeekToLast, moment())) == [seek(stream, 4, Position::Picture(551))]);
    arrived(&mut state, 551, moment());
    assert!(commands(state.handle(Action::Step(5), moment())) == [seek(stream, 5, Position::Picture(551))]);
    assert!(showing(&state).is_paused);
}

#[test]
fn another_quality_goes_on_at_the_picture_on_the_screen() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    let choose = |choice| Action::SetQuality(choice);
    assert!(state.handle(choose(QualityChoice::default()), moment()).is_empty(), "it is that already");
    for choice in [QualityChoice::Fixed(Quality::Only(99)), QualityChoice::Automatic { max_height: Some(99) }] {
        assert!(state.handle(choose(choice), moment()).is_empty(), "the video has no such files");
    }
    let quality = Quality::Only(1440);
    let effects = state.handle(choose(QualityChoice::Fixed(quality)), moment());
    let expected = NetCommand::SetQuality(SetQualityRequest {
        stream,
        epoch: Epoch(1),
        quality,
        at: Position::Picture(250),
        delivery: Delivery::FULL,
    });
    assert!(commands(effects) == [expected]);
    let started = NetEvent::StreamStarted(StreamStart {
        stream,
        epoch: Epoch(1),
        video: VideoId(1),
        duration_nanos: 22 * SECOND,
        frame_count: 550,
        segments: vec![SegmentInfo {
            height: 1440,
            first_index: 0,
            frame_count: 550,
            start_nanos: 0,
            sent_height: 1440,
        }],
        first_index: 249,
        has_sound: true,
        delivery: Delivery::FULL,
    });
    state.apply(started, moment());
    assert_eq!((showing(&state).frame_count, showing(&state).position_nanos), (550, 249 * 40_000_000));
    // The same video plays again in the same way after its end; another one does not.
    let end = PlaybackStatus { epoch: Epoch(1), is_finished: true, ..scenes::report(stream, 22, 1440) };
    state.report(end, moment());
    assert_eq!(showing(&state).stage, Stage::Ended);
    let again = commands(state.handle(Action::Watch(VideoId(1)), moment()));
    assert!(matches!(again[0], NetCommand::Watch(WatchRequest { quality: Quality::Only(1440), .. })));
    let other = commands(state.handle(Action::Watch(VideoId(2)), moment()));
    assert!(matches!(other[0], NetCommand::Watch(WatchRequest { quality: Quality::Triptych, .. })));
}

#[test]
fn after_the_end_one_can_go_back() {
    let mut state = scenes::scene("ended");
    let stream = showing(&state).stream;
    assert!(commands(state.handle(Action::SeekTo(SECOND), moment())) == [seek(stream, 1, Position::Time(SECOND))]);
    assert_eq!(showing(&state).stage, Stage::Playing);
    state = scenes::scene("ended");
    let again = commands(state.handle(Action::TogglePause, moment()));
    assert!(again == [seek(stream, 1, Position::Time(0))], "the space bar plays again");
    // Not when the server has forgotten the stream.
    state = scenes::scene("ended");
    state.apply(NetEvent::Offline(lost()), moment());
    assert_eq!(showing(&state).stage, Stage::Ended);
    assert!(state.handle(Action::SeekTo(SECOND), moment()).is_empty());
}

#[test]
fn a_stream_that_fails_does_so_whatever_was_asked_meanwhile() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    state.handle(Action::SeekTo(SECOND), moment());
    let reason = EndReason::Failed("the video was removed".into());
    let failed = NetEvent::StreamEnded { stream, epoch: Epoch(0), reason };
    assert!(state.apply(failed, moment()) == [Effect::StopPlayback]);
    assert_eq!(showing(&state).stage, Stage::Failed("the video was removed".into()));
    assert!(state.handle(Action::SeekTo(SECOND), moment()).is_empty());
}

#[test]
fn the_volume_keeps_its_bounds_and_comes_back_after_mute() {
    let mut state = scenes::playing();
    assert!(state.handle(Action::ChangeVolume(10), moment()) == [Effect::Volume { percent: 100 }]);
    assert!(state.handle(Action::SetVolume(40), moment()) == [Effect::Volume { percent: 40 }]);
    assert!(state.handle(Action::ToggleMute, moment()) == [Effect::Volume { percent: 0 }]);
    assert!(state.handle(Action::ToggleMute, moment()) == [Effect::Volume { percent: 40 }]);
    state.handle(Action::ToggleMute, moment());
    assert!(state.handle(Action::ChangeVolume(-10), moment()).is_empty(), "turned down, silence stays silence");
    assert!(state.handle(Action::ChangeVolume(10), moment()) == [Effect::Volume { percent: 50 }], "and is heard");
    assert!(state.handle(Action::SetVolume(0), moment()) == [Effect::Volume { percent: 0 }]);
    assert!(
        state.handle(Action::ToggleMute, moment()) == [Effect::Volume { percent: 50 }],
        "as it was when it was heard"
    );
}

#[test]
fn a_click_on_the_video_that_plays_does_not_start_it_over() {
    let mut state = scenes::playing();
    let stream = showing(&state).stream;
    assert!(state.handle(Action::Watch(VideoId(1)), moment()).is_empty());
    assert_eq!((showing(&state).stream, showing(&state).position_nanos), (stream, 10 * SECOND));
    state.handle(Action::TogglePause, moment());
    assert!(state.handle(Action::Watch(VideoId(1)), moment()) == [Effect::Pause(false)], "a paused one continues");
    // Before the first picture too, as with a double click.
    let mut state = joined();
    scenes::watch(&mut state, 1);
    assert!(state.handle(Action::Watch(VideoId(1)), moment()).is_empty());
    for scene in ["ended", "failed"] {
        let mut state = scenes::scene(scene);
        let again = commands(state.handle(Action::Watch(VideoId(1)), moment()));
        assert!(matches!(again[..], [NetCommand::Watch(_)]), "{scene}");
    }
}

// ---- Library

#[test]
fn videos_are_listed_in_the_order_of_their_titles() {
    let titles = ["it's a clip", "Triptych sample", "Lecture 10", "Lecture 9"];
    let videos = titles.iter().zip(1..).map(|(title, id)| video(id, title, SECOND)).collect();
    let state = scenes::joined_with(Vec::new(), Library { videos, unplayable_count: 0 });
    let listed: Vec<_> = state.library.videos.iter().map(|video| video.title.as_str()).collect();
    assert_eq!(listed, ["it's a clip", "Lecture 9", "Lecture 10", "Triptych sample"]);
}

#[test]
fn what_plays_goes_on_when_the_library_changes() {
    let mut state = scenes::playing();
    let changed = Library { videos: vec![video(7, "New", SECOND)], unplayable_count: 0 };
    assert!(state.apply(NetEvent::LibraryChanged(changed.clone()), moment()).is_empty());
    assert_eq!(state.library, changed);
    assert_eq!(showing(&state).stage, Stage::Playing);
}

#[test]
fn small_pictures_are_asked_for_once_and_a_few_at_a_time() {
    let videos: Vec<_> = (1..=9).map(|id| video(id, &format!("Video {id}"), SECOND)).collect();
    let ids: Vec<_> = videos.iter().map(|video| video.id).collect();
    let mut state = scenes::joined_with(Vec::new(), Library { videos, unplayable_count: 0 });
    let asked = commands(state.see_videos(&ids));
    assert_eq!(asked.len(), 4);
    assert!(state.see_videos(&ids).is_empty(), "they are on their way");
    let came =
        |id: u64, jpeg: &[u8]| NetEvent::Thumbnail { video: VideoId(id), fingerprint: id, jpeg: Blob(jpeg.to_vec()) };
    let shown = state.apply(came(1, b"picture"), moment());
    assert!(shown == [Effect::ShowThumbnail { key: (VideoId(1), 1), jpeg: b"picture".to_vec() }]);
    assert!(state.apply(came(2, b""), moment()).is_empty(), "there is none");
    assert_eq!(commands(state.see_videos(&ids)).len(), 1, "the first still waits to be decoded");
    assert!(state.see_videos(&ids[..2]).is_empty(), "neither is asked for again");
    assert!(state.thumbnail_decoded((VideoId(1), 1), true), "the window keeps it");
    // A video with other files needs another picture.
    let mut changed = state.library.clone();
    changed.videos[0].fingerprint = 99;
    let effects = state.apply(NetEvent::LibraryChanged(changed), moment());
    assert!(effects == [Effect::DropThumbnail((VideoId(1), 1))]);
    // What was under way is lost with the connection.
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.see_videos(&ids).is_empty());
    state.apply(scenes::online(Vec::new(), state.library.clone()), moment());
    assert_eq!(commands(state.see_videos(&ids)).len(), 4);
}

#[test]
fn thumbnails_that_were_not_asked_for_are_not_taken() {
    let mut state = joined();
    let came = |id: u64| NetEvent::Thumbnail { video: VideoId(id), fingerprint: id, jpeg: Blob(b"picture".to_vec()) };
    assert!(state.apply(came(1), moment()).is_empty());
    assert_eq!(state.see_videos(&[VideoId(1)]).len(), 1);
    assert!(state.apply(came(2), moment()).is_empty(), "another one was asked for");
    assert_eq!(state.apply(came(1), moment()).len(), 1);
    assert!(state.apply(came(1), moment()).is_empty(), "once");
}

#[test]
fn thumbnails_that_wait_to_be_decoded_hold_back_further_ones() {
    let videos: Vec<_> = (1..=60).map(|id| video(id, &format!("Video {id}"), SECOND)).collect();
    let ids: Vec<_> = videos.iter().map(|video| video.id).collect();
    let mut state = scenes::joined_with(Vec::new(), Library { videos, unplayable_count: 0 });
    let answer = |state: &mut State| {
        let mut decoding = Vec::new();
        for command in commands(state.see_videos(&ids)) {
            let NetCommand::AskThumbnail { video } = command else { panic!("nothing else is asked for") };
            let came = NetEvent::Thumbnail { video, fingerprint: video.0, jpeg: Blob(b"picture".to_vec()) };
            for effect in state.apply(came, moment()) {
                let Effect::ShowThumbnail { key, .. } = effect else { panic!("it is shown") };
                decoding.push(key);
            }
        }
        decoding
    };
    let first = answer(&mut state);
    assert_eq!(first.len(), 4);
    assert!(answer(&mut state).is_empty(), "the decode thread is busy with them");
    for key in &first[..2] {
        assert!(state.thumbnail_decoded(*key, true));
    }
    assert!(!state.thumbnail_decoded(first[2], false), "what cannot be decoded is not kept");
    assert_eq!(answer(&mut state).len(), 3, "and makes room for another");
}

#[test]
fn a_thumbnail_whose_texture_was_freed_is_shown_again_without_asking_for_it() {
    // More than are kept as textures.
    let videos: Vec<_> = (1..=250).map(|id| video(id, &format!("Video {id:03}"), SECOND)).collect();
    let ids: Vec<_> = videos.iter().map(|video| video.id).collect();
    let mut state = scenes::joined_with(Vec::new(), Library { videos, unplayable_count: 0 });
    let mut dropped = Vec::new();
    for &id in &ids {
        assert!(commands(state.see_videos(&[id])) == [NetCommand::AskThumbnail { video: id }]);
        let came = NetEvent::Thumbnail { video: id, fingerprint: id.0, jpeg: Blob(b"picture".to_vec()) };
        let effects = state.apply(came, moment());
        dropped.extend(effects.into_iter().filter(|effect| matches!(effect, Effect::DropThumbnail(_))));
        assert!(state.thumbnail_decoded((id, id.0), true));
    }
    assert!(dropped.len() == 50 && dropped[0] == Effect::DropThumbnail((ids[0], ids[0].0)));
    // The server sends it only once on a connection.
    let shown = Effect::ShowThumbnail { key: (ids[0], ids[0].0), jpeg: b"picture".to_vec() };
    assert!(state.see_videos(&ids[..1])[..1] == [shown]);
}

#[test]
fn a_thumbnail_that_was_dropped_while_it_was_decoded_is_not_kept() {
    let mut state = joined();
    state.see_videos(&[VideoId(1)]);
    let came = NetEvent::Thumbnail { video: VideoId(1), fingerprint: 1, jpeg: Blob(b"picture".to_vec()) };
    assert_eq!(state.apply(came, moment()).len(), 1);
    let effects = state.apply(NetEvent::LibraryChanged(Library::default()), moment());
    assert!(effects == [Effect::DropThumbnail((VideoId(1), 1))]);
    assert!(!state.thumbnail_decoded((VideoId(1), 1), true));
}

#[test]
fn a_stream_of_which_nothing_can_be_decoded_has_failed_and_not_ended() {
    let mut state = joined();
    let stream = scenes::watch(&mut state, 1);
    scenes::start(&mut state, stream, 1);
    let unreadable = PlaybackStatus {
        position_nanos: None,
        shown: None,
        hold: Some(Hold::Unreadable),
        ..scenes::report(stream, 0, 240)
    };
    state.report(unreadable, moment());
    assert_eq!((&showing(&state).stage, showing(&state).hold), (&Stage::Opening, Some(Hold::Unreadable)));
    state.report(PlaybackStatus { is_finished: true, ..unreadable }, moment());
    assert!(matches!(showing(&state).stage, Stage::Failed(_)));
}
