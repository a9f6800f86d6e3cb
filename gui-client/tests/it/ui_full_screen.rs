//! The room of the player: full screen, with controls that hide, and theatre.

use egui::{Key, Modifiers, ViewportCommand};
use egui_kittest::{Harness, kittest::Queryable};
use triptych_client::state::{action::Action, player::view::PlayerView};

use crate::support::{
    scenes,
    window::{Window, double_click, press, show, window},
};

fn view(harness: &Harness<'static, Window>) -> PlayerView {
    harness.state().state.player.view()
}

fn told(harness: &Harness<'static, Window>) -> Vec<bool> {
    let told = harness.state().viewport_commands.iter().filter_map(|command| match command {
        ViewportCommand::Fullscreen(is_full) => Some(*is_full),
        _ => None,
    });
    told.collect()
}

/// Some seconds pass in which nothing moves.
fn wait(harness: &mut Harness<'static, Window>, seconds: f64) {
    let now = harness.ctx.input(|input| input.time);
    for step in 1..=3 {
        harness.input_mut().time = Some(now + seconds * f64::from(step) / 3.0);
        harness.step();
    }
    harness.input_mut().time = None;
}

/// The pointer moves over the picture.
fn stir(harness: &mut Harness<'static, Window>) {
    harness.hover_at(egui::pos2(300.0, 200.0));
    harness.step();
}

#[test]
fn keys_and_the_button_give_the_picture_the_screen_and_take_it_back() {
    for (enter, leave) in [(Key::F, Key::Escape), (Key::F11, Key::F), (Key::F, Key::F11)] {
        let mut harness = show("playing");
        press(&mut harness, Modifiers::NONE, enter);
        assert_eq!((view(&harness), told(&harness)), (PlayerView::FullScreen, vec![true]));
        let all = harness.ctx.content_rect();
        let picture = harness.get_by_label_contains("Picture of").rect();
        // The window of these tests has a margin.
        assert!(picture.width() >= all.width() - 20.0, "{picture:?} in {all:?}");
        assert!(harness.query_by_label("Message to bob").is_none(), "nothing else is there");
        press(&mut harness, Modifiers::NONE, leave);
        assert_eq!((view(&harness), told(&harness)), (PlayerView::Docked, vec![true, false]));
    }
    let mut harness = show("playing");
    harness.get_by_label("Full screen").click();
    harness.run();
    harness.get_by_label("Leave full screen").click();
    harness.run();
    assert_eq!(told(&harness), [true, false]);
}

#[test]
fn a_double_click_does_it_and_leaves_the_video_playing() {
    let mut harness = show("playing");
    let at = harness.get_by_label_contains("Picture of").rect().center();
    double_click(&mut harness, at);
    assert_eq!(view(&harness), PlayerView::FullScreen);
    let showing = harness.state().state.player.showing.as_ref().expect("it plays");
    assert!(!showing.is_paused, "{:?}", harness.state().actions);
    wait(&mut harness, 1.0);
    double_click(&mut harness, at);
    assert_eq!((view(&harness), told(&harness)), (PlayerView::Docked, vec![true, false]));
}

#[test]
fn controls_over_the_picture_hide_and_come_with_any_movement_or_key() {
    let mut harness = show("full-screen");
    stir(&mut harness);
    harness.get_by_label("Pause");
    wait(&mut harness, 2.4);
    harness.get_by_label("Pause");
    wait(&mut harness, 0.3);
    assert!(harness.query_by_label("Pause").is_none());
    assert_eq!(harness.output().platform_output.cursor_icon, egui::CursorIcon::None);
    stir(&mut harness);
    harness.get_by_label("Pause");
    wait(&mut harness, 3.0);
    assert!(harness.query_by_label("Pause").is_none());
    press(&mut harness, Modifiers::NONE, Key::M);
    harness.get_by_label("Pause");
    // They stay while nothing plays.
    press(&mut harness, Modifiers::NONE, Key::Space);
    wait(&mut harness, 10.0);
    harness.get_by_label("Play");
}

#[test]
fn what_is_typed_does_not_change_the_room_but_the_function_key_does() {
    let mut harness = show("playing");
    harness.get_by_label("Message to bob").click();
    harness.run();
    for key in [Key::F, Key::T, Key::Q] {
        press(&mut harness, Modifiers::NONE, key);
    }
    assert_eq!(view(&harness), PlayerView::Docked);
    press(&mut harness, Modifiers::NONE, Key::F11);
    assert_eq!(view(&harness), PlayerView::FullScreen);
}

#[test]
fn theatre_takes_the_width_and_the_full_screen_goes_back_to_it() {
    let mut harness = show("playing");
    press(&mut harness, Modifiers::NONE, Key::T);
    assert_eq!(view(&harness), PlayerView::Theatre);
    assert!(harness.query_by_label("Message to bob").is_none());
    let all = harness.ctx.content_rect();
    assert!(harness.get_by_label("Position in the video").rect().width() > all.width() * 0.7);
    press(&mut harness, Modifiers::NONE, Key::F);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(view(&harness), PlayerView::Theatre);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert_eq!(view(&harness), PlayerView::Docked);
    assert_eq!(told(&harness), [true, false]);
}

#[test]
fn the_rest_of_the_window_is_back_when_the_video_is_closed() {
    let mut harness = show("full-screen");
    press(&mut harness, Modifiers::NONE, Key::Q);
    assert_eq!((view(&harness), told(&harness)), (PlayerView::Docked, vec![true, false]));
    harness.get_by_label("Message to bob");
    // Without a video there is nothing to show on the whole screen.
    press(&mut harness, Modifiers::NONE, Key::F11);
    assert_eq!(view(&harness), PlayerView::Docked);
}

#[test]
fn a_window_that_the_desktop_has_taken_out_of_the_full_screen_is_docked() {
    let mut harness = window(scenes::playing(), [1200.0, 760.0]);
    let is_full = |harness: &mut Harness<'static, Window>, is_full| {
        let id = harness.ctx.viewport_id();
        harness.input_mut().viewports.entry(id).or_default().fullscreen = Some(is_full);
        harness.run();
    };
    is_full(&mut harness, false);
    press(&mut harness, Modifiers::NONE, Key::F);
    assert_eq!(view(&harness), PlayerView::FullScreen, "the desktop has not done it yet");
    is_full(&mut harness, true);
    is_full(&mut harness, false);
    assert_eq!(view(&harness), PlayerView::Docked);
    assert!(!harness.state().actions.contains(&Action::LeaveView));
}
