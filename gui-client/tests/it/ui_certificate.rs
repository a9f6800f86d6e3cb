//! The views about the server's certificate, operated by what a screen reader would read.

use common::crypto::fingerprint;
use egui_kittest::kittest::Queryable;
use triptych_client::{
    event::{CertificateChange, NetCommand, NetEvent, Offline},
    state::{State, action::Action},
};

use crate::support::{
    scenes::{self, scene},
    window::{show, window},
};

#[test]
fn a_changed_certificate_shows_both_and_is_trusted_after_a_comparison_only() {
    let CertificateChange { expected, found, .. } = scenes::certificate_change();
    for scene in ["certificate", "certificate-later"] {
        let mut harness = show(scene);
        harness.get_by_label("The identity of this server has changed.");
        for certificate in [expected, found] {
            harness.get_by_label(&fingerprint::words(&certificate));
            harness.get_by_label(&fingerprint::digits(&certificate));
        }
        harness.get_by_label("Trust it and join").click();
        harness.run();
        assert!(harness.state().commands().is_empty(), "{scene}: nothing was compared yet");
        harness.get_by_label_contains("I have compared").click();
        harness.run();
        harness.get_by_label("Trust it and join").click();
        harness.run();
        let commands = harness.state().commands();
        let [NetCommand::ConnectTrusting { change, .. }] = &commands[..] else {
            panic!("{scene}: it connects: {:?}", harness.state().actions)
        };
        assert_eq!(change.found, found);

        let mut harness = show(scene);
        harness.get_by_label("Back").click();
        harness.run();
        harness.get_by_label("Connect");
    }
}

#[test]
fn nothing_says_that_the_certificate_is_verified_once_it_has_changed() {
    let mut state = scenes::joined();
    state.handle(Action::MarkServer(true), scenes::moment());
    let is_said = |state: &State| {
        let harness = window(state.clone(), [1200.0, 760.0]);
        harness.query_by_label("Certificate of the server, verified").is_some()
    };
    assert!(is_said(&state));
    state.apply(NetEvent::Offline(Offline::CertificateChanged(scenes::certificate_change())), scenes::moment());
    assert!(!is_said(&state));
}

#[test]
fn the_words_of_the_certificate_are_shown_while_keys_are_made_and_at_the_first_visit() {
    let words = fingerprint::words(&scenes::tls().certificate_hash);
    show("keys").get_by_label(&words);
    for size in [[1200.0, 760.0], [640.0, 480.0]] {
        let mut harness = window(scene("first-visit"), size);
        harness.get_by_label(&words);
        harness.get_by_label("They are the same").click();
        harness.run();
        assert!(harness.query_by_label(&words).is_none());
    }
    assert!(window(scenes::joined(), [1200.0, 760.0]).query_by_label(&words).is_none());
}
