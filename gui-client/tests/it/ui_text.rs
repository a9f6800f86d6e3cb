//! What people write and read: links, scripts, and the composer.

use egui::{Event, ImeEvent, Key, Modifiers, OutputCommand};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::NetCommand,
    state::{
        action::{Action, Peer},
        effect::Effect,
    },
};

use crate::support::{
    scenes::{self, LOOK_ALIKE, scene},
    window::{Window, build, double_click, key, painted, press, show, type_in_one_frame},
};

type Shown = Harness<'static, Window>;

fn draft(harness: &Shown) -> String {
    harness.get_by_label("Message to bob").value().unwrap_or_default()
}

/// What the messages say that were sent so far.
fn sent(harness: &Shown) -> Vec<String> {
    let text =
        |command: &&NetCommand| if let NetCommand::Send { text, .. } = command { Some(text.clone()) } else { None };
    harness.state().commands().iter().filter_map(text).collect()
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn preedit(text: &str) -> Event {
    Event::Ime(ImeEvent::Preedit { text: text.to_owned(), active_range_chars: None })
}

/// A conversation with Bob with the focus in the composer.
fn writing() -> Shown {
    // What is written may need fonts that only the systems of people have.
    let builder = Harness::builder().with_size([1200.0, 760.0]).allow_missing_glyphs();
    let mut harness = build(scenes::joined(), builder);
    harness.get_by_label("bob, online").click();
    harness.run();
    assert!(harness.get_by_label("Message to bob").is_focused());
    harness
}

#[test]
fn a_link_is_opened_only_after_its_address_was_shown() {
    let mut harness = show("links");
    harness.get_by_label(&format!("Link {LOOK_ALIKE}")).click();
    harness.run();
    harness.get_by_label("Open this address in your browser?");
    // What would be opened, and not what it looks like.
    harness.get_by_label("https://xn--pple-43d.com/");
    harness.get_by_label_contains("another alphabet");
    harness.get_by_label("Cancel").click();
    harness.run();
    assert!(harness.query_by_label("Open this address in your browser?").is_none());
    assert!(harness.state().effects.is_empty());

    harness.get_by_label(&format!("Link {LOOK_ALIKE}")).click();
    harness.run();
    harness.get_by_label("Open").click();
    harness.run();
    let opened: Vec<_> = harness.state().effects.iter().collect();
    assert!(matches!(opened[..], [Effect::OpenInBrowser(address)] if address.as_str() == "https://xn--pple-43d.com/"));
    assert!(harness.query_by_label("Open this address in your browser?").is_none());
}

#[test]
fn with_the_keyboard_a_link_takes_two_deliberate_steps() {
    let mut harness = show("links");
    harness.get_by_label("Link http://10.0.0.7:8080").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(harness.get_by_label("Cancel").is_focused());
    press(&mut harness, Modifiers::NONE, Key::Enter);
    assert!(harness.state().state.link_question.is_none());
    assert!(harness.state().effects.is_empty());

    harness.get_by_label("Link http://10.0.0.7:8080").focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    press(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.state().state.link_question.is_none());
    assert!(harness.state().effects.is_empty());
}

#[test]
fn the_address_of_a_link_can_be_copied() {
    let mut harness = show("link-question");
    harness.get_by_label("Copy address").click();
    harness.step();
    let copied = copied(&harness);
    assert_eq!(copied.as_deref(), Some("https://xn--pple-43d.com/"));
}

fn copied(harness: &Shown) -> Option<String> {
    harness.output().platform_output.commands.iter().find_map(|command| match command {
        OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn what_is_copied_of_right_to_left_text_is_the_text_as_it_was_written() {
    let message = "שלום עולם, the file is Holiday_720p.mp4, בהצלחה!";
    let mut harness = build(scene("languages"), Harness::builder().with_size([1200.0, 760.0]).allow_missing_glyphs());
    let field = harness.get_by_label(message).rect();
    // The first word is at the right.
    double_click(&mut harness, field.right_top() + egui::vec2(-6.0, 11.0));
    harness.input_mut().events.push(Event::Copy);
    harness.step();
    assert_eq!(copied(&harness).as_deref(), Some("שלום"));
    harness.run();
    // Ctrl+A takes all of it.
    press(&mut harness, Modifiers::COMMAND, Key::A);
    harness.input_mut().events.push(Event::Copy);
    harness.step();
    assert_eq!(copied(&harness).as_deref(), Some(message));
}

#[test]
fn names_are_shown_in_the_order_of_their_script_wherever_they_are() {
    const NAME: &str = "דוד לוי";
    let david = scenes::stranger(1);
    let mut state = scenes::joined();
    state.apply(scenes::joins(&state, scenes::person(NAME, david.clone())), scenes::moment());
    let to_all = [&scenes::ada(), &david];
    state.apply(scenes::message(NAME, &david, &to_all, "Hello", 1), scenes::moment());
    state.apply(scenes::message(NAME, &david, &[&scenes::ada()], "And you", 2), scenes::moment());
    state.apply(scenes::leaves(&state, NAME), scenes::moment());
    let with_david = Peer::Person(david.id());
    // The list, and that he went; the line above the bubble; the header of the conversation with him and its field.
    for (selected, least) in [(Peer::Everyone, 3), (with_david, 4)] {
        state.handle(Action::Select(selected), scenes::moment());
        let builder = Harness::builder().with_size([1200.0, 760.0]).allow_missing_glyphs();
        let harness = build(state.clone(), builder);
        let texts = painted(&harness, NAME);
        assert!(texts.len() >= least, "{:?}", texts.iter().map(|text| text.galley.text()).collect::<Vec<_>>());
        for text in texts {
            // The first word of the name is to the right of its second one.
            let glyphs = &text.galley.rows[0].row.glyphs;
            let place = |letter: char| glyphs.iter().find(|glyph| glyph.chr == letter).unwrap().pos.x;
            assert!(place('ד') > place('ל'), "{}", text.galley.text());
        }
    }
}

#[test]
fn the_send_button_is_inside_the_field_and_says_when_it_can_be_used() {
    let mut harness = writing();
    let send = |harness: &Shown| harness.get_by_label("Send").accesskit_node().is_disabled();
    assert!(send(&harness));
    harness.get_by_label("Message to bob").type_text("Ahoj");
    harness.run();
    assert!(!send(&harness));
    let (field, button) = (harness.get_by_label("Message to bob").rect(), harness.get_by_label("Send").rect());
    assert!(button.left() >= field.right() && button.left() < field.right() + 16.0, "{field:?} {button:?}");
    assert!(button.top() < field.bottom() && field.top() < button.bottom(), "{field:?} {button:?}");
    harness.get_by_label("Send").click();
    harness.run();
    assert_eq!(sent(&harness), ["Ahoj"]);
    assert!(harness.get_by_label("Message to bob").is_focused());
}

#[test]
fn a_long_name_is_shortened_in_the_field_and_makes_it_no_higher() {
    let long = "Wolfeschlegelsteinhausenberger-B";
    let peer = scenes::stranger(1);
    let mut state = scenes::joined();
    state.apply(scenes::joins(&state, scenes::person(long, peer.clone())), scenes::moment());
    let height = |state: &triptych_client::state::State, label: &str| {
        let harness = build(state.clone(), Harness::builder().with_size([600.0, 400.0]));
        let hints = painted(&harness, "Write to ");
        let [hint] = &hints[..] else { panic!("{} hints", hints.len()) };
        let field = harness.get_by_label(label).rect();
        assert_eq!(hint.galley.rows.len(), 1);
        let right = hint.pos.x + hint.galley.size().x;
        assert!(right <= harness.get_by_label("Send").rect().left(), "{right}");
        field.height()
    };
    state.handle(Action::Select(Peer::Everyone), scenes::moment());
    let usual = height(&state, "Message to everyone");
    state.handle(Action::Select(Peer::Person(peer.id())), scenes::moment());
    assert_eq!(height(&state, &format!("Message to {long}")), usual);
}

#[test]
fn the_end_of_a_pasted_text_is_in_sight() {
    let mut harness = writing();
    let lines: Vec<String> = (0..60).map(|line| format!("line {line}")).collect();
    type_in_one_frame(&mut harness, [Event::Paste(lines.join("\n"))]);
    let (field, button) = (harness.get_by_label("Message to bob").rect(), harness.get_by_label("Send").rect());
    assert!(field.height() > 1000.0, "it is higher than its frame: {field:?}");
    assert!((field.bottom() - button.bottom()).abs() < 24.0, "its end is at the button: {field:?} {button:?}");
}

#[test]
fn enter_belongs_to_the_input_method_while_it_composes() {
    let mut harness = writing();
    type_in_one_frame(&mut harness, [preedit("に")]);
    assert_eq!(draft(&harness), "に");
    type_in_one_frame(&mut harness, key(Key::Enter));
    assert_eq!((sent(&harness), draft(&harness)), (vec![], "に".to_owned()));
    // The end of the composition and Enter in one frame: the whole word goes out.
    let committed = [Event::Ime(ImeEvent::Commit("日本".into()))];
    type_in_one_frame(&mut harness, committed.into_iter().chain(key(Key::Enter)).chain([text("x")]));
    assert_eq!(sent(&harness), ["日本"]);
    assert_eq!(draft(&harness), "x");
}

#[test]
fn what_is_pasted_after_enter_belongs_to_the_next_message() {
    let mut harness = writing();
    let events =
        [text("one")].into_iter().chain(key(Key::Enter)).chain([Event::Paste("two".into())]).chain(key(Key::Enter));
    type_in_one_frame(&mut harness, events.chain([text("three")]));
    assert_eq!(sent(&harness), ["one", "two"]);
    assert_eq!(draft(&harness), "three");
}

#[test]
fn the_composer_edits_as_other_fields_do() {
    let mut harness = writing();
    type_in_one_frame(&mut harness, [text("one two three")]);
    press(&mut harness, Modifiers::CTRL, Key::ArrowLeft);
    press(&mut harness, Modifiers::CTRL, Key::Backspace);
    assert_eq!(draft(&harness), "one three");
    press(&mut harness, Modifiers::COMMAND, Key::A);
    type_in_one_frame(&mut harness, [text("four")]);
    assert_eq!(draft(&harness), "four");
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(draft(&harness), "one three");
    press(&mut harness, Modifiers::SHIFT, Key::Enter);
    assert!(sent(&harness).is_empty() && draft(&harness).contains('\n'));
}

#[test]
fn the_caret_goes_where_an_arrow_points_also_in_right_to_left_text() {
    let mut harness = writing();
    type_in_one_frame(&mut harness, [text("אבג")]);
    // The caret is at the left end; one step to the right is before the last letter.
    press(&mut harness, Modifiers::NONE, Key::ArrowRight);
    type_in_one_frame(&mut harness, [text("x")]);
    assert_eq!(draft(&harness), "אבxג");
}

#[test]
fn the_room_in_a_message_is_counted_in_characters_and_its_end_is_said_once() {
    show("nearly-full").get_by_label("43 characters left");
    let harness = show("too-long");
    assert_eq!(harness.query_all_by_label_contains("too long").count(), 1);
    harness.get_by_label("This message is 12 characters too long. Shorten it, or send it in two parts.");
    assert!(harness.get_by_label("Send").accesskit_node().is_disabled());
    assert!(writing().query_by_label_contains("characters left").is_none());
}

#[test]
fn a_draft_is_kept_as_one_line_for_the_list() {
    let mut state = scenes::joined();
    let bob = Peer::Person(scenes::bob().id());
    state.handle(Action::Select(bob), scenes::moment());
    state.handle(Action::EditDraft("Dear Bob,\n\nas I said".into()), scenes::moment());
    let preview = state.conversations.get(bob).and_then(|conversation| conversation.draft_preview());
    assert_eq!(preview.as_deref(), Some("Dear Bob, as I said"));
}
