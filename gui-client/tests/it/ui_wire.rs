//! The wire and the dictionary as a student sees them: which results there are, why, and the bytes.

use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};
use triptych_client::{
    event::{NetEvent, WireOutcome},
    state::{
        action::{Action, SidePanel},
        wire::WireAction,
    },
};

use crate::support::{
    scenes::{self, ada, bob, entry, envelope, eve, moment, scene, stranger},
    window::{Window, press, show, window},
};

type Shown = Harness<'static, Window>;

fn click(harness: &mut Shown, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

/// What the last frame put on the clipboard.
fn copied(harness: &Shown) -> String {
    let commands = &harness.output().platform_output.commands;
    let text = commands.iter().find_map(|command| match command {
        OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    text.expect("something was copied")
}

/// Clicks, and looks at the clipboard in the frame that takes the click in.
fn copy(harness: &mut Shown, label: &str) -> String {
    harness.get_by_label(label).click();
    harness.step();
    copied(harness)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_wire_shows_sender_recipient_and_result() {
    let mut harness = show("chat");
    click(&mut harness, "Wire");
    harness.get_by_label("eve to bob: Your key does not open it");
    harness.get_by_label("bob to you: Opened with your keys");
    assert_eq!(harness.get_all_by_label("You to bob: Sent by you").count(), 2);
    harness.get_by_label_contains("eve to everyone: Opened with eve's sender key of ");
}

#[test]
fn two_people_of_one_name_can_be_told_apart_on_the_wire() {
    let mut state = scenes::joined();
    state.apply(scenes::leaves(&state, "bob"), moment());
    state.apply(scenes::joins(&state, scenes::person("bob", scenes::stranger(1))), moment());
    state.apply(envelope(5, bob().id(), vec![ada().id()], WireOutcome::Opened), moment());
    state.apply(envelope(6, scenes::stranger(1).id(), vec![ada().id()], WireOutcome::Opened), moment());
    let mut harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("Wire").click();
    harness.run();
    let old_key = common::crypto::short_fingerprint(&bob().id().0);
    harness.get_by_label_contains(&format!("bob ({old_key}) to you"));
    harness.get_by_label_contains("bob to you");
}

#[test]
fn each_result_has_its_reason() {
    let reasons = [
        ("bob to you: Opened with your keys", "the signature inside is bob's"),
        ("eve to bob: Your key does not open it", "the decryption failed, as it must"),
        ("eve to bob: Not for you, and not tried", "Too many envelopes arrived at once"),
        ("bob to you: Refused: a repetition", "a recording that was sent again"),
        ("0909-0909-0909-0909 to you: Refused: unknown sender", "is not in the dictionary"),
        ("bob to you: Not opened: damaged or forged", "The program does not learn which"),
        ("bob to you: Not opened: session key gone", "or has wiped"),
        ("bob to everyone: Not opened: no sender key", "that bob has not handed to you"),
    ];
    for (row, reason) in reasons {
        // High enough for all rows.
        let mut harness = window(scene("wire"), [1200.0, 1600.0]);
        harness.get_all_by_label(row).next().unwrap().click();
        harness.run();
        harness.get_by_label_contains(reason);
        click(&mut harness, "Back to the list");
        assert!(harness.query_by_label_contains(reason).is_none());
        assert!(harness.get_all_by_label(row).next().is_some());
    }
}

/// A window that takes this envelope apart, the only one on the wire.
fn taken_apart(event: NetEvent) -> Shown {
    let mut state = scenes::joined();
    state.apply(event, moment());
    // One who has left since has no session key.
    state.apply(scenes::leaves(&state, "bob"), moment());
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state.handle(Action::Wire(WireAction::Open(1)), moment());
    window(state, [1200.0, 1600.0])
}

#[test]
fn only_what_was_done_with_an_envelope_is_said_of_it() {
    let (found, not_looked_up) = ("You have it.", "Whether you have it was not looked up.");
    for (outcome, said) in [
        (WireOutcome::Rejected, found),
        (WireOutcome::TooManyFailures, found),
        (WireOutcome::UnsignedName, found),
        (WireOutcome::Replay, not_looked_up),
        (WireOutcome::UnknownSender, not_looked_up),
        (WireOutcome::NotYours, not_looked_up),
    ] {
        let mut harness = taken_apart(envelope(5, eve().id(), Vec::new(), outcome));
        click(&mut harness, "2. Sender key");
        harness.get_by_label(said);
    }
    for (event, said) in [
        (scenes::handed(5, eve().id(), WireOutcome::SenderKey), "The server handed this letter to you only."),
        (
            envelope(5, eve().id(), vec![ada().id()], WireOutcome::SenderKey),
            "The server relayed this letter, which only",
        ),
    ] {
        taken_apart(event).get_by_label_contains(said);
    }
    let mut harness = taken_apart(envelope(5, eve().id(), vec![bob().id()], WireOutcome::Foreign));
    click(&mut harness, "3. HPKE: a second secret");
    harness.get_by_label_contains("to a session key that is not bob's present one.");
    taken_apart(envelope(5, ada().id(), vec![eve().id()], WireOutcome::NotYours))
        .get_by_label_contains("this client did not send it, or it came back before");
}

#[test]
fn a_letter_is_taken_apart_with_the_keyboard_and_each_layer_is_copied() {
    // High enough for all layers.
    let mut harness = window(scene("wire"), [1200.0, 2600.0]);
    let row = "bob to you: Opened with your keys";
    harness.get_all_by_label(row).next().unwrap().focus();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let text = "And this is what it said.";
    assert_eq!(harness.get_all_by_label_contains(text).count(), 2, "in the conversation and on the wire");
    let letter = harness.state().state.wire.open().unwrap().envelope.clone().unwrap();
    let bytes = letter.as_bytes();
    for header in ["2. RSA-OAEP: a wrapped secret", "3. HPKE: a second secret", "4. Body: the ciphertext"] {
        harness.get_by_label(header).focus();
        harness.run();
        press(&mut harness, Modifiers::NONE, Key::Enter);
    }
    harness.get_by_label("Your RSA key opened it.");
    harness.get_by_label_contains("your present session key");
    harness.get_by_label("Your session key opened it.");
    harness.get_by_label("Your keys opened it. Inside are 25 bytes of text, shown above.");
    let copies = [
        ("Header, in the clear", 0..106),
        ("RSA-OAEP: a wrapped secret", 106..492),
        ("HPKE: a second secret", 492..1612),
        ("Body: the ciphertext", 1612..bytes.len()),
    ];
    for (layer, range) in copies {
        assert_eq!(copy(&mut harness, &format!("Copy the bytes of: {layer}")), hex(&bytes[range]), "{layer}");
    }
    assert_eq!(copy(&mut harness, "Copy the whole envelope"), hex(bytes));
    harness.ctx.memory_mut(|memory| memory.stop_text_input());
    press(&mut harness, Modifiers::NONE, Key::Escape);
    harness.get_all_by_label(row).next().unwrap();
}

#[test]
fn what_this_client_wrote_is_shown_with_its_envelope() {
    let mut harness = show("chat");
    click(&mut harness, "Wire");
    harness.get_all_by_label("You to bob: Sent by you").next().unwrap().click();
    harness.run();
    let text = "Me too.\nThree, two, one …";
    assert_eq!(harness.get_all_by_label_contains(text).count(), 2, "in the conversation and on the wire");
    harness.get_by_label_contains("Only bob can open it. Your own keys cannot");
}

#[test]
fn a_message_to_everyone_is_taken_apart_into_the_fields_of_megolm() {
    let mut harness = window(scene("wire-everyone"), [1200.0, 1600.0]);
    harness.get_by_label("Lunch at one?");
    click(&mut harness, "2. Sender key");
    harness.get_by_label_contains("It was sealed for you at ");
    click(&mut harness, "1. Header, in the clear");
    click(&mut harness, "3. Megolm message");
    harness.get_by_label("Index, 2 bytes: message 22 under this key");
    harness.get_by_label("MAC, 8 bytes: shows any change");
    harness.get_by_label("Signature, 64 bytes: made with the sender key");
}

#[test]
fn a_wide_column_shows_the_list_beside_the_envelope() {
    let mut harness = window(scene("wire-foreign"), [1280.0, 800.0]);
    harness.get_by_label_contains("the decryption failed, as it must");
    harness.get_all_by_label("bob to you: Opened with your keys").next().unwrap().click();
    harness.run();
    assert_eq!(
        harness.get_all_by_label_contains("And this is what it said.").count(),
        2,
        "in the conversation and on the wire"
    );
    click(&mut harness, "Narrow");
    assert!(harness.query_by_label("bob to you: Opened with your keys").is_none(), "no room for both");
    click(&mut harness, "Chat");
    assert!(harness.query_by_label("Wide").is_none(), "a conversation needs no more room");
}

#[test]
fn the_list_is_narrowed_down_paused_and_goes_on() {
    let mut harness = window(scene("wire"), [1200.0, 1600.0]);
    let rows = |harness: &Shown| {
        harness
            .query_all_by_label_contains(" to ")
            .filter(|row| {
                row.accesskit_node().role() == egui::Role::Button
                    && row.accesskit_node().label().is_some_and(|label| label.contains(": "))
            })
            .count()
    };
    let all = rows(&harness);
    click(&mut harness, "For you");
    assert!(harness.query_by_label("eve to bob: Not for you, and not tried").is_none());
    click(&mut harness, "To everyone");
    assert_eq!(rows(&harness), 3);
    click(&mut harness, "All");
    assert_eq!(rows(&harness), all);
    harness.get_by_label("Only from or to").click();
    harness.run();
    harness.get_by_label("Only from or to").type_text("EVE");
    harness.run();
    assert!(harness.query_by_label("bob to you: Refused: a repetition").is_none());
    harness.get_by_label_contains(&format!(" of {all} shown"));
    harness.state_mut().state.handle(Action::Wire(WireAction::EditNames(String::new())), moment());
    harness.run();
    click(&mut harness, "Pause");
    for number in 0..2 {
        let news = envelope(number, eve().id(), vec![bob().id()], WireOutcome::Foreign);
        harness.state_mut().state.apply(news, moment());
    }
    harness.run();
    assert_eq!(rows(&harness), all, "the list stays");
    harness.get_by_label("Paused. 2 more have come meanwhile.");
    click(&mut harness, "Go on");
    assert_eq!(rows(&harness), all + 2);
}

#[test]
fn an_envelope_whose_bytes_were_dropped_says_so() {
    let mut state = scene("wire");
    for _ in 0..499 {
        let mut news = entry(1, eve().id(), &[bob().id()], WireOutcome::Foreign);
        let longer = [news.envelope.as_bytes(), &[0; 9_000]].concat();
        news.envelope = common::crypto::Envelope::parse(longer).unwrap();
        state.apply(triptych_client::event::NetEvent::Envelope(news), moment());
    }
    assert!(state.wire.kept_bytes() <= triptych_client::state::wire::MAX_KEPT_BYTES);
    let oldest = state.wire.newest_first().last().unwrap();
    assert!(oldest.envelope.is_none());
    let number = oldest.number;
    state.handle(Action::Wire(WireAction::Open(number)), moment());
    let harness = window(state, [1200.0, 760.0]);
    harness.get_by_label("Its bytes were dropped to make room for later ones.");
    assert!(harness.query_by_label("Copy the whole envelope").is_none());
}

#[test]
fn only_the_visible_rows_of_a_long_wire_are_laid_out() {
    let mut state = scenes::joined();
    for _ in 0..600 {
        state.apply(envelope(3, eve().id(), vec![bob().id()], WireOutcome::Foreign), moment());
    }
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    let harness = window(state, [1200.0, 760.0]);
    let rows = harness.query_all_by_label("eve to bob: Your key does not open it").count();
    assert!((5..=15).contains(&rows), "{rows}");
}

#[test]
fn the_keys_tab_lists_the_dictionary_with_marks_and_leads_to_the_safety_number() {
    let mut harness = show("dictionary");
    let fingerprint = |key: &common::crypto::PublicKey| common::crypto::short_fingerprint(&key.id().0);
    harness.get_by_label_contains(&format!("ada, you, key {}. Online since ", fingerprint(&ada())));
    harness.get_by_label_contains(&format!("bob, another key than before, key {}.", fingerprint(&stranger(1))));
    harness.get_by_label_contains("carol, new today, key ");
    harness.get_by_label_contains("eve, verified, key ");
    let session = scenes::person("ada", ada()).session.id();
    let session = hex(&session.0[..4]);
    assert_eq!(harness.get_all_by_label_contains(&format!("session {session}…, 4 min")).count(), 4);
    let revision = harness.state().state.people.dictionary().unwrap().revision();
    harness.get_by_label(&format!("4 people online. Revision {revision} of the dictionary."));
    assert_eq!(copy(&mut harness, "Copy the fingerprint of eve"), hex(&eve().id().0));
    assert!(harness.query_by_label("Safety number with eve").is_none(), "copying opens nothing");
    harness.get_by_label_contains("eve, verified, key ").click();
    harness.run();
    harness.get_by_label("Safety number with eve");
}

#[test]
fn a_long_dictionary_draws_the_visible_rows_only_and_is_searched_by_name() {
    let mut harness = show("dictionary-crowd");
    let rows = |harness: &Shown| harness.query_all_by_label_contains(", key ").count();
    assert!((5..=15).contains(&rows(&harness)), "{}", rows(&harness));
    harness.get_by_label("Only people called").click();
    harness.run();
    harness.get_by_label("Only people called").type_text("Guest-17");
    harness.run();
    harness.get_by_label_contains("11 of 201 people online. Revision ");
    harness.get_by_label_contains("guest-17, key ");
    harness.get_by_label_contains("guest-171, ");
    harness.get_by_label("Only people called").type_text("x");
    harness.run();
    harness.get_by_label("No one online has such a name.");
}
