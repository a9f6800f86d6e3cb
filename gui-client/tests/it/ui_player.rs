//! The controls under the picture, and the keys, operated by what a screen reader would read.

use std::time::Duration;

use common::media::{Position, Quality, SeekRequest, SetQualityRequest, VideoId};
use egui::{Key, Modifiers, accesskit};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::{Hold, NetCommand},
    state::{
        action::{Action, Moment},
        player::{Showing, view::PlayerView},
    },
};

use crate::support::{
    scenes::{self, moment},
    window::{Window, build, double_click, painted, press, show, window},
};

const SECOND: u64 = 1_000_000_000;

fn showing<'a>(harness: &'a Harness<'static, Window>) -> &'a Showing {
    harness.state().state.player.showing.as_ref().expect("something plays")
}

/// What the last action asked of the server.
fn last_command(harness: &Harness<'static, Window>) -> NetCommand {
    (*harness.state().commands().last().expect("the server was asked")).clone()
}

#[test]
fn pause_becomes_play_and_back() {
    let mut harness = show("playing");
    harness.get_by_label("Pause").click();
    harness.run();
    harness.get_by_label("Play").click();
    harness.run();
    harness.get_by_label("Pause");
    harness.get_by_label_contains("Picture of").click();
    harness.run();
    assert!(showing(&harness).is_paused, "a click on the picture does it too");
    assert!(harness.state().commands().is_empty(), "the server need not be told");
}

#[test]
fn a_click_on_the_bar_goes_there() {
    let mut harness = show("playing");
    harness.get_by_label("Position in the video").click();
    harness.run();
    let NetCommand::Seek(SeekRequest { to: Position::Time(nanos), .. }) = last_command(&harness) else {
        panic!("it goes to a time")
    };
    assert!(nanos.abs_diff(11_060_000_000) < SECOND / 5, "the middle: {nanos}");
    harness.get_by_label("0:11 / 0:22");
}

#[test]
fn a_drag_along_the_bar_shows_where_it_goes() {
    let mut harness = show("playing");
    let bar = harness.get_by_label("Position in the video").rect();
    let at = |share: f32| egui::pos2(bar.left() + bar.width() * share, bar.top() + 4.0);
    harness.hover_at(at(0.25));
    harness.run();
    harness.get_by_label("0:05 · 240p");
    harness.drag_at(at(0.25));
    harness.run();
    for share in [0.3, 0.5, 0.75] {
        harness.hover_at(at(share));
        harness.run();
    }
    harness.get_by_label("0:16 · 1440p");
    harness.drop_at(at(0.75));
    harness.run();
    assert!(showing(&harness).position_nanos.abs_diff(16_590_000_000) < SECOND / 5);
}

#[test]
fn nothing_is_sought_before_the_server_has_answered() {
    let mut harness = show("opening");
    harness.get_by_label("Position in the video").click();
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert!(harness.state().commands().is_empty());
}

#[test]
fn the_resolution_menu_offers_what_the_video_has() {
    let mut harness = show("playing");
    harness.get_by_label("Resolution: Triptych").click();
    harness.run();
    for name in [
        "Triptych (240p to 1440p)",
        "Triptych, at most 720p",
        "Triptych, at most 240p",
        "Triptych, every picture",
        "240p",
        "1440p",
    ] {
        harness.get_by_label(name);
    }
    assert_eq!(harness.get_all_by_label("720p").count(), 2, "in the menu and on the picture");
    harness.get_by_label("1440p").click();
    harness.run();
    let NetCommand::SetQuality(SetQualityRequest { quality, at, .. }) = last_command(&harness) else {
        panic!("the server is asked")
    };
    assert_eq!((quality, at), (Quality::Only(1440), Position::Picture(250)));
    harness.get_by_label("Resolution: 1440p");
    assert!(harness.query_by_label("240p").is_none(), "the menu is closed");
}

#[test]
fn the_bar_takes_arrows_when_it_has_the_focus() {
    let mut harness = show("playing");
    harness.get_by_label("Position in the video").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    let skip = Action::SeekBy(5 * SECOND as i64);
    let skips = harness.state().actions.iter().filter(|action| **action == skip).count();
    assert_eq!(skips, 2, "{:?}", harness.state().actions);
    assert!(harness.get_by_label("Position in the video").is_focused());
}

#[test]
fn sound_is_turned_down_off_and_on() {
    let mut harness = show("playing");
    harness.get_by_label("Volume").click();
    harness.run();
    assert_eq!(harness.state().state.player.volume_percent, 50);
    harness.get_by_label("Mute").click();
    harness.run();
    assert!(harness.state().state.player.is_muted);
    harness.get_by_label("Unmute").click();
    harness.run();
    assert_eq!(harness.get_by_label("Volume").accesskit_node().numeric_value(), Some(50.0));
}

#[test]
fn a_silent_video_has_no_volume() {
    let mut state = scenes::joined();
    state.library.videos[0].has_sound = false;
    state.handle(Action::Watch(VideoId(1)), moment());
    let harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("Pause");
    assert!(harness.query_by_label("Mute").is_none());
    harness.get_by_label("Play A walk by the river, 0:22 · 240p · 720p · 1440p");
}

#[test]
fn after_the_end_the_bar_leads_back() {
    let mut harness = show("ended");
    harness.get_by_label("Play again");
    harness.get_by_label("Position in the video").click();
    harness.run();
    assert!(matches!(last_command(&harness), NetCommand::Seek(_)));
    harness.get_by_label("Pause");
    assert!(harness.query_by_label("The end").is_none());
}

#[test]
fn the_end_offers_what_comes_next_and_takes_no_double_click_for_it() {
    let mut harness = show("ended");
    harness.get_by_label("The end");
    harness.get_by_label("Close");
    let next = harness.get_by_label_contains("Next: Ein sehr langer Titel").rect().center();
    double_click(&mut harness, next);
    let watched = harness.state().actions.iter().filter(|action| matches!(action, Action::WatchNeighbour(1))).count();
    assert_eq!(watched, 1, "the second click meets something else: {:?}", harness.state().actions);
    assert_eq!(showing(&harness).video.id, VideoId(3));
    assert_eq!(harness.state().state.player.view(), PlayerView::Docked);
    assert!(!showing(&harness).is_paused, "the second click paused nothing");
}

#[test]
fn the_bar_speaks_and_a_screen_reader_can_move_it() {
    let mut harness = show("playing");
    let bar = harness.get_by_label("Position in the video");
    assert_eq!(bar.accesskit_node().value().as_deref(), Some("10 seconds of 22 seconds, 720p"));
    let (target_node, target_tree) = bar.accesskit_node().locate();
    let action = accesskit::Action::Increment;
    let request = accesskit::ActionRequest { action, target_node, target_tree, data: None };
    harness.event(egui::Event::AccessKitActionRequest(request));
    harness.run();
    assert_eq!(harness.state().actions, [Action::SeekBy(5 * SECOND as i64)]);
}

#[test]
fn a_splice_is_announced_for_a_moment() {
    let mut harness = show("splice");
    harness.get_by_label("Now 1440p");
    let later = Moment { instant: moment().instant + Duration::from_secs(2), ..moment() };
    harness.state_mut().now = Some(later);
    harness.run();
    assert!(harness.query_by_label("Now 1440p").is_none());
    harness.get_by_label("1440p");
}

#[test]
fn the_announcement_of_a_splice_hides_nothing_that_is_said_over_the_picture() {
    let mut harness = show("splice");
    harness.state_mut().state.player.showing.as_mut().unwrap().hold = Some(Hold::Decoder);
    harness.run();
    let announced = harness.get_by_label("Now 1440p").rect();
    let said = harness.get_by_label("This computer is too slow for this resolution.").rect();
    assert!(!announced.intersects(said), "{announced} covers {said}");
}

#[test]
fn what_was_watched_before_goes_on_and_can_start_over() {
    let mut harness = show("resumed");
    harness.get_by_label("Went on at 0:10.");
    harness.get_by_label("Start from the beginning").click();
    harness.run();
    let NetCommand::Seek(SeekRequest { to: Position::Time(0), .. }) = last_command(&harness) else {
        panic!("it starts over")
    };
    assert!(harness.query_by_label("Went on at 0:10.").is_none());
}

#[test]
fn without_a_sound_device_the_button_says_so() {
    let harness = show("no-device");
    harness.get_by_label("No sound device");
    assert!(harness.query_by_label("Mute").is_none());
}

#[test]
fn a_lost_connection_is_said_over_the_picture() {
    let harness = show("interrupted");
    harness.get_by_label("Connection lost. Playback resumes when it is back.");
    harness.get_by_label("0:10 / 0:22");
}

#[test]
fn what_covers_the_picture_is_set_evenly_and_no_badge_shines_through() {
    for (scene, words) in [("failed", "breaks off after frame 251"), ("ended", "The end")] {
        let harness = show(scene);
        let texts = painted(&harness, words);
        let [text] = &texts[..] else { panic!("{scene}: {} texts", texts.len()) };
        assert!(!text.galley.job.justify, "{scene}: the words keep their distances");
        assert!(harness.query_by_label("720p").is_none() && harness.query_by_label("1440p").is_none(), "{scene}");
    }
}

#[test]
fn the_buttons_after_the_end_stay_inside_the_picture_at_any_width() {
    for width in (480..=800).step_by(16) {
        let harness = window(scenes::scene("ended"), [width as f32, 376.0]);
        let picture = harness.get_by_label("The end").rect();
        for label in ["Play again", "Next", "Close"] {
            let buttons = harness.query_all_by_label_contains(label).map(|button| button.rect());
            for button in buttons.filter(|button| picture.y_range().contains(button.center().y)) {
                assert!(picture.expand(0.5).contains_rect(button), "{width}: {label} at {button:?} in {picture:?}");
            }
        }
    }
}

#[test]
fn nothing_is_cut_off_in_a_small_or_magnified_window() {
    for (size, zoom) in [([1200.0, 760.0], 1.0), ([600.0, 400.0], 1.0), ([1200.0, 760.0], 2.0), ([760.0, 520.0], 1.0)] {
        for view in [PlayerView::Docked, PlayerView::Theatre, PlayerView::FullScreen] {
            let mut state = scenes::playing();
            state.handle(Action::ToggleView(view), moment());
            let builder = egui_kittest::Harness::builder().with_size([size[0] / zoom, size[1] / zoom]);
            let mut harness = build(state, builder.with_pixels_per_point(zoom));
            // Controls over a picture come with a movement.
            harness.hover_at(egui::pos2(90.0, 90.0));
            harness.step();
            let room = egui::Rect::from_min_size(egui::Pos2::ZERO, harness.ctx.content_rect().size());
            let picture = harness.get_by_label_contains("Picture of").rect();
            for name in ["Pause", "Full screen", "Leave full screen", "More", "Stop", "Mute", "Position in the video"] {
                for node in harness.query_all_by_label(name) {
                    let rect = node.rect();
                    assert!(room.contains_rect(rect), "{name} at {rect:?} in {size:?}, zoom {zoom}, {view:?}");
                    let is_clear = view == PlayerView::FullScreen || rect.top() >= picture.bottom();
                    assert!(is_clear, "{name} at {rect:?} covers the picture {picture:?}");
                }
            }
            harness.get_by_label("Pause");
            let has_stop = harness.query_by_label("Stop").is_some();
            if !has_stop {
                harness.get_by_label("More").click();
                harness.run();
                harness.get_by_label("Stop (Q)");
            }
        }
    }
}

#[test]
fn a_video_that_is_taken_away_says_so_and_cannot_be_tried_again() {
    let mut state = scenes::scene("playing");
    let stream = state.player.showing.as_ref().expect("it plays").stream;
    state.library.videos.remove(0);
    let reason = common::message::EndReason::Failed("its files were removed from the server".into());
    let ended = triptych_client::event::NetEvent::StreamEnded { stream, epoch: common::media::Epoch(0), reason };
    state.apply(ended, moment());
    let mut harness = window(state, [1200.0, 760.0]);
    harness.get_by_label_contains("Its files were removed from the server");
    harness.get_by_label("Try again").click();
    harness.run();
    assert!(harness.state().commands().is_empty());
}
