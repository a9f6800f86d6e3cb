//! What is shown over the seek bar: a small picture of the place that is pointed at, or that a key has moved the knob to.

use std::time::Duration;

use common::{media::VideoId, message::Blob};
use egui::{Key, Modifiers, Pos2, Rect};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::{NetCommand, NetEvent, PreviewKey, ReceivedPreview},
    state::{
        State,
        action::{Action, Moment},
        effect::Effect,
        player::view::PlayerView,
    },
};

use crate::support::{
    scenes::{self, lost, moment, previewed},
    window::{Window, press, show, window},
};

const SECOND: u64 = 1_000_000_000;

fn bar(harness: &Harness<'static, Window>) -> Rect {
    harness.get_by_label("Position in the video").rect()
}

fn point_at(harness: &mut Harness<'static, Window>, share: f32) -> Pos2 {
    let bar = bar(harness);
    let place = egui::pos2(bar.left() + bar.width() * share, bar.top() + 4.0);
    harness.hover_at(place);
    harness.run();
    place
}

/// What the server was asked about previews.
fn asked(harness: &Harness<'static, Window>) -> Vec<Option<VideoId>> {
    let asked = |command: &NetCommand| match command {
        NetCommand::AskPreviews(video) => Some(*video),
        _ => None,
    };
    harness.state().commands().into_iter().filter_map(asked).collect()
}

fn key_of(state: &State, pts_nanos: u64) -> PreviewKey {
    let video = &state.player.showing.as_ref().expect("something plays").video;
    PreviewKey { video: video.id, fingerprint: video.fingerprint, pts_nanos }
}

fn preview(key: PreviewKey) -> NetEvent {
    NetEvent::Preview(ReceivedPreview { key, jpeg: Blob(vec![0]) })
}

#[test]
fn previews_are_asked_for_once_and_only_when_the_bar_is_pointed_at() {
    let mut harness = show("playing");
    assert_eq!(asked(&harness), []);
    let video = harness.state().state.player.showing.as_ref().unwrap().video.id;
    for share in [0.2, 0.4, 0.6] {
        point_at(&mut harness, share);
    }
    assert_eq!(asked(&harness), [Some(video)]);
    // Until there is one, there is the time.
    harness.get_by_label("0:13 · 720p");
    assert!(harness.query_by_label_contains("Preview of").is_none());
}

#[test]
fn the_picture_of_a_place_is_over_it_and_goes_with_the_pointer() {
    let mut harness = show("previews");
    let place = point_at(&mut harness, 0.5);
    let card = harness.get_by_label("Preview of 0:11 · 720p").rect();
    assert!((card.center().x - place.x).abs() < 2.0 && card.bottom() < bar(&harness).top(), "{card:?} over {place:?}");
    assert!((card.width() / card.height() - 16.0 / 9.0).abs() < 0.02, "it keeps its shape");
    let caption = harness.get_by_label("0:11 · 720p").rect();
    assert!(caption.top() >= card.bottom() && caption.bottom() < bar(&harness).top());
    harness.hover_at(card.center());
    harness.run();
    assert!(harness.query_by_label_contains("Preview of").is_none(), "it does not stay under the pointer");
    harness.hover_at(egui::pos2(5.0, 5.0));
    harness.run();
    assert!(harness.query_by_label_contains("Preview of").is_none());
}

#[test]
fn it_is_within_the_window_whatever_its_size() {
    for (size, zoom) in [([1200.0, 760.0], 1.0), ([600.0, 400.0], 1.0), ([1200.0, 800.0], 2.0), ([900.0, 500.0], 1.0)] {
        for view in [PlayerView::Docked, PlayerView::Theatre, PlayerView::FullScreen] {
            let mut state = previewed();
            if view != PlayerView::Docked {
                state.handle(Action::ToggleView(view), moment());
            }
            let mut harness = window(state, size);
            harness.ctx.set_zoom_factor(zoom);
            harness.run();
            let all = harness.ctx.content_rect();
            for share in [0.001, 0.3, 0.999] {
                point_at(&mut harness, share);
                let card = harness.get_by_label_contains("Preview of").rect();
                assert!(all.contains_rect(card), "{view:?} in {size:?} at {zoom}: {card:?} in {all:?}");
                assert!(card.bottom() < bar(&harness).top(), "{view:?} in {size:?} at {zoom}");
            }
        }
    }
}

#[test]
fn a_key_that_moves_the_knob_shows_the_place_for_a_moment() {
    let mut harness = show("previews");
    harness.get_by_label("Position in the video").focus();
    harness.run();
    assert!(harness.query_by_label_contains("Preview of").is_none(), "nothing was moved");
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    harness.get_by_label("Preview of 0:15 · 1440p");
    let spoken = harness.get_by_label("Position in the video");
    assert_eq!(
        spoken.accesskit_node().value().as_deref(),
        Some("15 seconds of 22 seconds, 1440p"),
        "it speaks the time"
    );
    let later = Moment { instant: moment().instant + Duration::from_secs(3), ..moment() };
    harness.state_mut().now = Some(later);
    harness.run();
    assert!(harness.query_by_label_contains("Preview of").is_none());
}

#[test]
fn a_key_shows_nothing_while_the_bar_has_no_focus() {
    let mut harness = show("previews");
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert!(harness.query_by_label_contains("Preview of").is_none());
}

#[test]
fn the_previews_of_a_video_go_with_it() {
    let mut state = previewed();
    let key = key_of(&state, SECOND);
    let effects = state.handle(Action::Watch(VideoId(2)), moment());
    assert!(effects.contains(&Effect::DropPreviews));
    assert!(effects.contains(&Effect::Net(NetCommand::AskPreviews(None))));
    assert!(state.apply(preview(key), moment()).is_empty(), "one that was on its way is late");
    assert_eq!(state.player.preview_near(0), None);
    // Of another state of its files.
    state.handle(Action::WantPreviews, moment());
    let changed = PreviewKey { fingerprint: 99, ..key_of(&state, SECOND) };
    assert!(state.apply(preview(changed), moment()).is_empty());
}

#[test]
fn they_are_asked_for_again_on_another_connection_and_kept_meanwhile() {
    let mut state = previewed();
    assert!(!state.player.lacks_previews());
    state.apply(NetEvent::Offline(lost()), moment());
    assert!(state.player.lacks_previews());
    assert!(state.handle(Action::WantPreviews, moment()).is_empty(), "there is no connection");
    assert!(state.player.preview_near(SECOND).is_some());
}

#[test]
fn a_closed_player_has_none() {
    let mut state = previewed();
    let effects = state.handle(Action::StopWatching, moment());
    assert!(effects.contains(&Effect::DropPreviews));
    assert!(!state.player.lacks_previews(), "there is nothing to have any of");
    assert!(state.handle(Action::WantPreviews, moment()).is_empty());
    let state = scenes::scene("playing");
    assert!(state.player.lacks_previews());
}
