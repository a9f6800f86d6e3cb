//! Scenes of the player, from opening a video to its end.

use std::time::Duration;

use common::{
    media::{Delivery, Epoch, Library, Position, Quality, SegmentInfo, StreamId, StreamStart, VideoId},
    message::{Blob, EndReason},
};
use triptych_client::{
    event::{Hold, NetEvent, PlaybackStatus, PreviewKey, ReceivedPreview},
    figures::{DecodingTime, Figures, Tally},
    state::{
        State,
        action::{Action, Moment},
        player::{quality::QualityChoice, view::PlayerView},
    },
};

use super::{
    ada, bob, joined_with, lost, moment, person, playing, report, segments, start, stream_start, talked, video, watch,
};

fn before(now: Moment, millis: u64) -> Moment {
    let instant = now.instant.checked_sub(Duration::from_millis(millis)).expect("the system has run for longer");
    Moment { instant, ..now }
}

/// Some time ago.
fn earlier(millis: u64) -> Moment {
    before(moment(), millis)
}

fn stream(state: &State) -> StreamId {
    state.player.showing.as_ref().expect("it plays").stream
}

/// What the player has counted after this number of pictures at 25 frames/s, each of 100 KB with its sound.
pub fn figures(stream: StreamId, pictures: u64) -> Figures {
    Figures {
        stream,
        tally: Tally {
            shown: pictures - 21,
            received: pictures,
            received_span: Duration::from_millis(40 * pictures),
            received_bytes: 100_000 * pictures,
            from_memory: pictures - 40,
            from_disk: 30,
            from_decoder: 10,
            late_at_decoder: 2,
            unshown_at_seek: 19,
            stalls: 1,
            seeks: 1,
            ..Tally::default()
        },
        buffered: Duration::from_millis(790),
        buffered_pictures: 19,
        first_picture_after: Some(Duration::from_millis(23)),
        seek_picture_after: Some(Duration::from_millis(11)),
        decoding: Some(DecodingTime { recent: Duration::from_micros(5_400), most: Duration::from_micros(9_120) }),
    }
}

/// The video has stalled for half a second, and ten of its 25 pictures per second arrive.
pub fn starved(now: Moment) -> State {
    let mut state = playing();
    let stream = stream(&state);
    state.take_figures(figures(stream, 250), before(now, 2_000));
    let at = report(stream, 10, 720);
    let held = PlaybackStatus { hold: Some(Hold::Source), buffered_until_nanos: at.position_nanos, ..at };
    state.report(held, before(now, 500));
    state.take_figures(figures(stream, 270), now);
    state.report(PlaybackStatus { epoch_bytes: held.epoch_bytes + 400_000, ..held }, now);
    state
}

/// In the last third, with the delivery that the ladder has chosen for a link of this rate.
pub fn on_a_link(mbit: f64, delivery: Delivery) -> State {
    let mut state = playing();
    let stream = stream(&state);
    let wanted = PlaybackStatus {
        wanted_delivery: Some(delivery),
        link_bytes_per_second: Some((mbit * 125_000.0) as u64),
        continue_at: Some(Position::Time(18_000_000_000)),
        ..report(stream, 17, 1440)
    };
    state.report(wanted, moment());
    let height = delivery.max_height.unwrap_or(1440);
    let sent = |segment: SegmentInfo| SegmentInfo { sent_height: segment.height.min(height), ..segment };
    let started = NetEvent::StreamStarted(StreamStart {
        epoch: Epoch(1),
        segments: segments().into_iter().map(sent).collect(),
        delivery,
        ..stream_start(stream, 1)
    });
    state.apply(started, moment());
    state.report(PlaybackStatus { epoch: Epoch(1), ..report(stream, 18, height) }, moment());
    state
}

/// With a preview for every two seconds.
pub fn previewed() -> State {
    let mut state = playing();
    state.handle(Action::WantPreviews, moment());
    let video = state.player.showing.as_ref().expect("it plays").video.clone();
    for second in (1..video.duration_nanos / 1_000_000_000).step_by(2) {
        let pts_nanos = second * 1_000_000_000;
        let key = PreviewKey { video: video.id, fingerprint: video.fingerprint, pts_nanos };
        state.apply(NetEvent::Preview(ReceivedPreview { key, jpeg: Blob(vec![0]) }), moment());
        assert!(state.preview_decoded(key, true), "it is new");
    }
    state
}

pub fn scene(which: &str) -> Option<State> {
    let mut state = talked();
    match which {
        "opening" => {
            watch(&mut state, 1);
        }
        "opening-slowly" => {
            state.handle(Action::Watch(VideoId(1)), earlier(700));
        }
        "decoding" => {
            state.handle(Action::Watch(VideoId(1)), earlier(700));
            let stream = stream(&state);
            start(&mut state, stream, 1);
        }
        "playing" => state = playing(),
        "previews" => state = previewed(),
        // The ladder has taken a smaller delivery in the last third.
        "every-second" => state = on_a_link(38.0, Delivery { picture_step: 2, ..Delivery::FULL }),
        "substitute" => state = on_a_link(14.0, Delivery { max_height: Some(720), ..Delivery::FULL }),
        "lowest" => state = on_a_link(2.1, Delivery { picture_step: 2, max_height: Some(240), ..Delivery::FULL }),
        "statistics" => {
            state = playing();
            let stream = stream(&state);
            for tick in 0..=8 {
                state.take_figures(figures(stream, 200 + 6 * tick), earlier(250 * (8 - tick)));
            }
            state.apply(super::echo(Duration::from_micros(1_240)), moment());
            state.handle(Action::ToggleStatistics, moment());
        }
        "paused" => {
            state = playing();
            state.handle(Action::TogglePause, moment());
            state.handle(Action::SetVolume(30), moment());
            state.handle(Action::SetQuality(QualityChoice::Fixed(Quality::Only(720))), moment());
        }
        "portrait" => {
            let mut tall = video(4, "Upright", 22_120_000_000);
            for variant in &mut tall.variants {
                variant.picture_width = variant.picture_height * 9 / 16;
            }
            tall.has_sound = false;
            let library = Library { videos: vec![tall], unplayable_count: 0 };
            state = joined_with(vec![person("ada", ada()), person("bob", bob())], library);
            let stream = watch(&mut state, 4);
            start(&mut state, stream, 4);
            state.report(report(stream, 10, 720), moment());
        }
        "buffering" => state = starved(moment()),
        "splice" => {
            state = playing();
            let stream = stream(&state);
            state.report(report(stream, 14, 720), earlier(40));
            state.report(report(stream, 15, 1440), moment());
        }
        "resumed" => {
            state = playing();
            state.handle(Action::Watch(VideoId(2)), moment());
            state.handle(Action::Watch(VideoId(1)), moment());
            let stream = stream(&state);
            start(&mut state, stream, 1);
            state.report(report(stream, 10, 720), moment());
        }
        "theatre" => {
            state = playing();
            state.handle(Action::ToggleView(PlayerView::Theatre), moment());
        }
        "full-screen" => {
            state = playing();
            state.handle(Action::ToggleView(PlayerView::FullScreen), moment());
        }
        "all-keys" => {
            state = playing();
            state.handle(Action::ToggleKeysPage, moment());
        }
        "no-device" => {
            state = playing();
            let stream = stream(&state);
            state.report(PlaybackStatus { lacks_device: true, ..report(stream, 10, 720) }, moment());
        }
        "interrupted" => {
            state = playing();
            state.apply(NetEvent::Offline(lost()), moment());
        }
        "ended" => {
            state = playing();
            let stream = stream(&state);
            state.report(PlaybackStatus { is_finished: true, ..report(stream, 22, 1440) }, moment());
        }
        "failed" => {
            state = playing();
            let stream = stream(&state);
            let reason = EndReason::Failed("the file breaks off after frame 251".into());
            state.apply(NetEvent::StreamEnded { stream, epoch: Epoch(0), reason }, moment());
        }
        _ => return None,
    }
    Some(state)
}
