//! What the window shows of settings, lost connections and messages that wait, operated by what a screen reader would read.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use triptych_client::event::NetCommand;

use crate::support::{
    scenes::{self, scene},
    state::{bob_peer, draft, messages},
    window::{painted, press, show, window},
};

#[test]
fn settings_that_could_not_be_read_are_told_of_until_that_was_read() {
    for size in [[1200.0, 760.0], [600.0, 400.0]] {
        let mut harness = window(scene("settings-damaged"), size);
        harness.get_by_label("Your settings could not be read. The defaults are used.");
        harness.get_by_label_contains("settings.toml.damaged");
        harness.get_by_label("OK").click();
        harness.run();
        assert!(harness.query_by_label_contains("settings.toml.damaged").is_none());
    }
}

#[test]
fn a_message_that_waits_says_for_what_and_can_be_taken_back() {
    for size in [[1200.0, 760.0], [760.0, 520.0]] {
        let mut harness = window(scene("waiting"), size);
        assert_eq!(harness.get_all_by_label("Will be sent when bob is back.").count(), 2);
        harness.get_by_label("bob is offline. What you send now waits here until bob is back.");
        let first = harness.get_all_by_label("Withdraw").next().expect("there are two");
        first.click();
        harness.run();
        let state = &harness.state().state;
        assert_eq!(draft(state, bob_peer()), "Are you coming back?\nI have found the film.");
        assert_eq!(harness.get_all_by_label("Will be sent when bob is back.").count(), 1);
    }
    let harness = show("waiting-lost");
    assert_eq!(harness.get_all_by_label("Will be sent when you are connected again.").count(), 2);
}

#[test]
fn a_lost_connection_is_told_in_one_line_over_the_contents_and_moves_nothing() {
    for size in [[1200.0, 760.0], [760.0, 520.0]] {
        let mut before = scene("chat");
        let place = |state: &triptych_client::state::State, label: &str| {
            window(state.clone(), size).get_by_label_contains(label).rect()
        };
        let places = ["Message to", "Everyone, 1 unread"].map(|label| place(&before, label));
        before.apply(triptych_client::event::NetEvent::Offline(scenes::lost()), scenes::moment());
        assert_eq!(["Message to", "Everyone, 1 unread"].map(|label| place(&before, label)), places);

        let mut harness = window(scene("lost-reasons"), size);
        harness.get_by_label_contains("Connection lost. Trying again in ");
        harness.get_by_label("The server ended the connection.");
        harness.get_by_label("The last attempt: No Triptych server is running at 127.0.0.1:7878.");
        harness.get_by_label("Hide").click();
        harness.run();
        assert!(harness.query_by_label("The server ended the connection.").is_none());
        harness.get_by_label("Details");
        harness.get_by_label("Try now").click();
        harness.run();
        assert!(matches!(harness.state().commands()[..], [NetCommand::Connect { .. }]));
        harness.get_by_label("Connection lost. Trying now…");
    }
}

#[test]
fn the_line_about_a_lost_connection_lies_in_the_widest_pane() {
    let mut state = scenes::playing();
    state.apply(triptych_client::event::NetEvent::Offline(scenes::lost()), scenes::moment());
    let harness = window(state, [1200.0, 760.0]);
    let picture = harness.get_by_label_contains("Picture of").rect().x_range();
    for label in ["Connection lost. Trying again in ", "Try now"] {
        let part = harness.get_by_label_contains(label).rect().x_range();
        assert!(picture.contains(part.min) && picture.contains(part.max), "{label}: {part:?} in {picture:?}");
    }
}

#[test]
fn the_line_of_a_lost_connection_lies_in_the_middle_of_its_strip() {
    let harness = show("waiting-lost");
    let text = harness.get_by_label_contains("Connection lost.").rect();
    let button = harness.get_by_label("Try now").rect();
    assert!((text.center().y - button.center().y).abs() <= 1.0, "{text:?} {button:?}");
}

#[test]
fn the_countdown_of_a_lost_connection_is_not_cut_off_in_a_narrow_pane() {
    for size in [[960.0, 620.0], [600.0, 400.0], [480.0, 360.0]] {
        for scene in ["interrupted", "waiting-lost", "lost-reasons"] {
            let harness = window(scenes::scene(scene), size);
            let texts = [painted(&harness, "Connection lost. Trying"), painted(&harness, "Next try in ")].concat();
            let [text] = &texts[..] else { panic!("{scene} {size:?}: {} texts", texts.len()) };
            assert!(text.galley.text().ends_with(['s', '.']), "{scene} {size:?}: {:?}", text.galley.text());
            harness.get_by_label_contains("Connection lost. Trying again in ");
        }
    }
}

#[test]
fn what_was_written_under_another_name_says_so() {
    let harness = show("renamed");
    assert_eq!(harness.get_all_by_label("Written as ada").count(), 3);
    harness.get_by_label("Not sent: it was written as ada.");
    let last = messages(&harness.state().state, bob_peer()).pop().expect("there are four");
    assert_eq!((&*last.text, last.written_as), ("I am here again, under my full name.", None));
}

#[test]
fn a_file_that_cannot_be_used_is_repaired_by_a_decision_and_not_by_enter() {
    let mut harness = show("key-damaged");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let commands = harness.state().commands();
    assert!(!commands.iter().any(|command| matches!(command, NetCommand::ConnectRepairing { .. })));
    let mut harness = show("key-damaged");
    harness.get_by_label("Set it aside and make a new key").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::ConnectRepairing { .. }]));
}

#[test]
fn a_decision_about_the_server_takes_a_low_window_and_leaves_a_high_one_to_its_contents() {
    for (size, shows_contents) in [([1200.0, 760.0], true), ([616.0, 416.0], false)] {
        let mut harness = window(scene("certificate-later"), size);
        let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into());
        assert!(screen.contains_rect(harness.get_by_label("Trust it and join").rect()), "{size:?}");
        assert_eq!(harness.query_by_label_contains("Message to").is_some(), shows_contents, "{size:?}");
        harness.get_by_label_contains("I have compared").click();
        harness.run();
        harness.get_by_label("Trust it and join").click();
        harness.run();
        assert!(matches!(harness.state().commands()[..], [NetCommand::ConnectTrusting { .. }]));
        harness.get_by_label_contains("Message to");
    }
}

#[test]
fn a_second_window_of_the_same_person_says_so_and_offers_another_name() {
    for (scene, texts) in [
        (
            "still-online",
            ["You are already online.", "in another window, or over a connection that the server has not"],
        ),
        ("other-window", ["Another Triptych window on this computer is online as ada.", "Use that window, or join"]),
    ] {
        let mut harness = show(scene);
        for text in texts {
            harness.get_by_label_contains(text);
        }
        assert!(harness.query_by_label_contains("Someone").is_none(), "it is no one else");
        harness.get_by_label("Join as ada-2").click();
        harness.run();
        let connect = NetCommand::Connect { address: "127.0.0.1:7878".into(), name: "ada-2".into() };
        assert!(harness.state().commands() == [&connect]);
    }
}

#[test]
fn the_bar_names_the_server_and_falls_back_on_its_address() {
    let mut state = scene("chat");
    let harness = window(state.clone(), [1200.0, 760.0]);
    assert_eq!(painted(&harness, "3 online")[0].galley.text(), "Lab · 3 online");
    harness.get_by_label("Lab, 127.0.0.1:7878 · 3 online");
    state.server.name.clear();
    window(state, [1200.0, 760.0]).get_by_label("127.0.0.1:7878 · 3 online");
}
