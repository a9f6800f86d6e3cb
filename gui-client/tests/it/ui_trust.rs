//! What the window says about keys that are new, changed and verified.

use egui_kittest::kittest::Queryable;
use triptych_client::{
    event::{NetCommand, NetEvent},
    pins::PinChange,
    state::{
        action::{Action, Peer},
        conversation::Delivery,
    },
};

use crate::support::{
    scenes::{moment, name, scene, stranger, was_sealed},
    window::{show, window},
};

#[test]
fn only_the_two_of_you_is_said_only_where_it_is_true() {
    let claim = "Only the two of you can read this";
    show("chat").get_by_label(claim);
    for scene in ["key-new", "key-changed", "key-changed-before", "key-changed-everyone", "left"] {
        assert!(show(scene).query_by_label_contains("nly the two of you").is_none(), "{scene}");
    }
    show("key-new").get_by_label("Key first seen today");
    show("verified").get_by_label("Verified: only the two of you");
    show("verified").get_by_label("bob, online, verified");
}

#[test]
fn a_changed_key_is_explained_and_can_be_compared_or_accepted() {
    let mut harness = show("key-changed");
    harness.get_by_label("bob has another key than before.");
    harness.get_by_label("bob, online, another key than before");
    harness.get_by_role_and_label(egui::Role::Label, "bob, with another key than before");
    harness.get_by_label("Accept without comparing").click();
    harness.run();
    let expected = NetCommand::Pin(PinChange::Accepted(name("bob"), stranger(1).id()));
    assert!(harness.state().commands() == [&expected]);
    assert!(harness.query_by_label("bob, with another key than before").is_none());
    assert_eq!(harness.get_by_label("Message to bob").value().as_deref(), Some("One more thing:"), "the draft is here");
    harness.get_by_label_contains("Yes. Shall we watch the numbers together?");
}

#[test]
fn the_safety_number_is_compared_and_the_key_accepted_and_verified_in_one_step() {
    for size in [[1200.0, 760.0], [640.0, 480.0]] {
        let mut harness = window(scene("key-changed"), size);
        harness.get_by_label("Compare the safety number").click();
        harness.run();
        harness.get_by_label("Safety number with bob");
        harness.get_by_label("It is the same: accept the key").click();
        harness.run();
        assert!(harness.query_by_label("Safety number with bob").is_none());
        assert!(harness.state().state.trust.is_verified(&stranger(1).id()));
        harness.get_by_label("bob, online, verified");
    }
}

#[test]
fn a_mark_can_be_taken_back() {
    let mut harness = show("verified");
    assert!(harness.query_by_label("Verify").is_none(), "it is verified already");
    harness.get_by_label("Verified").click();
    harness.run();
    harness.get_by_label("You have verified the key of bob.");
    harness.get_by_label("Take the mark back").click();
    harness.run();
    harness.get_by_label("It is the same: mark as verified");
    harness.get_by_label("Close").click();
    harness.run();
    harness.get_by_label("bob, online");
}

#[test]
fn two_people_of_one_name_are_told_apart_in_the_list() {
    let harness = show("key-changed");
    harness.get_by_label("bob, online, another key than before");
    harness.get_by_label_contains("bob, the key before");
}

#[test]
fn the_notice_of_a_first_visit_takes_little_room_and_goes() {
    let mut harness = window(scene("first-visit"), [1000.0, 640.0]);
    let lists = harness.get_by_label("People").rect().top();
    harness.get_by_label("lahup-dibul-norim-tisal-gavof-vujit-zitin");
    harness.get_by_label("They are the same").click();
    harness.run();
    let height = lists - harness.get_by_label("People").rect().top();
    assert!((40.0..110.0).contains(&height), "{height}");
}

#[test]
fn the_conversation_with_the_key_before_leads_to_the_present_one() {
    let mut harness = show("key-changed-before");
    harness.get_by_label("bob is online with another key.");
    harness.get_by_label("Show the new one").click();
    harness.run();
    assert_eq!(harness.state().state.selected, Peer::Person(stranger(1).id()));
}

#[test]
fn in_everyone_the_lines_of_another_key_are_marked_and_it_is_said_who_is_left_out() {
    let mut harness = show("key-changed-everyone");
    harness.get_by_role_and_label(egui::Role::Label, "bob, with another key than before");
    harness.get_by_label("bob does not get this until you accept their new key.");
    harness.state_mut().state.handle(Action::AcceptKey(stranger(1).id()), moment());
    harness.run();
    assert!(harness.query_by_label("bob, with another key than before").is_none());
}

#[test]
fn a_message_says_how_many_have_the_key_for_it_and_the_composer_who_cannot_read_it() {
    let mut harness = show("handing-over");
    harness.get_by_label("Sending: 1240 of 1999 people have the key to read it");
    harness.get_by_label("bob cannot read this now: their client must connect again.");
    let everyone = harness.state().state.conversations.get(Peer::Everyone).unwrap();
    let Delivery::Pending(draft) = everyone.messages.back().unwrap().delivery else { panic!("it waits") };
    harness.state_mut().state.apply(was_sealed(draft, 1), moment());
    harness.state_mut().state.apply(NetEvent::LeftOut(vec![]), moment());
    harness.run();
    harness.get_by_label_contains(", sending");
    assert!(harness.query_by_label_contains("cannot read what you write").is_none());
}

#[test]
fn a_key_that_cannot_be_remembered_is_said() {
    let mut harness = show("chat");
    let trouble = "The keys of people cannot be remembered in /data/pins: no space left on the disk.";
    harness.state_mut().state.apply(NetEvent::PinsFailed(trouble.into()), moment());
    harness.run();
    harness.get_by_label(trouble);
}
