//! The views, operated by what a screen reader would read.

use common::{
    limits::MAX_TEXT_BYTES,
    media::{Library, WatchRequest},
};
use egui::{Event, Key, Modifiers, UserAttentionType, ViewportCommand};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::NetCommand,
    state::action::{Action, Peer},
};

use triptych_server::session::notices::Refusal;

use crate::support::{
    scenes::{self, OTHER_VERSION, SCENES, ada, bob, eve, message, moment, scene, video},
    window::{build, double_click, enter_server, key, press, show, type_in_one_frame, window},
};

#[test]
fn enter_connects_with_the_form_as_it_is() {
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
    enter_server(&mut harness, "lab");
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
    harness.get_by_label_contains("Ahoj\nΩμέγα, sending");
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
fn everyone_is_listed_first_and_counts_what_is_unread() {
    let mut harness = show("chat");
    harness.get_by_label("Everyone, 1 unread").click();
    harness.run();
    harness.get_by_label_contains("Hello, all of you");
    assert!(harness.query_by_label("Everyone, 1 unread").is_none(), "it has been read");
    assert_eq!(harness.state().state.selected, Peer::Everyone);
}

#[test]
fn what_is_too_long_stays_and_says_why() {
    let mut harness = show("long");
    let surplus = "words and more words, ".repeat(380).trim_end().len() - MAX_TEXT_BYTES;
    let reason = format!("This message is {surplus} characters too long. Shorten it, or send it in two parts.");
    harness.get_by_label(&reason);
    assert_eq!(harness.get_all_by_label_contains("too long").count(), 1, "it is said once");
    assert!(harness.get_by_label("Send").accesskit_node().is_disabled());
    harness.get_by_label("Send").click();
    harness.run();
    assert!(harness.state().commands().iter().all(|command| !matches!(command, NetCommand::Send { .. })));
}

#[test]
fn a_failed_message_has_a_retry() {
    let mut harness = show("lost");
    harness.get_by_label("Not sent: the connection was lost.");
    harness.get_by_label("Retry");
    harness.get_by_label("Try now").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Connect { .. }]));
}

#[test]
fn click_a_video_and_stop() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label_contains("Play Numbers, 0:20 · 240p · 720p · 1440p, with sound").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Watch(WatchRequest { video, .. })] if video.0 == 2));
    harness.get_by_label("Picture of Numbers");
    harness.get_by_label("Stop").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [_, NetCommand::Stop { .. }]));
    assert!(harness.query_by_label_contains("Picture of").is_none(), "the conversation has the middle again");
}

#[test]
fn the_player_tells_resolution_stalls_and_ends() {
    let harness = show("playing");
    harness.get_by_label("720p");
    harness.get_by_label("0:10 / 0:22");
    show("failed").get_by_label_contains("breaks off after frame 251");
    let mut harness = show("ended");
    harness.get_by_label("The end");
    harness.get_by_label("Play again").click();
    harness.run();
    assert!(matches!(harness.state().commands()[..], [NetCommand::Seek(_)]));
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
fn videos_that_cannot_be_played_are_counted() {
    window(scenes::joined(), [1200.0, 760.0]).get_by_label("2 videos cannot be played");
}

#[test]
fn an_empty_library_says_how_videos_are_added() {
    show("empty-library").get_by_label_contains("triptych-server import FILE");
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

#[test]
fn a_version_mismatch_shows_the_words_of_the_server_once() {
    let harness = show("version");
    harness.get_by_label("The server and this client do not match.");
    harness.get_by_label(&Refusal::version_mismatch(OTHER_VERSION).message);
}

#[test]
fn what_is_typed_after_enter_belongs_to_the_next_message() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label("bob, online").click();
    harness.run();
    // A slow frame: two messages and the start of a third arrive at once.
    let text = |text: &str| Event::Text(text.to_owned());
    let typed = [vec![text("mes"), text("sage 1")], key(Key::Enter).to_vec(), vec![text("message 2")]].concat();
    let typed = [typed, key(Key::Enter).to_vec(), vec![text("mess")]].concat();
    type_in_one_frame(&mut harness, typed);
    let texts = |commands: Vec<&NetCommand>| -> Vec<String> {
        let text = |command: &NetCommand| {
            if let NetCommand::Send { text, .. } = command { text.clone() } else { String::new() }
        };
        commands.into_iter().map(text).collect()
    };
    assert_eq!(texts(harness.state().commands()), ["message 1", "message 2"]);
    assert_eq!(harness.get_by_label("Message to bob").value().as_deref(), Some("mess"));
    type_in_one_frame(&mut harness, [text("age 3")].into_iter().chain(key(Key::Enter)));
    assert_eq!(texts(harness.state().commands())[2..], ["message 3"]);
}

#[test]
fn a_double_click_on_a_button_does_not_press_the_one_that_takes_its_place() {
    for (scene, label) in [("ended", "Play again"), ("failed", "Try again")] {
        let rect = show(scene).get_by_label(label).rect();
        // Pause appears under its left end, and Stop under its right end.
        for at in [rect.left_center() + egui::vec2(4.0, 0.0), rect.right_center() - egui::vec2(4.0, 0.0)] {
            let mut harness = show(scene);
            double_click(&mut harness, at);
            assert!(
                matches!(harness.state().commands()[..], [NetCommand::Watch(_) | NetCommand::Seek(_)]),
                "{scene}: {:?}",
                harness.state().actions
            );
            assert!(harness.state().state.player.showing.as_ref().is_some_and(|showing| !showing.is_paused));
            // Later it can be stopped as ever.
            harness.run();
            harness.get_by_label("Stop").click();
            harness.run();
            assert!(harness.state().state.player.showing.is_none());
        }
    }
}

#[test]
fn a_double_click_on_connect_does_not_cancel() {
    let mut harness = show("connect");
    let connect = harness.get_by_label("Connect").rect();
    harness.get_by_label("Connect").click();
    harness.run();
    let shared = connect.intersect(harness.get_by_label("Cancel").rect());
    assert!(shared.is_positive(), "a part of Cancel takes the place of Connect");
    let mut harness = show("connect");
    double_click(&mut harness, shared.center());
    assert!(matches!(harness.state().commands()[..], [NetCommand::Connect { .. }]), "{:?}", harness.state().actions);
}

#[test]
fn a_double_click_on_a_video_starts_it_once() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    let row = harness.get_by_label_contains("Play Numbers").rect();
    double_click(&mut harness, row.center());
    assert!(matches!(harness.state().commands()[..], [NetCommand::Watch(_)]));
}

#[test]
fn unread_messages_are_in_the_header_and_at_the_top_of_the_list() {
    let harness = show("unread");
    harness.get_by_label("· 2 unread");
    let row = harness.get_by_label("guest-31, online, 2 unread").rect();
    assert!(row.top() < harness.get_by_label("guest-0, online").rect().top(), "not below the fold");
    let everyone = harness.get_by_role_and_label(egui::Role::Button, "Everyone").rect();
    assert!(row.top() > everyone.top(), "Everyone stays first");
}

#[test]
fn the_desktop_is_told_of_messages_that_arrive_while_the_person_works_elsewhere() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.get_by_label("bob, online").click();
    harness.run();
    let from_bob = |text: &str| message("bob", &bob(), &[&ada()], text, 1);
    harness.state_mut().state.apply(from_bob("It is read at once"), moment());
    harness.run();
    assert_eq!(harness.state().viewport_commands, []);
    harness.input_mut().focused = false;
    harness.run();
    for text in ["Are you there?", "Hello?"] {
        harness.state_mut().state.apply(from_bob(text), moment());
        harness.run();
    }
    let attention = ViewportCommand::RequestUserAttention;
    let title = |text: &str| ViewportCommand::Title(text.to_owned());
    let expected = [
        title("(1) Triptych"),
        attention(UserAttentionType::Informational),
        title("(2) Triptych"),
        attention(UserAttentionType::Informational),
    ];
    assert_eq!(harness.state().viewport_commands, expected);
    harness.get_by_label("bob, online, 2 unread");
    harness.input_mut().focused = true;
    harness.run();
    let commands = &harness.state().viewport_commands[expected.len()..];
    assert_eq!(commands, [title("Triptych"), attention(UserAttentionType::Reset)]);
    harness.get_by_label("bob, online");
}

#[test]
fn a_message_for_a_conversation_that_is_not_open_changes_the_title_but_does_not_call() {
    let mut harness = window(scenes::joined(), [1200.0, 760.0]);
    harness.state_mut().state.apply(message("eve", &eve(), &[&ada()], "Psst", 1), moment());
    harness.run();
    assert_eq!(harness.state().viewport_commands, [ViewportCommand::Title("(1) Triptych".to_owned())]);
}

#[test]
fn only_the_visible_rows_of_a_long_library_are_laid_out() {
    let videos: Vec<_> = (1..=500).map(|id| video(id, &format!("Lecture {id}"), 1_000_000_000)).collect();
    let mut harness = window(scenes::joined_with(Vec::new(), Library { videos, unplayable_count: 0 }), [1200.0, 760.0]);
    let rows = |harness: &Harness<'static, _>| harness.query_all_by_label_contains("Play Lecture").count();
    assert!((5..=30).contains(&rows(&harness)), "{} rows", rows(&harness));
    harness.get_by_label_contains("Play Lecture 1,");
    // The Tab key goes on beyond the last visible row, and the list follows.
    harness.get_by_label_contains("Play Lecture 1,").focus();
    harness.run();
    for _ in 0..40 {
        press(&mut harness, Modifiers::NONE, Key::Tab);
    }
    let focused = harness.get_by_label_contains("Play Lecture 41,");
    assert!(focused.is_focused());
    assert!(focused.rect().bottom() < 760.0, "it is on the screen");
    assert!((5..=30).contains(&rows(&harness)), "{} rows", rows(&harness));
}

#[test]
fn only_the_visible_people_of_a_large_room_are_laid_out() {
    let mut state = scene("dictionary-crowd");
    state.handle(Action::Select(Peer::Everyone), moment());
    let mut harness = window(state, [1200.0, 760.0]);
    let rows = |harness: &Harness<'static, _>| harness.query_all_by_label_contains("guest-").count();
    assert!((5..=20).contains(&rows(&harness)), "{} rows", rows(&harness));
    // The Tab key goes on beyond the last visible row, and the list follows.
    harness.get_by_label("guest-0, online").focus();
    harness.run();
    for _ in 0..40 {
        press(&mut harness, Modifiers::NONE, Key::Tab);
    }
    let focused = harness.get_by_label("guest-40, online");
    assert!(focused.is_focused());
    assert!(focused.rect().bottom() < 760.0, "it is on the screen");
}

/// Every face in three sizes: everything that can be operated has a name and lies inside the window.
#[test]
fn nothing_is_nameless_or_out_of_reach() {
    for name in SCENES {
        for size in [[1200.0, 760.0], [900.0, 600.0], [1600.0, 1000.0], [600.0, 400.0], [480.0, 360.0]] {
            let builder = Harness::builder().with_size(size);
            // What people write may need fonts that only their systems have.
            let builder = if *name == "languages" { builder.allow_missing_glyphs() } else { builder };
            let harness = build(scene(name), builder);
            let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into()).expand(0.5);
            // The first screen scrolls in a low window, and so does a decision about the server.
            let is_decision = harness.query_by_label_contains("I have compared").is_some();
            let scrolls = size[1] < 500.0 && (is_decision || harness.query_by_label_contains("your menu").is_none());
            for role in [egui::Role::Button, egui::Role::TextInput, egui::Role::MultilineTextInput] {
                for node in harness.query_all_by_role(role) {
                    let label = node.accesskit_node().label().unwrap_or_default();
                    assert!(!label.is_empty(), "{name}: a {role:?} has no name: {node:?}");
                    let starts = ["Play ", "guest-", "Message to", "Copy the ", "Retry"];
                    let is_layer = label.starts_with(|first: char| first.is_ascii_digit());
                    let is_row = label.contains(": ") && label.contains(" to ") || label.contains(", key ");
                    // Below an alarm, the list of people of a low window scrolls.
                    let is_person = size[1] < 500.0 && (label.starts_with("Everyone") || label.contains(", o"));
                    // Nothing can be sent beside an alarm about the server, which takes the room of a low window.
                    let is_idle = size[1] < 500.0 && label == "Send" && node.accesskit_node().is_disabled();
                    let is_scrolled = scrolls
                        || is_person
                        || is_idle
                        || is_layer
                        || is_row
                        || starts.iter().any(|start| label.starts_with(start));
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
