//! The controls under the picture, and the keys, operated by what a screen reader would read.

use common::media::{Position, Quality, SeekRequest, SetQualityRequest, VideoId};
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::NetCommand,
    state::{action::Action, player::Showing},
};

use crate::support::{
    scenes::{self, moment},
    window::{Window, press, show, window},
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
    harness.get_by_label("0:05");
    harness.drag_at(at(0.25));
    harness.run();
    for share in [0.3, 0.5, 0.75] {
        harness.hover_at(at(share));
        harness.run();
    }
    harness.get_by_label("0:16");
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
    harness.get_by_label("Resolution: Automatic").click();
    harness.run();
    for name in [
        "Automatic (240p to 1440p)",
        "Automatic, at most 720p",
        "Automatic, at most 240p",
        "Triptych, all pictures",
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
fn keys_control_the_video_when_nothing_else_has_the_focus() {
    let mut harness = show("playing");
    for key in [Key::Space, Key::M, Key::ArrowDown, Key::ArrowUp, Key::Comma, Key::End, Key::Home, Key::ArrowLeft] {
        press(&mut harness, Modifiers::NONE, key);
    }
    press(&mut harness, Modifiers::COMMAND, Key::M);
    let expected = [
        Action::TogglePause,
        Action::ToggleMute,
        Action::ChangeVolume(-10),
        Action::ChangeVolume(10),
        Action::Step(-1),
        Action::SeekToLast,
        Action::SeekTo(0),
        Action::SeekBy(-5 * SECOND as i64),
    ];
    assert_eq!(harness.state().actions, expected);
}

#[test]
fn keys_that_are_typed_are_not_meant_for_the_video() {
    let mut harness = show("playing");
    harness.get_by_label("Message to bob").click();
    harness.run();
    harness.state_mut().actions.clear();
    for key in [Key::Space, Key::M, Key::Period, Key::ArrowLeft, Key::ArrowUp, Key::Home] {
        press(&mut harness, Modifiers::NONE, key);
    }
    assert!(harness.state().actions.is_empty(), "{:?}", harness.state().actions);
}

#[test]
fn the_bar_takes_arrows_when_it_has_the_focus() {
    let mut harness = show("playing");
    harness.get_by_label("Position in the video").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    let skip = Action::SeekBy(5 * SECOND as i64);
    assert_eq!(harness.state().actions, [skip.clone(), skip]);
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
