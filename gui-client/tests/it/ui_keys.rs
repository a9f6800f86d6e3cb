//! The table of keys: each of them does what the page says.

use common::media::VideoId;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use triptych_client::{
    event::Speed,
    state::{
        action::{Action, PartyAction},
        layout::LayoutAction,
        player::view::PlayerView,
    },
    ui::bindings::{ALL, Command, Place},
};

use crate::support::scenes::moment;
use crate::support::window::{Window, press, show};

const SECOND: i64 = 1_000_000_000;

/// What the first key of a row does to a video that plays; `None` for keys that other parts of the window take.
fn expected(command: Command) -> Option<Action> {
    Some(match command {
        Command::KeysPage | Command::KeysPageAnywhere => Action::ToggleKeysPage,
        Command::FullScreen | Command::FullScreenAnywhere => Action::ToggleView(PlayerView::FullScreen),
        Command::Theatre => Action::ToggleView(PlayerView::Theatre),
        Command::Pause => Action::TogglePause,
        Command::BackTen => Action::SeekBy(-10 * SECOND),
        Command::ForwardTen => Action::SeekBy(10 * SECOND),
        Command::BackFive => Action::SeekBy(-5 * SECOND),
        Command::ForwardFive => Action::SeekBy(5 * SECOND),
        Command::BackOne => Action::SeekBy(-SECOND),
        Command::ForwardOne => Action::SeekBy(SECOND),
        Command::StepBack => Action::Step(-1),
        Command::StepForward => Action::Step(1),
        Command::Tenth => Action::SeekToTenth(0),
        Command::First => Action::SeekTo(0),
        Command::Last => Action::SeekToLast,
        Command::Louder => Action::ChangeVolume(10),
        Command::Quieter => Action::ChangeVolume(-10),
        Command::Mute => Action::ToggleMute,
        Command::Slower => Action::ChangeSpeed(-1),
        Command::Faster => Action::ChangeSpeed(1),
        Command::NormalSpeed => Action::SetSpeed(Speed::NORMAL),
        Command::Statistics => Action::ToggleStatistics,
        Command::NextVideo => Action::WatchNeighbour(1),
        Command::PreviousVideo => Action::WatchNeighbour(-1),
        Command::Close => Action::StopWatching,
        Command::Together => Action::Party(PartyAction::Start),
        Command::Lists => Action::Layout(LayoutAction::ShowLists(false)),
        Command::Dock => Action::Layout(LayoutAction::ShowDock(false)),
        Command::Leave
        | Command::SearchPeople
        | Command::PreviousConversation
        | Command::NextConversation
        | Command::NextUnread
        | Command::ZoomIn
        | Command::ZoomOut
        | Command::ZoomReset
        | Command::Send
        | Command::LineBreak
        | Command::ToEnd
        | Command::ScreenUp
        | Command::ScreenDown
        | Command::MessageAbove
        | Command::MessageBelow
        | Command::FirstMessage
        | Command::LastMessage => return None,
    })
}

#[test]
fn every_key_does_what_its_row_says() {
    for binding in ALL {
        let Some(expected) = expected(binding.command) else { continue };
        for (place, stroke) in binding.strokes.iter().enumerate() {
            let mut harness = show("playing");
            press(&mut harness, stroke.modifiers, stroke.key);
            let expected = match &expected {
                Action::SeekToTenth(_) => Action::SeekToTenth(place as u8),
                other => other.clone(),
            };
            assert_eq!(harness.state().actions, [expected], "{}", stroke.name());
        }
    }
}

#[test]
fn while_a_message_is_typed_only_the_keys_for_everywhere_count() {
    let mut harness = show("playing");
    harness.get_by_label("Message to bob").click();
    harness.run();
    harness.state_mut().actions.clear();
    let strokes = ALL.iter().filter(|binding| binding.place == Place::Video).flat_map(|binding| binding.strokes);
    // Escape leaves the field, and is the last thing that is typed.
    for stroke in strokes.filter(|stroke| stroke.key != Key::Escape) {
        press(&mut harness, stroke.modifiers, stroke.key);
    }
    press(&mut harness, Modifiers::SHIFT, Key::Questionmark);
    let of_video = |action: &&Action| !matches!(action, Action::EditDraft(_));
    assert_eq!(harness.state().actions.iter().find(of_video), None);
    press(&mut harness, Modifiers::NONE, Key::F1);
    assert!(harness.state().state.is_keys_page_open);
}

#[test]
fn the_arrows_of_a_focused_message_lead_to_others_and_change_no_volume() {
    let mut harness = show("playing");
    let focused =
        |harness: &egui_kittest::Harness<'static, Window>, text: &str| harness.get_by_label_contains(text).is_focused();
    harness.get_by_label_contains("Me too.").focus();
    harness.run();
    harness.state_mut().actions.clear();
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    assert!(focused(&harness, "Me too."), "it is the last one");
    press(&mut harness, Modifiers::NONE, Key::ArrowUp);
    assert!(focused(&harness, "I start it now."));
    press(&mut harness, Modifiers::NONE, Key::Home);
    assert!(focused(&harness, "Are you there?"));
    press(&mut harness, Modifiers::NONE, Key::End);
    assert!(focused(&harness, "Me too."));
    assert_eq!(harness.state().actions, []);
}

#[test]
fn the_page_of_keys_names_those_of_the_conversation() {
    let mut harness = show("chat");
    press(&mut harness, Modifiers::NONE, Key::F1);
    for text in ["Newest message", "One screen up", "Message above", "Ctrl End", "Page Up"] {
        harness.get_by_label(text);
    }
}

#[test]
fn a_key_that_is_held_down_toggles_once_and_seeks_on() {
    let mut harness = show("playing");
    let held = |key| {
        (0..3).map(move |n| egui::Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: n > 0,
            modifiers: Modifiers::NONE,
        })
    };
    crate::support::window::type_in_one_frame(&mut harness, held(Key::F).chain(held(Key::L)));
    let seek = Action::SeekBy(10 * SECOND);
    let whole = Action::ToggleView(PlayerView::FullScreen);
    let actions = &harness.state().actions;
    assert_eq!(actions.iter().filter(|action| **action == seek).count(), 3);
    assert_eq!(actions.iter().filter(|action| **action == whole).count(), 1);
}

#[test]
fn with_other_modifiers_a_key_means_nothing_here() {
    let mut harness = show("playing");
    for modifiers in [Modifiers::COMMAND, Modifiers::ALT] {
        for key in [Key::M, Key::F, Key::T, Key::Space, Key::Num5] {
            press(&mut harness, modifiers, key);
        }
    }
    assert!(harness.state().actions.is_empty(), "{:?}", harness.state().actions);
}

#[test]
fn a_button_with_the_focus_keeps_its_keys_and_the_letters_go_to_the_video() {
    let mut harness = show("playing");
    harness.get_by_label("Mute").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(harness.state().actions, [Action::ToggleMute], "it presses the button");
    press(&mut harness, Modifiers::NONE, Key::L);
    assert_eq!(harness.state().actions.last(), Some(&Action::SeekBy(10 * SECOND)));
}

#[test]
fn the_picture_can_have_the_focus_and_the_space_bar_pauses_once() {
    let mut harness = show("playing");
    harness.get_by_label_contains("Picture of").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Space);
    assert_eq!(harness.state().actions, [Action::TogglePause]);
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    assert_eq!(harness.state().actions.last(), Some(&Action::SeekBy(5 * SECOND)));
    assert!(harness.get_by_label_contains("Picture of").is_focused(), "arrows do not move the focus away");
}

#[test]
fn the_page_lists_every_row_and_closes() {
    for size in [[1200.0, 760.0], [600.0, 400.0]] {
        let mut state = crate::support::scenes::playing();
        state.handle(Action::Watch(VideoId(1)), moment());
        let mut harness = crate::support::window::window(state, size);
        press(&mut harness, Modifiers::SHIFT, Key::Questionmark);
        for binding in ALL {
            assert!(harness.query_all_by_label(binding.text).next().is_some(), "{}", binding.text);
            assert!(harness.query_all_by_label(&binding.keys()).next().is_some(), "{}", binding.keys());
        }
        // The whole page is in sight where the window is high enough.
        let last = ALL.iter().rfind(|binding| binding.place == Place::Video).expect("the video has keys");
        let (last, room) = (harness.get_all_by_label(last.text).next().unwrap().rect(), harness.ctx.content_rect());
        assert!(room.height() < 500.0 || room.contains_rect(last), "{last:?}");
        press(&mut harness, Modifiers::NONE, Key::Space);
        assert!(!is_paused(harness.state()), "the page is before the video");
        press(&mut harness, Modifiers::NONE, Key::Escape);
        assert!(!harness.state().state.is_keys_page_open);
        press(&mut harness, Modifiers::NONE, Key::F1);
        harness.get_by_label("Close").click();
        harness.run();
        assert!(!harness.state().state.is_keys_page_open);
    }
}

fn is_paused(window: &Window) -> bool {
    window.state.player.showing.as_ref().is_some_and(|showing| showing.is_paused)
}
