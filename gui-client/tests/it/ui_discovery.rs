//! The first screen with servers that were found, operated by what a screen reader would read.

use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use triptych_client::{
    event::{NetCommand, discovery::Familiarity},
    state::action::Action,
};

use crate::support::{
    scenes::{found, scene, searched},
    window::{enter_server, press, show, window},
};

#[test]
fn a_server_is_joined_with_one_key() {
    let mut harness = window(searched(vec![found("Lab", "192.168.1.5", Familiarity::New)]), [1200.0, 760.0]);
    let label = "Join Lab, 14 people · 1 video, not visited before, at 192.168.1.5:7878.";
    assert!(harness.get_by_label_contains(label).is_focused(), "Enter joins");
    press(&mut harness, Modifiers::NONE, Key::Enter);
    let commands = harness.state().commands();
    let [NetCommand::ConnectFound { address, name, .. }] = &commands[..] else { panic!("it is joined once") };
    assert_eq!((address.as_str(), name.as_str()), ("192.168.1.5:7878", "ada"));
    harness.get_by_label("Joining 192.168.1.5:7878 as ada");
}

#[test]
fn enter_after_the_name_joins_the_only_server() {
    let mut harness = window(searched(vec![found("Lab", "192.168.1.5", Familiarity::New)]), [1200.0, 760.0]);
    let enter_after_name = |harness: &mut egui_kittest::Harness<'static, _>| {
        let name = egui::accesskit::Role::TextInput;
        harness.get_by_role_and_label(name, "Your name").focus();
        harness.run();
        press(harness, Modifiers::NONE, Key::Enter);
    };
    enter_after_name(&mut harness);
    assert!(matches!(harness.state().commands()[..], [NetCommand::ConnectFound { .. }]), "it is joined once");
    // Of several none is meant.
    let mut harness = show("servers");
    enter_after_name(&mut harness);
    assert!(harness.state().commands().is_empty());
}

#[test]
fn servers_are_told_apart_by_name_numbers_visits_and_words() {
    let mut harness = show("servers");
    harness.get_by_label("3 servers on your network");
    harness.get_by_label_contains("Join Lab 3, 14 people · 1 video, visited before");
    let words = common::crypto::fingerprint::words(&common::crypto::sha256(b"Lab 3"));
    harness.get_by_label_contains(&words);
    let old = harness.get_by_label_contains("Join old-laptop, no one there · 1 video");
    assert!(old.accesskit_node().is_disabled(), "it could not be joined");
    harness.get_by_label_contains("Other version.");
    harness.get_by_label_contains("Join Hopper").click();
    harness.run();
    assert!(matches!(&harness.state().actions[..], [Action::JoinServer(address)] if address.host == "192.168.1.23"));
}

#[test]
fn without_a_server_the_field_for_the_address_has_the_keyboard() {
    let mut harness = show("servers-none");
    harness.get_by_label("No server found yet");
    harness.get_by_label_contains("Looked on this computer, and by broadcast and mDNS on 2 networks.");
    assert!(harness.get_by_label("Server").is_focused());
    enter_server(&mut harness, "lab");
}

#[test]
fn who_types_an_address_keeps_the_form_and_finds_the_servers_behind_a_link() {
    let mut harness = show("servers-later");
    assert_eq!(harness.get_by_label("Server").value().as_deref(), Some("192.168.1."));
    harness.get_by_label("Show the 3 servers that were found").click();
    harness.run();
    harness.get_by_label("3 servers on your network");
    harness.get_by_label("Other address…").click();
    harness.run();
    harness.get_by_label("Server");
}

#[test]
fn a_search_can_be_asked_for_and_interrupted() {
    let mut harness = show("connect");
    harness.get_by_label("Look for servers").click();
    harness.run();
    harness.get_by_label("Looking for servers on your network…");
    harness.get_by_label("Other address…").click();
    harness.run();
    assert_eq!(harness.get_by_label("Server").value().as_deref(), Some("127.0.0.1:7878"), "what was typed is kept");
}

#[test]
fn a_bad_address_is_told_while_it_is_typed() {
    let mut harness = show("address-bad");
    harness.get_by_label("\"79500\" is not a port. Ports are numbers from 1 to 65535. Without one, 7878 is used.");
    assert!(harness.get_by_label("Connect").accesskit_node().is_disabled());
    harness.get_by_label("Server").click();
    harness.run();
    press(&mut harness, Modifiers::NONE, Key::Backspace);
    assert!(harness.query_by_label_contains("is not a port").is_none());
}

#[test]
fn after_a_failure_there_is_one_button_and_the_wrong_field_has_the_keyboard() {
    let mut harness = show("not-triptych");
    harness.get_by_label("127.0.0.1:7878 is not a Triptych server.");
    assert!(harness.query_by_label("Try again").is_none(), "Connect does that");
    assert!(harness.get_by_label("Server").is_focused());
    assert!(harness.query_by_label_contains("It answers otherwise").is_none());
    harness.get_by_label("Details").click();
    harness.run();
    harness.get_by_label_contains("It answers otherwise");
    harness.get_by_label("Server").type_text("0");
    harness.run();
    assert!(harness.query_by_label_contains("is not a Triptych server").is_none(), "it was about another address");
}

#[test]
fn every_first_screen_can_be_used_in_a_small_window_and_at_twice_the_size() {
    for which in ["searching", "servers", "servers-none", "servers-later", "not-triptych"] {
        for (size, zoom) in [([600.0, 400.0], 1.0), ([600.0, 400.0], 2.0), ([1200.0, 760.0], 2.0)] {
            let mut harness = window(scene(which), size);
            harness.ctx.set_zoom_factor(zoom);
            harness.run_steps(3);
            let field = harness.get_by_label("Your name");
            let width = size[0] / zoom;
            assert!(field.rect().left() >= 0.0 && field.rect().right() <= width, "{which} at {size:?}, {zoom}");
        }
    }
}
