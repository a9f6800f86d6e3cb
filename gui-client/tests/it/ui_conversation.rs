//! The messages of a conversation: what a screen reader says, what the keyboard does, and what stays where it is while messages
//! come and the window changes.

use egui::{Event, Key, Modifiers, OutputCommand, Rect, Role, ViewportCommand, accesskit::Live};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::state::{
    State,
    action::{Action, Moment, Peer, SidePanel},
};

use crate::support::{
    scenes::{self, ada, bob, eve, leaves, message, moment, noon_millis, person, say, scene},
    window::{Window, press, show, window},
};

const SIZE: [f32; 2] = [1200.0, 760.0];

fn with_bob() -> Peer {
    Peer::Person(bob().id())
}

/// A conversation with Bob of this many messages, ten in each minute.
fn talked(count: u64) -> State {
    let mut state = scenes::joined();
    state.handle(Action::Select(with_bob()), moment());
    for number in 1..=count {
        state.apply(numbered(number), moment());
    }
    state
}

fn numbered(number: u64) -> triptych_client::event::NetEvent {
    message("bob", &bob(), &[&ada()], &format!("Message number {number}."), number / 10)
}

/// The same, scrolled up by `points` from its end.
fn scrolled_up(count: u64, points: f32) -> Harness<'static, Window> {
    let mut harness = window(talked(count), SIZE);
    assert!(place_of(&harness, count).is_some(), "the end is in sight");
    scroll(&mut harness, points);
    harness
}

fn scroll(harness: &mut Harness<'static, Window>, points: f32) {
    harness.hover_at(egui::pos2(1000.0, 400.0));
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, points),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    // Scrolling is smooth, so it takes some frames.
    harness.run_steps(12);
}

/// Where a message is drawn, if it is.
fn place_of(harness: &Harness<'static, Window>, number: u64) -> Option<Rect> {
    harness.query_by_label_contains(&format!("Message number {number}.")).map(|node| node.rect())
}

fn drawn_count(harness: &Harness<'static, Window>) -> usize {
    harness.query_all_by_role(Role::ListItem).count()
}

fn add(harness: &mut Harness<'static, Window>, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        harness.state_mut().state.apply(numbered(number), moment());
    }
    harness.run();
}

#[test]
fn each_message_is_one_entry_of_a_list_with_author_time_and_state() {
    let harness = show("delivery");
    let list = harness.get_by_role_and_label(Role::List, "Messages with bob");
    let spoken: Vec<_> =
        list.children_recursive().filter(|node| node.accesskit_node().role() == Role::ListItem).collect();
    let said = |text: &str| {
        let found = spoken.iter().filter_map(|node| node.accesskit_node().label());
        found.filter(|label| label.contains(text)).collect::<Vec<_>>()
    };
    let minute = |minute: u64| {
        let label = said("Are you there?").pop().unwrap();
        assert!(label.starts_with("bob, ") && label.ends_with(": Are you there?"), "{label}");
        // All are within one hour, whatever the time zone.
        format!("{}{minute:02}", &label["bob, ".len()..][..3])
    };
    assert_eq!(said("Did you see"), [format!("You, {}: Did you see the end?, delivered", minute(6))]);
    let failed =
        format!("You, {}: I liked the sound most., not sent. bob's client has not confirmed this message.", minute(7));
    assert_eq!(said("I liked"), [failed]);
    assert_eq!(said("Shall we see"), [format!("You, {}: Shall we see another one?, sent", minute(8))]);
    assert!(said("Tomorrow?")[0].ends_with(", sending"));
}

#[test]
fn what_arrives_in_the_open_conversation_is_announced_and_what_was_there_is_not() {
    let mut harness = window(talked(3), SIZE);
    let live = |harness: &Harness<'static, Window>, number: u64| {
        let text = format!("Message number {number}.");
        let node = harness.get_by_label_contains(&text);
        node.accesskit_node().live()
    };
    assert_eq!(live(&harness, 3), Live::Off);
    add(&mut harness, 4..=4);
    assert_eq!((live(&harness, 3), live(&harness, 4)), (Live::Off, Live::Polite));
    harness.state_mut().state.handle(Action::Select(Peer::Everyone), moment());
    harness.run();
    harness.state_mut().state.handle(Action::Select(with_bob()), moment());
    harness.run();
    assert_eq!(live(&harness, 4), Live::Off, "it was said before");
}

#[test]
fn only_messages_in_sight_are_laid_out() {
    let mut harness = window(talked(10_000), SIZE);
    assert!((5..60).contains(&drawn_count(&harness)), "{}", drawn_count(&harness));
    scroll(&mut harness, 1_000_000.0);
    assert!(place_of(&harness, 1).is_some(), "the beginning is reached");
    assert!((5..60).contains(&drawn_count(&harness)), "{}", drawn_count(&harness));
}

#[test]
fn the_reading_place_stays_while_messages_come_and_go_and_the_window_changes() {
    let mut harness = scrolled_up(200, 700.0);
    let (number, before) = (100..200).find_map(|number| Some((number, place_of(&harness, number)?))).unwrap();
    let top = |harness: &Harness<'static, Window>| place_of(harness, number).unwrap().top();
    add(&mut harness, 201..=260);
    assert_eq!(place_of(&harness, number), Some(before));
    // A note under a message above it, and wider and narrower rows.
    harness.set_size(egui::vec2(800.0, 760.0));
    harness.run();
    let narrow = top(&harness);
    harness.set_size(SIZE.into());
    harness.run();
    assert!((top(&harness) - before.top()).abs() <= 1.0, "{} after {} at {}", top(&harness), narrow, before.top());
}

#[test]
fn a_message_that_arrives_below_the_reading_place_is_one_click_away() {
    let mut harness = scrolled_up(50, 900.0);
    assert!(harness.query_by_label_contains("new message").is_none(), "all of these are known");
    add(&mut harness, 51..=120);
    let bob = harness.get_by_label_contains("bob, online, 70 unread");
    assert!(bob.rect().is_positive(), "what is out of sight is not read");
    assert!(harness.state().viewport_commands.contains(&ViewportCommand::Title("(70) Triptych".to_owned())));
    harness.get_by_label("70 new messages").click();
    harness.run();
    let first = place_of(&harness, 51).unwrap();
    let mark = harness.get_by_label("New").rect();
    assert!(mark.bottom() <= first.top() && first.top() < 260.0, "the first new one is at the top: {first:?}");
    scroll(&mut harness, -10_000.0);
    assert!(harness.query_by_label_contains("new message").is_none());
    assert!(harness.query_by_label("bob, online").is_some(), "they are read");
}

#[test]
fn what_arrives_while_the_person_works_elsewhere_is_marked_and_does_not_leave_the_screen_unseen() {
    let mut harness = window(talked(50), SIZE);
    harness.input_mut().focused = false;
    harness.run();
    add(&mut harness, 51..=51);
    harness.get_by_label("New");
    add(&mut harness, 52..=120);
    assert!(place_of(&harness, 51).is_some(), "the first one stays in sight");
    assert!(place_of(&harness, 120).is_none());
    harness.input_mut().focused = true;
    harness.run();
    harness.get_by_label("bob, online, 70 unread");
    scroll(&mut harness, -10_000.0);
    harness.get_by_label("bob, online");
    // The mark stays until the conversation is left.
    let unread =
        |harness: &Harness<'static, Window>| harness.state().state.conversations.get(with_bob()).unwrap().new_from();
    assert!(unread(&harness).is_some());
    harness.get_by_label_contains("Everyone").click();
    harness.run();
    assert!(unread(&harness).is_none());
}

#[test]
fn an_own_message_is_shown_wherever_one_has_been_reading() {
    let mut harness = scrolled_up(50, 700.0);
    harness.get_by_label("Message to bob").click();
    harness.run();
    harness.get_by_label("Message to bob").type_text("My answer");
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let answer = harness.get_by_label_contains("My answer, sending").rect();
    assert!(answer.bottom() < 720.0, "{answer:?}");
}

#[test]
fn a_button_and_keys_lead_to_the_end() {
    for way in ["button", "Ctrl+End", "End"] {
        let mut harness = scrolled_up(80, 900.0);
        assert!(place_of(&harness, 80).is_none());
        harness.get_by_label("Message to bob").focus();
        harness.run();
        match way {
            "button" => harness.get_by_label("Go to the end").click(),
            "End" => harness.key_press(Key::End),
            _ => harness.key_press_modifiers(Modifiers::CTRL, Key::End),
        }
        harness.run();
        assert!(place_of(&harness, 80).is_some(), "{way}");
        assert!(harness.query_by_label("Go to the end").is_none(), "{way}");
        press(&mut harness, Modifiers::NONE, Key::PageUp);
        assert!(place_of(&harness, 80).is_none(), "a screen up");
        press(&mut harness, Modifiers::NONE, Key::PageDown);
        assert!(place_of(&harness, 80).is_some(), "and down");
    }
}

#[test]
fn the_arrow_keys_lead_from_message_to_message() {
    let mut harness = window(talked(60), SIZE);
    harness.get_by_label_contains("Message number 60.").focus();
    harness.run();
    for _ in 0..40 {
        press(&mut harness, Modifiers::NONE, Key::ArrowUp);
    }
    let focused = harness.get_by_label_contains("Message number 20.");
    assert!(focused.is_focused());
    assert!(focused.rect().top() > 100.0, "it is in sight");
    press(&mut harness, Modifiers::NONE, Key::ArrowDown);
    assert!(harness.get_by_label_contains("Message number 21.").is_focused());
    press(&mut harness, Modifiers::NONE, Key::End);
    assert!(harness.get_by_label_contains("Message number 60.").is_focused());
}

/// Opens the menu of a message by a key.
fn menu_of(harness: &mut Harness<'static, Window>, text: &str, modifiers: Modifiers, key: Key) {
    harness.get_by_label_contains(text).focus();
    harness.run();
    for _ in 0..20 {
        if harness.get_by_label_contains(text).is_focused() {
            break;
        }
        press(harness, Modifiers::NONE, Key::ArrowUp);
    }
    press(harness, modifiers, key);
}

fn copied(harness: &Harness<'static, Window>) -> Option<String> {
    harness.output().platform_output.commands.iter().find_map(|command| match command {
        OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn a_message_has_a_menu_by_the_mouse_and_by_the_keyboard() {
    let mut harness = show("chat");
    harness.get_by_label_contains("Me too.").click_secondary();
    harness.run();
    harness.get_by_label("Copy text").click();
    harness.step();
    assert_eq!(copied(&harness).as_deref(), Some("Me too.\nThree, two, one …"));
    harness.run();
    assert!(harness.query_by_label("Copy text").is_none(), "the menu has closed");
    for (modifiers, key) in [(Modifiers::NONE, Key::Menu), (Modifiers::SHIFT, Key::F10)] {
        let mut harness = show("chat");
        menu_of(&mut harness, "Me too.", modifiers, key);
        harness.get_by_label("Copy text");
        press(&mut harness, Modifiers::NONE, Key::Escape);
        assert!(harness.query_by_label("Copy text").is_none());
        assert!(harness.get_by_label_contains("Me too.").is_focused(), "back where one was");
        press(&mut harness, modifiers, key);
        harness.get_by_label("Copy with name and time").click();
        harness.step();
        let text = copied(&harness).unwrap();
        assert!(text.starts_with("[2026-05-2") && text.ends_with("] ada: Me too.\nThree, two, one …"), "{text}");
    }
}

#[test]
fn the_menu_leads_to_the_envelope_of_a_message() {
    let mut harness = show("chat");
    harness.get_by_label_contains("Me too.").click_secondary();
    harness.run();
    harness.get_by_label("Details on the wire").click();
    harness.run();
    let state = &harness.state().state;
    assert_eq!(state.side, SidePanel::Wire);
    assert_eq!(state.wire.open().map(|passed| passed.message_id), Some(scenes::id(101)));
}

#[test]
fn a_failed_message_is_sent_again_from_its_menu() {
    let mut harness = show("lost");
    harness.get_by_label_contains("Did this arrive?").click_secondary();
    harness.run();
    assert_eq!(harness.get_all_by_label("Retry").count(), 2, "beside the message and in the menu");
}

#[test]
fn alt_and_arrows_lead_through_the_conversations() {
    let mut harness = window(scenes::joined(), SIZE);
    let selected = |harness: &Harness<'static, Window>| harness.state().state.selected;
    press(&mut harness, Modifiers::ALT, Key::ArrowDown);
    assert_eq!(selected(&harness), with_bob());
    assert!(harness.get_by_label("Message to bob").is_focused());
    press(&mut harness, Modifiers::ALT, Key::ArrowDown);
    assert_eq!(selected(&harness), Peer::Person(eve().id()));
    press(&mut harness, Modifiers::ALT, Key::ArrowDown);
    assert_eq!(selected(&harness), Peer::Person(eve().id()), "the last one");
    press(&mut harness, Modifiers::ALT, Key::ArrowUp);
    assert_eq!(selected(&harness), with_bob());
    harness.state_mut().state.apply(message("eve", &eve(), &[&ada()], "Psst", 1), moment());
    press(&mut harness, Modifiers::COMMAND, Key::J);
    assert_eq!(selected(&harness), Peer::Person(eve().id()), "the next with unread messages");
}

#[test]
fn in_a_talk_of_two_names_are_left_out_and_in_everyone_they_stay() {
    let count = |harness: &Harness<'static, Window>, text: &str| {
        let labels = harness.query_all_by_role(Role::Label);
        labels.filter(|node| node.value().as_deref() == Some(text)).count()
    };
    let mut state = scene("chat");
    assert_eq!(count(&window(state.clone(), SIZE), "bob"), 1, "the header alone");
    for (number, text) in ["one", "two", "three"].into_iter().enumerate() {
        // The third comes more than five minutes after the second.
        let minute = 12 + number as u64 / 2 * 6;
        state.apply(message("eve", &eve(), &[&ada(), &bob(), &eve()], text, minute), moment());
    }
    state.handle(Action::Select(Peer::Everyone), moment());
    let harness = window(state, SIZE);
    // Above the first of the scene, and above each group.
    assert_eq!(count(&harness, "eve"), 2 + usize::from(harness.query_by_label_contains("Hello, all").is_some()));
}

#[test]
fn the_day_stays_at_the_top_while_scrolling() {
    let mut state = scenes::joined();
    state.handle(Action::Select(with_bob()), moment());
    for number in 0..120 {
        // Forty on each of three days.
        let minute = number / 40 * 24 * 60;
        state.apply(message("bob", &bob(), &[&ada()], &format!("Message number {number}."), minute), moment());
    }
    let mut harness = window(state, SIZE);
    harness.state_mut().now = Some(Moment { unix_millis: noon_millis() + 2 * 86_400_000, ..moment() });
    harness.run();
    scroll(&mut harness, 1_000_000.0);
    let first_day = harness.get_by_label("Thursday, 21 May").rect();
    scroll(&mut harness, -300.0);
    let stuck = harness.get_by_label("Thursday, 21 May").rect();
    assert!(stuck.top() >= first_day.top() - 40.0, "{stuck:?} instead of {first_day:?}");
    assert!(place_of(&harness, 0).is_none_or(|first| first.bottom() < stuck.top()), "the message has moved on");
}

#[test]
fn a_quiet_line_says_who_went_offline() {
    let mut state = scene("chat");
    state.apply(leaves(&state, "bob"), Moment { unix_millis: noon_millis() + 9 * 60_000, ..moment() });
    let harness = window(state.clone(), SIZE);
    harness.get_by_label_contains("bob went offline, ");
    state.apply(
        scenes::joins(&state, person("bob", bob())),
        Moment { unix_millis: noon_millis() + 20 * 60_000, ..moment() },
    );
    window(state, SIZE).get_by_label_contains("bob was offline from ");
}

#[test]
fn own_messages_and_those_of_others_have_the_time_in_the_same_place() {
    let mut state = scenes::joined();
    say(&mut state, with_bob(), "Mine", 1, 1);
    state.apply(message("bob", &bob(), &[&ada()], "Theirs", 1), moment());
    let harness = window(state, SIZE);
    let rect = |text: &str| harness.get_by_label_contains(text).rect();
    assert_eq!(rect("Mine").height(), rect("Theirs").height());
    assert!(rect("Mine").width() > rect("Theirs").width() - 40.0, "the mark is inside the bubble");
}
