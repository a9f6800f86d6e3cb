//! What the window says about attacks, and that hostile texts stay where they belong.

use common::media::Library;
use egui_kittest::{Harness, kittest::Queryable};
use triptych_client::{
    event::NetEvent,
    state::action::{Action, Peer},
};

use crate::support::{
    scenes::{self, ada, bob, message, moment, scene, video},
    window::{build, show, window},
};

#[test]
fn the_wire_says_what_was_dropped_and_what_is_not_tried_any_more() {
    let harness = show("flood");
    harness.get_by_label("1204 more were dropped unopened, because too many arrived at once.");
    let text = "eve to you: Not tried: too many were damaged";
    assert_eq!(harness.get_all_by_label(text).count(), 2);
}

#[test]
fn that_a_connection_is_not_encrypted_is_said_all_the_time() {
    let mut form = show("plaintext-form");
    form.get_by_label_contains("will not be encrypted");
    form.get_by_label("Connect").click();
    form.run();
    form.get_by_label("Cancel");
    form.get_by_label_contains("will not be encrypted");
    assert!(show("connect").query_by_label_contains("encrypted").is_none());
    for size in [[1200.0, 760.0], [760.0, 520.0]] {
        let mut state = scene("plaintext");
        let harness = window(state.clone(), size);
        harness.get_by_label("Not encrypted");
        harness.get_by_label_contains("Lab, 127.0.0.1:7878 · ");
        state.apply(NetEvent::Offline(scenes::lost()), moment());
        let harness = window(state, size);
        harness.get_by_label("Not encrypted");
    }
    assert!(window(scenes::joined(), [1200.0, 760.0]).query_by_label("Not encrypted").is_none());
}

/// Texts that have stopped or broken programs: of many lines, without a break, wide, with marks that pile up, and with
/// characters that change the direction.
fn hostile_texts() -> Vec<String> {
    let fill = |pattern: &str| pattern.repeat(8_192 / pattern.len());
    [
        "\n",
        "x",
        "漢",
        "e\u{301}\u{302}\u{303}\u{304}",
        "\u{202e}\u{2066}a",
        "ا",
        "\u{200b}",
        "\t",
        "\u{7}",
        "🦀",
        "a b ",
    ]
    .map(fill)
    .to_vec()
}

#[test]
fn hostile_texts_leave_the_rest_of_the_window_where_it_is() {
    let mut state = scenes::joined();
    let composer = window(state.clone(), [1200.0, 760.0]);
    let place = |harness: &Harness<'_, _>, label: &str| harness.get_by_label(label).rect();
    let (row, menu) = (place(&composer, "bob, online"), place(&composer, "ada, your menu"));
    for (minute, text) in (0..60).zip(hostile_texts().into_iter().cycle()) {
        state.apply(message("bob", &bob(), &[&ada()], &text, minute), moment());
    }
    let videos = hostile_texts().into_iter().map(|text| text.chars().take(500).collect::<String>());
    let videos = (1..).zip(videos).map(|(id, title)| video(id, &title, 9)).collect();
    state.apply(NetEvent::LibraryChanged(Library { videos, unplayable_count: u32::MAX }), moment());
    state.handle(Action::Select(Peer::Person(bob().id())), moment());
    let builder = Harness::builder().with_size([1200.0, 760.0]);
    // What people write may need fonts that only their systems have.
    let mut harness = build(state, builder.allow_missing_glyphs());
    harness.run_steps(3);
    assert_eq!((place(&harness, "bob, online"), place(&harness, "ada, your menu")), (row, menu));
    let composer = place(&harness, "Message to bob");
    assert!(composer.bottom() <= 760.0 && composer.right() <= 1200.0, "{composer:?}");
}
