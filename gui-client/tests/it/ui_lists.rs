//! The lists of people and videos: search, presence, drafts, what a video lacks, and the keys that move through them.

use common::{
    media::{Library, VideoId, VideoInfo},
    message::{ServerInfo, Viewing},
};
use egui::{Key, Modifiers};
use egui_kittest::{Harness, kittest::Queryable};
use triptych_client::{
    event::NetEvent,
    state::{
        State,
        action::{Action, Peer},
    },
};

use crate::support::{
    scenes::{self, bob, eve, joined, joined_with, leaves, library, message, moment, person, stranger, video},
    window::{Window, painted, press, window},
};

fn with_bob_watching() -> State {
    let mut state = joined();
    let people = vec![Viewing { person: bob().id(), video: Some(VideoId(2)), party: None }];
    state.apply(NetEvent::Watching(people), moment());
    state
}

/// A room of twelve, in which the lists have search fields.
fn crowd() -> State {
    let people = (0..12).map(|number| person(&format!("guest-{number}"), stranger(number))).collect();
    let videos = (1..=12).map(|number| video(number, &format!("Lecture {number}"), 9)).collect();
    joined_with(people, Library { videos, unplayable_count: 0 })
}

fn shown(state: State) -> Harness<'static, Window> {
    window(state, [1200.0, 760.0])
}

#[test]
fn a_person_who_watches_something_is_listed_with_it_and_an_absent_one_with_the_time() {
    let mut state = with_bob_watching();
    state.apply(message("eve", &eve(), &[&scenes::ada()], "Bye", 1), moment());
    state.handle(Action::Select(Peer::Person(eve().id())), moment());
    let left = leaves(&state, "eve");
    state.apply(left, moment());
    let harness = shown(state);
    harness.get_by_label("bob, online, watching Numbers");
    harness.get_by_label_contains("eve, offline since ");
}

#[test]
fn a_draft_is_named_in_the_list_while_another_conversation_is_open() {
    let mut state = joined();
    state.handle(Action::Select(Peer::Person(bob().id())), moment());
    state.handle(Action::EditDraft("Shall we\nmeet?".into()), moment());
    shown(state.clone()).get_by_label("bob, online");
    state.handle(Action::Select(Peer::Everyone), moment());
    shown(state).get_by_label("bob, online, draft: Shall we meet?");
}

#[test]
fn the_search_of_people_opens_by_its_key_and_enter_opens_the_first_that_is_found() {
    let mut harness = shown(joined());
    assert!(harness.query_by_label("Search people").is_none(), "two people need none");
    press(&mut harness, Modifiers::COMMAND, Key::K);
    harness.run();
    assert!(harness.get_by_label("Search people").is_focused());
    harness.get_by_label("Search people").type_text("EV");
    harness.run();
    assert!(harness.query_by_label("bob, online").is_none());
    press(&mut harness, Modifiers::NONE, Key::Enter);
    harness.run();
    assert_eq!(harness.state().state.selected, Peer::Person(eve().id()));
    assert!(harness.query_by_label("Search people").is_none());
    harness.get_by_label("bob, online");
}

#[test]
fn escape_ends_a_search_and_one_that_finds_no_one_says_so() {
    let mut harness = shown(crowd());
    harness.get_by_label("Search people").focus();
    harness.run();
    harness.get_by_label("Search people").type_text("Zoe");
    harness.run();
    harness.get_by_label("No one here is called \u{201c}Zoe\u{201d}.");
    press(&mut harness, Modifiers::NONE, Key::Escape);
    harness.run();
    harness.get_by_label("guest-0, online");
}

#[test]
fn the_search_of_videos_narrows_the_list_down() {
    let mut harness = shown(crowd());
    harness.get_by_label("Search videos").focus();
    harness.run();
    harness.get_by_label("Search videos").type_text("12 lect");
    harness.run();
    harness.get_by_label_contains("Play Lecture 12,");
    assert_eq!(harness.query_all_by_label_contains("Play Lecture").count(), 1);
}

#[test]
fn arrows_home_and_end_move_through_a_list_that_is_longer_than_the_window() {
    let mut harness = shown(crowd());
    let is_focused = |harness: &Harness<'static, Window>, label: &str| {
        harness.query_by_label_contains(label).is_some_and(|row| row.is_focused())
    };
    harness.get_by_label_contains("Play Lecture 1,").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    harness.run();
    assert!(is_focused(&harness, "Play Lecture 2,"));
    press(&mut harness, Modifiers::NONE, Key::End);
    harness.run();
    assert!(is_focused(&harness, "Play Lecture 12,"));
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    harness.run();
    assert!(is_focused(&harness, "Play Lecture 12,"), "it is the last one");
    press(&mut harness, Modifiers::NONE, Key::Home);
    harness.run();
    assert!(is_focused(&harness, "Play Lecture 1,"));
}

#[test]
fn a_long_title_has_two_lines() {
    let harness = shown(joined());
    let titles = painted(&harness, "Ein sehr langer Titel");
    let [title] = &titles[..] else { panic!("{} titles", titles.len()) };
    assert_eq!(title.galley.rows.len(), 2);
}

#[test]
fn a_video_says_which_resolution_cannot_be_read() {
    let broken = VideoInfo { unreadable_heights: vec![720], ..video(1, "Numbers", 9) };
    let state = joined_with(Vec::new(), Library { videos: vec![broken], unplayable_count: 0 });
    shown(state).get_by_label_contains("720p cannot be read");
}

#[test]
fn who_is_alone_is_told_the_address_for_others_and_can_copy_it() {
    let harness = shown(joined_with(Vec::new(), library()));
    harness.get_by_label_contains("You are alone here.");
    harness.get_by_label("192.168.1.5");
    harness.get_by_label("Copy the address");
}

#[test]
fn an_address_of_this_computer_is_not_given_to_others() {
    let mut state = joined_with(Vec::new(), library());
    assert_eq!(state.address_for_others(), Some("192.168.1.5"));
    state.server = ServerInfo::default();
    assert_eq!(state.address_for_others(), None, "it was reached as 127.0.0.1");
    state.connection.address = "lab.example:7950".into();
    assert_eq!(state.address_for_others(), Some("lab.example:7950"));
}
