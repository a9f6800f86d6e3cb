//! The views, operated by what a screen reader would read.

use common::{limits::MAX_TEXT_BYTES, media::WatchRequest};
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::NetCommand,
    state::action::{Action, Peer},
};

use crate::support::{
    scenes::{self, SCENES, bob, moment, scene},
    window::{build, press, show, window},
};

#[test]
fn enter_connects_with_the_form_as_it_stands() {
    let mut harness = show("connect");
    assert!(harness.get_by_label("Your name").is_focused(), "the field that is most often changed");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().actions, [Action::Connect]);
    let expected = NetCommand::Connect { address: "127.0.0.1:7878".into(), name: "ada".into() };
    assert!(harness.state().commands() == [&expected]);
    harness.get_by_label("Reaching the server…");
    harness.get_by_label("Cancel").click();
    harness.run();
    assert!(harness.state().commands()[1] == &NetCommand::Disconnect);
    harness.get_by_label("Connect");
}

#[test]
fn enter_in_the_server_field_connects_once_with_what_was_typed() {
    let mut harness = show("connect");
    harness.get_by_label("Server").click();
    harness.run();
    press(&mut harness, Modifiers::COMMAND, Key::A);
    harness.get_by_label("Server").type_text("lab");
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let expected = NetCommand::Connect { address: "lab".into(), name: "ada".into() };
    assert!(harness.state().commands() == [&expected]);
}

#[test]
fn a_bad_name_is_explained_and_enter_does_nothing() {
    let mut harness = show("connect");
    harness.get_by_label("Your name").type_text("/");
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(harness.state().commands().is_empty());
    harness.get_by_label_contains("Names can contain letters");
}

#[test]
fn a_taken_name_is_one_key_from_a_free_one() {
    let mut harness = show("name-taken");
    harness.get_by_label("This name is taken.");
    assert!(harness.get_by_label("Join as ada-2").is_focused());
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let expected = NetCommand::Connect { address: "127.0.0.1:7878".into(), name: "ada-2".into() };
    assert!(harness.state().commands() == [&expected], "once");
}

#[test]
fn a_changed_certificate_shows_both_and_offers_no_way_past() {
    let harness = show("certificate");
    harness.get_by_label("This is not the server that you joined before.");
    harness.get_by_label_contains("a3b1-0007-5cde-9912");
    let buttons: Vec<String> =
        harness.get_all_by_role(egui::Role::Button).filter_map(|node| node.accesskit_node().label()).collect();
    assert_eq!(buttons, ["Connect"]);
}

#[test]
fn click_a_person_write_enter() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label("bob, online").click();
    harness.run();
    assert!(harness.get_by_label("Message to bob").is_focused(), "no second click is needed");
    harness.get_by_label("Message to bob").type_text("Ahoj");
    harness.run();
    press(&mut harness, Modifiers::SHIFT, Key::Enter);
    harness.get_by_label("Message to bob").type_text("Ωμέγα");
    harness.run();
    assert!(harness.state().commands().is_empty(), "a new line is not sent");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let commands = harness.state().commands();
    let [NetCommand::Send { recipients, text, .. }] = &commands[..] else { panic!("one message is sent") };
    assert_eq!((&recipients[..], text.as_str()), (&[bob()][..], "Ahoj\nΩμέγα"));
    harness.get_by_label("Ahoj\nΩμέγα");
    harness.get_by_label("sealing…");
    let field = harness.get_by_label("Message to bob");
    assert_eq!(field.value().as_deref(), Some(""));
    assert!(field.is_focused(), "the next message can follow at once");
}

#[test]
fn enter_with_nothing_written_sends_nothing_and_adds_no_line() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label("eve, online").click();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(harness.state().commands().is_empty());
    assert_eq!(harness.get_by_label("Message to eve").value().as_deref(), Some(""));
}

#[test]
fn everyone_stands_first_and_counts_what_is_unread() {
    let mut harness = show("chat");
    harness.get_by_label("Everyone, 1 unread").click();
    harness.run();
    harness.get_by_label("Hello, all of you");
    assert!(harness.query_by_label("Everyone, 1 unread").is_none(), "it has been read");
    assert_eq!(harness.state().state.selected, Peer::Everyone);
}

#[test]
fn what_cannot_be_sent_stays_and_says_why() {
    let harness = show("left");
    assert_eq!(harness.get_by_label("Message to bob").value().as_deref(), Some("One more thing:"));
    harness.get_by_label_contains("bob has left");

    let mut harness = show("long");
    let surplus = "words and more words, ".repeat(380).trim_end().len() - MAX_TEXT_BYTES;
    harness.get_by_label(&format!("{surplus} bytes too long for one message"));
    harness.get_by_label("Send").click();
    harness.run();
    assert!(harness.state().commands().iter().all(|command| !matches!(command, NetCommand::Send { .. })));
}

#[test]
fn a_failed_message_has_a_retry() {
    let mut harness = show("lost");
    harness.get_by_label("Not sent: the connection broke.");
    harness.get_by_label("Retry");
    harness.get_by_label("Reconnect now").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Connect { .. }]));
}

#[test]
fn click_a_video_and_stop() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label("Nothing is playing");
    harness.get_by_label_contains("Play Numbers, 0:20 · 240p · 720p · 1440p, with sound").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Watch(WatchRequest { video, .. })] if video.0 == 2));
    harness.get_by_label("Opening…");
    harness.get_by_label("Picture of Numbers");
    harness.get_by_label("Stop").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [_, NetCommand::Stop { .. }]));
    harness.get_by_label("Nothing is playing");
}

#[test]
fn the_player_tells_resolution_stalls_and_ends() {
    let harness = show("playing");
    harness.get_by_label("720p");
    harness.get_by_label("0:10 / 0:22");
    show("buffering").get_by_label("Waiting for the server…");
    show("failed").get_by_label_contains("breaks off after frame 251");
    let mut harness = show("ended");
    harness.get_by_label("The end");
    harness.get_by_label("Play again").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Watch(WatchRequest { video, .. })] if video.0 == 1));
}

#[test]
fn the_picture_keeps_its_place_across_splices() {
    let mut harness = show("playing");
    let stream = harness.state().state.player.showing.as_ref().expect("it plays").stream;
    let mut places = Vec::new();
    for (seconds, height) in [(1, 240), (10, 720), (20, 1440)] {
        harness.state_mut().state.report(scenes::report(stream, seconds, height), moment());
        harness.run();
        harness.get_by_label(&format!("{height}p"));
        places.push(harness.get_by_label_contains("Picture of").rect());
    }
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{places:?}");
}

#[test]
fn skipped_files_are_folded_and_named_with_the_reason() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    assert!(harness.query_by_label("holiday_720p.mp4").is_none());
    harness.get_by_label("2 files not playable").click();
    harness.run();
    harness.get_by_label("holiday_720p.mp4");
    harness.get_by_label("no video in it: it is a text");
}

#[test]
fn an_empty_library_says_where_files_go() {
    show("empty-library").get_by_label_contains("TITLE_240p.mp4");
}

#[test]
fn the_wire_shows_who_to_whom_and_what_came_of_it() {
    let mut harness = show("chat");
    harness.get_by_label("Wire").click();
    harness.run();
    harness.get_by_label("eve to bob: your key does not open this");
    harness.get_by_label("bob to you: opened: it was for you");
    assert_eq!(harness.get_all_by_label("you to bob: yours, delivered to everyone").count(), 2);
    harness.get_by_label("eve to 3 people: opened: it was for you");
}

#[test]
fn chat_goes_on_while_a_video_plays() {
    let mut harness = show("playing");
    harness.get_by_label("eve, online").click();
    harness.run();
    harness.get_by_label("Message to eve").type_text("Look!");
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(matches!(harness.state().commands()[..], [NetCommand::Send { .. }]));
    harness.get_by_label("Stop");
}

/// Every face in three sizes: everything that can be operated has a name and lies inside the window.
#[test]
fn nothing_is_nameless_or_out_of_reach() {
    for name in SCENES {
        for size in [[1200.0, 760.0], [900.0, 600.0], [1600.0, 1000.0]] {
            let builder = Harness::builder().with_size(size);
            // What people write may need fonts that only their systems have.
            let builder = if *name == "languages" { builder.allow_missing_glyphs() } else { builder };
            let harness = build(scene(name), builder);
            let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into()).expand(0.5);
            for role in [egui::Role::Button, egui::Role::TextInput, egui::Role::MultilineTextInput] {
                for node in harness.query_all_by_role(role) {
                    let label = node.accesskit_node().label().unwrap_or_default();
                    assert!(!label.is_empty(), "{name}: a {role:?} has no name: {node:?}");
                    let is_scrolled = ["Play ", "guest-", "Message to"].iter().any(|start| label.starts_with(start));
                    assert!(
                        is_scrolled || screen.contains_rect(node.rect()),
                        "{name} {size:?}: {label} at {:?}",
                        node.rect()
                    );
                }
            }
        }
    }
}
